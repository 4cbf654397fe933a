// Priority and fairness: requests are told apart by FlowSchemas, and each PriorityLevel has a share
// of the requests that may be under way at once. What finds no seat waits in one of the level's
// queues, so that one busy client does not take the turn of others, or is refused (429). Source:
// Kubernetes' apiserver/pkg/util/flowcontrol.
//
// Simplified against the original: queues take turns one request at a time instead of by virtual
// time, every request takes one seat, and levels do not lend seats to each other.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/request_info.h"
#include "base/time.h"
#include "host/loop.h"
#include "registry/registry.h"

namespace keelson::api {

struct FlowOptions {
  int requests_max = 600;  // under way at once, all levels together
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
  // `run` is called at once or later with a seat (null for exempt levels), `refuse` if there is no
  // room or the wait was too long; exactly one of them, once, unless this object ends before.
  // `result` is set before either.
  void submit(const registry::Identity& who, const RequestInfo& info, Class& result,
              std::function<void(Seat)> run, std::function<void()> refuse);

  struct LevelState {
    int seats = 0, executing = 0;
    std::size_t waiting = 0;
    std::uint64_t rejected = 0, dispatched = 0;
  };
  std::map<std::string, LevelState> levels() const;

 private:
  struct Waiting;
  struct Level;
  struct Schema;
  void configure();
  const Schema* classify(const registry::Identity& who, const RequestInfo& info) const;
  void enqueue(const std::shared_ptr<Level>& level, const std::string& flow, Waiting waiting);
  void dispatch(const std::shared_ptr<Level>& level);
  void start(const std::shared_ptr<Level>& level, std::function<void(Seat)> run);
  void expire();
  void expire_soon();

  host::Loop& loop_;
  registry::Registry& registry_;
  FlowOptions options_;
  bool configured_ = false;
  std::map<std::string, std::shared_ptr<Level>> levels_;  // by name
  std::vector<Schema> schemas_;                           // in order of precedence
  std::vector<std::unique_ptr<registry::Watcher>> watchers_;
  std::shared_ptr<void> timer_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace keelson::api
