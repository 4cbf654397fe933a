#include "registry/registry.h"

#include "base/text.h"
#include "model/meta.h"
#include "registry/state.h"
#include "registry/subresources.h"

namespace keelson::registry {

Registry::Registry(store::Store& store, Environment environment, Settings settings)
    : state_(std::make_unique<State>(store, std::move(environment), std::move(settings))) {}
Registry::~Registry() = default;

Result<void> Registry::start() {
  state_->load();
  TRY_VOID(state_->bootstrap());
  state_->settle();
  return {};
}

namespace {

Error method_not_allowed() {
  Error error{Reason::method_not_allowed,
              "the server does not allow this method on the requested resource"};
  error.details = true;
  return error;
}

std::string_view verb_name(Verb verb) {
  constexpr std::string_view kNames[] = {"get",    "list",  "watch",  "create",
                                         "update", "patch", "delete", "deletecollection"};
  return kNames[static_cast<std::size_t>(verb)];
}

bool is_allowed(const Call& call) {
  const std::string_view verb = verb_name(call.request.verb);
  if (!call.subresource) return call.resource->has_verb(verb);
  for (const std::string& one : call.subresource->verbs)
    if (one == verb) return true;
  return false;
}

}  // namespace

Result<Response> Registry::execute(const Request& request) {
  TRY(Call call, state_->open(request));
  if (!is_allowed(call)) return method_not_allowed();
  Result<Response> result = state_->perform(call);
  state_->settle();
  if (!result.ok()) {
    Error error = std::move(result).error();
    error.warnings = std::move(call.warnings);
    return error;
  }
  // What followed the write has to be durable with it.
  if (request.verb != Verb::get && request.verb != Verb::list)
    result->revision = state_->store.revision().number;
  return result;
}

Result<Response> Registry::State::perform(Call& call) {
  if (call.resource_name() == "componentstatuses") return component_statuses(*this, call);
  if (call.subresource || !call.resource->stored)
    if (auto answer = special(call)) return std::move(*answer);
  switch (call.request.verb) {
    case Verb::get: return get(call);
    case Verb::list: return list(call);
    case Verb::create: return create(call);
    case Verb::update: return update(call);
    case Verb::patch: return patch(call);
    case Verb::remove: return remove(call);
    case Verb::remove_collection: return remove_collection(call);
    case Verb::watch: break;
  }
  return method_not_allowed();
}

Result<std::unique_ptr<Watcher>> Registry::watch(const Request& request) {
  return state_->watch(request);
}

Result<Value> Registry::commit(const cluster::Write& write, const Identity& identity) {
  using Verbs = cluster::Write::Verb;
  const model::ResourcePointer resource = state_->types.served(write.resource);
  if (!resource)
    return Error{Reason::not_found,
                 "the server could not find the requested resource " + write.resource};
  Request request;
  request.group = resource->group;
  request.version = resource->version;
  request.resource = resource->plural;
  request.namespace_ = write.namespace_;
  request.name = write.name;
  request.subresource = write.subresource;
  request.identity = identity;
  request.options.field_manager = write.field_manager;
  request.options.field_manager_default = identity.user;
  request.options.field_validation = "Ignore";
  request.body = codec::JsonDocument{write.object, {}};
  switch (write.verb) {
    case Verbs::create: request.verb = Verb::create; break;
    case Verbs::update:
      request.verb = Verb::update;
      if (request.name.empty()) request.name = model::name_of(write.object);
      break;
    case Verbs::merge_patch:
    case Verbs::apply: {
      const bool apply = write.verb == Verbs::apply;
      request.verb = Verb::patch;
      request.patch_type = apply ? PatchType::apply : PatchType::merge;
      if (apply) request.options.force = write.force;
      Value patch = write.object;
      if (!apply && !write.uid.empty()) patch.edit("metadata").set("uid", write.uid);
      if (!apply && !write.revision.empty())
        patch.edit("metadata").set("resourceVersion", write.revision);
      request.body = codec::JsonDocument{std::move(patch), {}};
      break;
    }
    case Verbs::remove:
      request.verb = Verb::remove;
      request.body = codec::JsonDocument{};
      request.options.precondition_uid = write.uid;
      request.options.precondition_revision = write.revision;
      request.options.grace_seconds = write.grace_seconds;
      request.options.propagation = write.propagation;
      break;
  }
  TRY(Response response, execute(request));
  if (write.verb != Verbs::remove) return response.object.value();
  return state_->object(write.resource, resource->namespaced ? write.namespace_ : "", write.name);
}

Value Registry::get(std::string_view resource, std::string_view ns, std::string_view name) const {
  const model::ResourcePointer found = state_->types.storage(resource);
  if (!found) return Value();
  return state_->object(found->name(), found->namespaced ? ns : "", name);
}

std::vector<Value> Registry::list(std::string_view resource, std::string_view ns) const {
  std::vector<Value> out;
  const model::ResourcePointer found = state_->types.storage(resource);
  if (!found) return out;
  for (const store::EntryPtr& one : state_->entries(found->name(), found->namespaced ? ns : ""))
    out.push_back(one->value());
  return out;
}

std::int64_t Registry::revision() const {
  return state_->store.revision().number;
}

const model::TypeTable& Registry::types() const {
  return state_->types;
}

std::int64_t Registry::served_generation() const {
  return state_->served_generation;
}

}  // namespace keelson::registry
