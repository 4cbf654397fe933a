// Deletion: grace, finalizers, propagation, preconditions, collections. Follows the generic store
// of Kubernetes; namespaces and custom resource definitions have an end of their own.
#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "model/finalizers.h"
#include "model/meta.h"
#include "registry/admission/admission.h"
#include "registry/follow_up.h"
#include "registry/selection.h"
#include "registry/state.h"

namespace keelson::registry {

namespace {

constexpr std::string_view kOrphan = "orphan";
constexpr std::string_view kForeground = "foregroundDeletion";

struct DeleteOptions {
  std::optional<std::int64_t> grace_seconds;
  std::string propagation;
  bool propagation_given = false;
  std::optional<bool> orphan_dependents;
  std::string uid, revision;
  bool has_uid = false, has_revision = false;
  std::vector<std::string> dry_run;
};

// A body, if there is one, counts alone; the query otherwise.
Result<DeleteOptions> options_of(const model::TypeTable& types, const Request& request) {
  DeleteOptions out;
  const Options& query = request.options;
  if (!request.body.ok()) return request.body.error();
  const Value& body = request.body->value;
  if (body.is_null()) {
    out.grace_seconds = query.grace_seconds;
    out.propagation = query.propagation;
    out.propagation_given = query.propagation_given;
    out.orphan_dependents = query.orphan_dependents;
    out.uid = query.precondition_uid;
    out.revision = query.precondition_revision;
    out.has_uid = !out.uid.empty();
    out.has_revision = !out.revision.empty();
    out.dry_run = query.dry_run;
    return out;
  }
  if (body.has("kind") && model::kind_of(body) != "DeleteOptions")
    return bad_request("no kind " + quote(model::kind_of(body)) + " is registered for version " +
                       quote(model::api_version_of(body)) +
                       " in scheme \"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme"
                       "/register.go\"");
  const codec::Type* type = types.type("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions");
  KEELSON_CHECK(type != nullptr);
  Value plain = body;
  plain.erase("apiVersion");
  auto decoded =
      model::decode(*type, "", "v1", "DeleteOptions", {plain, {}}, model::FieldValidation::ignore);
  if (!decoded.ok()) {
    // The original decodes these options by themselves and says no more than their decoder.
    Error error = decoded.error();
    if (const std::size_t at = error.message.find(": json: "); at != std::string::npos)
      error.message.erase(0, at + 2);
    return error;
  }
  if (body.has("gracePeriodSeconds")) out.grace_seconds = body["gracePeriodSeconds"].as_int();
  out.propagation = body["propagationPolicy"].str();
  out.propagation_given = body["propagationPolicy"].is_string();
  if (body["orphanDependents"].is_bool())
    out.orphan_dependents = body["orphanDependents"].as_bool();
  out.uid = body["preconditions"]["uid"].str();
  out.revision = body["preconditions"]["resourceVersion"].str();
  out.has_uid = body["preconditions"].has("uid");
  out.has_revision = body["preconditions"].has("resourceVersion");
  for (const Value& one : body["dryRun"].elements()) out.dry_run.push_back(one.str());
  return out;
}

// The request as if its options had come with the query, so that both are checked alike.
Request with_options(const Request& request, const DeleteOptions& options) {
  Request merged = request;
  merged.options.dry_run = options.dry_run;
  merged.options.propagation = options.propagation;
  merged.options.propagation_given = options.propagation_given;
  merged.options.orphan_dependents = options.orphan_dependents;
  merged.options.grace_seconds = options.grace_seconds;
  return merged;
}

void warn_of_orphans(Call& call, const DeleteOptions& options) {
  if (call.storage->name() != "jobs.batch" || options.propagation_given ||
      !options.propagation.empty() || options.orphan_dependents)
    return;
  call.warn(
      "child pods are preserved by default when jobs are deleted; set "
      "propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress "
      "this warning");
}

// The finalizers of garbage collection that the options ask for.
Value finalizers_after(const Strategy& strategy, const Value& object,
                       const DeleteOptions& options) {
  bool orphan = false, foreground = false;
  if (strategy.collectable) {
    if (options.orphan_dependents) {
      orphan = *options.orphan_dependents;
    } else if (!options.propagation.empty()) {
      orphan = options.propagation == "Orphan";
      foreground = options.propagation == "Foreground";
    } else if (model::has_finalizer(object, kOrphan)) {
      orphan = true;
    } else if (model::has_finalizer(object, kForeground)) {
      foreground = true;
    } else {
      orphan = strategy.orphan;
    }
  }
  Value out = Value::array();
  for (const Value& one : object["metadata"]["finalizers"].elements())
    if (one.as_string() != kOrphan && one.as_string() != kForeground) out.push_back(one);
  if (orphan) out.push_back(kOrphan);
  if (foreground) out.push_back(kForeground);
  return out;
}

void raise_generation(Value& object) {
  const std::int64_t generation = model::generation_of(object);
  if (generation > 0) object.edit("metadata").set("generation", generation + 1);
}

void mark_deleted(Value& object, Instant when, std::int64_t grace_seconds) {
  Value& meta = object.edit("metadata");
  meta.set("deletionTimestamp", to_rfc3339(when));
  meta.set("deletionGracePeriodSeconds", grace_seconds);
}

// How long a pod may still run once it is deleted.
std::int64_t pod_grace(const Value& pod, const DeleteOptions& options) {
  std::int64_t period =
      options.grace_seconds.value_or(pod["spec"]["terminationGracePeriodSeconds"].as_int());
  if (pod["spec"]["nodeName"].as_string().empty() || model::pod_is_finished(pod)) return 0;
  return period < 0 ? 1 : period;
}

enum class Grace : std::uint8_t { none, changed, pending };

// rest.BeforeDelete for kinds that end gracefully: changes the object's deletion marks.
Grace grant_grace(Value& pod, DeleteOptions& options, Instant now) {
  Value& meta = pod.edit("metadata");
  if (!meta.has("deletionTimestamp")) {
    const std::int64_t period = pod_grace(pod, options);
    options.grace_seconds = period;
    mark_deleted(pod, now + Duration::seconds(period), period);
    raise_generation(pod);
    return Grace::changed;
  }
  const std::int64_t before = meta["deletionGracePeriodSeconds"].as_int();
  if (before == 0) return Grace::none;
  if (!options.grace_seconds) {
    options.grace_seconds = before;
    return Grace::pending;
  }
  std::int64_t period = *options.grace_seconds;
  if (period >= before) return Grace::pending;
  Instant end = model::time_of(meta["deletionTimestamp"]) - Duration::seconds(before) +
                Duration::seconds(period);
  if (end < now) {
    end = now;
    if (period != 0) period = 1;
  }
  options.grace_seconds = period;
  mark_deleted(pod, end, period);
  return Grace::changed;
}

Result<void> check_preconditions(const Call& call, const Value& object,
                                 const DeleteOptions& options) {
  // Of the stored kind: events of both groups are the core one's.
  const GroupName kind{call.storage->group, call.storage->kind};
  const std::string uid(model::uid_of(object)), revision(model::revision_of(object));
  if (call.storage->name() == "namespaces" ||
      call.storage->name() == "customresourcedefinitions.apiextensions.k8s.io") {
    const auto refuse = [&](const std::string& what, const std::string& wanted,
                            const std::string& actual) {
      return conflict(call.group_resource(), model::name_of(object),
                      "Precondition failed: " + what + " in precondition: " + wanted + ", " + what +
                          " in object meta: " + actual);
    };
    if (options.has_uid && options.uid != uid) return refuse("UID", options.uid, uid);
    if (options.has_revision && options.revision != revision)
      return refuse("ResourceVersion", options.revision, revision);
    return {};
  }
  if (options.has_uid && options.uid != uid)
    return conflict(kind, model::name_of(object),
                    "the UID in the precondition (" + options.uid +
                        ") does not match the UID in record (" + uid +
                        "). The object might have been deleted and then recreated");
  if (options.has_revision && options.revision != revision)
    return conflict(kind, model::name_of(object),
                    "the ResourceVersion in the precondition (" + options.revision +
                        ") does not match the ResourceVersion in record (" + revision +
                        "). The object might have been modified");
  return {};
}

// Outcome of deleting one object.
struct Removed {
  Value object;       // as it was last, or is now
  bool gone = true;   // false: it waits for finalizers or its grace
  bool echo = false;  // answered with the object whatever the kind's habit
  std::int64_t revision = 0;
};

class Removal {
 public:
  Removal(Registry::State& state, Call& call, DeleteOptions options)
      : state_(state), call_(call), options_(std::move(options)) {}

  Result<Removed> remove(const store::EntryPtr& entry) {
    TRY(const Value found, state_.live(call_, entry));
    Value object = found;
    if (options_.grace_seconds && *options_.grace_seconds < 0) options_.grace_seconds = 1;
    TRY_VOID(check_preconditions(call_, object, options_));
    const std::string name = call_.storage->name();
    Value no_object;
    Admission admission(state_, call_, Admission::Operation::remove, no_object, object);
    if (name == "namespaces") return remove_namespace(entry, admission);
    if (name == "customresourcedefinitions.apiextensions.k8s.io")
      return remove_definition(entry, admission);
    Grace grace = Grace::none;
    if (name == "pods") grace = grant_grace(object, options_, call_.now);
    if (grace == Grace::pending) {
      TRY_VOID(admission.validate());
      return Removed{found, false, false, state_.store.revision().number};
    }
    const Value before = found["metadata"]["finalizers"];
    const Value finalizers = finalizers_after(call_.strategy, object, options_);
    const bool changed = finalizers.size() != before.size() || !same_set(finalizers, before);
    TRY_VOID(admission.validate());
    if (changed) model::set_finalizers(object, finalizers);
    if (!finalizers.empty()) {
      if (grace == Grace::none) {
        if (!model::is_deleting(object)) {
          mark_deleted(object, call_.now, 0);
          raise_generation(object);
        } else {
          object.edit("metadata").set("deletionGracePeriodSeconds", 0);
        }
      }
      return kept(entry, found, std::move(object));
    }
    if (grace == Grace::changed && *options_.grace_seconds > 0)
      return kept(entry, found, std::move(object));
    // A graceful kind is marked first, so that watchers see why it goes.
    if (grace == Grace::changed) {
      TRY(Removed marked, kept(entry, found, std::move(object)));
      object = marked.object;
    } else if (changed) {
      TRY(Removed marked, kept(entry, found, std::move(object)));
      object = marked.object;
    }
    TRY(const std::int64_t revision, state_.erase(call_, std::string(entry->key())));
    if (!call_.request.dry())
      object.edit("metadata").set("resourceVersion", std::to_string(revision));
    return Removed{std::move(object), true, false, revision};
  }

 private:
  static bool same_set(const Value& a, const Value& b) {
    return std::all_of(a.elements().begin(), a.elements().end(), [&](const Value& one) {
      return std::find(b.elements().begin(), b.elements().end(), one) != b.elements().end();
    });
  }

  Result<Removed> kept(const store::EntryPtr& entry, const Value& before, Value object) {
    if (object == before)
      return Removed{std::move(object), false, true, state_.store.revision().number};
    TRY(Written written, state_.put(call_, std::string(entry->key()), std::move(object)));
    return Removed{written.value(), false, true, state_.store.revision().number};
  }

  // A namespace first becomes Terminating; it goes once its spec.finalizers are empty.
  Result<Removed> remove_namespace(const store::EntryPtr& entry, Admission& admission) {
    Value object = entry->value();
    TRY_VOID(admission.validate());
    if (!model::is_deleting(object)) {
      mark_deleted(object, call_.now, 0);
      object.edit("metadata").erase("deletionGracePeriodSeconds");
      object.edit("status").set("phase", "Terminating");
      const Value finalizers = finalizers_after(call_.strategy, object, options_);
      model::set_finalizers(object, finalizers);
      return kept(entry, entry->value(), std::move(object));
    }
    if (!object["spec"]["finalizers"].empty() || !object["metadata"]["finalizers"].empty())
      return Removed{std::move(object), false, true, state_.store.revision().number};
    TRY(const std::int64_t revision, state_.erase(call_, std::string(entry->key())));
    return Removed{std::move(object), true, true, revision};
  }

  // A definition's objects go first: see custom.cc, which finishes what is begun here.
  Result<Removed> remove_definition(const store::EntryPtr& entry, Admission& admission) {
    Value object = entry->value();
    TRY_VOID(admission.validate());
    if (!model::is_deleting(object)) {
      mark_deleted(object, call_.now, 0);
      object.edit("metadata").erase("deletionGracePeriodSeconds");
      const Value finalizers = finalizers_after(call_.strategy, object, options_);
      model::set_finalizers(object, finalizers);
      object.edit("metadata")
          .edit("finalizers")
          .push_back("customresourcecleanup.apiextensions.k8s.io");
      Value& conditions = object.edit("status").edit("conditions");
      conditions.push_back(
          Value::object({{"type", "Terminating"},
                         {"status", "True"},
                         {"reason", "InstanceDeletionPending"},
                         {"message",
                          "CustomResourceDefinition marked for deletion; CustomResource deletion "
                          "will begin soon"},
                         {"lastTransitionTime", to_rfc3339(call_.now)}}));
    }
    if (object["metadata"]["finalizers"].empty()) {
      TRY(const std::int64_t revision, state_.erase(call_, std::string(entry->key())));
      return Removed{std::move(object), true, false, revision};
    }
    return kept(entry, entry->value(), std::move(object));
  }

  Registry::State& state_;
  Call& call_;
  DeleteOptions options_;
};

Value success_status(const Call& call, const Value& object) {
  Value details =
      Value::object({{"name", model::name_of(object)}, {"kind", call.resource->plural}});
  if (!call.resource->group.empty()) details.set("group", call.resource->group);
  if (!model::uid_of(object).empty()) details.set("uid", model::uid_of(object));
  return Value::object({{"apiVersion", "v1"},
                        {"kind", "Status"},
                        {"metadata", Value::object()},
                        {"status", "Success"},
                        {"details", std::move(details)}});
}

}  // namespace

Result<Response> Registry::State::remove(Call& call) {
  TRY(DeleteOptions options, options_of(types, call.request));
  const Request merged = with_options(call.request, options);
  Call checked{merged, call.resource, call.storage, call.strategy, call.subresource, call.now};
  TRY_VOID(check_options(checked, "DeleteOptions"));
  warn_of_orphans(call, options);
  const store::EntryPtr entry = store.get(call.key());
  if (!entry) return not_found(call.group_resource(), call.request.name);
  const bool accepted = options.orphan_dependents && !*options.orphan_dependents;
  Removal removal(*this, checked, std::move(options));
  TRY(Removed removed, removal.remove(entry));
  call.warnings.insert(call.warnings.end(), checked.warnings.begin(), checked.warnings.end());
  const int code = !removed.gone && accepted ? 202 : 200;
  Response response;
  if (removed.echo || call.strategy.echo) {
    TRY(Object object, served(call, removed.object));
    TRY(response, answer(call, object, code));
  } else {
    response.code = code;
    response.object = Object(success_status(call, removed.object));
    response.warnings = call.warnings;
  }
  response.revision = std::max(response.revision, removed.revision);
  return response;
}

namespace {

// What webhooks say about every object has to be known before the first one goes: a run that ends
// to ask must not have removed anything.
Result<void> ask_about_all(Registry::State& state, const Call& call, const Request& merged,
                           const Selection& selection) {
  if (state.exchange == nullptr) return {};
  for (const store::EntryPtr& entry : state.entries(
           call.storage->name(), call.storage->namespaced ? call.request.namespace_ : "")) {
    TRY(const Value object, state.live(call, entry));
    if (!selection.matches(object)) continue;
    Request one = merged;
    one.namespace_ = model::namespace_of(object);
    one.name = model::name_of(object);
    Call each{one, call.resource, call.storage, call.strategy, nullptr, call.now};
    Value none;
    (void)Admission(state, each, Admission::Operation::remove, none, object).validate().ok();
  }
  if (state.is_waiting()) return Exchange::waiting();
  return {};
}

}  // namespace

Result<Response> Registry::State::remove_collection(Call& call) {
  TRY(DeleteOptions options, options_of(types, call.request));
  warn_of_orphans(call, options);
  const Request merged = with_options(call.request, options);
  Call checked{merged, call.resource, call.storage, call.strategy, call.subresource, call.now};
  TRY(Response response, list(call));
  TRY_VOID(check_options(checked, "DeleteOptions"));
  TRY(const Selection selection, Selection::of(*call.resource, call.request.options));
  TRY_VOID(ask_about_all(*this, call, merged, selection));
  std::size_t left = static_cast<std::size_t>(
      call.request.options.limit > 0 ? call.request.options.limit : INT64_MAX);
  for (const store::EntryPtr& entry :
       entries(call.storage->name(), call.storage->namespaced ? call.request.namespace_ : "")) {
    if (left == 0) break;
    TRY(const Value object, live(call, entry));
    if (!selection.matches(object)) continue;
    --left;
    Request one = merged;
    one.namespace_ = model::namespace_of(object);
    one.name = model::name_of(object);
    Call each{one, call.resource, call.storage, call.strategy, nullptr, call.now};
    Removal removal(*this, each, options);
    auto removed = removal.remove(entry);
    if (!removed.ok() && removed.error().reason != Reason::not_found) return removed.error();
    if (removed.ok()) response.revision = std::max(response.revision, removed->revision);
  }
  return response;
}

Result<void> remove_as_stored(Registry::State& state, Call& call, const store::EntryPtr& entry) {
  Value object = entry->value();
  if (object["metadata"]["finalizers"].empty()) {
    TRY_VOID(state.erase(call, std::string(entry->key())));
  } else if (!model::is_deleting(object)) {
    mark_deleted(object, call.now, 0);
    raise_generation(object);
    TRY_VOID(state.put(call, std::string(entry->key()), std::move(object)));
  }
  return {};
}

}  // namespace keelson::registry
