// Where a container's output goes: a Sink whose client may be gone before the container knows.
// Internal to the remote sessions.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "cluster/pod_streams.h"

namespace keelson::api {

// A Sink whose other end may be gone.
struct Outlet {
  std::function<void(std::string_view)> write;
  std::function<void()> close;
  std::function<std::size_t()> buffered;
  std::function<void()> drained;  // set by whoever writes
};
class OutletSink final : public cluster::Sink {
 public:
  explicit OutletSink(std::shared_ptr<Outlet> outlet) : outlet_(std::move(outlet)) {}
  void write(std::string_view bytes) override {
    if (outlet_->write) outlet_->write(bytes);
  }
  void close() override {
    if (outlet_->close) outlet_->close();
  }
  std::size_t buffered() const override { return outlet_->buffered ? outlet_->buffered() : 0; }
  void on_drained(std::function<void()> call) override { outlet_->drained = std::move(call); }

 private:
  std::shared_ptr<Outlet> outlet_;
};

inline void cut(const std::shared_ptr<Outlet>& outlet) {
  if (outlet) *outlet = {};
}

inline void tell_drained(const std::shared_ptr<Outlet>& outlet) {
  if (!outlet) return;
  if (const auto call = outlet->drained) call();
}

}  // namespace keelson::api
