// Adoption and release; see claims.h.
#include "control/common/claims.h"

#include <algorithm>

#include "base/text.h"
#include "model/finalizers.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

cluster::Write meta_patch(std::string_view resource, const Value& object, Value changes) {
  cluster::Write write;
  write.verb = cluster::Write::Verb::merge_patch;
  write.resource = resource;
  write.namespace_ = model::namespace_of(object);
  write.name = model::name_of(object);
  write.uid = model::uid_of(object);
  write.revision = model::revision_of(object);
  write.object = Value::object({{"metadata", std::move(changes)}});
  return write;
}

// An empty list takes the member away.
Value or_null(Value list) {
  return list.empty() ? Value() : list;
}

bool is_orphan(const Value& object) {
  return !object.is_null() && model::controller_of(object).is_null();
}

}  // namespace

void Orphans::observe(const Value& before, const Value& after) {
  const Value& object = after.is_null() ? before : after;
  const std::string_view ns = model::namespace_of(object);
  if (is_orphan(after)) {
    names_[std::string(ns)].insert(std::string(model::name_of(object)));
    return;
  }
  const auto at = names_.find(ns);
  if (at == names_.end()) return;
  at->second.erase(std::string(model::name_of(object)));
  if (at->second.empty()) names_.erase(at);
}

std::vector<Value> Orphans::list(const cluster::View& view, std::string_view ns) const {
  std::vector<Value> found;
  const auto at = names_.find(ns);
  if (at == names_.end()) return found;
  for (const std::string& name : at->second)
    if (Value object = view.get(resource_, ns, name); is_orphan(object))
      found.push_back(std::move(object));
  return found;
}

std::vector<Value> owned_and_orphans(const cluster::View& view, std::string_view resource,
                                     const Orphans& orphans, const Value& owner) {
  std::vector<Value> objects = view.owned_by(resource, model::uid_of(owner));
  std::erase_if(objects, [&](const Value& object) {
    return !model::is_controlled_by(object, model::uid_of(owner)) ||
           model::namespace_of(object) != model::namespace_of(owner);
  });
  for (Value& orphan : orphans.list(view, model::namespace_of(owner)))
    objects.push_back(std::move(orphan));
  return objects;
}

Result<std::vector<Value>> claim(Script& script, std::string_view resource, const Value& owner,
                                 const model::LabelSelector& selector,
                                 const std::vector<Value>& candidates,
                                 const std::function<bool(const Value&)>& may_own,
                                 std::string_view finalizer) {
  const bool owner_goes = model::is_deleting(owner);
  std::vector<Value> claimed;
  std::vector<cluster::Write> writes;
  std::vector<std::size_t> adopted;  // per write, where its result goes in `claimed`
  constexpr std::size_t kReleased = SIZE_MAX;
  for (const Value& object : candidates) {
    const bool wanted = selector.matches(model::labels_of(object)) && (!may_own || may_own(object));
    if (!model::controller_of(object).is_null()) {
      if (!model::is_controlled_by(object, model::uid_of(owner))) continue;
      if (wanted) {
        claimed.push_back(object);
      } else if (!owner_goes) {
        writes.push_back(release(resource, owner, object, finalizer));
        adopted.push_back(kReleased);
      }
    } else if (wanted && !owner_goes && !model::is_deleting(object)) {
      writes.push_back(adoption(resource, owner, object, finalizer));
      adopted.push_back(claimed.size());
      claimed.push_back(object);
    }
  }

  const std::vector<Result<Value>> results = script.write(std::move(writes));
  std::vector<std::string> failures;
  std::vector<std::size_t> lost;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].ok()) {
      if (adopted[i] != kReleased) claimed[adopted[i]] = *results[i];
      continue;
    }
    const Error& error = results[i].error();
    const bool gone = error.reason == Reason::not_found ||
                      (adopted[i] == kReleased && error.reason == Reason::invalid);
    if (!gone) failures.push_back(error.message);
    if (adopted[i] != kReleased) lost.push_back(adopted[i]);
  }
  if (!failures.empty())
    return Error{Reason::internal_error,
                 failures.size() == 1 ? failures[0] : "[" + join(failures, ", ") + "]"};
  for (auto at = lost.rbegin(); at != lost.rend(); ++at)
    claimed.erase(claimed.begin() + std::ptrdiff_t(*at));
  return claimed;
}

cluster::Write adoption(std::string_view resource, const Value& owner, const Value& object,
                        std::string_view finalizer) {
  Value owners = object["metadata"]["ownerReferences"];
  if (!owners.is_array()) owners = Value::array();
  owners.insert(0, model::controller_reference(owner));
  Value changes = Value::object({{"ownerReferences", std::move(owners)}});
  if (!finalizer.empty()) changes.set("finalizers", model::finalizers_with(object, finalizer));
  return meta_patch(resource, object, std::move(changes));
}

cluster::Write release(std::string_view resource, const Value& owner, const Value& object,
                       std::string_view finalizer) {
  Value owners = Value::array();
  for (const Value& reference : object["metadata"]["ownerReferences"].elements())
    if (reference["uid"].as_string() != model::uid_of(owner)) owners.push_back(reference);
  Value changes = Value::object({{"ownerReferences", or_null(std::move(owners))}});
  if (!finalizer.empty())
    changes.set("finalizers", or_null(model::finalizers_without(object, finalizer)));
  return meta_patch(resource, object, std::move(changes));
}

cluster::Write finalizer_removal(std::string_view resource, const Value& object,
                                 std::string_view finalizer) {
  return meta_patch(
      resource, object,
      Value::object({{"finalizers", or_null(model::finalizers_without(object, finalizer))}}));
}

Value resolve_controller(const cluster::View& view, std::string_view resource,
                         std::string_view kind, const Value& child) {
  const Value& reference = model::controller_of(child);
  if (reference["kind"].as_string() != kind) return {};
  Value owner = view.get(resource, model::namespace_of(child), reference["name"].as_string());
  return model::uid_of(owner) == reference["uid"].as_string() ? owner : Value();
}

Result<model::LabelSelector> selector_of(const OwnerKind& kind, const Value& owner) {
  const Value& selector = owner["spec"]["selector"];
  if (kind.resource == "replicationcontrollers") return model::LabelSelector::of_map(selector);
  return model::LabelSelector::of(selector);
}

std::vector<cluster::Key> selecting(const cluster::View& view, const OwnerKind& owner,
                                    const Value& object) {
  std::vector<cluster::Key> keys;
  const Value& labels = model::labels_of(object);
  if (labels.empty()) return keys;
  for (const Value& candidate : view.list(owner.resource, model::namespace_of(object))) {
    const auto parsed = selector_of(owner, candidate);
    if (parsed.ok() && !parsed->matches_everything() && parsed->matches(labels))
      keys.push_back(key_of(candidate));
  }
  return keys;
}

std::vector<cluster::Key> concerned(const cluster::View& view, const OwnerKind& owner,
                                    const Value& before, const Value& after, Departure departure) {
  std::vector<cluster::Key> keys;
  const auto add_owner_of = [&](const Value& object) {
    const Value found = resolve_controller(view, owner.resource, owner.kind, object);
    if (!found.is_null()) keys.push_back(key_of(found));
  };
  if (after.is_null() || (departure == Departure::when_asked && model::is_deleting(after))) {
    add_owner_of(after.is_null() ? before : after);
    return keys;
  }
  const bool owner_changed =
      !before.is_null() && model::controller_of(before) != model::controller_of(after);
  if (owner_changed) add_owner_of(before);
  if (!model::controller_of(after).is_null()) {
    add_owner_of(after);
  } else if ((before.is_null() && !model::is_deleting(after)) || owner_changed ||
             (!before.is_null() && model::labels_of(before) != model::labels_of(after))) {
    for (cluster::Key& key : selecting(view, owner, after)) keys.push_back(std::move(key));
  }
  return keys;
}

cluster::Key key_of(const Value& object) {
  return {std::string(model::namespace_of(object)), std::string(model::name_of(object))};
}

std::vector<Value> ordered_by_age(std::vector<Value> objects) {
  std::sort(objects.begin(), objects.end(), [](const Value& a, const Value& b) {
    const Instant ta = model::creation_time_of(a), tb = model::creation_time_of(b);
    return ta != tb ? ta < tb : model::name_of(a) < model::name_of(b);
  });
  return objects;
}

}  // namespace keelson::control
