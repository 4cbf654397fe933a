#include "api/answers/stall_limit.h"

#include <utility>

namespace keelson::api {
namespace {

class StallLimit final : public Body {
 public:
  StallLimit(host::Loop& loop, std::unique_ptr<Body> body, Duration limit)
      : loop_(loop), body_(std::move(body)), limit_(limit), taken_(loop.now()) {
    body_->set_wake([this] { wake(); });
    arm();
  }

  State read(std::string& out, std::size_t want) override {
    if (!body_) return State::aborted;
    taken_ = loop_.now();
    return body_->read(out, want);
  }

 private:
  // One timer for many reads: it looks again when the last one was a while ago.
  void arm() {
    timer_ = loop_.call_at(taken_ + limit_, [this] {
      if (loop_.now() - taken_ < limit_) return arm();
      body_.reset();
      wake();
    });
  }

  host::Loop& loop_;
  std::unique_ptr<Body> body_;
  const Duration limit_;
  Instant taken_;
  std::shared_ptr<void> timer_;
};

}  // namespace

std::unique_ptr<Body> limit_stalls(host::Loop& loop, std::unique_ptr<Body> body, Duration limit) {
  return std::make_unique<StallLimit>(loop, std::move(body), limit);
}

}  // namespace keelson::api
