#include "registry/registry.h"

#include "base/text.h"
#include "model/meta.h"
#include "registry/api_services.h"
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
  constexpr std::string_view kNames[] = {
      "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "connect"};
  return kNames[static_cast<std::size_t>(verb)];
}

bool is_allowed(const Call& call) {
  const std::string_view verb = verb_name(call.request.verb);
  if (!call.subresource) return call.resource->has_verb(verb);
  if (call.request.verb == Verb::connect) return true;
  for (const std::string& one : call.subresource->verbs)
    if (one == verb) return true;
  return false;
}

}  // namespace

Result<Response> Registry::execute(const Request& request) {
  TRY(Call call, state_->open(request));
  if (request.annotations) request.annotations->clear();
  if (!is_allowed(call)) return method_not_allowed();
  Result<Response> result = state_->perform(call);
  // What follows the request is the server's own and asks nobody.
  Exchange* const exchange = std::exchange(state_->exchange, nullptr);
  state_->settle();
  state_->exchange = exchange;
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
  if (call.request.verb == Verb::connect) return admit_connection(*this, call);
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
    case Verb::watch:
    case Verb::connect: break;
  }
  return method_not_allowed();
}

Result<std::unique_ptr<Watcher>> Registry::watch(const Request& request) {
  return state_->watch(request);
}

// --- requests that may ask webhooks ---

struct Registry::Execution {
  Request request;
  std::function<void(Result<Response>)> done;
  Exchange exchange;
  std::size_t open = 0;  // questions without an answer
};

bool Registry::State::may_ask(const Request& request) const {
  if (!environment.call_webhook) return false;
  const model::ResourcePointer resource =
      types.find(request.group, request.version, request.resource);
  if (resource && resource->custom &&
      resource->definition["conversion"]["strategy"].as_string() == "Webhook")
    return true;
  if (request.verb == Verb::get || request.verb == Verb::list) return false;
  return !entries("mutatingwebhookconfigurations.admissionregistration.k8s.io").empty() ||
         !entries("validatingwebhookconfigurations.admissionregistration.k8s.io").empty();
}

void Registry::execute(Request request, std::function<void(Result<Response>)> done) {
  if (!state_->may_ask(request)) return done(execute(request));
  run(std::make_shared<Execution>(Execution{std::move(request), std::move(done),
                                            Exchange(state_->rng().next(), state_->now())}));
}

void Registry::run(const std::shared_ptr<Execution>& execution) {
  // As long as clients wait at most.
  constexpr Duration kRequestMax = Duration::seconds(60);
  Exchange& exchange = execution->exchange;
  if (state_->environment.now() - exchange.start() > kRequestMax)
    return execution->done(
        Error{Reason::timeout, "request did not complete within requested timeout"});
  exchange.begin_run();
  state_->exchange = &exchange;
  Result<Response> result = execute(execution->request);
  state_->exchange = nullptr;
  if (!exchange.has_wanted()) return execution->done(std::move(result));
  std::vector<Exchange::Wanted> wanted = exchange.take_wanted();
  execution->open = wanted.size();
  for (Exchange::Wanted& one : wanted) {
    WebhookCall call = std::move(one.call);
    state_->environment.call_webhook(
        std::move(call),
        [this, execution, one, alive = std::weak_ptr<int>(alive_)](WebhookReply reply) {
          if (alive.expired()) return;
          execution->exchange.settle(one, std::move(reply));
          if (--execution->open == 0) run(execution);
        });
  }
}

namespace {

Result<Request> request_of(const Registry::State& state, const cluster::Write& write,
                           const Identity& identity);
// The object as it is after a controller's write.
Result<Value> result_of(const Registry::State& state, const cluster::Write& write,
                        const Result<Response>& response);

}  // namespace

Result<Value> Registry::commit(const cluster::Write& write, const Identity& identity) {
  TRY(const Request request, request_of(*state_, write, identity));
  return result_of(*state_, write, execute(request));
}

void Registry::commit(const cluster::Write& write, const Identity& identity,
                      std::function<void(Result<Value>)> done) {
  auto request = request_of(*state_, write, identity);
  if (!request.ok()) return done(request.error());
  execute(std::move(*request), [this, write, done = std::move(done)](Result<Response> response) {
    done(result_of(*state_, write, response));
  });
}

namespace {

Result<Request> request_of(const Registry::State& state, const cluster::Write& write,
                           const Identity& identity) {
  using Verbs = cluster::Write::Verb;
  const model::ResourcePointer resource = state.types.served(write.resource);
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
  return request;
}

Result<Value> result_of(const Registry::State& state, const cluster::Write& write,
                        const Result<Response>& response) {
  if (!response.ok()) return response.error();
  if (write.verb != cluster::Write::Verb::remove) return response->object.value();
  const model::ResourcePointer resource = state.types.served(write.resource);
  const bool namespaced = resource && resource->namespaced;
  return state.object(write.resource, namespaced ? write.namespace_ : "", write.name);
}

}  // namespace

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

std::int64_t Registry::read_revision() const {
  return state_->read_revision().number;
}

const model::TypeTable& Registry::types() const {
  return state_->types;
}

void Registry::follow_remote_apis(std::function<void(const std::string&)> call) {
  state_->ask_remote_api = std::move(call);
  if (!state_->ask_remote_api) return;
  for (const auto& [name, service] : state_->remote_apis) state_->require_settling(name);
  state_->settle();
}

void Registry::report_remote_api(const std::string& api_service, const Result<void>& asked) {
  report_asked(*state_, api_service, asked);
  state_->settle();
}

std::int64_t Registry::served_generation() const {
  return state_->served_generation;
}

}  // namespace keelson::registry
