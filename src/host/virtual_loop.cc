// One queue ordered by time and sequence number holds posts, timers and offloaded work alike, so
// that the order of everything is the order in which it was asked for.
#include "host/virtual_loop.h"

#include <algorithm>

#include "base/check.h"

namespace keelson::host {

VirtualLoop::VirtualLoop(Instant start) : now_(start) {}

VirtualLoop::Due VirtualLoop::add(Instant when, std::function<void()> call) {
  Due due{std::max(when, now_), sequence_++};
  queue_->emplace(due, std::move(call));
  return due;
}

std::shared_ptr<void> VirtualLoop::call_at(Instant when, std::function<void()> call) {
  Due due = add(when, std::move(call));
  std::weak_ptr<Queue> queue = queue_;
  return std::shared_ptr<void>(nullptr, [queue, due](void*) {
    auto held = queue.lock();
    if (!held) return;
    // Taken out first: what the call holds may itself drop handles.
    auto node = held->extract(due);
  });
}

void VirtualLoop::post(std::function<void()> call) {
  add(now_, std::move(call));
}

void VirtualLoop::offload(std::function<void()> work, std::function<void()> done) {
  Instant when = offload_time_ ? now_ + offload_time_() : now_;
  add(when, [work = std::move(work), done = std::move(done)] {
    work();
    done();
  });
}

std::shared_ptr<void> VirtualLoop::watch_fd(int, bool, bool, OnReady) {
  KEELSON_CHECK(!"a virtual loop has no descriptors");
  return nullptr;
}

bool VirtualLoop::step() {
  if (queue_->empty()) return false;
  auto node = queue_->extract(queue_->begin());
  now_ = node.key().first;
  node.mapped()();
  return true;
}

void VirtualLoop::run() {
  stopped_ = false;
  while (!stopped_ && step()) {}
}

void VirtualLoop::run_until(Instant until) {
  stopped_ = false;
  while (!stopped_ && !queue_->empty() && queue_->begin()->first.first <= until) step();
  if (!stopped_) now_ = std::max(now_, until);
}

Instant VirtualLoop::next() const {
  return queue_->empty() ? Instant::max() : queue_->begin()->first.first;
}

}  // namespace keelson::host
