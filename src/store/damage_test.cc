// Damage on the disk: whatever byte changes, opening either refuses, naming the file and the place,
// or finds everything; what was acknowledged never goes missing in silence.
#include <gtest/gtest.h>

#include <map>

#include "host/virtual_files.h"
#include "host/virtual_loop.h"
#include "store/format.h"
#include "store/store.h"

namespace keelson::store {
namespace {

using State = std::map<std::string, std::string>;

class Damage : public testing::Test {
 protected:
  host::VirtualLoop loop;
  std::unique_ptr<host::VirtualFiles> files = std::make_unique<host::VirtualFiles>();
  Options options{.directory = "data", .restart_events_max = 0, .segment_bytes = 1u << 14};
  std::unique_ptr<Store> store;

  Result<void> open() {
    store.reset();
    TRY(store, Store::open(loop, *files, options));
    return {};
  }
  void fill(int n) {
    for (int i = 0; i < n; ++i) {
      ASSERT_TRUE(store->commit({{{"k/" + std::to_string(i % 9), std::string(290, 'v')}}}).ok());
      loop.run_ready();
    }
  }
  // The process ends without a word to the log.
  void kill() {
    Prng rng(1);
    files->crash(rng);
    store.reset();
    loop.run_ready();
  }
  State state() const {
    State out;
    store->each("", [&](const EntryPtr& e) { out[std::string(e->key())] = e->bytes(); });
    return out;
  }
  std::map<std::string, std::string> disk() const {
    std::map<std::string, std::string> out;
    const auto names = files->list("data");
    for (const std::string& name : *names) out["data/" + name] = files->content("data/" + name);
    return out;
  }
  void restore(const std::map<std::string, std::string>& contents) {
    store.reset();
    files = std::make_unique<host::VirtualFiles>();
    for (const auto& [path, content] : contents) {
      const auto file = files->open(path, true);
      ASSERT_TRUE(file.ok() && (*file)->append(content).ok() && (*file)->sync().ok());
    }
    ASSERT_TRUE(files->sync_directory("data").ok());
  }
  std::string last_batch() {
    const std::string name = "data/" + segment_name(1), content = files->content(name);
    std::size_t at = content.rfind("KREC");
    if (const auto record = decode_record(std::string_view(content).substr(at));
        record && record->operations.empty())
      at = content.rfind("KREC", at - 1);
    files->damage(name, at + 60, "#");
    return name + " is damaged at offset " + std::to_string(at);
  }
};

TEST_F(Damage, ALostLastBatchIsToldOnceTheLogHasBeenAtRest) {
  ASSERT_TRUE(open().ok());
  fill(5);
  loop.run_for(Duration::seconds(3));
  EXPECT_EQ(store->statistics().syncs, 5u);  // marks are not counted
  kill();
  const std::string place = last_batch();
  const auto opened = open();
  ASSERT_FALSE(opened.ok());
  EXPECT_TRUE(opened.error().message.starts_with(place + ": revision 6 was acknowledged"))
      << opened.error().message;
}

TEST_F(Damage, ALostLastBatchIsToldAfterTheStoreWasClosed) {
  ASSERT_TRUE(open().ok());
  fill(5);
  store.reset();
  const std::string place = last_batch();
  const auto opened = open();
  ASSERT_FALSE(opened.ok());
  EXPECT_TRUE(opened.error().message.starts_with(place)) << opened.error().message;
}

TEST_F(Damage, AMarkIsNoCommitAndComesOncePerRest) {
  ASSERT_TRUE(open().ok());
  fill(2);
  loop.run_for(Duration::seconds(30));
  const std::string content = files->content("data/" + segment_name(1));
  std::size_t records = 0;
  for (std::size_t at = content.find("KREC"); at != std::string::npos;
       at = content.find("KREC", at + 1))
    ++records;
  EXPECT_EQ(records, 3u);
  const Revision last = store->revision();
  fill(1);
  ASSERT_TRUE(open().ok());
  EXPECT_EQ(store->revision(), last.next());
  EXPECT_EQ(store->statistics().torn, "");
  loop.run_for(Duration::seconds(3));  // a log that nobody wrote to gets no mark, nor a segment
  EXPECT_EQ(files->list("data")->size(), 2u);
}

TEST_F(Damage, EveryFlippedBitIsToldWithItsPlaceOrDoesNoHarm) {
  ASSERT_TRUE(open().ok());
  fill(60);
  store->snapshot({});
  loop.run_ready();
  fill(110);
  const Revision revision = store->revision();
  const State whole = state();
  store.reset();
  const auto contents = disk();
  ASSERT_GE(contents.size(), 5u);  // three segments, the snapshot, `newest`
  Prng rng(7);
  int refused = 0, harmless = 0;
  for (const auto& [path, content] : contents) {
    for (std::size_t at = 0; at < content.size(); at += at < 300 ? 1 : 1 + rng.below(200)) {
      restore(contents);
      const char flipped = static_cast<char>(content[at] ^ (1 << rng.below(8)));
      files->damage(path, at, std::string_view(&flipped, 1));
      if (const auto opened = open(); !opened.ok()) {
        const std::string& said = opened.error().message;
        // Of `newest` only the segment is known that it names by mistake.
        const bool told = said.starts_with(path + " is damaged at offset ") ||
                          (path.ends_with("newest") && said.find("is missing") < said.size());
        ASSERT_TRUE(told) << path << " at " << at << ": " << said;
        ++refused;
        continue;
      }
      ASSERT_EQ(store->revision(), revision) << path << " at " << at;
      ASSERT_EQ(state(), whole) << path << " at " << at;
      ++harmless;
    }
  }
  EXPECT_GT(refused, 500);
  EXPECT_GT(harmless, 10);  // zeros behind the end, the mark itself
}

TEST_F(Damage, AFileThatWasCutIsTold) {
  ASSERT_TRUE(open().ok());
  fill(60);
  store->snapshot({});
  loop.run_ready();
  fill(110);
  store.reset();
  const auto contents = disk();
  Prng rng(3);
  for (const auto& [path, content] : contents) {
    if (path.ends_with("newest") || path.find("spare-") != std::string::npos) continue;
    for (int round = 0; round < 40; ++round) {
      auto cut = contents;
      cut[path].resize(rng.below(content.size()));
      restore(cut);
      const auto opened = open();
      ASSERT_FALSE(opened.ok()) << path << " with " << cut[path].size();
      ASSERT_TRUE(opened.error().message.starts_with(path)) << opened.error().message;
    }
  }
}

TEST_F(Damage, ANearlyFullDiskGivesTheLogLessRoomAndLosesNothing) {
  options.segment_bytes = 1u << 16;
  files->set_capacity(20'000);
  ASSERT_TRUE(open().ok());
  fill(10);
  EXPECT_FALSE(store->failing()) << "a whole segment was wanted";
  Revision told{};
  int refused = 0;
  for (int i = 0; i < 100; ++i) {
    const auto done = store->commit({{{"n/" + std::to_string(i), std::string(290, 'v')}}});
    if (done.ok())
      store->when_durable(*done, [&told, r = *done] { told = r; });
    else
      ++refused;
    loop.run_ready();
  }
  EXPECT_TRUE(store->failing());
  EXPECT_GT(refused, 20);
  EXPECT_GT(told.number, 20);
  EXPECT_EQ(store->get("k/3")->bytes().size(), 290u);
  files->set_capacity(1u << 20);
  loop.run_for(Duration::seconds(3));
  EXPECT_FALSE(store->failing());
  EXPECT_EQ(store->durable(), store->revision());
  const State before = state();
  kill();
  ASSERT_TRUE(open().ok());
  EXPECT_EQ(state(), before);
}

}  // namespace
}  // namespace keelson::store
