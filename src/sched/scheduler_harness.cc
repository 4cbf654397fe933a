// A registry of a few lines.
#include "sched/scheduler_harness.h"

#include "model/meta.h"

namespace keelson::sched {
namespace {
Value merge(Value base, const Value& patch) {
  if (!patch.is_object()) return patch;
  if (!base.is_object()) base = Value::object();
  for (const codec::Member& member : patch.members()) {
    if (member.value.is_null())
      base.erase(member.key());
    else
      base.set(member.key(), merge(base[member.key()], member.value));
  }
  return base;
}
}  // namespace

Harness::Harness(SchedulerOptions options)
    : scheduler(std::move(options)), watches_(scheduler.watches()) {}

void Harness::announce(std::string_view resource, const Value& before, const Value& after) {
  for (const cluster::Watch& watch : watches_)
    if (watch.resource == resource && !watch.keys(view, before, after).empty()) wake_at_ = now;
}

void Harness::apply(std::string_view resource, Value object) {
  Value& meta = object.edit("metadata");
  meta.set("resourceVersion", std::to_string(++revision_));
  if (meta["uid"].is_null())
    meta.set("uid", "uid-" + meta["namespace"].str() + "-" + meta["name"].str());
  const Value before = view.get(resource, model::namespace_of(object), model::name_of(object));
  view.put(resource, object);
  announce(resource, before, object);
}

void Harness::remove(std::string_view resource, std::string_view ns, std::string_view name) {
  const Value before = view.get(resource, ns, name);
  if (before.is_null()) return;
  view.remove(resource, ns, name);
  announce(resource, before, Value());
}

Result<Value> Harness::commit(const cluster::Write& write) {
  Value object = view.get(write.resource, write.namespace_, write.name);
  if (object.is_null()) return Error{.reason = Reason::not_found, .message = "not found"};
  if (!write.revision.empty() && write.revision != model::revision_of(object))
    return Error{.reason = Reason::conflict, .message = "changed meanwhile"};
  switch (write.verb) {
    case cluster::Write::Verb::create:
      if (binding_error) return std::move(*std::exchange(binding_error, std::nullopt));
      object.edit("spec").set("nodeName", write.object["target"]["name"]);
      break;
    case cluster::Write::Verb::merge_patch: object = merge(object, write.object); break;
    case cluster::Write::Verb::remove:
      if (!graceful) {
        remove(write.resource, write.namespace_, write.name);
        return Value();
      }
      object.edit("metadata").set("deletionTimestamp", to_rfc3339(now));
      break;
    default: return Error{.message = "unexpected verb"};
  }
  apply(write.resource, object);
  return object;
}

void Harness::carry_out(cluster::Plan plan) {
  while (true) {
    for (auto& event : plan.events) events.push_back(std::move(event));
    if (plan.wake_at && (!wake_at_ || *plan.wake_at < *wake_at_)) wake_at_ = plan.wake_at;
    std::vector<Result<Value>> results;
    for (const cluster::Write& write : plan.writes) results.push_back(commit(write));
    if (!plan.then) return;
    plan = plan.then(std::move(results));
  }
}

void Harness::run() {
  while (wake_at_ && *wake_at_ <= now) {
    wake_at_.reset();
    ++reconciles;
    const cluster::Key key{"", std::string(scheduler.name())};
    carry_out(scheduler.reconcile({view, key, now, rng_}));
  }
}

void Harness::advance(Duration duration) {
  const Instant end = now + duration;
  run();
  while (wake_at_ && *wake_at_ <= end) {
    now = std::max(now, *wake_at_);
    run();
  }
  now = end;
}

Value Harness::pod(std::string_view name, std::string_view ns) const {
  return view.get("pods", ns, name);
}

std::string Harness::node_of(std::string_view name, std::string_view ns) const {
  return pod(name, ns)["spec"]["nodeName"].str();
}

Value make_node(std::string_view name, std::string_view cpu, std::string_view memory,
                std::string_view zone) {
  Value node = Value::object({{"apiVersion", "v1"}, {"kind", "Node"}});
  Value& meta = node.edit("metadata");
  meta.set("name", name);
  Value& labels = meta.edit("labels");
  labels.set("kubernetes.io/hostname", name);
  if (!zone.empty()) labels.set("topology.kubernetes.io/zone", zone);
  node.edit("status").set("allocatable",
                          Value::object({{"cpu", cpu}, {"memory", memory}, {"pods", "110"}}));
  return node;
}

Value make_pod(std::string_view name, std::string_view cpu, std::string_view memory,
               std::int64_t priority) {
  Value pod = Value::object({{"apiVersion", "v1"}, {"kind", "Pod"}});
  Value& meta = pod.edit("metadata");
  meta.set("name", name);
  meta.set("namespace", "default");
  meta.set("uid", "default/" + std::string(name));
  Value container = Value::object({{"name", "c"}, {"image", "app:1"}});
  container.edit("resources").set("requests", Value::object({{"cpu", cpu}, {"memory", memory}}));
  Value& spec = pod.edit("spec");
  spec.set("containers", Value::array({container}));
  spec.set("schedulerName", "default-scheduler");
  spec.set("priority", priority);
  return pod;
}

}  // namespace keelson::sched
