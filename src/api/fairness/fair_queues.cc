#include "api/fairness/fair_queues.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"

namespace keelson::api {
namespace {

// How long a request is taken to work until it is known.
constexpr Duration kServiceGuess = Duration::milliseconds(3);
constexpr std::int64_t kRebaseAt = std::int64_t{1} << 61;
constexpr std::size_t kHandMax = 15;

}  // namespace

FairQueues::Work64 FairQueues::work_of(const Work& work) {
  return work.seats * kServiceGuess.count_nanoseconds() +
         work.seats_after * work.after.count_nanoseconds();
}

// Virtual time runs as fast as the seats serve each of the queues that want them.
void FairQueues::advance(Instant now) {
  if (last_.is_zero()) last_ = now;
  const Duration passed = now - last_;
  last_ = std::max(last_, now);
  if (active_ == 0 || passed <= Duration()) return;
  const std::int64_t served = std::min(used_ + seats_waiting_, seats_);
  virtual_ += passed.count_nanoseconds() * served / static_cast<std::int64_t>(active_);
  if (virtual_ >= kRebaseAt) rebase();
}

// Long before the numbers run out all are counted from a later beginning.
void FairQueues::rebase() {
  const Work64 by = std::exchange(virtual_, 0);
  for (Queue& queue : queues_) {
    queue.next -= queue.active() ? by : queue.next;
    for (const RequestPtr& one : queue.waiting) one->arrival -= by;
  }
}

void FairQueues::note(Instant now) {
  demand_.set(used_ + seats_waiting_, now);
}

void FairQueues::configure(const Options& options, int seats, Instant now) {
  advance(now);
  options_ = options;
  options_.hand = std::min({options.hand, options.queues, kHandMax});
  seats_ = seats;
  if (queues_.size() < options_.queues) queues_.resize(options_.queues);
  while (queues_.size() > options_.queues && !queues_.back().active()) queues_.pop_back();
  dispatch(now);
}

// The hand is dealt as from a shuffled deck: each number picks among the cards that are left.
std::size_t FairQueues::queue_for(std::uint64_t flow) {
  std::array<std::size_t, kHandMax> hand{};
  for (std::size_t i = 0; i < options_.hand; ++i) {
    hand[i] = flow % (options_.queues - i);
    flow /= options_.queues - i;
  }
  for (std::size_t i = options_.hand; i-- > 1;)
    for (std::size_t j = i; j-- > 0;)
      if (hand[i] >= hand[j]) ++hand[i];
  // Begun elsewhere each time, so that hands which overlap do not favour one queue.
  const std::size_t first = arrivals_++ % options_.hand;
  std::size_t best = hand[first];
  for (std::size_t i = 1; i < options_.hand; ++i) {
    const std::size_t one = hand[(first + i) % options_.hand];
    if (queues_[one].work < queues_[best].work) best = one;
  }
  return best;
}

bool FairQueues::fits(int seats) const {
  if (options_.exempt) return true;
  // Wider than all there is: it works alone.
  if (seats > seats_) return at_work_ == 0;
  return used_ + seats <= seats_;
}

void FairQueues::begin(const RequestPtr& request, Instant now) {
  request->state = Request::State::at_work;
  request->begin = now;
  ++at_work_;
  used_ += request->work.seats_max();
  started_.push_back(request);
}

bool FairQueues::arrive(const RequestPtr& request, std::uint64_t flow, Instant deadline,
                        Instant now) {
  advance(now);
  if (options_.exempt || options_.queues == 0) {
    if (!fits(request->work.seats_max())) return false;
    begin(request, now);
    note(now);
    return true;
  }
  const std::size_t at = queue_for(flow);
  Queue& queue = queues_[at];
  if (used_ >= seats_ && queue.waiting.size() >= options_.queue_length_max) return false;
  if (!queue.active()) {
    queue.next = virtual_;
    ++active_;
  }
  request->queue = at;
  request->arrival = virtual_;
  request->deadline = deadline;
  queue.waiting.push_back(request);
  queue.work += work_of(request->work);
  ++waiting_;
  seats_waiting_ += request->work.seats_max();
  bound(queue);
  dispatch(now);
  note(now);
  return true;
}

// A queue that cannot use its share does not save it up: nobody starts, in virtual time, before
// having arrived.
void FairQueues::bound(Queue& queue) {
  if (!queue.waiting.empty()) queue.next = std::max(queue.next, queue.waiting.front()->arrival);
}

void FairQueues::dispatch(Instant now) {
  while (waiting_ > 0 && used_ < seats_ && dispatch_one(now)) {}
}

void FairQueues::take_out(Queue& queue, const Request& request) {
  queue.work -= work_of(request.work);
  --waiting_;
  seats_waiting_ -= request.work.seats_max();
}

bool FairQueues::dispatch_one(Instant now) {
  std::size_t best = Request::kNone;
  Work64 best_end = INT64_MAX;
  for (std::size_t i = 1; i <= queues_.size(); ++i) {
    const std::size_t at = (robin_ + i) % queues_.size();
    const Queue& queue = queues_[at];
    if (queue.waiting.empty()) continue;
    const Work64 end = queue.next + work_of(queue.waiting.front()->work);
    if (end < best_end) {
      best_end = end;
      best = at;
    }
    if (waiting_ == 1) break;
  }
  KEELSON_CHECK(best != Request::kNone);
  Queue& queue = queues_[best];
  // Until there is room for it nobody else starts, or a wide one would wait for ever.
  if (!fits(queue.waiting.front()->work.seats_max())) return false;
  const RequestPtr request = std::move(queue.waiting.front());
  queue.waiting.pop_front();
  robin_ = best;
  take_out(queue, *request);
  ++queue.at_work;
  queue.next += work_of(request->work);
  bound(queue);
  begin(request, now);
  return true;
}

std::vector<FairQueues::RequestPtr> FairQueues::started() {
  return std::exchange(started_, {});
}

Duration FairQueues::finish(const RequestPtr& request, Instant now) {
  KEELSON_CHECK(request->state == Request::State::at_work);
  advance(now);
  request->state = Request::State::left;
  --at_work_;
  if (request->queue != Request::kNone) {
    Queue& queue = queues_[request->queue];
    --queue.at_work;
    // The guess gives way to what it really took.
    queue.next -=
        request->work.seats * (kServiceGuess - (now - request->begin)).count_nanoseconds();
    bound(queue);
    if (!queue.active()) --active_;
  }
  if (request->work.seats_after > 0 && request->work.after > Duration()) return request->work.after;
  leave(request, now);
  return {};
}

void FairQueues::leave(const RequestPtr& request, Instant now) {
  advance(now);
  used_ -= request->work.seats_max();
  while (queues_.size() > options_.queues && !queues_.back().active()) queues_.pop_back();
  dispatch(now);
  note(now);
}

std::vector<FairQueues::RequestPtr> FairQueues::expire(Instant now) {
  std::vector<RequestPtr> out;
  if (waiting_ == 0) return out;
  advance(now);
  for (Queue& queue : queues_) {
    const bool active = queue.active();
    while (!queue.waiting.empty() && queue.waiting.front()->deadline <= now) {
      const RequestPtr request = std::move(queue.waiting.front());
      queue.waiting.pop_front();
      request->state = Request::State::left;
      take_out(queue, *request);
      out.push_back(request);
    }
    bound(queue);
    if (active && !queue.active()) --active_;
  }
  // The first in line may have been what did not fit.
  dispatch(now);
  note(now);
  return out;
}

}  // namespace keelson::api
