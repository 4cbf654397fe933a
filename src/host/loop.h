// Loop: the one thread of the core. Everything that decides runs here, one callback at a time. The
// live loop (host/linux) waits on real time and descriptors; the virtual one (sim) jumps from timer
// to timer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/time.h"

namespace keelson::host {

class Loop {
 public:
  virtual ~Loop() = default;
  virtual Instant now() const = 0;  // wall clock; never goes back
  // Runs the call at or after `when`; the handle cancels it when dropped. Calls of one instant run
  // in order of call_at.
  virtual std::shared_ptr<void> call_at(Instant when, std::function<void()> call) = 0;
  // Runs the call after the current one. May be called from any thread.
  virtual void post(std::function<void()> call) = 0;
  // Runs `work` off this thread, then `done` on it. The virtual loop runs both in order, at once
  // after the current call.
  virtual void offload(std::function<void()> work, std::function<void()> done) = 0;
  // Live only: calls back when the descriptor is readable or writable (level-triggered); the handle
  // ends it.
  using OnReady = std::function<void(bool readable, bool writable)>;
  virtual std::shared_ptr<void> watch_fd(int fd, bool read, bool write, OnReady on_ready) = 0;
  // Runs until stop().
  virtual void run() = 0;
  virtual void stop() = 0;
};

}  // namespace keelson::host
