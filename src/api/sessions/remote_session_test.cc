// WebSocket and SPDY framing, and a session of each protocol, over streams in memory.
#include "api/sessions/remote_session.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "api/http/spdy.h"
#include "api/http/test_stream.h"
#include "api/http/websocket.h"
#include "base/prng.h"
#include "base/text.h"

namespace keelson::api {
namespace {

// A client's frame: masked.
std::string client_frame(unsigned opcode, std::string_view data, bool last = true) {
  std::string out(1, static_cast<char>((last ? 0x80U : 0U) | opcode));
  if (data.size() < 126) {
    out += static_cast<char>(0x80U | data.size());
  } else {
    out += static_cast<char>(0x80U | 126U);
    out += static_cast<char>(data.size() >> 8);
    out += static_cast<char>(data.size());
  }
  const std::string mask = "\x01\x02\x03\x04";
  out += mask;
  for (std::size_t i = 0; i < data.size(); ++i) out += static_cast<char>(data[i] ^ mask[i % 4]);
  return out;
}

class WebSocketTest : public testing::Test {
 protected:
  WebSocketTest() {
    auto [near, far] = make_stream_pair();
    client_ = std::move(near);
    client_->start({.on_data = [this](std::string_view bytes) { seen_ += bytes; },
                    .on_end = [this] { ended_ = true; },
                    .on_drained = {}});
    socket_ = std::make_unique<WebSocket>(std::move(far));
    socket_->start(
        {.on_message = [this](std::string_view message, bool) { messages_.emplace_back(message); },
         .on_close = [this] { closed_ = true; },
         .on_drained = {}});
  }
  std::unique_ptr<host::Stream> client_;
  std::unique_ptr<WebSocket> socket_;
  std::vector<std::string> messages_;
  std::string seen_;
  bool ended_ = false, closed_ = false;
};

TEST_F(WebSocketTest, AnswersTheHandshakeAsTheStandardShows) {
  HttpRequest request;
  request.headers.add("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_EQ(websocket_answer(request, "x").fields()[2].second, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_F(WebSocketTest, JoinsFragmentsAndAnswersPings) {
  client_->write(client_frame(2, "hel", false));
  client_->write(client_frame(9, "p"));
  client_->write(client_frame(0, "lo"));
  const std::string big(1000, 'x');
  const std::string frame = client_frame(2, big);
  client_->write(frame.substr(0, 500));
  client_->write(frame.substr(500));
  EXPECT_EQ(messages_, (std::vector<std::string>{"hello", big}));
  EXPECT_EQ(seen_, "\x8a\x01p");
}

TEST_F(WebSocketTest, ClosesInBothDirections) {
  client_->write(client_frame(8, "\x03\xe8"));
  EXPECT_EQ(seen_, "\x88\x02\x03\xe8");
  EXPECT_TRUE(closed_);
  EXPECT_TRUE(ended_);
}

TEST_F(WebSocketTest, RefusesUnmaskedAndReservedFrames) {
  client_->write("\x82\x01x");
  EXPECT_TRUE(closed_);
  EXPECT_EQ(seen_.substr(0, 4), std::string("\x88\x11\x03\xea", 4));
}

TEST(WebSocket, SurvivesNoise) {
  Prng rng(5);
  for (int round = 0; round < 500; ++round) {
    auto [near, far] = make_stream_pair();
    near->start({});
    WebSocket socket(std::move(far));
    socket.start({});
    std::string noise = client_frame(2, "x");
    for (int i = 0; i < 100; ++i) noise += static_cast<char>(rng.below(i % 5 == 0 ? 4 : 256));
    near->write(noise);
  }
}

class FakeSession final : public cluster::Session {
 public:
  explicit FakeSession(std::string& log) : log_(log) {}
  ~FakeSession() override { log_ += "gone "; }
  void input(std::string_view bytes) override { log_ += "in:" + std::string(bytes) + " "; }
  void end_input() override { log_ += "eof "; }
  std::size_t input_buffered() const override { return 0; }
  void on_input_drained(std::function<void()>) override {}
  void resize(int columns, int rows) override {
    log_ += "size:" + std::to_string(columns) + "x" + std::to_string(rows) + " ";
  }

 private:
  std::string& log_;
};

TEST(Exec, SpeaksTheFifthChannelProtocol) {
  auto keeper = std::make_shared<SessionKeeper>();
  auto [near, far] = make_stream_pair();
  std::string seen, log;
  near->start(
      {.on_data = [&](std::string_view bytes) { seen += bytes; }, .on_end = {}, .on_drained = {}});
  cluster::ExecEvents events;
  cluster::ExecOptions options{.command = {"x"}, .stdin_ = true};
  run_exec_websocket(keeper, std::move(far), "v5.channel.k8s.io", options,
                     [&](cluster::ExecEvents e) {
                       events = std::move(e);
                       return std::make_shared<FakeSession>(log);
                     });
  near->write(client_frame(2, std::string("\0abc", 4)));
  near->write(client_frame(2, "\x04{\"Width\":90,\"Height\":30}"));
  near->write(client_frame(2, std::string("\xff\0", 2)));
  EXPECT_EQ(log, "in:abc size:90x30 eof ");
  seen.clear();
  events.out->write("hi");
  EXPECT_EQ(seen, "\x82\x03\x01hi");
  seen.clear();
  const auto on_exit = events.on_exit;
  on_exit(3);
  EXPECT_NE(seen.find("\"reason\":\"ExitCode\""), std::string::npos);
  EXPECT_TRUE(log.ends_with("gone "));
  EXPECT_EQ(keeper->size(), 0U);
  events.out->write("late");  // falls on nothing
}

TEST(Exec, EndsWhenTheClientLeaves) {
  auto keeper = std::make_shared<SessionKeeper>();
  auto [near, far] = make_stream_pair();
  near->start({});
  std::string log;
  run_exec_websocket(keeper, std::move(far), "", {},
                     [&](cluster::ExecEvents) { return std::make_shared<FakeSession>(log); });
  near.reset();
  EXPECT_EQ(log, "gone ");
  EXPECT_EQ(keeper->size(), 0U);
}

TEST(Exec, ChoosesTheNewestProtocolOffered) {
  EXPECT_EQ(choose_exec_protocol({"v4.channel.k8s.io", "v5.channel.k8s.io"}, true),
            "v5.channel.k8s.io");
  EXPECT_EQ(choose_exec_protocol({"v4.channel.k8s.io", "channel.k8s.io"}, false),
            "v4.channel.k8s.io");
  EXPECT_EQ(choose_exec_protocol({}, true), "");
  EXPECT_EQ(choose_exec_protocol({"v9"}, true), std::nullopt);
}

// The client's half of SPDY, as far as a test needs it. Its header blocks are compressed without
// the protocol's dictionary, which is allowed.
std::string be32(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}
class SpdyClient {
 public:
  SpdyClient() { deflateInit(&stream_, Z_BEST_SPEED); }
  ~SpdyClient() { deflateEnd(&stream_); }
  std::string open(std::uint32_t id, const SpdySession::StreamHeaders& headers,
                   unsigned flags = 0) {
    std::string block = be32(static_cast<std::uint32_t>(headers.size()));
    for (const auto& [name, value] : headers) {
      block += be32(static_cast<std::uint32_t>(name.size())) + name;
      block += be32(static_cast<std::uint32_t>(value.size())) + value;
    }
    std::string packed(1000, '\0');
    stream_.next_in = reinterpret_cast<Bytef*>(block.data());
    stream_.avail_in = static_cast<uInt>(block.size());
    stream_.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream_.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream_, Z_SYNC_FLUSH);
    packed.resize(packed.size() - stream_.avail_out);
    const std::string body = be32(id) + be32(0) + std::string(2, '\0') + packed;
    return be32(0x80030001) + be32(flags << 24 | static_cast<std::uint32_t>(body.size())) + body;
  }
  static std::string data(std::uint32_t id, std::string_view bytes, unsigned flags = 0) {
    return be32(id) + be32(flags << 24 | static_cast<std::uint32_t>(bytes.size())) +
           std::string(bytes);
  }

 private:
  z_stream stream_ = {};
};

TEST(PortForward, PairsStreamsAndCarriesBothWays) {
  auto keeper = std::make_shared<SessionKeeper>();
  auto [near, far] = make_stream_pair();
  std::string seen, log;
  near->start(
      {.on_data = [&](std::string_view bytes) { seen += bytes; }, .on_end = {}, .on_drained = {}});
  int port = 0;
  std::shared_ptr<cluster::Sink> out;
  std::function<void(Result<void>)> done;
  run_port_forward(
      keeper, std::move(far),
      [&](int p, std::shared_ptr<cluster::Sink> sink, std::function<void(Result<void>)> finished) {
        port = p;
        out = std::move(sink);
        done = std::move(finished);
        return std::make_shared<FakeSession>(log);
      });
  SpdyClient client;
  near->write(client.open(1, {{"streamType", "error"}, {"port", "80"}, {"requestID", "0"}}, 1));
  EXPECT_EQ(port, 0);
  near->write(client.open(3, {{"streamType", "data"}, {"port", "80"}, {"requestID", "0"}}));
  EXPECT_EQ(port, 80);
  near->write(SpdyClient::data(3, "ping"));
  near->write(SpdyClient::data(3, "", 1));
  EXPECT_EQ(log, "in:ping eof ");
  seen.clear();
  out->write("pong");
  EXPECT_EQ(seen, SpdyClient::data(3, "pong"));
  seen.clear();
  done(Error{Reason::internal_error, "refused"});
  EXPECT_EQ(seen, SpdyClient::data(1, "refused") + SpdyClient::data(3, "", 1) +
                      SpdyClient::data(1, "", 1));
  EXPECT_EQ(log, "in:ping eof gone ");
  near.reset();
  EXPECT_EQ(keeper->size(), 0U);
}

TEST(PortForward, CarriesSeveralPortsOverWebSocketChannels) {
  auto keeper = std::make_shared<SessionKeeper>();
  auto [near, far] = make_stream_pair();
  std::string seen, log;
  near->start(
      {.on_data = [&](std::string_view bytes) { seen += bytes; }, .on_end = {}, .on_drained = {}});
  std::vector<std::function<void(Result<void>)>> done;
  std::vector<std::shared_ptr<cluster::Sink>> outs;
  run_port_forward_channels(
      keeper, std::move(far), "v4.channel.k8s.io", {80, 8443},
      [&](int, std::shared_ptr<cluster::Sink> sink, std::function<void(Result<void>)> finished) {
        outs.push_back(std::move(sink));
        done.push_back(std::move(finished));
        return std::make_shared<FakeSession>(log);
      });
  const auto frame = [](std::string_view payload) {
    return "\x82" + std::string(1, static_cast<char>(payload.size())) + std::string(payload);
  };
  EXPECT_EQ(seen, frame({"\0\x50\0", 3}) + frame({"\1\x50\0", 3}) + frame("\2\xfb\x20") +
                      frame("\3\xfb\x20"));
  seen.clear();
  near->write(client_frame(2, "\2ping"));
  near->write(client_frame(2, "\1no one reads an error channel"));
  near->write(client_frame(2, "\7nor one that is not there"));
  EXPECT_EQ(log, "in:ping ");
  outs[1]->write("pong");
  EXPECT_EQ(seen, frame("\2pong"));
  seen.clear();
  done[0](Error{Reason::internal_error, "refused"});
  EXPECT_EQ(seen, frame("\1refused"));
  EXPECT_EQ(keeper->size(), 1U);
  done[1]({});
  EXPECT_EQ(keeper->size(), 0U);
}

TEST(PortForward, PortsOfTheQuery) {
  EXPECT_EQ(*parse_forwarded_ports({"80", "443,8080"}), (std::vector<int>{80, 443, 8080}));
  for (const char* wrong : {"", "0", "65536", "-1", "http", "80,"})
    EXPECT_FALSE(parse_forwarded_ports({wrong}).ok()) << wrong;
  EXPECT_FALSE(parse_forwarded_ports({}).ok());
}

TEST(Spdy, SurvivesNoise) {
  Prng rng(9);
  for (int round = 0; round < 500; ++round) {
    auto [near, far] = make_stream_pair();
    near->start({});
    SpdySession session(std::move(far));
    session.start({.on_stream = [&](std::uint32_t id,
                                    const SpdySession::StreamHeaders&) { session.accept(id); },
                   .on_data = {},
                   .on_end = {},
                   .on_close = {},
                   .on_drained = {}});
    SpdyClient client;
    std::string noise = client.open(1, {{"a", "b"}});
    for (int i = 0; i < 4; ++i) noise[rng.below(noise.size())] = static_cast<char>(rng.below(256));
    near->write(noise);
    near->write(SpdyClient::data(1, "x", 1) +
                be32(0x80030000U | static_cast<std::uint32_t>(rng.below(12))) + be32(4) + be32(1));
  }
}

}  // namespace
}  // namespace keelson::api
