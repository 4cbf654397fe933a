// One request on its way: finding what it is about, reading its body, checking its options.
#include <algorithm>

#include "base/text.h"
#include "model/meta.h"
#include "registry/state.h"

namespace keelson::registry {

std::string Call::key_of(std::string_view name) const {
  std::string key = storage->name();
  key += '/';
  if (storage->namespaced) key += request.namespace_;
  key += '/';
  key += name;
  return key;
}

std::string Call::manager() const {
  const Options& options = request.options;
  if (!options.field_manager.empty()) return options.field_manager;
  return options.field_manager_default.empty() ? "unknown" : options.field_manager_default;
}

void Call::warn(std::string text) {
  if (std::find(warnings.begin(), warnings.end(), text) == warnings.end())
    warnings.push_back(std::move(text));
}

Result<Call> Registry::State::open(const Request& request) {
  model::ResourcePointer resource = types.find(request.group, request.version, request.resource);
  if (!resource) {
    Error error{Reason::not_found, "the server could not find the requested resource"};
    error.details = true;
    return error;
  }
  model::ResourcePointer storage = types.storage(resource->name());
  if (!storage || resource->custom) storage = resource;
  const model::Subresource* subresource = nullptr;
  if (!request.subresource.empty()) {
    subresource = resource->subresource(request.subresource);
    if (!subresource) {
      Error error{Reason::not_found, "the server could not find the requested resource"};
      error.details = true;
      return error;
    }
  }
  const Strategy& strategy = storage->custom
                                 ? custom_strategy(resource->subresource("status") != nullptr)
                                 : strategy_of(storage->name());
  return Call{request, std::move(resource), std::move(storage), strategy, subresource, now()};
}

namespace {

void add_unprintable(const std::string& text, std::vector<Cause>& causes) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != 0x7f) continue;
    constexpr std::string_view digits = "0123456789ABCDEF";
    const std::string code = {'U', '+', '0', '0', digits[c >> 4], digits[c & 15]};
    causes.push_back(
        cause_invalid("fieldManager", Value(text),
                      "invalid character " + code + " (at position " + std::to_string(i) + ")"));
  }
}

std::string list_text(const std::vector<std::string>& list) {
  std::vector<std::string> quoted;
  for (const std::string& one : list) quoted.push_back(quote(one));
  return "[" + join(quoted, ",") + "]";
}

}  // namespace

Result<void> check_options(const Call& call, std::string_view kind) {
  const Options& options = call.request.options;
  std::vector<Cause> causes;
  const bool is_delete = kind == "DeleteOptions";
  if (is_delete) {
    if (!options.propagation.empty() && options.orphan_dependents)
      causes.push_back(cause_invalid("propagationPolicy", Value(options.propagation),
                                     "orphanDependents and deletionPropagation cannot be both "
                                     "set"));
    const std::string_view policy = options.propagation;
    if ((!policy.empty() || options.propagation_given) && policy != "Foreground" &&
        policy != "Background" && policy != "Orphan")
      causes.push_back(cause_not_supported("propagationPolicy", Value(policy),
                                           {"Foreground", "Background", "Orphan", "nil"}));
  }
  const bool is_apply = kind == "PatchOptions" && call.request.patch_type == PatchType::apply;
  if (kind == "PatchOptions") {
    if (!is_apply && options.force)
      causes.push_back(cause_forbidden("force", "may not be specified for non-apply patch"));
    if (is_apply && options.field_manager.empty())
      causes.push_back(cause_required("fieldManager", "is required for apply patch"));
  }
  if (!is_delete) {
    constexpr std::size_t kManagerLengthMax = 128;
    if (options.field_manager.size() > kManagerLengthMax)
      causes.push_back(
          {"FieldValueTooLong", "fieldManager", "Too long: may not be more than 128 bytes"});
    add_unprintable(options.field_manager, causes);
  }
  if (options.dry_run.size() > 1 ||
      (options.dry_run.size() == 1 && options.dry_run.front() != "All"))
    causes.push_back(
        {"FieldValueNotSupported", "dryRun",
         "Unsupported value: " + list_text(options.dry_run) + ": supported values: \"All\""});
  if (!is_delete) {
    const std::string_view how = options.field_validation;
    if (!how.empty() && how != "Ignore" && how != "Warn" && how != "Strict")
      causes.push_back(
          cause_not_supported("fieldValidation", Value(how), {"", "Ignore", "Strict", "Warn"}));
  }
  if (causes.empty()) return {};
  return invalid({"meta.k8s.io", kind}, "", std::move(causes));
}

namespace {

model::FieldValidation validation_of(const Request& request) {
  const std::string_view how = request.options.field_validation;
  if (how == "Ignore") return model::FieldValidation::ignore;
  if (how == "Strict") return model::FieldValidation::strict;
  return model::FieldValidation::warn;
}

}  // namespace

Result<Value> Registry::State::decode_as(Call& call, const model::Resource& resource,
                                         const codec::JsonDocument& document) {
  auto decoded =
      model::decode(resource, document, validation_of(call.request), call.request.body_text);
  if (!decoded.ok()) return decoded.error();
  for (std::string& text : decoded->warnings) call.warn(std::move(text));
  complete_decoded(types, resource, decoded->object);
  return std::move(decoded->object);
}

void complete_decoded(const model::TypeTable& types, const model::Resource& resource,
                      Value& object) {
  model::apply_defaults(resource, object);
  model::take_internal_form(resource, object);
  if (resource.storage || resource.custom) return;
  // Defaults of the storage version show in every other.
  const auto storage = types.storage(resource.stored_as);
  auto stored = model::convert(resource, *storage, object);
  if (!stored.ok()) return;
  model::apply_defaults(*storage, *stored);
  if (auto back = model::convert(*storage, resource, *stored); back.ok()) object = *back;
}

Result<Value> Registry::State::decode(Call& call) {
  if (!call.request.body.ok()) return call.request.body.error();
  return decode_as(call, *call.resource, *call.request.body);
}

Result<void> match_namespace(const Call& call, Value& object) {
  const std::string wanted = call.storage->namespaced ? call.request.namespace_ : "";
  const std::string_view given = model::namespace_of(object);
  if (given == wanted) return {};
  if (wanted.empty()) {
    object.edit("metadata").erase("namespace");
    return {};
  }
  if (given.empty()) {
    object.edit("metadata").set("namespace", wanted);
    return {};
  }
  return bad_request(
      "the namespace of the provided object does not match the namespace sent on the request");
}

void drop_duplicate_owners(Call& call, Value& object, bool after_admission) {
  const Value references = object["metadata"]["ownerReferences"];
  if (references.size() < 2) return;
  Value kept = Value::array();
  std::vector<std::string> dropped;
  for (const Value& one : references.elements()) {
    const auto& list = kept.elements();
    if (std::find(list.begin(), list.end(), one) == list.end())
      kept.push_back(one);
    else
      dropped.push_back(one["uid"].str());
  }
  if (dropped.empty()) return;
  call.warn(std::string(".metadata.ownerReferences contains duplicate entries") +
            (after_admission ? " after mutating admission happens" : "") +
            "; API server dedups owner references in 1.20+, and may reject such requests as early "
            "as 1.24; please fix your requests; duplicate UID(s) observed: " +
            join(dropped, ", "));
  object.edit("metadata").set("ownerReferences", std::move(kept));
}

}  // namespace keelson::registry
