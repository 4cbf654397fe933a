// HTTP over streams in memory: parsing in pieces of every size, keep-alive, chunked and pulled
// bodies, cancellation, upgrade, and HTTP/2 against nghttp2's own client.
#include "api/http/http.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <cstring>
#include <optional>

#include "api/http/http1_parser.h"
#include "api/http/http_connection.h"
#include "api/http/http_server.h"
#include "api/http/test_stream.h"
#include "base/prng.h"
#include "host/linux/linux_host.h"
#include "host/linux/loop.h"

namespace keelson::api {
namespace {

std::string describe(Http1Parser& parser) {
  if (parser.state() == Http1Parser::State::failed)
    return "failed " + std::to_string(parser.error_code());
  if (parser.state() != Http1Parser::State::complete) return "incomplete";
  const HttpRequest& r = parser.request();
  std::string text = r.method + " " + r.path + "?" + r.query;
  for (const auto& [name, value] : r.headers.fields()) text += " " + name + "=" + value;
  return text + " [" + r.body + "]" + (parser.keep_alive() ? " keep" : " close");
}

std::string parse(std::string_view text, const HttpLimits& limits = {}) {
  Http1Parser parser(limits);
  parser.feed(text);
  return describe(parser);
}

TEST(Http1Parser, ReadsRequests) {
  EXPECT_EQ(parse("GET /a%20b?x=1 HTTP/1.1\r\nHost: h\r\nAccept:  x/y \r\n\r\n"),
            "GET /a%20b?x=1 host=h accept=x/y [] keep");
  EXPECT_EQ(parse("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcd"),
            "PUT /? host=h content-length=3 [abc] keep");
  EXPECT_EQ(parse("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3;x=y\r\nabc\r\n00a\r\n0123456789\r\n0\r\nT: v\r\n\r\n"),
            "POST /? host=h transfer-encoding=chunked [abc0123456789] keep");
  EXPECT_EQ(parse("GET http://h/p HTTP/1.0\r\n\r\n"), "GET /p? [] close");
  EXPECT_EQ(parse("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n"),
            "GET /? host=h connection=x, Close [] close");
}

TEST(Http1Parser, RefusesWhatTwoParsersCouldReadDifferently) {
  EXPECT_EQ(parse("GET / HTTP/1.1\r\n\r\n"), "failed 400");  // no Host
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), "failed 400");
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), "failed 400");
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"), "failed 400");
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"), "failed 400");
  EXPECT_EQ(parse("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), "failed 400");
  EXPECT_EQ(parse("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), "failed 505");
  EXPECT_EQ(parse("GET x HTTP/1.1\r\nHost: a\r\n\r\n"), "failed 400");
  const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(parse(post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), "failed 400");
  EXPECT_EQ(parse(post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), "failed 400");
  EXPECT_EQ(parse(post + "Content-Length: +1\r\n\r\n"), "failed 400");
  EXPECT_EQ(parse(post + "Transfer-Encoding: gzip, chunked\r\n\r\n"), "failed 501");
  EXPECT_EQ(parse(post + "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n"), "failed 400");
  EXPECT_EQ(parse(post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n"), "failed 400");
  EXPECT_EQ(parse(post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n"), "failed 400");
  EXPECT_EQ(parse(post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"), "failed 400");
  EXPECT_EQ(parse(post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"), "failed 400");
}

TEST(Http1Parser, BoundsHeadAndBody) {
  HttpLimits limits;
  limits.head_bytes_max = 100;
  limits.body_bytes_max = 5;
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: " + std::string(200, 'a'), limits), "failed 431");
  for (const std::string text : {"Content-Length: 6\r\n\r\nabcdef",
                                 "Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n"}) {
    Http1Parser parser(limits);
    parser.feed("POST / HTTP/1.1\r\nHost: a\r\n" + text);
    ASSERT_EQ(parser.state(), Http1Parser::State::complete);
    EXPECT_TRUE(parser.request().body_too_large);
    EXPECT_FALSE(parser.keep_alive());
  }
}

TEST(Http1Parser, GivesTheSameForAnyCutAndSurvivesNoise) {
  const std::string text =
      "POST /x?y HTTP/1.1\r\nHost: h\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n";
  Prng rng(1);
  for (int round = 0; round < 2000; ++round) {
    std::string input = text;
    const bool noisy = round % 2 == 1;
    if (noisy) {
      for (int i = 0; i < 3; ++i)
        input[rng.below(input.size())] = static_cast<char>(rng.below(256));
    }
    std::string whole, pieces;
    for (std::string* out : {&whole, &pieces}) {
      const HttpLimits limits;
      Http1Parser parser(limits);
      std::string_view rest = input;
      while (!rest.empty() && parser.state() != Http1Parser::State::failed) {
        const std::size_t n = out == &whole ? rest.size() : 1 + rng.below(rest.size());
        std::string_view piece = rest.substr(0, n);
        rest.remove_prefix(n);
        while (!piece.empty() && parser.state() != Http1Parser::State::failed) {
          piece.remove_prefix(parser.feed(piece));
          if (parser.state() != Http1Parser::State::complete) continue;
          *out += describe(parser) + "\n";
          parser.next();
        }
      }
      *out += describe(parser);
    }
    EXPECT_EQ(whole, pieces) << input;
  }
}

class CountingBody final : public Body {
 public:
  CountingBody(int pieces, bool& ended) : left_(pieces), ended_(ended) {}
  ~CountingBody() override { ended_ = true; }
  State read(std::string& out, std::size_t) override {
    if (paused) return State::waiting;
    out += "piece" + std::to_string(left_);
    return --left_ == 0 ? State::finished : State::more;
  }
  void resume() {
    paused = false;
    wake();
  }
  bool paused = false;

 private:
  int left_;
  bool& ended_;
};

class ConnectionTest : public testing::Test {
 protected:
  ConnectionContext context() {
    return {loop_, limits_, handler_, nullptr, [this] { closed_ = true; }};
  }
  void open() {
    auto [near, far] = make_stream_pair();
    server_ = make_http1_connection(context(), std::move(far));
    client_ = std::move(near);
    client_->start({.on_data = [this](std::string_view bytes) { seen_ += bytes; },
                    .on_end = [this] { ended_ = true; },
                    .on_drained = {}});
  }
  void turn() {
    // Enough rounds for what posts to itself a few times.
    loop_.post([this] {
      loop_.post([this] { loop_.post([this] { loop_.post([this] { loop_.stop(); }); }); });
    });
    loop_.run();
  }

  host::LinuxLoop loop_;
  HttpLimits limits_;
  std::shared_ptr<Responder> responder_;
  std::vector<std::string> asked_;
  Handler handler_ = [this](HttpRequest request, std::shared_ptr<Responder> responder) {
    asked_.push_back(request.method + " " + request.path + " " + request.body);
    responder_ = std::move(responder);
  };
  std::shared_ptr<Connection> server_;
  std::unique_ptr<host::Stream> client_;
  std::string seen_;
  bool ended_ = false, closed_ = false;
};

TEST_F(ConnectionTest, AnswersPipelinedRequestsInOrderAndKeepsAlive) {
  open();
  client_->write("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(asked_.size(), 1U);
  responder_->respond({200, {{"content-type", "text/plain"}}, "one"});
  EXPECT_EQ(seen_, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\none");
  ASSERT_EQ(asked_.size(), 2U);
  seen_.clear();
  responder_->respond({404, {}, ""});
  EXPECT_EQ(seen_, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  EXPECT_FALSE(ended_);
}

TEST_F(ConnectionTest, PullsABodyAndWaitsForIt) {
  open();
  client_->write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  bool gone = false;
  auto body = std::make_unique<CountingBody>(2, gone);
  CountingBody* counting = body.get();
  counting->paused = true;
  responder_->respond({200, {}, "", std::move(body)});
  EXPECT_EQ(seen_, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  seen_.clear();
  counting->resume();
  EXPECT_EQ(seen_, "00000006\r\npiece2\r\n00000006\r\npiece1\r\n0\r\n\r\n");
  EXPECT_TRUE(gone);
}

TEST_F(ConnectionTest, EndsTheBodyWhenTheClientLeaves) {
  open();
  client_->write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  bool gone = false;
  auto body = std::make_unique<CountingBody>(9, gone);
  body->paused = true;
  responder_->respond({200, {}, "", std::move(body)});
  client_.reset();
  EXPECT_TRUE(gone);
  turn();
  EXPECT_TRUE(closed_);
}

TEST_F(ConnectionTest, TellsTheHandlerThatTheClientLeft) {
  open();
  client_->write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  bool cancelled = false;
  responder_->on_cancel([&] { cancelled = true; });
  client_.reset();
  EXPECT_TRUE(cancelled);
  responder_->respond({200, {}, "late"});
  turn();
  EXPECT_TRUE(closed_);
}

TEST_F(ConnectionTest, AsksForTheBodyAndClosesWhenTold) {
  open();
  client_->write(
      "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nConnection: close\r\n"
      "Content-Length: 2\r\n\r\n");
  EXPECT_EQ(seen_, "HTTP/1.1 100 Continue\r\n\r\n");
  seen_.clear();
  client_->write("ab");
  EXPECT_EQ(asked_, (std::vector<std::string>{"POST / ab"}));
  responder_->respond({200, {}, "x"});
  EXPECT_EQ(seen_, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx");
  EXPECT_TRUE(ended_);
}

TEST_F(ConnectionTest, AnswersForAHandlerThatForgot) {
  open();
  client_->write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  responder_.reset();
  EXPECT_TRUE(seen_.starts_with("HTTP/1.1 500 "));
}

TEST_F(ConnectionTest, RefusesMalformedRequestsAndCloses) {
  open();
  client_->write("BROKEN\r\n\r\n");
  EXPECT_TRUE(seen_.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_TRUE(ended_);
  EXPECT_TRUE(asked_.empty());
}

TEST_F(ConnectionTest, UpgradesWithBytesSentAhead) {
  open();
  client_->write("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\n\r\nahead");
  auto stream = responder_->upgrade({{"Upgrade", "x"}});
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(seen_, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
  std::string got;
  stream->start(
      {.on_data = [&](std::string_view bytes) { got += bytes; }, .on_end = {}, .on_drained = {}});
  client_->write("+more");
  EXPECT_EQ(got, "ahead+more");
  stream->write("down");
  EXPECT_TRUE(seen_.ends_with("down"));
  stream.reset();
  EXPECT_TRUE(ended_);
}

// A client made of nghttp2 itself.
class Http2Client {
 public:
  explicit Http2Client(std::unique_ptr<host::Stream> stream) : stream_(std::move(stream)) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_length, const std::uint8_t* value, std::size_t value_length,
                      std::uint8_t, void* user) {
          auto& self = *static_cast<Http2Client*>(user);
          const std::string key(reinterpret_cast<const char*>(name), name_length);
          if (key == ":status")
            self.answers[frame->hd.stream_id] +=
                std::string(reinterpret_cast<const char*>(value), value_length) + " ";
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                      std::size_t length, void* user) {
          static_cast<Http2Client*>(user)->answers[id].append(reinterpret_cast<const char*>(data),
                                                              length);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
          auto& self = *static_cast<Http2Client*>(user);
          self.answers[id] += code == 0 ? " end" : " reset";
          return 0;
        });
    nghttp2_session_client_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
    stream_->start({.on_data =
                        [this](std::string_view bytes) {
                          nghttp2_session_mem_recv(
                              session_, reinterpret_cast<const std::uint8_t*>(bytes.data()),
                              bytes.size());
                          flush();
                        },
                    .on_end = {},
                    .on_drained = {}});
  }
  ~Http2Client() { nghttp2_session_del(session_); }
  std::int32_t ask(const std::string& method, const std::string& path, std::string body = {}) {
    const auto field = [](const std::string& name, const std::string& value) {
      return nghttp2_nv{reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                        reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())),
                        name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
    };
    const std::string names[] = {":method", ":path", ":scheme", ":authority"}, https = "https",
                      host = "h";
    const nghttp2_nv fields[] = {field(names[0], method), field(names[1], path),
                                 field(names[2], https), field(names[3], host)};
    body_ = std::move(body);
    nghttp2_data_provider provider{};
    provider.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* out, std::size_t room,
                                std::uint32_t* flags, nghttp2_data_source*, void* user) {
      std::string& text = static_cast<Http2Client*>(user)->body_;
      const std::size_t n = std::min(room, text.size());
      std::memcpy(out, text.data(), n);
      text.erase(0, n);
      if (text.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(n);
    };
    const std::int32_t id = nghttp2_submit_request(session_, nullptr, fields, 4,
                                                   body_.empty() ? nullptr : &provider, nullptr);
    flush();
    return id;
  }
  void reset(std::int32_t id) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    flush();
  }
  std::map<std::int32_t, std::string> answers;

 private:
  void flush() {
    const std::uint8_t* bytes = nullptr;
    std::string out;
    for (ssize_t n = 0; (n = nghttp2_session_mem_send(session_, &bytes)) > 0;)
      out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(n));
    if (!out.empty()) stream_->write(out);
  }
  std::unique_ptr<host::Stream> stream_;
  nghttp2_session* session_ = nullptr;
  std::string body_;
};

class Http2Test : public ConnectionTest {
 protected:
  void open2() {
    auto [near, far] = make_stream_pair();
    server_ = make_http2_connection(context(), std::move(far));
    http2_ = std::make_unique<Http2Client>(std::move(near));
  }
  std::unique_ptr<Http2Client> http2_;
};

TEST_F(Http2Test, AnswersManyStreamsInAnyOrder) {
  open2();
  std::vector<std::shared_ptr<Responder>> responders;
  handler_ = [&](HttpRequest request, std::shared_ptr<Responder> responder) {
    asked_.push_back(request.method + " " + request.path + "?" + request.query + " " +
                     std::to_string(request.body.size()));
    responders.push_back(std::move(responder));
  };
  const std::int32_t a = http2_->ask("GET", "/a?q=1");
  const std::int32_t b = http2_->ask("POST", "/b", std::string(300'000, 'x'));
  EXPECT_EQ(asked_, (std::vector<std::string>{"GET /a?q=1 0", "POST /b? 300000"}));
  responders[1]->respond({201, {}, "two"});
  responders[0]->respond({200, {}, std::string(100'000, 'y')});
  turn();
  EXPECT_EQ(http2_->answers[b], "201 two end");
  EXPECT_TRUE(http2_->answers[a] == "200 " + std::string(100'000, 'y') + " end");
}

TEST_F(Http2Test, PullsBodiesAndEndsThemOnReset) {
  open2();
  bool gone = false;
  const std::int32_t id = http2_->ask("GET", "/");
  auto body = std::make_unique<CountingBody>(9, gone);
  CountingBody* counting = body.get();
  counting->paused = true;
  responder_->respond({200, {}, "", std::move(body)});
  turn();
  EXPECT_EQ(http2_->answers[id], "200 ");
  EXPECT_FALSE(gone);
  http2_->reset(id);
  EXPECT_TRUE(gone);
}

TEST_F(Http2Test, RefusesABodyThatIsTooLarge) {
  limits_.body_bytes_max = 1000;
  open2();
  bool large = false;
  handler_ = [&](HttpRequest request, std::shared_ptr<Responder> responder) {
    large = request.body_too_large;
    responder->respond({413, {}, "too large"});
  };
  const std::int32_t id = http2_->ask("POST", "/", std::string(100'000, 'x'));
  turn();
  EXPECT_TRUE(large);
  EXPECT_EQ(http2_->answers[id].substr(0, 14), "413 too large ");
}

TEST_F(Http2Test, EndsARequestThatDoesNotArrive) {
  auto [near, far] = make_stream_pair();
  server_ = make_http2_connection(context(), std::move(far));
  std::string seen;
  near->start(
      {.on_data = [&](std::string_view bytes) { seen += bytes; }, .on_end = {}, .on_drained = {}});
  near->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  near->write(std::string("\0\0\0\4\0\0\0\0\0", 9));
  // The head of a POST, of which nothing more comes.
  near->write(std::string("\0\0\6\1\4\0\0\0\1\x83\x84\x87\x41\1h", 15));
  EXPECT_FALSE(server_->idle_since().has_value());
  const Instant begun = loop_.now();
  EXPECT_TRUE(server_->end_arriving(begun - Duration::seconds(1)));
  EXPECT_FALSE(server_->idle_since().has_value()) << "it still has time";
  seen.clear();
  EXPECT_TRUE(server_->end_arriving(begun + Duration::seconds(1)));
  EXPECT_EQ(seen, std::string("\0\0\4\3\0\0\0\0\1\0\0\0\x8", 13)) << "RST_STREAM";
  EXPECT_TRUE(server_->idle_since().has_value()) << "now the idle limit applies";
  EXPECT_TRUE(asked_.empty());
}

TEST_F(ConnectionTest, AServerHasOnlySoManyConnections) {
  limits_.connections_max = 2;
  std::vector<std::shared_ptr<Responder>> at_work;
  handler_ = [&](const HttpRequest&, std::shared_ptr<Responder> responder) {
    at_work.push_back(std::move(responder));
  };
  const auto sockets = host::make_linux_sockets(loop_);
  HttpServer server(loop_, *sockets, handler_, limits_);
  std::vector<std::unique_ptr<host::Stream>> clients;
  for (int i = 0; i < 3; ++i) {
    auto [near, far] = make_stream_pair();
    server.serve(std::move(far), nullptr);
    near->start({});
    clients.push_back(std::move(near));
  }
  EXPECT_EQ(server.connections(), 2u) << "the one that was idle for longest made room";
  for (std::size_t i : {1, 2}) clients[i]->write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(at_work.size(), 2u);
  auto [near, far] = make_stream_pair();
  bool ended = false;
  near->start({.on_data = {}, .on_end = [&] { ended = true; }, .on_drained = {}});
  server.serve(std::move(far), nullptr);
  EXPECT_TRUE(ended) << "nobody is cut off who is at work";
}

TEST_F(ConnectionTest, WhoSaysNothingDoesNotHoldUpItsEnd) {
  handler_ = [](const HttpRequest&, const std::shared_ptr<Responder>& r) {
    r->respond({200, {}, "done"});
  };
  const auto sockets = host::make_linux_sockets(loop_);
  HttpServer server(loop_, *sockets, handler_, limits_);
  auto [near, far] = make_stream_pair();
  server.serve(std::move(far), nullptr);
  std::string got;
  near->start(
      {.on_data = [&](std::string_view bytes) { got += bytes; }, .on_end = {}, .on_drained = {}});
  near->write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  turn();
  EXPECT_NE(got.find("done"), std::string::npos);
  bool stopped = false;
  server.stop(Duration::seconds(5), [&] { stopped = true; });
  turn();
  turn();
  EXPECT_TRUE(stopped) << "its client keeps the connection open and waits for nothing";
}

TEST_F(Http2Test, SurvivesNoise) {
  Prng rng(3);
  for (int round = 0; round < 300; ++round) {
    auto [near, far] = make_stream_pair();
    handler_ = [](HttpRequest, std::shared_ptr<Responder> r) { r->respond({200, {}, "x"}); };
    server_ = make_http2_connection(context(), std::move(far));
    near->start({});
    near->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    near->write(std::string("\0\0\0\4\0\0\0\0\0", 9));
    std::string noise;
    for (int i = 0; i < 200; ++i) noise += static_cast<char>(rng.below(i % 9 < 3 ? 2 : 256));
    near->write(noise);
    turn();
  }
}

TEST(Gzip, CompressesBodiesAndFlushesWhenTheyWait) {
  bool gone = false;
  auto body = std::make_unique<CountingBody>(3, gone);
  auto compressed = make_gzip_body(std::move(body), 1);
  std::string out;
  while (compressed->read(out, 100) != Body::State::finished) {}
  EXPECT_EQ(out.substr(0, 2), "\x1f\x8b");
  EXPECT_EQ(gzip("piece3piece2piece1", 1).substr(0, 2), "\x1f\x8b");
}

TEST(Body, GzipNeverSaysThatThereIsMoreAndGivesNothing) {
  // A list of 8 MB that compresses to nearly nothing stopped here for ever.
  int left = 512;
  auto body = make_gzip_body(make_piece_body([&left](std::string& out) {
                               out.append(16 * 1024, 'a');
                               return --left > 0;
                             }),
                             1);
  std::string out;
  for (Body::State state = Body::State::more; state == Body::State::more;) {
    const std::size_t before = out.size();
    state = body->read(out, 1024);
    EXPECT_GT(out.size(), before);
  }
  EXPECT_EQ(left, 0);
}

}  // namespace
}  // namespace keelson::api
