// LinuxLoop: the live Loop. One thread waits in epoll for descriptors, timers and posted calls; a
// few workers run what is offloaded. It keeps two promises: callbacks never overlap, and now()
// never goes back (when the system clock is set back, ours runs at half speed until they meet).
// It knows nothing of what runs on it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "host/loop.h"

namespace keelson::host {

class LinuxLoop final : public Loop {
 public:
  // workers: threads for offload(), started with the first use.
  explicit LinuxLoop(int workers = 2);
  ~LinuxLoop() override;
  LinuxLoop(const LinuxLoop&) = delete;
  LinuxLoop& operator=(const LinuxLoop&) = delete;

  Instant now() const override;  // any thread
  std::shared_ptr<void> call_at(Instant when, std::function<void()> call) override;
  void post(std::function<void()> call) override;
  void offload(std::function<void()> work, std::function<void()> done) override;
  std::shared_ptr<void> watch_fd(int fd, bool read, bool write, OnReady on_ready) override;
  void run() override;   // may be called again after stop()
  void stop() override;  // any thread

  // Changes what a watch_fd() handle waits for; cheaper than a new watch. false, false: nothing but
  // hang-up and errors, which report as readable.
  void change_watch(const std::shared_ptr<void>& handle, bool read, bool write);

 private:
  struct Timer;
  struct FdWatch;
  struct FdHandle;
  using TimerKey = std::pair<Instant, std::uint64_t>;

  void refresh_clock() const;
  void run_due_timers();
  void run_posted();
  void wait_and_dispatch();
  void work();

  int epoll_ = -1, wake_ = -1;
  mutable std::mutex clock_mutex_;
  mutable std::int64_t clock_now_ = 0, clock_monotonic_ = 0;

  std::map<TimerKey, Timer*> timers_;
  std::uint64_t timers_made_ = 0;
  std::map<std::uint64_t, std::shared_ptr<FdWatch>> watches_;
  std::uint64_t watches_made_ = 0;

  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
  bool wake_sent_ = false;
  std::atomic<bool> stopped_ = false;
  // Outlives the loop, so that handles dropped later do nothing.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  struct Job {
    std::function<void()> work, done;
  };
  int workers_max_;
  std::vector<std::thread> workers_;
  std::mutex jobs_mutex_;
  std::condition_variable jobs_changed_;
  std::deque<Job> jobs_;
  int workers_idle_ = 0;
  bool jobs_closed_ = false;
};

}  // namespace keelson::host
