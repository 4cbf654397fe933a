// The faults of correctness that etcd has had (tests/robustness/README.md in its repository), as
// far as a store of one process can have their like: each a scenario that must hold here. Which
// ones cannot stands in docs/design/store.md.
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>

#include "host/linux/files.h"
#include "host/virtual_files.h"
#include "host/virtual_loop.h"
#include "store/store.h"

namespace keelson::store {
namespace {

using State = std::map<std::string, std::string>;

class EtcdFaults : public testing::Test {
 protected:
  host::VirtualLoop loop;
  host::VirtualFiles files;
  Prng rng{1};
  Options options{.directory = "data", .restart_events_max = 0, .segment_bytes = 1u << 14};
  std::unique_ptr<Store> store;

  EtcdFaults() { open(); }
  void open() {
    store.reset();
    auto opened = Store::open(loop, files, options);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store = std::move(opened).value();
  }
  void crash() {
    files.crash(rng);
    store.reset();
    loop.run_ready();
  }
  Revision put(const std::string& key, std::string bytes = "v") {
    const auto done = store->commit({.puts = {{key, std::move(bytes)}}});
    EXPECT_TRUE(done.ok());
    loop.run_ready();
    return *done;
  }
  Revision remove(const std::string& key) {
    const auto done = store->commit({.deletes = {key}});
    EXPECT_TRUE(done.ok());
    loop.run_ready();
    return *done;
  }
  State state() const {
    State out;
    store->each("", [&](const EntryPtr& e) { out[std::string(e->key())] = e->bytes(); });
    return out;
  }
  // What a watch from there gets; nullopt: it is told that this is gone.
  std::optional<std::string> watched(Revision after) {
    std::string out;
    const auto handle =
        store->subscribe("", after, Store::Delivery::durable, [&](const Event& event) {
          out += event.revision.text() + (event.entry ? "+" : "-") + std::string(event.key()) + " ";
        });
    if (!handle.ok()) {
      EXPECT_EQ(handle.error().reason, Reason::expired);
      return std::nullopt;
    }
    loop.run_ready();
    return out;
  }
};

// 13766: after a crash under load, an index of what had been applied ran ahead of what had been.
TEST_F(EtcdFaults, TheRevisionFitsWhatIsThereAfterACrashUnderLoad) {
  for (int round = 0; round < 30; ++round) {
    const Revision before = store->revision();
    for (int i = 0; i < 40; ++i)
      ASSERT_TRUE(store->commit({.puts = {{"k" + std::to_string(i), std::string(500, 'v')}}}).ok());
    files.stop_after(rng.below(4));
    loop.run_ready();
    crash();
    open();
    Revision newest = before;
    store->each("", [&](const EntryPtr& e) { newest = std::max(newest, e->modified()); });
    ASSERT_EQ(newest, store->revision());
    const auto count = store->revision().number - before.number;
    ASSERT_TRUE(count >= 0 && count <= 40);
  }
}

// 14370: one member alone acknowledged a write before it was synced.
TEST_F(EtcdFaults, NothingIsAcknowledgedBeforeItsSync) {
  loop.set_offload_time([] { return Duration::milliseconds(5); });
  const auto revision = store->commit({.puts = {{"a", "1"}}});
  bool told = false;
  store->when_durable(*revision, [&] { told = true; });
  loop.run_for(Duration::milliseconds(4));
  EXPECT_FALSE(told);
  loop.run_for(Duration::milliseconds(2));
  ASSERT_TRUE(told);
  crash();
  open();
  EXPECT_EQ(store->get("a")->bytes(), "1");
}

// 14685, 17780: a crash while the file was written anew, or while old revisions were removed, left
// another revision. Here that is the snapshot with the removal of the log behind it.
TEST_F(EtcdFaults, ACrashAtAnyStepOfASnapshotChangesNothing) {
  for (std::uint64_t steps = 0; steps < 40; ++steps) {
    for (int i = 0; i < 40; ++i) put("k" + std::to_string(i % 7), std::string(900, 'v'));
    remove("k3");
    const Revision revision = store->revision();
    const State before = state();
    files.stop_after(steps);
    store->compact(revision);
    store->snapshot({});
    loop.run_ready();
    crash();
    open();
    ASSERT_EQ(store->revision(), revision) << steps;
    ASSERT_EQ(state(), before) << steps;
  }
}

// 17780: the revision is remembered even if nothing of it is left to see.
TEST_F(EtcdFaults, TheRevisionNeverDecreases) {
  put("a");
  put("b");
  remove("a");
  const Revision last = remove("b");
  store->compact(last);
  store->snapshot({});
  loop.run_ready();
  crash();
  open();
  EXPECT_EQ(store->revision(), last);
  EXPECT_EQ(put("c"), last.next());
}

// 18089, 19179: at the revision up to which was compacted, a removal was left out in silence.
TEST_F(EtcdFaults, AWatchAtTheCompactedRevisionLeavesOutNothing) {
  put("a");
  const Revision removed = remove("a");
  put("b");
  const std::string rest = store->revision().text() + "+b ";
  EXPECT_EQ(watched({removed.number - 1}), removed.text() + "-a " + rest);
  store->compact(removed);
  EXPECT_EQ(store->compacted(), removed);
  EXPECT_EQ(watched({removed.number - 1}), std::nullopt) << "told, not left out";
  EXPECT_EQ(watched(removed), rest);
}

// The same for a watch that is there already, but has not been served yet.
TEST_F(EtcdFaults, CompactionWaitsForWhoIsStillToBeServed) {
  const Revision first = put("a");
  std::string seen;
  const auto handle =
      store->subscribe("", {first.number - 1}, Store::Delivery::durable, [&](const Event& event) {
        seen += event.revision.text() + (event.entry ? "+" : "-") + std::string(event.key()) + " ";
      });
  ASSERT_TRUE(handle.ok());
  const auto removed = store->commit({.deletes = {"a"}});
  store->compact(*removed);
  loop.run_ready();
  EXPECT_EQ(seen, first.text() + "+a " + removed->text() + "-a ");
}

// 17247: a transaction's events came twice.
TEST_F(EtcdFaults, ATransactionIsOneRevisionWithEachEventOnce) {
  const auto done = store->commit({.puts = {{"a", "1"}, {"b", "1"}, {"c", "1"}}});
  loop.run_ready();
  const std::string at = done->text();
  EXPECT_EQ(watched({done->number - 1}), at + "+a " + at + "+b " + at + "+c ");
}

// 18667: a transaction that could not be answered was applied all the same.
TEST_F(EtcdFaults, ARefusedTransactionLeavesNoTrace) {
  const Revision first = put("a");
  const Revision second = put("a");
  const auto refused =
      store->commit({.puts = {{"b", "1"}}, .deletes = {"a"}, .expects = {{"c", {}}, {"a", first}}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(store->revision(), second);
  EXPECT_EQ(store->get("b"), nullptr);
  store->compact(second);
  EXPECT_EQ(store->get_at("a", first).error().reason, Reason::expired);
  EXPECT_EQ(store->range({.at = first}).error().reason, Reason::expired);
}

// 20221: a watch of a revision to come got what lay before it.
TEST_F(EtcdFaults, NothingLaterThanThePresentCanBeWatched) {
  put("a");
  const auto handle = store->subscribe("", store->next_revision(), Store::Delivery::durable,
                                       [](const Event&) { FAIL(); });
  EXPECT_EQ(handle.error().reason, Reason::invalid);
}

// 20418: a process that had been paused answered after another had taken its place.
TEST(EtcdFaultsOnDisk, OnlyOneProcessHasTheStoreOpen) {
  std::string directory = "/tmp/keelson-lock-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  host::VirtualLoop loop;
  const auto files = host::make_linux_files();
  {
    const auto first = Store::open(loop, *files, {.directory = directory});
    ASSERT_TRUE(first.ok()) << first.error().message;
    const auto second = Store::open(loop, *files, {.directory = directory});
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().reason, Reason::conflict);
  }
  EXPECT_TRUE(Store::open(loop, *files, {.directory = directory}).ok());
  const auto names = files->list(directory);
  for (const std::string& name : *names) EXPECT_TRUE(files->remove(directory + "/" + name).ok());
  ::rmdir(directory.c_str());
}

}  // namespace
}  // namespace keelson::store
