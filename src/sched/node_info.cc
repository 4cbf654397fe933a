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

std::shared_ptr<const NodeInfo::Facts> NodeInfo::no_facts() {
  static const auto none = std::make_shared<const Facts>();
  return none;
}

void NodeInfo::set_node(const Value& node) {
  auto facts = std::make_shared<Facts>();
  facts->node = node;
  facts->name = node["metadata"]["name"].str();
  facts->labels = node["metadata"]["labels"];
  facts->unschedulable = node["spec"]["unschedulable"].as_bool();
  facts->taints = parse_taints(node);
  facts->allocatable = Resources::of(ResourceList(node["status"]["allocatable"]));
  facts->zone_key = zone_key_of(facts->labels);
  auto& images = facts->images;
  for (const Value& image : node["status"]["images"].elements())
    for (const Value& name : image["names"].elements()) images.push_back(name.str());
  std::sort(images.begin(), images.end());
  images.erase(std::unique(images.begin(), images.end()), images.end());
  facts_ = std::move(facts);
}

void NodeInfo::clear_node() {
  facts_ = no_facts();
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
