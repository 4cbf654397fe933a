// pkg/apis/core/validation/events.go. The newer API asks for more, and lets less be changed.
#include <algorithm>

#include "codec/json.h"
#include "model/go_print.h"
#include "model/validation/rules.h"

namespace keelson::model {
namespace {

void check_length(const Value& object, const char* field, std::size_t length_max,
                  FieldErrors& errors) {
  if (text_of(object, field).size() > length_max)
    errors.invalid(Path(field), "",
                   "can have at most " + std::to_string(length_max) + " characters");
}

void check_either(const Value& object, std::string_view controller_field, FieldErrors& errors) {
  const std::string_view ns = text_of(object["metadata"], "namespace");
  const std::string_view involved = text_of(object["involvedObject"], "namespace");
  const Path path("involvedObject.namespace");
  constexpr std::string_view differs = "does not match event.namespace";
  if (object["eventTime"].is_null()) {
    const bool good = involved.empty() ? ns.empty() || ns == "default" : ns == involved;
    if (!good) errors.invalid(path, involved, differs);
  } else {
    if (involved.empty() && ns != "default" && ns != "kube-system")
      errors.invalid(path, involved, differs);
    const Path controller(controller_field);
    const std::string_view name = text_of(object, "reportingComponent");
    if (name.empty()) errors.required(controller);
    check_qualified_name(controller, name, errors);
    for (const char* field : {"reportingInstance", "action", "reason"}) {
      if (empty_text(object[field])) errors.required(Path(field));
      check_length(object, field, 128, errors);
    }
    check_length(object, "message", 1024, errors);
  }
  errors.invalid_each(Path("namespace"), ns, dns1123_subdomain_messages(ns));
}

void check_core(const Value& object, FieldErrors& errors) {
  check_either(object, "reportingComponent", errors);
}

void update_core(const Value& object, const Value&, FieldErrors& errors) {
  check_core(object, errors);
}

void check_series(const Value& object, FieldErrors& errors) {
  const Value& series = object["series"];
  if (series.is_null()) return;
  if (series["count"].as_int() < 2)
    errors.invalid(Path("series.count"), "", "should be at least 2");
  if (series["lastObservedTime"].is_null()) errors.required(Path("series.lastObservedTime"));
}

void check_new(const Value& object, FieldErrors& errors) {
  check_either(object, "reportingController", errors);
  check_kind_metadata(object["metadata"], true, subdomain_name, Path("metadata"), errors);
  check_series(object, errors);
  if (object["eventTime"].is_null()) errors.required(Path("eventTime"));
  const std::string type = object["type"].str();
  if (type != "Normal" && type != "Warning")
    errors.invalid(Path("type"), "", "has invalid value: " + type);
  constexpr std::string_view unset = "needs to be unset";
  for (const char* field : {"firstTimestamp", "lastTimestamp"})
    if (!object[field].is_null()) errors.invalid(Path(field), "", unset);
  if (object["count"].as_int() != 0) errors.invalid(Path("count"), "", unset);
  const Value& source = object["source"];
  if (!empty_text(source["component"]) || !empty_text(source["host"]))
    errors.invalid(Path("source"), "", unset);
}

void update_new(const Value& object, const Value& old, FieldErrors& errors) {
  check_either(object, "reportingController", errors);
  check_kind_metadata_update(object["metadata"], old["metadata"], Path("metadata"), errors);
  if (!(object["series"] == old["series"])) check_series(object, errors);
  const auto same = [&](const char* field, std::string_view type, const char* shown) {
    if (object[field] == old[field]) return;
    if (type.empty())
      errors.invalid(Path(shown), old[field].is_string() ? object[field].str() : object[field],
                     kImmutable);
    else
      errors.invalid_printed(
          Path(shown), object[field].is_null() ? "null" : printed_internal(type, object[field]),
          kImmutable);
  };
  constexpr std::string_view reference = "io.k8s.api.core.v1.ObjectReference";
  same("involvedObject", reference, "involvedObject");
  for (const char* field : {"reason", "message"}) same(field, {}, field);
  same("source", "io.k8s.api.core.v1.EventSource", "source");
  for (const char* field :
       {"firstTimestamp", "lastTimestamp", "count", "reason", "type", "eventTime", "action"})
    same(field, {}, field);
  same("related", reference, "related");
  same("reportingComponent", {}, "reportingController");
  same("reportingInstance", {}, "reportingInstance");
}

}  // namespace

std::vector<KindRules> event_rules() {
  return {
      {.resource = "events",
       .create = check_core,
       .update = update_core,
       .recheck = Recheck::custom,
       .own_metadata = true},
      {.resource = "events.events.k8s.io",
       .create = check_new,
       .update = update_new,
       .recheck = Recheck::custom,
       .own_metadata = true},
  };
}

}  // namespace keelson::model
