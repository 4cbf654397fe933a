#include "control/endpointslice/hints.h"

#include <algorithm>
#include <cmath>

#include "model/meta.h"
#include "model/quantity.h"

namespace keelson::control {
namespace {

using codec::Value;

constexpr double kOverloadMax = 0.2;

bool is_ready(const Value& endpoint) {
  return endpoint["conditions"]["ready"].as_bool();
}
int ready_in(const std::vector<Value>& slices) {
  int count = 0;
  for (const Value& slice : slices)
    for (const Value& endpoint : slice["endpoints"].elements()) count += is_ready(endpoint) ? 1 : 0;
  return count;
}

Value place(std::string_view name) {
  return Value::array({Value::object({{"name", name}})});
}

void set_hints(Value& slice, std::size_t endpoint, const Value& hints) {
  if (slice["endpoints"][endpoint]["hints"] == hints) return;
  Value& changed = slice.edit("endpoints").edit(endpoint);
  if (hints.is_null())
    changed.erase("hints");
  else
    changed.set("hints", hints);
}

// The slices that are to be changed go over to those that are changed anyway.
template <typename IsWrong>
void move_wrong(HintedSlices& slices, const IsWrong& is_wrong) {
  std::vector<Value> left;
  for (Value& slice : slices.unchanged)
    (is_wrong(slice) ? slices.updates : left).push_back(std::move(slice));
  slices.unchanged = std::move(left);
}

// Hints of a ready endpoint by trafficDistribution.
Value traffic_hints(std::string_view distribution, const Value& endpoint) {
  Value hints = Value::object();
  if (!endpoint["zone"].is_null()) hints.set("forZones", place(endpoint["zone"].as_string()));
  if (distribution == "PreferSameNode" && !endpoint["nodeName"].is_null())
    hints.set("forNodes", place(endpoint["nodeName"].as_string()));
  return hints.empty() ? Value() : hints;
}

std::map<std::string, double>::iterator most(std::map<std::string, double>& zones) {
  return std::max_element(zones.begin(), zones.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; });
}

bool takes_one(std::map<std::string, int>& zones, const std::string& zone) {
  const auto at = zones.find(zone);
  if (at == zones.end()) return false;
  if (--at->second == 0) zones.erase(at);
  return true;
}

}  // namespace

std::map<std::string, double> cpu_by_zone(const std::vector<Value>& nodes) {
  std::map<std::string, std::int64_t> zones;
  std::int64_t total = 0;
  for (const Value& node : nodes) {
    const Value& labels = model::labels_of(node);
    if (labels.has("node-role.kubernetes.io/control-plane") ||
        labels.has("node-role.kubernetes.io/master") || !model::condition_is_true(node, "Ready"))
      continue;
    const std::string zone(model::label_of(node, "topology.kubernetes.io/zone"));
    const auto cpu = model::Quantity::parse(node["status"]["allocatable"]["cpu"].as_string());
    const std::int64_t milli = cpu ? cpu->milli_value() : 0;
    if (zone.empty() || milli == 0) return {};
    zones[zone] += milli;
    total += milli;
  }
  std::map<std::string, double> shares;
  if (zones.size() < 2) return shares;
  for (const auto& [zone, milli] : zones)
    shares[zone] = static_cast<double>(milli) / static_cast<double>(total);
  return shares;
}

bool wants_topology_hints(const Value& service) {
  const Value& annotations = model::annotations_of(service);
  const Value& old = annotations["service.kubernetes.io/topology-aware-hints"];
  const Value& mode = old.is_null() ? annotations["service.kubernetes.io/topology-mode"] : old;
  return mode.as_string() == "Auto" || mode.as_string() == "auto";
}

std::string_view traffic_distribution(const Value& service) {
  const std::string_view text = service["spec"]["trafficDistribution"].as_string();
  return text == "PreferClose" || text == "PreferSameZone" || text == "PreferSameNode"
             ? text
             : std::string_view();
}

void remove_hints(HintedSlices& slices) {
  move_wrong(slices, [](const Value& slice) {
    const auto& all = slice["endpoints"].elements();
    return std::any_of(all.begin(), all.end(),
                       [](const Value& endpoint) { return !endpoint["hints"].is_null(); });
  });
  for (auto* list : {&slices.creates, &slices.updates})
    for (Value& slice : *list)
      for (std::size_t i = 0; i < slice["endpoints"].size(); ++i) set_hints(slice, i, {});
}

void add_traffic_hints(std::string_view distribution, HintedSlices& slices) {
  move_wrong(slices, [&](const Value& slice) {
    const auto& all = slice["endpoints"].elements();
    return std::any_of(all.begin(), all.end(), [&](const Value& endpoint) {
      return is_ready(endpoint) && !(endpoint["hints"] == traffic_hints(distribution, endpoint));
    });
  });
  for (auto* list : {&slices.creates, &slices.updates})
    for (Value& slice : *list)
      for (std::size_t i = 0; i < slice["endpoints"].size(); ++i)
        if (const Value endpoint = slice["endpoints"][i]; is_ready(endpoint))
          set_hints(slice, i, traffic_hints(distribution, endpoint));
}

std::vector<std::string> TopologyHints::overloaded() const {
  const auto is_overloaded = [&](const Counts& counts) {
    if (counts.empty()) return false;
    if (shares_.empty()) return true;
    int total = 0;
    for (const auto& [zone, count] : counts) total += count;
    return std::any_of(shares_.begin(), shares_.end(), [&](const auto& share) {
      const auto at = counts.find(share.first);
      return at == counts.end() ||
             at->second <
                 static_cast<int>(std::ceil(total * share.second * (1 / (1 + kOverloadMax))));
    });
  };
  std::vector<std::string> services;
  for (const auto& [service, types] : given_)
    if (std::any_of(types.begin(), types.end(),
                    [&](const auto& type) { return is_overloaded(type.second); }))
      services.push_back(service);
  return services;
}

void TopologyHints::forget(const std::string& service, const std::string& address_type) {
  if (const auto at = given_.find(service); at != given_.end()) {
    at->second.erase(address_type);
    if (at->second.empty()) given_.erase(at);
  }
  populated_.erase(service);
}

void TopologyHints::forget_service(const std::string& service) {
  given_.erase(service);
  populated_.erase(service);
}

std::string TopologyHints::allocate(int endpoints, Allocations& out) const {
  const std::string numbers = " (" + std::to_string(endpoints) + " endpoints, " +
                              std::to_string(shares_.size()) + " zones)";
  if (shares_.empty())
    return "Insufficient Node information: allocatable CPU or zone not specified on one or more "
           "nodes";
  if (static_cast<int>(shares_.size()) > endpoints)
    return "Insufficient number of endpoints" + numbers;
  int minimum_total = 0;
  for (const auto& [zone, share] : shares_) {
    const double desired = share * endpoints;
    const int minimum = static_cast<int>(std::ceil(desired * (1 / (1 + kOverloadMax))));
    out[zone] = {.minimum = minimum, .desired = std::max(desired, static_cast<double>(minimum))};
    minimum_total += minimum;
  }
  if (minimum_total > endpoints)
    return "Unable to allocate minimum required endpoints to each zone without exceeding overload "
           "threshold" +
           numbers;
  for (auto& [zone, allocation] : out)
    allocation.maximum = allocation.minimum + endpoints - minimum_total;
  return {};
}

// Adds the hints of an unchanged slice to `counts`; false if they cannot stay.
bool TopologyHints::count_hints(const Value& slice, const Allocations& allocations,
                                Counts& counts) {
  Counts own;
  for (const Value& endpoint : slice["endpoints"].elements()) {
    if (!is_ready(endpoint)) continue;
    const Value& zones = endpoint["hints"]["forZones"];
    if (zones.empty()) return false;
    for (const Value& zone : zones.elements()) ++own[zone["name"].str()];
  }
  for (const auto& [zone, count] : own) {
    const auto at = allocations.find(zone);
    const auto before = counts.find(zone);
    if (at == allocations.end() ||
        count + (before == counts.end() ? 0 : before->second) > at->second.maximum)
      return false;
  }
  for (const auto& [zone, count] : own) counts[zone] += count;
  return true;
}

// Zones with more endpoints than their share give some to those with fewer.
void TopologyHints::redistribute(std::vector<Value*> slices, const Allocations& allocations,
                                 Counts& counts) {
  std::map<std::string, double> too_many, too_few;
  for (const auto& [zone, allocation] : allocations) {
    const auto at = counts.find(zone);
    const double over = (at == counts.end() ? 0 : at->second) - allocation.desired;
    if (over > 0) too_many[zone] = over;
    if (over < 0) too_few[zone] = -over;
  }
  Counts giving, receiving;
  while (!too_many.empty() && !too_few.empty()) {
    const auto from = most(too_many), to = most(too_few);
    if ((from->second < 1 && to->second < 1) || from->second < 0.5 || to->second < 0.5) break;
    ++giving[from->first];
    ++receiving[to->first];
    --from->second;
    --to->second;
  }
  for (Value* slice : slices)
    for (std::size_t i = 0; i < (*slice)["endpoints"].size(); ++i) {
      const Value endpoint = (*slice)["endpoints"][i];
      const std::string zone = endpoint["zone"].str();
      if (!is_ready(endpoint)) continue;
      if (giving.empty() || receiving.empty()) return;
      if (!takes_one(giving, zone)) continue;
      const std::string to = receiving.begin()->first;
      takes_one(receiving, to);
      set_hints(*slice, i, Value::object({{"forZones", place(to)}}));
      ++counts[to];
      --counts[zone];
    }
}

void TopologyHints::add(const std::string& service, const std::string& address_type,
                        HintedSlices& slices) {
  const auto disable = [&](const std::string& why) {
    slices.events.push_back(
        {true, "TopologyAwareHintsDisabled", why + ", addressType: " + address_type});
    forget(service, address_type);
    remove_hints(slices);
  };
  Allocations allocations;
  const int endpoints =
      ready_in(slices.creates) + ready_in(slices.updates) + ready_in(slices.unchanged);
  if (const std::string why = allocate(endpoints, allocations); !why.empty()) return disable(why);
  Counts counts;
  move_wrong(slices, [&](const Value& slice) { return !count_hints(slice, allocations, counts); });
  std::vector<Value*> open;
  for (auto* list : {&slices.creates, &slices.updates})
    for (Value& slice : *list) open.push_back(&slice);
  for (Value* slice : open)
    for (std::size_t i = 0; i < (*slice)["endpoints"].size(); ++i) {
      const Value endpoint = (*slice)["endpoints"][i];
      if (!is_ready(endpoint)) continue;
      const std::string zone = endpoint["zone"].str();
      if (zone.empty()) return disable("One or more endpoints do not have a zone specified");
      ++counts[zone];
      set_hints(*slice, i, Value::object({{"forZones", place(zone)}}));
    }
  redistribute(open, allocations, counts);
  if (counts.empty()) return disable("No hints allocated for zones");
  given_[service][address_type] = counts;
  if (populated_.insert(service).second)
    slices.events.push_back(
        {false, "TopologyAwareHintsEnabled",
         "Topology Aware Hints has been enabled, addressType: " + address_type});
}

}  // namespace keelson::control
