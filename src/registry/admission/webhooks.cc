// The plug-ins that ask webhooks: MutatingAdmissionWebhook, one after the other, each seeing what
// the one before it made, and again where later ones changed something (reinvocationPolicy);
// ValidatingAdmissionWebhook, all at once.
#include "base/text.h"
#include "codec/json.h"
#include "codec/patch.h"
#include "model/scheme.h"
#include "registry/admission/admission.h"
#include "registry/crds/versions.h"
#include "registry/subresources.h"
#include "registry/webhooks/review.h"

namespace keelson::registry::admission {

namespace {

using webhooks::Hook;
using webhooks::Opinion;

constexpr std::string_view kMutating = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
constexpr std::string_view kValidating =
    "validatingwebhookconfigurations.admissionregistration.k8s.io";

// What the server does in answer to others asks nobody.
bool is_left_alone(Admission& admission) {
  return webhooks::is_exempt(admission) || admission.call().asks_nobody ||
         admission.identity().user == "system:apiserver";
}

void take_warnings(Admission& admission, const Value& response) {
  for (const Value& one : response["warnings"].elements())
    if (!one.as_string().empty()) admission.call().warn(one.str());
}

void take_annotations(const Admission& admission, const Hook& hook, const Value& response) {
  for (const codec::Member& one : response["auditAnnotations"].members())
    admission.annotate(hook.name() + "/" + std::string(one.key()), one.value.str());
}

// What the audit log learns of each mutating webhook that was asked: whether it changed anything,
// and what; or that its failure was passed over.
class MutationNotes {
 public:
  MutationNotes(const Admission& admission, const Hook& hook, bool again, std::size_t index)
      : admission_(admission),
        hook_(hook),
        place_("round_" + std::string(again ? "1" : "0") + "_index_" + std::to_string(index)) {}
  void asked(bool changed) const {
    const Value note = Value::object(
        {{"configuration", hook_.configuration}, {"webhook", hook_.name()}, {"mutated", changed}});
    admission_.annotate("mutation.webhook.admission.k8s.io/" + place_, codec::to_json(note));
  }
  void patched(const Value& patch) const {
    const Value note = Value::object({{"configuration", hook_.configuration},
                                      {"webhook", hook_.name()},
                                      {"patch", patch},
                                      {"patchType", "JSONPatch"}});
    admission_.annotate("patch.webhook.admission.k8s.io/" + place_, codec::to_json(note));
  }
  void failed_open() const {
    admission_.annotate("failed-open.mutation.webhook.admission.k8s.io/" + place_, hook_.name());
  }

 private:
  const Admission& admission_;
  const Hook& hook_;
  std::string place_;
};

// Why a patch does not apply, in the words of evanphx/json-patch.
std::string problem_of(Value object, const Value& patch) {
  for (const Value& step : patch.elements()) {
    auto next = codec::apply_json_patch(object, Value::array({step}));
    if (next.ok()) {
      object = std::move(*next);
      continue;
    }
    const std::string op = step["op"].str(), path = step["path"].str();
    const std::string key = path.substr(path.rfind('/') + 1);
    if (op == "remove")
      return "error in remove for path: '" + path + "': Unable to remove nonexistent key: " + key +
             ": missing value";
    if (op == "test") return "testing value " + path + " failed: test failed";
    if (op == "move" || op == "copy")
      return op + " operation does not apply: doc is missing from path: " + step["from"].str() +
             ": missing value";
    if (op == "add" || op == "replace")
      return op + " operation does not apply: doc is missing path: " +
             (op == "add" ? quote(path) : path) + ": missing value";
    return "Unexpected kind: " + op;
  }
  return "the patch does not apply";
}

// The object as a patch leaves it, in the admission's version.
Result<Value> patched(Admission& admission, const Hook& hook, const model::Resource& version,
                      const codec::JsonDocument& patch) {
  if (admission.object().is_null())
    return internal_error("admission webhook " + quote(hook.name()) +
                          " attempted to modify the object, which is not supported for this "
                          "operation");
  TRY(const Value before, webhooks::object_in(admission, version, admission.object()));
  auto after = codec::apply_json_patch(before, patch.value);
  if (!after.ok()) return internal_error(problem_of(before, patch.value));
  Call& call = admission.call();
  if (call.request.subresource == "scale") {
    Value object = admission.object();
    set_scale_replicas(call, object, (*after)["spec"]["replicas"].as_int());
    return object;
  }
  const std::optional<model::Resource> body = kind_of_body(call);
  const std::string& kind = body ? body->kind : version.kind;
  if (!version.custom && (*after)["kind"].as_string() != kind)
    return internal_error("no kind " + quote((*after)["kind"].as_string()) +
                          " is registered for version " +
                          quote((*after)["apiVersion"].as_string()) +
                          " in scheme \"pkg/api/legacyscheme/scheme.go:30\"");
  // The options of connections have no schema here; whoever uses them looks at what it knows.
  if (body && body->type == nullptr) return std::move(*after);
  if (body) {
    auto decoded = model::decode_value(*body, *after, model::FieldValidation::ignore);
    if (!decoded.ok()) return internal_error(decoded.error().message);
    model::apply_defaults(*body, decoded->object);
    return std::move(decoded->object);
  }
  auto decoded = model::decode_value(version, *after, model::FieldValidation::ignore);
  if (!decoded.ok()) return internal_error(decoded.error().message);
  model::apply_defaults(version, decoded->object);
  if (call.storage->custom)
    return crds::convert(admission.state(), version, *call.storage, decoded->object);
  return admission.state().converted(version, *call.storage, decoded->object);
}

// Applies what a mutating webhook answered; true if that changed the object.
Result<bool> apply_opinion(Admission& admission, const Hook& hook, const model::Resource& version,
                           const Value& response, const MutationNotes& notes,
                           std::string& problem) {
  const std::string_view encoded = response["patch"].as_string();
  if (encoded.empty()) return false;
  const auto text = from_base64(encoded);
  auto patch = codec::parse_json_document(text.value_or(""));
  if (!patch.ok()) {
    problem = "received undecodable patch in webhook response: " + patch.error().message;
    return false;
  }
  if (patch->value.empty()) return false;
  const std::string_view type = response["patchType"].as_string();
  if (type != "JSONPatch" && response.has("patchType")) {
    problem = "unsupported patch type " + quote(type);
    return false;
  }
  TRY(Value object, patched(admission, hook, version, *patch));
  notes.patched(patch->value);
  const bool changed = !(object == admission.object());
  admission.object() = std::move(object);
  return changed;
}

}  // namespace

Result<void> mutating_webhooks(Admission& admission) {
  if (is_left_alone(admission)) return {};
  const std::vector<Hook> hooks = webhooks::hooks_of(admission.state(), kMutating);
  if (hooks.empty()) return {};
  Admission::Rounds& rounds = admission.webhook_rounds();
  rounds.begin(admission.object());
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    const Hook& hook = hooks[i];
    TRY(const auto interest, webhooks::interest_of(admission, hook));
    if (!interest || rounds.skips(hook.id())) continue;
    const Opinion opinion = webhooks::opinion_of(admission, hook, **interest, true);
    const MutationNotes notes(admission, hook, rounds.again, i);
    std::string problem = opinion.why;
    bool changed = false;
    switch (opinion.kind) {
      case Opinion::Kind::unknown: return Exchange::waiting();
      case Opinion::Kind::refused: return webhooks::no_dry_run(hook);
      case Opinion::Kind::failed: break;
      case Opinion::Kind::answered:
        take_warnings(admission, opinion.response);
        take_annotations(admission, hook, opinion.response);
        if (!opinion.response["allowed"].as_bool()) {
          notes.asked(false);
          return webhooks::rejection(hook, opinion.response);
        }
        TRY(changed, apply_opinion(admission, hook, **interest, opinion.response, notes, problem));
        break;
    }
    notes.asked(changed);
    if (!problem.empty() && hook.ignores_failure()) notes.failed_open();
    if (changed) rounds.changed();
    if (hook.spec["reinvocationPolicy"].as_string() == "IfNeeded") rounds.asked.insert(hook.id());
    if (!problem.empty() && !hook.ignores_failure()) return webhooks::failure(hook, problem);
  }
  rounds.last = admission.object();
  return {};
}

Result<void> validating_webhooks(Admission& admission) {
  if (is_left_alone(admission)) return {};
  std::optional<Error> refusal;
  bool unknown = false;
  std::size_t asked = 0;
  for (const Hook& hook : webhooks::hooks_of(admission.state(), kValidating)) {
    TRY(const auto interest, webhooks::interest_of(admission, hook));
    if (!interest) continue;
    const Opinion opinion = webhooks::opinion_of(admission, hook, **interest, false);
    std::optional<Error> error;
    switch (opinion.kind) {
      case Opinion::Kind::unknown: unknown = true; break;
      case Opinion::Kind::refused: error = webhooks::no_dry_run(hook); break;
      case Opinion::Kind::failed:
        if (!hook.ignores_failure())
          error = webhooks::failure(hook, opinion.why);
        else
          admission.annotate("failed-open.validating.webhook.admission.k8s.io/round_0_index_" +
                                 std::to_string(asked),
                             hook.name());
        break;
      case Opinion::Kind::answered:
        take_warnings(admission, opinion.response);
        take_annotations(admission, hook, opinion.response);
        if (!opinion.response["allowed"].as_bool())
          error = webhooks::rejection(hook, opinion.response);
        break;
    }
    ++asked;
    if (error && !refusal) refusal = std::move(error);
  }
  if (unknown) return Exchange::waiting();
  if (refusal) return std::move(*refusal);
  return {};
}

}  // namespace keelson::registry::admission
