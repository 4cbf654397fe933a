// See placement.h.
#include "control/daemonset/placement.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "control/common/history.h"
#include "control/common/templates.h"
#include "model/meta.h"
#include "sched/tolerations.h"

namespace keelson::control::daemon {
namespace {

constexpr std::string_view kGenerationLabel = "pod-template-generation";
constexpr std::string_view kGenerationAnnotation = "deprecated.daemonset.template.generation";

struct Tolerated {
  std::string_view key, effect;
};
// What may befall a node and must not drive its daemons away.
constexpr std::array<Tolerated, 6> kTolerated{{{"node.kubernetes.io/not-ready", "NoExecute"},
                                               {"node.kubernetes.io/unreachable", "NoExecute"},
                                               {"node.kubernetes.io/disk-pressure", "NoSchedule"},
                                               {"node.kubernetes.io/memory-pressure", "NoSchedule"},
                                               {"node.kubernetes.io/pid-pressure", "NoSchedule"},
                                               {"node.kubernetes.io/unschedulable", "NoSchedule"}}};
constexpr Tolerated kNetwork{"node.kubernetes.io/network-unavailable", "NoSchedule"};

void tolerate(Value& spec, const Tolerated& what) {
  const Value wanted =
      Value::object({{"key", what.key}, {"operator", "Exists"}, {"effect", what.effect}});
  const codec::Array& all = spec["tolerations"].elements();
  const bool known = std::any_of(all.begin(), all.end(), [&](const Value& one) {
    return one["key"] == wanted["key"] && one["effect"] == wanted["effect"] &&
           one["operator"] == wanted["operator"] && one["value"].as_string().empty();
  });
  if (!known) spec.edit("tolerations").push_back(wanted);
}

void tolerate_node_troubles(Value& spec) {
  for (const Tolerated& what : kTolerated) tolerate(spec, what);
  if (spec["hostNetwork"].as_bool()) tolerate(spec, kNetwork);
}

Value spec_of_pods(const Value& set) {
  Value spec = set["spec"]["template"]["spec"];
  tolerate_node_troubles(spec);
  return spec;
}

bool tolerates_all(const Value& spec, const Value& node, bool no_execute_only) {
  for (const Value& taint : node["spec"]["taints"].elements()) {
    const sched::Taint one{taint["key"].str(), taint["value"].str(), taint["effect"].str()};
    if (one.effect != "NoExecute" && (no_execute_only || one.effect != "NoSchedule")) continue;
    const codec::Array& all = spec["tolerations"].elements();
    if (std::none_of(all.begin(), all.end(),
                     [&](const Value& toleration) { return sched::tolerates(toleration, one); }))
      return false;
  }
  return true;
}

std::int64_t rolling_count(const Value& set, std::string_view field, std::int64_t nodes) {
  const Value& strategy = set["spec"]["updateStrategy"];
  if (strategy["type"].as_string() != "RollingUpdate") return 0;
  return scaled(strategy["rollingUpdate"][field], nodes, true);
}

}  // namespace

Placement::Placement(const Value& set) : spec_(spec_of_pods(set)), affinity_(spec_) {}

Fit Placement::fit(const Value& node) const {
  const std::string_view named = spec_["nodeName"].as_string();
  if (!named.empty() && named != model::name_of(node)) return {};
  if (!affinity_.matches(sched::NodeInfo(node))) return {};
  if (!tolerates_all(spec_, node, false)) return {false, tolerates_all(spec_, node, true)};
  return {true, true};
}

std::string target_node(const Value& pod) {
  if (const std::string_view bound = pod["spec"]["nodeName"].as_string(); !bound.empty())
    return std::string(bound);
  const Value& terms = pod.at(
      "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."
      "nodeSelectorTerms");
  for (const Value& term : terms.elements())
    for (const Value& field : term["matchFields"].elements())
      if (field["key"].as_string() == "metadata.name" && field["operator"].as_string() == "In")
        return field["values"].size() == 1 ? field["values"][0].str() : "";
  return {};
}

Value template_for(const Value& set, std::string_view node, std::string_view hash) {
  Value pod_template = set["spec"]["template"];
  Value& spec = pod_template.edit("spec");
  tolerate_node_troubles(spec);
  const Value by_name = Value::object(
      {{"key", "metadata.name"}, {"operator", "In"}, {"values", Value::array({Value(node)})}});
  spec.edit("affinity")
      .edit("nodeAffinity")
      .edit("requiredDuringSchedulingIgnoredDuringExecution")
      .set("nodeSelectorTerms",
           Value::array({Value::object({{"matchFields", Value::array({by_name})}})}));
  Value& labels = pod_template.edit("metadata").edit("labels");
  if (const auto generation = template_generation(set))
    labels.set(kGenerationLabel, std::to_string(*generation));
  labels.set(kRevisionLabel, hash);
  return pod_template;
}

std::optional<std::int64_t> template_generation(const Value& set) {
  return parse_int(model::annotation_of(set, kGenerationAnnotation));
}

bool pod_is_updated(const Value& set, const Value& pod, std::string_view hash) {
  const auto generation = template_generation(set);
  return (generation && model::label_of(pod, kGenerationLabel) == std::to_string(*generation)) ||
         (!hash.empty() && model::label_of(pod, kRevisionLabel) == hash);
}

std::int64_t max_surge(const Value& set, std::int64_t nodes) {
  return rolling_count(set, "maxSurge", nodes);
}

std::int64_t max_unavailable(const Value& set, std::int64_t nodes) {
  const std::int64_t count = rolling_count(set, "maxUnavailable", nodes);
  // Neither surge nor unavailability would be no rollout at all.
  return nodes > 0 && count == 0 && max_surge(set, nodes) == 0 ? 1 : count;
}

}  // namespace keelson::control::daemon
