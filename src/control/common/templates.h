// Small shared rules of the workload kinds: counts given as a number or a percentage, what makes
// two templates the same, the hash that names a revision, conditions, and the writes that every
// controller makes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/cluster.h"
#include "codec/value.h"

namespace keelson::control {

using codec::Value;

// "25%" of total, or a number as it is; 0 if absent or malformed.
// Behaviour: intstr.GetScaledValueFromIntOrPercent.
std::int64_t scaled(const Value& int_or_percent, std::int64_t total, bool round_up);

// Equal but for empty and absent members, which Go cannot tell apart.
bool same_content(const Value& a, const Value& b);
// A pod template without its label of this name.
Value without_label(const Value& pod_template, std::string_view label);

// Names a template: an FNV hash over its canonical JSON and the collision count, in the alphabet
// of generated names. Behaviour: controller.ComputeHash (over a dump of our own, so other hashes).
std::string template_hash(const Value& pod_template, std::optional<std::int64_t> collisions);

// Sets the condition in status.conditions unless one of its type has the same status and reason.
// With the same status, lastTransitionTime is kept. A changed condition goes to the end.
void set_condition(Value& status, Value condition);
void remove_condition(Value& status, std::string_view type);
const Value& condition_in(const Value& status, std::string_view type);

// Counts as Go serves them with omitempty: zero is absent.
void set_count(Value& status, std::string_view key, std::int64_t count);

cluster::Write create(std::string_view resource, Value object);
cluster::Write update(std::string_view resource, Value object, std::string_view subresource = {});
cluster::Write remove(std::string_view resource, const Value& object);
// Server-side apply of what the object says, which takes over from other managers.
cluster::Write apply(std::string_view resource, Value object, std::string_view manager,
                     std::string_view subresource = {});
cluster::EventNote normal(const Value& object, std::string reason, std::string message);
cluster::EventNote warning(const Value& object, std::string reason, std::string message);

}  // namespace keelson::control
