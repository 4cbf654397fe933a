// Reading and tidying control groups, v1, v2 and hybrid alike. The runtime makes the containers'
// groups; here are the pods' and the counters.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/driver.h"

namespace keelson::node {

class Cgroups {
 public:
  Cgroups();  // looks at /sys/fs/cgroup once
  bool is_unified() const { return unified_; }

  // path: "/keelson/NAME/podUID/ID".
  std::optional<Usage> usage(const std::string& path) const;
  std::string oom_file(const std::string& path) const;
  // Makes the group in every hierarchy and weighs it.
  void make(const std::string& path, std::int64_t cpu_shares) const;
  // Removes the group and those below it, where they are empty.
  void remove(const std::string& path) const;
  std::vector<std::string> procs_files(const std::string& path) const;
  // Kills whatever is left in it.
  void kill_all(const std::string& path) const;

 private:
  std::string in(std::string_view controller, const std::string& path) const;
  bool unified_ = false;
  std::vector<std::string> hierarchies_;  // mount points, one per hierarchy
};

}  // namespace keelson::node
