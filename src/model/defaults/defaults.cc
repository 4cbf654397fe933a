// The walk. Which types need a visit is computed once, so that most of an object is passed over.
#include <unordered_map>

#include "codec/schema.h"
#include "model/defaults/rules.h"
#include "model/scheme.h"
#include "model/structural_schema.h"
#include "model/types_parse.h"

namespace keelson::model {

bool is_unset(const codec::Value& value) {
  using Kind = codec::Value::Kind;
  switch (value.kind()) {
    case Kind::null: return true;
    case Kind::boolean: return !value.as_bool();
    case Kind::integer:
    case Kind::number: return value.as_double() == 0;
    case Kind::string: return value.as_string().empty();
    case Kind::array:
    case Kind::object: return value.empty();
  }
  return false;
}

void default_to(codec::Value& object, std::string_view key, codec::Value value) {
  if (object[key].is_null()) object.set(key, std::move(value));
}

void default_empty_to(codec::Value& object, std::string_view key, codec::Value value) {
  if (is_unset(object[key])) object.set(key, std::move(value));
}

namespace {

using codec::Field;
using codec::Shape;
using codec::Type;
using codec::Value;

struct Visit {
  void (*apply)(Value&) = nullptr;
  std::vector<const Field*> defaults, inner;
  bool needed = false;
};
using Visits = std::unordered_map<const Type*, Visit>;  // looked up only, never walked

bool needs(const Visits& visits, const Type* type) {
  const auto found = visits.find(type);
  return found != visits.end() && found->second.needed;
}

Visits make_visits() {
  const BuiltinTypes& all = builtin_types();
  Visits visits;
  for (const DefaultRules& rules :
       {core_defaults(), pod_defaults(), apps_defaults(), batch_defaults(), network_defaults(),
        autoscaling_defaults(), storage_defaults(), admission_defaults(), other_defaults()})
    for (const DefaultRule& rule : rules) {
      const auto type = all.types.find(rule.type);
      KEELSON_CHECK(type != all.types.end());
      Visit& visit = visits[type->second];
      visit.apply = rule.apply;
      visit.needed = true;
    }
  for (const Type& type : all.arena)
    for (const Field& f : type.fields)
      // The zero of a value without a presence only completes keys for apply.
      if (!f.default_value.is_null() && (f.pointer || !is_unset(f.default_value))) {
        visits[&type].defaults.push_back(&f);
        visits[&type].needed = true;
      }
  // A type is needed if one within it is; types form cycles, so until nothing changes.
  for (bool changed = true; changed;) {
    changed = false;
    for (const Type& type : all.arena) {
      if (needs(visits, &type)) continue;
      bool needed = type.element.type != nullptr && needs(visits, type.element.type);
      for (const Field& f : type.fields) needed = needed || needs(visits, f.type);
      if (!needed) continue;
      visits[&type].needed = changed = true;
    }
  }
  for (const Type& type : all.arena)
    for (const Field& f : type.fields)
      if (needs(visits, f.type)) visits[&type].inner.push_back(&f);
  return visits;
}

// Parts that have their defaults already stay shared with whoever else holds them.
void walk(const Visits& visits, const Type& type, Value& value) {
  const auto found = visits.find(&type);
  if (found == visits.end() || !found->second.needed) return;
  const Visit& visit = found->second;
  if (visit.apply != nullptr) visit.apply(value);
  // Null if nothing changed.
  const auto walked = [&](const Type& inner, const Value& before) -> Value {
    Value after = before;
    walk(visits, inner, after);
    return after.same_node(before) ? Value() : after;
  };
  if (type.shape == Shape::list) {
    for (std::size_t i = 0; i < value.size(); ++i)
      if (Value changed = walked(*type.element.type, value[i]); !changed.is_null())
        value.edit(i) = std::move(changed);
    return;
  }
  if (!value.is_object()) return;
  if (type.shape == Shape::map) {
    if (!needs(visits, type.element.type)) return;
    std::vector<codec::Member> all;
    for (const codec::Member& member : value.members())
      if (Value changed = walked(*type.element.type, member.value); !changed.is_null())
        all.push_back({member.key_value, std::move(changed)});
    for (codec::Member& member : all) value.set(member.key(), std::move(member.value));
    return;
  }
  for (const Field* f : visit.defaults) {
    const Value& present = value[f->name];
    if (f->pointer ? present.is_null() : is_unset(present)) value.set(f->name, f->default_value);
  }
  for (const Field* f : visit.inner)
    if (const Value* member = value.find(f->name); member != nullptr && !member->is_null())
      if (Value changed = walked(*f->type, *member); !changed.is_null())
        value.set(f->name, std::move(changed));
}

}  // namespace

void apply_defaults(const Resource& resource, Value& object) {
  if (resource.custom) {
    // What claims to be something else is left for validation to refuse.
    if (object["kind"].as_string() == resource.kind &&
        object["apiVersion"].as_string() == resource.api_version())
      default_custom(resource.schema, object);
    return;
  }
  static const Visits visits = make_visits();
  walk(visits, *resource.type, object);
}

}  // namespace keelson::model
