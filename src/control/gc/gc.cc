// What the garbage collector watches: everything. A change calls up the object itself if something
// is to be decided about it, what it owned when it goes, and owners that wait for it.
#include "control/gc/gc.h"

#include <algorithm>

#include "control/common/templates.h"
#include "model/finalizers.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

bool in_foreground(const Value& object) {
  return model::is_deleting(object) && model::has_finalizer(object, "foregroundDeletion");
}

bool is_orphaning(const Value& object) {
  return model::is_deleting(object) && model::has_finalizer(object, "orphan");
}

cluster::Key key_of(std::string_view resource, const Value& object) {
  return {std::string(model::namespace_of(object)),
          std::string(resource) + "/" + std::string(model::name_of(object))};
}

}  // namespace

const ObjectKind* GarbageCollector::kind_of(const Value& reference) const {
  const std::string group = model::group_version_of(reference["apiVersion"].as_string()).group;
  for (const ObjectKind& kind : kinds_)
    if (kind.kind == reference["kind"].as_string() && kind.group == group) return &kind;
  return nullptr;
}

GcInputs::Owner GarbageCollector::owner_of(const cluster::View& view, const Value& object,
                                           const Value& reference) const {
  const ObjectKind* kind = kind_of(reference);
  if (kind == nullptr) return {reference, {}, false};
  // An owner stands in the same namespace or in none.
  Value owner = view.get(kind->resource, kind->namespaced ? model::namespace_of(object) : "",
                         reference["name"].as_string());
  if (model::uid_of(owner) != reference["uid"].as_string()) owner = Value();
  return {reference, std::move(owner), true};
}

std::vector<GraphNode> GarbageCollector::dependents_of(const cluster::View& view,
                                                       const Value& object) const {
  std::vector<GraphNode> found;
  for (const std::string& resource : with_owners_)
    for (Value& dependent : view.owned_by(resource, model::uid_of(object)))
      found.push_back({resource, std::move(dependent)});
  return found;
}

std::vector<cluster::Key> GarbageCollector::keys(const cluster::View& view, const ObjectKind& kind,
                                                 const Value& before, const Value& after) const {
  const auto owners = [](const Value& object) -> const Value& {
    return object["metadata"]["ownerReferences"];
  };
  if (!owners(after).empty()) with_owners_.insert(kind.resource);
  std::vector<cluster::Key> found;
  const auto add_dependents = [&](const Value& object) {
    for (const GraphNode& dependent : dependents_of(view, object))
      found.push_back(key_of(dependent.resource, dependent.object));
  };
  const bool owners_changed = owners(before) != owners(after);
  if (after.is_null()) {
    add_dependents(before);
  } else {
    const bool wants_attention = in_foreground(after) || is_orphaning(after);
    if (wants_attention) found.push_back(key_of(kind.resource, after));
    if (in_foreground(after) && !in_foreground(before)) add_dependents(after);
    if (owners_changed && !wants_attention)
      for (const Value& reference : owners(after).elements()) {
        const GcInputs::Owner owner = owner_of(view, after, reference);
        if (owner.known && !owner.object.is_null() && !in_foreground(owner.object)) continue;
        found.push_back(key_of(kind.resource, after));
        break;
      }
  }
  if (owners_changed)
    for (const Value& reference : owners(before).elements())
      if (const GcInputs::Owner owner = owner_of(view, before, reference);
          in_foreground(owner.object))
        found.push_back(key_of(kind_of(reference)->resource, owner.object));
  return found;
}

std::vector<cluster::Watch> GarbageCollector::watches() const {
  std::vector<cluster::Watch> all;
  for (const ObjectKind& kind : kinds_) {
    if (kind.is_event()) continue;  // they own nothing and belong to nobody
    all.push_back({kind.resource,
                   [this, kind](const cluster::View& view, const Value& before,
                                const Value& after) { return keys(view, kind, before, after); }});
  }
  return all;
}

cluster::Plan GarbageCollector::reconcile(const cluster::Sync& sync) {
  const std::size_t slash = sync.key.name.find('/');
  GcInputs inputs;
  inputs.item.resource = sync.key.name.substr(0, slash);
  inputs.item.object = sync.view.get(inputs.item.resource, sync.key.namespace_,
                                     std::string_view(sync.key.name).substr(slash + 1));
  const Value& object = inputs.item.object;
  if (object.is_null()) return {};
  for (const Value& reference : object["metadata"]["ownerReferences"].elements())
    inputs.owners.push_back(owner_of(sync.view, object, reference));
  inputs.dependents = dependents_of(sync.view, object);
  return Script::run(
      [inputs = std::move(inputs)](Script& script) { return collect(inputs, script); });
}

}  // namespace keelson::control
