#include "control/endpointslice/endpointslice.h"

#include "model/meta.h"
#include "model/selector.h"

namespace keelson::control {
namespace {

using cluster::Key;
using cluster::Plan;
using cluster::Write;
using codec::Value;

constexpr std::string_view kServices = "services", kSlices = "endpointslices.discovery.k8s.io";

// The Services of its namespace whose selector matches the pod, before or after the change.
std::vector<Key> services_of_pod(const cluster::View& view, const Value& before,
                                 const Value& after) {
  const Value& pod = after.is_null() ? before : after;
  std::vector<Key> keys;
  for (const Value& service : view.list(kServices, model::namespace_of(pod))) {
    const Value& selector = service["spec"]["selector"];
    if (selector.empty()) continue;
    const auto parsed = model::LabelSelector::of_map(selector);
    if ((!before.is_null() && parsed.matches(model::labels_of(before))) ||
        (!after.is_null() && parsed.matches(model::labels_of(after))))
      keys.push_back(
          {std::string(model::namespace_of(service)), std::string(model::name_of(service))});
  }
  return keys;
}

// What of a pod shows in slices.
bool matters(const Value& before, const Value& after) {
  if (before.is_null() || after.is_null()) return true;
  return !(before["metadata"]["labels"] == after["metadata"]["labels"]) ||
         !(before["spec"] == after["spec"]) ||
         model::is_deleting(before) != model::is_deleting(after) ||
         !(before["status"]["podIPs"] == after["status"]["podIPs"]) ||
         !(before["status"]["phase"] == after["status"]["phase"]) ||
         model::pod_is_ready(before) != model::pod_is_ready(after);
}

Write write_of(Write::Verb verb, const Value& slice) {
  return {.verb = verb,
          .resource = std::string(kSlices),
          .namespace_ = std::string(model::namespace_of(slice)),
          .name = std::string(model::name_of(slice)),
          .object = verb == Write::Verb::remove ? Value() : slice};
}

}  // namespace

std::vector<cluster::Watch> EndpointSliceController::watches() const {
  return {
      cluster::watch_self(std::string(kServices)),
      {"pods",
       [](const cluster::View& view, const Value& before, const Value& after) {
         return matters(before, after) ? services_of_pod(view, before, after) : std::vector<Key>{};
       }},
      // A slice that somebody else changed or removed is put right again.
      {std::string(kSlices), [](const cluster::View&, const Value& before, const Value& after) {
         const Value& slice = after.is_null() ? before : after;
         const std::string_view service = model::label_of(slice, kServiceNameLabel);
         if (service.empty() || model::label_of(slice, kManagedByLabel) != kSliceManager)
           return std::vector<Key>{};
         return std::vector<Key>{{std::string(model::namespace_of(slice)), std::string(service)}};
       }}};
}

Plan EndpointSliceController::reconcile(const cluster::Sync& sync) {
  Plan plan;
  const Value service = sync.view.get(kServices, sync.key.namespace_, sync.key.name);
  // Slices of a Service that is gone are the garbage collector's; those without a selector are
  // somebody else's.
  if (service.is_null() || service["spec"]["selector"].is_null() ||
      service["spec"]["type"].as_string() == "ExternalName")
    return plan;
  SliceInput input{.service = service, .pods = {}, .slices = {}, .node = {}, .options = options_};
  input.node = [&](std::string_view name) { return sync.view.get("nodes", {}, name); };
  const auto selector = model::LabelSelector::of_map(service["spec"]["selector"]);
  for (Value& pod : sync.view.list("pods", sync.key.namespace_))
    if (selector.matches(model::labels_of(pod))) input.pods.push_back(std::move(pod));
  for (Value& slice : sync.view.list(kSlices, sync.key.namespace_))
    if (model::label_of(slice, kServiceNameLabel) == sync.key.name &&
        model::label_of(slice, kManagedByLabel) == kSliceManager && !model::is_deleting(slice))
      input.slices.push_back(std::move(slice));

  const SliceChanges changes = change_slices(input);
  for (const Value& slice : changes.creates)
    plan.writes.push_back(write_of(Write::Verb::create, slice));
  for (const Value& slice : changes.updates)
    plan.writes.push_back(write_of(Write::Verb::update, slice));
  for (const Value& slice : changes.deletes)
    plan.writes.push_back(write_of(Write::Verb::remove, slice));
  for (const std::string& error : changes.errors)
    plan.error += (plan.error.empty() ? "" : ", ") + error;
  return plan;
}

}  // namespace keelson::control
