#include "control/endpointslice/endpointslice.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
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

// The watch, noting for each key what changed.
cluster::Watch EndpointSliceController::noting(cluster::Watch watch, bool Service::*what) const {
  return {watch.resource, [this, what, keys = std::move(watch.keys)](
                              const cluster::View& view, const Value& before, const Value& after) {
            std::vector<Key> all = keys(view, before, after);
            for (const Key& key : all) services_[key].*what = true;
            return all;
          }};
}

std::vector<cluster::Watch> EndpointSliceController::watches() const {
  return {noting(cluster::watch_self(std::string(kServices)), &Service::changed),
          noting({"pods",
                  [](const cluster::View& view, const Value& before, const Value& after) {
                    return matters(before, after) ? services_of_pod(view, before, after)
                                                  : std::vector<Key>{};
                  }},
                 &Service::pods_changed),
          // A slice that somebody else changed or removed is put right again.
          noting({std::string(kSlices),
                  [](const cluster::View&, const Value& before, const Value& after) {
                    const Value& slice = after.is_null() ? before : after;
                    const std::string_view service = model::label_of(slice, kServiceNameLabel);
                    if (service.empty() || model::label_of(slice, kManagedByLabel) != kSliceManager)
                      return std::vector<Key>{};
                    return std::vector<Key>{
                        {std::string(model::namespace_of(slice)), std::string(service)}};
                  }},
                 &Service::slices_changed),
          // Zones that grow or shrink make hints wrong.
          noting({"nodes",
                  [this](const cluster::View& view, const Value& before, const Value& after) {
                    std::vector<Key> keys;
                    if (!before.is_null() && !after.is_null() &&
                        model::condition_is_true(before, "Ready") ==
                            model::condition_is_true(after, "Ready") &&
                        model::labels_of(before) == model::labels_of(after) &&
                        before["status"]["allocatable"] == after["status"]["allocatable"])
                      return keys;
                    topology_.set_zones(cpu_by_zone(view.list("nodes")));
                    for (const std::string& service : topology_.overloaded()) {
                      const std::size_t slash = service.find('/');
                      keys.push_back({service.substr(0, slash), service.substr(slash + 1)});
                    }
                    return keys;
                  }},
                 &Service::changed)};
}

void EndpointSliceController::later(Service& state, Instant when) const {
  if (!state.due || when < *state.due) state.due = when;
}

Plan EndpointSliceController::reconcile(const cluster::Sync& sync) {
  Plan plan;
  Service& state = services_[sync.key];
  if (std::exchange(state.slices_changed, false))
    later(state, sync.now + std::max(Duration::seconds(1), options_.batch_period));
  if (std::exchange(state.changed, false)) {
    sync_service(sync, state, plan);
    if (!services_.contains(sync.key)) return plan;
  } else {
    const bool pods_changed = std::exchange(state.pods_changed, false);
    const bool at_once = pods_changed && options_.batch_period <= Duration();
    if (pods_changed && !at_once) later(state, sync.now + options_.batch_period);
    if (at_once) {
      sync_service(sync, state, plan);
      if (!services_.contains(sync.key)) return plan;
    } else if (state.due && *state.due <= sync.now) {
      state.due.reset();
      sync_service(sync, state, plan);
      if (!services_.contains(sync.key)) return plan;
    }
  }
  // Changes of pods that came with one of the Service have a sync of their own.
  plan.wake_at = state.pods_changed ? sync.now : state.due;
  return plan;
}

// The time of the earliest change since the last sync.
std::string EndpointSliceController::trigger_time(Service& state, const Value& service,
                                                  const std::vector<Value>& pods) const {
  Triggers now{.service = model::creation_time_of(service), .pods = {}};
  const bool known = state.triggers.has_value();
  const Triggers before = known ? *state.triggers : Triggers{};
  std::optional<Instant> first;
  const auto changed = [&](Instant at) { first = first ? std::min(*first, at) : at; };
  for (const Value& pod : pods) {
    const Value& ready = model::condition_of(pod, "Ready");
    const Instant at = model::time_of(ready["lastTransitionTime"]);
    if (at.is_zero()) continue;
    const std::string name(model::name_of(pod));
    now.pods[name] = at;
    const auto old = before.pods.find(name);
    if (old == before.pods.end() || at > old->second) changed(at);
  }
  if (now.service > before.service) changed(now.service);
  state.triggers = now;
  if (!known) first = now.service;
  return first && !first->is_zero() ? to_rfc3339(*first) : std::string();
}

void EndpointSliceController::sync_service(const cluster::Sync& sync, Service& state, Plan& plan) {
  const Value service = sync.view.get(kServices, sync.key.namespace_, sync.key.name);
  if (service.is_null()) {
    topology_.forget_service(sync.key.namespace_ + "/" + sync.key.name);
    services_.erase(sync.key);
    return;
  }
  // Slices of a Service without a selector are somebody else's.
  if (service["spec"]["selector"].is_null() ||
      service["spec"]["type"].as_string() == "ExternalName")
    return;
  SliceInput input{.service = service,
                   .pods = {},
                   .slices = {},
                   .node = {},
                   .options = options_,
                   .topology = topology_};
  input.node = [&](std::string_view name) { return sync.view.get("nodes", {}, name); };
  const auto selector = model::LabelSelector::of_map(service["spec"]["selector"]);
  for (Value& pod : sync.view.list("pods", sync.key.namespace_))
    if (selector.matches(model::labels_of(pod))) input.pods.push_back(std::move(pod));
  for (Value& slice : sync.view.list(kSlices, sync.key.namespace_))
    if (model::label_of(slice, kServiceNameLabel) == sync.key.name &&
        model::label_of(slice, kManagedByLabel) == kSliceManager && !model::is_deleting(slice))
      input.slices.push_back(std::move(slice));
  input.trigger_time = trigger_time(state, service, input.pods);

  const SliceChanges changes = change_slices(input);
  for (const Value& slice : changes.creates)
    plan.writes.push_back(write_of(Write::Verb::create, slice));
  for (const Value& slice : changes.updates)
    plan.writes.push_back(write_of(Write::Verb::update, slice));
  for (const Value& slice : changes.deletes)
    plan.writes.push_back(write_of(Write::Verb::remove, slice));
  for (const HintEvent& event : changes.events)
    plan.events.push_back({.regarding = service,
                           .warning = event.warning,
                           .reason = event.reason,
                           .message = event.message});
  // A write that fails (a conflict, a quota) is tried again like any other failure.
  plan.then = [this, service, key = sync.key, now = sync.now,
               errors = changes.errors](const std::vector<Result<Value>>& results) {
    std::vector<std::string> all = errors;
    for (const Result<Value>& result : results)
      if (!result.ok() && result.error().reason != Reason::not_found)
        all.push_back(result.error().message);
    Plan after;
    const auto state_now = services_.find(key);
    if (state_now == services_.end()) return after;
    if (all.empty())
      state_now->second.failures = 0;
    else
      failed(state_now->second, service, now, std::move(all), after);
    after.wake_at = state_now->second.pods_changed ? now : state_now->second.due;
    return after;
  };
}

void EndpointSliceController::failed(Service& state, const Value& service, Instant now,
                                     std::vector<std::string> all, Plan& plan) const {
  constexpr int kRetriesMax = 15;
  // Aggregated as the original does: one is as it is, several stand in brackets, each once.
  std::vector<std::string> errors;
  for (const std::string& error : all)
    if (std::find(errors.begin(), errors.end(), error) == errors.end()) errors.push_back(error);
  const std::string text = errors.size() == 1 ? errors[0] : "[" + join(errors, ", ") + "]";
  plan.events.push_back({.regarding = service,
                         .warning = true,
                         .reason = "FailedToUpdateEndpointSlices",
                         .message = "Error updating Endpoint Slices for Service " +
                                    std::string(model::namespace_of(service)) + "/" +
                                    std::string(model::name_of(service)) + ": " + text});
  if (state.failures >= kRetriesMax) {
    state.failures = 0;
    return;
  }
  const std::int64_t seconds = std::min<std::int64_t>(1000, std::int64_t{1} << state.failures++);
  later(state, now + Duration::seconds(seconds));
}

}  // namespace keelson::control
