#include "api/outgoing/webhook_client.h"

#include <utility>

#include "base/text.h"

namespace keelson::api {

Result<std::shared_ptr<const TlsContext>> WebhookClient::context_of(
    const std::string& authorities) {
  constexpr std::size_t kContextsMax = 256;
  if (const auto found = contexts_.find(authorities); found != contexts_.end())
    return found->second;
  TRY(std::shared_ptr<const TlsContext> made,
      TlsContext::make_client({.authorities_pem = authorities}));
  if (contexts_.size() >= kContextsMax) contexts_.clear();
  contexts_.emplace(authorities, made);
  return made;
}

void WebhookClient::post(registry::WebhookCall call,
                         std::function<void(registry::WebhookReply)> done) {
  const auto finish = [url = call.url, done = std::move(done)](const Result<HttpReply>& result) {
    registry::WebhookReply reply;
    if (result.ok()) {
      reply.code = result->code;
      reply.content_type = result->headers.get("content-type");
      reply.body = result->body;
    } else {
      reply.problem = "Post " + quote(url) + ": " + result.error().message;
    }
    done(std::move(reply));
  };
  auto context = context_of(call.ca_bundle);
  if (!context.ok()) {
    loop_.post([finish, error = context.error(), alive = std::weak_ptr<int>(alive_)] {
      if (!alive.expired()) finish(error);
    });
    return;
  }
  client_.send({.address = std::move(call.address),
                .port = call.port,
                .host = std::move(call.host),
                .context = std::move(*context),
                .method = "POST",
                .target = std::move(call.target),
                .headers = {{"User-Agent", "kube-apiserver-admission"},
                            {"Accept", "application/json, */*"},
                            {"Content-Type", "application/json"}},
                .body = std::move(call.body),
                .timeout = call.timeout},
               finish);
}

}  // namespace keelson::api
