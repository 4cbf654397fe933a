// The scale subresource: an autoscaling/v1 Scale as a view of the replica fields of its object. A
// write goes through the object's own update, so all its rules hold.
#include "base/text.h"
#include "codec/managed_fields.h"
#include "codec/patch.h"
#include "model/meta.h"
#include "model/selector.h"
#include "registry/subresources.h"

namespace keelson::registry {

namespace {

// Where a kind keeps what a Scale shows.
struct ScalePaths {
  std::string replicas = "spec.replicas", status_replicas = "status.replicas", selector;
};

ScalePaths paths_of(const Call& call) {
  ScalePaths paths;
  if (!call.resource->custom) return paths;
  const Value& declared = call.resource->definition["subresources"]["scale"];
  const auto path = [&](const char* name) {
    const std::string text = declared[name].str();
    return text.empty() ? text : text.substr(1);  // ".spec.replicas"
  };
  return {path("specReplicasPath"), path("statusReplicasPath"), path("labelSelectorPath")};
}

std::string selector_of(const Call& call, const ScalePaths& paths, const Value& object) {
  if (call.resource->custom)
    return paths.selector.empty() ? std::string() : object.at(paths.selector).str();
  const Value& selector = object["spec"]["selector"];
  if (call.storage->name() == "replicationcontrollers")
    return model::LabelSelector::of_map(selector).text();
  auto parsed = model::LabelSelector::of(selector);
  return parsed.ok() ? parsed->text() : std::string();
}

Value scale_of(const Call& call, const Value& object) {
  const ScalePaths paths = paths_of(call);
  Value scale = Value::object({{"apiVersion", "autoscaling/v1"}, {"kind", "Scale"}});
  Value& meta = scale.edit("metadata");
  for (std::string_view key : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"})
    if (object["metadata"].has(key)) meta.set(key, object["metadata"][key]);
  Value spec = Value::object();
  const std::int64_t replicas = object.at(paths.replicas).as_int();
  if (replicas != 0) spec.set("replicas", replicas);
  scale.set("spec", std::move(spec));
  Value status = Value::object({{"replicas", object.at(paths.status_replicas).as_int()}});
  const std::string selector = selector_of(call, paths, object);
  if (!selector.empty()) status.set("selector", selector);
  scale.set("status", std::move(status));
  return scale;
}

codec::FieldPath field_path_of(std::string_view dotted) {
  codec::FieldPath path;
  for (const std::string& name : split(dotted, '.'))
    path.push_back(codec::PathElement::field(name));
  return path;
}

Result<Response> answer_scale(Registry::State& state, Call& call, const Value& object, int code) {
  return state.answer(call, Object(scale_of(call, object)), code);
}

Result<Value> decode_scale(Call& call, const codec::JsonDocument& document) {
  const codec::Type* type = call.subresource->type;
  if (!type) return document.value;
  const std::string_view how = call.request.options.field_validation;
  auto decoded = model::decode(*type, "autoscaling", "v1", "Scale", document,
                               how == "Ignore"   ? model::FieldValidation::ignore
                               : how == "Strict" ? model::FieldValidation::strict
                                                 : model::FieldValidation::warn);
  if (!decoded.ok()) return decoded.error();
  for (std::string& text : decoded->warnings) call.warn(std::move(text));
  return std::move(decoded->object);
}

Result<void> check_scale(const Call& call, const Value& scale) {
  const std::string_view name = model::name_of(scale);
  if (name != call.request.name)
    return bad_request("the name of the object (" + std::string(name) +
                       ") does not match the name on the URL (" + call.request.name + ")");
  const Value& replicas = scale["spec"]["replicas"];
  if (replicas.as_int() < 0)
    return invalid(
        {"autoscaling", "Scale"}, call.request.name,
        {cause_invalid("spec.replicas", replicas, "must be greater than or equal to 0")});
  return {};
}

// The patch of a Scale; apply turns into an apply of the object's own field.
Result<Value> patched_scale(Registry::State& state, Call& call, const Value& live) {
  const Request& request = call.request;
  if (!request.body.ok()) return request.body.error();
  (void)state;
  const Value scale = scale_of(call, live);
  const Value& patch = request.body->value;
  const codec::Type* type = call.subresource->type;
  auto patched = request.patch_type == PatchType::json ? codec::apply_json_patch(scale, patch)
                 : request.patch_type == PatchType::strategic && type
                     ? codec::apply_strategic_patch(scale, patch, *type)
                     : codec::apply_merge_patch(scale, patch);
  if (!patched.ok()) return patched.error();
  return decode_scale(call, codec::JsonDocument{*patched, {}});
}

}  // namespace

Value scale_view(const Call& call, const Value& object) {
  return scale_of(call, object);
}

void set_scale_replicas(const Call& call, Value& object, std::int64_t replicas) {
  object.edit_path(paths_of(call).replicas) = replicas;
}

Result<Response> execute_scale(Registry::State& state, Call& call) {
  const Request& request = call.request;
  const bool patching = request.verb == Verb::patch;
  if (request.verb != Verb::get)
    TRY_VOID(check_options(call, patching ? "PatchOptions" : "UpdateOptions"));
  Value scale;
  if (request.verb == Verb::update) {
    if (!request.body.ok()) return request.body.error();
    TRY(scale, decode_scale(call, *request.body));
    TRY_VOID(match_namespace(call, scale));
  }
  const store::EntryPtr entry = state.store.get(call.key());
  if (!entry) return not_found(call.group_resource(), request.name);
  TRY(const Value old, state.live(call, entry));
  TRY(Value live, state.converted(*call.storage, *call.resource, old));
  if (request.verb == Verb::get) return answer_scale(state, call, live, 200);
  const ScalePaths paths = paths_of(call);
  // Ownership is kept as of a Scale and then translated, as in the original.
  const codec::FieldPath replicas_path = field_path_of(paths.replicas);
  const std::string here = call.resource->api_version();
  const codec::ReplicasPaths replicas_in = [&](std::string_view version) {
    return version == here ? &replicas_path : nullptr;
  };
  const Value& owners = live["metadata"]["managedFields"];
  Value before = scale_of(call, live);
  if (Value seen = codec::scale_managers(owners, replicas_in); !seen.is_null())
    before.edit("metadata").set("managedFields", std::move(seen));
  const codec::Ownership ownership{.api_version = "autoscaling/v1",
                                   .kind = "Scale",
                                   .subresource = "scale",
                                   .type = call.subresource->type,
                                   .reset = {codec::field_path({"status"})}};
  Value object = live;
  if (patching && request.patch_type == PatchType::apply) {
    if (!request.body.ok()) return request.body.error();
    TRY(scale, codec::apply_configuration(ownership, before, request.body->value, call.manager(),
                                          request.options.force.value_or(false), call.now));
  } else {
    if (patching) {
      TRY(scale, patched_scale(state, call, live));
    }
    TRY_VOID(check_scale(call, scale));
    const std::string_view uid = model::uid_of(scale);
    if (!uid.empty() && uid != model::uid_of(live))
      return uid_conflict(call, uid, model::uid_of(live));
    const std::string revision(model::revision_of(scale));
    object.edit("metadata").erase("resourceVersion");
    if (!revision.empty()) object.edit("metadata").set("resourceVersion", revision);
    // Custom resources demand a version that a Scale need not give.
    if (revision.empty() && call.strategy.versioned)
      object.edit("metadata").set("resourceVersion", model::revision_of(live));
    scale = codec::track_update(ownership, before, scale, call.manager(), call.now);
  }
  object.edit_path(paths.replicas) = scale["spec"]["replicas"].as_int();
  const Value after =
      codec::parent_managers(owners, scale["metadata"]["managedFields"], here, replicas_in);
  if (after.is_null())
    object.edit("metadata").erase("managedFields");
  else
    object.edit("metadata").set("managedFields", after);
  TRY(Response written, state.store_update(call, entry, old, std::move(object)));
  const Value now = call.request.form.kind == Form::Kind::object
                        ? written.object.value()
                        : state.store.get(call.key())->value();
  TRY(Response response, answer_scale(state, call, now, 200));
  response.warnings = written.warnings;
  return response;
}

}  // namespace keelson::registry
