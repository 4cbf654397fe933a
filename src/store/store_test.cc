// The store's contract as store.h states it, in memory and on a virtual disk, and what survives a
// crash.
#include "store/store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "host/virtual_files.h"
#include "host/virtual_loop.h"
#include "store/checksum.h"
#include "store/format.h"

namespace keelson::store {
namespace {

using host::VirtualFiles;
using host::VirtualLoop;

Transaction put(std::string key, std::string bytes) {
  return {.puts = {{key, bytes}}};
}

std::string text(const Page& page) {
  std::string out;
  for (const auto& entry : page.entries)
    out += std::string(entry->key()) + "=" + std::string(entry->bytes()) + " ";
  return out;
}

class StoreTest : public testing::Test {
 protected:
  VirtualLoop loop;
  std::unique_ptr<Store> store = Store::in_memory(loop);
  Revision must(Transaction transaction) {
    auto result = store->commit(std::move(transaction));
    EXPECT_TRUE(result.ok());
    return result.ok() ? *result : Revision{};
  }
};

TEST_F(StoreTest, OnlyWhatIsInUseStaysParsed) {
  store = Store::in_memory(loop, {.parsed = {.fresh = 1000, .used = 1000}});
  const std::string object = R"({"a":")" + std::string(90, 'x') + R"("})";
  const auto key = [](int i) { return "k" + std::to_string(1000 + i); };
  const auto parsed = [&] {
    int count = 0;
    store->each("", [&](const EntryPtr& entry) { count += !entry->value_at_hand().is_null(); });
    return count;
  };
  for (int i = 0; i < 100; ++i) must(put(key(i), object));
  store->each("", [](const EntryPtr& entry) { EXPECT_TRUE(entry->value().has("a")); });
  EXPECT_EQ(parsed(), 100);  // nothing is dropped within a turn
  loop.run_ready();
  EXPECT_EQ(parsed(), 9);
  // What is used again in a later turn outlives what comes after it.
  const EntryPtr kept = store->get(key(0));
  EXPECT_TRUE(kept->value().has("a"));
  loop.run_ready();
  EXPECT_TRUE(kept->value().has("a"));
  for (int i = 1; i < 100; ++i) (void)store->get(key(i))->value();
  loop.run_ready();
  EXPECT_TRUE(kept->value_at_hand().has("a"));
  EXPECT_LE(parsed(), 20);
  // What has been replaced is not kept for having been used.
  const EntryPtr replaced = store->get(key(50));
  (void)replaced->value();
  loop.run_ready();
  (void)replaced->value();
  must(put(key(50), object));
  for (int i = 1; i < 100; ++i) (void)store->get(key(i))->value();
  loop.run_ready();
  EXPECT_TRUE(replaced->value_at_hand().is_null());
  EXPECT_TRUE(replaced->value().has("a"));  // parsed again when asked
}

TEST_F(StoreTest, CommitsAtOneRevision) {
  EXPECT_EQ(store->revision(), Revision{1});
  Revision next = store->next_revision();
  EXPECT_EQ(must({.puts = {{"b", "2"}, {"a", "1"}}}), next);
  EXPECT_EQ(store->get("a")->modified(), next);
  must(put("a", "3"));
  EXPECT_EQ(store->get("a")->created(), Revision{2});
  EXPECT_EQ(store->get("a")->modified(), Revision{3});
  EXPECT_EQ(store->get("c"), nullptr);
  EXPECT_EQ(must({.deletes = {"c"}}), Revision{3}) << "nothing changed";
  EXPECT_EQ(text(*store->range({.prefix = ""})), "a=3 b=2 ");
}

TEST_F(StoreTest, RefusesWhatIsNotExpected) {
  must(put("a", "1"));
  auto reason = [&](Expect expect) {
    Transaction t = put("a", "x");
    t.expects = {expect};
    auto result = store->commit(t);
    EXPECT_FALSE(result.ok());
    return result.ok() ? Reason::gone : result.error().reason;
  };
  EXPECT_EQ(reason({"a", Revision{}}), Reason::already_exists);
  EXPECT_EQ(reason({"a", Revision{7}}), Reason::conflict);
  EXPECT_EQ(reason({"b", Revision{2}}), Reason::not_found);
  EXPECT_EQ(store->get("a")->bytes(), "1");
  EXPECT_EQ(store->revision(), Revision{2});
  EXPECT_TRUE(store->commit({.deletes = {"a"}, .expects = {{"a", Revision{2}}}}).ok());
  EXPECT_EQ(store->get("a"), nullptr);
}

TEST_F(StoreTest, PagesStayAtTheirRevision) {
  for (char c = 'a'; c <= 'e'; ++c) must(put(std::string("p/") + c, "1"));
  must(put("q", "1"));
  Page first = *store->range({.prefix = "p/", .limit = 2, .count_rest = true});
  EXPECT_EQ(text(first), "p/a=1 p/b=1 ");
  EXPECT_TRUE(first.more);
  EXPECT_EQ(first.rest, 3u);
  must({.puts = {{"p/c", "2"}, {"p/cc", "1"}}, .deletes = {"p/d"}});
  Page second = *store->range({.prefix = "p/", .from = first.next, .at = first.revision});
  EXPECT_EQ(text(second), "p/c=1 p/d=1 p/e=1 ");
  EXPECT_EQ(text(*store->range({.prefix = "p/"})), "p/a=1 p/b=1 p/c=2 p/cc=1 p/e=1 ");
  EXPECT_EQ(store->get_at("p/d", first.revision).value()->bytes(), "1");
  EXPECT_EQ(store->get_at("p/d", store->revision()).value(), nullptr);
}

TEST_F(StoreTest, EveryPageKnowsHowManyAreLeft) {
  for (int i = 0; i < 10; ++i) must(put("p/" + std::to_string(i), "1"));
  Range range{.prefix = "p/", .limit = 3, .count_rest = true};
  std::vector<std::size_t> rests;
  for (bool more = true; more;) {
    Page page = *store->range(range);
    rests.push_back(page.rest);
    more = page.more;
    range.from = page.next;
    range.at = page.revision;
    must({.puts = {{"p/" + std::to_string(rests.size()) + "x", "new"}}, .deletes = {"p/9"}});
  }
  EXPECT_EQ(rests, (std::vector<std::size_t>{7, 4, 1, 0}));
}

TEST_F(StoreTest, CompactionForgetsOnlyOlderVersions) {
  Revision r2 = must(put("a", "1")), r3 = must(put("a", "2")), r4 = must({.deletes = {"a"}});
  Revision r5 = must(put("a", "3"));
  loop.run_ready();
  store->compact(r3);
  EXPECT_EQ(store->range({.at = r2}).error().reason, Reason::expired);
  EXPECT_EQ(text(*store->range({.at = r3})), "a=2 ");
  EXPECT_EQ(text(*store->range({.at = r4})), "");
  store->compact(r4);
  EXPECT_EQ(text(*store->range({.at = r4})), "");
  EXPECT_EQ(text(*store->range({.at = r5})), "a=3 ");
  EXPECT_EQ(store->range({.at = Revision{99}}).error().reason, Reason::invalid);
  auto expired = store->subscribe("", r3, Store::Delivery::at_once, [](const Event&) {});
  EXPECT_EQ(expired.error().reason, Reason::expired);
}

TEST_F(StoreTest, HistoryIsBoundedInNumberAndTime) {
  store = Store::in_memory(loop, {.history_time = Duration::minutes(5), .history_events_max = 10});
  for (int i = 0; i < 30; ++i) {
    must(put("k", std::to_string(i)));
    loop.run_ready();
  }
  EXPECT_LE(store->statistics().history_events, 11u);
  loop.run_for(Duration::minutes(6));
  must(put("k", "last"));
  EXPECT_EQ(store->statistics().history_events, 1u);
}

TEST_F(StoreTest, HistoryIsBoundedInBytesByWhatThereIs) {
  const std::string mebibyte(1u << 20, 'v');
  const auto update = [&](int times) {
    for (int i = 0; i < times; ++i) {
      must(put("k", mebibyte));
      loop.run_ready();
    }
    return store->statistics().history_events;
  };
  EXPECT_LE(update(40), 18U);
  must(put("large", std::string(60u << 20, 'v')));
  const std::size_t half = update(60);
  EXPECT_TRUE(half >= 29 && half <= 32) << half;
}

TEST_F(StoreTest, SubscriptionsSeeTheirScopeInOrder) {
  Revision start = must(put("pods/x/a", "0"));
  std::string all, space, one, late;
  auto trace = [](std::string& out) {
    return [&out](const Event& e) {
      out += std::string(e.key()) + (e.type == Event::Type::put ? "+" : "-") +
             (e.previous ? std::string(e.previous->bytes()) : "") + " ";
    };
  };
  auto at_once = Store::Delivery::at_once;
  auto a = *store->subscribe("pods/", start, at_once, trace(all));
  auto b = *store->subscribe("pods/x/", start, at_once, trace(space));
  auto c = *store->subscribe("pods/x/a", start, at_once, trace(one));
  must(put("pods/x/a", "1"));
  EXPECT_EQ(all, "") << "never within commit";
  must({.puts = {{"pods/x/ab", "2"}, {"pods/y/a", "3"}, {"nodes//n", "4"}}});
  auto d = *store->subscribe("", start, at_once, trace(late));
  loop.run_ready();
  must({.deletes = {"pods/x/a"}});
  loop.run_ready();
  EXPECT_EQ(all, "pods/x/a+0 pods/x/ab+ pods/y/a+ pods/x/a-1 ");
  EXPECT_EQ(space, "pods/x/a+0 pods/x/ab+ pods/x/a-1 ");
  EXPECT_EQ(one, "pods/x/a+0 pods/x/a-1 ");
  EXPECT_EQ(late, "pods/x/a+0 pods/x/ab+ pods/y/a+ nodes//n+ pods/x/a-1 ");
  EXPECT_EQ(c->revision(), store->revision()) << "a bookmark may say so";
  b.reset();
  must(put("pods/x/a", "5"));
  loop.run_ready();
  EXPECT_EQ(space, "pods/x/a+0 pods/x/ab+ pods/x/a-1 ") << "its handle was dropped";
}

TEST_F(StoreTest, CallbacksMayCommitAndSubscribe) {
  std::vector<std::string> seen;
  std::shared_ptr<Subscription> second;
  auto first =
      *store->subscribe("a/", store->revision(), Store::Delivery::at_once, [&](const Event& e) {
        seen.push_back("first " + std::string(e.key()));
        if (e.key() != "a/1") return;
        must(put("a/2", ""));
        second = *store->subscribe("a/", e.revision, Store::Delivery::at_once, [&](const Event& f) {
          seen.push_back("second " + std::string(f.key()));
          second.reset();
        });
      });
  must(put("a/1", ""));
  must(put("a/3", ""));
  loop.run_ready();
  EXPECT_EQ(seen.size(), 4u);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), "second a/3"), 1);
  EXPECT_EQ(store->statistics().subscriptions, 1u);
}

TEST_F(StoreTest, ValuesAreParsedOnDemand) {
  must(put("a", R"({"x": 7})"));
  EXPECT_EQ(store->get("a")->value()["x"].as_int(), 7);
}

TEST(Checksum, IsCastagnoli) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xe3069283u);
}

class DurableTest : public testing::Test {
 protected:
  VirtualLoop loop;
  VirtualFiles files;
  Options options{.directory = "data", .restart_events_max = 0, .segment_bytes = 1u << 16};
  std::unique_ptr<Store> store;
  DurableTest() { open(); }
  void open() {
    store.reset();
    auto opened = Store::open(loop, files, options);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store = std::move(opened).value();
  }
  void crash() {
    Prng rng(1);
    files.crash(rng);
    store.reset();
    loop.run_ready();
  }
  void fill(int n) {
    for (int i = 0; i < n; ++i) {
      ASSERT_TRUE(store->commit(put("k/" + std::to_string(i % 50), std::string(700, 'v'))).ok());
      loop.run_ready();
    }
  }
};

TEST_F(DurableTest, AcknowledgesAfterTheSyncAndSurvives) {
  loop.set_offload_time([] { return Duration::milliseconds(1); });
  bool told = false, watched = false;
  Revision r = *store->commit(put("a", "1"));
  store->when_durable(r, [&] { told = true; });
  auto handle = *store->subscribe("a", Revision{1}, Store::Delivery::durable,
                                  [&](const Event&) { watched = true; });
  loop.run_ready();
  EXPECT_FALSE(told || watched);
  EXPECT_LT(store->durable(), r);
  loop.run_for(Duration::milliseconds(2));
  EXPECT_TRUE(told && watched);
  EXPECT_EQ(store->durable(), r);
  crash();
  open();
  EXPECT_EQ(store->get("a")->bytes(), "1");
  EXPECT_EQ(store->revision(), r);
  EXPECT_EQ(store->get("a")->created(), r);
}

TEST_F(DurableTest, GroupsTheCommitsOfATurn) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(store->commit(put("a", std::to_string(i))).ok());
  loop.run_ready();
  EXPECT_EQ(store->statistics().syncs, 1u);
}

TEST_F(DurableTest, SegmentsSnapshotsAndHistorySurviveARestart) {
  fill(300);
  EXPECT_GT(store->statistics().segments, 2u);
  Revision at_snapshot{};
  store->snapshot([&](Result<Revision> r) { at_snapshot = r.ok() ? *r : Revision{}; });
  loop.run_ready();
  EXPECT_EQ(at_snapshot, store->revision());
  EXPECT_EQ(store->statistics().segments, 1u);
  fill(10);
  Revision last = store->revision();
  crash();
  open();
  EXPECT_EQ(store->revision(), last);
  EXPECT_EQ(store->statistics().keys, 50u);
  EXPECT_TRUE(store->range({.at = at_snapshot}).ok());
  int events = 0;
  auto handle = *store->subscribe("k/", at_snapshot, Store::Delivery::durable,
                                  [&](const Event& e) { events += e.previous ? 1 : 0; });
  loop.run_ready();
  EXPECT_EQ(events, 10);
}

// Batches are in flight while room for the next segment is prepared.
TEST_F(DurableTest, RoomThatIsPreparedIsUsed) {
  loop.set_offload_time([] { return Duration::milliseconds(1); });
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(store->commit(put("a", std::string(700, 'v'))).ok());
    loop.run_for(Duration::microseconds(300));
  }
  EXPECT_GT(store->statistics().segments, 10U);
  const auto names = files.list("data");
  ASSERT_TRUE(names.ok());
  const auto spares = std::count_if(names->begin(), names->end(), [](const std::string& name) {
    return name.starts_with("spare-");
  });
  EXPECT_LE(spares, 1);
}

TEST_F(DurableTest, WatchesGoOnOverASnapshotAndARestart) {
  options.restart_events_max = 40;
  open();
  fill(300);
  const Revision seen{store->revision().number - 40}, before{seen.number - 1};
  store->snapshot({});
  loop.run_ready();
  EXPECT_LE(store->statistics().segments, 2u);
  crash();
  open();
  EXPECT_EQ(store->statistics().keys, 50u);
  int events = 0;
  auto handle =
      store->subscribe("", seen, Store::Delivery::durable, [&](const Event&) { ++events; });
  ASSERT_TRUE(handle.ok());
  loop.run_ready();
  EXPECT_EQ(events, 40);
  EXPECT_EQ(
      store->subscribe("", before, Store::Delivery::durable, [](const Event&) {}).error().reason,
      Reason::expired);
}

TEST_F(DurableTest, ASnapshotThatFailsIsRecordedAndTriedAgain) {
  fill(3);
  files.set_fault([&](std::string_view, const std::string& path) -> std::optional<Error> {
    if (path.find("snapshot") == std::string::npos) return std::nullopt;
    return Error{Reason::service_unavailable, "Input/output error"};
  });
  bool failed = false;
  store->snapshot([&](const Result<Revision>& r) { failed = !r.ok(); });
  loop.run_ready();
  EXPECT_TRUE(failed);
  EXPECT_EQ(store->statistics().snapshot_failures, 1u);
  EXPECT_NE(store->statistics().snapshot_problem, "");
  files.set_fault({});
  loop.run_for(Duration::minutes(1));
  EXPECT_EQ(store->statistics().snapshots, 1u);
  EXPECT_EQ(store->statistics().snapshot_problem, "");
}

TEST_F(DurableTest, AFullDiskIsRefusedAndRecoveredFrom) {
  fill(3);
  bool full = true;
  files.set_fault([&](std::string_view, const std::string&) -> std::optional<Error> {
    if (full) return Error{Reason::service_unavailable, "No space left on device"};
    return std::nullopt;
  });
  bool told = false;
  int settled = 0, unsettled = 0;
  const auto on_settled = [&](const Result<void>& result) {
    result.ok() ? ++settled : ++unsettled;
  };
  Revision r = *store->commit(put("a", "kept"));
  store->when_durable(r, [&] { told = true; });
  store->settle(r, on_settled);
  EXPECT_EQ(unsettled, 0);
  EXPECT_FALSE(store->failing());
  loop.run_ready();
  EXPECT_TRUE(store->failing());
  EXPECT_EQ(unsettled, 1);                 // who waited is told
  store->settle(r, on_settled);            // who comes now too
  store->settle(Revision{1}, on_settled);  // what is durable is there
  EXPECT_EQ(unsettled, 2);
  EXPECT_EQ(settled, 1);
  auto refused = store->commit(put("b", "1"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::service_unavailable);
  loop.run_for(Duration::seconds(5));
  EXPECT_FALSE(told);
  full = false;
  loop.run_for(Duration::seconds(2));
  EXPECT_TRUE(told);
  EXPECT_TRUE(store->commit(put("b", "1")).ok());
  loop.run_ready();
  crash();
  open();
  EXPECT_EQ(store->get("a")->bytes(), "kept");
  EXPECT_EQ(store->get("b")->bytes(), "1");
}

TEST_F(DurableTest, RefusesDamageToWhatWasAcknowledged) {
  fill(5);
  std::string name = "data/" + segment_name(1);
  std::string content = files.content(name);
  store.reset();
  files.damage(name, 1000, "#");
  auto opened = Store::open(loop, files, options);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("acknowledged"), std::string::npos)
      << opened.error().message;
  files.damage(name, 1000, content.substr(1000, 1));
  EXPECT_TRUE(Store::open(loop, files, options).ok());
}

TEST_F(DurableTest, ATornLastWriteIsTold) {
  fill(5);
  EXPECT_EQ(store->statistics().torn, "");
  crash();
  const std::string name = "data/" + segment_name(1), content = files.content(name);
  const std::size_t last = content.rfind("KREC");
  files.damage(name, last + 50, "#");
  open();
  EXPECT_EQ(store->statistics().torn, name);
  fill(1);
  open();
  EXPECT_EQ(store->statistics().torn, "");
}

TEST_F(DurableTest, RefusesASegmentThatDidNotBeginWell) {
  fill(5);
  store.reset();
  const std::string name = "data/" + segment_name(1), content = files.content(name);
  for (const std::size_t at : {0, 5, 20, 40}) {
    files.damage(name, at, content[at] == '#' ? "+" : "#");
    EXPECT_FALSE(Store::open(loop, files, options).ok()) << at;
    files.damage(name, at, content.substr(at, 1));
  }
  EXPECT_TRUE(Store::open(loop, files, options).ok());
}

TEST_F(DurableTest, RefusesTheAbsenceOfTheLastSegment) {
  fill(300);
  const std::string last = "data/" + segment_name(store->statistics().segments);
  store.reset();
  ASSERT_TRUE(files.rename(last, "data/away").ok());
  const auto opened = Store::open(loop, files, options);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find(last + " is missing"), std::string::npos)
      << opened.error().message;
  ASSERT_TRUE(files.rename("data/away", last).ok());
  EXPECT_TRUE(Store::open(loop, files, options).ok());
}

TEST_F(DurableTest, RefusesAMissingSegmentAndADamagedSnapshot) {
  fill(300);
  store.reset();
  std::string middle = "data/" + segment_name(2);
  ASSERT_TRUE(files.rename(middle, "data/away").ok());
  EXPECT_FALSE(Store::open(loop, files, options).ok());
  ASSERT_TRUE(files.rename("data/away", middle).ok());
  open();
  store->snapshot({});
  loop.run_ready();
  files.damage("data/" + snapshot_name(store->revision()), 500, "#");
  store.reset();
  EXPECT_FALSE(Store::open(loop, files, options).ok());
}

}  // namespace
}  // namespace keelson::store
