// Harness: a scheduler over objects in memory, without a store: applies its plans at once and
// announces the changes. For tests and benchmarks of this room.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sched/memory_view.h"
#include "sched/scheduler.h"

namespace keelson::sched {

class Harness {
 public:
  explicit Harness(SchedulerOptions options = {});

  // Creates or replaces, and announces.
  void apply(std::string_view resource, Value object);
  void remove(std::string_view resource, std::string_view ns, std::string_view name);
  // Reconciles until there is nothing to do at this time.
  void run();
  // Lets time pass, waking the scheduler when it asked for it.
  void advance(Duration duration);

  Value pod(std::string_view name, std::string_view ns = "default") const;
  std::string node_of(std::string_view name, std::string_view ns = "default") const;

  MemoryView view;
  Scheduler scheduler;
  Instant now = Instant::unix_seconds(1767225600);
  std::vector<cluster::EventNote> events;
  std::size_t reconciles = 0;
  // Pods that are removed stay, being deleted, until remove() is called for them.
  bool graceful = false;
  // The next binding fails with this error.
  std::optional<Error> binding_error;

 private:
  Result<Value> commit(const cluster::Write& write);
  void carry_out(cluster::Plan plan);
  void announce(std::string_view resource, const Value& before, const Value& after);

  std::vector<cluster::Watch> watches_;
  Prng rng_{7};
  std::optional<Instant> wake_at_;
  std::int64_t revision_ = 0;
};

Value make_node(std::string_view name, std::string_view cpu, std::string_view memory,
                std::string_view zone = {});
Value make_pod(std::string_view name, std::string_view cpu, std::string_view memory,
               std::int64_t priority = 0);

}  // namespace keelson::sched
