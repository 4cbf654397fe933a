// The proxy's parser of responses and one proxied request over a session in memory.
#include "api/outgoing/proxy.h"

#include <gtest/gtest.h>

#include "api/access/request_info.h"
#include "api/http/http1_response.h"
#include "api/http/test_stream.h"
#include "base/prng.h"

namespace keelson::api {
namespace {

std::string parse(std::string_view text, bool ended = false) {
  Http1ResponseParser parser(false);
  std::string body;
  // In single bytes: every cut must give the same.
  for (const char c : text)
    if (!parser.feed({&c, 1}, body)) return "malformed";
  if (ended && !parser.finish()) return "early";
  return std::to_string(parser.code()) + (parser.complete() ? " complete [" : " open [") + body +
         "]";
}

TEST(Http1Response, ReadsEveryKindOfBody) {
  EXPECT_EQ(parse("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), "200 complete [abc]");
  EXPECT_EQ(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n"
                  "0\r\n\r\n"),
            "200 complete [abcde]");
  EXPECT_EQ(parse("HTTP/1.0 404 No\r\n\r\nrest", true), "404 complete [rest]");
  EXPECT_EQ(parse("HTTP/1.1 204 No\r\n\r\n"), "204 complete []");
  EXPECT_EQ(parse("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
            "200 complete [x]");
}

TEST(Http1Response, RefusesWhatIsBrokenOrCutShort) {
  EXPECT_EQ(parse("SSH-2.0-x\r\n\r\n"), "malformed");
  EXPECT_EQ(parse("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), "malformed");
  EXPECT_EQ(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "malformed");
  EXPECT_EQ(parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", true), "early");
}

TEST(Http1Response, SurvivesNoise) {
  Prng rng(2);
  const std::string good =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  for (int round = 0; round < 3000; ++round) {
    std::string text = good;
    for (int i = 0; i < 3; ++i) text[rng.below(text.size())] = static_cast<char>(rng.below(256));
    parse(text, true);
  }
}

class RecordingSession final : public cluster::Session {
 public:
  explicit RecordingSession(std::string& log) : log_(log) {}
  ~RecordingSession() override { log_ += "<gone>"; }
  void input(std::string_view bytes) override { log_ += bytes; }
  void end_input() override {}
  std::size_t input_buffered() const override { return 0; }
  void on_input_drained(std::function<void()>) override {}
  void resize(int, int) override {}

 private:
  std::string& log_;
};

TEST(Proxy, ForwardsWithoutCredentialsAndStreamsTheAnswer) {
  auto keeper = std::make_shared<SessionKeeper>();
  HttpRequest request;
  request.method = "GET";
  request.peer = "10.0.0.1:99";
  request.headers = {{"host", "h"}, {"authorization", "Bearer secret"}, {"x-a", "b"}};
  std::string log;
  std::shared_ptr<cluster::Sink> out;
  std::function<void(Result<void>)> done;
  HttpResponse answer;
  answer.code = 0;
  forward(keeper, request,
          {.dial = dial_pod(
               [&](int, std::shared_ptr<cluster::Sink> sink,
                   std::function<void(Result<void>)> finished) {
                 out = std::move(sink);
                 done = std::move(finished);
                 return std::make_shared<RecordingSession>(log);
               },
               80, nullptr),
           .path_and_query = "/p?q=1"},
          {.answer = [&](HttpResponse response) { answer = std::move(response); }, .refuse = {}});
  EXPECT_EQ(log,
            "GET /p?q=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\nx-a: b\r\n"
            "X-Forwarded-For: 10.0.0.1\r\n\r\n");
  out->write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-B: c\r\n\r\nhel");
  ASSERT_EQ(answer.code, 200);
  EXPECT_EQ(answer.headers.get("x-b"), "c");
  std::string body;
  EXPECT_EQ(answer.body->read(body, 100), Body::State::waiting);
  out->write("lo");
  EXPECT_EQ(answer.body->read(body, 100), Body::State::finished);
  EXPECT_EQ(body, "hello");
  answer.body.reset();
  EXPECT_TRUE(log.ends_with("<gone>"));
  EXPECT_EQ(keeper->size(), 0U);
}

TEST(Proxy, SaysWhyThePortCannotBeReached) {
  auto keeper = std::make_shared<SessionKeeper>();
  std::string why;
  const auto problem = std::make_shared<std::string>();
  forward(keeper, {},
          {.dial = dial_pod(
               [&](int, std::shared_ptr<cluster::Sink>, std::function<void(Result<void>)> done) {
                 done(Error{Reason::internal_error, "refused"});
                 return std::shared_ptr<cluster::Session>();
               },
               80, problem),
           .path_and_query = "/",
           .problem = problem},
          {.answer = {[](HttpResponse) { FAIL(); }},
           .refuse = [&](const std::string& text) { why = text; }});
  EXPECT_EQ(why, "error trying to reach service: refused");
  EXPECT_EQ(keeper->size(), 0U);
}

TEST(Proxy, SendsNoHeaderThatBreaksItsLine) {
  auto keeper = std::make_shared<SessionKeeper>();
  std::string why;
  forward(keeper, {},
          {.dial = [](const Dialed&) -> std::shared_ptr<void> {
             ADD_FAILURE();
             return {};
           },
           .path_and_query = "/",
           .headers = {{"X-Remote-User", "eve\r\nX-Remote-Group: system:masters"}}},
          {.answer = {[](HttpResponse) { FAIL(); }},
           .refuse = [&](const std::string& text) { why = text; }});
  EXPECT_EQ(why,
            "error trying to reach service: net/http: invalid header field value for "
            "\"X-Remote-User\"");
  EXPECT_EQ(keeper->size(), 0U);
}

// One end of a client's connection that was handed over.
TEST(Proxy, JoinsUpgradedConnections) {
  auto keeper = std::make_shared<SessionKeeper>();
  HttpRequest request;
  request.method = "GET";
  request.headers = {{"connection", "Upgrade"}, {"upgrade", "websocket"}, {"x-remote-user", "me"}};
  auto server_side = std::make_shared<MemoryStream::Side>();
  auto our_side = std::make_shared<MemoryStream::Side>();
  MemoryStream server(server_side, our_side);
  std::string heard;
  server.start({.on_data = [&](std::string_view bytes) { heard += bytes; }, .on_end = {}});
  auto client_side = std::make_shared<MemoryStream::Side>();
  auto handed = std::make_shared<MemoryStream::Side>();
  MemoryStream client(client_side, handed);
  std::string got;
  client.start({.on_data = [&](std::string_view bytes) { got += bytes; }, .on_end = {}});
  Headers answered;
  forward(keeper, request,
          {.dial =
               [&](const Dialed& dialed) {
                 dialed(std::unique_ptr<host::Stream>(
                     std::make_unique<MemoryStream>(our_side, server_side)));
                 return std::shared_ptr<void>();
               },
           .path_and_query = "/x",
           .headers = {{"x-remote-user", "you"}}},
          {.answer = [](HttpResponse) { FAIL(); },
           .upgrade = [&](Headers headers) -> std::unique_ptr<host::Stream> {
             answered = std::move(headers);
             return std::make_unique<MemoryStream>(handed, client_side);
           },
           .refuse = [](const std::string&) { FAIL(); }});
  EXPECT_NE(heard.find("Connection: Upgrade\r\nUpgrade: websocket\r\n"), std::string::npos);
  EXPECT_NE(heard.find("x-remote-user: you\r\n"), std::string::npos);
  EXPECT_EQ(heard.find(": me"), std::string::npos);
  heard.clear();
  server.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nearly");
  EXPECT_EQ(answered.get("upgrade"), "websocket");
  EXPECT_EQ(got, "early");
  client.write("ping");
  EXPECT_EQ(heard, "ping");
  server.write("pong");
  EXPECT_EQ(got, "earlypong");
  server.shutdown_write();
  EXPECT_EQ(keeper->size(), 0U);
}

TEST(Proxy, ReadsTargets) {
  EXPECT_EQ(parse_proxy_target("web")->name, "web");
  EXPECT_EQ(parse_proxy_target("web:http")->port, "http");
  EXPECT_EQ(parse_proxy_target("https:web:443")->scheme, "https");
  EXPECT_EQ(parse_proxy_target("http:web:")->name, "web");
  EXPECT_FALSE(parse_proxy_target("ftp:web:1"));
}

TEST(ProxiedPath, IsCutBehindTheName) {
  const auto cut = [](const std::string& path) {
    auto info = request_info_of("GET", *percent_decode(path), Query());
    return proxied_path(path, *info);
  };
  EXPECT_EQ(cut("/api/v1/namespaces/a/services/web/proxy/x%20y/"), "/x%20y/");
  EXPECT_EQ(cut("/api/v1/namespaces/a/services/web/proxy"), "/");
  EXPECT_EQ(cut("/api/v1/namespaces/proxy-a/services/proxy-web/proxy/proxy/z"), "/proxy/z");
  EXPECT_EQ(cut("/api/v1/namespaces/proxy/pods/proxy/proxy/"), "/");
  EXPECT_EQ(cut("/api/v1/nodes/proxy-1/proxy/stats"), "/stats");
}

}  // namespace
}  // namespace keelson::api
