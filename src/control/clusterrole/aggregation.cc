// See aggregation.h.
#include "control/clusterrole/aggregation.h"

#include <algorithm>
#include <string>

#include "control/common/templates.h"
#include "model/meta.h"
#include "model/selector.h"

namespace keelson::control {
namespace {

constexpr std::string_view kResource = "clusterroles.rbac.authorization.k8s.io";

// Selector by selector, roles by name, each rule once.
codec::Array aggregated(const cluster::View& view, const codec::Value& role) {
  codec::Array rules;
  for (const codec::Value& wanted : role.at("aggregationRule.clusterRoleSelectors").elements()) {
    const auto selector = model::LabelSelector::of(wanted);
    if (!selector.ok()) continue;
    for (const codec::Value& other : view.list(kResource)) {
      if (model::name_of(other) == model::name_of(role)) continue;
      if (!selector->matches(model::labels_of(other))) continue;
      for (const codec::Value& rule : other["rules"].elements())
        if (std::none_of(rules.begin(), rules.end(),
                         [&](const codec::Value& known) { return same_content(known, rule); }))
          rules.push_back(rule);
    }
  }
  return rules;
}

}  // namespace

std::vector<cluster::Watch> ClusterRoleAggregation::watches() const {
  // Any role may contribute to any aggregating one.
  return {{std::string(kResource),
           [](const cluster::View& view, const codec::Value&, const codec::Value&) {
             std::vector<cluster::Key> keys;
             for (const codec::Value& role : view.list(kResource))
               if (!role["aggregationRule"].is_null())
                 keys.push_back({"", std::string(model::name_of(role))});
             return keys;
           }}};
}

cluster::Plan ClusterRoleAggregation::reconcile(const cluster::Sync& sync) {
  const codec::Value role = sync.view.get(kResource, "", sync.key.name);
  if (role["aggregationRule"].is_null()) return {};
  codec::Value rules(aggregated(sync.view, role));
  if (same_content(rules, role["rules"])) return {};
  cluster::Plan plan;
  plan.writes.push_back(
      apply(kResource,
            codec::Value::object({{"apiVersion", "rbac.authorization.k8s.io/v1"},
                                  {"kind", "ClusterRole"},
                                  {"metadata", codec::Value::object({{"name", sync.key.name}})},
                                  {"rules", std::move(rules)}}),
            name()));
  return plan;
}

}  // namespace keelson::control
