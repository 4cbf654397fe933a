// PodInfo: a pod as the scheduler reads it, parsed once and never changed. Everything that a
// plug-in asks of a pod that is not the one being scheduled stands here, so that a cycle over ten
// thousand pods parses nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "codec/value.h"
#include "model/selector.h"
#include "sched/resources.h"

namespace keelson::sched {

// A pod (anti-)affinity term.
struct AffinityTerm {
  std::vector<std::string> namespaces;  // sorted
  model::LabelSelector namespace_selector = model::LabelSelector::nothing();
  model::LabelSelector selector;
  std::string topology_key;
  std::int64_t weight = 0;  // of a preferred term
  std::string text;         // equal for equal terms
};

struct HostPort {
  std::string ip, protocol;  // "0.0.0.0" and "TCP" where the pod leaves them out
  std::int64_t port = 0;
  auto operator<=>(const HostPort&) const = default;
};

struct PodInfo {
  Value pod;
  std::string namespace_, name, uid;  // uid falls back to "NAMESPACE/NAME"
  Value labels;
  std::int64_t priority = 0;
  Instant started;  // status.startTime, or the zero instant
  bool deleting = false;

  Resources requested;                               // what a bound pod takes from its node
  std::int64_t nonzero_cpu = 0, nonzero_memory = 0;  // the same with defaults for missing ones

  std::vector<AffinityTerm> required_affinity, required_anti_affinity;
  std::vector<AffinityTerm> preferred_affinity, preferred_anti_affinity;
  bool has_affinity = false;  // has podAffinity or podAntiAffinity at all
  std::string parse_error;    // a selector that does not parse; such a pod is not schedulable

  std::vector<HostPort> host_ports;  // of containers and sidecars
  std::vector<std::string> claims;   // names of PersistentVolumeClaims in its own namespace

  std::string group;  // equal for pods that no selector can tell apart

  std::string key() const { return namespace_ + "/" + name; }
  const Value& spec() const { return pod["spec"]; }
  std::string_view node_name() const { return pod["spec"]["nodeName"].as_string(); }
  std::string_view nominated_node() const { return pod["status"]["nominatedNodeName"].as_string(); }
};
using PodPointer = std::shared_ptr<const PodInfo>;

PodPointer make_pod_info(const Value& pod);

// Whether the term is about this pod. `namespace_labels` are the labels of the pod's namespace.
bool term_matches(const AffinityTerm& term, const PodInfo& pod, const Value& namespace_labels);
// True if there is a term and the pod matches every one; namespaces must have been merged.
bool matches_all_terms(const std::vector<AffinityTerm>& terms, const PodInfo& pod);

}  // namespace keelson::sched
