// Binding a pod to a node, evicting it under its disruption budget, and the admission of whatever a
// subresource takes instead of its object.
#include "base/text.h"
#include "model/conditions.h"
#include "model/meta.h"
#include "model/selector.h"
#include "registry/admission/admission.h"
#include "registry/field_owners.h"
#include "registry/subresources.h"

namespace keelson::registry {

Response created_status(Call& call, std::int64_t revision) {
  Response response;
  response.code = 201;
  response.revision = revision;
  response.warnings = std::move(call.warnings);
  response.object = Object(Value::object({{"apiVersion", "v1"},
                                          {"kind", "Status"},
                                          {"metadata", Value::object()},
                                          {"status", "Success"},
                                          {"code", 201}}));
  return response;
}

std::optional<model::Resource> kind_of_body(const Call& call) {
  const model::Subresource* part = call.subresource;
  if (part == nullptr || part->kind.empty() || part->kind == call.resource->kind ||
      part->name == "scale")
    return std::nullopt;
  model::Resource kind;
  kind.group = part->group;
  kind.version = part->version;
  kind.kind = part->kind;
  kind.type = part->type;
  return kind;
}

namespace {

// Admission of what a subresource takes, which is another kind than its object.
Result<void> admit_body(Registry::State& state, Call& call, Admission::Operation operation,
                        Value& body) {
  if (const auto kind = kind_of_body(call)) {
    body.set("apiVersion", kind->group.empty() ? kind->version : kind->group + "/" + kind->version);
    body.set("kind", kind->kind);
  }
  Admission admission(state, call, operation, body, Value());
  TRY_VOID(admission.mutate());
  return admission.validate();
}

// A call about the pod itself, made while answering another about one of its subresources.
Request pod_request(const Call& call, std::string_view name) {
  Request request = call.request;
  request.group.clear();
  request.version = "v1";
  request.resource = "pods";
  request.subresource.clear();
  request.name = name;
  request.form = Form();
  return request;
}

}  // namespace

Result<Response> bind_pod(Registry::State& state, Call& call) {
  TRY_VOID(check_options(call, "CreateOptions"));
  if (!call.request.body.ok()) return call.request.body.error();
  Value binding = call.request.body->value;
  const Value& target = binding["target"];
  const std::string name =
      call.request.resource == "bindings" ? binding["metadata"]["name"].str() : call.request.name;
  if (call.request.resource != "bindings" && binding["metadata"]["name"].as_string() != name)
    return bad_request("name in URL does not match name in Binding object");
  std::vector<std::string> problems;
  const std::string_view kind = target["kind"].as_string();
  if (!kind.empty() && kind != "Node")
    problems.push_back("target.kind: Unsupported value: " + quote(kind) +
                       ": supported values: \"Node\", \"<empty>\"");
  if (target["name"].as_string().empty()) problems.push_back("target.name: Required value");
  if (!problems.empty())
    return unknown(problems.size() == 1 ? problems.front() : "[" + join(problems, ", ") + "]");
  TRY_VOID(admit_body(state, call, Admission::Operation::create, binding));
  const Request request = pod_request(call, name);
  TRY(Call inner, state.open(request));
  const GroupName pods{"", "pods"};
  const store::EntryPtr entry = state.store.get(inner.key());
  if (!entry) return not_found(pods, name);
  const Value& old = entry->value();
  const GroupName what{"", "pods/binding"};
  const std::string uid = binding["metadata"]["uid"].str();
  if (!uid.empty() && uid != model::uid_of(old))
    return conflict(pods, name,
                    "StorageError: invalid object, Code: 4, Key: /registry/pods/" +
                        call.request.namespace_ + "/" + name +
                        ", ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in "
                        "precondition: " +
                        uid + ", UID in object meta: " + std::string(model::uid_of(old)));
  const std::string host = old["spec"]["nodeName"].str();
  if (model::is_deleting(old))
    return conflict(what, name, "pod " + name + " is being deleted, cannot be assigned to a host");
  if (!host.empty())
    return conflict(what, name, "pod " + name + " is already assigned to node " + quote(host));
  if (!old["spec"]["schedulingGates"].empty())
    return conflict(what, name, "pod " + name + " has non-empty .spec.schedulingGates");
  Value pod = old;
  pod.edit("spec").set("nodeName", target["name"]);
  for (const char* map : {"annotations", "labels"})
    for (const codec::Member& one : binding["metadata"][map].members())
      pod.edit("metadata").edit(map).set(one.key(), one.value);
  const Value& node = state.object("nodes", "", target["name"].as_string());
  for (const char* label : {"topology.kubernetes.io/zone", "topology.kubernetes.io/region"})
    if (const std::string_view value = model::label_of(node, label); !value.empty())
      pod.edit("metadata").edit("labels").set(label, value);
  model::put_condition(pod.edit("status"),
                       Value::object({{"type", "PodScheduled"},
                                      {"status", "True"},
                                      {"lastProbeTime", nullptr},
                                      {"lastTransitionTime", to_rfc3339(call.now)}}));
  pod.edit("status").erase("nominatedNodeName");
  TRY(const Written written, state.put(inner, inner.key(), std::move(pod)));
  (void)written;
  return created_status(call, state.store.revision().number);
}

namespace {

Error budget_error(const std::string& why, std::int64_t retry_seconds) {
  Error error{Reason::too_many_requests,
              "Cannot evict pod as it would violate the pod's disruption budget."};
  error.causes.push_back({"DisruptionBudget", "", why});
  error.retry_after_seconds = retry_seconds;
  return error;
}

// Why a budget allows no disruption.
std::string why_exhausted(const Value& budget) {
  const std::string start = "The disruption budget " + std::string(model::name_of(budget));
  const Value& status = budget["status"];
  const Value& condition = model::condition_of(budget, "DisruptionAllowed");
  const std::string message = condition["message"].str(), reason = condition["reason"].str();
  const bool is_told = condition["status"].as_string() == "False" && !message.empty();
  if (is_told && reason == "SyncFailed")
    return start + " does not allow evicting pods currently because it failed sync: " + message;
  const std::int64_t healthy = status["currentHealthy"].as_int();
  const std::int64_t desired = status["desiredHealthy"].as_int();
  if (healthy <= desired)
    return start + " needs " + std::to_string(desired) + " healthy pods and has " +
           std::to_string(healthy) + " currently";
  return start + " does not allow evicting pods currently" +
         (is_told ? " (" + reason + "): " + message : "");
}

// The last disruption was taken: the condition says so before the controller gets to it.
void mark_exhausted(Value& budget, Instant now) {
  Value& status = budget.edit("status");
  model::put_condition(status, Value::object({{"type", "DisruptionAllowed"},
                                              {"status", "False"},
                                              {"reason", "InsufficientPods"},
                                              {"message", ""},
                                              {"observedGeneration", status["observedGeneration"]},
                                              {"lastTransitionTime", to_rfc3339(now)}}));
}

// Takes one disruption from the budget, or refuses.
Result<void> take_disruption(Registry::State& state, Call& call, const Value& budget,
                             std::string_view pod, bool dry) {
  const std::string name(model::name_of(budget));
  const Value& status = budget["status"];
  constexpr std::int64_t kRetrySeconds = 10;
  constexpr std::size_t kDisruptedPodsMax = 2000;
  if (status["observedGeneration"].as_int() < model::generation_of(budget))
    return budget_error(
        "The disruption budget " + name + " is still being processed by the server.",
        kRetrySeconds);
  const GroupName group{"policy", "poddisruptionbudget"};
  const std::int64_t allowed = status["disruptionsAllowed"].as_int();
  if (allowed < 0) return forbidden(group, name, "pdb disruptions allowed is negative");
  if (status["disruptedPods"].size() > kDisruptedPodsMax)
    return forbidden(group, name,
                     "DisruptedPods map too big - too many evictions not confirmed by PDB "
                     "controller");
  if (allowed == 0) return budget_error(why_exhausted(budget), 0);
  if (dry) return {};
  Value changed = budget;
  changed.edit("status").set("disruptionsAllowed", allowed - 1);
  if (allowed == 1) mark_exhausted(changed, call.now);
  changed.edit("status").edit("disruptedPods").set(pod, to_rfc3339(call.now));
  Request request = call.request;
  request.group = "policy";
  request.version = "v1";
  request.resource = "poddisruptionbudgets";
  request.subresource.clear();
  request.name = name;
  TRY(Call inner, state.open(request));
  track_update(state.types, *inner.resource, inner.strategy, budget, changed,
               {"kube-apiserver", "status", inner.now});
  TRY(const Written written, state.put(inner, inner.key(), std::move(changed)));
  (void)written;
  return {};
}

// Whether the pod may go whatever its budget says.
bool ignores_budget(const Value& pod) {
  return model::pod_is_finished(pod) || pod["status"]["phase"].as_string() == "Pending" ||
         model::is_deleting(pod);
}

// Before it goes, an evicted pod says why: whoever counts it (a Job's failure policy) sees the
// condition. Preconditions of the deletion that do not hold are left for the deletion to refuse.
Result<void> mark_evicted(Registry::State& state, const Call& call, const Value& pod,
                          Request& removal) {
  const Value& conditions = removal.body.ok() ? removal.body->value["preconditions"] : Value();
  const std::string_view uid = conditions["uid"].as_string(),
                         revision = conditions["resourceVersion"].as_string();
  if ((!uid.empty() && uid != model::uid_of(pod)) ||
      (!revision.empty() && revision != model::revision_of(pod)))
    return {};
  Value condition = Value::object({{"type", "DisruptionTarget"},
                                   {"status", "True"},
                                   {"reason", "EvictionByEvictionAPI"},
                                   {"message", "Eviction API: evicting"},
                                   {"lastProbeTime", nullptr},
                                   {"lastTransitionTime", to_rfc3339(call.now)}});
  Value marked = pod;
  model::put_condition(marked.edit("status"), std::move(condition));
  const Request request = pod_request(call, model::name_of(pod));
  TRY(Call inner, state.open(request));
  TRY(const Written written, state.put(inner, inner.key(), std::move(marked)));
  if (!revision.empty())
    removal.body->value.edit("preconditions")
        .set("resourceVersion", std::string(model::revision_of(written.value())));
  return {};
}

}  // namespace

Result<Response> evict_pod(Registry::State& state, Call& call) {
  TRY_VOID(check_options(call, "CreateOptions"));
  if (!call.request.body.ok()) return call.request.body.error();
  Value eviction = call.request.body->value;
  const std::string name = call.request.name;
  if (eviction["metadata"]["name"].as_string() != name)
    return bad_request("name in URL does not match name in Eviction object");
  // Before anything is written, which a run that ends to ask webhooks must not have done.
  TRY_VOID(admit_body(state, call, Admission::Operation::create, eviction));
  Request request = pod_request(call, name);
  request.verb = Verb::remove;
  request.body = codec::JsonDocument{eviction["deleteOptions"], {}};
  if (request.dry() && !request.body->value.is_null())
    request.body->value.set("dryRun", Value::array({Value("All")}));
  const store::EntryPtr entry = state.entry("pods", call.request.namespace_, name);
  if (!entry) return not_found({"", "pods"}, name);
  const Value& pod = entry->value();
  if (!ignores_budget(pod)) {
    std::vector<Value> budgets;
    for (const store::EntryPtr& one :
         state.entries("poddisruptionbudgets.policy", call.request.namespace_)) {
      auto selector = model::LabelSelector::of(one->value()["spec"]["selector"]);
      if (selector.ok() && selector->matches(model::labels_of(pod)))
        budgets.push_back(one->value());
    }
    if (budgets.size() > 1)
      return unknown(
          "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
          "support.");
    if (budgets.size() == 1) {
      const Value& budget = budgets.front();
      const Value& status = budget["status"];
      const bool ready = model::pod_is_ready(pod);
      const bool always = budget["spec"]["unhealthyPodEvictionPolicy"].as_string() == "AlwaysAllow";
      const bool enough = status["currentHealthy"].as_int() >= status["desiredHealthy"].as_int() &&
                          status["desiredHealthy"].as_int() > 0;
      if (ready || !(always || enough))
        TRY_VOID(take_disruption(state, call, budget, name, request.dry()));
    }
  }
  if (!request.dry() && eviction["deleteOptions"]["dryRun"].empty())
    TRY_VOID(mark_evicted(state, call, pod, request));
  TRY(Call inner, state.open(request));
  inner.asks_nobody = true;
  auto removed = state.remove(inner);
  if (!removed.ok()) return removed.error();
  return created_status(call, std::max(removed->revision, state.store.revision().number));
}

namespace {

// Kinds that are answered and forgotten.
Result<Response> compute(Registry::State& state, Call& call) {
  if (!state.environment.compute) return internal_error("this server computes no reviews");
  TRY_VOID(check_options(call, "CreateOptions"));
  if (!call.request.body.ok()) return call.request.body.error();
  const model::Resource kind = kind_of_body(call).value_or(*call.resource);
  TRY(Value object, state.decode_as(call, kind, *call.request.body));
  track_update(state.types, kind, call.strategy, Value(), object,
               {call.manager(), call.request.subresource, call.now});
  TRY_VOID(admit_body(state, call, Admission::Operation::create, object));
  TRY(Value answer, state.environment.compute(call.request, object));
  return state.answer(call, Object(std::move(answer)), 201);
}

}  // namespace

Result<Response> admit_connection(Registry::State& state, Call& call) {
  if (!call.request.body.ok()) return call.request.body.error();
  Value options = call.request.body->value;
  if (!options.is_object()) options = Value::object();
  TRY_VOID(admit_body(state, call, Admission::Operation::connect, options));
  Response response;
  response.warnings = std::move(call.warnings);
  response.object = Object(std::move(options));
  return response;
}

std::optional<Result<Response>> Registry::State::special(Call& call) {
  const std::string& part = call.request.subresource;
  if (call.request.resource == "bindings" || part == "binding") return bind_pod(*this, call);
  if (part == "eviction") return evict_pod(*this, call);
  if (part == "scale") return execute_scale(*this, call);
  if (part == "token" || (part.empty() && !call.resource->stored)) return compute(*this, call);
  return std::nullopt;
}

}  // namespace keelson::registry
