// What the virtual loop and the virtual disk promise to every test that stands on them.
#include <gtest/gtest.h>
#include <unistd.h>

#include "host/linux/files.h"
#include "host/virtual_files.h"
#include "host/virtual_loop.h"

namespace keelson::host {
namespace {

TEST(VirtualLoop, RunsInOrderOfTimeAndOfAsking) {
  VirtualLoop loop;
  std::string trace;
  auto late = loop.call_at(loop.now() + Duration::seconds(2), [&] { trace += "late "; });
  auto dropped = loop.call_at(loop.now() + Duration::seconds(1), [&] { trace += "never "; });
  auto early = loop.call_at(loop.now() + Duration::seconds(1), [&] {
    loop.post([&] { trace += "posted "; });
    trace += "early ";
  });
  loop.offload([&] { trace += "work "; }, [&] { trace += "done "; });
  dropped.reset();
  Instant start = loop.now();
  loop.run();
  EXPECT_EQ(trace, "work done early posted late ");
  EXPECT_EQ(loop.now() - start, Duration::seconds(2));
  EXPECT_TRUE(loop.idle());
}

TEST(VirtualLoop, RunsUntilATimeOnly) {
  VirtualLoop loop;
  int calls = 0;
  auto a = loop.call_at(loop.now() + Duration::seconds(5), [&] { ++calls; });
  auto b = loop.call_at(loop.now() + Duration::seconds(6), [&] { ++calls; });
  loop.run_for(Duration::seconds(5));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(loop.next() - loop.now(), Duration::seconds(1));
}

TEST(VirtualFiles, KeepsWhatWasSyncedAndOnlyThatForSure) {
  bool lost_some = false, kept_some = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    VirtualFiles files;
    Prng rng(seed);
    auto file = files.open("d/a", true).value();
    ASSERT_TRUE(file->append("synced").ok());
    ASSERT_TRUE(file->sync().ok());
    ASSERT_TRUE(files.sync_directory("d").ok());
    ASSERT_TRUE(file->append(std::string(2000, 'x')).ok());
    files.crash(rng);
    EXPECT_FALSE(file->append("more").ok());
    ASSERT_TRUE(files.exists("d/a"));
    std::string content = files.content("d/a");
    EXPECT_EQ(content.substr(0, 6), "synced");
    if (content == "synced" + std::string(2000, 'x'))
      kept_some = true;
    else
      lost_some = true;
  }
  EXPECT_TRUE(lost_some);
  EXPECT_TRUE(kept_some);
}

TEST(VirtualFiles, LosesNamesWithoutASyncOfTheDirectory) {
  int there = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    VirtualFiles files;
    Prng rng(seed);
    auto file = files.open("d/a", true).value();
    ASSERT_TRUE(file->sync().ok());
    files.crash(rng);
    if (files.exists("d/a")) ++there;
  }
  EXPECT_GT(there, 5);
  EXPECT_LT(there, 45);
}

// Both kinds of Files answer alike.
void exercise(Files& files, const std::string& directory) {
  ASSERT_TRUE(files.make_directories(directory + "/sub").ok());
  EXPECT_EQ(files.open(directory + "/sub/a", false).error().reason, Reason::not_found);
  {
    auto file = files.open(directory + "/sub/a", true).value();
    ASSERT_TRUE(file->reserve(100).ok());
    ASSERT_TRUE(file->append("hello").ok());
    ASSERT_TRUE(file->append(" world").ok());
    ASSERT_TRUE(file->sync().ok());
    EXPECT_EQ(file->size(), 100u);
    EXPECT_EQ(*file->read(0, 11), "hello world");
    EXPECT_EQ((*file->read(90, 100)), std::string(10, '\0'));
    EXPECT_EQ(*file->read(100, 1), "");
    ASSERT_TRUE(file->truncate(11).ok());
    ASSERT_TRUE(file->append("!").ok());
  }
  auto again = files.open(directory + "/sub/a", false).value();
  ASSERT_TRUE(again->append("?").ok());
  EXPECT_EQ(*again->read(0, 100), "hello world!?");
  ASSERT_TRUE(files.rename(directory + "/sub/a", directory + "/sub/b").ok());
  ASSERT_TRUE(files.sync_directory(directory + "/sub").ok());
  EXPECT_EQ(*files.list(directory + "/sub"), std::vector<std::string>{"b"});
  ASSERT_TRUE(files.remove(directory + "/sub/b").ok());
  EXPECT_FALSE(files.exists(directory + "/sub/b"));
  EXPECT_EQ(files.remove(directory + "/sub/b").error().reason, Reason::not_found);
}

TEST(Files, VirtualOnes) {
  VirtualFiles files;
  exercise(files, "d");
}

TEST(Files, LinuxOnes) {
  std::string pattern = "/tmp/keelson-files-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  auto files = make_linux_files();
  exercise(*files, pattern);
  {
    auto held = files->lock(pattern + "/lock");
    ASSERT_TRUE(held.ok());
    EXPECT_EQ(files->lock(pattern + "/lock").error().reason, Reason::conflict);
  }
  EXPECT_TRUE(files->lock(pattern + "/lock").ok());
  ASSERT_TRUE(files->remove(pattern + "/lock").ok());
  ::rmdir((pattern + "/sub").c_str());
  ::rmdir(pattern.c_str());
}

}  // namespace
}  // namespace keelson::host
