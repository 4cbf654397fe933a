// What every controller that owns pods must know of a pod: whether it counts, since when it is
// available, which one to delete first, and how one is made from a template. Pure; lists of pods
// are values in any order.
// Behaviour: pkg/controller/controller_utils.go, pkg/api/v1/pod/util.go.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "codec/value.h"

namespace keelson::control {

using codec::Value;
using Pods = std::vector<Value>;

bool pod_is_active(const Value& pod);       // neither finished nor asked to go
bool pod_is_terminating(const Value& pod);  // asked to go and not finished
// Ready for at least min_ready; the moment itself counts.
bool pod_is_available(const Value& pod, Duration min_ready, Instant now);
// When the next ready pod becomes available; nullopt if none is to.
std::optional<Instant> next_availability(const Pods& pods, Duration min_ready, Instant now);

Pods filter(const Pods& pods, bool (*keep)(const Value&));

// Sorts so that the pods to delete first come first. `related` are the pods whose company on a
// node makes a pod less valuable (those of all siblings of the owner).
void rank_for_deletion(Pods& pods, const Pods& related, Instant now);

// The same order where pods have no siblings elsewhere and nobody says what deleting one costs (a
// Job's): by times themselves, not their ranks. Behaviour: controller.ActivePods.
void rank_plainly(Pods& pods);

// A pod from spec.template of `owner`, with the owner as its controller. Named by generateName.
Value pod_from_template(const Value& pod_template, const Value& owner);

// The number of 2^n ns that an age has: floor(log2), -1 for none. Ages of one rank count as equal.
int age_rank(Duration age);

}  // namespace keelson::control
