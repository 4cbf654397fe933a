#include "api/outgoing/aggregator.h"

#include <algorithm>

#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"
#include "registry/service_route.h"

namespace keelson::api {

namespace {

constexpr std::string_view kServices = "apiservices.apiregistration.k8s.io";
constexpr std::string_view kOwnGroup = "apiregistration.k8s.io";
constexpr std::string_view kSlices = "endpointslices.discovery.k8s.io";
constexpr Duration kAskMax = Duration::seconds(5);
constexpr Duration kAgain = Duration::seconds(30);
constexpr Duration kRetryFirst = Duration::milliseconds(100);
constexpr std::string_view kAggregated = "application/json;g=apidiscovery.k8s.io;v=";

std::string seen_address(std::string_view address, int port) {
  const bool six = address.find(':') != std::string_view::npos;
  return (six ? "[" + std::string(address) + "]" : std::string(address)) + ":" +
         std::to_string(port);
}

// Characters that no header field's name has are percent-encoded, as client-go does.
std::string header_key(std::string_view key) {
  std::string out;
  for (const char c : key) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("!#$&'*+-.^_`|~").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      std::string hex = to_hex({&c, 1});
      std::transform(hex.begin(), hex.end(), hex.begin(),
                     [](char h) { return h >= 'a' && h <= 'f' ? static_cast<char>(h - 32) : h; });
      out += '%' + hex;
    }
  }
  return out;
}

void add_user(Headers& headers, const registry::Identity& user) {
  headers.add("X-Remote-User", user.user);
  if (!user.uid.empty()) headers.add("X-Remote-Uid", user.uid);
  for (const std::string& group : user.groups) headers.add("X-Remote-Group", group);
  for (const auto& [key, values] : user.extra)
    for (const std::string& value : values) headers.add("X-Remote-Extra-" + header_key(key), value);
}

const registry::Identity& own_identity() {
  static const registry::Identity identity{"system:kube-aggregator", "", {"system:masters"}, {}};
  return identity;
}

Value kind_of_response(const Value& resource, std::string_view group, std::string_view version) {
  const auto or_else = [&](const char* key, std::string_view other) {
    const std::string text = resource[key].str();
    return text.empty() ? std::string(other) : text;
  };
  return Value::object({{"group", or_else("group", group)},
                        {"version", or_else("version", version)},
                        {"kind", resource["kind"]}});
}

}  // namespace

Value discovery_of_list(const Value& list, std::string_view group, std::string_view version) {
  Value resources = Value::array();
  const auto place_of = [&](std::string_view name) {
    for (std::size_t i = 0; i < resources.size(); ++i)
      if (resources[i]["resource"].as_string() == name) return i;
    return resources.size();
  };
  for (const Value& one : list["resources"].elements()) {
    const std::string name = one["name"].str();
    const std::size_t slash = name.find('/');
    const Value scope = one["namespaced"].as_bool() ? "Namespaced" : "Cluster";
    if (slash == std::string::npos) {
      Value entry = Value::object({{"resource", name},
                                   {"responseKind", kind_of_response(one, group, version)},
                                   {"scope", scope},
                                   {"singularResource", one["singularName"].str()},
                                   {"verbs", one["verbs"]}});
      for (const char* key : {"shortNames", "categories"})
        if (!one[key].empty()) entry.set(key, one[key]);
      resources.push_back(std::move(entry));
      continue;
    }
    // A subresource of what is not listed still needs a place.
    const std::string parent = name.substr(0, slash);
    if (place_of(parent) == resources.size())
      resources.push_back(Value::object(
          {{"resource", parent},
           {"responseKind", Value::object({{"group", ""}, {"version", ""}, {"kind", ""}})},
           {"scope", scope},
           {"singularResource", ""},
           {"verbs", Value::array()}}));
    resources.edit(place_of(parent))
        .edit("subresources")
        .push_back(Value::object({{"subresource", name.substr(slash + 1)},
                                  {"responseKind", kind_of_response(one, group, version)},
                                  {"verbs", one["verbs"]}}));
  }
  return Value::object({{"version", version}, {"resources", std::move(resources)}});
}

Aggregator::Aggregator(host::Loop& loop, host::Sockets& sockets, registry::Registry& registry,
                       Prng& rng, ProxyIdentity identity)
    : loop_(loop),
      registry_(registry),
      rng_(rng),
      identity_(std::move(identity)),
      client_(loop, sockets),
      sockets_(sockets) {
  registry_.follow_remote_apis([this](const std::string& name) {
    // Not from within the write that is being followed.
    loop_.post([this, name, alive = std::weak_ptr<int>(alive_)] {
      if (!alive.expired()) ask(name);
    });
  });
}

Aggregator::~Aggregator() {
  registry_.follow_remote_apis({});
}

void Aggregator::refresh() {
  const std::int64_t now = registry_.served_generation();
  if (std::exchange(seen_, now) == now) return;
  remotes_.clear();
  for (const Value& one : registry_.list(kServices)) {
    const Value& spec = one["spec"];
    if (spec["service"].is_null()) continue;
    // Nobody could take back a version of the group that says who serves what.
    if (spec["group"].as_string() == kOwnGroup) continue;
    remotes_[{spec["group"].str(), spec["version"].str()}] = {
        std::string(model::name_of(one)), spec["group"].str(), spec["version"].str(), spec,
        model::condition_is_true(one, "Available")};
  }
  std::erase_if(states_, [&](const auto& state) { return named(state.first) == nullptr; });
  ++generation_;
}

std::int64_t Aggregator::generation() {
  refresh();
  return generation_;
}

const Aggregator::Remote* Aggregator::named(const std::string& name) {
  for (const auto& [key, remote] : remotes_)
    if (remote.name == name) return &remote;
  return nullptr;
}

const Aggregator::Remote* Aggregator::find(std::string_view group, std::string_view version) {
  refresh();
  if (remotes_.empty()) return nullptr;
  const auto found = remotes_.find({std::string(group), std::string(version)});
  return found == remotes_.end() ? nullptr : &found->second;
}

const Aggregator::Remote* Aggregator::find_path(std::string_view path) {
  constexpr std::string_view kHead = "/apis/";
  if (!path.starts_with(kHead)) return nullptr;
  path.remove_prefix(kHead.size());
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return nullptr;
  const std::string_view rest = path.substr(slash + 1);
  return find(path.substr(0, slash), rest.substr(0, rest.find('/')));
}

Result<std::shared_ptr<const TlsContext>> Aggregator::context_of(const Value& spec) {
  constexpr std::size_t kContextsMax = 256;
  const bool trusts_all = spec["insecureSkipTLSVerify"].as_bool();
  const std::string bundle = from_base64(spec["caBundle"].as_string()).value_or("");
  const std::string key = trusts_all ? "*" : bundle;
  if (const auto found = contexts_.find(key); found != contexts_.end()) return found->second;
  TRY(std::shared_ptr<const TlsContext> made,
      TlsContext::make_client({.authorities_pem = bundle,
                               .trusts_all = trusts_all,
                               .certificate_pem = identity_.certificate_pem,
                               .key_pem = identity_.key_pem}));
  if (contexts_.size() >= kContextsMax) contexts_.clear();
  contexts_.emplace(key, made);
  return made;
}

Result<Aggregator::Place> Aggregator::place_of(const Remote& remote) {
  const Value& service = remote.spec["service"];
  const std::string ns = service["namespace"].str(), name = service["name"].str();
  TRY(const registry::ServiceRoute route,
      registry::route_to(name, service["port"].as_int(443), registry_.get("services", ns, name),
                         registry_.list(kSlices, ns), rng_.next()));
  TRY(std::shared_ptr<const TlsContext> context, context_of(remote.spec));
  return Place{route.address, name + "." + ns + ".svc", route.port, std::move(context)};
}

Result<Forwarding> Aggregator::plan(const Remote& remote, const HttpRequest& request,
                                    const registry::Identity& user, const std::string& audit_id) {
  const Error unavailable{Reason::service_unavailable, "service unavailable"};
  if (!remote.available) return unavailable;
  const auto context = context_of(remote.spec);
  if (!context.ok()) return Error{Reason::internal_error, context.error().message};
  const auto place = place_of(remote);
  if (!place.ok()) return unavailable;
  Forwarding out;
  out.dial =
      dial_tls(dial_socket(sockets_, place->address, place->port), place->context, place->host);
  out.path_and_query = request.query.empty() ? request.path : request.path + "?" + request.query;
  out.host = seen_address(place->address, place->port);
  add_user(out.headers, user);
  if (!audit_id.empty()) out.headers.add("audit-id", audit_id);
  out.dropped = {"x-remote-user", "x-remote-uid", "x-remote-group", "x-remote-extra-", "audit-id"};
  out.loop = &loop_;
  out.no_redirects = true;  // a client with rights here must not be led elsewhere
  // What clients read to learn the resources of a server must not hang.
  std::string_view path = request.path;
  while (path.ends_with('/')) path.remove_suffix(1);
  if (std::count(path.begin(), path.end(), '/') == 3) out.head_limit = kAskMax;
  return out;
}

HttpCall Aggregator::call_to(const Place& place, std::string target) const {
  HttpCall call{.address = place.address,
                .port = place.port,
                .host = place.host,
                .context = place.context,
                .target = std::move(target),
                .timeout = kAskMax};
  call.headers.add("User-Agent", "kube-aggregator");
  add_user(call.headers, own_identity());
  return call;
}

// By value: what calls may end with the timer that is dropped here.
void Aggregator::ask(std::string name) {
  refresh();
  const Remote* remote = named(name);
  if (remote == nullptr) return;
  State& state = states_[name];
  state.timer.reset();
  if (state.asking) {
    state.again = true;
    return;
  }
  const auto place = place_of(*remote);
  if (!place.ok()) return registry_.report_remote_api(name, place.error());
  state.asking = true;
  const std::string path = "/apis/" + remote->group + "/" + remote->version;
  const std::string url = "https://" + seen_address(place->address, place->port) + path;
  HttpCall call = call_to(*place, path);
  call.headers.add("Accept", "application/json");
  client_.send(std::move(call),
               [this, name, url](const Result<HttpReply>& reply) { asked(name, url, reply); });
}

void Aggregator::asked(const std::string& name, const std::string& url,
                       const Result<HttpReply>& reply) {
  refresh();
  if (named(name) == nullptr) return;
  State& state = states_[name];
  state.asking = false;
  const std::string head = "failing or missing response from " + url + ": ";
  Result<void> verdict;
  if (!reply.ok())
    verdict = Error{Reason::service_unavailable,
                    head + "Get " + quote(url) + ": " + reply.error().message};
  else if (reply->code < 200 || reply->code > 299)
    verdict = Error{Reason::service_unavailable,
                    head + "bad status from " + url + ": " + std::to_string(reply->code)};
  registry_.report_remote_api(name, verdict);
  if (std::exchange(state.again, false)) return ask(name);
  if (!verdict.ok()) {
    take_resources(name, state.resources, true);
    const std::int64_t factor = std::int64_t{1} << std::min(state.failures++, 12);
    const Duration pause = kRetryFirst * factor;
    return rest(name, pause < kAgain ? pause : kAgain);
  }
  state.failures = 0;
  rest(name, kAgain);
  ask_openapi(name);
  const auto plain = codec::parse_json(reply->body);
  discover(name, plain.ok() ? *plain : Value());
}

// Its resources in the aggregated form, or made from the plain one where it has no other.
void Aggregator::discover(const std::string& name, const Value& plain) {
  const Remote* remote = named(name);
  const auto place = place_of(*remote);
  if (!place.ok()) return take_resources(name, states_[name].resources, true);
  HttpCall call = call_to(*place, "/apis");
  call.headers.add("Accept", std::string(kAggregated) + "v2;as=APIGroupDiscoveryList," +
                                 std::string(kAggregated) + "v2beta1;as=APIGroupDiscoveryList");
  client_.send(std::move(call), [this, name, plain](const Result<HttpReply>& reply) {
    refresh();
    const Remote* asked = named(name);
    if (asked == nullptr) return;
    const bool aggregated =
        reply.ok() && reply->code == 200 &&
        reply->headers.get("content-type").find("APIGroupDiscoveryList") != std::string_view::npos;
    const auto list = aggregated ? codec::parse_json(reply->body) : Result<Value>(Value());
    if (list.ok() && aggregated) {
      Value found = Value::object({{"version", asked->version}});
      for (const Value& group : (*list)["items"].elements())
        if (group["metadata"]["name"].as_string() == asked->group)
          for (const Value& version : group["versions"].elements())
            if (version["version"].as_string() == asked->version) found = version;
      return take_resources(name, std::move(found), false);
    }
    if (plain.is_null()) return take_resources(name, states_[name].resources, true);
    take_resources(name, discovery_of_list(plain, asked->group, asked->version), false);
  });
}

void Aggregator::ask_openapi(const std::string& name) {
  const Remote* remote = named(name);
  const auto place = place_of(*remote);
  if (!place.ok()) return;
  HttpCall call = call_to(*place, "/openapi/v3");
  call.headers.add("Accept", "application/json");
  client_.send(std::move(call), [this, name](const Result<HttpReply>& reply) {
    refresh();
    const Remote* asked = named(name);
    if (asked == nullptr || !reply.ok() || reply->code != 200) return;
    const auto index = codec::parse_json(reply->body);
    if (!index.ok()) return;
    const std::string url =
        (*index)["paths"]["apis/" + asked->group + "/" + asked->version]["serverRelativeURL"].str();
    State& state = states_[name];
    if (state.openapi == url) return;
    state.openapi = url;
    ++generation_;
  });
}

std::map<std::string, std::string> Aggregator::openapi() {
  refresh();
  std::map<std::string, std::string> out;
  for (const auto& [key, remote] : remotes_) {
    const auto state = states_.find(remote.name);
    if (remote.available && state != states_.end() && !state->second.openapi.empty())
      out["apis/" + remote.group + "/" + remote.version] = state->second.openapi;
  }
  return out;
}

void Aggregator::take_resources(const std::string& name, Value resources, bool stale) {
  State& state = states_[name];
  if (state.resources == resources && state.stale == stale) return;
  state.resources = std::move(resources);
  state.stale = stale;
  ++generation_;
}

void Aggregator::rest(const std::string& name, Duration pause) {
  states_[name].timer =
      loop_.call_at(loop_.now() + pause, [this, name, alive = std::weak_ptr<int>(alive_)] {
        if (!alive.expired()) ask(name);
      });
}

std::vector<RemoteVersion> Aggregator::versions() {
  refresh();
  std::vector<RemoteVersion> out;
  for (const auto& [key, remote] : remotes_) {
    const auto state = states_.find(remote.name);
    Value document = state == states_.end() ? Value() : state->second.resources;
    if (!document.is_object()) document = Value::object({{"version", remote.version}});
    const bool stale = state == states_.end() || state->second.stale || !remote.available;
    document.set("freshness", stale ? "Stale" : "Current");
    out.push_back({remote.group, remote.version, std::move(document)});
  }
  return out;
}

Priorities Aggregator::priorities() {
  Priorities out;
  for (const Value& one : registry_.list(kServices)) {
    const Value& spec = one["spec"];
    const std::string group = spec["group"].str();
    const auto priority = spec["groupPriorityMinimum"].as_int();
    const auto found = out.groups.find(group);
    if (found == out.groups.end() || found->second < priority) out.groups[group] = priority;
    out.versions[{group, spec["version"].str()}] = spec["versionPriority"].as_int();
  }
  return out;
}

}  // namespace keelson::api
