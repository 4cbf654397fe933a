// Sockets over loopback, a unix socket and, with the privilege, another network namespace.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "host/linux/linux_host.h"

namespace keelson::host {
namespace {

class SocketsTest : public testing::Test {
 protected:
  std::unique_ptr<Listener> listen(const std::string& ns = {}) {
    auto listener = sockets_->listen(
        "127.0.0.1", 0, [this](std::unique_ptr<Stream> stream) { on_accept_(std::move(stream)); },
        ns);
    KEELSON_CHECK(listener.ok());
    return std::move(listener).value();
  }
  LinuxLoop loop_;
  std::unique_ptr<Sockets> sockets_ = make_linux_sockets(loop_);
  std::function<void(std::unique_ptr<Stream>)> on_accept_;
  std::unique_ptr<Stream> server_, client_;
};

TEST_F(SocketsTest, CarriesMoreThanBuffersHoldAndKeepsHalfClosedStreams) {
  const std::string text(20'000'000, 'x');
  std::size_t arrived = 0;
  std::string answer;
  bool drained = false;
  on_accept_ = [&](std::unique_ptr<Stream> stream) {
    server_ = std::move(stream);
    server_->start({.on_data = [&](std::string_view bytes) { arrived += bytes.size(); },
                    .on_end =
                        [&] {
                          server_->write("got " + std::to_string(arrived));
                          server_->shutdown_write();
                        },
                    .on_drained = {}});
  };
  const auto listener = listen();
  sockets_->connect("127.0.0.1", listener->port(), [&](Result<std::unique_ptr<Stream>> stream) {
    ASSERT_TRUE(stream.ok());
    client_ = std::move(stream).value();
    client_->start({.on_data = [&](std::string_view bytes) { answer += bytes; },
                    .on_end = [&] { loop_.stop(); },
                    .on_drained = [&] { drained = true; }});
    client_->write(text);
    EXPECT_GT(client_->buffered(), 0U);
    client_->shutdown_write();
  });
  loop_.run();
  EXPECT_EQ(answer, "got 20000000");
  EXPECT_TRUE(drained);
}

TEST_F(SocketsTest, PausedStreamHoldsBytesUntilResumedEvenAfterThePeerIsGone) {
  std::string seen;
  std::shared_ptr<void> timer;
  on_accept_ = [&](std::unique_ptr<Stream> stream) {
    server_ = std::move(stream);
    server_->pause(true);
    server_->start({.on_data = [&](std::string_view bytes) { seen += bytes; },
                    .on_end = [&] { loop_.stop(); },
                    .on_drained = {}});
    timer = loop_.call_at(loop_.now() + Duration::milliseconds(20), [&] {
      EXPECT_EQ(seen, "");
      server_->pause(false);
    });
  };
  const auto listener = listen();
  sockets_->connect("127.0.0.1", listener->port(), [&](Result<std::unique_ptr<Stream>> stream) {
    stream.value()->write("late");  // and closed at once
  });
  loop_.run();
  EXPECT_EQ(seen, "late");
}

TEST_F(SocketsTest, StreamMayBeDroppedInItsOwnEvents) {
  on_accept_ = [&](std::unique_ptr<Stream> stream) {
    server_ = std::move(stream);
    server_->start({.on_data =
                        [&](std::string_view) {
                          server_.reset();
                          loop_.stop();
                        },
                    .on_end = {},
                    .on_drained = {}});
  };
  const auto listener = listen();
  sockets_->connect("localhost", listener->port(), [&](Result<std::unique_ptr<Stream>> stream) {
    ASSERT_TRUE(stream.ok());
    client_ = std::move(stream).value();
    client_->write("x");
  });
  loop_.run();
}

TEST_F(SocketsTest, SaysWhyItCouldNotConnect) {
  std::string message;
  int port = 0;
  { port = listen()->port(); }
  sockets_->connect("127.0.0.1", port, [&](Result<std::unique_ptr<Stream>> stream) {
    message = stream.error().message;
    loop_.stop();
  });
  loop_.run();
  EXPECT_EQ(message, "dial tcp 127.0.0.1:" + std::to_string(port) + ": connection refused");
}

TEST_F(SocketsTest, UnixSocket) {
  const std::string path = testing::TempDir() + "/keelson-sockets-test.sock";
  std::string seen;
  const auto listener = sockets_->listen_unix(path, [&](std::unique_ptr<Stream> stream) {
    server_ = std::move(stream);
    server_->start({.on_data = [&](std::string_view bytes) { seen += bytes; },
                    .on_end = [&] { loop_.stop(); },
                    .on_drained = {}});
  });
  ASSERT_TRUE(listener.ok());
  sockets_->connect("unix:" + path, 0, [&](Result<std::unique_ptr<Stream>> stream) {
    ASSERT_TRUE(stream.ok());
    stream.value()->write("hello");
  });
  loop_.run();
  EXPECT_EQ(seen, "hello");
}

TEST_F(SocketsTest, ListensAndConnectsInAnotherNetworkNamespace) {
  // A thread of its own holds the namespace; its loopback is brought up by the shell's ip.
  int ready = 0;
  std::string path;
  std::thread holder([&] {
    ready = ::unshare(CLONE_NEWNET) == 0 ? 1 : -1;
    if (ready == 1) path = "/proc/self/task/" + std::to_string(::gettid()) + "/ns/net";
    const int fd = ready == 1 ? ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC) : -1;
    path = "/proc/self/fd/" + std::to_string(fd);
  });
  holder.join();
  if (ready != 1) GTEST_SKIP() << "no privilege to make a network namespace";
  auto processes = make_linux_processes(loop_);
  bool up = false;
  processes->run({.argv = {"ip", "link", "set", "lo", "up"}, .network_namespace = path}, "",
                 [&](Result<Processes::Output> output) {
                   up = output.ok() && output->status.code == 0;
                   loop_.stop();
                 });
  loop_.run();
  if (!up) GTEST_SKIP() << "no ip program";
  LinuxLoop loop;
  auto sockets = make_linux_sockets(loop);
  std::unique_ptr<Stream> server;
  bool refused = false, met = false;
  const auto listener = sockets->listen(
      "127.0.0.1", 0,
      [&](std::unique_ptr<Stream> stream) {
        server = std::move(stream);
        met = true;
        loop.stop();
      },
      path);
  ASSERT_TRUE(listener.ok());
  const int port = listener.value()->port();
  sockets->connect("127.0.0.1", port, [&](Result<std::unique_ptr<Stream>> stream) {
    refused = !stream.ok();
    sockets->connect(
        "127.0.0.1", port, [](Result<std::unique_ptr<Stream>>) {}, path);
  });
  loop.run();
  EXPECT_TRUE(refused);
  EXPECT_TRUE(met);
}

}  // namespace
}  // namespace keelson::host
