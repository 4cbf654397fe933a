// Real programs of every Debian: sh, cat, sleep.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "host/linux/linux_host.h"

namespace keelson::host {
namespace {

class ProcessesTest : public testing::Test {
 protected:
  Result<Processes::Output> run(SpawnOptions options, std::string input = {}) {
    std::optional<Result<Processes::Output>> result;
    processes_->run(options, std::move(input), [&](Result<Processes::Output> output) {
      result.emplace(std::move(output));
      loop_.stop();
    });
    loop_.run();
    return std::move(*result);
  }
  LinuxLoop loop_;
  std::unique_ptr<Processes> processes_ = make_linux_processes(loop_);
};

TEST_F(ProcessesTest, CollectsBothOutputsAndTheCode) {
  const auto output = run({.argv = {"sh", "-c", "cat; echo $WORD >&2; pwd; exit 3"},
                           .environment = {"WORD=lost"},
                           .directory = "/usr"},
                          "in\n");
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output->out, "in\n/usr\n");
  EXPECT_EQ(output->err, "lost\n");
  EXPECT_EQ(output->status.code, 3);
  EXPECT_EQ(output->status.signal, 0);
}

TEST_F(ProcessesTest, FeedsAndDrainsMoreThanAPipeHolds) {
  const std::string text(700'000, 'x');
  const auto output = run({.argv = {"cat"}}, text);
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output->out, text);
}

TEST_F(ProcessesTest, DoesNotWaitForWhoeverKeepsThePipe) {
  const auto output = run({.argv = {"sh", "-c", "sleep 30 & echo $!"}});
  ASSERT_TRUE(output.ok());
  ::kill(std::stoi(output->out), SIGKILL);
}

TEST_F(ProcessesTest, SaysWhyAProgramDidNotStart) {
  const auto missing = run({.argv = {"no-such-program-of-ours"}});
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().message, "exec no-such-program-of-ours: no such file or directory");
  const auto nowhere = run({.argv = {"true"}, .directory = "/no/such"});
  ASSERT_FALSE(nowhere.ok());
  EXPECT_EQ(nowhere.error().message, "chdir true: no such file or directory");
}

TEST_F(ProcessesTest, ReportsTheSignalThatEndedIt) {
  std::optional<ExitStatus> status;
  const auto pid = processes_->spawn({.argv = {"sleep", "60"}}, [&](ExitStatus s) {
    status = s;
    loop_.stop();
  });
  ASSERT_TRUE(pid.ok());
  bool seen = false;
  const auto watch = processes_->watch_exit(*pid, [&] { seen = true; });
  ASSERT_TRUE(watch.ok());
  EXPECT_TRUE(processes_->signal(*pid, SIGTERM).ok());
  loop_.run();
  EXPECT_EQ(status->signal, SIGTERM);
  EXPECT_EQ(status->code, 143);
}

TEST_F(ProcessesTest, PlacesDescriptorsWhereverTheyAre) {
  std::array<int, 2> a{}, b{};
  ASSERT_EQ(::pipe2(a.data(), O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(b.data(), O_CLOEXEC), 0);
  // Crosswise: each wants the other's number.
  SpawnOptions options{
      .argv = {"sh", "-c", "echo one >/proc/self/fd/$A; echo two >/proc/self/fd/$B"},
      .environment = {"A=" + std::to_string(b[1]), "B=" + std::to_string(a[1]),
                      "PATH=/usr/bin:/bin"}};
  options.extra_fds = {{b[1], a[1]}, {a[1], b[1]}};
  ASSERT_TRUE(processes_->spawn(options, [&](ExitStatus) { loop_.stop(); }).ok());
  loop_.run();
  std::array<char, 16> text{};
  EXPECT_EQ(::read(a[0], text.data(), text.size()), 4);
  EXPECT_EQ(std::string(text.data(), 4), "one\n");
  EXPECT_EQ(::read(b[0], text.data(), text.size()), 4);
  EXPECT_EQ(std::string(text.data(), 4), "two\n");
  for (const int fd : {a[0], a[1], b[0], b[1]}) ::close(fd);
}

TEST_F(ProcessesTest, GivesAControllingTerminal) {
  const auto terminal = open_terminal(91, 33);
  ASSERT_TRUE(terminal.ok());
  const int slave = terminal->slave;
  ASSERT_TRUE(processes_
                  ->spawn({.argv = {"sh", "-c", "stty size </dev/tty"},
                           .stdin_fd = slave,
                           .stdout_fd = slave,
                           .stderr_fd = slave,
                           .terminal = true},
                          [&](ExitStatus status) {
                            EXPECT_EQ(status.code, 0);
                            loop_.stop();
                          })
                  .ok());
  loop_.run();
  std::array<char, 64> text{};
  const ssize_t n = ::read(terminal->master, text.data(), text.size());
  ASSERT_GT(n, 0);
  EXPECT_EQ(std::string(text.data(), static_cast<std::size_t>(n)), "33 91\r\n");
  ::close(terminal->master);
  ::close(slave);
}

TEST_F(ProcessesTest, SignalsReachTheLoop) {
  int seen = 0;
  const auto handle = watch_signals(loop_, {SIGUSR1}, [&](int number) {
    seen = number;
    loop_.stop();
  });
  loop_.post([] { ::kill(::getpid(), SIGUSR1); });
  loop_.run();
  EXPECT_EQ(seen, SIGUSR1);
}

TEST(Entropy, Differs) {
  EXPECT_EQ(system_entropy(300).size(), 300U);
  EXPECT_NE(system_seed(), system_seed());
}

}  // namespace
}  // namespace keelson::host
