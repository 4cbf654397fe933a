// The real disk, the real loop and a real kill -9: a child writes and says what is durable, is
// killed after a random number of acknowledgements, and everything it said must be there.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <functional>

#include "base/prng.h"
#include "host/linux/files.h"
#include "host/linux/loop.h"
#include "store/store.h"

namespace keelson::store {
namespace {

Options options_in(const std::string& directory) {
  return {.directory = directory, .segment_bytes = 1u << 18, .snapshot_log_bytes = 1u << 20};
}

// Never returns. Each commit puts two keys with the same bytes: half of one would show.
[[noreturn]] void write_until_killed(const std::string& directory, int pipe) {
  host::LinuxLoop loop;
  auto files = host::make_linux_files();
  auto opened = Store::open(loop, *files, options_in(directory));
  if (!opened.ok()) ::_exit(1);
  Store& store = **opened;
  std::function<void()> write = [&] {
    std::string bytes = store.next_revision().text() + std::string(2000, 'x');
    auto revision = store.commit({.puts = {{"a", bytes}, {"b", bytes}}});
    if (!revision.ok()) ::_exit(2);
    store.when_durable(*revision, [&, r = *revision] {
      if (::write(pipe, &r.number, sizeof r.number) != sizeof r.number) ::_exit(3);
      write();
    });
  };
  for (int i = 0; i < 4; ++i) loop.post(write);
  loop.run();
  ::_exit(4);
}

TEST(Kill, LosesNothingAcknowledged) {
  std::string directory = "/tmp/keelson-kill-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  Prng rng(1);
  std::int64_t acknowledged = 0;
  for (int round = 0; round < 12; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      write_until_killed(directory, ends[1]);
    }
    ::close(ends[1]);
    std::uint64_t wanted = 1 + rng.below(120);
    std::int64_t number = 0;
    for (std::uint64_t i = 0; i < wanted; ++i) {
      ASSERT_EQ(::read(ends[0], &number, sizeof number), static_cast<ssize_t>(sizeof number));
      acknowledged = std::max(acknowledged, number);
    }
    ::kill(child, SIGKILL);
    while (::read(ends[0], &number, sizeof number) == sizeof number)
      acknowledged = std::max(acknowledged, number);
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);

    host::LinuxLoop loop;
    auto files = host::make_linux_files();
    auto opened = Store::open(loop, *files, options_in(directory));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    Store& store = **opened;
    ASSERT_GE(store.revision().number, acknowledged);
    ASSERT_EQ(store.get("a")->bytes(), store.get("b")->bytes());
    ASSERT_TRUE(store.get("a")->bytes().starts_with(store.revision().text() + "x"));
  }
  auto files = host::make_linux_files();
  auto names = files->list(directory).value();
  for (const std::string& name : names) EXPECT_TRUE(files->remove(directory + "/" + name).ok());
  ::rmdir(directory.c_str());
}

}  // namespace
}  // namespace keelson::store
