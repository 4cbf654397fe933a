// The seats of one priority level and the queues before them. Each request takes one seat or more
// for as long as it is at work, and maybe some for a while after its answer. Who finds none waits:
// shuffle sharding gives every flow a small hand of the queues, so that one which fills its own
// leaves others theirs, and among queues the one goes first that would, in a fair world with
// infinitely divisible seats, be the first to be done. Source: Kubernetes' apiserver/pkg/util/
// flowcontrol/fairqueuing/queueset and its doc.go.
//
// Pure: time is an argument, and nothing is called back. Whoever's turn has come is in started().
// It must not know what a request is about.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "api/fairness/seat_shares.h"
#include "base/time.h"

namespace keelson::api {

class FairQueues {
 public:
  struct Options {
    bool exempt = false;     // no limit at all
    std::size_t queues = 0;  // none: who finds no seat is refused
    std::size_t hand = 8, queue_length_max = 50;
  };
  struct Work {
    int seats = 1;  // from the turn to the answer
    int seats_after = 0;
    Duration after = {};  // how long the latter are held behind the answer
    int seats_max() const { return seats > seats_after ? seats : seats_after; }
  };
  // One request. Made by arrive(); its owner hangs on what is needed to go on.
  struct Request {
    virtual ~Request() = default;
    Work work;

   private:
    friend class FairQueues;
    static constexpr std::size_t kNone = SIZE_MAX;
    enum class State : std::uint8_t { waiting, at_work, left } state = State::waiting;
    std::size_t queue = kNone;
    std::int64_t arrival = 0;  // virtual
    Instant begin, deadline;
  };
  using RequestPtr = std::shared_ptr<Request>;

  void configure(const Options& options, int seats, Instant now);

  // False: refused, as there is no room to wait. Otherwise it will be among started() at once or
  // later, or among what expire() gives.
  bool arrive(const RequestPtr& request, std::uint64_t flow, Instant deadline, Instant now);
  // Those whose turn has come since the last call, in order.
  std::vector<RequestPtr> started();
  // The answer has been given. Returns how long the seats are still held; if that is more than
  // nothing, leave() is to be called then.
  Duration finish(const RequestPtr& request, Instant now);
  void leave(const RequestPtr& request, Instant now);
  // Those that have waited until their deadline; they wait no more.
  std::vector<RequestPtr> expire(Instant now);

  SeatDemand& demand() { return demand_; }
  int seats() const { return seats_; }
  int seats_used() const { return used_; }
  int at_work() const { return at_work_; }
  std::size_t waiting() const { return waiting_; }
  bool idle() const { return waiting_ == 0 && at_work_ == 0 && used_ == 0; }

 private:
  // Virtual time and work are counted in seats times nanoseconds.
  using Work64 = std::int64_t;
  struct Queue {
    std::deque<RequestPtr> waiting;
    Work64 next = 0;  // when, in virtual time, the first of those waiting may start
    Work64 work = 0;  // of all that wait
    int at_work = 0;
    bool active() const { return at_work > 0 || !waiting.empty(); }
  };
  static Work64 work_of(const Work& work);
  void advance(Instant now);
  void rebase();
  std::size_t queue_for(std::uint64_t flow);
  bool fits(int seats) const;
  void bound(Queue& queue);
  void begin(const RequestPtr& request, Instant now);
  void dispatch(Instant now);
  bool dispatch_one(Instant now);
  void take_out(Queue& queue, const Request& request);
  void note(Instant now);

  Options options_;
  int seats_ = 1, used_ = 0, seats_waiting_ = 0, at_work_ = 0;
  std::size_t waiting_ = 0, active_ = 0;  // active_: queues with someone waiting or at work
  Work64 virtual_ = 0;
  Instant last_;
  std::vector<Queue> queues_;  // may be more than wanted until the last ones are empty
  std::size_t robin_ = 0;      // the queue that had its turn last
  std::uint64_t arrivals_ = 0;
  std::vector<RequestPtr> started_;
  SeatDemand demand_;
};

}  // namespace keelson::api
