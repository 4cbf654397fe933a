// The revisions of a StatefulSet or DaemonSet: ControllerRevisions, each with the pod template of
// one past state. A state that comes back reuses its revision with a new number.
// Behaviour: pkg/controller/history.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/common/claims.h"
#include "control/common/script.h"

namespace keelson::control {

using Revisions = std::vector<Value>;

inline constexpr std::string_view kRevisionsResource = "controllerrevisions.apps";

// The template of the set as a revision keeps it, a strategic merge patch of the set.
Value revision_data(const Value& set);
// The pod template that the revision keeps.
Value template_of_revision(const Value& revision);
std::string revision_hash(const Value& data, std::int64_t collisions);
// Of the set's present template; labelled with its hash under each of these keys.
Value new_revision(const Value& set, std::int64_t number, std::int64_t collisions,
                   const std::vector<std::string_view>& hash_labels);

std::int64_t revision_number(const Value& revision);
void order_by_number(Revisions& revisions);  // then by age, then by name
bool same_data(const Value& a, const Value& b);

// Those of the set and orphans that its selector matches, in order.
Revisions revisions_of(const cluster::View& view, const Orphans& orphans, const Value& set);

// The hash label of pods made from a revision.
inline constexpr std::string_view kRevisionLabel = "controller-revision-hash";
inline constexpr std::string_view kHashLabel = "controller.kubernetes.io/hash";

}  // namespace keelson::control
