// Pure look-ups; an absent member reads as null, so nothing here can fail.
#include "model/meta.h"

namespace keelson::model {
namespace {
const Value& metadata_of(const Value& object) {
  return object["metadata"];
}
}  // namespace

std::string_view name_of(const Value& object) {
  return metadata_of(object)["name"].as_string();
}
std::string_view namespace_of(const Value& object) {
  return metadata_of(object)["namespace"].as_string();
}
std::string_view uid_of(const Value& object) {
  return metadata_of(object)["uid"].as_string();
}
std::string_view revision_of(const Value& object) {
  return metadata_of(object)["resourceVersion"].as_string();
}
std::string_view kind_of(const Value& object) {
  return object["kind"].as_string();
}
std::string_view api_version_of(const Value& object) {
  return object["apiVersion"].as_string();
}
std::int64_t generation_of(const Value& object) {
  return metadata_of(object)["generation"].as_int();
}
const Value& labels_of(const Value& object) {
  return metadata_of(object)["labels"];
}
const Value& annotations_of(const Value& object) {
  return metadata_of(object)["annotations"];
}
std::string_view label_of(const Value& object, std::string_view key) {
  return labels_of(object)[key].as_string();
}
std::string_view annotation_of(const Value& object, std::string_view key) {
  return annotations_of(object)[key].as_string();
}
bool is_deleting(const Value& object) {
  return !metadata_of(object)["deletionTimestamp"].is_null();
}
Instant time_of(const Value& text) {
  return text.is_string() ? parse_rfc3339(text.as_string()).value_or(Instant()) : Instant();
}
Instant creation_time_of(const Value& object) {
  return time_of(metadata_of(object)["creationTimestamp"]);
}

const Value& controller_of(const Value& object) {
  for (const Value& owner : metadata_of(object)["ownerReferences"].elements())
    if (owner["controller"].as_bool()) return owner;
  static const Value none;
  return none;
}

bool is_controlled_by(const Value& object, std::string_view uid) {
  const Value& owner = controller_of(object);
  return !owner.is_null() && owner["uid"].as_string() == uid;
}

Value controller_reference(const Value& owner) {
  return Value::object({{"apiVersion", owner["apiVersion"]},
                        {"kind", owner["kind"]},
                        {"name", metadata_of(owner)["name"]},
                        {"uid", metadata_of(owner)["uid"]},
                        {"controller", true},
                        {"blockOwnerDeletion", true}});
}

Value object_reference(const Value& object) {
  Value reference = Value::object();
  const auto put = [&](std::string_view key, const Value& value) {
    if (!value.as_string().empty()) reference.set(key, value);
  };
  put("kind", object["kind"]);
  put("namespace", metadata_of(object)["namespace"]);
  put("name", metadata_of(object)["name"]);
  put("uid", metadata_of(object)["uid"]);
  put("apiVersion", object["apiVersion"]);
  put("resourceVersion", metadata_of(object)["resourceVersion"]);
  return reference;
}

const Value& condition_of(const Value& object, std::string_view type) {
  for (const Value& condition : object["status"]["conditions"].elements())
    if (condition["type"].as_string() == type) return condition;
  static const Value none;
  return none;
}
bool condition_is_true(const Value& object, std::string_view type) {
  return condition_of(object, type)["status"].as_string() == "True";
}

bool pod_is_ready(const Value& pod) {
  return condition_is_true(pod, "Ready");
}
bool pod_is_finished(const Value& pod) {
  const std::string_view phase = pod["status"]["phase"].as_string();
  return phase == "Succeeded" || phase == "Failed";
}

bool is_sidecar(const Value& container) {
  return container["restartPolicy"].as_string() == "Always";
}

GroupVersion group_version_of(std::string_view api_version) {
  const std::size_t slash = api_version.find('/');
  if (slash == std::string_view::npos) return {"", std::string(api_version)};
  return {std::string(api_version.substr(0, slash)), std::string(api_version.substr(slash + 1))};
}

}  // namespace keelson::model
