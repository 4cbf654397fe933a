// Preemption: which node a pod could have if less important pods left it, and which these are.
// Decides only; nobody is evicted here. Follows Kubernetes' framework/preemption and
// plugins/defaultpreemption with their default arguments.
#pragma once

#include <string>
#include <vector>

#include "base/prng.h"
#include "sched/attempt.h"
#include "sched/messages.h"

namespace keelson::sched {

struct Preemption {
  struct Candidate {
    const NodeInfo* node = nullptr;
    std::vector<PodPointer> victims;  // most important first
    std::int64_t violations = 0;      // victims whose disruption budget would be violated
  };
  bool eligible = false;
  std::string why;  // not eligible: why
  std::vector<Candidate> candidates;
  std::vector<NodeStatus> failed;       // nodes tried in vain
  std::vector<std::string> acceptable;  // names of the best candidates, sorted; several on a tie
  std::string node;                     // the chosen one; empty if there is none
  std::vector<PodPointer> victims;      // its victims
  // unschedulable: nothing found, the reasons say why; error: could not be tried.
  Status status;
};

// Whether the pod may preempt at all. `verdicts` and `absent` are what the filters said.
void check_eligible(const Cycle& cycle, const std::vector<NodeStatus>& verdicts,
                    const Status& absent, Preemption& out);
// The pod must be eligible and must have been found to fit nowhere.
void preempt(const Attempt& attempt, const std::vector<NodeStatus>& verdicts, Prng& rng,
             Preemption& out);

}  // namespace keelson::sched
