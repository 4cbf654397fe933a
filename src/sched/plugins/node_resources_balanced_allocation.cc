// Balance as Kubernetes' plugins/noderesources computes it, in the same doubles: the fractions of
// cpu and memory in use, and half their distance.
#include "sched/plugins/node_resources_balanced_allocation.h"

#include <algorithm>
#include <cmath>

namespace keelson::sched {
namespace {

struct Requests : State {
  std::int64_t milli_cpu = 0, memory = 0;
};

double fraction(std::int64_t used, std::int64_t capacity) {
  return std::min(static_cast<double>(used) / static_cast<double>(capacity), 1.0);
}

std::int64_t balance(std::int64_t cpu, std::int64_t memory, const Resources& capacity) {
  double deviation = 0;
  if (capacity.milli_cpu != 0 && capacity.memory != 0)
    deviation =
        std::abs((fraction(cpu, capacity.milli_cpu) - fraction(memory, capacity.memory)) / 2);
  return static_cast<std::int64_t>((1 - deviation) * static_cast<double>(kScoreMax));
}

}  // namespace

Status NodeResourcesBalancedAllocation::pre_score(const Cycle& cycle,
                                                  std::span<const NodeInfo* const>,
                                                  std::shared_ptr<State>& state) const {
  const Resources wanted = Resources::of(pod_requests(cycle.pod.pod, {}));
  if (wanted.milli_cpu == 0 && wanted.memory == 0) return Status::skip();
  auto requests = std::make_shared<Requests>();
  requests->milli_cpu = wanted.milli_cpu;
  requests->memory = wanted.memory;
  state = std::move(requests);
  return {};
}

std::int64_t NodeResourcesBalancedAllocation::score(const Cycle&, const State* state,
                                                    const NodeInfo& node) const {
  const auto& pod = *static_cast<const Requests*>(state);
  const Resources& used = node.requested();
  const Resources& capacity = node.allocatable();
  const std::int64_t with =
      balance(used.milli_cpu + pod.milli_cpu, used.memory + pod.memory, capacity);
  const std::int64_t without = balance(used.milli_cpu, used.memory, capacity);
  return kScoreMax / 2 + (kScoreMax / 2 + with - without) / 2;
}

}  // namespace keelson::sched
