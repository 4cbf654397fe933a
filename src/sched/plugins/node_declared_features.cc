// Features that the scheduler infers from a pod, as component-helpers/nodedeclaredfeatures.
#include "sched/plugins/node_declared_features.h"

#include <algorithm>

namespace keelson::sched {
namespace {

struct Needed : State {
  std::vector<std::string> features;
};

bool restarts_all_containers(const Value& spec) {
  for (const char* list : {"containers", "initContainers"})
    for (const Value& container : spec[list].elements())
      for (const Value& rule : container["restartPolicyRules"].elements())
        if (rule["action"].as_string() == "RestartAllContainers") return true;
  return false;
}

}  // namespace

Status NodeDeclaredFeatures::pre_filter(const Cycle& cycle, PreFilter& out) const {
  const Value& spec = cycle.pod.spec();
  auto needed = std::make_shared<Needed>();
  if (restarts_all_containers(spec))
    needed->features.emplace_back("RestartAllContainersOnContainerExits");
  if (spec["hostNetwork"].as_bool() && !spec["hostUsers"].as_bool(true))
    needed->features.emplace_back("UserNamespacesHostNetworkSupport");
  if (needed->features.empty()) return Status::skip();
  out.state = std::move(needed);
  return {};
}

Status NodeDeclaredFeatures::filter(const Cycle&, const State* state, const NodeInfo& node) const {
  const auto& declared = node.node()["status"]["declaredFeatures"].elements();
  for (const std::string& feature : static_cast<const Needed*>(state)->features)
    if (std::none_of(declared.begin(), declared.end(),
                     [&](const Value& d) { return d.as_string() == feature; }))
      return Status::unresolvable("node(s) didn't match Pod's required features");
  return {};
}

}  // namespace keelson::sched
