// Claims are found and checked as Kubernetes' plugins/dynamicresources does. A resource request
// that a device class stands for is treated as one more claim.
#include "sched/plugins/dynamic_resources.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "model/meta.h"
#include "sched/node_selector.h"
#include "sched/plugins/device_allocator.h"

namespace keelson::sched {
namespace {

constexpr std::string_view kImplicitPrefix = "deviceclass.resource.kubernetes.io/";

// Weight of the first alternative of a request; each further one weighs one less.
constexpr std::int64_t kAlternativesMax = 8;

struct Extended {
  std::string resource, device_class;
  std::int64_t count = 0;
};

struct Claims : State {
  std::vector<Value> claims;
  std::vector<Extended> extended;
  std::unique_ptr<DeviceAllocator> allocator;
  // The scores of nodes where all could be allocated.
  mutable std::map<std::string, std::int64_t> scores;
  bool any() const { return !claims.empty() || !extended.empty(); }
};

// The claim's name; empty while a template's claim has not been made, "-" if none is needed.
std::string claim_name_of(const PodInfo& pod, const Value& reference) {
  if (!reference["resourceClaimName"].is_null()) return reference["resourceClaimName"].str();
  for (const Value& status : pod.pod["status"]["resourceClaimStatuses"].elements())
    if (status["name"] == reference["name"])
      return status["resourceClaimName"].is_null() ? "-" : status["resourceClaimName"].str();
  return {};
}

// All claims of the pod, and the plain requests that devices may serve.
Status find_claims(const Cycle& cycle, Claims& out) {
  for (const Value& reference : cycle.pod.spec()["resourceClaims"].elements()) {
    const std::string name = claim_name_of(cycle.pod, reference);
    if (name == "-") continue;
    if (name.empty())
      return Status::unresolvable("pod " + quote(cycle.pod.key()) +
                                  ": ResourceClaim not created yet");
    Value claim = cycle.view.get("resourceclaims.resource.k8s.io", cycle.pod.namespace_, name);
    if (claim.is_null())
      return Status::unresolvable("could not find ResourceClaim " +
                                  quote(cycle.pod.namespace_ + "/" + name));
    if (model::is_deleting(claim))
      return Status::unresolvable("resourceclaim " + quote(name) + " is being deleted");
    out.claims.push_back(std::move(claim));
  }
  for (const auto& [name, amount] : cycle.pod.requested.scalars) {
    if (amount <= 0) continue;
    const Value device_class = device_class_of(cycle.view, name);
    if (!device_class.is_null())
      out.extended.push_back({name, std::string(model::name_of(device_class)), amount});
  }
  return {};
}

Status check_class(const cluster::View& view, const Value& name, const std::string& request) {
  if (name.as_string().empty())
    return Status::error("request " + request + ": unsupported request type");
  if (!view.get("deviceclasses.resource.k8s.io", {}, name.as_string()).is_null()) return {};
  return Status::unresolvable("request " + request + ": device class " + name.str() +
                              " does not exist");
}

Status check_classes(const cluster::View& view, const Value& claim) {
  for (const Value& request : claim["spec"]["devices"]["requests"].elements()) {
    const std::string name = request["name"].str();
    if (request["exactly"].is_object()) {
      if (Status s = check_class(view, request["exactly"]["deviceClassName"], name); !s.ok())
        return s;
      continue;
    }
    for (const Value& alternative : request["firstAvailable"].elements())
      if (Status s = check_class(view, alternative["deviceClassName"],
                                 name + "/" + alternative["name"].str());
          !s.ok())
        return s;
  }
  return {};
}

// The claims that need devices on this node; a plain request is one unless the node offers the
// resource itself.
std::vector<Value> open_claims(const Claims& claims, const NodeInfo& node) {
  std::vector<Value> open;
  for (const Value& claim : claims.claims)
    if (!claim["status"]["allocation"].is_object()) open.push_back(claim);
  Value requests = Value::array();
  for (const Extended& extended : claims.extended) {
    if (node.allocatable().scalar(extended.resource) > 0) continue;
    Value request = Value::object({{"name", "request-" + std::to_string(requests.size())}});
    request.set("exactly", Value::object({{"deviceClassName", extended.device_class},
                                          {"count", extended.count}}));
    requests.push_back(std::move(request));
  }
  if (requests.empty()) return open;
  Value claim = Value::object();
  claim.edit("metadata").set("name", "<extended-resources>");
  claim.edit("spec").edit("devices").set("requests", std::move(requests));
  open.push_back(std::move(claim));
  return open;
}

// Earlier alternatives are worth more.
std::int64_t score_of(const Value& claim, const Value& allocation) {
  std::int64_t score = 0;
  const auto& results = allocation["devices"]["results"].elements();
  for (const Value& request : claim["spec"]["devices"]["requests"].elements()) {
    std::int64_t weight = kAlternativesMax;
    for (const Value& alternative : request["firstAvailable"].elements()) {
      const std::string name = request["name"].str() + "/" + alternative["name"].str();
      if (std::any_of(results.begin(), results.end(),
                      [&](const Value& result) { return result["request"].as_string() == name; }))
        score += weight;
      --weight;
    }
  }
  return score;
}

}  // namespace

Value device_class_of(const cluster::View& view, std::string_view resource) {
  if (resource.starts_with(kImplicitPrefix))
    return view.get("deviceclasses.resource.k8s.io", {}, resource.substr(kImplicitPrefix.size()));
  for (const Value& device_class : view.list("deviceclasses.resource.k8s.io"))
    if (device_class["spec"]["extendedResourceName"].as_string() == resource) return device_class;
  return {};
}

Status DynamicResources::pre_enqueue(const cluster::View& view, const PodInfo& pod) const {
  for (const Value& reference : pod.spec()["resourceClaims"].elements()) {
    const std::string name = claim_name_of(pod, reference);
    if (name == "-") continue;
    if (name.empty())
      return Status::unresolvable("pod " + quote(pod.key()) + ": ResourceClaim not created yet");
    const Value claim = view.get("resourceclaims.resource.k8s.io", pod.namespace_, name);
    if (claim.is_null())
      return Status::unresolvable("could not find ResourceClaim " +
                                  quote(pod.namespace_ + "/" + name));
    if (model::is_deleting(claim))
      return Status::unresolvable("resourceclaim " + quote(name) + " is being deleted");
  }
  return {};
}

Status DynamicResources::pre_filter(const Cycle& cycle, PreFilter& out) const {
  auto state = std::make_shared<Claims>();
  out.state = state;
  if (Status status = find_claims(cycle, *state); !status.ok()) return status;
  if (!state->any()) return Status::skip();
  for (const Value& claim : state->claims) {
    if (claim["status"]["allocation"].is_object()) continue;
    if (Status status = check_classes(cycle.view, claim); !status.ok()) {
      out.state = std::make_shared<Claims>();  // then post_filter knows of no claims
      return status;
    }
  }
  state->allocator = std::make_unique<DeviceAllocator>(cycle.view);
  return {};
}

Status DynamicResources::filter(const Cycle&, const State* state, const NodeInfo& node) const {
  const auto& claims = *static_cast<const Claims*>(state);
  const std::vector<Value> open = open_claims(claims, node);
  bool available = true;
  for (const Value& claim : claims.claims) {
    const Value& selector = claim["status"]["allocation"]["nodeSelector"];
    if (selector.is_object() && !NodeSelector(selector).matches(node.labels(), node.name()))
      available = false;
  }
  std::vector<Value> allocations;
  if (!open.empty()) {
    auto found = claims.allocator->allocate(node, open);
    if (!found.ok()) return Status::error(found.error().message);
    if (!*found) return Status::unresolvable("cannot allocate all claims");
    allocations = std::move(**found);
  }
  if (!available) return Status::unresolvable("resourceclaim not available on the node");
  std::int64_t score = 0;
  for (std::size_t i = 0; i < open.size(); ++i) score += score_of(open[i], allocations[i]);
  for (const Value& claim : claims.claims)
    if (claim["status"]["allocation"].is_object())
      score += score_of(claim, claim["status"]["allocation"]);
  claims.scores[node.name()] = score;
  return {};
}

std::int64_t DynamicResources::score(const Cycle&, const State* state, const NodeInfo& node) const {
  const auto* claims = static_cast<const Claims*>(state);
  if (!claims) return 0;
  const auto it = claims->scores.find(node.name());
  return it == claims->scores.end() ? 0 : it->second;
}

Status DynamicResources::post_filter(const Cycle&, const State* state) const {
  if (!state) return Status::error("not found");
  return static_cast<const Claims*>(state)->any()
             ? Status::unschedulable("still not schedulable")
             : Status::unschedulable("no new claims to deallocate");
}

Result<std::optional<std::vector<ClaimAllocation>>> allocate_claims(const Cycle& cycle,
                                                                    const NodeInfo& node,
                                                                    bool& extended) {
  Claims claims;
  if (const Status status = find_claims(cycle, claims); !status.ok())
    return Error{.message = status.message()};
  std::vector<ClaimAllocation> result;
  std::vector<Value> open;
  for (const Value& claim : claims.claims) {
    result.push_back({claim, {}});
    if (!claim["status"]["allocation"].is_object()) open.push_back(claim);
  }
  const std::size_t with_extended = open_claims(claims, node).size();
  extended = with_extended > open.size();
  if (open.empty()) return std::optional(std::move(result));
  auto found = DeviceAllocator(cycle.view).allocate(node, open);
  if (!found.ok()) return found.error();
  if (!*found) return std::optional<std::vector<ClaimAllocation>>();
  std::size_t next = 0;
  for (ClaimAllocation& entry : result)
    if (!entry.claim["status"]["allocation"].is_object()) entry.allocation = (**found)[next++];
  return std::optional(std::move(result));
}

bool DynamicResources::may_help(const PodInfo& pod, const Change& change) const {
  if (change.resource == "pods") return change.after["metadata"]["uid"].as_string() == pod.uid;
  return change.resource == "nodes" || change.resource.ends_with(".resource.k8s.io");
}

}  // namespace keelson::sched
