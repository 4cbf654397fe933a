// See manager.h. Writes may be answered at once (embedded) or later (remote): an Execution is the
// state of one plan between its answers.
#include "runtime/manager.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"

namespace keelson::runtime {

using cluster::Plan;
using cluster::Value;

namespace {
constexpr int kItemsPerTurn = 32;  // then the loop does something else for a moment
constexpr int kStagesMax = 1000;   // of one plan with its `then`s; more is a controller's bug
}  // namespace

struct Manager::Running {
  std::unique_ptr<cluster::Controller> controller;
  std::string name;
  Prng rng;
  WorkQueue queue = {};
  std::vector<std::shared_ptr<void>> watches = {};
  std::uint64_t syncs = 0, failures = 0;
  std::string last_error = {};
  bool stopped = false;
};

struct Manager::Execution {
  std::shared_ptr<Running> running;
  Key key;
  Plan plan;
  std::size_t next = 0;
  std::vector<Result<Value>> results = {};
  std::optional<Instant> wake_at = {};
  std::string error = {};
  int stages = 0;
  bool advancing = false, waiting = false;
};

Manager::Manager(host::Loop& loop, Backend& backend, std::uint64_t seed)
    : loop_(loop), backend_(backend), seed_(seed) {}

Manager::~Manager() {
  for (auto& running : running_) running->stopped = true;
}

void Manager::add(std::unique_ptr<cluster::Controller> controller) {
  std::string name(controller->name());
  KEELSON_CHECK(std::none_of(running_.begin(), running_.end(),
                             [&](const auto& other) { return other->name == name; }));
  auto running = std::make_shared<Running>(
      Running{std::move(controller), name, Prng(hash64(name, seed_ ^ hash64("controller")))});
  running_.push_back(running);
  std::vector<Key> first = running->controller->start(backend_);
  for (cluster::Watch& watch : running->controller->watches()) {
    auto on_change = [this, weak = std::weak_ptr<Running>(running), keys = std::move(watch.keys)](
                         const Value& before, const Value& after) {
      auto held = weak.lock();
      if (!held || held->stopped) return;
      for (const Key& key : keys(backend_, before, after)) held->queue.add(key);
      if (held->queue.ready()) run_soon();
    };
    running->watches.push_back(backend_.watch(watch.resource, std::move(on_change)));
  }
  for (const Key& key : first) running->queue.add(key);
  run_soon();
}

bool Manager::remove(std::string_view name) {
  auto found = std::find_if(running_.begin(), running_.end(),
                            [&](const auto& running) { return running->name == name; });
  if (found == running_.end()) return false;
  auto running = *found;
  running_.erase(found);
  running->stopped = true;
  running->watches.clear();
  return true;
}

std::vector<QueueStatus> Manager::queues() const {
  std::vector<QueueStatus> all;
  for (const auto& r : running_)
    all.push_back({r->name, r->queue.depth(), r->queue.delayed(), r->queue.in_work(),
                   r->queue.failing(), r->syncs, r->failures, r->last_error});
  return all;
}

bool Manager::idle() const {
  return std::none_of(running_.begin(), running_.end(), [](const auto& running) {
    return running->queue.ready() || running->queue.in_work() != 0;
  });
}

void Manager::enqueue(std::string_view controller, const Key& key) {
  for (auto& running : running_)
    if (running->name == controller) running->queue.add(key);
  run_soon();
}

void Manager::run_soon() {
  if (run_posted_) return;
  run_posted_ = true;
  loop_.post([this, alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired()) return;
    run_posted_ = false;
    run_some();
  });
}

void Manager::run_some() {
  int left = kItemsPerTurn;
  while (left > 0 && run_one()) --left;
  if (left == 0) run_soon();
  arm_timer();
}

bool Manager::run_one() {
  backend_.deliver_changes();
  Instant now = loop_.now();
  for (auto& running : running_) running->queue.release(now);
  for (auto& running : running_) {
    // One at a time: a controller's memory of its last decision must be complete.
    if (running->queue.in_work() != 0) continue;
    if (auto key = running->queue.take()) {
      sync(std::shared_ptr<Running>(running), std::move(*key));
      return true;
    }
  }
  return false;
}

void Manager::arm_timer() {
  Instant next = Instant::max();
  for (const auto& running : running_)
    if (auto when = running->queue.next_release()) next = std::min(next, *when);
  if (next == timer_at_) return;
  timer_at_ = next;
  timer_.reset();
  if (next == Instant::max()) return;
  timer_ = loop_.call_at(next, [this] {
    timer_at_ = Instant::max();
    run_soon();
  });
}

void Manager::sync(const std::shared_ptr<Running>& running, Key key) {
  ++running->syncs;
  auto execution = std::make_shared<Execution>(Execution{running, std::move(key), Plan()});
  execution->plan =
      running->controller->reconcile({backend_, execution->key, loop_.now(), running->rng});
  advance(execution);
}

void Manager::advance(const std::shared_ptr<Execution>& execution) {
  Execution& e = *execution;
  if (e.advancing) return;  // answered at once: the loop below goes on
  e.advancing = true;
  for (;;) {
    if (e.next < e.plan.writes.size()) {
      e.waiting = true;
      backend_.commit_as(
          e.running->name, std::move(e.plan.writes[e.next++]),
          [this, execution, alive = std::weak_ptr<int>(alive_)](Result<Value> result) {
            if (alive.expired() || execution->running->stopped) return;
            execution->results.push_back(std::move(result));
            execution->waiting = false;
            advance(execution);
          });
      if (e.waiting) break;
    } else if (!end_stage(e)) {
      finish(e);
      break;
    }
  }
  e.advancing = false;
}

// True if the plan goes on with another stage.
bool Manager::end_stage(Execution& e) {
  for (auto& event : e.plan.events) backend_.note(std::move(event), e.running->name);
  if (e.plan.wake_at && (!e.wake_at || *e.plan.wake_at < *e.wake_at)) e.wake_at = e.plan.wake_at;
  if (e.error.empty()) e.error = std::move(e.plan.error);
  if (e.plan.then && ++e.stages < kStagesMax) {
    auto then = std::move(e.plan.then);
    e.plan = then(std::exchange(e.results, {}));
    e.next = 0;
    return true;
  }
  if (e.plan.then && e.error.empty()) e.error = "the plan does not end";
  for (const auto& result : e.results)
    if (!result.ok() && e.error.empty()) e.error = result.error().message;
  return false;
}

void Manager::finish(Execution& e) {
  Running& running = *e.running;
  if (running.stopped) return;
  if (e.error.empty()) {
    running.queue.forget_failures(e.key);
  } else {
    ++running.failures;
    running.last_error =
        (e.key.namespace_.empty() ? "" : e.key.namespace_ + "/") + e.key.name + ": " + e.error;
    running.queue.add_after_failure(e.key, loop_.now());
    if (on_error_) on_error_(running.name, e.key, e.error);
  }
  if (e.wake_at) running.queue.add_at(e.key, *e.wake_at);
  running.queue.done(e.key);
  run_soon();
}

}  // namespace keelson::runtime
