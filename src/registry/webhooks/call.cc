#include "registry/webhooks/call.h"

#include <algorithm>

#include "base/prng.h"
#include "base/text.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "model/meta.h"
#include "registry/service_route.h"

namespace keelson::registry::webhooks {

namespace {

std::string seconds_text(Duration timeout) {
  constexpr std::int64_t second = 1'000'000'000;
  return std::to_string((timeout.count_nanoseconds() + second - 1) / second) + "s";
}

// Which endpoint of a service is asked; another one for another body, so that they share the work.
Result<ServiceRoute> route_in(Registry::State& state, const std::string& ns,
                              const std::string& name, std::int64_t port, std::uint64_t choice) {
  std::vector<Value> slices;
  for (const store::EntryPtr& entry : state.entries("endpointslices.discovery.k8s.io", ns))
    slices.push_back(entry->value());
  return route_to(name, port, state.object("services", ns, name), slices, choice);
}

// "https://host:port/path" taken apart; it was validated when it was written.
void take_apart(std::string_view url, WebhookCall& call) {
  url.remove_prefix(std::min(url.size(), std::string_view("https://").size()));
  const std::size_t slash = url.find('/');
  std::string_view authority = url.substr(0, slash);
  call.target = slash == std::string_view::npos ? "" : std::string(url.substr(slash));
  const std::size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    call.port = static_cast<int>(parse_int(authority.substr(colon + 1)).value_or(443));
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']'))
    authority = authority.substr(1, authority.size() - 2);
  call.host = call.address = authority;
}

// What client-go makes of an HTTP code without a Status (apimachinery NewGenericServerResponse).
std::string words_of(int code, std::string_view body) {
  const std::string said = trim(body).empty() ? "unknown" : std::string(trim(body));
  switch (code) {
    case 400: return "the server rejected our request for an unknown reason";
    case 401: return "the server has asked for the client to provide credentials";
    case 403: return said;
    case 404: return "the server could not find the requested resource";
    case 405: return "the server does not allow this method on the requested resource";
    case 406:
      return "the server was unable to respond with a content type that the client supports";
    case 409: return "the server reported a conflict";
    case 410: return "the server no longer has the requested resource";
    case 415: return "the server was unable to process the request body's media type";
    case 422: return "the server rejected our request due to an error in our request";
    case 429:
      return "the server has received too many requests and has asked us to try again later";
    case 503: return "the server is currently unable to handle the request";
    case 504:
      return "the server was unable to return a response in the time allotted, but may still be "
             "processing the request";
    default: break;
  }
  if (code >= 500)
    return "an error on the server (\"unknown\") has prevented the request from succeeding";
  return "the server responded with the status code " + std::to_string(code) +
         " but did not return more information";
}

Error problem(std::string text) {
  return Error{Reason::internal_error, std::move(text)};
}

std::string_view json_noun(const Value& value) {
  if (value.is_string()) return "string";
  if (value.is_array()) return "array";
  if (value.is_bool()) return "bool";
  return "number";
}

}  // namespace

WebhookCall call_of(Registry::State& state, const Value& client_config, Duration timeout,
                    std::string body) {
  WebhookCall call;
  call.timeout = timeout;
  call.body = std::move(body);
  if (const auto bundle = from_base64(client_config["caBundle"].as_string()))
    call.ca_bundle = *bundle;
  std::string base = client_config["url"].str();
  if (const Value& service = client_config["service"]; !service.is_null()) {
    const std::string ns = service["namespace"].str(), name = service["name"].str();
    const std::int64_t port = service["port"].as_int(443);
    std::string path = service["path"].str();
    if (!path.starts_with('/')) path = '/' + path;
    call.host = name + "." + ns + ".svc";
    call.target = path;
    base = "https://" + call.host + ":" + std::to_string(port) + path;
    const auto route = route_in(state, ns, name, port, hash64(call.body));
    if (route.ok()) {
      call.address = route->address;
      call.port = route->port;
    } else {
      call.problem = route.error().message;
    }
  } else {
    take_apart(base, call);
  }
  if (call.target.empty()) call.target = "/";
  call.target += "?timeout=" + seconds_text(timeout);
  call.url = base + "?timeout=" + seconds_text(timeout);
  if (!call.problem.empty()) call.problem = "Post " + quote(call.url) + ": " + call.problem;
  return call;
}

Result<Value> review_of(const WebhookReply& reply, std::string_view kind,
                        std::string_view api_version) {
  if (!reply.problem.empty()) return problem(reply.problem);
  auto parsed = codec::parse_json(reply.body);
  if (reply.code < 200 || reply.code > 206) {
    if (parsed.ok() && (*parsed)["kind"].as_string() == "Status" &&
        (*parsed)["apiVersion"].as_string() == "v1" && !(*parsed)["message"].as_string().empty())
      return problem((*parsed)["message"].str());
    return problem(words_of(reply.code, reply.body));
  }
  if (reply.body.empty())
    return problem("0-length response with status code: " + std::to_string(reply.code) +
                   " and content type: " + reply.content_type);
  if (!parsed.ok()) {
    auto yaml = codec::parse_yaml(reply.body);
    if (!yaml.ok())
      return problem("couldn't get version/kind; json parse error: " + parsed.error().message);
    parsed = std::move(yaml->value);
  }
  const Value& document = *parsed;
  if (!document.is_object())
    return problem("couldn't get version/kind; json parse error: json: cannot unmarshal " +
                   std::string(json_noun(document)) +
                   " into Go value of type struct { APIVersion string "
                   "\"json:\\\"apiVersion,omitempty\\\"\"; Kind string "
                   "\"json:\\\"kind,omitempty\\\"\" }");
  if (document["kind"].as_string().empty())
    return problem("Object 'Kind' is missing in '" + reply.body + "'");
  const std::string api = document["apiVersion"].str();
  if (api.empty()) return problem("Object 'apiVersion' is missing in '" + reply.body + "'");
  const model::GroupVersion has = model::group_version_of(api),
                            wants = model::group_version_of(api_version);
  const bool known = has.group == wants.group && (has.version == "v1" || has.version == "v1beta1");
  if (!known || document["kind"].as_string() != kind)
    return problem("no kind " + quote(document["kind"].as_string()) +
                   " is registered for version " + quote(api) +
                   " in scheme \"pkg/runtime/scheme.go:110\"");
  if (has.version != wants.version)
    return problem("converting (" + has.version + "." + std::string(kind) + ") to (" +
                   wants.version + "." + std::string(kind) + "): unknown conversion");
  return document;
}

}  // namespace keelson::registry::webhooks
