// Reading the metadata that every Kubernetes object has. An object is a codec::Value as served;
// these functions only name what stands where. Strings live as long as the object.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "codec/value.h"

namespace keelson::model {

using codec::Value;

std::string_view name_of(const Value& object);
std::string_view namespace_of(const Value& object);
std::string_view uid_of(const Value& object);
std::string_view revision_of(const Value& object);  // metadata.resourceVersion
std::string_view kind_of(const Value& object);
std::string_view api_version_of(const Value& object);
std::int64_t generation_of(const Value& object);
const Value& labels_of(const Value& object);
const Value& annotations_of(const Value& object);
std::string_view label_of(const Value& object, std::string_view key);
std::string_view annotation_of(const Value& object, std::string_view key);
bool is_deleting(const Value& object);  // has a deletionTimestamp
// A metav1.Time or MicroTime; the zero Instant if absent or malformed.
Instant time_of(const Value& text);
Instant creation_time_of(const Value& object);

// The ownerReference with controller: true, or null.
const Value& controller_of(const Value& object);
bool is_controlled_by(const Value& object, std::string_view uid);
// An ownerReference to `owner` with controller and blockOwnerDeletion true.
Value controller_reference(const Value& owner);
// core/v1 ObjectReference to the object, as events carry it.
Value object_reference(const Value& object);

// The element of status.conditions of this type, or null.
const Value& condition_of(const Value& object, std::string_view type);
bool condition_is_true(const Value& object, std::string_view type);

bool pod_is_ready(const Value& pod);
bool pod_is_finished(const Value& pod);  // phase Succeeded or Failed
// Of an init container: it goes on beside the others, as its restartPolicy is Always.
bool is_sidecar(const Value& container);

// "apps" and "v1" from "apps/v1"; "" and "v1" from "v1".
struct GroupVersion {
  std::string group, version;
};
GroupVersion group_version_of(std::string_view api_version);

}  // namespace keelson::model
