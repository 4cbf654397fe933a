// Two ends of a byte stream in memory, for tests: what one end writes the other end gets at once,
// unless it is paused.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "host/sockets.h"

namespace keelson::api {

class MemoryStream final : public host::Stream {
 public:
  struct Side {
    Events events;
    std::string waiting;
    bool started = false, paused = false, end = false, end_told = false, gone = false;
  };
  MemoryStream(std::shared_ptr<Side> own, std::shared_ptr<Side> other)
      : own_(std::move(own)), other_(std::move(other)) {}
  ~MemoryStream() override {
    own_->gone = true;
    own_->events = {};
    finish(other_);
  }
  void start(Events events) override {
    own_->events = std::move(events);
    own_->started = true;
    deliver(own_);
  }
  void write(std::string_view bytes) override {
    if (other_->gone) return;
    other_->waiting += bytes;
    deliver(other_);
  }
  std::size_t buffered() const override { return other_->gone ? 0 : other_->waiting.size(); }
  void pause(bool paused) override {
    own_->paused = paused;
    const std::shared_ptr<Side> own = own_, other = other_;
    const bool had = !own->waiting.empty();
    deliver(own);
    if (had && own->waiting.empty() && other->events.on_drained) other->events.on_drained();
  }
  void shutdown_write() override { finish(other_); }
  std::string peer() const override { return "memory"; }

 private:
  static void finish(const std::shared_ptr<Side>& side) {
    side->end = true;
    deliver(side);
  }
  static void deliver(std::shared_ptr<Side> side) {
    while (side->started && !side->paused && !side->gone && !side->waiting.empty()) {
      const std::string bytes = std::exchange(side->waiting, {});
      const auto call = side->events.on_data;
      if (call) call(bytes);
    }
    if (side->started && !side->paused && !side->gone && side->end && side->waiting.empty() &&
        !std::exchange(side->end_told, true)) {
      const auto call = side->events.on_end;
      if (call) call();
    }
  }
  std::shared_ptr<Side> own_, other_;
};

inline std::pair<std::unique_ptr<host::Stream>, std::unique_ptr<host::Stream>> make_stream_pair() {
  auto a = std::make_shared<MemoryStream::Side>(), b = std::make_shared<MemoryStream::Side>();
  return {std::make_unique<MemoryStream>(a, b), std::make_unique<MemoryStream>(b, a)};
}

}  // namespace keelson::api
