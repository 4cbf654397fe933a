// The default profile of the Kubernetes 1.36 scheduler: which plug-ins take part, in which order,
// with which weight.
#pragma once

#include <memory>
#include <vector>

#include "sched/plugin.h"

namespace keelson::sched {

struct Profile {
  struct Scorer {
    const Plugin* plugin;
    std::int64_t weight;
  };
  std::vector<const Plugin*> pre_enqueue;
  std::vector<const Plugin*> filters;  // pre-filters and filters, in order
  std::vector<Scorer> scorers;
};

// Lives as long as the process; holds no state.
const Profile& default_profile();
// The plug-in of that name in any role, or null.
const Plugin* find_plugin(const Profile& profile, std::string_view name);

}  // namespace keelson::sched
