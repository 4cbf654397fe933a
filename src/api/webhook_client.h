// The HTTPS client for webhooks: one POST, one answer, in time. Asynchronous on the loop; every
// call has a connection of its own, which ends with it. Reports failures as Go's net/http does,
// since they end up in messages that people search for.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "api/tls.h"
#include "host/loop.h"
#include "host/sockets.h"
#include "registry/webhooks/exchange.h"

namespace keelson::api {

class WebhookClient {
 public:
  WebhookClient(host::Loop& loop, host::Sockets& sockets) : loop_(loop), sockets_(sockets) {}

  // Calls `done` once, later, unless the client is gone by then.
  void post(registry::WebhookCall call, std::function<void(registry::WebhookReply)> done);
  std::size_t open() const { return calls_.size(); }

 private:
  class Call;
  Result<std::shared_ptr<const TlsContext>> context_of(const std::string& authorities);

  host::Loop& loop_;
  host::Sockets& sockets_;
  std::map<std::string, std::shared_ptr<const TlsContext>> contexts_;  // by authorities
  std::map<std::uint64_t, std::shared_ptr<Call>> calls_;
  std::uint64_t next_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace keelson::api
