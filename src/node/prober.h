// Prober: when to probe which container, and what the outcomes mean. Pure: it takes outcomes and
// time, and says which probes to run now and when to ask again. Thresholds, hold-back after a
// verdict and quiet shutdown follow pkg/kubelet/prober/worker.go.
//
// One rule is our own: the original probes a container that is not ready once more on every change
// of its pod; here a container in its first second is asked every 200 ms, quietly, so that a server
// that binds in 20 ms is not kept waiting for a whole period.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "codec/value.h"
#include "node/runtime_state.h"

namespace keelson::node {

using codec::Value;

enum class ProbeKind : std::uint8_t { startup, liveness, readiness };
std::string_view to_text(ProbeKind kind);   // "Startup", "Liveness", "Readiness"
std::string_view field_of(ProbeKind kind);  // "startupProbe" ...

struct ProbeOutcome {
  enum class Verdict : std::uint8_t { success, failure, error };
  Verdict verdict = Verdict::success;
  std::string output;  // what the event says after "probe failed: "
};

struct ProbeStart {
  std::string run_id;
  ProbeKind kind = ProbeKind::readiness;
};

class Prober {
 public:
  // Looks at the pod's running containers. Returns the probes to start now; next_at() is set.
  std::vector<ProbeStart> step(const Value& pod, const std::vector<ContainerRun>& runs,
                               bool deleting, Instant now);
  Instant next_at() const { return next_at_; }  // Instant::max(): nothing to wait for

  // The result of a probe that step() started. Returns the text of the event to raise, if any.
  std::optional<std::string> done(const Value& pod, const ContainerRun& run, ProbeKind kind,
                                  const ProbeOutcome& outcome, Instant now);

  // A container that ran before this process did keeps what its status said.
  void adopt(const Value& pod, const ContainerRun& run, bool started, bool ready, Instant now);

  // nullopt: no verdict yet (or no such probe).
  std::optional<bool> verdict(const std::string& run_id, ProbeKind kind) const;
  bool is_started(const Value& pod, const ContainerRun& run) const;
  bool is_ready(const Value& pod, const ContainerRun& run) const;

 private:
  struct Worker {
    Instant next_at;
    bool in_flight = false;
    bool on_hold = false;
    std::optional<bool> verdict;  // what counts
    std::optional<bool> last;     // the last outcome
    int run_length = 0;           // of equal outcomes
  };
  using WorkerKey = std::pair<std::string, ProbeKind>;
  std::map<WorkerKey, Worker> workers_;
  Instant next_at_ = Instant::max();
};

}  // namespace keelson::node
