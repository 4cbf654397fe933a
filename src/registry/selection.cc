#include "registry/selection.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "codec/json_text.h"
#include "model/meta.h"
#include "registry/errors.h"

namespace keelson::registry {

namespace {

// Fields besides metadata.name and metadata.namespace, per resource. A resource listed here words
// an unknown field as `message`; %s stands for the field.
struct FieldRow {
  std::string_view resource, fields, message;
};
constexpr std::string_view kPlain = "field label not supported: %s";
constexpr FieldRow kFields[] = {
    {"pods",
     "spec.nodeName spec.restartPolicy spec.schedulerName spec.serviceAccountName "
     "spec.hostNetwork status.phase status.podIP status.podIPs status.nominatedNodeName",
     kPlain},
    {"nodes", "spec.unschedulable", kPlain},
    {"namespaces", "status.phase", kPlain},
    {"replicationcontrollers", "status.replicas", kPlain},
    {"secrets", "type", kPlain},
    {"services", "spec.clusterIP spec.type", kPlain},
    {"events",
     "involvedObject.kind involvedObject.namespace involvedObject.name involvedObject.uid "
     "involvedObject.apiVersion involvedObject.resourceVersion involvedObject.fieldPath reason "
     "reportingComponent source type",
     kPlain},
    {"events.events.k8s.io",
     "regarding.kind regarding.namespace regarding.name regarding.uid regarding.apiVersion "
     "regarding.resourceVersion regarding.fieldPath reason reportingController type",
     kPlain},
    {"replicasets.apps", "status.replicas", ""},
    {"jobs.batch", "status.successful", "field label \"%s\" not supported for Job"},
    {"certificatesigningrequests.certificates.k8s.io", "spec.signerName", kPlain},
    {"resourceslices.resource.k8s.io", "spec.nodeName spec.driver",
     "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: %s"},
};

const FieldRow* row_of(std::string_view resource) {
  for (const FieldRow& row : kFields)
    if (row.resource == resource) return &row;
  return nullptr;
}

bool knows(const model::Resource& resource, std::string_view path) {
  if (path == "metadata.name") return true;
  if (path == "metadata.namespace")
    return resource.plural != "nodes" && resource.name() != "namespaces";
  if (resource.custom) {
    for (const Value& one : resource.definition["selectableFields"].elements())
      if (one["jsonPath"].as_string() == "." + std::string(path)) return true;
    return false;
  }
  const FieldRow* row = row_of(resource.name());
  if (!row) return false;
  const std::vector<std::string> known = split(row->fields, ' ');
  return std::find(known.begin(), known.end(), path) != known.end();
}

Error unknown_field(const model::Resource& resource, std::string_view path) {
  std::string message;
  if (resource.custom) {
    message = kPlain;
  } else if (const FieldRow* row = row_of(resource.name())) {
    message = row->message;
  }
  if (message.empty())
    return bad_request(quote(path) +
                       " is not a known field selector: only \"metadata.name\", "
                       "\"metadata.namespace\"");
  const std::size_t at = message.find("%s");
  return bad_request(message.replace(at, 2, path));
}

// Fields that do not stand in the object under their own path.
std::string event_field(const Value& event, std::string_view path) {
  const auto first = [&](std::string_view a, std::string_view b) -> const Value& {
    const Value& value = event.at(a);
    return value.is_null() ? event.at(b) : value;
  };
  if (path.starts_with("regarding.") || path.starts_with("involvedObject.")) {
    const std::string member(path.substr(path.find('.') + 1));
    return first("involvedObject." + member, "regarding." + member).str();
  }
  if (path == "reportingController" || path == "reportingComponent")
    return first("reportingComponent", "reportingController").str();
  if (path == "source") {
    const std::string component = first("source.component", "deprecatedSource.component").str();
    return component.empty() ? first("reportingComponent", "reportingController").str() : component;
  }
  return event.at(path).str();
}

}  // namespace

std::string field_text(std::string_view resource, const Value& object, std::string_view path) {
  if (resource.starts_with("events") && !path.starts_with("metadata."))
    return event_field(object, path);
  if (path == "status.podIPs") {
    std::vector<std::string> addresses;
    for (const Value& one : object["status"]["podIPs"].elements())
      addresses.push_back(one["ip"].str());
    return join(addresses, ",");
  }
  if (path == "status.successful") path = "status.succeeded";
  const Value& value = object.at(path);
  if (value.is_bool()) return value.as_bool() ? "true" : "false";
  if (value.is_integer()) return std::to_string(value.as_int());
  if (value.is_null()) {
    if (path == "spec.unschedulable" || path == "spec.hostNetwork") return "false";
    if (path == "status.replicas" || path == "status.succeeded") return "0";
  }
  return value.str();
}

Result<Selection> Selection::of(const model::Resource& resource, const Options& options) {
  Selection out;
  out.resource_ = resource.name();
  if (!options.label_selector.empty()) {
    auto parsed = model::LabelSelector::parse(options.label_selector);
    if (!parsed.ok()) return bad_request(parsed.error().message);
    out.labels_ = std::move(parsed).value();
  }
  if (!options.field_selector.empty()) {
    auto parsed = model::parse_field_selector(options.field_selector);
    if (!parsed.ok()) return bad_request(parsed.error().message);
    out.fields_ = std::move(parsed).value();
  }
  for (model::FieldRequirement& one : out.fields_) {
    if (one.path == "spec.host" && out.resource_ == "pods") one.path = "spec.nodeName";
    if (one.path == "name" && resource.plural == "namespaces") one.path = "metadata.name";
    if (!knows(resource, one.path)) return unknown_field(resource, one.path);
    if (one.equal && one.path == "metadata.name") out.name_ = one.value;
    if (one.equal && one.path == "metadata.namespace") out.namespace_ = one.value;
  }
  return out;
}

void Selection::require_name(std::string_view name) {
  fields_.push_back({"metadata.name", std::string(name), true});
  name_ = name;
}

bool Selection::takes(const store::Entry& entry, const Value& view) const {
  if (everything()) return true;
  const Value& at_hand = view.is_null() ? entry.value_at_hand() : view;
  return at_hand.is_null() ? matches_text(entry.bytes()) : matches(at_hand);
}

bool Selection::matches_text(std::string_view json) const {
  const codec::JsonText object(json);
  const auto read = [](codec::JsonText text) {
    auto parsed = codec::parse_json(text.is_null() ? "null" : text.raw());
    return parsed.ok() ? std::move(*parsed) : Value();
  };
  // Their fields stand in more than one place.
  if (resource_.starts_with("events") && !fields_.empty()) return matches(read(object));
  Value sketch = Value::object();
  if (!labels_.matches_everything())
    sketch.edit("metadata").set("labels", read(object["metadata"]["labels"]));
  for (const model::FieldRequirement& one : fields_) {
    std::string_view path = one.path;
    if (path == "status.successful") path = "status.succeeded";
    codec::JsonText at = object;
    for (const std::string& name : split(path, '.')) at = at[name];
    sketch.edit_path(path) = read(at);
  }
  return matches(sketch);
}

bool Selection::matches(const Value& object) const {
  if (!labels_.matches_everything() && !labels_.matches(model::labels_of(object))) return false;
  return std::all_of(fields_.begin(), fields_.end(), [&](const model::FieldRequirement& one) {
    return (field_text(resource_, object, one.path) == one.value) == one.equal;
  });
}

}  // namespace keelson::registry
