#include "registry/webhooks/review.h"

#include <algorithm>

#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"
#include "registry/admission/policies.h"
#include "registry/admission/rules.h"
#include "registry/crds/versions.h"
#include "registry/subresources.h"
#include "registry/webhooks/call.h"

namespace keelson::registry::webhooks {

namespace {

constexpr std::string_view kReviewKind = "AdmissionReview";

Value group_version(const model::Resource& resource, const char* what, std::string_view name) {
  return Value::object({{"group", resource.group}, {"version", resource.version}, {what, name}});
}

// The kind of what is sent: of a subresource with a body of its own, that.
Value kind_of(Admission& admission, const model::Resource& resource) {
  const model::Subresource* sub = admission.call().subresource;
  if (sub != nullptr && !sub->kind.empty() && sub->kind != resource.kind)
    return Value::object({{"group", sub->group}, {"version", sub->version}, {"kind", sub->kind}});
  return group_version(resource, "kind", resource.kind);
}

Value user_of(const Identity& identity) {
  Value user = Value::object({{"username", identity.user}});
  if (!identity.uid.empty()) user.set("uid", identity.uid);
  Value groups = Value::array();
  for (const std::string& one : identity.groups) groups.push_back(one);
  if (!groups.empty()) user.set("groups", std::move(groups));
  for (const auto& [key, values] : identity.extra) {
    Value list = Value::array();
    for (const std::string& one : values) list.push_back(one);
    user.edit("extra").set(key, std::move(list));
  }
  return user;
}

Value options_of(const Admission& admission, const Request& request) {
  if (admission.operation() == Admission::Operation::connect) return Value();
  const char* kind = admission.removing()   ? "DeleteOptions"
                     : admission.creating() ? "CreateOptions"
                                            : "UpdateOptions";
  Value out = Value::object({{"kind", kind}, {"apiVersion", "meta.k8s.io/v1"}});
  const Options& options = request.options;
  for (const std::string& one : options.dry_run) out.edit("dryRun").push_back(one);
  if (!admission.removing()) {
    if (!options.field_manager.empty()) out.set("fieldManager", options.field_manager);
    if (!options.field_validation.empty()) out.set("fieldValidation", options.field_validation);
    return out;
  }
  if (options.grace_seconds) out.set("gracePeriodSeconds", *options.grace_seconds);
  if (!options.propagation.empty()) out.set("propagationPolicy", options.propagation);
  if (options.orphan_dependents) out.set("orphanDependents", *options.orphan_dependents);
  Value preconditions = Value::object();
  if (!options.precondition_uid.empty()) preconditions.set("uid", options.precondition_uid);
  if (!options.precondition_revision.empty())
    preconditions.set("resourceVersion", options.precondition_revision);
  if (!preconditions.empty()) out.set("preconditions", std::move(preconditions));
  return out;
}

Result<Value> with_objects(Admission& admission, const model::Resource& version, Value request) {
  TRY(Value object, object_in(admission, version, admission.object()));
  TRY(Value old, object_in(admission, version, admission.old()));
  request.set("object", std::move(object));
  request.set("oldObject", std::move(old));
  return request;
}

// The review version that the hook understands.
std::string review_version(const Hook& hook) {
  for (const Value& one : hook.spec["admissionReviewVersions"].elements())
    if (one.as_string() == "v1" || one.as_string() == "v1beta1")
      return "admission.k8s.io/" + one.str();
  return "";
}

// What makes an answer invalid; empty: nothing.
std::string fault_of(const Value& review, const std::string& uid, bool mutating, bool strict) {
  const Value& response = review["response"];
  if (response.is_null()) return "webhook response was absent";
  if (!strict) return "";
  if (response["uid"].as_string() != uid)
    return "expected response.uid=" + quote(uid) + ", got " + quote(response["uid"].as_string());
  const bool patch = !response["patch"].as_string().empty();
  const Value* type = response.find("patchType");
  if (!mutating) {
    if (patch) return "validating webhook may not return response.patch";
    if (type != nullptr && !type->is_null())
      return "validating webhook may not return response.patchType";
    return "";
  }
  if (patch && type == nullptr) return "webhook returned response.patch but not response.patchType";
  if (!patch && type != nullptr)
    return "webhook returned response.patchType but not response.patch";
  if (type != nullptr && type->as_string().empty())
    return "webhook returned invalid response.patchType of \"\"";
  return "";
}

}  // namespace

std::vector<Hook> hooks_of(Registry::State& state, std::string_view configurations) {
  std::vector<Hook> out;
  for (const store::EntryPtr& entry : state.entries(configurations)) {
    const Value configuration = entry->value();
    for (const Value& one : configuration["webhooks"].elements())
      out.push_back({std::string(model::name_of(configuration)), one});
  }
  return out;
}

bool is_exempt(const Admission& admission) {
  constexpr std::string_view group = ".admissionregistration.k8s.io";
  return admission.resource().ends_with(group);
}

Result<std::optional<model::ResourcePointer>> interest_of(Admission& admission, const Hook& hook) {
  using Interest = std::optional<model::ResourcePointer>;
  const auto in_namespace = namespace_fits(admission, hook.spec["namespaceSelector"]);
  if (in_namespace.ok() && !*in_namespace) return Interest();
  const auto of_object = object_fits(admission, hook.spec["objectSelector"]);
  if (of_object.ok() && !*of_object) return Interest();
  const model::ResourcePointer version =
      named_version(admission, hook.spec["rules"],
                    hook.spec["matchPolicy"].as_string("Equivalent") == "Equivalent");
  if (!version) return Interest();
  if (!in_namespace.ok()) return in_namespace.error();
  if (!of_object.ok()) return of_object.error();
  const Interest found = version;
  if (hook.spec["matchConditions"].empty()) return found;
  TRY(const Value object, object_in(admission, **found, admission.object()));
  TRY(const Value old, object_in(admission, **found, admission.old()));
  const auto holds =
      match_conditions_hold(admission, hook.spec["matchConditions"], **found, object, old);
  if (!holds.ok() && !hook.ignores_failure())
    return forbidden(admission.call().group_resource(), admission.name(), holds.error().message);
  return holds.ok() && *holds ? found : Interest();
}

Result<Value> object_in(Admission& admission, const model::Resource& version, const Value& object) {
  if (object.is_null()) return object;
  Call& call = admission.call();
  if (call.request.subresource == "scale") return scale_view(call, object);
  if (kind_of_body(call)) return object;
  if (call.storage->custom) return crds::convert(admission.state(), *call.storage, version, object);
  return admission.state().converted(*call.storage, version, object);
}

Value request_of(Admission& admission, const model::Resource& version) {
  Call& call = admission.call();
  const model::Resource& asked = *call.resource;
  Value out = Value::object({{"kind", kind_of(admission, version)},
                             {"resource", group_version(version, "resource", version.plural)},
                             {"requestKind", kind_of(admission, asked)},
                             {"requestResource", group_version(asked, "resource", asked.plural)},
                             {"operation", operation_name(admission)},
                             {"userInfo", user_of(admission.identity())},
                             {"dryRun", call.request.dry()},
                             {"options", options_of(admission, call.request)}});
  if (!admission.subresource().empty()) {
    out.set("subResource", admission.subresource());
    out.set("requestSubResource", admission.subresource());
  }
  if (call.request.verb != Verb::remove_collection)
    if (const std::string name = admission.name(); !name.empty()) out.set("name", name);
  if (const std::string ns = namespace_of(admission); !ns.empty()) out.set("namespace", ns);
  return out;
}

Opinion opinion_of(Admission& admission, const Hook& hook, const model::Resource& version,
                   bool mutating) {
  Opinion out;
  const auto fail = [&](std::string why) {
    out.kind = Opinion::Kind::failed;
    out.why = std::move(why);
    return out;
  };
  const std::string_view effects = hook.spec["sideEffects"].as_string();
  if (admission.call().request.dry() && effects != "None" && effects != "NoneOnDryRun") {
    out.kind = Opinion::Kind::refused;
    return out;
  }
  const std::string api = review_version(hook);
  if (api.empty())
    return fail(
        "could not create admission objects: webhook does not accept known AdmissionReview "
        "versions (v1, v1beta1)");
  const auto request = with_objects(admission, version, request_of(admission, version));
  if (!request.ok()) return admission.state().is_waiting() ? out : fail(request.error().message);
  Registry::State& state = admission.state();
  const std::string question =
      hook.id() + '\n' + codec::to_json(hook.spec["clientConfig"]) + codec::to_json(*request);
  if (state.exchange == nullptr) return fail("failed to call webhook: not possible from here");
  const Exchange::Answer* answer = state.exchange->ask(question, [&](const std::string& uid) {
    Value asked = *request;
    asked.set("uid", uid);
    const Value review =
        Value::object({{"kind", kReviewKind}, {"apiVersion", api}, {"request", std::move(asked)}});
    return call_of(state, hook.spec["clientConfig"],
                   Duration::seconds(hook.spec["timeoutSeconds"].as_int(10)),
                   codec::to_json(review));
  });
  if (answer == nullptr) return out;
  const auto review = review_of(answer->reply, kReviewKind, api);
  if (!review.ok()) return fail("failed to call webhook: " + review.error().message);
  const std::string fault = fault_of(*review, answer->uid, mutating, api == "admission.k8s.io/v1");
  if (!fault.empty()) return fail("received invalid webhook response: " + fault);
  out.kind = Opinion::Kind::answered;
  out.response = (*review)["response"];
  return out;
}

Error failure(const Hook& hook, const std::string& why) {
  return internal_error("failed calling webhook " + quote(hook.name()) + ": " + why);
}

Error no_dry_run(const Hook& hook) {
  return bad_request("admission webhook " + quote(hook.name()) + " does not support dry run");
}

Error rejection(const Hook& hook, const Value& response) {
  const Value& status = response["status"];
  const std::string by = "admission webhook " + quote(hook.name()) + " denied the request";
  Error error{Reason::unknown, ""};
  error.reason = reason_named(status["reason"].as_string());
  error.code = static_cast<int>(std::max<std::int64_t>(400, status["code"].as_int()));
  if (!status["message"].as_string().empty())
    error.message = by + ": " + status["message"].str();
  else if (!status["reason"].as_string().empty())
    error.message = by + ": " + status["reason"].str();
  else
    error.message = by + " without explanation";
  const Value& details = status["details"];
  error.details = !details.is_null();
  error.name = details["name"].str();
  error.group = details["group"].str();
  error.kind = details["kind"].str();
  error.uid = details["uid"].str();
  error.retry_after_seconds = details["retryAfterSeconds"].as_int();
  for (const Value& cause : details["causes"].elements())
    error.causes.push_back({cause["reason"].str(), cause["field"].str(), cause["message"].str()});
  return error;
}

}  // namespace keelson::registry::webhooks
