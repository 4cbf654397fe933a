// Scheduler: the Kubernetes scheduler as a controller. It hears of pods, nodes and what else
// matters through its watches, keeps a Snapshot and a Queue current, and makes one attempt for one
// pod per reconcile: binding it, or saying why not and evicting others for it.
//
// A placed pod counts on its node at once ("assumed"), before the binding is known to have
// succeeded; a failed binding takes that back. All memory is rebuilt from the view on a restart.
//
//   controllers.push_back(std::make_unique<sched::Scheduler>());
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "sched/decide.h"
#include "sched/queue.h"
#include "sched/snapshot.h"

namespace keelson::sched {

struct SchedulerOptions {
  std::string name = "default-scheduler";  // serves pods with this spec.schedulerName
  int percentage_of_nodes_to_score = 0;    // see DecideOptions
};

class Scheduler : public cluster::Controller {
 public:
  explicit Scheduler(SchedulerOptions options = {});

  std::string_view name() const override { return options_.name; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

  const Snapshot& snapshot() const { return snapshot_; }
  std::size_t pending() const { return queue_.size(); }

 private:
  // A placed pod whose claims are still being bound to volumes.
  struct Waiting {
    PodPointer pod;
    std::string node;
    Instant deadline;
  };
  // A status that could not be written because the pod had changed meanwhile.
  struct StatusUpdate {
    std::string namespace_, name, uid;
    Value condition;                       // null: leave the conditions alone
    std::optional<std::string> nominated;  // empty text: clear
  };

  // Each returns whether there may be something to do.
  bool on_pod(const cluster::View& view, const Value& before, const Value& after);
  bool on_node(const cluster::View& view, const Value& before, const Value& after);
  bool on_other(const cluster::View& view, std::string_view resource, const Value& before,
                const Value& after);
  bool notify(const cluster::View& view, const Change& change);
  void place_bound(const Value& pod);
  void forget_bound(const cluster::View& view, const Value& pod);

  void attempt(const cluster::Sync& sync, const PodPointer& pod, cluster::Plan& plan);
  void bind(const PodPointer& pod, const std::string& node, cluster::Plan& plan);
  // What comes before the binding: volumes, then devices. Each goes on to the next.
  void bind_devices(const cluster::Sync& sync, const PodPointer& pod, const std::string& node,
                    cluster::Plan& plan);
  void bind_volumes(const cluster::Sync& sync, const PodPointer& pod, const std::string& node,
                    cluster::Plan& plan);
  void check_waiting(const cluster::Sync& sync, cluster::Plan& plan);
  void give_up(const cluster::Sync& sync, const PodPointer& pod, const std::string& message,
               cluster::Plan& plan);
  void report(const cluster::Sync& sync, const PodPointer& pod, const Decision& decision,
              cluster::Plan& plan);
  void evict(const cluster::Sync& sync, const PodPointer& pod, const Decision& decision,
             cluster::Plan& plan);
  void update_status(const cluster::Sync& sync, StatusUpdate update, cluster::Plan& plan);
  void on_result(cluster::Plan& plan,
                 std::function<void(const Result<Value>&, cluster::Plan&)> call);
  void seal(cluster::Plan& plan, Instant now);

  SchedulerOptions options_;
  Snapshot snapshot_;
  Queue queue_;
  std::size_t start_ = 0;  // where the next search begins
  Instant last_attempt_;
  std::map<std::string, std::string> assumed_;  // uid to node, until the binding is seen
  std::map<std::string, Waiting> waiting_;      // by uid
  std::vector<StatusUpdate> retries_;
  // What is to be done with the results of a plan's writes, in their order; empty: nothing.
  std::vector<std::function<void(const Result<Value>&, cluster::Plan&)>> outcomes_;
};

}  // namespace keelson::sched
