// See pod_control.h.
#include "control/statefulset/pod_control.h"

#include <vector>

#include "base/text.h"
#include "control/common/templates.h"
#include "control/statefulset/identity.h"
#include "control/statefulset/retention.h"
#include "model/meta.h"

namespace keelson::control::stateful {
namespace {

// A refused update of a pod is tried as often, against what the sync knows.
constexpr int kUpdateAttempts = 4;

const codec::Array& templates_of(const Value& set) {
  return set["spec"]["volumeClaimTemplates"].elements();
}

Result<void> together(const std::vector<std::string>& failures, Reason reason) {
  if (failures.empty()) return {};
  return Error{reason, failures.size() == 1 ? failures[0] : "[" + join(failures, ", ") + "]"};
}

}  // namespace

const Value& PodControl::claim(const Value& set, const Value& claim_template,
                               const Value& pod) const {
  static const Value none;
  const auto at = inputs_.volume_claims.find(claim_name(set, claim_template, ordinal_of(pod)));
  return at == inputs_.volume_claims.end() ? none : at->second;
}

void PodControl::note(std::string_view verb, const Value& pod, const Result<void>& result) {
  const std::string what = std::string(verb) + " Pod " + std::string(model::name_of(pod)) +
                           " in StatefulSet " + std::string(model::name_of(inputs_.set));
  if (result.ok())
    script_.event(normal(inputs_.set, "Successful" + std::string(verb), what + " successful"));
  else
    script_.event(warning(inputs_.set, "Failed" + std::string(verb),
                          what + " failed error: " + result.error().message));
}

Result<void> PodControl::create_claims(const Value& set, const Value& pod) {
  std::vector<std::string> failures;
  for (const Value& claim_template : templates_of(set)) {
    const Value& existing = claim(set, claim_template, pod);
    const std::string name = claim_name(set, claim_template, ordinal_of(pod));
    if (!existing.is_null()) {
      if (model::is_deleting(existing)) failures.push_back("pvc " + name + " is being deleted");
      continue;
    }
    const Result<Value> made = script_.write(control::create(
        "persistentvolumeclaims", make_claim(set, claim_template, ordinal_of(pod))));
    const std::string what = "Create Claim " + name;
    const std::string where = "Pod " + std::string(model::name_of(pod)) + " in StatefulSet " +
                              std::string(model::name_of(set));
    if (made.ok()) {
      script_.event(normal(inputs_.set, "SuccessfulCreate", what + " " + where + " success"));
      continue;
    }
    failures.push_back("failed to create PVC " + name + ": " + made.error().message);
    if (made.error().reason != Reason::already_exists)
      script_.event(warning(inputs_.set, "FailedCreate",
                            what + " for " + where + " failed error: " + made.error().message));
  }
  return together(failures, Reason::internal_error);
}

Result<void> PodControl::create_missing_claims(const Value& set, const Value& pod) {
  TRY_VOID(create_claims(set, pod));
  Result<void> updated = update_claims_for_retention(set, pod);
  if (!updated.ok()) note("Update", pod, updated);
  return updated;
}

Result<void> PodControl::create(const Value& set, const Value& pod) {
  if (Result<void> claims = create_claims(set, pod); !claims.ok()) {
    note("Create", pod, claims);
    return claims;
  }
  const Result<Value> made = script_.write(control::create("pods", pod));
  if (!made.ok() && made.error().reason == Reason::already_exists) return made.error();
  if (Result<void> updated = update_claims_for_retention(set, pod); !updated.ok()) {
    note("Update", pod, updated);
    return updated;
  }
  const Result<void> result = made.ok() ? Result<void>() : Result<void>(made.error());
  note("Create", pod, result);
  return result;
}

Result<void> PodControl::try_update(const Value& set, Value& pod, bool& attempted) {
  bool consistent = true;
  const auto failed = [&](const Result<void>& result) {
    note("Update", pod, result);
    return result;
  };
  if (!identity_matches(set, pod)) {
    update_identity(set, pod);
    consistent = false;
  }
  if (!storage_matches(set, pod)) {
    update_storage(set, pod);
    consistent = false;
    if (const Result<void> claims = create_claims(set, pod); !claims.ok()) return failed(claims);
  }
  if (!claims_match_retention(set, pod)) {
    const Result<void> updated = update_claims_for_retention(set, pod);
    if (!updated.ok()) return failed(updated);
    consistent = false;
  }
  if (consistent) return {};
  attempted = true;
  const Result<Value> written = script_.write(control::update("pods", pod));
  return written.ok() ? Result<void>() : Result<void>(written.error());
}

Result<void> PodControl::update(const Value& set, Value pod) {
  bool attempted = false;
  Result<void> result;
  for (int attempt = 0; attempt < kUpdateAttempts; ++attempt) {
    result = try_update(set, pod, attempted);
    if (result.ok() || result.error().reason != Reason::conflict) break;
  }
  if (attempted) note("Update", pod, result);
  return result;
}

Result<void> PodControl::remove(const Value& pod) {
  cluster::Write write = control::remove("pods", pod);
  write.uid = model::uid_of(pod);  // never its successor of the same name
  const Result<Value> removed = script_.write(std::move(write));
  const Result<void> result = removed.ok() || removed.error().reason == Reason::not_found
                                  ? Result<void>()
                                  : Result<void>(removed.error());
  note("Delete", pod, result);
  return result;
}

bool PodControl::claims_match_retention(const Value& set, const Value& pod) const {
  for (const Value& claim_template : templates_of(set))
    if (const Value& existing = claim(set, claim_template, pod);
        !existing.is_null() && !owners_are_up_to_date(existing, set, pod))
      return false;
  return true;
}

Result<void> PodControl::update_claims_for_retention(const Value& set, const Value& pod) {
  for (const Value& claim_template : templates_of(set)) {
    Value existing = claim(set, claim_template, pod);
    if (existing.is_null()) continue;
    const std::string name(model::name_of(existing));
    if (has_unexpected_controller(existing, set, pod))
      script_.event(warning(inputs_.set, "ConflictingController",
                            "PersistentVolumeClaim " + name +
                                " has a conflicting OwnerReference that acts as a manging "
                                "controller, the retention policy is ignored for this claim"));
    if (owners_are_up_to_date(existing, set, pod)) continue;
    update_owners(existing, set, pod);
    const Result<Value> written =
        script_.write(control::update("persistentvolumeclaims", existing));
    if (!written.ok())
      return Error{written.error().reason,
                   "could not update claim " + name +
                       " for delete policy ownerRefs: " + written.error().message};
  }
  return {};
}

bool PodControl::claim_is_stale(const Value& set, const Value& pod) const {
  if (retains_when_scaled(set)) return false;
  for (const Value& claim_template : templates_of(set))
    if (has_stale_reference(claim(set, claim_template, pod), pod)) return true;
  return false;
}

}  // namespace keelson::control::stateful
