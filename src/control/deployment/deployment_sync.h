// DeploymentSync: one sync of one Deployment, shared by the files of this folder that decide it:
// what is scaled and rolled (deployment_plan.cc) and what the status says (deployment_status.cc).
// Inside this folder only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"
#include "control/common/templates.h"
#include "control/deployment/deployment.h"
#include "control/deployment/rollout.h"
#include "model/meta.h"

namespace keelson::control::rollout {

inline constexpr std::string_view kDeployments = "deployments.apps";
inline constexpr std::string_view kReplicaSets = "replicasets.apps";

inline std::string quoted_name(const Value& object) {
  return quote(model::name_of(object));
}

// The Deployment and its ReplicaSets as this sync knows them; every write brings them up to date.
class DeploymentSync {
 public:
  DeploymentSync(const DeploymentInputs& inputs, Script& script)
      : inputs_(inputs), script_(script), deployment_(inputs.deployment) {}
  Result<void> run();

 private:
  struct Sides {
    Value new_one;  // null if there is none
    ReplicaSets old;
    ReplicaSets all() const {
      ReplicaSets both = old;
      both.push_back(new_one);
      return both;
    }
  };

  Result<void> sync_scale();
  Result<void> roll_back(std::int64_t revision);
  Result<void> roll();
  Result<void> recreate();

  Result<Sides> sides(bool create_if_missing);
  Result<Value> new_replica_set(const ReplicaSets& old, bool create_if_missing);
  Result<Value> adopt_as_new(Value replica_set, std::int64_t revision);
  Result<Value> create_new(const ReplicaSets& old, std::int64_t revision);
  Result<Value> creation_failed(const Value& wanted, const Error& error);
  Result<void> note_paused();
  Result<bool> is_scaling();
  Result<void> scale(const Sides& sides);
  Result<void> scale_in_proportion(const Sides& sides);
  // Whether the size changed; `replica_set` becomes what was written.
  Result<bool> scale_to(Value& replica_set, std::int64_t size, bool force = false);
  Result<bool> grow_new(const Sides& sides);
  bool shrink_old(const Sides& sides);
  std::optional<std::int64_t> shrink_unhealthy(ReplicaSets& old, std::int64_t most);
  std::optional<std::int64_t> shrink_healthy(ReplicaSets& old, const Value& new_one);
  bool old_pods_run(const Sides& sides) const;
  Result<void> clean_up(const ReplicaSets& old);

  Value status_of(const Sides& sides) const;
  void judge_progress(const Sides& sides, Value& status) const;
  bool has_timed_out(const Value& status) const;
  Result<void> write_plain_status(const Sides& sides);
  Result<void> write_rollout_status(const Sides& sides);
  void wake_for_deadline(const Value& status);
  Result<void> write_status();
  void note(const Value& replica_set);
  Value condition(std::string_view type, std::string_view status, std::string_view reason,
                  std::string message) const;
  Instant deadline_after(const Value& progressing) const {
    return model::time_of(progressing["lastUpdateTime"]) +
           Duration::seconds(deployment_["spec"]["progressDeadlineSeconds"].as_int());
  }

  const DeploymentInputs& inputs_;
  Script& script_;
  Value deployment_;
  ReplicaSets replica_sets_;  // claimed, ordered by age
};

}  // namespace keelson::control::rollout
