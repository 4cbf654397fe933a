// One worker per running container and probe; workers of containers that ended are dropped.
#include "node/prober.h"

#include <algorithm>
#include <set>

#include "base/prng.h"
#include "node/pod_spec.h"

namespace keelson::node {
namespace {

constexpr Duration kQuiet = Duration::seconds(1);
constexpr Duration kQuietPeriod = Duration::milliseconds(200);
constexpr Duration kFirstDelay = Duration::milliseconds(60);

Duration period_of(const Value& probe) {
  return Duration::seconds(std::max<std::int64_t>(1, probe["periodSeconds"].as_int(10)));
}

Instant first_at(const Value& probe, ProbeKind kind, const ContainerRun& run) {
  const Duration initial = Duration::seconds(probe["initialDelaySeconds"].as_int());
  if (kind == ProbeKind::liveness) return run.started_at + std::max(initial, period_of(probe));
  return run.started_at + std::max(initial, kFirstDelay);
}

// Still within the first second after the first moment a probe may run.
bool is_early(const Value& probe, const ContainerRun& run, Instant now) {
  const Duration initial = Duration::seconds(probe["initialDelaySeconds"].as_int());
  return now < run.started_at + initial + kQuiet;
}

}  // namespace

std::string_view to_text(ProbeKind kind) {
  switch (kind) {
    case ProbeKind::startup: return "Startup";
    case ProbeKind::liveness: return "Liveness";
    case ProbeKind::readiness: return "Readiness";
  }
  return "";
}

std::string_view field_of(ProbeKind kind) {
  switch (kind) {
    case ProbeKind::startup: return "startupProbe";
    case ProbeKind::liveness: return "livenessProbe";
    case ProbeKind::readiness: return "readinessProbe";
  }
  return "";
}

std::vector<ProbeStart> Prober::step(const Value& pod, const std::vector<ContainerRun>& runs,
                                     bool deleting, Instant now) {
  std::vector<ProbeStart> starts;
  std::set<std::string> alive;
  next_at_ = Instant::max();
  for (const ContainerRun& run : runs) {
    if (!run.running()) continue;
    alive.insert(run.id);
    const Value& container = container_named(pod, run.container);
    const bool started = is_started(pod, run);
    for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness}) {
      const Value& probe = container[field_of(kind)];
      if (!probe.is_object()) continue;
      auto [at, added] = workers_.try_emplace({run.id, kind});
      Worker& worker = at->second;
      if (added) worker.next_at = first_at(probe, kind, run);
      if (deleting && kind != ProbeKind::readiness) {
        // A container that is being stopped is not restarted for failing.
        worker.verdict = true;
        continue;
      }
      // The startup probe runs until it has succeeded; the others wait for it.
      if (started == (kind == ProbeKind::startup) || worker.on_hold || worker.in_flight) continue;
      if (worker.next_at <= now) {
        worker.in_flight = true;
        worker.next_at = now + period_of(probe);
        starts.push_back({run.id, kind});
      } else {
        next_at_ = std::min(next_at_, worker.next_at);
      }
    }
  }
  std::erase_if(workers_, [&](const auto& entry) { return !alive.contains(entry.first.first); });
  return starts;
}

std::optional<std::string> Prober::done(const Value& pod, const ContainerRun& run, ProbeKind kind,
                                        const ProbeOutcome& outcome, Instant now) {
  const auto at = workers_.find({run.id, kind});
  if (at == workers_.end() || !at->second.in_flight) return std::nullopt;
  Worker& worker = at->second;
  worker.in_flight = false;
  const Value& probe = container_named(pod, run.container)[field_of(kind)];
  const std::string name(to_text(kind));
  if (outcome.verdict == ProbeOutcome::Verdict::error)
    return name + " probe errored and resulted in unknown state: " + outcome.output;
  const bool success = outcome.verdict == ProbeOutcome::Verdict::success;
  if (!success && kind != ProbeKind::liveness && !worker.verdict.value_or(false) &&
      is_early(probe, run, now)) {
    worker.next_at = std::min(worker.next_at, now + kQuietPeriod);
    return std::nullopt;
  }
  worker.run_length = worker.last == success ? worker.run_length + 1 : 1;
  worker.last = success;
  const std::int64_t threshold =
      success ? probe["successThreshold"].as_int(1) : probe["failureThreshold"].as_int(3);
  if (worker.run_length >= threshold) {
    worker.verdict = success;
    if (kind == ProbeKind::startup || (kind == ProbeKind::liveness && !success)) {
      worker.on_hold = true;  // until there is a new container
      worker.run_length = 0;
    }
  }
  if (success) return std::nullopt;
  return name + " probe failed: " + outcome.output;
}

void Prober::adopt(const Value& pod, const ContainerRun& run, bool started, bool ready,
                   Instant now) {
  const Value& container = container_named(pod, run.container);
  for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness}) {
    const Value& probe = container[field_of(kind)];
    if (!probe.is_object()) continue;
    Worker& worker = workers_[{run.id, kind}];
    // Spread over the period, so that a restart does not probe everything at once.
    const std::int64_t period = period_of(probe).count_nanoseconds();
    const std::uint64_t spread = hash64(run.id, static_cast<std::uint64_t>(kind) + 1);
    worker.next_at =
        now + Duration::nanoseconds(static_cast<std::int64_t>(spread % 1000) * (period / 1000));
    if (kind == ProbeKind::startup && started) {
      worker.verdict = true;
      worker.on_hold = true;
    }
    if (kind == ProbeKind::readiness && ready) worker.verdict = true;
  }
}

std::optional<bool> Prober::verdict(const std::string& run_id, ProbeKind kind) const {
  const auto at = workers_.find({run_id, kind});
  return at == workers_.end() ? std::nullopt : at->second.verdict;
}

bool Prober::is_started(const Value& pod, const ContainerRun& run) const {
  if (!run.running()) return false;
  if (!container_named(pod, run.container)["startupProbe"].is_object()) return true;
  return verdict(run.id, ProbeKind::startup).value_or(false);
}

bool Prober::is_ready(const Value& pod, const ContainerRun& run) const {
  if (!is_started(pod, run)) return false;
  if (!container_named(pod, run.container)["readinessProbe"].is_object()) return true;
  return verdict(run.id, ProbeKind::readiness).value_or(false);
}

}  // namespace keelson::node
