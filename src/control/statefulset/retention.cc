// See retention.h.
#include "control/statefulset/retention.h"

#include <algorithm>

#include "control/statefulset/identity.h"
#include "model/meta.h"

namespace keelson::control::stateful {
namespace {

bool deletes(const Value& set, std::string_view when) {
  return set.at("spec.persistentVolumeClaimRetentionPolicy")[when].as_string() == "Delete";
}

const codec::Array& owners_of(const Value& claim) {
  return claim["metadata"]["ownerReferences"].elements();
}

bool names(const Value& reference, const Value& object) {
  return reference["apiVersion"].as_string() == model::api_version_of(object) &&
         reference["kind"].as_string() == model::kind_of(object) &&
         reference["name"].as_string() == model::name_of(object);
}

bool is_reference_to(const Value& reference, const Value& object) {
  return reference["uid"].as_string() == model::uid_of(object);
}

bool is_owned_by(const Value& claim, const Value& object) {
  const codec::Array& owners = owners_of(claim);
  return std::any_of(owners.begin(), owners.end(),
                     [&](const Value& owner) { return is_reference_to(owner, object); });
}

// Who should own the claim.
struct Wanted {
  bool set = false, pod = false;
};
Wanted wanted(const Value& set, const Value& pod) {
  const bool scaled_away = !is_in_range(set, pod);
  const bool to_pod = deletes(set, "whenScaled") && scaled_away;
  return {deletes(set, "whenDeleted") && !to_pod, to_pod};
}

}  // namespace

bool retains_when_scaled(const Value& set) {
  return !deletes(set, "whenScaled");
}

bool has_stale_reference(const Value& claim, const Value& object) {
  for (const Value& owner : owners_of(claim))
    if (names(owner, object)) return !is_reference_to(owner, object);
  return false;
}

bool has_unexpected_controller(const Value& claim, const Value& set, const Value& pod) {
  if (!deletes(set, "whenScaled") && !deletes(set, "whenDeleted")) return false;
  for (const Value& owner : owners_of(claim)) {
    if (names(owner, set) || names(owner, pod)) {
      if (!is_reference_to(owner, names(owner, set) ? set : pod)) return true;
    } else if (owner["controller"].as_bool()) {
      return true;
    }
  }
  return false;
}

bool owners_are_up_to_date(const Value& claim, const Value& set, const Value& pod) {
  // Its owner is gone and garbage collection will see to it.
  if (has_stale_reference(claim, set) || has_stale_reference(claim, pod)) return true;
  if (has_unexpected_controller(claim, set, pod))
    return !is_owned_by(claim, set) && !is_owned_by(claim, pod);
  for (const Value& owner : owners_of(claim))
    if ((is_reference_to(owner, set) || is_reference_to(owner, pod)) &&
        !owner["controller"].as_bool())
      return false;
  const Wanted owners = wanted(set, pod);
  return is_owned_by(claim, set) == owners.set && is_owned_by(claim, pod) == owners.pod;
}

void update_owners(Value& claim, const Value& set, const Value& pod) {
  const bool leave_alone = has_unexpected_controller(claim, set, pod);
  Value owners = Value::array();
  for (const Value& owner : owners_of(claim))
    if (!names(owner, set) && !names(owner, pod)) owners.push_back(owner);
  if (!leave_alone) {
    const Wanted to = wanted(set, pod);
    if (to.pod) owners.push_back(model::controller_reference(pod));
    if (to.set) owners.push_back(model::controller_reference(set));
  }
  if (owners.empty())
    claim.edit("metadata").erase("ownerReferences");
  else
    claim.edit("metadata").set("ownerReferences", std::move(owners));
}

}  // namespace keelson::control::stateful
