#include "bench/http2_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <map>

namespace keelson::bench {
namespace {

Error broken(std::string what) {
  return Error{.reason = Reason::service_unavailable, .message = std::move(what)};
}

struct Target {
  std::string host;
  int port = 0;
};

Result<Target> target_of(const std::string& server) {
  const std::string prefix = "https://";
  if (!server.starts_with(prefix)) return broken(server + " is not an https address");
  const std::string rest =
      server.substr(prefix.size(), server.find('/', prefix.size()) - prefix.size());
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string::npos) return Target{rest, 443};
  return Target{rest.substr(0, colon), std::atoi(rest.c_str() + colon + 1)};
}

Result<int> dial(const Target& target) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(target.port));
  if (inet_pton(AF_INET, target.host.c_str(), &address.sin_addr) != 1)
    return broken(target.host + " is not an IPv4 address");
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return broken("cannot connect to " + target.host);
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

bool use_certificate(SSL_CTX* context, const app::Endpoint& endpoint) {
  if (endpoint.cert_pem.empty()) return true;
  BIO* text = BIO_new_mem_buf(endpoint.cert_pem.data(), static_cast<int>(endpoint.cert_pem.size()));
  X509* certificate = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
  BIO_free(text);
  text = BIO_new_mem_buf(endpoint.key_pem.data(), static_cast<int>(endpoint.key_pem.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(text, nullptr, nullptr, nullptr);
  BIO_free(text);
  const bool good = certificate != nullptr && key != nullptr &&
                    SSL_CTX_use_certificate(context, certificate) == 1 &&
                    SSL_CTX_use_PrivateKey(context, key) == 1;
  X509_free(certificate);
  EVP_PKEY_free(key);
  return good;
}

nghttp2_nv header(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct Http2Client::Link {
  struct Stream {
    Request request;
    std::size_t sent = 0;
    int status = 0;
  };

  int fd = -1;
  SSL* tls = nullptr;
  nghttp2_session* session = nullptr;
  std::string authority, authorization;
  std::map<std::int32_t, Stream> streams;
  std::string unsent;
  bool wants_writable = false;

  ~Link() {
    if (session != nullptr) nghttp2_session_del(session);
    if (tls != nullptr) SSL_free(tls);
    if (fd >= 0) close(fd);
  }

  static Link& of(void* user) { return *static_cast<Link*>(user); }

  void begin() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t, std::uint8_t,
                      void* user) {
          const auto at = of(user).streams.find(frame->hd.stream_id);
          const std::string_view text(reinterpret_cast<const char*>(name), name_size);
          if (at != of(user).streams.end() && text == ":status")
            at->second.status = std::atoi(reinterpret_cast<const char*>(value));
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                      std::size_t size, void* user) {
          const auto at = of(user).streams.find(id);
          if (at != of(user).streams.end() && at->second.request.on_data)
            at->second.request.on_data({reinterpret_cast<const char*>(data), size});
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, std::int32_t id, std::uint32_t error, void* user) {
          auto node = of(user).streams.extract(id);
          if (!node.empty() && node.mapped().request.on_end)
            node.mapped().request.on_end(error == NGHTTP2_NO_ERROR ? node.mapped().status : 0);
          return 0;
        });
    nghttp2_session_client_new(&session, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    // Large windows: what is measured is the server, not its waiting for this side.
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 24}};
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, 1);
    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, 1 << 28);
  }

  void submit(Request request) {
    std::vector<nghttp2_nv> headers = {header(":method", request.method),
                                       header(":scheme", "https"), header(":authority", authority),
                                       header(":path", request.path),
                                       header("accept", request.accept)};
    if (!request.body.empty()) headers.push_back(header("content-type", request.content_type));
    if (!authorization.empty()) headers.push_back(header("authorization", authorization));
    nghttp2_data_provider body{};
    body.read_callback = [](nghttp2_session*, std::int32_t id, std::uint8_t* buffer,
                            std::size_t room, std::uint32_t* flags, nghttp2_data_source*,
                            void* user) -> ssize_t {
      Stream& stream = of(user).streams.at(id);
      const std::size_t size = std::min(room, stream.request.body.size() - stream.sent);
      stream.request.body.copy(reinterpret_cast<char*>(buffer), size, stream.sent);
      stream.sent += size;
      if (stream.sent == stream.request.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(size);
    };
    const std::int32_t id = nghttp2_submit_request(session, nullptr, headers.data(), headers.size(),
                                                   request.body.empty() ? nullptr : &body, nullptr);
    if (id > 0) streams[id].request = std::move(request);
  }

  // Whether the connection still stands.
  bool receive(std::uint64_t& received) {
    char buffer[65536];
    while (true) {
      const int size = SSL_read(tls, buffer, sizeof buffer);
      if (size <= 0) return SSL_get_error(tls, size) == SSL_ERROR_WANT_READ;
      received += static_cast<std::uint64_t>(size);
      if (nghttp2_session_mem_recv(session, reinterpret_cast<std::uint8_t*>(buffer),
                                   static_cast<std::size_t>(size)) < 0)
        return false;
    }
  }

  bool transmit() {
    while (true) {
      const std::uint8_t* data = nullptr;
      ssize_t size = 0;
      while (unsent.size() < 65536 && (size = nghttp2_session_mem_send(session, &data)) > 0)
        unsent.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
      wants_writable = false;
      if (unsent.empty()) return true;
      const int written = SSL_write(tls, unsent.data(), static_cast<int>(unsent.size()));
      if (written <= 0) {
        wants_writable = SSL_get_error(tls, written) == SSL_ERROR_WANT_WRITE;
        return wants_writable;
      }
      unsent.erase(0, static_cast<std::size_t>(written));
    }
  }
};

Result<std::unique_ptr<Http2Client>> Http2Client::open(const app::Endpoint& endpoint,
                                                       int connections) {
  TRY(const Target target, target_of(endpoint.server));
  std::unique_ptr<Http2Client> client(new Http2Client);
  client->epoll_ = epoll_create1(EPOLL_CLOEXEC);
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  client->context_ = context;
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>("\x02h2"), 3);
  if (!use_certificate(context, endpoint)) return broken("the client certificate cannot be used");
  for (int i = 0; i < connections; ++i) {
    auto link = std::make_unique<Link>();
    TRY(link->fd, dial(target));
    link->tls = SSL_new(context);
    SSL_set_fd(link->tls, link->fd);
    if (SSL_connect(link->tls) != 1) return broken("no TLS with " + endpoint.server);
    fcntl(link->fd, F_SETFL, O_NONBLOCK);
    link->authority = target.host + ":" + std::to_string(target.port);
    if (!endpoint.token.empty()) link->authorization = "Bearer " + endpoint.token;
    link->begin();
    epoll_event event{.events = EPOLLIN, .data = {.ptr = link.get()}};
    epoll_ctl(client->epoll_, EPOLL_CTL_ADD, link->fd, &event);
    client->links_.push_back(std::move(link));
  }
  return client;
}

Http2Client::~Http2Client() {
  links_.clear();
  if (context_ != nullptr) SSL_CTX_free(static_cast<SSL_CTX*>(context_));
  if (epoll_ >= 0) close(epoll_);
}

void Http2Client::send(int connection, Request request) {
  links_[static_cast<std::size_t>(connection)]->submit(std::move(request));
}

Result<void> Http2Client::step(int wait_milliseconds) {
  for (const auto& link : links_) {
    const bool waited = link->wants_writable;
    if (!link->transmit()) return broken("a connection ended");
    if (waited != link->wants_writable) {
      epoll_event event{.events = EPOLLIN | (link->wants_writable ? EPOLLOUT : 0u),
                        .data = {.ptr = link.get()}};
      epoll_ctl(epoll_, EPOLL_CTL_MOD, link->fd, &event);
    }
  }
  epoll_event events[64];
  const int count = epoll_wait(epoll_, events, 64, wait_milliseconds);
  for (int i = 0; i < count; ++i)
    if (!static_cast<Link*>(events[i].data.ptr)->receive(received_))
      return broken("a connection ended");
  return {};
}

}  // namespace keelson::bench
