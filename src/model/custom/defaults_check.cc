#include "model/custom/defaults_check.h"

#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "model/custom/metadata.h"
#include "model/custom/rules.h"
#include "model/custom/schema_check.h"
#include "model/structural_schema.h"
#include "model/validation/common.h"

namespace keelson::model {
namespace {

using codec::Member;
using codec::Value;

constexpr const char* kEmbedded = "x-kubernetes-embedded-resource";

// The original does not hold defaults to x-kubernetes-int-or-string.
Value without_alternatives(Value schema) {
  if (!schema.is_object()) return schema;
  schema.erase("x-kubernetes-int-or-string");
  for (const char* inner : {"items", "additionalProperties"})
    if (schema[inner].is_object()) schema.set(inner, without_alternatives(schema[inner]));
  Value properties = schema["properties"];
  for (const Member& member : schema["properties"].members())
    properties.set(member.key(), without_alternatives(member.value));
  if (properties.is_object()) schema.set("properties", std::move(properties));
  return schema;
}

class DefaultsCheck {
 public:
  explicit DefaultsCheck(FieldErrors& errors) : errors_(errors) {}

  // Where a schema stands: in which whole object, and whether inside of its type or metadata.
  struct Place {
    Value root;                      // the schema of that object, as an embedded one
    std::vector<std::string> steps;  // from there; "[]" is an item
    bool in_metadata = false;
  };

  void check(const Path& path, const Value& schema, Place place) {
    if (!schema.is_object()) return;
    if (schema[kEmbedded].as_bool()) place = {schema, {}, false};
    if (const Value& fallback = schema["default"]; !fallback.is_null())
      check_default(path, schema, fallback, place);
    // Defaults are forbidden below additionalProperties.
    if (schema["items"].is_object()) {
      Place below = place;
      below.steps.emplace_back("[]");
      check(path.child("items"), schema["items"], std::move(below));
    }
    const Path properties = path.child("properties");
    for (const Member& member : schema["properties"].members()) {
      Place below = place;
      below.steps.emplace_back(member.key());
      if (place.steps.empty() && is_one_of(member.key(), {"metadata", "apiVersion", "kind"}))
        below.in_metadata = true;
      check(properties.key(member.key()), member.value, std::move(below));
    }
  }

 private:
  void check_default(const Path& path, const Value& schema, const Value& fallback,
                     const Place& place) {
    const Path at = path.child("default");
    const bool embedded = schema[kEmbedded].as_bool();
    if (place.in_metadata) {
      if (const std::string problem = metadata_problem(place, fallback); !problem.empty()) {
        errors_.invalid(at, fallback, "must result in valid metadata: " + problem);
        return;
      }
    } else {
      Value pruned = fallback;
      if (embedded)
        prune_custom(schema, pruned, nullptr);
      else
        prune_custom_part(schema, pruned);
      if (!(pruned == fallback)) errors_.invalid(at, fallback, "must not have unknown fields");
      Value coerced = fallback;
      if (const auto problem = coerce_embedded(schema, coerced, false, nullptr)) {
        errors_.invalid(at, fallback, *problem);
        return;
      }
      FieldErrors found;
      check_embedded(schema, fallback, at.text(), found);
      if (!found.empty()) {
        errors_.add(std::move(found));
        return;
      }
    }
    FieldErrors found;
    check_against_schema(without_alternatives(schema), fallback, at.text(), found);
    if (found.empty() && schema_has_rules(schema)) check_rules(at, schema, fallback, found);
    errors_.add(std::move(found));
  }

  // A default within metadata is looked at in an object that has nothing else.
  static std::string metadata_problem(const Place& place, const Value& fallback) {
    Value object = fallback;
    for (std::size_t i = place.steps.size(); i-- > 0;)
      object = place.steps[i] == "[]" ? Value::array({object})
                                      : Value::object({{place.steps[i], object}});
    if (!object.has("kind")) object.set("kind", "Validation");
    if (!object.has("apiVersion")) object.set("apiVersion", "validation/v1");
    Value schema = place.root;
    schema.set(kEmbedded, true);
    if (const auto problem = coerce_embedded(schema, object, false, nullptr)) return *problem;
    FieldErrors found;
    check_embedded(schema, object, "", found);
    return found.empty() ? std::string() : found.text();
  }

  // As if the value had been there before, and as if it were new.
  static void check_rules(const Path& at, const Value& schema, const Value& fallback,
                          FieldErrors& errors) {
    const CustomRules rules(schema);
    for (const Value& old : {fallback, Value()}) {
      FieldErrors found;
      std::vector<std::string> warnings;
      rules.check(fallback, old, found, warnings);
      if (found.empty()) continue;
      for (FieldError error : found.list()) {
        error.field = error.field == "<nil>" ? at.text() : at.text() + "." + error.field;
        errors.add(std::move(error));
      }
      return;
    }
  }

  FieldErrors& errors_;
};

}  // namespace

void check_schema_defaults(const Path& path, const Value& schema, FieldErrors& errors) {
  Value whole = schema;
  whole.set(kEmbedded, true);
  DefaultsCheck(errors).check(path, whole, {});
}

}  // namespace keelson::model
