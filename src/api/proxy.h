// The proxy subresource: one HTTP request forwarded to a port of a pod, its answer streamed back.
// Plain HTTP/1.1 to the pod over the node's byte channel; no upgrades. Original: apimachinery
// pkg/util/proxy.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "api/http.h"
#include "api/remote_session.h"

namespace keelson::api {

// "https:web-0:8080": scheme and port may be absent.
struct ProxyTarget {
  std::string scheme, name, port;
};
ProxyTarget parse_proxy_target(std::string_view text);

// Forwards the request with this path and query to the port; answers through the responder, with
// 502 and a text if the port cannot be reached or does not speak HTTP.
void run_proxy(const std::shared_ptr<SessionKeeper>& keeper, const HttpRequest& request,
               const std::string& path_and_query, int port, const StartForward& start,
               std::function<void(HttpResponse)> answer);

}  // namespace keelson::api
