// Manager: runs controllers. Each has a work queue; one item is one reconcile whose plan is carried
// out to its end before the key may be reconciled again. Everything runs on the loop.
//
// Invariant: before an item is reconciled, every change that the view shows has been announced to
// all watches; ready items of a controller that was added earlier go first. So the same changes at
// the same times give the same reconciles in the same order.
//
//   Manager manager(loop, cluster, seed);
//   manager.add(std::make_unique<DeploymentController>());
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "cluster/cluster.h"
#include "host/loop.h"
#include "runtime/backend.h"
#include "runtime/work_queue.h"

namespace keelson::runtime {

struct QueueStatus {
  std::string controller;
  std::size_t ready = 0, delayed = 0, in_work = 0;
  std::size_t failing = 0;  // keys whose last sync failed
  std::uint64_t syncs = 0, failures = 0;
  std::string last_error = {};  // of the last failed sync, with its key
};

class Manager {
 public:
  // Each controller draws from a generator of its own, derived from the seed and its name.
  Manager(host::Loop& loop, Backend& backend, std::uint64_t seed);
  ~Manager();
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  // Starts it: start(), then everything that exists is announced to its watches.
  void add(std::unique_ptr<cluster::Controller> controller);
  // Stops it; a write under way still happens, its result is dropped. False if there is none.
  bool remove(std::string_view name);

  // In order of registration.
  std::vector<QueueStatus> queues() const;
  // Nothing is ready or in work (keys may wait for their time).
  bool idle() const;
  // Reconcile this key soon, as if an object had changed.
  void enqueue(std::string_view controller, const Key& key);

  using OnError =
      std::function<void(std::string_view controller, const Key& key, const std::string& error)>;
  void on_error(OnError call) { on_error_ = std::move(call); }

 private:
  struct Running;
  struct Execution;
  void run_soon();
  void run_some();
  bool run_one();
  void arm_timer();
  void sync(const std::shared_ptr<Running>& running, Key key);
  void advance(const std::shared_ptr<Execution>& execution);
  bool end_stage(Execution& execution);
  void finish(Execution& execution);

  host::Loop& loop_;
  Backend& backend_;
  std::uint64_t seed_;
  OnError on_error_;
  std::vector<std::shared_ptr<Running>> running_;
  bool run_posted_ = false;
  Instant timer_at_ = Instant::max();
  std::shared_ptr<void> timer_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace keelson::runtime
