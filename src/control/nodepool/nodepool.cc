#include "control/nodepool/nodepool.h"

#include <algorithm>
#include <map>

#include "codec/json.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

using cluster::Plan;
using cluster::Write;
using codec::Value;

const cluster::Key kAll{"", "pools"};

std::vector<std::string> zones_of(const Value& platform, const Value& pool) {
  std::vector<std::string> zones;
  for (const Value& zone : pool["zones"].elements()) zones.push_back(zone.str());
  if (!zones.empty()) return zones;
  for (const Value& region : platform.at("spec.regions").elements())
    if (pool["region"].is_null() || region["name"] == pool["region"])
      for (const Value& zone : region["zones"].elements()) zones.push_back(zone.str());
  return zones;
}

Value node_of(const Value& platform, const Value& pool, const std::string& name,
              std::size_t index) {
  Value node = Value::object({{"apiVersion", "v1"}, {"kind", "Node"}});
  Value& meta = node.edit("metadata");
  meta.set("name", name);
  Value labels = pool["labels"].is_object() ? pool["labels"] : Value::object();
  const auto label = [&](std::string_view key, const Value& value) {
    if (!value.is_null()) labels.set(key, value);
  };
  label("kubernetes.io/hostname", name);
  label("kubernetes.io/os", "linux");
  label("kubernetes.io/arch", "amd64");
  label("node.kubernetes.io/instance-type", pool["instanceType"]);
  label("topology.kubernetes.io/region", pool["region"]);
  const auto zones = zones_of(platform, pool);
  if (!zones.empty()) label("topology.kubernetes.io/zone", zones[index % zones.size()]);
  label(kPoolLabel, pool["name"]);
  meta.set("labels", std::move(labels));
  Value& annotations = meta.edit("annotations");
  annotations = Value::object();
  annotations.set(kCapacityAnnotation, codec::to_json(pool["capacity"]));
  if (!pool["pricePerHour"].is_null()) annotations.set(kPriceAnnotation, pool["pricePerHour"]);
  node.edit("spec").set("providerID", "keelson://" + pool["name"].str() + "/" + name);
  if (!pool["taints"].empty()) node.edit("spec").set("taints", pool["taints"]);
  return node;
}

struct Wanted {
  Value platform, pool;
  std::int64_t count = 0;
};

}  // namespace

std::vector<cluster::Watch> NodePoolController::watches() const {
  const auto all = [](const cluster::View&, const Value&, const Value&) {
    return std::vector<cluster::Key>{kAll};
  };
  return {{"platforms.keelson.dev", all},
          {"nodes", [](const cluster::View&, const Value& before, const Value& after) {
             // A change of a node's status is none of ours; that it comes or goes is.
             return before.is_null() || after.is_null() ? std::vector<cluster::Key>{kAll}
                                                        : std::vector<cluster::Key>{};
           }}};
}

std::vector<cluster::Key> NodePoolController::start(const cluster::View&) {
  return {kAll};
}

Plan NodePoolController::reconcile(const cluster::Sync& sync) {
  std::map<std::string, Wanted> pools;
  for (const Value& platform : sync.view.list("platforms.keelson.dev"))
    for (const Value& pool : platform.at("spec.pools").elements())
      pools[pool["name"].str()] = {platform, pool, pool["min"].as_int(1)};
  if (pools.empty() && !machine_.capacity.is_null()) {
    Value pool = Value::object({{"name", kLocalPool}, {"capacity", machine_.capacity}});
    pools[std::string(kLocalPool)] = {Value(), pool, 1};
  }

  Plan plan;
  std::map<std::string, std::vector<Value>> present;
  for (const Value& node : sync.view.list("nodes")) {
    // Nodes that somebody made by hand are theirs, whatever their labels.
    const std::string pool(model::label_of(node, kPoolLabel));
    if (!pool.empty() && node["spec"]["providerID"].as_string().starts_with("keelson://"))
      present[pool].push_back(node);
  }
  for (auto& [name, wanted] : pools) {
    auto& nodes = present[name];
    const std::int64_t max = wanted.pool["max"].as_int(INT32_MAX);
    std::int64_t missing = wanted.count - static_cast<std::int64_t>(nodes.size());
    for (std::size_t index = 0; missing > 0; ++index) {
      const std::string node_name =
          name == kLocalPool ? name : name + "-" + std::to_string(index + 1);
      if (!sync.view.get("nodes", {}, node_name).is_null()) continue;
      plan.writes.push_back(
          Write{.verb = Write::Verb::create,
                .resource = "nodes",
                .namespace_ = {},
                .name = node_name,
                .object = node_of(wanted.platform, wanted.pool, node_name, index)});
      --missing;
    }
    // Above the maximum the newest go first.
    std::sort(nodes.begin(), nodes.end(), [](const Value& a, const Value& b) {
      return std::make_pair(model::creation_time_of(a), model::name_of(a)) <
             std::make_pair(model::creation_time_of(b), model::name_of(b));
    });
    for (std::size_t i = nodes.size(); static_cast<std::int64_t>(i) > max; --i)
      plan.writes.push_back(Write{.verb = Write::Verb::remove,
                                  .resource = "nodes",
                                  .namespace_ = {},
                                  .name = std::string(model::name_of(nodes[i - 1]))});
  }
  for (const auto& [name, nodes] : present) {
    if (pools.contains(name)) continue;
    for (const Value& node : nodes)
      plan.writes.push_back(Write{.verb = Write::Verb::remove,
                                  .resource = "nodes",
                                  .namespace_ = {},
                                  .name = std::string(model::name_of(node))});
  }
  return plan;
}

}  // namespace keelson::control
