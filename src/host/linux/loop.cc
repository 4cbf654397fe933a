// Descriptors are level-triggered; each watch is known to the kernel by a number that is never used
// again, so an event of a watch that has just ended reaches nobody. Posted calls run before timers,
// timers before descriptors; what a callback posts waits for the next round.
#include "host/linux/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <ctime>

#include "base/check.h"

namespace keelson::host {
namespace {

std::int64_t read_clock(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

std::uint32_t interest(bool read, bool write) {
  return (read ? EPOLLIN | EPOLLRDHUP : 0U) | (write ? EPOLLOUT : 0U);
}

constexpr std::uint64_t kWakeId = 0;

}  // namespace

struct LinuxLoop::Timer {
  LinuxLoop& loop;
  std::weak_ptr<bool> alive;
  TimerKey key;
  std::function<void()> call;
  bool armed = true;
  ~Timer() {
    if (armed && !alive.expired()) loop.timers_.erase(key);
  }
};

struct LinuxLoop::FdWatch {
  std::uint64_t id;
  int fd;
  bool read, write;
  OnReady on_ready;
};

// What watch_fd() returns. Ending it takes effect at once, even inside the watch's own callback,
// whose state the dispatcher keeps until it returns: so the callback may close the descriptor or
// watch it anew.
struct LinuxLoop::FdHandle {
  LinuxLoop& loop;
  std::weak_ptr<bool> alive;
  std::shared_ptr<FdWatch> watch;
  ~FdHandle() {
    if (alive.expired()) return;
    loop.watches_.erase(watch->id);
    ::epoll_ctl(loop.epoll_, EPOLL_CTL_DEL, watch->fd, nullptr);
  }
};

LinuxLoop::LinuxLoop(int workers) : workers_max_(std::max(workers, 1)) {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  KEELSON_CHECK(epoll_ >= 0 && wake_ >= 0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeId;
  KEELSON_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) == 0);
  clock_now_ = read_clock(CLOCK_REALTIME);
  clock_monotonic_ = read_clock(CLOCK_BOOTTIME);
}

LinuxLoop::~LinuxLoop() {
  {
    const std::lock_guard lock(jobs_mutex_);
    jobs_closed_ = true;
    jobs_.clear();
  }
  jobs_changed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  // Calls that never ran may hold handles of this loop: drop them while it still stands.
  std::vector<std::function<void()>> dropped;
  dropped.swap(posted_);
  dropped.clear();
  alive_.reset();
  ::close(wake_);
  ::close(epoll_);
}

Instant LinuxLoop::now() const {
  const std::lock_guard lock(clock_mutex_);
  const std::int64_t real = read_clock(CLOCK_REALTIME);
  const std::int64_t monotonic = read_clock(CLOCK_BOOTTIME);
  const std::int64_t slowest =
      clock_now_ + std::max<std::int64_t>(monotonic - clock_monotonic_, 0) / 2;
  clock_now_ = std::max(real, slowest);
  clock_monotonic_ = monotonic;
  return Instant::unix_nanoseconds(clock_now_);
}

std::shared_ptr<void> LinuxLoop::call_at(Instant when, std::function<void()> call) {
  const TimerKey key{when, ++timers_made_};
  auto timer = std::shared_ptr<Timer>(new Timer{*this, alive_, key, std::move(call)});
  timers_.emplace(key, timer.get());
  return timer;
}

void LinuxLoop::post(std::function<void()> call) {
  bool wake = false;
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(call));
    wake = !std::exchange(wake_sent_, true);
  }
  if (wake) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
  }
}

void LinuxLoop::offload(std::function<void()> work_call, std::function<void()> done) {
  {
    const std::lock_guard lock(jobs_mutex_);
    jobs_.push_back({std::move(work_call), std::move(done)});
    const bool all_busy = static_cast<std::size_t>(workers_idle_) < jobs_.size();
    if (all_busy && static_cast<int>(workers_.size()) < workers_max_) {
      workers_.emplace_back([this] { work(); });
    }
  }
  jobs_changed_.notify_one();
}

void LinuxLoop::work() {
  std::unique_lock lock(jobs_mutex_);
  while (true) {
    ++workers_idle_;
    jobs_changed_.wait(lock, [this] { return jobs_closed_ || !jobs_.empty(); });
    --workers_idle_;
    if (jobs_closed_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job.work();
    job.work = nullptr;
    post(std::move(job.done));
    lock.lock();
  }
}

std::shared_ptr<void> LinuxLoop::watch_fd(int fd, bool read, bool write, OnReady on_ready) {
  const std::uint64_t id = ++watches_made_;
  auto watch = std::make_shared<FdWatch>(FdWatch{id, fd, read, write, std::move(on_ready)});
  epoll_event event{};
  event.events = interest(read, write);
  event.data.u64 = id;
  // One watch for each descriptor: a second one is a bug of ours, and so is a closed descriptor.
  KEELSON_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0);
  watches_.emplace(id, watch);
  return std::shared_ptr<FdHandle>(new FdHandle{*this, alive_, std::move(watch)});
}

void LinuxLoop::change_watch(const std::shared_ptr<void>& handle, bool read, bool write) {
  FdWatch& watch = *static_cast<FdHandle*>(handle.get())->watch;
  if (watch.read == read && watch.write == write) return;
  watch.read = read;
  watch.write = write;
  epoll_event event{};
  event.events = interest(read, write);
  event.data.u64 = watch.id;
  KEELSON_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_MOD, watch.fd, &event) == 0);
}

void LinuxLoop::run() {
  while (!stopped_) {
    run_posted();
    run_due_timers();
    if (!stopped_) wait_and_dispatch();
  }
  stopped_ = false;
}

void LinuxLoop::stop() {
  stopped_ = true;
  post([] {});
}

void LinuxLoop::run_posted() {
  std::vector<std::function<void()>> calls;
  {
    const std::lock_guard lock(posted_mutex_);
    calls.swap(posted_);
    if (std::exchange(wake_sent_, false)) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t taken = ::read(wake_, &count, sizeof count);
    }
  }
  for (std::function<void()>& call : calls) {
    if (call) call();
    call = nullptr;  // what it holds must not live longer than the call
  }
}

void LinuxLoop::run_due_timers() {
  if (timers_.empty()) return;
  const TimerKey last{now(), UINT64_MAX};
  // A timer set by one of these for a time that has come runs in the next round.
  const std::uint64_t made = timers_made_;
  while (!timers_.empty() && timers_.begin()->first <= last && !stopped_) {
    auto first = timers_.begin();
    while (first != timers_.end() && first->first <= last && first->first.second > made) ++first;
    if (first == timers_.end() || first->first > last) return;
    Timer* timer = first->second;
    timers_.erase(first);
    timer->armed = false;
    // The callback may drop its own handle.
    const std::function<void()> call = std::move(timer->call);
    call();
  }
}

void LinuxLoop::wait_and_dispatch() {
  timespec timeout{};
  const timespec* wait = nullptr;
  if (!timers_.empty()) {
    const std::int64_t until = timers_.begin()->first.first.unix_nanoseconds();
    const std::int64_t current = now().unix_nanoseconds();
    const std::int64_t left = until <= current ? 0 : until - current;
    timeout.tv_sec = std::min<std::int64_t>(left / 1'000'000'000, 3600);
    timeout.tv_nsec = left % 1'000'000'000;
    wait = &timeout;
  }
  std::array<epoll_event, 256> events{};
  const int count =
      ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), wait, nullptr);
  KEELSON_CHECK(count >= 0 || errno == EINTR);
  for (int i = 0; i < count && !stopped_; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == kWakeId) continue;
    const auto found = watches_.find(event.data.u64);
    if (found == watches_.end()) continue;  // ended by a callback of this round
    const std::shared_ptr<FdWatch> watch = found->second;
    const bool trouble = (event.events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0;
    const bool readable = (event.events & EPOLLIN) != 0 || trouble;
    const bool writable = (event.events & EPOLLOUT) != 0 && watch->write;
    watch->on_ready(readable, writable || (trouble && watch->write));
  }
}

}  // namespace keelson::host
