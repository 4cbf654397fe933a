// Nothing acknowledged is lost and nothing half-written is visible: a seeded run of commits, faults
// and crashes on a disk that tears and loses writes, checked against a model after each crash.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "host/virtual_files.h"
#include "host/virtual_loop.h"
#include "store/store.h"

namespace keelson::store {
namespace {

using State = std::map<std::string, std::string>;

class CrashRun {
 public:
  explicit CrashRun(std::uint64_t seed) : rng_(seed) {
    loop_.set_offload_time(
        [this] { return Duration::microseconds(static_cast<std::int64_t>(rng_.below(3000))); });
    options_ = {.directory = "data",
                .restart_events_max = 20,
                .segment_bytes = 1u << 15,
                .snapshot_log_bytes = 1u << 16};
  }

  void run(int crashes) {
    for (int i = 0; i < crashes && !testing::Test::HasFailure(); ++i) {
      open_and_check();
      if (!store_) return;
      plan_faults();
      live();
      files_.crash(rng_);
      store_.reset();
      // Work that was under way finds its files gone.
      loop_.run_ready();
    }
  }

 private:
  void open_and_check() {
    auto opened = Store::open(loop_, files_, options_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(opened).value();
    Revision r = store_->revision();
    ASSERT_GE(r, acknowledged_) << "an acknowledged commit is gone";
    auto known = states_.find(r);
    ASSERT_NE(known, states_.end()) << "a revision that never was: " << r.number;
    State now;
    store_->each("", [&](const EntryPtr& e) { now[std::string(e->key())] = e->bytes(); });
    ASSERT_EQ(now, known->second) << "a commit is there in part, at revision " << r.number;
    state_ = now;
    states_.erase(std::next(known), states_.end());  // what was not acknowledged and is lost
    states_.erase(states_.begin(), states_.find(acknowledged_));
    if (rng_.below(4) == 0) crash_while_recovering();
  }

  // Opening again must find the same, whatever the first opening has left behind.
  void crash_while_recovering() {
    files_.stop_after(rng_.below(6));
    store_.reset();
    if (auto half = Store::open(loop_, files_, options_); half.ok()) {
      store_ = std::move(half).value();
      loop_.run_for(Duration::milliseconds(static_cast<std::int64_t>(rng_.below(5))));
      store_.reset();
    }
    files_.crash(rng_);
    loop_.run_ready();
    auto opened = Store::open(loop_, files_, options_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(opened).value();
    ASSERT_EQ(store_->revision(), states_.rbegin()->first);
  }

  void plan_faults() {
    faulty_ = rng_.below(3) == 0;
    if (faulty_)
      files_.set_fault([this](std::string_view, const std::string&) -> std::optional<Error> {
        if (rng_.below(15) == 0) return Error{Reason::internal_error, "Input/output error"};
        return std::nullopt;
      });
    if (rng_.below(2) == 0) files_.stop_after(rng_.below(200));
  }

  void live() {
    std::uint64_t turns = rng_.below(80);
    for (std::uint64_t turn = 0; turn < turns; ++turn) {
      for (std::uint64_t n = rng_.below(4); n > 0; --n) commit();
      if (rng_.below(40) == 0) store_->snapshot({});
      loop_.run_for(Duration::microseconds(static_cast<std::int64_t>(rng_.below(2500))));
      if (faulty_ && rng_.below(20) == 0) loop_.run_for(Duration::seconds(1));
    }
  }

  void commit() {
    Transaction transaction;
    State next = state_;
    for (std::uint64_t n = 1 + rng_.below(3); n > 0; --n) {
      std::string key = "k" + std::to_string(rng_.below(30));
      bool taken = std::any_of(transaction.puts.begin(), transaction.puts.end(),
                               [&](const Put& put) { return put.key == key; }) ||
                   std::count(transaction.deletes.begin(), transaction.deletes.end(), key) != 0;
      if (taken) continue;
      if (rng_.below(4) == 0 && next.erase(key) != 0) {
        transaction.deletes.push_back(key);
      } else {
        std::string bytes(rng_.below(3000), static_cast<char>('a' + rng_.below(26)));
        transaction.puts.push_back({key, bytes});
        next[key] = bytes;
      }
    }
    auto done = store_->commit(std::move(transaction));
    if (!done.ok()) {
      ASSERT_TRUE(faulty_ || files_.operations() > 0);
      return;
    }
    state_ = next;
    states_[*done] = next;
    store_->when_durable(*done, [this, r = *done] {
      ASSERT_GE(r, acknowledged_);
      acknowledged_ = r;
    });
  }

  Prng rng_;
  host::VirtualLoop loop_;
  host::VirtualFiles files_;
  Options options_;
  std::unique_ptr<Store> store_;
  bool faulty_ = false;
  State state_;
  std::map<Revision, State> states_{{Revision{1}, {}}};
  Revision acknowledged_{1};
};

TEST(Crash, LosesNothingAcknowledgedAndShowsNothingHalfWritten) {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    CrashRun(seed).run(15);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace keelson::store
