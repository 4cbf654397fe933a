// What the namespace controller watches: namespaces, and whatever goes in one that is going.
#include "control/namespace/namespace.h"

#include "model/meta.h"

namespace keelson::control {

std::vector<cluster::Watch> NamespaceController::watches() const {
  std::vector<cluster::Watch> all;
  all.push_back({"namespaces", [](const cluster::View&, const Value&, const Value& after) {
                   std::vector<cluster::Key> keys;
                   if (model::is_deleting(after))
                     keys.push_back({"", std::string(model::name_of(after))});
                   return keys;
                 }});
  for (const ObjectKind& kind : kinds_) {
    if (!kind.namespaced || kind.is_event()) continue;
    all.push_back(
        {kind.resource, [](const cluster::View& view, const Value& before, const Value& after) {
           // What is made in a namespace that goes concerns us as much as what leaves it.
           std::vector<cluster::Key> keys;
           if (!before.is_null() && !after.is_null()) return keys;
           const Value& object = after.is_null() ? before : after;
           const std::string name(model::namespace_of(object));
           if (model::is_deleting(view.get("namespaces", "", name))) keys.push_back({"", name});
           return keys;
         }});
  }
  return all;
}

cluster::Plan NamespaceController::reconcile(const cluster::Sync& sync) {
  NamespaceInputs inputs;
  inputs.namespace_ = sync.view.get("namespaces", "", sync.key.name);
  if (!model::is_deleting(inputs.namespace_)) return {};
  for (const ObjectKind& kind : kinds_) {
    if (!kind.namespaced) continue;
    std::vector<Value> objects = sync.view.list(kind.resource, sync.key.name);
    if (!objects.empty()) inputs.content[kind.resource] = std::move(objects);
  }
  inputs.now = sync.now;
  return Script::run(
      [inputs = std::move(inputs)](Script& script) { return empty_namespace(inputs, script); });
}

}  // namespace keelson::control
