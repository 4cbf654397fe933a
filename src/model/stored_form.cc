// What storing an object and reading it again makes of it. Go tells a list that was sent empty from
// one that was not sent; validation and field owners see the difference, the stored form has none.
#include <algorithm>

#include "model/fields_present.h"
#include "model/scheme.h"

namespace keelson::model {
namespace {

using codec::Field;
using codec::Shape;
using codec::Type;
using codec::Value;

bool holds_empty_list(const Type& type, const Value& value) {
  const auto of_element = [&](const Value& element) {
    return holds_empty_list(*type.element.type, element);
  };
  switch (type.shape) {
    case Shape::scalar:
    case Shape::any: return false;
    case Shape::list:
      if (type.element.type->shape == Shape::scalar) return false;
      return std::any_of(value.elements().begin(), value.elements().end(), of_element);
    case Shape::map:
      if (type.element.type->shape == Shape::scalar) return false;
      return std::any_of(value.members().begin(), value.members().end(),
                         [&](const codec::Member& m) { return of_element(m.value); });
    case Shape::structure: break;
  }
  const FieldsPresent present(type, value);
  for (std::size_t i = 0; i < type.fields.size(); ++i) {
    if (present[i] == nullptr) continue;
    const Type& inner = *type.fields[i].type;
    const Value& member = present[i]->value;
    if ((inner.shape == Shape::list && member.is_array() && member.empty()) ||
        holds_empty_list(inner, member))
      return true;
  }
  return false;
}

void forget(const Type& type, Value& value, bool keeps_served) {
  if (!holds_empty_list(type, value)) return;
  if (type.shape == Shape::list) {
    for (Value& element : value.edit_elements()) forget(*type.element.type, element, keeps_served);
  } else if (type.shape == Shape::map) {
    for (const codec::Member& member : std::vector<codec::Member>(value.members()))
      forget(*type.element.type, value.edit(member.key()), keeps_served);
  }
  if (type.shape != Shape::structure) return;
  for (const Field& field : type.fields) {
    const Value* member = value.find(field.name);
    if (member == nullptr) continue;
    const bool is_empty_list =
        field.type->shape == Shape::list && member->is_array() && member->empty();
    if (!is_empty_list)
      forget(*field.type, value.edit(field.name), keeps_served);
    else if (!field.keep_empty)
      value.erase(field.name);
    else if (!keeps_served)
      value.set(field.name, Value());
  }
}

}  // namespace

void drop_old_topology(Value& slice) {
  for (std::size_t i = 0; i < slice["endpoints"].size(); ++i)
    if (slice["endpoints"][i].has("deprecatedTopology"))
      slice.edit("endpoints").edit(i).erase("deprecatedTopology");
}

void take_stored_form(const Resource& resource, Value& object) {
  if (resource.custom) return;
  // A default that depends on what the strategy adds, so that only reading finds it.
  if (resource.name() == "jobs.batch" && object["metadata"]["labels"].empty())
    if (const Value labels = object["spec"]["template"]["metadata"]["labels"]; !labels.empty())
      object.edit("metadata").set("labels", labels);
  // A default that was once given where it says nothing; readers do not see it.
  if (resource.name() == "services" && object["spec"]["type"].as_string() == "ExternalName")
    object.edit("spec").erase("internalTrafficPolicy");
  // These two groups are stored as JSON, the others as protobuf.
  const bool as_json =
      resource.group == "apiextensions.k8s.io" || resource.group == "apiregistration.k8s.io";
  forget(*resource.type, object, as_json);
}

}  // namespace keelson::model
