// Upkeep of the sums of a node.
#include "sched/node_info.h"

#include <algorithm>

namespace keelson::sched {
namespace {

std::string_view label_or(const Value& labels, std::string_view deprecated, std::string_view key) {
  const Value* value = labels.find(deprecated);
  return value ? value->as_string() : labels[key].as_string();
}

}  // namespace

std::vector<Taint> parse_taints(const Value& node) {
  std::vector<Taint> taints;
  for (const Value& taint : node["spec"]["taints"].elements())
    taints.push_back({taint["key"].str(), taint["value"].str(), taint["effect"].str()});
  return taints;
}

std::string zone_key_of(const Value& labels) {
  const std::string_view region =
      label_or(labels, "failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region");
  const std::string_view zone =
      label_or(labels, "failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone");
  if (region.empty() && zone.empty()) return {};
  // The null byte keeps "a" + "b:c" apart from "a:b" + "c".
  return std::string(region) + ":" + std::string(1, '\0') + ":" + std::string(zone);
}

void NodeInfo::set_node(const Value& node) {
  node_ = node;
  name_ = node["metadata"]["name"].str();
  labels_ = node["metadata"]["labels"];
  unschedulable_ = node["spec"]["unschedulable"].as_bool();
  taints_ = parse_taints(node);
  allocatable_ = Resources::of(ResourceList(node["status"]["allocatable"]));
  zone_key_ = zone_key_of(labels_);
  images_.clear();
  for (const Value& image : node["status"]["images"].elements())
    for (const Value& name : image["names"].elements()) images_.push_back(name.str());
  std::sort(images_.begin(), images_.end());
  images_.erase(std::unique(images_.begin(), images_.end()), images_.end());
}

void NodeInfo::add_pod(PodPointer pod) {
  requested_.add(pod->requested, 1);
  nonzero_cpu_ += pod->nonzero_cpu;
  nonzero_memory_ += pod->nonzero_memory;
  for (const HostPort& port : pod->host_ports) {
    const auto it = std::lower_bound(ports_.begin(), ports_.end(), port);
    if (it == ports_.end() || *it != port) ports_.insert(it, port);
  }
  pods_.push_back(std::move(pod));
}

bool NodeInfo::remove_pod(const std::string& uid) {
  const auto found = std::find_if(pods_.begin(), pods_.end(),
                                  [&](const PodPointer& other) { return other->uid == uid; });
  if (found == pods_.end()) return false;
  const PodPointer pod = *found;
  *found = pods_.back();
  pods_.pop_back();
  requested_.add(pod->requested, -1);
  nonzero_cpu_ -= pod->nonzero_cpu;
  nonzero_memory_ -= pod->nonzero_memory;
  for (const HostPort& port : pod->host_ports) {
    const auto it = std::lower_bound(ports_.begin(), ports_.end(), port);
    if (it != ports_.end() && *it == port) ports_.erase(it);
  }
  return true;
}

bool NodeInfo::port_conflicts(const HostPort& wanted) const {
  return std::any_of(ports_.begin(), ports_.end(), [&](const HostPort& used) {
    return used.port == wanted.port && used.protocol == wanted.protocol &&
           (used.ip == wanted.ip || used.ip == "0.0.0.0" || wanted.ip == "0.0.0.0");
  });
}

}  // namespace keelson::sched
