#include "model/custom/object_check.h"

#include <algorithm>
#include <climits>
#include <map>
#include <set>

#include "base/text.h"
#include "codec/go_text.h"
#include "codec/json.h"
#include "model/custom/metadata.h"
#include "model/custom/schema_check.h"
#include "model/validation/common.h"

namespace keelson::model {
namespace {

using codec::Member;
using codec::Value;

bool check_type(const Resource& resource, const Value& object, FieldErrors& errors) {
  const std::size_t before = errors.size();
  if (object["kind"].as_string() != resource.kind)
    errors.invalid(Path("kind"), object["kind"].str(), "must be " + resource.kind);
  if (object["apiVersion"].as_string() != resource.api_version())
    errors.invalid(Path("apiVersion"), object["apiVersion"].str(),
                   "must be " + resource.api_version());
  return errors.size() == before;
}

// What every update is checked for before the kind's own rules look at the same metadata again.
FieldErrors check_any_update(const Resource& resource, const Value& object, const Value& old) {
  FieldErrors errors;
  const Path metadata("metadata");
  check_metadata(object["metadata"], resource.namespaced, path_segment_name, metadata, errors);
  check_metadata_update(object["metadata"], old["metadata"], metadata, errors);
  return errors;
}

// --- the fields behind a Scale ---

// The value at ".a.b"; `problem` is what Kubernetes says if something on the way is no object.
const Value* find_path(const Value& object, std::string_view path, std::string& problem) {
  static const Value none;
  if (path.starts_with('.')) path.remove_prefix(1);
  const Value* at = &object;
  std::string passed;
  const std::string whole = '.' + std::string(path);
  for (const std::string& name : split(path, '.')) {
    if (at->is_null()) return nullptr;
    if (!at->is_object()) {
      problem = whole + " accessor error: " + codec::go_text(*at) + " is of the type " +
                std::string(codec::go_type(*at)) + ", expected map[string]interface{}";
      return nullptr;
    }
    const Value* next = at->find(name);
    if (next == nullptr) return nullptr;
    at = next;
  }
  return at;
}

std::string wrong_type(std::string_view path, const Value& value, std::string_view wanted) {
  return std::string(path.starts_with('.') ? "" : ".") + std::string(path) +
         " accessor error: " + codec::go_text(value) + " is of the type " +
         std::string(codec::go_type(value)) + ", expected " + std::string(wanted);
}

void check_replicas(const Value& object, const Value& declared, FieldErrors& errors) {
  const std::string_view path = declared.as_string();
  std::string problem;
  const Value* found = find_path(object, path, problem);
  if (problem.empty() && found != nullptr && !found->is_integer())
    problem = wrong_type(path, *found, "int64");
  const std::int64_t count = found != nullptr ? found->as_int() : 0;
  const Path at(path);
  if (!problem.empty())
    errors.invalid(at, 0, problem);
  else if (count < 0)
    errors.invalid(at, count, "should be a non-negative integer");
  else if (count > INT_MAX)
    errors.invalid(at, count, "should be less than or equal to " + std::to_string(INT_MAX));
}

void check_scale_status(const Resource& resource, const Value& object, FieldErrors& errors) {
  const Value& scale = resource.definition["subresources"]["scale"];
  if (scale.is_null()) return;
  check_replicas(object, scale["statusReplicasPath"], errors);
  const std::string_view path = scale["labelSelectorPath"].as_string();
  if (path.empty()) return;
  std::string problem;
  const Value* found = find_path(object, path, problem);
  if (problem.empty() && found != nullptr && !found->is_string())
    problem = wrong_type(path, *found, "string");
  if (!problem.empty()) errors.invalid(Path(path), "", problem);
}

void check_scale(const Resource& resource, const Value& object, FieldErrors& errors) {
  const Value& scale = resource.definition["subresources"]["scale"];
  if (scale.is_null()) return;
  check_replicas(object, scale["specReplicasPath"], errors);
  check_scale_status(resource, object, errors);
}

// --- lists of type set and map ---

// Places of items that repeat an earlier one, each once.
std::vector<std::size_t> repeated(const codec::Array& items) {
  std::vector<std::size_t> out;
  std::map<std::string, int> seen;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (++seen[codec::to_json(items[i])] == 2) out.push_back(i);
  return out;
}

class ListTypes {
 public:
  explicit ListTypes(FieldErrors& errors) : errors_(errors) {}

  void check(const Value& schema, const Value& value, const std::string& at) {
    if (value.is_array()) {
      const std::string_view type = schema["x-kubernetes-list-type"].as_string();
      if (type == "set")
        for (const std::size_t i : repeated(value.elements())) duplicate(at, i, value[i]);
      if (type == "map") check_map(schema, value, at);
      if (schema["items"].is_object())
        for (std::size_t i = 0; i < value.size(); ++i)
          check(schema["items"], value[i], at + '[' + std::to_string(i) + ']');
    } else if (value.is_object()) {
      const Value &properties = schema["properties"], &others = schema["additionalProperties"];
      for (const Member& member : value.members()) {
        if (!member.value.is_object() && !member.value.is_array()) continue;
        if (others.is_object())
          check(others, member.value, at + '[' + std::string(member.key()) + ']');
        if (const Value* inner = properties.find(member.key()))
          check(*inner, member.value, (at.empty() ? at : at + '.') + std::string(member.key()));
      }
    }
  }

 private:
  void duplicate(const std::string& at, std::size_t i, Value value) {
    const Path list(at);
    errors_.duplicate(list.index(i), std::move(value));
  }

  void check_map(const Value& schema, const Value& list, const std::string& at) {
    codec::Array keys;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!list[i].is_null() && !list[i].is_object()) {
        const Path path(at);
        errors_.invalid(path.index(i), list[i], "must be an object for an array of list-type map");
        return;
      }
      Value key = Value::object();
      for (const Value& name : schema["x-kubernetes-list-map-keys"].elements())
        if (const Value* found = list[i].find(name.as_string())) key.set(name.as_string(), *found);
      keys.push_back(std::move(key));
    }
    for (const std::size_t i : repeated(keys)) duplicate(at, i, keys[i]);
  }

  FieldErrors& errors_;
};

bool has_list_fault(const Resource& resource, const Value& object) {
  FieldErrors errors;
  check_list_types(resource.schema, object, errors);
  return !errors.empty();
}

}  // namespace

void check_list_types(const Value& schema, const Value& value, FieldErrors& errors) {
  ListTypes(errors).check(schema, value, "");
}

FieldErrors check_custom_create(const Resource& resource, const Value& object) {
  FieldErrors errors;
  if (!check_type(resource, object, errors)) return errors;
  const Path metadata("metadata");
  check_metadata(object["metadata"], resource.namespaced, subdomain_name, metadata, errors);
  check_against_schema(resource.schema, object, "", errors);
  check_scale(resource, object, errors);
  check_embedded(resource.schema, object, "", errors);
  check_list_types(resource.schema, object, errors);
  return errors;
}

FieldErrors check_custom_update(const Resource& resource, const Value& object, const Value& old) {
  FieldErrors errors = check_any_update(resource, object, old);
  if (!check_type(resource, object, errors)) return errors;
  const Path metadata("metadata");
  check_metadata_update(object["metadata"], old["metadata"], metadata, errors);
  check_against_schema(resource.schema, Correlation(resource.schema, object, old), "", errors);
  check_scale(resource, object, errors);
  check_embedded(resource.schema, object, "", errors);
  if (!has_list_fault(resource, old)) check_list_types(resource.schema, object, errors);
  return errors;
}

FieldErrors check_custom_status_update(const Resource& resource, const Value& object,
                                       const Value& old) {
  FieldErrors errors = check_any_update(resource, object, old);
  if (!check_type(resource, object, errors)) return errors;
  const Path metadata("metadata");
  check_metadata_update(object["metadata"], old["metadata"], metadata, errors);
  const Value& schema = resource.schema["properties"]["status"];
  if (const Value* status = object.find("status"); status != nullptr && schema.is_object()) {
    if (const Value* before = old.find("status"))
      check_against_schema(schema, Correlation(schema, *status, *before), "status", errors);
    else
      check_against_schema(schema, *status, "status", errors);
  }
  check_scale_status(resource, object, errors);
  if (!has_list_fault(resource, old)) check_list_types(resource.schema, object, errors);
  return errors;
}

bool hinders_rules(const FieldErrors& errors) {
  using Type = FieldError::Type;
  const auto& list = errors.list();
  return std::any_of(list.begin(), list.end(), [](const FieldError& error) {
    return error.type == Type::not_supported || error.type == Type::required ||
           error.type == Type::too_long || error.type == Type::too_many ||
           error.type == Type::type_invalid;
  });
}

void add_rules_unchecked(FieldErrors& errors) {
  errors.invalid(Path::root(), Value(),
                 "some validation rules were not checked because the object was invalid; correct "
                 "the existing errors to complete validation");
}

std::vector<std::string> custom_finalizer_warnings(const Value& object, const Value& old) {
  std::set<std::string> fresh;
  for (const Value& one : object["metadata"]["finalizers"].elements()) fresh.insert(one.str());
  for (const Value& one : old["metadata"]["finalizers"].elements()) fresh.erase(one.str());
  std::vector<std::string> out;
  for (const std::string& name : fresh) {
    const std::string head = "metadata.finalizers: " + quote(name) + ": ";
    for (const std::string& message : label_key_messages(name)) out.push_back(head + message);
    if (name.find('/') != std::string::npos ||
        is_one_of(name, {"orphan", "foregroundDeletion", "kubernetes"}))
      continue;
    out.push_back(head + (name.find('.') != std::string::npos
                              ? "prefer a domain-qualified finalizer name including a path (/) to "
                                "avoid accidental conflicts with other finalizer writers"
                              : "prefer a domain-qualified finalizer name to avoid accidental "
                                "conflicts with other finalizer writers"));
  }
  return out;
}

}  // namespace keelson::model
