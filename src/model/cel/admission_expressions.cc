#include "model/cel/admission_expressions.h"

#include <algorithm>

#include "base/text.h"
#include "model/cel/authorizer.h"
#include "model/cel/library.h"

namespace keelson::model {

namespace {

using codec::cel::bool_type;
using codec::cel::dyn_type;
using codec::cel::Environment;
using codec::cel::int_type;
using codec::cel::list_of;
using codec::cel::map_of;
using codec::cel::Program;
using codec::cel::string_type;
using codec::cel::timestamp_type;
using codec::cel::Type;
using codec::cel::TypePtr;

TypePtr object_of(std::string name, std::initializer_list<std::pair<const char*, TypePtr>> fields) {
  Type type;
  type.kind = Type::Kind::object;
  type.name = std::move(name);
  for (const auto& [field, field_type] : fields) type.fields.emplace(field, field_type);
  return std::make_shared<const Type>(std::move(type));
}

const TypePtr& request_type() {
  static const TypePtr type = [] {
    const TypePtr text = string_type();
    const TypePtr kind = object_of("kubernetes.GroupVersionKind",
                                   {{"group", text}, {"version", text}, {"kind", text}});
    const TypePtr resource = object_of("kubernetes.GroupVersionResource",
                                       {{"group", text}, {"version", text}, {"resource", text}});
    const TypePtr user = object_of("kubernetes.UserInfo", {{"username", text},
                                                           {"uid", text},
                                                           {"groups", list_of(text)},
                                                           {"extra", map_of(text, list_of(text))}});
    return object_of("kubernetes.AdmissionRequest", {{"kind", kind},
                                                     {"resource", resource},
                                                     {"subResource", text},
                                                     {"requestKind", kind},
                                                     {"requestResource", resource},
                                                     {"requestSubResource", text},
                                                     {"name", text},
                                                     {"namespace", text},
                                                     {"operation", text},
                                                     {"userInfo", user},
                                                     {"dryRun", bool_type()},
                                                     {"options", dyn_type()}});
  }();
  return type;
}

const TypePtr& namespace_type() {
  static const TypePtr type = [] {
    const TypePtr text = string_type(), texts = list_of(text), time = timestamp_type();
    const TypePtr metadata =
        object_of("kubernetes.NamespaceMetadata", {{"name", text},
                                                   {"generateName", text},
                                                   {"namespace", text},
                                                   {"labels", map_of(text, text)},
                                                   {"annotations", map_of(text, text)},
                                                   {"UID", text},
                                                   {"creationTimestamp", time},
                                                   {"deletionGracePeriodSeconds", int_type()},
                                                   {"deletionTimestamp", time},
                                                   {"generation", int_type()},
                                                   {"resourceVersion", text},
                                                   {"finalizers", texts}});
    const TypePtr condition =
        object_of("kubernetes.NamespaceCondition", {{"status", text},
                                                    {"type", text},
                                                    {"lastTransitionTime", time},
                                                    {"message", text},
                                                    {"reason", text}});
    return object_of(
        "kubernetes.Namespace",
        {{"metadata", metadata},
         {"spec", object_of("kubernetes.NamespaceSpec", {{"finalizers", texts}})},
         {"status", object_of("kubernetes.NamespaceStatus",
                              {{"conditions", list_of(condition)}, {"phase", text}})}});
  }();
  return type;
}

// Object, Object.spec, Object.spec.template ...: whatever an expression names. JSONPatch is one
// operation of a JSON patch.
TypePtr patch_type(std::string_view name) {
  static const TypePtr patch = object_of("JSONPatch", {{"op", string_type()},
                                                       {"path", string_type()},
                                                       {"from", string_type()},
                                                       {"value", dyn_type()}});
  if (name == "JSONPatch") return patch;
  if (name != "Object" && !name.starts_with("Object.")) return nullptr;
  Type type;
  type.kind = Type::Kind::object;
  type.name = name;
  type.open = true;
  return std::make_shared<const Type>(std::move(type));
}

// As messages about results name types: "google.protobuf.Timestamp", "list(int)".
std::string plain_name(const Type& type) {
  std::string text = type.name;
  for (std::size_t i = 0; i < type.parameters.size(); ++i)
    text += (i == 0 ? "(" : ", ") + plain_name(*type.parameters[i]);
  return type.parameters.empty() ? text : text + ")";
}

}  // namespace

Environment admission_environment(const AdmissionScope& scope) {
  Environment environment;
  environment.library = scope.patches ? cel_mutation_library() : cel_library();
  // What is not there has a name that nobody can write, so that the order stays.
  const auto declare = [&](bool there, const char* name, const TypePtr& type) {
    environment.variables.push_back({there ? name : "", type});
  };
  const TypePtr& object = scope.object_type ? scope.object_type : dyn_type();
  declare(true, "object", object);
  declare(true, "oldObject", object);
  declare(true, "namespaceObject", namespace_type());
  declare(true, "request", request_type());
  declare(scope.params, "params", scope.params_type ? scope.params_type : dyn_type());
  declare(scope.authorizer, "authorizer", cel_authorizer_type());
  declare(scope.authorizer, "authorizer.requestResource", cel_resource_check_type());
  Type composed;
  composed.kind = Type::Kind::object;
  composed.name = "kubernetes.variables";
  if (scope.variables)
    for (const auto& [name, type] : *scope.variables) composed.fields[name] = type;
  declare(scope.variables != nullptr, "variables",
          std::make_shared<const Type>(std::move(composed)));
  if (scope.patches) environment.find_object = patch_type;
  return environment;
}

AdmissionExpression compile_admission(std::string_view text, const AdmissionScope& scope,
                                      const std::vector<std::string>& results) {
  AdmissionExpression expression;
  const auto checked = codec::cel::check(text, admission_environment(scope));
  if (!checked.ok()) {
    expression.error = "compilation failed: " + checked.error().message;
    return expression;
  }
  expression.type = codec::cel::output_type(**checked);
  const std::string got = plain_name(*expression.type);
  if (!results.empty() && std::find(results.begin(), results.end(), got) == results.end()) {
    expression.error = results.size() == 1
                           ? "must evaluate to " + results[0] + " but got " + got
                           : "must evaluate to one of [" + join(results, " ") + "] but got " + got;
    return expression;
  }
  Result<Program> program = codec::cel::plan(*checked);
  if (!program.ok()) {
    expression.error = "program instantiation failed: " + program.error().message;
    expression.internal = true;
    return expression;
  }
  expression.program = std::make_shared<const Program>(std::move(*program));
  return expression;
}

}  // namespace keelson::model
