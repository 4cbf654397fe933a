// MutatingAdmissionPolicy: policies with their bindings change requests, by configurations that are
// applied or by JSON patches; again where a later policy changed what an earlier one saw
// (reinvocationPolicy). Source: apiserver pkg/admission/plugin/policy/mutating.
#include <algorithm>

#include "base/text.h"
#include "codec/patch.h"
#include "codec/typed.h"
#include "model/scheme.h"
#include "registry/admission/policies.h"
#include "registry/crds/versions.h"
#include "registry/subresources.h"

namespace keelson::registry::admission {

namespace {

using codec::cel::Datum;

Error failure(std::string message) {
  return Error{.reason = Reason::invalid, .message = std::move(message)};
}

// What a configuration says that is owned as a whole: it cannot be merged.
void find_atomics(const Value& value, const codec::Use& use, const std::string& path,
                  std::vector<std::string>& found) {
  if (!use.type || value.is_null()) return;
  const codec::Type& type = *use.type;
  switch (type.shape) {
    case codec::Shape::list:
      if (use.list_type == codec::ListType::atomic) {
        found.push_back(path);
      } else {
        for (const Value& item : value.elements()) find_atomics(item, type.element, path, found);
      }
      return;
    case codec::Shape::map:
    case codec::Shape::structure:
      if (use.atomic) {
        found.push_back(path);
        return;
      }
      for (const codec::Member& member : value.members()) {
        const codec::Field* field = type.field(member.key());
        const std::string inner = path + "." + std::string(member.key());
        if (field)
          find_atomics(member.value, *field, inner, found);
        else if (type.shape == codec::Shape::map)
          find_atomics(member.value, type.element, inner, found);
      }
      return;
    default: return;
  }
}

Result<Value> apply_configuration(const model::Resource& version, const Value& object,
                                  const Datum& result) {
  Value configuration;
  if (!codec::cel::to_json(result, configuration) || !configuration.is_object())
    return failure("unexpected evaluation result type: must be an object");
  for (const char* field : {"apiVersion", "kind"})
    if (configuration.has(field) && !(configuration[field] == object[field]))
      return failure("error applying patch: invalid ApplyConfiguration: " + std::string(field) +
                     " may not be changed");
  configuration.set("apiVersion", object["apiVersion"]);
  configuration.set("kind", object["kind"]);
  codec::Use use;
  use.type = version.type;
  if (const std::string problem =
          codec::typed_problem(configuration, use, codec::ListDuplicates::refuse);
      !problem.empty())
    return failure("error applying patch: failed to convert patch object to typed object: " +
                   problem);
  std::vector<std::string> atomics;
  find_atomics(configuration, use, "", atomics);
  if (!atomics.empty())
    return failure(
        "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or "
        "structs: " +
        join(atomics, ", "));
  return codec::merge_typed(object, configuration, use);
}

Result<Value> apply_json(const Value& object, const Datum& result) {
  Value patch;
  if (!codec::cel::to_json(result, patch)) return failure("unexpected evaluation result type");
  auto patched = codec::apply_json_patch(object, patch);
  if (!patched.ok()) return failure("error applying patch: " + patched.error().message);
  return patched;
}

bool is_scale(const Admission& admission) {
  return admission.subresource() == "scale";
}

// One policy's mutations on an object in `version`, one after the other.
Result<Value> mutated(Admission& admission, const CompiledPolicy& policy,
                      const model::Resource& version, Value object, const Value& old,
                      const Value& parameter) {
  {
    PolicyRun run(admission, policy, version, object, old, parameter);
    TRY(const bool holds, run.conditions_hold());
    if (!holds) return object;
  }
  const std::optional<model::Resource> body = kind_of_body(admission.call());
  const model::Resource& kind = body ? *body : version;
  for (std::size_t i = 0; i < policy.mutations.size(); ++i) {
    PolicyRun run(admission, policy, version, object, old, parameter);
    const Datum result = run.evaluate(policy.mutations[i]);
    if (result.is_error())
      return failure("expression '" + policy.mutations[i].text +
                     "' resulted in error: " + std::string(result.text()));
    const bool json = policy.spec["mutations"][i]["patchType"].as_string() == "JSONPatch";
    TRY(object, json ? apply_json(object, result) : apply_configuration(kind, object, result));
    if (is_scale(admission) || (body && body->type == nullptr)) continue;
    TRY(model::Decoded decoded, model::decode_value(kind, object, model::FieldValidation::ignore));
    model::apply_defaults(kind, decoded.object);
    object = std::move(decoded.object);
  }
  return object;
}

Result<Value> to_worked_version(Admission& admission, const model::Resource& version,
                                const Value& object) {
  const model::Resource& present = *admission.call().storage;
  if (is_scale(admission)) {
    Value scaled = admission.object();
    set_scale_replicas(admission.call(), scaled, object["spec"]["replicas"].as_int());
    return scaled;
  }
  if (version.version == present.version || kind_of_body(admission.call())) return object;
  if (present.custom) return crds::convert(admission.state(), version, present, object);
  return admission.state().converted(version, present, object);
}

// A policy with a binding's parameters on the admission's object. True if it was concerned.
Result<bool> run_policy(Admission& admission, const CompiledPolicy& policy,
                        const PolicyMatch& match, const Value& binding) {
  TRY(const PolicyMatch bound, match_policy(admission, binding["spec"]["matchResources"]));
  if (!bound.matches) return false;
  const auto parameters = policy_parameters(admission, policy.spec, binding["spec"]);
  if (!parameters.ok())
    return failure("failed to configure binding: " + parameters.error().message);
  for (const Value& parameter : *parameters) {
    TRY(Value object, in_version(admission, *match.version, admission.object()));
    TRY(const Value old, in_version(admission, *match.version, admission.old()));
    TRY(Value changed, mutated(admission, policy, *match.version, object, old, parameter));
    if (changed == object) continue;
    TRY(admission.object(), to_worked_version(admission, *match.version, changed));
  }
  return true;
}

Error denied(Admission& admission, const std::string& message) {
  Error error =
      forbidden(admission.call().group_resource(), policy_object_name(admission), message);
  error.message = message;
  error.reason = Reason::invalid;
  error.code = 403;
  error.causes = {Cause{"", "", message}};
  return error;
}

}  // namespace

Result<void> mutating_policies(Admission& admission) {
  if (admission.removing() || is_exempt_from_policies(admission)) return {};
  const auto all = bound_policies(admission.state(), true);
  if (all.empty()) return {};
  Admission::Rounds& rounds = admission.policy_rounds();
  rounds.begin(admission.object());
  for (const PolicyPrograms::Bound& bound : all) {
    const CompiledPolicy& policy = *bound.policy;
    const auto match = match_policy(admission, policy.spec["matchConstraints"]);
    const auto refused = [&](const std::string& with, const std::string& why) {
      return denied(admission, "policy " + with + " denied request: " + why);
    };
    if (!match.ok()) {
      if (policy.ignores_failure()) continue;
      return refused(quote(policy.name), "failed to configure policy: " + match.error().message);
    }
    if (!match->matches) continue;
    for (const Value& binding : bound.bindings) {
      const std::string name = binding["metadata"]["name"].str();
      const std::string id = policy.name + "/" + name;
      if (rounds.skips(id)) continue;
      const Value before = admission.object();
      const auto concerned = run_policy(admission, policy, *match, binding);
      if (!concerned.ok()) {
        if (policy.ignores_failure()) continue;
        return refused("'" + policy.name + "' with binding '" + name + "'",
                       concerned.error().message);
      }
      if (!*concerned) continue;
      if (!(before == admission.object())) rounds.changed();
      if (policy.spec["reinvocationPolicy"].as_string() == "IfNeeded") rounds.asked.insert(id);
    }
  }
  rounds.last = admission.object();
  return {};
}

}  // namespace keelson::registry::admission
