// Create, update and patch. The order of the steps is that of Kubernetes' handlers and generic
// store, because it decides which of several faults a client is told about.
#include <algorithm>

#include "base/text.h"
#include "codec/go_text.h"
#include "codec/managed_fields.h"
#include "codec/patch.h"
#include "model/meta.h"
#include "model/warnings.h"
#include "registry/admin_access.h"
#include "registry/admission/admission.h"
#include "registry/crds/validate.h"
#include "registry/escalation.h"
#include "registry/field_owners.h"
#include "registry/state.h"

namespace keelson::registry {

namespace {

constexpr std::size_t kNameLengthMax = 63;
constexpr std::size_t kSuffixLength = 5;

void set_or_erase(Value& object, std::string_view key, const Value& value) {
  if (value.is_null())
    object.erase(key);
  else
    object.set(key, value);
}

// What only the server sets.
void wipe_system_fields(Value& object) {
  Value& meta = object.edit("metadata");
  for (std::string_view key :
       {"creationTimestamp", "uid", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"})
    meta.erase(key);
}

void fill_system_fields(Call& call, Prng& rng, Value& object) {
  Value& meta = object.edit("metadata");
  meta.set("creationTimestamp", to_rfc3339(call.now));
  meta.set("uid", rng.uuid());
  const std::string base = meta["generateName"].str();
  if (!base.empty() && meta["name"].as_string().empty())
    meta.set("name",
             base.substr(0, kNameLengthMax - kSuffixLength) + rng.name_suffix(kSuffixLength));
}

FieldWriter writer_of(const Call& call) {
  return {call.manager(), call.request.subresource, call.now};
}

// The path under which the original keeps an object; it shows in one of its messages.
std::string storage_path(const Call& call) {
  std::string path = call.request.dry() ? "" : "/registry";
  const std::string name = call.storage->name();
  static const std::map<std::string, std::string, std::less<>> special = {
      {"nodes", "minions"},
      {"services", "services/specs"},
      {"endpoints", "services/endpoints"},
      {"replicationcontrollers", "controllers"},
      {"ingresses.networking.k8s.io", "ingress"},
      {"customresourcedefinitions.apiextensions.k8s.io",
       "apiextensions.k8s.io/customresourcedefinitions"},
      {"apiservices.apiregistration.k8s.io", "apiregistration.k8s.io/apiservices"}};
  const auto found = special.find(name);
  if (found != special.end())
    path += "/" + found->second;
  else
    path += (call.storage->custom ? "/" + call.storage->group : "") + "/" + call.storage->plural;
  if (call.storage->namespaced) path += "/" + call.request.namespace_;
  return path + "/" + call.request.name;
}

}  // namespace

Error uid_conflict(const Call& call, std::string_view wanted, std::string_view actual) {
  return conflict(call.group_resource(), call.request.name,
                  "StorageError: invalid object, Code: 4, Key: " + storage_path(call) +
                      ", ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in "
                      "precondition: " +
                      std::string(wanted) + ", UID in object meta: " + std::string(actual));
}

namespace {

Result<void> check_name(const Call& call, const Value& object) {
  const std::string_view name = model::name_of(object);
  if (name.empty())
    return bad_request("the name of the object (" + call.request.name +
                       " based on URL) was undeterminable: name must be provided");
  if (name != call.request.name)
    return bad_request("the name of the object (" + std::string(name) +
                       ") does not match the name on the URL (" + call.request.name + ")");
  return {};
}

// 0: none given. Text that is no number is an Error.
Result<std::int64_t> revision_number(const Value& object) {
  const std::string_view text = model::revision_of(object);
  if (text.empty()) return std::int64_t{0};
  const auto number = parse_int(text);
  if (!number || *number < 0)
    return unknown("strconv.ParseUint: parsing " + quote(text) + ": invalid syntax");
  return *number;
}

Error invalid_with(const Call& call, const Value& object, const model::FieldErrors& errors) {
  // A custom object is named by the kind that it claims to be.
  const std::string kind = call.storage->custom ? object["kind"].str() : call.storage->kind;
  return errors.to_error(call.storage->group, kind, model::name_of(object));
}

// What an object loses by being stored.
void forget_unstored(const Call& call, Value& object) {
  model::take_stored_form(*call.storage, object);
  if (!call.request.dry()) object.edit("metadata").erase("selfLink");
}

}  // namespace

// --- creation ---

Result<Response> Registry::State::create(Call& call) {
  TRY_VOID(check_options(call, "CreateOptions"));
  TRY(Value object, decode(call));
  wipe_system_fields(object);
  TRY_VOID(match_namespace(call, object));
  drop_duplicate_owners(call, object, false);
  return create_object(call, std::move(object));
}

Result<Response> Registry::State::create_object(Call& call, Value object) {
  track_update(types, *call.resource, call.strategy, Value(), object, writer_of(call));
  TRY(Value stored, converted(*call.resource, *call.storage, object));
  return store_new(call, std::move(stored));
}

Result<Response> Registry::State::store_new(Call& call, Value stored) {
  if (call.storage->custom) {
    const Value& definition =
        object("customresourcedefinitions.apiextensions.k8s.io", "", call.storage->name());
    if (model::is_deleting(definition))
      return forbidden(call.group_resource(), model::name_of(stored),
                       "create not allowed while custom resource definition is terminating");
  }
  Admission admission(*this, call, Admission::Operation::create, stored, Value());
  TRY_VOID(admission.mutate());
  drop_duplicate_owners(call, stored, true);
  TRY_VOID(check_escalation(*this, call, stored, Value()));
  fill_system_fields(call, rng(), stored);
  if (call.storage->name() == "services")
    TRY_VOID(addresses.complete(stored, Value(), call.request.dry(), rng()));
  Change change{*call.storage, stored, Value(), call.request.identity, call.now, rng()};
  model::apply_defaults(*call.storage, stored);
  if (call.storage->name() == "pods")
    for (std::string& text : model::adopt_app_armor(stored)) call.warn(std::move(text));
  prepare_create(call.strategy, change);
  model::FieldErrors errors = check_admin_access(*this, call, stored);
  errors.add(call.storage->custom ? crds::validate_create(call, stored)
                                  : model::validate_create(*call.resource, stored));
  if (!errors.empty()) return invalid_with(call, stored, errors);
  for (std::string& text : model::warnings_on_create(*call.storage, stored))
    call.warn(std::move(text));
  TRY_VOID(admission.validate());
  forget_unstored(call, stored);
  const std::string name(model::name_of(stored));
  // The store itself refuses, and a dry run never gets there.
  const std::string_view revision = model::revision_of(stored);
  if (!call.request.dry() && parse_int(revision).value_or(0) != 0)
    return unknown("resourceVersion should not be set on objects to be created");
  const std::string key = call.key_of(name);
  if (const store::EntryPtr existing = store.get(key)) {
    Error error = already_exists(call.group_resource(), name);
    if (!stored["metadata"]["generateName"].as_string().empty()) {
      error.message += ", the server was not able to generate a unique name for the object";
      error.retry_after_seconds = 1;
    } else if (model::is_deleting(existing->value())) {
      error.message = "object is being deleted: " + error.message;
    }
    return error;
  }
  TRY(const Written written, put(call, key, std::move(stored)));
  TRY(Object object, served(call, written));
  return answer(call, object, 201);
}

// --- update ---

Result<Response> Registry::State::update(Call& call) {
  TRY_VOID(check_options(call, "UpdateOptions"));
  TRY(Value object, decode(call));
  TRY_VOID(match_namespace(call, object));
  TRY_VOID(check_name(call, object));
  drop_duplicate_owners(call, object, false);
  const store::EntryPtr entry = store.get(call.key());
  const std::string wanted_uid(model::uid_of(object));
  const std::string& part = call.request.subresource;
  const bool upsert = call.strategy.upsert && (part.empty() || part == "status");
  if (!entry && !upsert) return not_found(call.group_resource(), call.request.name);
  const std::string actual_uid(entry ? model::uid_of(entry->value()) : "");
  if (!wanted_uid.empty() && wanted_uid != actual_uid)
    return uid_conflict(call, wanted_uid, actual_uid);
  if (!entry) {
    wipe_system_fields(object);
    if (auto number = revision_number(object); !number.ok()) return number.error();
    object.edit("metadata").erase("resourceVersion");
    if (environment.authorize) {
      const Request& r = call.request;
      const Verdict verdict = environment.authorize(
          r.identity, {"create", r.group, r.version, r.resource, "", r.namespace_, r.name});
      if (!verdict.allowed) return forbidden(call.group_resource(), r.name, verdict.reason);
    }
    return create_object(call, std::move(object));
  }
  TRY(const Value old, live(call, entry));
  TRY(const Value before, converted(*call.storage, *call.resource, old));
  track_update(types, *call.resource, call.strategy, before, object, writer_of(call));
  return store_update(call, entry, old, std::move(object));
}

namespace {

// rest.BeforeUpdate: what an update never changes.
void keep_system_fields(Value& object, const Value& old) {
  Value& meta = object.edit("metadata");
  const Value& before = old["metadata"];
  if (meta["uid"].as_string().empty()) set_or_erase(meta, "uid", before["uid"]);
  if (before.has("creationTimestamp")) meta.set("creationTimestamp", before["creationTimestamp"]);
  if (before.has("deletionTimestamp")) meta.set("deletionTimestamp", before["deletionTimestamp"]);
  if (before.has("deletionGracePeriodSeconds") && !meta.has("deletionGracePeriodSeconds"))
    meta.set("deletionGracePeriodSeconds", before["deletionGracePeriodSeconds"]);
}

bool is_gone_after(const Value& object, const Value& old) {
  const Value& before = old["metadata"];
  return object["metadata"]["finalizers"].empty() && before.has("deletionTimestamp") &&
         before["deletionGracePeriodSeconds"].as_int() == 0;
}

}  // namespace

Result<Response> Registry::State::store_update(Call& call, const store::EntryPtr& entry,
                                               const Value& old, Value object) {
  TRY(Value stored, converted(*call.resource, *call.storage, object));
  const bool is_status = call.request.subresource == "status";
  Admission admission(*this, call, Admission::Operation::update, stored, old);
  TRY_VOID(admission.mutate());
  drop_duplicate_owners(call, stored, true);
  TRY_VOID(check_escalation(*this, call, stored, old));
  TRY(const std::int64_t wanted, revision_number(stored));
  if (wanted == 0 && call.strategy.versioned)
    return invalid(
        call.group_resource(), call.request.name,
        {cause_invalid("metadata.resourceVersion", Value(0), "must be specified for an update")});
  if (wanted != 0 && wanted != entry->modified().number)
    return conflict_modified(call.group_resource(), call.request.name);
  stored.edit("metadata").set("resourceVersion", model::revision_of(old));
  const bool is_service = call.storage->name() == "services" && !is_status;
  if (is_service) TRY_VOID(addresses.complete(stored, old, call.request.dry(), rng()));
  set_or_erase(stored.edit("metadata"), "generation", old["metadata"]["generation"]);
  Change change{*call.storage, stored, old, call.request.identity, call.now, rng()};
  if (is_status)
    prepare_status_update(call.strategy, change);
  else if (call.subresource && call.request.subresource != "scale")
    prepare_part_update(call.request.subresource, change);
  else
    prepare_update(call.strategy, change);
  if (is_service) ServiceAddresses::drop_unused(stored, old);
  keep_system_fields(stored, old);
  model::apply_defaults(*call.storage, stored);
  const bool partial = call.subresource && !is_status && call.request.subresource != "scale";
  const model::FieldErrors errors =
      call.storage->custom ? crds::validate_update(call, stored, old)
      : is_status          ? model::validate_status_update(*call.resource, stored, old)
      : partial ? model::validate_part_update(*call.resource, call.request.subresource, stored, old)
                : model::validate_update(*call.resource, stored, old);
  if (!errors.empty()) return invalid_with(call, stored, errors);
  for (std::string& text :
       model::warnings_on_update(*call.storage, call.request.subresource, stored, old))
    call.warn(std::move(text));
  TRY_VOID(admission.validate());
  forget_unstored(call, stored);
  const bool finalized =
      call.storage->name() != "namespaces" || stored["spec"]["finalizers"].empty();
  if (is_gone_after(stored, old) && finalized) {
    TRY(const std::int64_t revision, erase(call, call.key()));
    TRY(Object gone, served(call, stored));
    TRY(Response response, answer(call, gone, 200));
    response.revision = revision;
    return response;
  }
  // A write that changes nothing keeps the version.
  stored = codec::without_new_times(old, stored);
  if (stored == old) {
    TRY(Object unchanged, served(call, entry));
    return answer(call, unchanged, 200);
  }
  TRY(const Written written, put(call, call.key(), std::move(stored)));
  TRY(Object result, served(call, written));
  return answer(call, result, 200);
}

// --- patch ---

namespace {

Error unfit_patch(const std::string& text, std::string_view why) {
  Error error = invalid({"", ""}, "", {cause_invalid_text("patch", quote(text), why)});
  return error;
}

}  // namespace

Result<Value> Registry::State::apply_patch(Call& call, const Value& current) {
  const Request& request = call.request;
  const bool strategic = request.patch_type == PatchType::strategic;
  if (!request.body.ok()) {
    Error error = request.body.error();
    if (!strategic && request.options.field_validation != "Ignore")
      error.message = "error decoding patch: " + error.message;
    return error;
  }
  const Value& patch = request.body->value;
  const model::Resource& resource = *call.resource;
  auto patched = request.patch_type == PatchType::json ? codec::apply_json_patch(current, patch)
                 : strategic ? codec::apply_strategic_patch(current, patch, *resource.type)
                             : codec::apply_merge_patch(current, patch);
  if (!patched.ok()) return patched.error();
  std::vector<std::string> strict;
  if (request.patch_type == PatchType::json)
    strict = codec::json_patch_warnings(*request.body);
  else
    for (const std::string& field : request.body->duplicates)
      strict.push_back("duplicate field " + quote(field));
  const std::string_view how = request.options.field_validation;
  const auto quoted = [&] {
    return strategic
               ? codec::go_text(patch)
               : codec::patched_text(*patched, current, resource.custom ? nullptr : resource.type);
  };
  if (strategic) {
    const std::string problem = codec::conversion_problem(*patched, *resource.type);
    if (!problem.empty()) return unfit_patch(quoted(), problem);
  }
  Value object = *patched;
  if (!resource.custom && object.is_object()) {
    if (strategic) {
      // Built-in kinds ignore a change of the type.
      object.set("apiVersion", resource.api_version());
      object.set("kind", resource.kind);
    } else if (object["apiVersion"].as_string().empty()) {
      // The original then reads the text into its internal struct, where no member fits.
      object = Value::object();
    }
  }
  const auto validation =
      how == "Ignore" ? model::FieldValidation::ignore : model::FieldValidation::warn;
  // A custom object may claim to be of another type: validation refuses it.
  auto decoded = resource.custom && !object["kind"].as_string().empty()
                     ? model::decode_value(resource, object, validation)
                     : model::decode(resource, codec::JsonDocument{object, {}}, validation);
  if (!resource.custom && decoded.ok() && decoded->warnings.size() > 1) {
    // Several come in the order of the text that the patch results in, or by name where there is
    // none.
    if (strategic)
      std::sort(decoded->warnings.begin(), decoded->warnings.end());
    else
      decoded = model::decode(resource, codec::JsonDocument{object, {}}, validation, quoted());
  }
  if (!decoded.ok()) {
    // What a body's decoder says before the fault itself is not said of a patch.
    std::string problem = decoded.error().message;
    const std::string head = " cannot be handled as a " + resource.kind + ": ";
    if (const std::size_t at = problem.find(head); at != std::string::npos)
      problem.erase(0, at + head.size());
    return unfit_patch(quoted(), problem);
  }
  if (request.patch_type == PatchType::json)
    for (const std::string& field : codec::json_patch_duplicates(*request.body))
      strict.push_back("duplicate field " + quote(field));
  for (std::string& text : decoded->warnings) strict.push_back(std::move(text));
  if (how == "Strict" && !strict.empty())
    return unfit_patch(quoted(), "strict decoding error: " + join(strict, ", "));
  if (how != "Ignore")
    for (std::string& text : strict) call.warn(std::move(text));
  complete_decoded(types, resource, decoded->object);
  return std::move(decoded->object);
}

Result<Response> Registry::State::patch(Call& call) {
  TRY_VOID(check_options(call, "PatchOptions"));
  const Request& request = call.request;
  const store::EntryPtr entry = store.get(call.key());
  const bool apply = request.patch_type == PatchType::apply;
  if (!entry && (!apply || !request.subresource.empty()))
    return not_found(call.group_resource(), request.name);
  Value old, before;
  if (entry) {
    TRY(old, live(call, entry));
    TRY(before, converted(*call.storage, *call.resource, old));
  }
  if (!apply) {
    TRY(Value object, apply_patch(call, before));
    TRY_VOID(match_namespace(call, object));
    TRY_VOID(check_name(call, object));
    track_update(types, *call.resource, call.strategy, before, object, writer_of(call));
    return store_update(call, entry, old, std::move(object));
  }
  if (!request.body.ok()) return request.body.error();
  TRY(Value merged,
      apply_configuration(types, *call.resource, call.strategy, before, request.body->value,
                          writer_of(call), request.options.force.value_or(false)));
  if (request.options.field_validation == "Strict" && !request.body->duplicates.empty())
    return bad_request(
        "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  " +
        join(request.body->duplicates, "\n  "));
  if (request.options.field_validation != "Ignore")
    for (const std::string& text : request.body->duplicates) call.warn(text);
  TRY(Value object, decode_as(call, *call.resource, codec::JsonDocument{merged, {}}));
  if (!entry) {
    const std::string uid(model::uid_of(object));
    if (!uid.empty())
      return conflict(call.group_resource(), request.name,
                      "uid mismatch: the provided object specified uid " + uid +
                          ", and no existing object was found");
  }
  TRY_VOID(match_namespace(call, object));
  TRY_VOID(check_name(call, object));
  if (entry) return store_update(call, entry, old, std::move(object));
  wipe_system_fields(object);
  TRY(Value stored, converted(*call.resource, *call.storage, object));
  return store_new(call, std::move(stored));
}

}  // namespace keelson::registry
