// TlsClient: the client's side of TLS over bytes that somebody else carries. It trusts everybody,
// as probes do (pkg/probe/http): what counts is that the server answers.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace keelson::node {

class TlsClient {
 public:
  TlsClient();
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  // Plain text to send as soon as the handshake is done.
  void send(std::string_view text);
  // Bytes that came from the peer (none to begin with). Plain text is appended to `text`, bytes for
  // the peer to `out`. False: the handshake failed; see error().
  bool receive(std::string_view bytes, std::string& text, std::string& out);
  const std::string& error() const { return error_; }

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::string waiting_, error_;
};

}  // namespace keelson::node
