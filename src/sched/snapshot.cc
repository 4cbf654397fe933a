// Upkeep of the picture.
#include "sched/snapshot.h"

#include <algorithm>
#include <cstdint>

namespace keelson::sched {

NodeInfo& Snapshot::entry(const std::string& name) {
  auto& info = infos_[name];
  if (info) return *info;
  info = std::make_unique<NodeInfo>();
  info->set_id(static_cast<std::uint32_t>(by_id_.size()));
  by_id_.push_back(info.get());
  topologies_.clear();
  return *info;
}

void Snapshot::drop_if_unused(Infos::iterator it) {
  if (it->second->has_node() || !it->second->pods().empty()) return;
  by_id_[it->second->id()] = nullptr;
  infos_.erase(it);
}

const NodeInfo* Snapshot::node_by_id(std::uint32_t id) const {
  const NodeInfo* info = by_id_[id];
  return info && info->has_node() ? info : nullptr;
}

const Snapshot::Topology& Snapshot::topology(std::string_view key) const {
  if (const auto it = topologies_.find(key); it != topologies_.end()) return it->second;
  Topology topology;
  topology.value_of_node.assign(by_id_.size(), 0);
  std::map<std::string_view, std::uint32_t> numbers;
  for (std::size_t id = 0; id < by_id_.size(); ++id) {
    const Value* value = by_id_[id] && by_id_[id]->has_node() ? by_id_[id]->label(key) : nullptr;
    if (!value) continue;
    const auto [it, is_new] = numbers.try_emplace(value->as_string(), topology.values_end);
    if (is_new) ++topology.values_end;
    topology.value_of_node[id] = it->second;
  }
  return topologies_.emplace(key, std::move(topology)).first->second;
}

void Snapshot::count_pod(const PodPointer& pod, std::uint32_t node, int sign) {
  const auto count = [&](auto& groups, const std::string& key, auto make) {
    const auto it = groups.find(key);
    auto& group = it != groups.end() ? it->second : groups.emplace(key, make()).first->second;
    auto& nodes = group.nodes;
    const auto at = std::lower_bound(nodes.begin(), nodes.end(), std::pair{node, INT64_MIN});
    if (at == nodes.end() || at->first != node)
      nodes.insert(at, {node, sign});
    else if ((at->second += sign) == 0)
      nodes.erase(at);
    if (nodes.empty()) groups.erase(key);
  };
  count(pod_groups_, pod->group, [&] { return PodGroup{pod, {}}; });
  const auto count_terms = [&](TermKind kind, const std::vector<AffinityTerm>& terms) {
    for (const AffinityTerm& term : terms)
      count(term_groups_[kind], term.text, [&] { return TermGroup{term, {}}; });
  };
  count_terms(required_affinity, pod->required_affinity);
  count_terms(required_anti_affinity, pod->required_anti_affinity);
  count_terms(preferred_affinity, pod->preferred_affinity);
  count_terms(preferred_anti_affinity, pod->preferred_anti_affinity);
}

void Snapshot::leave_zone(const NodeInfo& info) {
  for (std::size_t i = 0; i < zones_.size(); ++i) {
    if (zones_[i].key != info.zone_key()) continue;
    auto& names = zones_[i].nodes;
    names.erase(std::remove(names.begin(), names.end(), info.name()), names.end());
    if (names.empty()) zones_.erase(zones_.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

void Snapshot::add_images(const NodeInfo& info) {
  for (const Value& entry_of_node : info.node()["status"]["images"].elements())
    for (const Value& name : entry_of_node["names"].elements())
      images_.try_emplace(name.str(), Image{entry_of_node["sizeBytes"].as_int(), 0});
  for (const std::string& name : info.images()) ++images_[name].nodes;
}

void Snapshot::drop_images(const NodeInfo& info) {
  for (const std::string& name : info.images())
    if (const auto it = images_.find(name); --it->second.nodes == 0) images_.erase(it);
}

void Snapshot::set_node(const Value& node) {
  NodeInfo& info = entry(node["metadata"]["name"].str());
  const bool known = info.has_node();
  const Value& labels = node["metadata"]["labels"];
  const bool moved = !known || info.zone_key() != zone_key_of(labels);
  if (!known || !(info.labels() == labels)) topologies_.clear();
  if (known) drop_images(info);
  if (known && moved) leave_zone(info);
  info.set_node(node);
  add_images(info);
  if (!moved) return;
  const auto zone = std::find_if(zones_.begin(), zones_.end(),
                                 [&](const Zone& z) { return z.key == info.zone_key(); });
  if (zone == zones_.end())
    zones_.push_back({info.zone_key(), {info.name()}});
  else
    zone->nodes.push_back(info.name());
  stale_ = true;
}

void Snapshot::remove_node(const std::string& name) {
  const auto it = infos_.find(name);
  if (it == infos_.end() || !it->second->has_node()) return;
  drop_images(*it->second);
  leave_zone(*it->second);
  topologies_.clear();
  it->second->clear_node();
  drop_if_unused(it);
  stale_ = true;
}

void Snapshot::set_pod(PodPointer pod, const std::string& node) {
  remove_pod(pod->uid);
  NodeInfo& info = entry(node);
  for (const std::string& claim : pod->claims) ++claims_[pod->namespace_ + "/" + claim];
  pods_[pod->uid] = {pod, node};
  count_pod(pod, info.id(), 1);
  info.add_pod(std::move(pod));
}

void Snapshot::remove_pod(const std::string& uid) {
  const auto it = pods_.find(uid);
  if (it == pods_.end()) return;
  const PodInfo& pod = *it->second.pod;
  for (const std::string& claim : pod.claims)
    if (const auto use = claims_.find(pod.namespace_ + "/" + claim);
        use != claims_.end() && --use->second == 0)
      claims_.erase(use);
  const auto info = infos_.find(it->second.node);
  count_pod(it->second.pod, info->second->id(), -1);
  info->second->remove_pod(uid);
  drop_if_unused(info);
  pods_.erase(it);
}

PodPointer Snapshot::pod(const std::string& uid) const {
  const auto it = pods_.find(uid);
  return it == pods_.end() ? nullptr : it->second.pod;
}

std::string Snapshot::node_of_pod(const std::string& uid) const {
  const auto it = pods_.find(uid);
  return it == pods_.end() ? std::string() : it->second.node;
}

void Snapshot::nominate(PodPointer pod, const std::string& node) {
  clear_nomination(pod->uid);
  if (node.empty()) return;
  nominations_[pod->uid] = node;
  nominated_[node].push_back(std::move(pod));
}

void Snapshot::clear_nomination(const std::string& uid) {
  const auto it = nominations_.find(uid);
  if (it == nominations_.end()) return;
  const auto list = nominated_.find(it->second);
  auto& pods = list->second;
  pods.erase(std::remove_if(pods.begin(), pods.end(),
                            [&](const PodPointer& pod) { return pod->uid == uid; }),
             pods.end());
  if (pods.empty()) nominated_.erase(list);
  nominations_.erase(it);
}

const std::vector<PodPointer>& Snapshot::nominated(std::string_view node) const {
  static const std::vector<PodPointer> none;
  if (nominated_.empty()) return none;
  const auto it = nominated_.find(node);
  return it == nominated_.end() ? none : it->second;
}

std::string Snapshot::nomination_of(const std::string& uid) const {
  const auto it = nominations_.find(uid);
  return it == nominations_.end() ? std::string() : it->second;
}

const std::vector<const NodeInfo*>& Snapshot::nodes() const {
  if (!stale_) return order_;
  stale_ = false;
  order_.clear();
  std::size_t longest = 0;
  for (const Zone& zone : zones_) longest = std::max(longest, zone.nodes.size());
  for (std::size_t i = 0; i < longest; ++i)
    for (const Zone& zone : zones_)
      if (i < zone.nodes.size()) order_.push_back(infos_.find(zone.nodes[i])->second.get());
  return order_;
}

const NodeInfo* Snapshot::node(std::string_view name) const {
  const auto it = infos_.find(name);
  return it == infos_.end() || !it->second->has_node() ? nullptr : it->second.get();
}

Snapshot::Image Snapshot::image(std::string_view name) const {
  const auto it = images_.find(name);
  return it == images_.end() ? Image{} : it->second;
}

std::size_t Snapshot::claim_uses(std::string_view claim) const {
  const auto it = claims_.find(claim);
  return it == claims_.end() ? 0 : it->second;
}

}  // namespace keelson::sched
