// Bookmarks come every minute, as in the original (apiserver pkg/storage/cacher).
#include "api/answers/watch_body.h"

#include <map>
#include <utility>
#include <vector>

namespace keelson::api {

class WatchBody;

class WatchSwitch {
 public:
  std::map<std::uint64_t, WatchBody*> open;  // in order of their beginning
  std::uint64_t made = 0;
};

namespace {
constexpr Duration kBookmarkEvery = Duration::minutes(1);
constexpr std::size_t kTakeMax = 64;
}  // namespace

class WatchBody final : public Body {
 public:
  WatchBody(host::Loop& loop, std::shared_ptr<WatchSwitch> all,
            std::unique_ptr<registry::Watcher> watcher, Instant until, bool bookmarks,
            Format format)
      : loop_(loop), all_(std::move(all)), watcher_(std::move(watcher)), format_(format) {
    number_ = ++all_->made;
    all_->open.emplace(number_, this);
    watcher_->on_ready([this] { wake(); });
    end_timer_ = loop_.call_at(until, [this] { end(); });
    if (bookmarks) arm_bookmark();
  }
  ~WatchBody() override { all_->open.erase(number_); }

  State read(std::string& out, std::size_t want) override {
    const std::size_t start = out.size();
    while (out.size() - start < want && !finished_) {
      const std::vector<registry::WatchEvent> events = watcher_->take(kTakeMax);
      if (events.empty()) return State::waiting;
      for (const registry::WatchEvent& event : events) {
        append_frame(out, event, format_);
        if (event.type == registry::WatchEvent::Type::error) finished_ = true;
      }
    }
    return finished_ ? State::finished : State::more;
  }

  void end() {
    if (std::exchange(finished_, true)) return;
    wake();
  }

 private:
  void arm_bookmark() {
    bookmark_timer_ = loop_.call_at(loop_.now() + kBookmarkEvery, [this] {
      watcher_->request_bookmark();
      arm_bookmark();
      wake();
    });
  }

  host::Loop& loop_;
  std::shared_ptr<WatchSwitch> all_;
  std::unique_ptr<registry::Watcher> watcher_;
  Format format_;
  std::uint64_t number_ = 0;
  std::shared_ptr<void> end_timer_, bookmark_timer_;
  bool finished_ = false;
};

std::shared_ptr<WatchSwitch> make_watch_switch() {
  return std::make_shared<WatchSwitch>();
}

void end_watches(WatchSwitch& all) {
  // Ending one may drop it, and others with its connection.
  std::uint64_t last = 0;
  for (auto next = all.open.upper_bound(last); next != all.open.end();
       next = all.open.upper_bound(last)) {
    last = next->first;
    next->second->end();
  }
}

std::size_t count_watches(const WatchSwitch& all) {
  return all.open.size();
}

std::unique_ptr<Body> make_watch_body(host::Loop& loop, std::shared_ptr<WatchSwitch> all,
                                      std::unique_ptr<registry::Watcher> watcher, Instant until,
                                      bool bookmarks, Format format) {
  return std::make_unique<WatchBody>(loop, std::move(all), std::move(watcher), until, bookmarks,
                                     format);
}

}  // namespace keelson::api
