#include "model/cel/policy_types.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "codec/cel/json_datum.h"
#include "model/cel/admission_expressions.h"
#include "model/custom/rule_types.h"
#include "model/meta.h"

namespace keelson::model {

namespace {

using codec::Value;
using codec::cel::Type;
using codec::cel::TypePtr;

constexpr std::size_t kTypesMax = 10;

TypePtr scalar_type(codec::Scalar scalar) {
  switch (scalar) {
    case codec::Scalar::string:
    case codec::Scalar::duration: return codec::cel::string_type();
    case codec::Scalar::boolean: return codec::cel::bool_type();
    case codec::Scalar::int32:
    case codec::Scalar::int64: return codec::cel::int_type();
    case codec::Scalar::float64: return codec::cel::double_type();
    case codec::Scalar::bytes: return codec::cel::bytes_type();
    case codec::Scalar::time:
    case codec::Scalar::micro_time: return codec::cel::timestamp_type();
    case codec::Scalar::quantity:
    case codec::Scalar::int_or_string: break;
  }
  return codec::cel::dyn_type();
}

// The type of built-in objects; `within` are the structures that we are inside of, since a type may
// contain itself.
TypePtr type_of(const codec::Type& type, const std::string& name,
                std::vector<const codec::Type*>& within) {
  if (type.shape == codec::Shape::scalar) return scalar_type(type.scalar);
  if (type.shape == codec::Shape::any || type.preserve_unknown ||
      std::find(within.begin(), within.end(), &type) != within.end())
    return codec::cel::dyn_type();
  within.push_back(&type);
  TypePtr made;
  if (type.shape == codec::Shape::list) {
    made = codec::cel::list_of(type_of(*type.element.type, name + ".@idx", within));
  } else if (type.shape == codec::Shape::map) {
    made = codec::cel::map_of(codec::cel::string_type(),
                              type_of(*type.element.type, name + ".@elem", within));
  } else {
    Type object;
    object.kind = Type::Kind::object;
    object.name = name;
    if (type.has_kind)
      for (const char* field : {"kind", "apiVersion"})
        object.fields.emplace(field, codec::cel::string_type());
    for (const codec::Field& field : type.fields)
      if (std::string key; codec::cel::escape_name(field.name, key) && field.type != nullptr)
        object.fields.emplace(key, type_of(*field.type, name + "." + key, within));
    made = std::make_shared<const Type>(std::move(object));
  }
  within.pop_back();
  return made;
}

TypePtr type_of(const Resource& resource, const TypeTable& types) {
  std::vector<const codec::Type*> within;
  if (!resource.custom)
    return resource.type == nullptr ? nullptr : type_of(*resource.type, resource.kind, within);
  const TypePtr known = rule_type(resource.schema, resource.kind, true);
  if (!known) return nullptr;
  // Its metadata is that of every object.
  Type object = *known;
  if (const auto* meta = types.type("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"))
    object.fields["metadata"] = type_of(*meta, resource.kind + ".metadata", within);
  return std::make_shared<const Type>(std::move(object));
}

// The words of a rule without subresources; none at all where one is a wildcard.
std::vector<std::string> words_of(const Value& list, bool resources) {
  std::vector<std::string> out;
  for (const Value& one : list.elements()) {
    const std::string word = one.str();
    const bool any = word.find('*') != std::string::npos;
    if (resources && (any || word.find('/') != std::string::npos)) continue;
    if (any) return {};
    out.push_back(word);
  }
  std::sort(out.begin(), out.end());
  return out;
}

struct Kind {
  std::string group, version, kind;
  auto operator<=>(const Kind&) const = default;
  std::string text() const {
    return (group.empty() ? version : group + "/" + version) + ", Kind=" + kind;
  }
};

std::map<Kind, ResourcePointer> kinds_of(const Value& rules, const TypeTable& types) {
  std::map<Kind, ResourcePointer> out;
  for (const Value& rule : rules.elements()) {
    std::size_t count = 0;
    for (const std::string& group : words_of(rule["apiGroups"], false))
      for (const std::string& version : words_of(rule["apiVersions"], false))
        for (const std::string& plural : words_of(rule["resources"], true)) {
          const ResourcePointer found = types.find(group, version, plural);
          if (!found) continue;
          out.emplace(Kind{group, version, found->kind}, found);
          if (++count == kTypesMax) return out;
        }
  }
  return out;
}

// What is wrong with an expression about objects of one type; empty: nothing.
std::string fault_of(const Value& expression, const Value& variables, AdmissionScope scope) {
  ComposedVariables composed;
  scope.variables = &composed;
  for (const Value& one : variables.elements()) {
    const AdmissionExpression made = compile_admission(one["expression"].as_string(), scope, {});
    composed.emplace_back(one["name"].str(), made.type ? made.type : codec::cel::dyn_type());
  }
  const auto checked = codec::cel::check(expression.as_string(), admission_environment(scope));
  return checked.ok() ? "" : checked.error().message;
}

}  // namespace

std::vector<ExpressionWarning> check_policy_types(const Value& policy, const TypeTable& types) {
  const Value& spec = policy["spec"];
  std::vector<std::pair<Kind, TypePtr>> objects;
  for (const auto& [kind, resource] : kinds_of(spec["matchConstraints"]["resourceRules"], types))
    if (TypePtr type = type_of(*resource, types)) objects.emplace_back(kind, std::move(type));
  AdmissionScope scope;
  scope.authorizer = true;
  scope.params = !spec["paramKind"].is_null();
  if (scope.params) {
    const GroupVersion version = group_version_of(spec["paramKind"]["apiVersion"].as_string());
    if (const ResourcePointer found =
            types.find_kind(version.group, version.version, spec["paramKind"]["kind"].as_string()))
      scope.params_type = type_of(*found, types);
  }
  std::vector<ExpressionWarning> out;
  const auto look = [&](const Value& expression, std::string field) {
    std::vector<std::string> faults;
    for (const auto& [kind, type] : objects) {
      scope.object_type = type;
      const std::string fault = fault_of(expression, spec["variables"], scope);
      if (!fault.empty()) faults.push_back(kind.text() + ": " + fault + "\n");
    }
    if (!faults.empty()) out.push_back({std::move(field), join(faults, "\n")});
  };
  const auto& validations = spec["validations"].elements();
  for (std::size_t i = 0; i < validations.size(); ++i) {
    const std::string at = "spec.validations[" + std::to_string(i) + "].";
    look(validations[i]["expression"], at + "expression");
    if (const Value& message = validations[i]["messageExpression"]; !message.as_string().empty())
      look(message, at + "messageExpression");
  }
  return out;
}

}  // namespace keelson::model
