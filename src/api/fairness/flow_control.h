// Priority and fairness: requests are told apart by FlowSchemas, each PriorityLevel has a share of
// the seats, and what finds none waits its turn (fair_queues.h) or is refused (429). Levels lend
// seats to each other (seat_shares.h). Source: Kubernetes' apiserver/pkg/util/flowcontrol.
//
// What a seat stands for in a server of one loop: docs/design/api.md.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/access/request_info.h"
#include "api/fairness/fair_queues.h"
#include "api/fairness/work_estimate.h"
#include "base/time.h"
#include "host/loop.h"
#include "registry/registry.h"

namespace keelson::api {

struct FlowOptions {
  // Under way at once, all levels together: --max-requests-inflight and its twin for writes.
  int requests_max = 600;
  Duration wait_max = Duration::seconds(15);
};

class FlowControl {
 public:
  FlowControl(host::Loop& loop, registry::Registry& registry, FlowOptions options = {});
  ~FlowControl();
  FlowControl(const FlowControl&) = delete;
  FlowControl& operator=(const FlowControl&) = delete;

  // What a request is taken for, by the objects' uids; empty where there is none.
  struct Class {
    std::string schema_uid, level_uid;
  };
  // Held while a request is under way; its end lets the next one in.
  using Seat = std::shared_ptr<void>;
  struct Asked {
    const registry::Identity& who;
    const RequestInfo& info;
    const Query& query;
    bool streamed = true;  // the answer is made while it is sent
  };
  // `run` is called at once or later with a seat, `refuse` (with the seconds to stay away) if there
  // is no room or the wait was too long; exactly one of them, once, unless this object ends before.
  // Long lists begin one in a turn of the loop, so that others get in between.
  // `result` is set before either.
  void submit(const Asked& asked, Class& result, std::function<void(Seat)> run,
              std::function<void(int seconds)> refuse);

  WorkEstimates& estimates() { return estimates_; }

  struct LevelState {
    int nominal = 0, seats = 0, seats_used = 0, executing = 0;
    std::size_t waiting = 0;
    std::uint64_t rejected = 0, dispatched = 0;
  };
  std::map<std::string, LevelState> levels() const;
  // For /metrics, named as the original's.
  std::string metrics() const;

 private:
  struct Turn;
  struct Held;
  struct Level;
  struct Schema;
  void configure();
  void configure_levels();
  void configure_queues();
  const Schema* classify(const registry::Identity& who, const RequestInfo& info) const;
  // Runs those whose turn has come: at once if `now`, else in a turn of the loop.
  void admit(Level& level, bool now);
  void run_soon();
  void run_admitted();
  void start(const std::shared_ptr<Turn>& turn);
  void refuse(Level& level, const std::function<void(int)>& refuse);
  void finish(const std::shared_ptr<Turn>& turn);
  void leave_later();
  void lend();
  void lend_later();
  void expire();
  void expire_soon();

  host::Loop& loop_;
  registry::Registry& registry_;
  FlowOptions options_;
  WorkEstimates estimates_;
  bool configured_ = false, running_ = false, posted_ = false;
  std::map<std::string, std::shared_ptr<Level>> levels_;  // by name
  std::vector<Schema> schemas_;                           // in order of precedence
  std::deque<std::shared_ptr<Turn>> admitted_, admitted_slow_;
  std::vector<std::unique_ptr<registry::Watcher>> watchers_;
  std::multimap<Instant, std::shared_ptr<Turn>> leaving_;  // answered, seats still held
  std::shared_ptr<void> expiry_timer_, lending_timer_, leaving_timer_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace keelson::api
