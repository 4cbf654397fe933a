// Forwarding: one HTTP request sent on to another server, its answer streamed back; an upgraded
// connection (WebSocket, SPDY) is joined byte by byte. For the proxy subresource and aggregated
// APIs. Original: apimachinery pkg/util/proxy.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/http.h"
#include "api/outgoing/dial.h"
#include "api/sessions/remote_session.h"
#include "host/loop.h"

namespace keelson::api {

// "https:web-0:8080": scheme and port may be absent. nullopt: malformed.
struct ProxyTarget {
  std::string scheme, name, port;
};
std::optional<ProxyTarget> parse_proxy_target(std::string_view text);

// Where a request goes and what is changed about it.
struct Forwarding {
  Dial dial;
  std::string path_and_query;
  std::string host = {};                    // the Host header; empty: the client's own
  Headers headers = {};                     // in place of the client's of these names (lower-case)
  std::vector<std::string> dropped = {};    // beginnings of names that are not passed on
  bool no_redirects = false;                // an answer that redirects becomes 502
  host::Loop* loop = nullptr;               // never null but in tests
  std::optional<Duration> head_limit = {};  // until the answer begins
  std::shared_ptr<std::string> problem = {};  // dial_pod's
};

// Exactly one of them is called, once, unless it is cancelled before.
struct ForwardEvents {
  std::function<void(HttpResponse)> answer;
  // Answers 101 and gives the client's connection; null if that cannot be upgraded.
  std::function<std::unique_ptr<host::Stream>(Headers)> upgrade = {};
  // Nobody answered: "error trying to reach service: ...".
  std::function<void(const std::string&)> refuse;
};

// Returns what cancels it, for a client that goes away before an answer.
std::function<void()> forward(const std::shared_ptr<SessionKeeper>& keeper,
                              const HttpRequest& request, Forwarding plan, ForwardEvents events);

}  // namespace keelson::api
