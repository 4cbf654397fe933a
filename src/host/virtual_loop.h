// VirtualLoop: a Loop whose time stands still while calls run and jumps from timer to timer
// otherwise. The same calls in the same order give the same run. It knows no descriptors and no
// threads.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "host/loop.h"

namespace keelson::host {

class VirtualLoop : public Loop {
 public:
  explicit VirtualLoop(Instant start = Instant::unix_seconds(1'767'225'600));  // 2026-01-01

  Instant now() const override { return now_; }
  std::shared_ptr<void> call_at(Instant when, std::function<void()> call) override;
  void post(std::function<void()> call) override;
  // Both run at once after the current call, or, with set_offload_time, `work` after that time and
  // `done` right behind it.
  void offload(std::function<void()> work, std::function<void()> done) override;
  std::shared_ptr<void> watch_fd(int fd, bool read, bool write, OnReady on_ready) override;
  // Until stop() or until nothing is left to do.
  void run() override;
  void stop() override { stopped_ = true; }

  // Runs everything due up to and at `until`, then time is `until` (if not stopped before).
  void run_until(Instant until);
  void run_for(Duration time) { run_until(now_ + time); }
  // Runs what is due now, and what that makes due now.
  void run_ready() { run_until(now_); }
  // Runs one call, jumping to its time; false if there is none.
  bool step();
  bool idle() const { return queue_->empty(); }
  // When the next call is due; Instant::max() if there is none.
  Instant next() const;

  // How long the next offloaded work takes; asked once for each.
  void set_offload_time(std::function<Duration()> time) { offload_time_ = std::move(time); }

 private:
  using Due = std::pair<Instant, std::uint64_t>;  // ties break by sequence number
  using Queue = std::map<Due, std::function<void()>>;
  Due add(Instant when, std::function<void()> call);

  Instant now_;
  std::uint64_t sequence_ = 0;
  bool stopped_ = false;
  std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();  // shared: handles may outlive us
  std::function<Duration()> offload_time_;
};

}  // namespace keelson::host
