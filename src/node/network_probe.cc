// One connection per probe, closed after the answer's head: a probe wants the status, not the body.
#include "node/network_probe.h"

#include <memory>
#include <utility>

#include "base/text.h"
#include "node/tls_client.h"

namespace keelson::node {
namespace {

using Verdict = ProbeOutcome::Verdict;
constexpr std::size_t kAnswerBytesMax = 64 * 1024;

class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(host::Loop& loop, NetworkProbe probe, std::function<void(ProbeOutcome)> done)
      : loop_(loop), probe_(std::move(probe)), done_(std::move(done)) {}

  void begin(host::Sockets& sockets) {
    const auto self = shared_from_this();
    host_ = probe_.host.empty() ? probe_.sandbox.address : probe_.host;
    timer_ = loop_.call_at(loop_.now() + probe_.timeout, [self] { self->timed_out(); });
    sockets.connect(
        host_ == "localhost" ? "127.0.0.1" : host_, probe_.port,
        [self](Result<std::unique_ptr<host::Stream>> stream) { self->connected(stream); },
        probe_.sandbox.network_namespace);
  }

 private:
  std::string url() const {
    return (probe_.tls ? "https://" : "http://") + host_ + ":" + std::to_string(probe_.port) +
           probe_.path;
  }
  std::string target() const { return host_ + ":" + std::to_string(probe_.port); }

  void finish(Verdict verdict, std::string output) {
    if (!done_) return;
    const auto self = shared_from_this();  // the timer may have been the last to hold us
    const auto done = std::exchange(done_, nullptr);
    timer_.reset();
    // The stream may be the one that is calling us.
    if (stream_) loop_.post([stream = std::shared_ptr<host::Stream>(std::move(stream_))] {});
    done({verdict, std::move(output)});
  }

  void timed_out() {
    switch (probe_.kind) {
      case NetworkProbe::Kind::http:
        return finish(Verdict::failure,
                      "Get " + quote(url()) + ": context deadline exceeded" +
                          (stream_ ? " (Client.Timeout exceeded while awaiting headers)" : ""));
      case NetworkProbe::Kind::tcp:
        return finish(Verdict::failure, "dial tcp " + target() + ": i/o timeout");
      case NetworkProbe::Kind::grpc:
        return finish(Verdict::failure,
                      stream_
                          ? "timeout: health rpc did not complete within " + to_text(probe_.timeout)
                          : "timeout: failed to connect service " + quote(target()) + " within " +
                                to_text(probe_.timeout) + ": context deadline exceeded");
    }
  }

  void connected(Result<std::unique_ptr<host::Stream>>& stream) {
    if (!done_) return;
    if (!stream.ok()) return not_connected(stream.error().message);
    if (probe_.kind == NetworkProbe::Kind::tcp) return finish(Verdict::success, "");
    stream_ = std::move(stream).value();
    const std::weak_ptr<Attempt> weak = weak_from_this();
    // The timer holds us as long as we wait.
    stream_->start({.on_data =
                        [weak](std::string_view bytes) {
                          if (const auto own = weak.lock()) own->receive(bytes);
                        },
                    .on_end =
                        [weak] {
                          if (const auto own = weak.lock()) own->ended();
                        },
                    .on_drained = {}});
    if (probe_.kind == NetworkProbe::Kind::http && probe_.tls) {
      tls_ = std::make_unique<TlsClient>();
      tls_->send(http_request());
      return decrypt({});
    }
    stream_->write(probe_.kind == NetworkProbe::Kind::http ? http_request() : grpc_request());
  }

  void not_connected(const std::string& why) {
    // "dial tcp 10.0.0.1:80: connection refused" as Go has it: "...: connect: connection refused".
    const std::size_t colon = why.rfind(": ");
    const std::string reason = colon == std::string::npos ? why : why.substr(colon + 2);
    const std::string dial = "dial tcp " + target() + ": connect: " + reason;
    if (probe_.kind == NetworkProbe::Kind::http)
      finish(Verdict::failure, "Get " + quote(url()) + ": " + dial);
    else if (probe_.kind == NetworkProbe::Kind::tcp)
      finish(Verdict::failure, dial);
    else
      finish(Verdict::failure,
             "error: failed to connect service at " + quote(target()) + ": " + dial);
  }

  std::string http_request() const {
    std::string host = target();
    std::string headers;
    bool agent = false, accept = false;
    for (const auto& [name, value] : probe_.headers) {
      const std::string lower = to_lower(name);
      if (lower == "host") {
        host = value;
        continue;
      }
      agent = agent || lower == "user-agent";
      accept = accept || lower == "accept";
      if (!value.empty()) headers += name + ": " + value + "\r\n";
    }
    if (!agent) headers += "User-Agent: " + probe_.user_agent + "\r\n";
    if (!accept) headers += "Accept: */*\r\n";
    return "GET " + probe_.path + " HTTP/1.1\r\nHost: " + host + "\r\n" + headers +
           "Connection: close\r\n\r\n";
  }

  static void put_frame(std::string& out, int type, int flags, int stream,
                        std::string_view payload) {
    const auto n = static_cast<std::uint32_t>(payload.size());
    for (const int shift : {16, 8, 0}) out.push_back(static_cast<char>(n >> shift & 255));
    out.push_back(static_cast<char>(type));
    out.push_back(static_cast<char>(flags));
    for (const int part : {0, 0, 0, stream}) out.push_back(static_cast<char>(part));
    out.append(payload);
  }
  static void put_field(std::string& out, std::string_view name, std::string_view value) {
    out.push_back(0);  // literal without indexing, new name
    out.push_back(static_cast<char>(name.size() & 127));
    out.append(name);
    out.push_back(static_cast<char>(value.size() & 127));
    out.append(value);
  }

  // grpc.health.v1.Health/Check, unary, over HTTP/2 with prior knowledge.
  std::string grpc_request() const {
    std::string out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    put_frame(out, 4, 0, 0, "");
    std::string head;
    put_field(head, ":method", "POST");
    put_field(head, ":scheme", "http");
    put_field(head, ":path", "/grpc.health.v1.Health/Check");
    put_field(head, ":authority", target());
    put_field(head, "te", "trailers");
    put_field(head, "content-type", "application/grpc");
    put_field(head, "user-agent", probe_.user_agent);
    put_frame(out, 1, 4, 1, head);
    const std::string service = probe_.service.substr(0, 120);
    std::string message;
    if (!service.empty()) {
      message.push_back(0x0a);
      message.push_back(static_cast<char>(service.size()));
      message += service;
    }
    std::string body(4, '\0');
    body.push_back(static_cast<char>(message.size()));
    put_frame(out, 0, 1, 1, body + message);
    return out;
  }

  void decrypt(std::string_view bytes) {
    std::string text, out;
    const bool good = tls_->receive(bytes, text, out);
    if (stream_) stream_->write(out);
    if (!good) return finish(Verdict::failure, "Get " + quote(url()) + ": " + tls_->error());
    if (!text.empty()) read_plain(text);
  }

  void receive(std::string_view bytes) {
    if (!done_) return;
    if (tls_) return decrypt(bytes);
    read_plain(bytes);
  }

  void read_plain(std::string_view bytes) {
    answer_.append(bytes);
    if (answer_.size() > kAnswerBytesMax) return finish(Verdict::failure, "answer too long");
    if (probe_.kind == NetworkProbe::Kind::grpc) return read_grpc();
    const std::size_t line = answer_.find("\r\n");
    if (line == std::string::npos) return;
    const auto words = split(std::string_view(answer_).substr(0, line), ' ');
    const std::int64_t code = words.size() >= 2 ? parse_int(words[1]).value_or(0) : 0;
    if (!words[0].starts_with("HTTP/1.") || code == 0)
      return finish(Verdict::failure, "Get " + quote(url()) +
                                          ": net/http: HTTP/1.x transport connection broken: "
                                          "malformed HTTP response " +
                                          quote(answer_.substr(0, line)));
    if (code >= 200 && code < 400) return finish(Verdict::success, "");
    finish(Verdict::failure, "HTTP probe failed with statuscode: " + std::to_string(code));
  }

  // Only DATA frames and the end matter: the health message is the first body of the stream; an
  // answer without a body is an error of the call.
  void read_grpc() {
    std::size_t at = 0;
    while (answer_.size() >= at + 9) {
      const auto byte = [&](std::size_t i) {
        return static_cast<std::size_t>(static_cast<unsigned char>(answer_[at + i]));
      };
      const std::size_t length = byte(0) << 16 | byte(1) << 8 | byte(2);
      if (answer_.size() < at + 9 + length) break;
      const std::size_t type = byte(3), flags = byte(4);
      const std::string payload = answer_.substr(at + 9, length);
      at += 9 + length;
      if (type == 4 && (flags & 1) == 0 && stream_) {
        std::string acknowledge;
        put_frame(acknowledge, 4, 1, 0, "");
        stream_->write(acknowledge);
      } else if (type == 0 && payload.size() >= 5) {
        // Field 1 is the status; it is left out when it is 0, UNKNOWN.
        const int status = payload.size() >= 7 && payload[5] == 8 ? payload[6] : 0;
        if (status == 1) return finish(Verdict::success, "service healthy");
        const std::string names[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
        return finish(Verdict::failure,
                      "service unhealthy (responded with " + quote(names[status & 3]) + ")");
      } else if ((type == 1 && (flags & 1) != 0) || type == 3) {
        return finish(Verdict::failure,
                      "error: this server does not implement the grpc health protocol "
                      "(grpc.health.v1.Health)");
      }
    }
    answer_.erase(0, at);
  }

  void ended() {
    if (probe_.kind == NetworkProbe::Kind::http)
      finish(Verdict::failure, "Get " + quote(url()) + ": EOF");
    else
      finish(Verdict::failure, "error: health rpc probe failed: connection closed");
  }

  host::Loop& loop_;
  NetworkProbe probe_;
  std::function<void(ProbeOutcome)> done_;
  std::string host_, answer_;
  std::unique_ptr<host::Stream> stream_;
  std::unique_ptr<TlsClient> tls_;
  std::shared_ptr<void> timer_;
};

}  // namespace

void run_network_probe(host::Loop& loop, host::Sockets& sockets, const NetworkProbe& probe,
                       std::function<void(ProbeOutcome)> done) {
  std::make_shared<Attempt>(loop, probe, std::move(done))->begin(sockets);
}

}  // namespace keelson::node
