#include "control/endpointslice/reconcile.h"

#include <algorithm>
#include <functional>
#include <map>

#include "codec/json.h"
#include "control/common/service_pods.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

using codec::Value;

constexpr std::string_view kTriggerTime = "endpoints.kubernetes.io/last-change-trigger-time";
constexpr std::string_view kHeadlessLabel = "service.kubernetes.io/headless";

bool is_reserved(std::string_view label) {
  return label == kServiceNameLabel || label == kManagedByLabel || label == kHeadlessLabel;
}

std::vector<std::string> address_types(const Value& service) {
  std::vector<std::string> types;
  for (const Value& family : service["spec"]["ipFamilies"].elements())
    types.push_back(family.str());
  if (!types.empty()) return types;
  if (is_headless(service)) return {"IPv4", "IPv6"};
  return {is_v6_address(service["spec"]["clusterIP"].as_string()) ? "IPv6" : "IPv4"};
}

Value ports_of(const Value& service, const Value& pod) {
  Value ports = Value::array();
  for (const Value& port : service["spec"]["ports"].elements()) {
    const std::int64_t number = target_port(port, pod);
    if (number == 0) continue;
    Value entry =
        Value::object({{"name", port["name"].as_string()},
                       {"port", number},
                       {"protocol", port["protocol"].is_null() ? Value("TCP") : port["protocol"]}});
    if (!port["appProtocol"].is_null()) entry.set("appProtocol", port["appProtocol"]);
    ports.push_back(entry);
  }
  return ports;
}

// Slices are grouped by this; the order of ports does not matter.
std::string ports_key(const Value& ports) {
  std::vector<std::string> all;
  for (const Value& port : ports.elements()) {
    Value copy = port;
    if (copy["name"].is_null()) copy.set("name", "");
    all.push_back(codec::to_json(copy));
  }
  std::sort(all.begin(), all.end());
  std::string key;
  for (const std::string& one : all) key += one;
  return key;
}

Value endpoint_of(const SliceInput& input, const Value& pod, const std::string& type) {
  const Value& service = input.service;
  Value addresses = Value::array();
  for (const Value& ip : pod["status"]["podIPs"].elements())
    if (is_v6_address(ip["ip"].as_string()) == (type == "IPv6")) addresses.push_back(ip["ip"]);
  const bool serving = model::pod_is_ready(pod), terminating = model::is_deleting(pod);
  const bool ready =
      service["spec"]["publishNotReadyAddresses"].as_bool() || (serving && !terminating);
  Value endpoint = Value::object(
      {{"addresses", addresses},
       {"conditions",
        Value::object({{"ready", ready}, {"serving", serving}, {"terminating", terminating}})},
       {"targetRef", Value::object({{"kind", "Pod"},
                                    {"namespace", model::namespace_of(pod)},
                                    {"name", model::name_of(pod)},
                                    {"uid", model::uid_of(pod)}})}});
  const Value& node_name = pod["spec"]["nodeName"];
  if (!node_name.as_string().empty()) {
    endpoint.set("nodeName", node_name);
    const Value node = input.node(node_name.as_string());
    if (const std::string_view zone = model::label_of(node, "topology.kubernetes.io/zone");
        !zone.empty())
      endpoint.set("zone", zone);
  }
  if (const std::string_view hostname = hostname_under(service, pod); !hostname.empty())
    endpoint.set("hostname", hostname);
  return endpoint;
}

// An endpoint is the same one as long as these agree.
std::string endpoint_key(const Value& endpoint) {
  return codec::to_json(endpoint["addresses"]) + "|" + endpoint["hostname"].str() + "|" +
         endpoint["targetRef"]["kind"].str() + "/" + endpoint["targetRef"]["namespace"].str() +
         "/" + endpoint["targetRef"]["name"].str() + "/" + endpoint["targetRef"]["uid"].str();
}
Value without_hints(Value endpoint) {
  endpoint.erase("hints");
  return endpoint;
}

Value labels_for(const Value& service) {
  Value labels = Value::object();
  for (const codec::Member& m : model::labels_of(service).members())
    if (!is_reserved(m.key())) labels.set(m.key(), m.value);
  if (is_headless(service)) labels.set(kHeadlessLabel, "");
  labels.set(kServiceNameLabel, model::name_of(service));
  labels.set(kManagedByLabel, kSliceManager);
  return labels;
}
bool labels_differ(const Value& slice, const Value& wanted) {
  Value own = Value::object(), want = Value::object();
  for (const codec::Member& m : model::labels_of(slice).members())
    if (!is_reserved(m.key())) own.set(m.key(), m.value);
  for (const codec::Member& m : wanted.members())
    if (!is_reserved(m.key())) want.set(m.key(), m.value);
  return !(own == want);
}

Value new_slice(const Value& service, const std::string& type, const Value& ports) {
  Value slice = Value::object({{"apiVersion", "discovery.k8s.io/v1"}, {"kind", "EndpointSlice"}});
  slice.set(
      "metadata",
      Value::object({{"namespace", model::namespace_of(service)},
                     {"generateName", std::string(model::name_of(service)) + "-"},
                     {"labels", labels_for(service)},
                     {"ownerReferences", Value::array({model::controller_reference(service)})}}));
  slice.set("addressType", type);
  slice.set("ports", ports);
  slice.set("endpoints", Value::array());
  return slice;
}

bool is_owned(const Value& slice, const Value& service) {
  for (const Value& owner : slice["metadata"]["ownerReferences"].elements())
    if (owner["uid"].as_string() == model::uid_of(service) &&
        owner["kind"].as_string() == "Service")
      return true;
  return false;
}

// The endpoints of one set of ports against the slices that have these ports.
void change_group(const SliceInput& input, const std::string& type, const Value& ports,
                  std::map<std::string, Value> wanted, const std::vector<Value>& existing,
                  SliceChanges& changes) {
  const Value labels = labels_for(input.service);
  std::vector<Value> updates, unchanged;
  for (const Value& slice : existing) {
    Value kept = Value::array();
    bool changed = false;
    for (const Value& endpoint : slice["endpoints"].elements()) {
      const auto found = wanted.find(endpoint_key(endpoint));
      if (found == wanted.end()) continue;
      // Hints are settled after the endpoints; an endpoint that is otherwise equal keeps its own.
      const bool equal = without_hints(endpoint) == found->second;
      kept.push_back(equal ? endpoint : found->second);
      changed = changed || !equal;
      wanted.erase(found);
    }
    if (changed || kept.size() != slice["endpoints"].size() || labels_differ(slice, labels)) {
      if (kept.empty() && slice["endpoints"].size() > 0) {
        changes.deletes.push_back(slice);
        continue;
      }
      Value copy = slice;
      copy.set("endpoints", kept);
      copy.edit("metadata").set("labels", labels);
      updates.push_back(copy);
    } else {
      unchanged.push_back(slice);
    }
  }
  const auto fill = [&](Value& slice) {
    Value endpoints = slice["endpoints"];
    while (!wanted.empty() && endpoints.size() < input.options.endpoints_max) {
      endpoints.push_back(wanted.begin()->second);
      wanted.erase(wanted.begin());
    }
    slice.set("endpoints", endpoints);
  };
  std::stable_sort(updates.begin(), updates.end(), [](const Value& a, const Value& b) {
    return a["endpoints"].size() > b["endpoints"].size();
  });
  for (Value& slice : updates) fill(slice);
  while (!wanted.empty()) {
    // An unchanged slice that they all fit into, the one with the least room to spare.
    std::size_t best = unchanged.size(), room_best = input.options.endpoints_max;
    if (wanted.size() < input.options.endpoints_max)
      for (std::size_t i = 0; i < unchanged.size(); ++i) {
        const std::size_t total = unchanged[i]["endpoints"].size() + wanted.size();
        if (total <= input.options.endpoints_max &&
            input.options.endpoints_max - total < room_best) {
          best = i;
          room_best = input.options.endpoints_max - total;
        }
      }
    if (best < unchanged.size()) {
      fill(unchanged[best]);
      updates.push_back(unchanged[best]);
      unchanged.erase(unchanged.begin() + static_cast<std::ptrdiff_t>(best));
    } else {
      Value slice = new_slice(input.service, type, ports);
      fill(slice);
      changes.creates.push_back(slice);
    }
  }
  changes.updates.insert(changes.updates.end(), updates.begin(), updates.end());
}

bool belongs_into_slices(const Value& pod) {
  return !model::pod_is_finished(pod) && !pod["status"]["podIPs"].empty();
}

// Hints are given when all else is settled; they may change slices that were to stay as they are.
void set_hints(const SliceInput& input, const std::string& type, const std::vector<Value>& existing,
               SliceChanges& changes) {
  const std::string service = std::string(model::namespace_of(input.service)) + "/" +
                              std::string(model::name_of(input.service));
  HintedSlices slices{.creates = std::move(changes.creates),
                      .updates = std::move(changes.updates),
                      .unchanged = {}};
  for (const Value& slice : existing) {
    const auto is_it = [&](const Value& other) {
      return model::name_of(other) == model::name_of(slice);
    };
    if (std::none_of(slices.updates.begin(), slices.updates.end(), is_it) &&
        std::none_of(changes.deletes.begin(), changes.deletes.end(), is_it))
      slices.unchanged.push_back(slice);
  }
  if (wants_topology_hints(input.service)) {
    input.topology.add(service, type, slices);
  } else {
    if (input.topology.has_hints(service))
      slices.events.push_back({true, "TopologyAwareHintsDisabled",
                               "Topology Aware Hints has been disabled, addressType: " + type});
    input.topology.forget(service, type);
    if (const auto distribution = traffic_distribution(input.service); distribution.empty())
      remove_hints(slices);
    else
      add_traffic_hints(distribution, slices);
  }
  changes.creates = std::move(slices.creates);
  changes.updates = std::move(slices.updates);
  changes.events = std::move(slices.events);
}

void change_type(const SliceInput& input, const std::string& type,
                 const std::vector<Value>& existing, SliceChanges& all) {
  struct Group {
    Value ports;
    std::map<std::string, Value> wanted;
    std::vector<Value> slices;
    bool desired = false;
  };
  std::map<std::string, Group> groups;
  SliceChanges changes;
  for (const Value& slice : existing) {
    if (is_owned(slice, input.service))
      groups[ports_key(slice["ports"])].slices.push_back(slice);
    else
      changes.deletes.push_back(slice);
  }
  for (const Value& pod : input.pods) {
    if (!belongs_into_slices(pod)) continue;
    const Value ports = ports_of(input.service, pod);
    Group& group = groups[ports_key(ports)];
    group.ports = ports;
    group.desired = true;
    const std::string_view node = pod["spec"]["nodeName"].as_string();
    if (input.node(node).is_null() &&
        !input.service["spec"]["publishNotReadyAddresses"].as_bool()) {
      all.errors.push_back("skipping Pod " + std::string(model::name_of(pod)) + " for Service " +
                           std::string(model::namespace_of(input.service)) + "/" +
                           std::string(model::name_of(input.service)) + ": Node " +
                           std::string(node) + " Not Found");
      continue;
    }
    const Value endpoint = endpoint_of(input, pod, type);
    if (!endpoint["addresses"].empty()) group.wanted[endpoint_key(endpoint)] = endpoint;
  }
  for (auto& [key, group] : groups) {
    if (group.desired)
      change_group(input, type, group.ports, std::move(group.wanted), group.slices, changes);
    else
      changes.deletes.insert(changes.deletes.end(), group.slices.begin(), group.slices.end());
  }
  // A Service without endpoints has one empty slice.
  if (existing.size() == changes.deletes.size() && changes.creates.empty()) {
    const Value placeholder = new_slice(input.service, type, Value::array());
    const bool is_there =
        changes.deletes.size() == 1 && is_owned(changes.deletes[0], input.service) &&
        changes.deletes[0]["endpoints"].empty() && changes.deletes[0]["ports"].empty() &&
        model::labels_of(changes.deletes[0]) == model::labels_of(placeholder);
    if (is_there)
      changes.deletes.clear();
    else
      changes.creates.push_back(placeholder);
  }
  set_hints(input, type, existing, changes);
  // Rather than delete one and create another, the one becomes the other.
  for (std::size_t i = 0; i < changes.deletes.size() && !changes.creates.empty();) {
    const Value& old = changes.deletes[i];
    if (!is_owned(old, input.service)) {
      ++i;
      continue;
    }
    Value slice = changes.creates.back();
    changes.creates.pop_back();
    Value meta = old["metadata"];
    meta.set("labels", model::labels_of(slice));
    slice.set("metadata", meta);
    changes.updates.push_back(slice);
    changes.deletes.erase(changes.deletes.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (model::is_deleting(input.service)) changes.creates.clear();
  const auto append = [](std::vector<Value>& to, const std::vector<Value>& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(all.creates, changes.creates);
  append(all.updates, changes.updates);
  append(all.deletes, changes.deletes);
  all.events.insert(all.events.end(), changes.events.begin(), changes.events.end());
}

void set_trigger_time(const std::string& time, Value& slice) {
  if (!time.empty())
    slice.edit("metadata").edit("annotations").set(kTriggerTime, time);
  else if (model::annotations_of(slice).has(kTriggerTime))
    slice.edit("metadata").edit("annotations").erase(kTriggerTime);
}

}  // namespace

SliceChanges change_slices(const SliceInput& input) {
  SliceChanges changes;
  const std::vector<std::string> types = address_types(input.service);
  std::map<std::string, std::vector<Value>> by_type;
  for (const Value& slice : input.slices) {
    const std::string type = slice["addressType"].str();
    if (std::find(types.begin(), types.end(), type) == types.end()) {
      changes.deletes.push_back(slice);
      input.topology.forget(std::string(model::namespace_of(input.service)) + "/" +
                                std::string(model::name_of(input.service)),
                            type);
    } else {
      by_type[type].push_back(slice);
    }
  }
  for (const std::string& type : types) change_type(input, type, by_type[type], changes);
  for (auto* list : {&changes.creates, &changes.updates})
    for (Value& slice : *list) set_trigger_time(input.trigger_time, slice);
  return changes;
}

}  // namespace keelson::control
