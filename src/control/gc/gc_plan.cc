// What the garbage collector does with one object. Pure; see gc.h.
#include <algorithm>

#include "control/common/templates.h"
#include "control/gc/gc.h"
#include "model/finalizers.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

constexpr std::string_view kForeground = "foregroundDeletion";
constexpr std::string_view kOrphan = "orphan";

bool waits_for_dependents(const Value& object) {
  return model::is_deleting(object) && model::has_finalizer(object, kForeground);
}

// A change of metadata that holds only for the revision it was decided on.
cluster::Write patch(const GraphNode& node, std::string_view field, Value value) {
  cluster::Write write = remove(node.resource, node.object);
  write.verb = cluster::Write::Verb::merge_patch;
  write.uid = model::uid_of(node.object);
  write.revision = model::revision_of(node.object);
  if (value.empty()) value = Value();
  write.object = Value::object({{"metadata", Value::object({{field, std::move(value)}})}});
  return write;
}

cluster::Write without_finalizer(const GraphNode& node, std::string_view finalizer) {
  return patch(node, "finalizers", model::finalizers_without(node.object, finalizer));
}

cluster::Write without_owners(const GraphNode& node, const std::vector<std::string_view>& uids) {
  Value left = Value::array();
  for (const Value& one : node.object["metadata"]["ownerReferences"].elements())
    if (std::find(uids.begin(), uids.end(), one["uid"].as_string()) == uids.end())
      left.push_back(one);
  return patch(node, "ownerReferences", std::move(left));
}

bool blocks(const Value& dependent, const Value& owner) {
  for (const Value& one : dependent["metadata"]["ownerReferences"].elements())
    if (one["uid"].as_string() == model::uid_of(owner)) return one["blockOwnerDeletion"].as_bool();
  return false;
}

// One result of a write on something that may have gone meanwhile, which is as good.
Result<void> settled(const Result<Value>& result) {
  if (result.ok() || result.error().reason == Reason::not_found) return {};
  return result.error();
}

// The owner goes, its dependents stay without it.
Result<void> orphan_dependents(const GcInputs& inputs, Script& script) {
  const std::string_view uid = model::uid_of(inputs.item.object);
  std::vector<cluster::Write> writes;
  for (const GraphNode& dependent : inputs.dependents)
    writes.push_back(without_owners(dependent, {uid}));
  for (const Result<Value>& result : script.write(std::move(writes))) TRY_VOID(settled(result));
  return settled(script.write(without_finalizer(inputs.item, kOrphan)));
}

// Deletes the item for want of an owner; a policy that it already has on it goes first.
Result<void> remove_item(const GraphNode& item, std::string_view policy, Script& script) {
  cluster::Write write = remove(item.resource, item.object);
  write.uid = model::uid_of(item.object);
  write.revision = model::revision_of(item.object);
  write.propagation = policy;
  return settled(script.write(std::move(write)));
}

// Owners that wait for the item while it waits for something below it that is waiting too: a ring
// would never end, so the item stops blocking.
Result<void> stop_blocking(const GraphNode& item, Script& script) {
  Value owners = item.object["metadata"]["ownerReferences"];
  for (std::size_t i = 0; i < owners.size(); ++i) owners.edit(i).set("blockOwnerDeletion", false);
  return settled(script.write(patch(item, "ownerReferences", std::move(owners))));
}

}  // namespace

Result<void> collect(const GcInputs& inputs, Script& script) {
  const Value& object = inputs.item.object;
  if (model::is_deleting(object) && model::has_finalizer(object, kOrphan))
    return orphan_dependents(inputs, script);
  if (waits_for_dependents(object)) {
    // Its dependents have been called up by themselves.
    const bool blocked =
        std::any_of(inputs.dependents.begin(), inputs.dependents.end(),
                    [&](const GraphNode& dependent) { return blocks(dependent.object, object); });
    return blocked ? Result<void>()
                   : settled(script.write(without_finalizer(inputs.item, kForeground)));
  }
  if (model::is_deleting(object) || inputs.owners.empty()) return {};

  std::vector<std::string_view> lost;
  bool solid = false, waited_for = false;
  for (const GcInputs::Owner& owner : inputs.owners) {
    if (!owner.known) return {};
    if (owner.object.is_null() || waits_for_dependents(owner.object))
      lost.push_back(owner.reference["uid"].as_string());
    else
      solid = true;
    waited_for = waited_for || waits_for_dependents(owner.object);
  }
  if (solid)
    return lost.empty() ? Result<void>() : settled(script.write(without_owners(inputs.item, lost)));
  if (waited_for && !inputs.dependents.empty()) {
    for (const GraphNode& dependent : inputs.dependents)
      if (waits_for_dependents(dependent.object)) {
        TRY_VOID(stop_blocking(inputs.item, script));
        break;
      }
    GraphNode item = inputs.item;
    item.object.edit("metadata").erase("resourceVersion");  // it may just have been changed
    return remove_item(item, "Foreground", script);
  }
  if (model::has_finalizer(object, kOrphan)) return remove_item(inputs.item, "Orphan", script);
  if (model::has_finalizer(object, kForeground))
    return remove_item(inputs.item, "Foreground", script);
  return remove_item(inputs.item, "Background", script);
}

}  // namespace keelson::control
