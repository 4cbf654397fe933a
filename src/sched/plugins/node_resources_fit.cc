// Fitting and scoring as Kubernetes' plugins/noderesources.
#include "sched/plugins/node_resources_fit.h"

#include "sched/plugins/dynamic_resources.h"

namespace keelson::sched {
namespace {

struct Requests : State {
  Resources wanted;
  std::vector<bool> by_class;  // per scalar: a device class stands for it
};

struct ScoreRequests : State {
  std::int64_t milli_cpu = 0, memory = 0;
};

void add_reason(Status& status, std::string_view literal) {
  if (status.literal.empty())
    status.literal = literal;
  else
    status.composed.emplace_back(literal);
}

// Unresolvable if not even the empty node would do.
Status check_fit(const Requests& requests, const NodeInfo& node) {
  Status status;
  const Resources& total = node.allocatable();
  const Resources& used = node.requested();
  const Resources& wanted = requests.wanted;
  const auto is_short = [&](std::int64_t want, std::int64_t capacity, std::int64_t in_use) {
    if (want <= 0 || want <= capacity - in_use) return false;
    if (want > capacity) status.code = Code::unresolvable;
    if (status.code == Code::success) status.code = Code::unschedulable;
    return true;
  };
  if (static_cast<std::int64_t>(node.pods().size()) + 1 > total.pods) {
    status.code = Code::unschedulable;
    add_reason(status, "Too many pods");
  }
  if (is_short(wanted.milli_cpu, total.milli_cpu, used.milli_cpu))
    add_reason(status, "Insufficient cpu");
  if (is_short(wanted.memory, total.memory, used.memory)) add_reason(status, "Insufficient memory");
  if (is_short(wanted.ephemeral_storage, total.ephemeral_storage, used.ephemeral_storage))
    add_reason(status, "Insufficient ephemeral-storage");
  for (std::size_t i = 0; i < wanted.scalars.size(); ++i) {
    const auto& [name, want] = wanted.scalars[i];
    const std::int64_t capacity = total.scalar(name);
    // Where the node has none of its own, devices of the class may serve the request.
    if (requests.by_class[i] && capacity == 0) continue;
    if (is_short(want, capacity, used.scalar(name)))
      status.composed.push_back("Insufficient " + name);
  }
  return status;
}

std::int64_t free_share(std::int64_t requested, std::int64_t capacity) {
  return requested > capacity ? 0 : (capacity - requested) * kScoreMax / capacity;
}

bool grew(const Resources& before, const Resources& after, const Resources& wanted) {
  if (after.pods > before.pods) return true;
  if (wanted.milli_cpu > 0 && after.milli_cpu > before.milli_cpu) return true;
  if (wanted.memory > 0 && after.memory > before.memory) return true;
  if (wanted.ephemeral_storage > 0 && after.ephemeral_storage > before.ephemeral_storage)
    return true;
  for (const auto& [name, want] : wanted.scalars)
    if (want > 0 && after.scalar(name) > before.scalar(name)) return true;
  return false;
}

// Whether the pod gave up something on a node that `wanted` asks for.
bool pod_shrank(const Value& before, const Value& after, const Resources& wanted) {
  if (after["spec"]["nodeName"].as_string().empty()) return false;
  const Resources old_requests = Resources::of(pod_requests(before, {.use_status = true}));
  const Resources new_requests = Resources::of(pod_requests(after, {.use_status = true}));
  Resources without_pods = wanted;
  without_pods.pods = 0;
  return grew(new_requests, old_requests, without_pods);
}

}  // namespace

Status NodeResourcesFit::pre_filter(const Cycle& cycle, PreFilter& out) const {
  auto requests = std::make_shared<Requests>();
  requests->wanted = Resources::of(pod_requests(cycle.pod.pod, {}));
  for (const auto& [name, want] : requests->wanted.scalars)
    requests->by_class.push_back(!device_class_of(cycle.view, name).is_null());
  out.state = std::move(requests);
  return {};
}

Status NodeResourcesFit::filter(const Cycle&, const State* state, const NodeInfo& node) const {
  return check_fit(*static_cast<const Requests*>(state), node);
}

Status NodeResourcesFit::pre_score(const Cycle& cycle, std::span<const NodeInfo* const>,
                                   std::shared_ptr<State>& state) const {
  auto requests = std::make_shared<ScoreRequests>();
  const Resources wanted = Resources::of(pod_requests(
      cycle.pod.pod, {.skip_pod_level = true, .default_cpu = true, .default_memory = true}));
  requests->milli_cpu = wanted.milli_cpu;
  requests->memory = wanted.memory;
  state = std::move(requests);
  return {};
}

std::int64_t NodeResourcesFit::score(const Cycle&, const State* state, const NodeInfo& node) const {
  const auto& requests = *static_cast<const ScoreRequests*>(state);
  std::int64_t sum = 0, weights = 0;
  const auto add = [&](std::int64_t requested, std::int64_t capacity) {
    if (capacity == 0) return;
    sum += free_share(requested, capacity);
    ++weights;
  };
  add(node.nonzero_cpu() + requests.milli_cpu, node.allocatable().milli_cpu);
  add(node.nonzero_memory() + requests.memory, node.allocatable().memory);
  return weights == 0 ? 0 : sum / weights;
}

bool NodeResourcesFit::may_help(const PodInfo& pod, const Change& change) const {
  if (change.resource == "deviceclasses.resource.k8s.io") return !change.removed();
  const Resources& wanted = pod.requested;
  if (change.resource == "pods") {
    if (change.removed())
      return !change.before["spec"]["nodeName"].as_string().empty() ||
             !change.before["status"]["nominatedNodeName"].as_string().empty();
    if (change.after["metadata"]["uid"].as_string() == pod.uid) return true;
    return !change.created() && pod_shrank(change.before, change.after, wanted);
  }
  if (change.resource != "nodes" || change.removed()) return false;
  Requests requests;
  requests.wanted = wanted;
  requests.by_class.assign(wanted.scalars.size(), true);
  const NodeInfo empty(change.after);
  if (!check_fit(requests, empty).ok()) return false;
  return change.created() ||
         grew(NodeInfo(change.before).allocatable(), empty.allocatable(), wanted);
}

}  // namespace keelson::sched
