// The client for webhooks: a question as an HTTPS POST, its answer in time.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "api/http/tls.h"
#include "api/outgoing/http_client.h"
#include "registry/webhooks/exchange.h"

namespace keelson::api {

class WebhookClient {
 public:
  WebhookClient(host::Loop& loop, host::Sockets& sockets) : client_(loop, sockets), loop_(loop) {}

  // Calls `done` once, later, unless the client is gone by then.
  void post(registry::WebhookCall call, std::function<void(registry::WebhookReply)> done);
  std::size_t open() const { return client_.open(); }
  std::size_t idle() const { return client_.idle(); }

 private:
  Result<std::shared_ptr<const TlsContext>> context_of(const std::string& authorities);

  HttpClient client_;
  host::Loop& loop_;
  std::map<std::string, std::shared_ptr<const TlsContext>> contexts_;  // by authorities
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace keelson::api
