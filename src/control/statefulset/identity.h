// What makes a pod a certain one of its StatefulSet: its ordinal, name, labels and volumes. Inside
// this folder only. Behaviour: pkg/controller/statefulset/stateful_set_utils.go.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "codec/value.h"

namespace keelson::control::stateful {

using codec::Value;

struct PodName {
  std::string parent;
  std::int64_t ordinal = -1;  // -1: the name is not of the form parent-ordinal
};
PodName parse_pod_name(std::string_view name);
std::int64_t ordinal_of(const Value& pod);
std::int64_t start_ordinal(const Value& set);
bool is_in_range(const Value& set, const Value& pod);

std::string pod_name(const Value& set, std::int64_t ordinal);
std::string claim_name(const Value& set, const Value& claim_template, std::int64_t ordinal);

bool identity_matches(const Value& set, const Value& pod);
bool storage_matches(const Value& set, const Value& pod);
void update_identity(const Value& set, Value& pod);
void update_storage(const Value& set, Value& pod);
// A pod of this ordinal from the set's template, labelled with the revision.
Value make_pod(const Value& set, std::int64_t ordinal, std::string_view revision);
// The claim of this ordinal from the template.
Value make_claim(const Value& set, const Value& claim_template, std::int64_t ordinal);

std::string_view revision_of_pod(const Value& pod);

}  // namespace keelson::control::stateful
