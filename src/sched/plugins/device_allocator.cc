// Depth-first search with bounded effort.
#include "sched/plugins/device_allocator.h"

#include <algorithm>
#include <map>

#include "model/cel/device_expressions.h"
#include "model/meta.h"
#include "sched/node_selector.h"
#include "sched/tolerations.h"

namespace keelson::sched {
namespace {

constexpr std::int64_t kStepsMax = 200'000;

std::string key_of(const Value& object) {
  return std::string(model::namespace_of(object)) + "/" + std::string(model::name_of(object));
}

bool serves(const Value& where, const NodeInfo& node, bool& all, Value& selector) {
  all = where["allNodes"].as_bool();
  selector = where["nodeSelector"];
  if (all || where["nodeName"].as_string() == node.name()) return true;
  return selector.is_object() && NodeSelector(selector).matches(node.labels(), node.name());
}

// A plain name belongs to the driver's domain.
Value attribute_of(const Value& device, std::string_view driver, std::string_view name) {
  const Value& attributes = device["attributes"];
  if (const Value* found = attributes.find(name)) return *found;
  const auto slash = name.find('/');
  if (slash != std::string_view::npos && name.substr(0, slash) == driver)
    return attributes[name.substr(slash + 1)];
  return {};
}

bool tainted(const Value& device, const Value& tolerations) {
  std::vector<Taint> taints;
  for (const Value& taint : device["taints"].elements())
    taints.push_back({taint["key"].str(), taint["value"].str(), taint["effect"].str()});
  return untolerated_taint(taints, tolerations) != nullptr;
}

}  // namespace

// The search for one node. A slot is one device of one request of one claim.
struct DeviceAllocator::Search {
  struct Chosen {
    std::size_t claim;
    std::string request;  // "request" or "request/alternative"
    std::size_t device;
    bool admin;
  };
  const cluster::View& view;
  const std::vector<Device>& devices;
  const std::vector<Value>& claims;
  std::set<DeviceId> taken;
  std::vector<Chosen> chosen = {};
  std::string error = {};
  std::int64_t steps = 0;

  bool fails(std::string text) {
    error = std::move(text);
    return false;
  }

  bool selected(const Value& selectors, const Device& device, const std::string& owner) {
    std::size_t number = 0;
    for (const Value& selector : selectors.elements()) {
      const auto matches = model::device_expression(selector["cel"]["expression"].as_string())
                               ->matches(std::get<0>(device.id), device.device);
      if (!matches.ok()) {
        const bool compile = matches.error().reason == Reason::bad_request;
        return fails(owner + ": selector #" + std::to_string(number) + ": CEL " +
                     (compile ? "compile" : "runtime") + " error: " + matches.error().message);
      }
      if (!*matches) return false;
      ++number;
    }
    return true;
  }

  // Whether the device may serve the request, apart from being free.
  bool suits(std::size_t claim, const Value& request, const Device& device) {
    const std::string class_name = request["deviceClassName"].str();
    const Value device_class = view.get("deviceclasses.resource.k8s.io", {}, class_name);
    if (device_class.is_null())
      return fails("claim " + key_of(claims[claim]) + ": could not retrieve device class " +
                   class_name);
    return selected(device_class["spec"]["selectors"], device, "class " + class_name) &&
           selected(request["selectors"], device, "claim " + key_of(claims[claim])) &&
           !tainted(device.device, request["tolerations"]);
  }

  bool constraints_hold(std::size_t claim, const std::string& request, const Device& device) const {
    const std::string main = request.substr(0, request.find('/'));
    for (const Value& constraint : claims[claim]["spec"]["devices"]["constraints"].elements()) {
      const std::string name = constraint["matchAttribute"].str();
      const auto concerns = [&](const std::string& of) {
        const auto& requests = constraint["requests"].elements();
        return requests.empty() ||
               std::any_of(requests.begin(), requests.end(), [&](const Value& r) {
                 return r.as_string() == of || r.as_string() == of.substr(0, of.find('/'));
               });
      };
      if (name.empty() || !concerns(request)) continue;
      const Value own = attribute_of(device.device, std::get<0>(device.id), name);
      if (own.is_null()) return false;
      for (const Chosen& other : chosen) {
        if (other.claim != claim || !concerns(other.request)) continue;
        const Device& theirs = devices[other.device];
        if (!(attribute_of(theirs.device, std::get<0>(theirs.id), name) == own)) return false;
      }
    }
    return true;
  }

  bool next_request(std::size_t claim, std::size_t request) {
    if (claim == claims.size()) return true;
    const auto& requests = claims[claim]["spec"]["devices"]["requests"].elements();
    if (request == requests.size()) return next_request(claim + 1, 0);
    const Value& wanted = requests[request];
    const auto go_on = [&] { return next_request(claim, request + 1); };
    if (wanted["exactly"].is_object())
      return serve(claim, wanted["exactly"], wanted["name"].str(), go_on);
    for (const Value& alternative : wanted["firstAvailable"].elements()) {
      const std::string name = wanted["name"].str() + "/" + alternative["name"].str();
      if (serve(claim, alternative, name, go_on)) return true;
      if (!error.empty()) return false;
    }
    return false;
  }

  template <typename GoOn>
  bool serve(std::size_t claim, const Value& request, const std::string& name, const GoOn& go_on) {
    if (request["allocationMode"].as_string() == "All")
      return serve_all(claim, request, name, go_on);
    return serve_some(claim, request, name, request["count"].as_int(1), 0, go_on);
  }

  bool take(std::size_t claim, const Value& request, const std::string& name, std::size_t index) {
    const bool admin = request["adminAccess"].as_bool();
    if (!admin && taken.contains(devices[index].id)) return false;
    if (!suits(claim, request, devices[index]) || !constraints_hold(claim, name, devices[index]))
      return false;
    if (!admin) taken.insert(devices[index].id);
    chosen.push_back({claim, name, index, admin});
    return true;
  }
  void give_back() {
    if (!chosen.back().admin) taken.erase(devices[chosen.back().device].id);
    chosen.pop_back();
  }

  template <typename GoOn>
  bool serve_some(std::size_t claim, const Value& request, const std::string& name,
                  std::int64_t count, std::size_t from, const GoOn& go_on) {
    if (count == 0) return go_on();
    for (std::size_t i = from; i < devices.size(); ++i) {
      if (++steps > kStepsMax || !error.empty()) return false;
      if (!take(claim, request, name, i)) continue;
      if (serve_some(claim, request, name, count - 1, i + 1, go_on)) return true;
      give_back();
    }
    return false;
  }

  template <typename GoOn>
  bool serve_all(std::size_t claim, const Value& request, const std::string& name,
                 const GoOn& go_on) {
    const std::size_t before = chosen.size();
    bool complete = true;
    for (std::size_t i = 0; i < devices.size() && complete && error.empty(); ++i)
      if (suits(claim, request, devices[i])) complete = take(claim, request, name, i);
    if (complete && error.empty() && chosen.size() > before && go_on()) return true;
    while (chosen.size() > before) give_back();
    return false;
  }
};

DeviceAllocator::DeviceAllocator(const cluster::View& view) : view_(view) {
  using PoolKey = std::pair<std::string, std::string>;
  struct Pool {
    std::int64_t generation = -1, wanted = 0;
    std::vector<Value> slices = {};
  };
  std::map<PoolKey, Pool> pools;
  for (const Value& slice : view.list("resourceslices.resource.k8s.io")) {
    const Value& spec = slice["spec"];
    Pool& pool = pools[{spec["driver"].str(), spec["pool"]["name"].str()}];
    const std::int64_t generation = spec["pool"]["generation"].as_int();
    if (generation < pool.generation) continue;
    if (generation > pool.generation) pool = {generation, 0, {}};
    pool.wanted = spec["pool"]["resourceSliceCount"].as_int();
    pool.slices.push_back(slice);
  }
  // A pool that is being published is not used until all of it is there.
  for (auto& [key, pool] : pools)
    if (static_cast<std::int64_t>(pool.slices.size()) == pool.wanted)
      slices_.insert(slices_.end(), pool.slices.begin(), pool.slices.end());
  for (const Value& claim : view.list("resourceclaims.resource.k8s.io"))
    for (const Value& result : claim["status"]["allocation"]["devices"]["results"].elements())
      if (!result["adminAccess"].as_bool())
        allocated_.insert({result["driver"].str(), result["pool"].str(), result["device"].str()});
}

std::vector<DeviceAllocator::Device> DeviceAllocator::devices_near(const NodeInfo& node) const {
  std::vector<Device> devices;
  for (const Value& slice : slices_) {
    const Value& spec = slice["spec"];
    const bool each = spec["perDeviceNodeSelection"].as_bool();
    bool all = false;
    Value selector;
    if (!each && !serves(spec, node, all, selector)) continue;
    for (const Value& device : spec["devices"].elements()) {
      if (each && !serves(device, node, all, selector)) continue;
      devices.push_back({{spec["driver"].str(), spec["pool"]["name"].str(), device["name"].str()},
                         device,
                         selector,
                         all});
    }
  }
  return devices;
}

Result<std::optional<std::vector<Value>>> DeviceAllocator::allocate(
    const NodeInfo& node, const std::vector<Value>& claims) const {
  const std::vector<Device> devices = devices_near(node);
  Search search{view_, devices, claims, allocated_};
  const bool found = search.next_request(0, 0);
  if (!search.error.empty()) return Error{.message = search.error};
  if (!found) return std::optional<std::vector<Value>>();
  std::vector<Value> allocations(claims.size(), Value::object());
  std::vector<bool> local(claims.size(), false);
  for (const auto& chosen : search.chosen) {
    const Device& device = devices[chosen.device];
    const auto& [driver, pool, name] = device.id;
    Value result = Value::object(
        {{"request", chosen.request}, {"driver", driver}, {"pool", pool}, {"device", name}});
    if (chosen.admin) result.set("adminAccess", true);
    allocations[chosen.claim].edit("devices").edit("results").push_back(std::move(result));
    if (device.node_selector.is_object())
      allocations[chosen.claim].set("nodeSelector", device.node_selector);
    else if (!device.all_nodes)
      local[chosen.claim] = true;
  }
  for (std::size_t i = 0; i < claims.size(); ++i) {
    if (!local[i]) continue;
    const Value field = Value::object(
        {{"key", "metadata.name"}, {"operator", "In"}, {"values", Value::array({node.name()})}});
    allocations[i].set(
        "nodeSelector",
        Value::object({{"nodeSelectorTerms",
                        Value::array({Value::object({{"matchFields", Value::array({field})}})})}}));
  }
  return std::optional(std::move(allocations));
}

}  // namespace keelson::sched
