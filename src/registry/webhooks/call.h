// From a webhook's clientConfig to a call, and from its reply to the review in it. The wording of
// what goes wrong is client-go's and apimachinery's, as clients of the original see it.
#pragma once

#include <string>

#include "registry/state.h"
#include "registry/webhooks/exchange.h"

namespace keelson::registry::webhooks {

// `client_config` holds url or service (namespace, name, path, port), and caBundle.
WebhookCall call_of(Registry::State& state, const Value& client_config, Duration timeout,
                    std::string body);

// The document of a reply; the error's message says why there is none ("an error on the server
// ..."). `kind` and `api_version` are what it has to be.
Result<Value> review_of(const WebhookReply& reply, std::string_view kind,
                        std::string_view api_version);

}  // namespace keelson::registry::webhooks
