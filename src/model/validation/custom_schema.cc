#include "model/validation/custom_schema.h"

#include <algorithm>

#include "codec/json.h"
#include "model/custom/defaults_check.h"
#include "model/custom/rules.h"
#include "model/custom/schema_check.h"
#include "model/go_print.h"
#include "model/validation/common.h"

namespace keelson::model {
namespace {

constexpr const char *kPreserve = "x-kubernetes-preserve-unknown-fields",
                     *kEmbedded = "x-kubernetes-embedded-resource",
                     *kIntOrString = "x-kubernetes-int-or-string",
                     *kListType = "x-kubernetes-list-type",
                     *kListKeys = "x-kubernetes-list-map-keys", *kMapType = "x-kubernetes-map-type",
                     *kRules = "x-kubernetes-validations";

// Structural schemas: every level says its type outside the logical junctors, and those say
// nothing that shapes the object.

enum class Level : std::uint8_t { root, item, field };

bool is_int_or_string(const Value& any_of) {
  return any_of.size() == 2 && any_of[0] == Value::object({{"type", "integer"}}) &&
         any_of[1] == Value::object({{"type", "string"}});
}

void check_nested(const Path& path, const Value& nested, bool skip_any_of, bool rules_allowed,
                  FieldErrors& errors);

// `skip_first`: the allOf list begins with the anyOf of an int-or-string.
void check_junctors(const Path& path, const Value& schema, bool skip_any_of, bool skip_first,
                    FieldErrors& errors) {
  const auto each = [&](const char* junctor, bool rules_allowed) {
    const Path list = path.child(junctor);
    for (std::size_t i = 0; i < schema[junctor].size(); ++i)
      check_nested(list.index(i), schema[junctor][i],
                   skip_first && i == 0 && std::string_view(junctor) == "allOf", rules_allowed,
                   errors);
  };
  if (!skip_any_of) each("anyOf", false);
  each("allOf", false);
  each("oneOf", false);
  if (!schema["not"].is_null())
    check_nested(path.child("not"), schema["not"], false, false, errors);
  const std::string_view pattern = schema["pattern"].as_string();
  std::string why;
  if (!pattern.empty() && !is_valid_pattern(pattern, &why))
    errors.invalid(path.child("pattern"), pattern,
                   "must be a valid regular expression, but isn't: " + why);
}

void check_nested(const Path& path, const Value& nested, bool skip_any_of, bool rules_allowed,
                  FieldErrors& errors) {
  check_junctors(path, nested, skip_any_of, false, errors);
  if (nested["items"].is_object())
    check_nested(path.child("items"), nested["items"], false, rules_allowed, errors);
  const Path properties = path.child("properties");
  for (const auto& [name, property] : nested["properties"].members())
    check_nested(properties.key(name.as_string()), property, false, rules_allowed, errors);
  const auto forbid = [&](const char* field, std::string_view must) {
    const Value& value = nested[field];
    if (!value.is_null() && !(value == Value(false)) && !(value == Value("")) &&
        !(value.is_array() && value.empty()))
      errors.forbidden(path.child(field),
                       std::string("must be ") + std::string(must) + " to be structural");
  };
  forbid("type", "empty");
  forbid("additionalProperties", "undefined");
  forbid("default", "undefined");
  forbid("title", "empty");
  forbid("description", "empty");
  forbid("nullable", "false");
  forbid(kPreserve, "false");
  forbid(kEmbedded, "false");
  forbid(kIntOrString, "false");
  forbid(kListKeys, "empty");
  forbid(kListType, "undefined");
  forbid(kMapType, "undefined");
  if (!rules_allowed) forbid(kRules, "empty");
  if (nested["properties"].has("metadata"))
    errors.forbidden(properties.key("metadata"), "must not be specified in a nested context");
}

void check_metadata_schema(const Path& path, Value schema, bool checked, Level level,
                           FieldErrors& errors) {
  if (checked && schema["type"].as_string() != "object")
    errors.invalid(path.child("type"), schema["type"].str(), "must be object");
  if (level != Level::root) return;
  bool named = !schema["properties"].empty();
  for (const auto& [name, property] : schema["properties"].members())
    named = named && is_one_of(name.as_string(), {"name", "generateName"});
  if (named) schema.erase("properties");
  schema.erase("type");
  schema.erase("default");
  if (!schema.empty())
    errors.forbidden(path,
                     "must not specify anything other than name and generateName, but metadata is "
                     "implicitly specified");
}

void check_invariants(const Path& path, const Value& schema, Level level, FieldErrors& errors) {
  const std::string type = schema["type"].str();
  const Path items = path.child("items"), properties = path.child("properties"),
             additional = path.child("additionalProperties");
  if (type == "array" && schema["items"].is_null()) errors.required(items, "must be specified");
  if (!schema["items"].is_null()) check_invariants(items, schema["items"], Level::item, errors);
  for (const auto& [name, property] : schema["properties"].members())
    check_invariants(properties.key(name.as_string()), property, Level::field, errors);
  const Value& others = schema["additionalProperties"];
  if (!others.is_null() && level == Level::root)
    errors.forbidden(additional, "must not be used at the root");
  if (others.is_object()) check_invariants(additional, others, Level::field, errors);
  const bool either = schema[kIntOrString].as_bool(), preserve = schema[kPreserve].as_bool();
  const bool embedded = schema[kEmbedded].as_bool();
  for (const char* other : {kPreserve, kEmbedded})
    if (either && schema[other].as_bool())
      errors.invalid(path.child(other), true,
                     "must be false if x-kubernetes-int-or-string is true");
  check_junctors(path, schema, is_int_or_string(schema["anyOf"]),
                 is_int_or_string(schema["allOf"][0]["anyOf"]), errors);
  const Path at_type = path.child("type");
  if (embedded && type != "object") {
    constexpr std::string_view must = "must be object if x-kubernetes-embedded-resource is true";
    if (type.empty())
      errors.required(at_type, must);
    else
      errors.invalid(at_type, type, must);
  } else if (type.empty() && !either && !preserve) {
    errors.required(at_type, level == Level::root ? "must not be empty at the root"
                             : level == Level::item
                                 ? "must not be empty for specified array items"
                                 : "must not be empty for specified object fields");
  }
  if (embedded && !others.is_null())
    errors.forbidden(additional, "must not be used if x-kubernetes-embedded-resource is set");
  if (level == Level::root && !type.empty() && type != "object")
    errors.invalid(at_type, type, "must be object at the root");
  const bool top = level == Level::root || embedded;
  for (const char* field : {"kind", "apiVersion"}) {
    const Path property = properties.key(field);
    if (top && schema["properties"].has(field) &&
        schema["properties"][field]["type"].as_string() != "string")
      errors.invalid(property.child("type"), schema["properties"][field]["type"].str(),
                     "must be string");
  }
  if (schema["properties"].has("metadata"))
    check_metadata_schema(properties.key("metadata"), schema["properties"]["metadata"], top, level,
                          errors);
  if (embedded && !preserve && schema["properties"].empty())
    errors.required(properties,
                    "must not be empty if x-kubernetes-embedded-resource is true without "
                    "x-kubernetes-preserve-unknown-fields");
}

// What junctors speak of must be there outside them.
void check_complete(const Path& path, const Value& schema, const Path& at, const Value& junctors,
                    FieldErrors& errors);

void check_nested_complete(const Path& path, const Value& schema, const Path& at,
                           const Value& nested, FieldErrors& errors) {
  if (!schema.is_object()) {
    errors.required(path, "because it is defined in " + at.text());
    return;
  }
  check_complete(path, schema, at, nested, errors);
  if (nested["items"].is_object())
    check_nested_complete(path.child("items"), schema["items"], at.child("items"), nested["items"],
                          errors);
  const Path properties = path.child("properties"), at_properties = at.child("properties");
  for (const auto& [name, property] : nested["properties"].members())
    check_nested_complete(properties.key(name.as_string()), schema["properties"][name.as_string()],
                          at_properties.key(name.as_string()), property, errors);
}

void check_complete(const Path& path, const Value& schema, const Path& at, const Value& junctors,
                    FieldErrors& errors) {
  if (junctors["not"].is_object())
    check_nested_complete(path, schema, at.child("not"), junctors["not"], errors);
  for (const char* junctor : {"allOf", "anyOf", "oneOf"}) {
    const Path list = at.child(junctor);
    for (std::size_t i = 0; i < junctors[junctor].size(); ++i)
      check_nested_complete(path, schema, list.index(i), junctors[junctor][i], errors);
  }
}

template <typename Check>
bool any_schema(const Value& schema, const Check& check) {
  if (!schema.is_object()) return false;
  if (check(schema)) return true;
  for (const char* field : {"items", "not", "additionalProperties", "additionalItems"})
    if (any_schema(schema[field], check)) return true;
  for (const char* field : {"items", "allOf", "anyOf", "oneOf"})
    for (const Value& other : schema[field].elements())
      if (any_schema(other, check)) return true;
  for (const char* field : {"properties", "patternProperties", "definitions", "dependencies"})
    for (const auto& [name, other] : schema[field].members())
      if (any_schema(other, check)) return true;
  return false;
}

bool is_unsupported(const Value& schema) {
  for (const char* field :
       {"id", "$ref", "patternProperties", "definitions", "dependencies", "additionalItems"})
    if (!schema[field].is_null()) return true;
  return schema["items"].is_array() ||
         (!schema["properties"].empty() && schema["additionalProperties"].is_object());
}

// Where a schema stands decides on defaults and metadata.
struct Place {
  bool root = false, in_metadata = false;
  std::string no_defaults;  // why there may be none
};

bool has_line_break(std::string_view text) {
  return text.find_first_of("\n\r") != std::string_view::npos;
}

void check_rules(const Path& path, const Value& schema, FieldErrors& errors) {
  const Path list = path.child(kRules);
  for (std::size_t i = 0; i < schema[kRules].size(); ++i) {
    const Value& rule = schema[kRules][i];
    const Path at = list.index(i);
    const std::string_view text = trim(rule["rule"].as_string()),
                           message = trim(rule["message"].as_string()),
                           field = rule["fieldPath"].as_string();
    if (text.empty())
      errors.required(at.child("rule"), "rule is not specified");
    else if (!empty_text(rule["message"]) && message.empty())
      errors.invalid(at.child("message"), rule["message"], "must be non-empty if specified");
    else if (has_line_break(message))
      errors.invalid(at.child("message"), rule["message"], "must not contain line breaks");
    else if (has_line_break(text) && message.empty())
      errors.required(at.child("message"),
                      "message must be specified if rule contains line breaks");
    if (!empty_text(rule["messageExpression"]) &&
        trim(rule["messageExpression"].as_string()).empty())
      errors.required(at.child("messageExpression"),
                      "messageExpression must be non-empty if specified");
    if (!rule["reason"].is_null())
      check_supported(
          at.child("reason"), rule["reason"],
          {"FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"},
          errors);
    const Path at_field = at.child("fieldPath");
    if (!field.empty() && trim(field).empty())
      errors.invalid(at_field, field, "must be non-empty if specified");
    if (has_line_break(field)) errors.invalid(at_field, field, "must not contain line breaks");
    if (!field.empty() && !find_schema_field(schema, field, true).why_not.empty())
      errors.invalid(at_field, field, "must be a valid path");
  }
}

void check_standard(const Path& path, const Value& schema, const Place& place,
                    FieldErrors& errors) {
  const std::string type = schema["type"].str();
  const std::initializer_list<std::string_view> types = {"array",  "boolean", "integer",
                                                         "number", "object",  "string"};
  if (!type.empty()) check_supported(path.child("type"), type, types, errors);
  if (!schema["default"].is_null() && !place.no_defaults.empty())
    errors.forbidden(path.child("default"), "must not be set " + place.no_defaults);
  for (const char* field :
       {"id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"})
    if (!schema[field].is_null())
      errors.forbidden(path.child(field), std::string(field) + " is not supported");
  if (type == "null")
    errors.forbidden(path.child("type"),
                     "type cannot be set to null, use nullable as an alternative");
  if (schema["items"].is_array() && !schema["items"].empty())
    errors.forbidden(path.child("items"), "items must be a schema object and not an array");
  if (place.in_metadata && schema[kEmbedded].as_bool())
    errors.forbidden(path.child(kEmbedded), "must not be used inside of resource meta");
}

void check_list_and_map(const Path& path, const Value& schema, FieldErrors& errors) {
  const std::string type = schema["type"].str();
  const Path at_type = path.child("type"), at_list = path.child(kListType),
             keys = path.child(kListKeys), items = path.child("items");
  const Path properties = items.child("properties");
  const auto want_type = [&](const char* extension, const std::string& wanted) {
    const std::string must = "must be " + wanted + " if " + extension + " is specified";
    if (type.empty())
      errors.required(at_type, must);
    else
      errors.invalid(at_type, type, must);
  };
  if (!schema[kMapType].is_null()) {
    if (type != "object") want_type(kMapType, "object");
    check_supported(path.child(kMapType), schema[kMapType], {"atomic", "granular"}, errors);
  }
  const Value &list = schema[kListType], &item = schema["items"], &names = schema[kListKeys];
  const std::string kind = list.str();
  if (!list.is_null() && type != "array") {
    want_type(kListType, "array");
  } else if (kind == "set" && item.is_object()) {
    constexpr std::string_view must =
        "must be atomic as item of a list with x-kubernetes-list-type=set";
    const std::string_view item_type = item["type"].as_string();
    if (item_type == "array" && !item[kListType].is_null() &&
        item[kListType].as_string() != "atomic")
      errors.invalid(items.child(kListType), item[kListType], must);
    if (item_type == "object" && item[kMapType].as_string() != "atomic")
      errors.invalid(items.child(kMapType), item[kListType], must);
  }
  if (!list.is_null() && !is_one_of(kind, {"atomic", "set", "map"}))
    errors.not_supported(at_list, kind, {"atomic", "set", "map"});
  if (!names.empty() && kind != "map") {
    constexpr std::string_view must = "must be map if x-kubernetes-list-map-keys is non-empty";
    if (list.is_null())
      errors.required(at_list, must);
    else
      errors.invalid(at_list, list, must);
  }
  if (kind == "map") {
    if (names.empty()) errors.required(keys, "must not be empty if x-kubernetes-list-type is map");
    if (item.is_null())
      errors.required(items, "must have a schema if x-kubernetes-list-type is map");
    if (item.is_object() && item["type"].as_string() != "object")
      errors.invalid(items.child("type"), item["type"].str(),
                     "must be object if parent array's x-kubernetes-list-type is map");
    std::set<std::string> seen;
    if (item["type"].as_string() == "object")
      for (const Value& name : names.elements()) {
        const Value& property = item["properties"][name.as_string()];
        const Path at = properties.key(name.as_string());
        if (property.is_null())
          errors.invalid(keys, names, "entries must all be names of item properties");
        else if (is_one_of(text_of(property, "type"), {"array", "object"}))
          errors.invalid(at.child("type"), item["type"],
                         "must be a scalar type if parent array's x-kubernetes-list-type is map");
        if (!seen.insert(name.str()).second)
          errors.invalid(keys, names, "must not contain duplicate entries");
      }
  }
  if (!item.is_object() || (kind != "set" && kind != "map")) return;
  if (item["nullable"].as_bool())
    errors.forbidden(items.child("nullable"),
                     "cannot be nullable when x-kubernetes-list-type is " + kind);
  if (kind != "map") return;
  const auto& required = item["required"].elements();
  for (const Value& name : names.elements()) {
    const Value& property = item["properties"][name.as_string()];
    const Path at = properties.key(name.as_string());
    if (property.is_null()) continue;
    if (std::find(required.begin(), required.end(), name) == required.end() &&
        property["default"].is_null())
      errors.required(at.child("default"),
                      "this property is in x-kubernetes-list-map-keys, so it must have a default "
                      "or be a required property");
    if (property["nullable"].as_bool())
      errors.forbidden(at.child("nullable"),
                       "this property is in x-kubernetes-list-map-keys, so it cannot be nullable");
  }
}

// Where rules stand: in a schema that is structural, outside of junctors.
struct RuleScope {
  RuleCheck* check = nullptr;  // null: rules are not looked at here
  FieldErrors* errors = nullptr;
  RuleCheck::Place place;

  RuleScope below(const Value& schema) const {
    RuleScope child = *this;
    if (check) child.place = RuleCheck::below(place, schema);
    return child;
  }
};

void check_schema(const Path& path, const Value& schema, const Place& place, const RuleScope& rules,
                  FieldErrors& errors) {
  if (!schema.is_object()) return;
  const std::size_t errors_before = errors.size();
  const RuleScope child_rules = rules.below(schema);
  const RuleScope no_rules;
  Place inside = place;
  inside.root = false;
  check_standard(path, schema, place, errors);
  if (schema["uniqueItems"].as_bool())
    errors.forbidden(path.child("uniqueItems"),
                     "uniqueItems cannot be set to true since the runtime complexity becomes "
                     "quadratic");
  const Value &properties = schema["properties"], &others = schema["additionalProperties"];
  if (!others.is_null()) {
    const Path at = path.child("additionalProperties");
    if (!properties.empty() && !(others == Value(true)))
      errors.forbidden(at, "additionalProperties and properties are mutual exclusive");
    Place there = inside;
    if (there.in_metadata)
      there.no_defaults = "inside additionalProperties applying to object metadata";
    check_schema(at, others, there, child_rules, errors);
  }
  const Path at_properties = path.child("properties");
  for (const auto& [key, property] : properties.members()) {
    const std::string name = key.str();
    Place there = inside;
    if ((place.root || schema[kEmbedded].as_bool()) &&
        is_one_of(name, {"metadata", "kind", "apiVersion"})) {
      there.in_metadata = true;
      if (place.root) there.no_defaults = "in top-level " + name;
    }
    check_schema(at_properties.key(name), property, there, child_rules, errors);
  }
  check_schema(path.child("not"), schema["not"], inside, no_rules, errors);
  for (const char* junctor : {"allOf", "oneOf", "anyOf"}) {
    const Path list = path.child(junctor);
    for (std::size_t i = 0; i < schema[junctor].size(); ++i)
      check_schema(list.index(i), schema[junctor][i], inside, no_rules, errors);
  }
  const Path definitions = path.child("definitions"), items = path.child("items"),
             dependencies = path.child("dependencies");
  for (const auto& [name, other] : schema["definitions"].members())
    check_schema(definitions.key(name.as_string()), other, inside, no_rules, errors);
  // Only items of lists of type map can be matched with what they were before.
  RuleScope item_rules = child_rules;
  const std::string uncorrelatable = path.text();
  if (schema[kListType].as_string() != "map" && !item_rules.place.uncorrelatable)
    item_rules.place.uncorrelatable = &uncorrelatable;
  check_schema(items, schema["items"], inside, item_rules, errors);
  for (std::size_t i = 0; schema["items"].is_array() && i < schema["items"].size(); ++i)
    check_schema(items.index(i), schema["items"][i], inside, item_rules, errors);
  for (const auto& [name, other] : schema["dependencies"].members())
    check_schema(dependencies.key(name.as_string()), other, inside, no_rules, errors);
  if (schema[kPreserve] == Value(false))
    errors.invalid(path.child(kPreserve), false, "must be true or undefined");
  check_list_and_map(path, schema, errors);
  check_rules(path, schema, errors);
  if (rules.check && errors.size() == errors_before)
    rules.check->check(path, schema, rules.place, place.root, *rules.errors);
}

// With a status subresource, only a few things may stand at the root.
void check_root(const Path& path, const Value& schema, FieldErrors& errors) {
  static const std::initializer_list<std::string_view> allowed = {
      "description",      "type",     "format",           "title",        "maximum",
      "exclusiveMaximum", "minimum",  "exclusiveMinimum", "maxLength",    "minLength",
      "pattern",          "maxItems", "minItems",         "uniqueItems",  "multipleOf",
      "required",         "items",    "properties",       "externalDocs", "example",
      kPreserve,          kRules};
  if (schema["type"].as_string() != "object" && !empty_text(schema["type"])) {
    errors.invalid(path.child("type"), schema["type"],
                   "only \"object\" is allowed as the type at the root of the schema if the status "
                   "subresource is enabled");
    return;
  }
  for (const auto& [name, value] : schema.members())
    if (!is_one_of(name.as_string(), allowed)) {
      errors.invalid(path, schema,
                     "only [Description Type Format Title Maximum ExclusiveMaximum Minimum "
                     "ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems "
                     "MultipleOf Required Items Properties ExternalDocs Example "
                     "XPreserveUnknownFields XValidations] fields are allowed at the root of the "
                     "schema if the status subresource is enabled");
      return;
    }
}

// The parts of ".a['b.c']": ".", "a", "[", "'b.c'", "]".
std::vector<std::string> path_tokens(std::string_view path) {
  std::vector<std::string> tokens;
  while (!path.empty()) {
    std::size_t end = 1;
    if (path[0] == '\'') {
      while (end < path.size() && (path[end] != '\'' || path[end - 1] == '\\')) ++end;
      end = std::min(end + 1, path.size());
    } else if (path[0] != '.' && path[0] != '[' && path[0] != ']') {
      end = std::min(path.find_first_of(".[]"), path.size());
    }
    tokens.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return tokens;
}

}  // namespace

void check_custom_validation(const Path& path, const Value& validation, bool status,
                             FieldErrors& errors) {
  const Value& schema = validation["openAPIV3Schema"];
  if (schema.is_null()) return;
  const Path at = path.child("openAPIV3Schema");
  if (status) check_root(at, schema, errors);
  if (schema["nullable"].as_bool())
    errors.forbidden(at.child("nullable"), "nullable cannot be true at the root");
  FieldErrors rule_errors;
  RuleCheck rule_check;
  RuleScope rules;
  if (!any_schema(schema, is_unsupported)) {
    FieldErrors found;
    check_invariants(at, schema, Level::root, found);
    check_complete(at, schema, at, schema, found);
    std::vector<FieldError> sorted = found.list();
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const FieldError& a, const FieldError& b) { return a.text() < b.text(); });
    for (FieldError& error : sorted) errors.add(std::move(error));
    if (found.empty()) {
      rules = {&rule_check, &rule_errors, {}};
      check_schema_defaults(at, schema, errors);
    }
  }
  Place place;
  place.root = true;
  check_schema(at, schema, place, rules, errors);
  errors.add(std::move(rule_errors));
  if (rules.check) rule_check.check_total(at, errors);
}

bool schema_has_defaults(const Value& schema) {
  return any_schema(schema, [](const Value& s) { return !s["default"].is_null(); });
}

SchemaField find_schema_field(const Value& schema, std::string_view path, bool brackets) {
  SchemaField found;
  found.schema = schema;
  const auto tokens = path_tokens(path);
  const auto refuse = [&](const std::string& why) {
    found.why_not = why;
    return found;
  };
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] != "." && tokens[i] != "[")
      return refuse("expected [ or . but got: " + tokens[i]);
    const bool bracket = tokens[i] == "[";
    if (bracket && !brackets) return refuse("array notation is not allowed");
    if (++i == tokens.size()) return refuse("unexpected end of JSON path");
    std::string name = tokens[i];
    if (bracket) {
      if (name.size() < 2 || name.front() != '\'' || name.back() != '\'')
        return refuse("expected single quoted string but got " + name);
      name = name.substr(1, name.size() - 2);
    }
    const Value& properties = found.schema["properties"];
    if (!properties.is_null()) {
      if (!properties.has(name)) return refuse("does not refer to a valid field");
      const Value next = properties[name];
      found.schema = next;
      found.path += (found.path.empty() ? "" : ".") + name;
    } else if (!found.schema["additionalProperties"].is_null()) {
      const Value next = found.schema["additionalProperties"];
      found.schema = next;
      found.path += '[' + name + ']';
    } else {
      return refuse("does not refer to a valid field");
    }
    if (found.root.empty()) found.root = name;
    if (!bracket) continue;
    if (++i == tokens.size()) return refuse("unexpected end of JSON path");
    if (tokens[i] != "]") return refuse("expected ] but got " + tokens[i]);
  }
  return found;
}

}  // namespace keelson::model
