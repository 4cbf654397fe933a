// ValidatingAdmissionPolicy: policies with their bindings refuse requests, warn, or are only noted.
#include <algorithm>
#include <map>

#include "base/text.h"
#include "codec/json.h"
#include "registry/admission/policies.h"

namespace keelson::registry::admission {

namespace {

using codec::cel::Datum;

constexpr std::size_t kMessageBytesMax = 5 * 1024;

struct Denial {
  std::string message, reason;
  std::size_t index = 0;  // of the validation
};

// The values of a policy's audit annotations, of all its bindings together.
class AuditValues {
 public:
  void add(const std::string& key, std::string_view value) {
    constexpr std::size_t kValueBytesMax = 10 * 1024;
    std::vector<std::string>& all = values_[key];
    std::string text(value.substr(0, kValueBytesMax));
    if (std::find(all.begin(), all.end(), text) == all.end()) all.push_back(std::move(text));
  }
  void publish(const Admission& admission, const std::string& policy) const {
    for (const auto& [key, all] : values_) admission.annotate(policy + "/" + key, join(all, ", "));
  }

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

void note_failure(const Admission& admission, const CompiledPolicy& policy, const Value& binding,
                  const Denial& denial) {
  const Value failure =
      Value::object({{"message", denial.message},
                     {"policy", policy.name},
                     {"binding", binding["metadata"]["name"]},
                     {"expressionIndex", static_cast<std::int64_t>(denial.index)},
                     {"validationActions", binding["spec"]["validationActions"]}});
  admission.annotate("validation.policy.admission.k8s.io/validation_failure",
                     codec::to_json(Value::array({failure})));
}

Error denied(Admission& admission, const std::string& message, std::string_view reason) {
  Error error =
      forbidden(admission.call().group_resource(), policy_object_name(admission), message);
  error.reason = reason == "Forbidden"               ? Reason::forbidden
                 : reason == "Unauthorized"          ? Reason::unauthorized
                 : reason == "RequestEntityTooLarge" ? Reason::request_entity_too_large
                                                     : Reason::invalid;
  error.causes = {Cause{"", "", message}};
  return error;
}

// The message of a validation that does not hold.
std::string message_of(PolicyRun& run, const CompiledPolicy& policy, std::size_t index) {
  const Value& validation = policy.spec["validations"][index];
  if (policy.messages[index].compiled.program) {
    const Datum result = run.evaluate(policy.messages[index]);
    if (result.is_string()) {
      const std::string_view text = trim(result.text());
      if (!text.empty() && text.size() <= kMessageBytesMax &&
          text.find('\n') == std::string_view::npos)
        return std::string(text);
    }
  }
  const std::string_view message = trim(validation["message"].as_string());
  if (!message.empty()) return std::string(message);
  return "failed expression: " + std::string(trim(validation["expression"].as_string()));
}

std::string fault_of(const CompiledPolicy::Named& expression, const Datum& error) {
  return "expression '" + expression.text + "' resulted in error: " + std::string(error.text());
}

std::vector<Denial> denials_of(PolicyRun& run, const CompiledPolicy& policy) {
  std::vector<Denial> denials;
  const bool strict = !policy.ignores_failure();
  run.begin();
  std::vector<Datum> results;
  for (const auto& check : policy.checks) {
    results.push_back(run.evaluate(check));
    if (run.is_out_of_budget())
      return strict ? std::vector<Denial>{{kOutOfBudget, "", results.size() - 1}} : denials;
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].is_true()) continue;
    if (results[i].is_error()) {
      if (strict) denials.push_back({fault_of(policy.checks[i], results[i]), "", i});
      continue;
    }
    Denial denial{message_of(run, policy, i), policy.spec["validations"][i]["reason"].str(), i};
    if (!run.is_out_of_budget())
      denials.push_back(std::move(denial));
    else if (strict)
      denials.push_back({"failed messageExpression: " + std::string(kOutOfBudget), "", i});
  }
  return denials;
}

// Gathers the annotations for the audit. What went wrong counts where a failure does.
std::vector<std::string> annotation_faults(PolicyRun& run, const CompiledPolicy& policy,
                                           AuditValues& values) {
  std::vector<std::string> faults;
  const bool strict = !policy.ignores_failure();
  run.begin();
  for (std::size_t i = 0; i < policy.annotations.size(); ++i) {
    const auto& annotation = policy.annotations[i];
    const Datum result = run.evaluate(annotation);
    if (run.is_out_of_budget())
      return strict ? std::vector<std::string>{kOutOfBudget} : std::vector<std::string>{};
    if (result.is_error()) {
      if (strict) faults.push_back(fault_of(annotation, result));
    } else if (result.is_string()) {
      if (const std::string_view text = trim(result.text()); !text.empty())
        values.add(policy.spec["auditAnnotations"][i]["key"].str(), text);
    } else if (!result.is_null()) {
      faults.push_back("valueExpression '" + annotation.text +
                       "' resulted in unsupported return type: " + std::string(result.type_name()) +
                       ". Return type must be either string or null.");
    }
  }
  return faults;
}

}  // namespace

Result<void> validating_policies(Admission& admission) {
  if (is_exempt_from_policies(admission)) return {};
  std::optional<Error> refusal;
  const auto refuse = [&](const std::string& text, std::string_view reason) {
    if (!refusal) refusal = denied(admission, text, reason);
  };
  for (const PolicyPrograms::Bound& bound : bound_policies(admission.state(), false)) {
    const CompiledPolicy& policy = *bound.policy;
    const std::string head = "ValidatingAdmissionPolicy '" + policy.name + "'";
    const auto match = match_policy(admission, policy.spec["matchConstraints"]);
    if (!match.ok()) {
      if (!policy.ignores_failure())
        refuse(head + " denied request: failed to configure policy: " + match.error().message, "");
      continue;
    }
    if (!match->matches) continue;
    AuditValues values;
    for (const Value& binding : bound.bindings) {
      const std::string name = binding["metadata"]["name"].str();
      const std::string with = " with binding '" + name + "'";
      const auto misconfigured = [&](const std::string& why) {
        if (!policy.ignores_failure())
          refuse(head + with + " denied request: failed to configure binding: " + why, "");
      };
      const auto bound_match = match_policy(admission, binding["spec"]["matchResources"]);
      if (!bound_match.ok()) {
        misconfigured(bound_match.error().message);
        continue;
      }
      if (!bound_match->matches) continue;
      const auto parameters = policy_parameters(admission, policy.spec, binding["spec"]);
      if (!parameters.ok()) {
        misconfigured(parameters.error().message);
        continue;
      }
      TRY(const Value object, in_version(admission, *match->version, admission.object()));
      TRY(const Value old, in_version(admission, *match->version, admission.old()));
      for (const Value& parameter : *parameters) {
        PolicyRun run(admission, policy, *match->version, object, old, parameter);
        const auto holds = run.conditions_hold();
        if (holds.ok() && !*holds) continue;
        const std::vector<Denial> denials =
            holds.ok() ? denials_of(run, policy)
                       : std::vector<Denial>{{holds.error().message, "", 0}};
        for (const Denial& denial : denials) {
          for (const Value& action : binding["spec"]["validationActions"].elements()) {
            if (action.as_string() == "Deny")
              refuse(head + with + " denied request: " + denial.message, denial.reason);
            if (action.as_string() == "Audit") note_failure(admission, policy, binding, denial);
            if (action.as_string() == "Warn")
              admission.call().warn("Validation failed for " + head + with + ": " + denial.message);
          }
        }
        if (!holds.ok()) continue;
        for (const std::string& fault : annotation_faults(run, policy, values))
          refuse(head + with + " denied request: " + fault, "");
      }
    }
    values.publish(admission, policy.name);
  }
  if (refusal) return std::move(*refusal);
  return {};
}

}  // namespace keelson::registry::admission
