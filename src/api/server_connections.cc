// A pod's log, exec, attach and port-forward, and the proxies: checks what the API server knows,
// then connects the client with the node. Original: pkg/registry/core/pod/rest,
// pkg/registry/core/pod/strategy.go.
#include <algorithm>

#include "api/http/spdy.h"
#include "api/http/websocket.h"
#include "api/outgoing/proxy.h"
#include "api/server_state.h"
#include "api/sessions/remote_session.h"
#include "base/text.h"
#include "model/cel/address.h"
#include "model/meta.h"
#include "registry/errors.h"
#include "registry/service_route.h"

namespace keelson::api {
namespace {

constexpr Duration kLogHeaderDelay = Duration::milliseconds(200);
constexpr std::string_view kPortForwardTunnel = "SPDY/3.1+portforward.k8s.io";
constexpr std::string_view kPortForward = "portforward.k8s.io";
constexpr std::string_view kPortForwardChannels[] = {"v4.channel.k8s.io",
                                                     "v4.base64.channel.k8s.io"};

std::vector<std::string> container_names(const Value& spec, std::string_view list) {
  std::vector<std::string> names;
  for (const Value& one : spec[list].elements()) names.push_back(one["name"].str());
  return names;
}

Result<std::string> choose_container(const Value& pod, std::string_view wanted) {
  const Value& spec = pod["spec"];
  const std::string name(model::name_of(pod));
  const std::vector<std::string> containers = container_names(spec, "containers");
  const std::vector<std::string> init = container_names(spec, "initContainers");
  const std::vector<std::string> ephemeral = container_names(spec, "ephemeralContainers");
  if (!wanted.empty()) {
    for (const auto* list : {&containers, &init, &ephemeral})
      if (std::find(list->begin(), list->end(), wanted) != list->end()) return std::string(wanted);
    return registry::bad_request("container " + std::string(wanted) + " is not valid for pod " +
                                 name);
  }
  if (containers.size() == 1) return containers.front();
  std::string text = "a container name must be specified for pod " + name + ", choose one of: [" +
                     join(containers, " ") + "]";
  if (!init.empty()) text += " or one of the init containers: [" + join(init, " ") + "]";
  if (!ephemeral.empty())
    text += " or one of the ephemeral containers: [" + join(ephemeral, " ") + "]";
  return registry::bad_request(text);
}

Result<cluster::LogOptions> log_options(const Query& query, const std::string& pod) {
  cluster::LogOptions options;
  options.follow = query.get_bool("follow");
  options.previous = query.get_bool("previous");
  options.timestamps = query.get_bool("timestamps");
  if (const std::string_view stream = query.get("stream"); !stream.empty()) options.stream = stream;
  std::vector<Cause> causes;
  const auto number = [&](std::string_view name,
                          std::int64_t least) -> Result<std::optional<std::int64_t>> {
    if (!query.has(name)) return std::optional<std::int64_t>();
    const auto value = parse_int(query.get(name));
    if (!value) {
      return registry::bad_request("strconv.ParseInt: parsing " + quote(query.get(name)) +
                                   ": invalid syntax");
    }
    if (*value < least)
      causes.push_back(registry::cause_invalid(
          std::string(name), Value(*value),
          least == 0 ? "must be greater than or equal to 0" : "must be greater than 0"));
    return std::optional<std::int64_t>(*value);
  };
  TRY(options.tail_lines, number("tailLines", 0));
  TRY(options.limit_bytes, number("limitBytes", 1));
  TRY(const auto since, number("sinceSeconds", 1));
  const std::string_view since_time = query.get("sinceTime");
  if (since && !since_time.empty())
    causes.push_back(registry::cause_forbidden(
        "[]", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
  if (!causes.empty()) return registry::invalid({"", "PodLogOptions"}, pod, std::move(causes));
  if (since) options.since = Instant();
  if (!since_time.empty()) {
    options.since = parse_rfc3339(since_time);
    if (!options.since) return registry::bad_request("sinceTime: malformed time");
  }
  return options;
}

// The text of a log on its way: what the node writes waits here for the client.
class LogBody final : public Body {
 public:
  struct Shared {
    std::string text;
    bool finished = false, reading = true;
    std::function<void()> wake, drained;
    std::shared_ptr<void> handle;  // dropping it ends the node's work
    void end() {
      reading = false;
      text = {};
      wake = drained = {};
      // Last: it may be what keeps us.
      const std::shared_ptr<void> ended = std::move(handle);
    }
  };
  explicit LogBody(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {
    shared_->wake = [this] { wake(); };
  }
  ~LogBody() override {
    const std::shared_ptr<Shared> keep = shared_;
    keep->end();
  }
  State read(std::string& out, std::size_t want) override {
    const std::size_t n = std::min(want, shared_->text.size());
    out.append(shared_->text, 0, n);
    shared_->text.erase(0, n);
    if (shared_->text.size() < cluster::Sink::kBufferedMax)
      if (const auto call = shared_->drained) call();
    if (!shared_->text.empty()) return State::more;
    return shared_->finished ? State::finished : State::waiting;
  }

 private:
  std::shared_ptr<Shared> shared_;
};

class LogSink final : public cluster::Sink {
 public:
  LogSink(std::shared_ptr<LogBody::Shared> shared, std::function<void()> on_first)
      : shared_(std::move(shared)), on_first_(std::move(on_first)) {}
  void write(std::string_view bytes) override {
    if (!shared_->reading || bytes.empty()) return;
    shared_->text.append(bytes);
    if (const auto first = std::exchange(on_first_, {})) first();
    if (const auto call = shared_->wake) call();
  }
  void close() override {}
  std::size_t buffered() const override { return shared_->text.size(); }
  void on_drained(std::function<void()> call) override { shared_->drained = std::move(call); }

 private:
  std::shared_ptr<LogBody::Shared> shared_;
  std::function<void()> on_first_;
};

// Waits for the log's first byte or its end, whichever tells how to answer.
struct LogAnswer : std::enable_shared_from_this<LogAnswer> {
  ExchangePtr exchange;
  std::shared_ptr<LogBody::Shared> shared = std::make_shared<LogBody::Shared>();
  std::shared_ptr<void> timer;
  bool answered = false;

  void begin() {
    if (std::exchange(answered, true)) return;
    timer.reset();
    HttpResponse response{200, {{"content-type", "text/plain"}}, ""};
    response.body = std::make_unique<LogBody>(shared);
    exchange->answer(std::move(response));
  }
  void done(const Result<void>& result) {
    const auto self = shared_from_this();
    shared->finished = true;
    if (!answered && !result.ok()) {
      answered = true;
      timer.reset();
      shared->end();
      return exchange->fail(result.error());
    }
    begin();
    if (const auto call = shared->wake) call();
  }
  void cancel() {
    answered = true;
    timer.reset();
    shared->end();
  }
};

void serve_log(Server::State& state, const ExchangePtr& exchange,
               const cluster::PodContainer& where, cluster::LogOptions options) {
  if (options.since && options.since->is_zero()) {
    const auto seconds = parse_int(exchange->query.get("sinceSeconds")).value_or(0);
    options.since = state.parts.loop.now() - Duration::seconds(seconds);
  }
  auto answer = std::make_shared<LogAnswer>();
  answer->exchange = exchange;
  // The sink must not keep the answer, which keeps the handle, which keeps the sink.
  const std::weak_ptr<LogAnswer> weak = answer;
  exchange->responder->on_cancel([answer] { answer->cancel(); });
  const auto sink = std::make_shared<LogSink>(answer->shared, [weak] {
    if (const auto self = weak.lock()) self->begin();
  });
  answer->timer = state.parts.loop.call_at(state.parts.loop.now() + kLogHeaderDelay, [weak] {
    if (const auto self = weak.lock()) self->begin();
  });
  auto handle = state.parts.pod_streams->logs(
      where, options, sink, [answer](Result<void> result) { answer->done(result); });
  if (!answer->shared->finished && answer->shared->reading)
    answer->shared->handle = std::move(handle);
}

bool is_spdy_request(const HttpRequest& request) {
  return to_lower(request.headers.get("upgrade")) == "spdy/3.1" &&
         request.headers.has_token("connection", "upgrade");
}

std::vector<std::string> spdy_protocols(const HttpRequest& request) {
  std::vector<std::string> protocols;
  for (const std::string_view value : request.headers.all("x-stream-protocol-version"))
    for (const std::string& part : split(value, ','))
      if (!trim(part).empty()) protocols.emplace_back(trim(part));
  return protocols;
}

Headers spdy_answer(const std::string& protocol) {
  Headers headers{{"Connection", "Upgrade"}, {"Upgrade", "SPDY/3.1"}};
  if (!protocol.empty()) headers.add("X-Stream-Protocol-Version", protocol);
  return headers;
}

HttpResponse cannot_upgrade(const std::string& why) {
  return plain_text(400, why + "\n");
}

void serve_exec(Server::State& state, const ExchangePtr& exchange,
                const cluster::PodContainer& where, const Value& asked) {
  const HttpRequest& request = exchange->request;
  cluster::ExecOptions options;
  for (const Value& word : asked["command"].elements()) options.command.push_back(word.str());
  options.stdin_ = asked["stdin"].as_bool();
  options.stdout_ = asked["stdout"].as_bool();
  options.stderr_ = asked["stderr"].as_bool();
  options.terminal = asked["tty"].as_bool();
  const bool attach = exchange->info.subresource == "attach";
  if (!attach && options.command.empty())
    return exchange->fail(
        registry::bad_request("you must specify at least one command for the "
                              "container"));
  if (!options.stdin_ && !options.stdout_ && !options.stderr_)
    return exchange->fail(
        registry::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
  cluster::PodStreams* streams = state.parts.pod_streams;
  const StartExec start = [streams, where, options, attach](cluster::ExecEvents events) {
    return attach ? streams->attach(where, options, std::move(events))
                  : streams->exec(where, options, std::move(events));
  };
  const bool websocket = is_websocket_request(request);
  if (!websocket && !is_spdy_request(request))
    return exchange->answer(
        cannot_upgrade("unable to upgrade: missing upgrade headers in request: "
                       "websocket or SPDY/3.1 is needed"));
  const auto offered = websocket ? websocket_protocols(request) : spdy_protocols(request);
  const auto protocol = choose_exec_protocol(offered, websocket);
  if (!protocol) {
    HttpResponse refusal = plain_text(websocket ? 400 : 403,
                                      "unable to upgrade: unable to negotiate protocol: client "
                                      "supports [" +
                                          join(offered, " ") + "]\n");
    return exchange->answer(std::move(refusal));
  }
  auto stream = exchange->responder->upgrade(websocket ? websocket_answer(request, *protocol)
                                                       : spdy_answer(*protocol));
  if (!stream) return exchange->answer(cannot_upgrade("unable to upgrade this connection"));
  if (websocket) {
    run_exec_websocket(state.sessions, std::move(stream), *protocol, options, start);
  } else {
    run_exec_spdy(state.sessions, std::move(stream), *protocol, options, start);
  }
}

void serve_port_channels(Server::State& state, const ExchangePtr& exchange,
                         const std::vector<std::string>& offered, const StartForward& start) {
  const auto ports = parse_forwarded_ports(exchange->query.all("ports"));
  if (!ports.ok()) return exchange->fail(ports.error());
  std::string_view protocol;
  for (const std::string_view known : kPortForwardChannels)
    if (protocol.empty() && std::find(offered.begin(), offered.end(), known) != offered.end())
      protocol = known;
  if (protocol.empty() && !offered.empty())
    return exchange->answer(
        cannot_upgrade("unable to upgrade: unable to negotiate protocol: client supports [" +
                       join(offered, " ") + "]"));
  auto stream = exchange->responder->upgrade(websocket_answer(exchange->request, protocol));
  if (!stream) return exchange->answer(cannot_upgrade("unable to upgrade this connection"));
  run_port_forward_channels(state.sessions, std::move(stream), protocol, *ports, start);
}

void serve_port_forward(Server::State& state, const ExchangePtr& exchange,
                        const cluster::PodContainer& where) {
  const HttpRequest& request = exchange->request;
  cluster::PodStreams* streams = state.parts.pod_streams;
  StartForward start = [streams, where](int port, std::shared_ptr<cluster::Sink> out,
                                        std::function<void(Result<void>)> done) {
    return streams->port_forward(where, port, std::move(out), std::move(done));
  };
  if (is_websocket_request(request)) {
    const std::vector<std::string> offered = websocket_protocols(request);
    if (std::find(offered.begin(), offered.end(), kPortForwardTunnel) == offered.end())
      return serve_port_channels(state, exchange, offered, start);
    auto stream = exchange->responder->upgrade(websocket_answer(request, kPortForwardTunnel));
    if (!stream) return exchange->answer(cannot_upgrade("unable to upgrade this connection"));
    return run_port_forward(state.sessions, make_websocket_stream(std::move(stream)),
                            std::move(start));
  }
  if (!is_spdy_request(request))
    return exchange->answer(
        cannot_upgrade("unable to upgrade: missing upgrade headers in request: "
                       "websocket or SPDY/3.1 is needed"));
  auto stream = exchange->responder->upgrade(spdy_answer(std::string(kPortForward)));
  if (!stream) return exchange->answer(cannot_upgrade("unable to upgrade this connection"));
  run_port_forward(state.sessions, std::move(stream), std::move(start));
}

// A port of a pod: its number, its name in a container, or empty for the first one.
int pod_port(const Value& pod, const std::string& port) {
  if (const auto number = parse_int(port))
    return *number > 0 && *number <= 65535 ? static_cast<int>(*number) : 0;
  for (const Value& container : pod["spec"]["containers"].elements())
    for (const Value& one : container["ports"].elements())
      if (port.empty() || one["name"].as_string() == port)
        return static_cast<int>(one["containerPort"].as_int());
  return port.empty() ? 80 : 0;
}

Error not_allowed() {
  return registry::bad_request("address not allowed");
}

// A pod's port through its node, wherever that is.
Result<Dial> dial_into(Server::State& state, const Value& pod, int port,
                       std::shared_ptr<std::string> problem) {
  const std::string node = pod["spec"]["nodeName"].str();
  if (node.empty()) return not_allowed();
  cluster::PodStreams* streams = state.parts.pod_streams;
  if (streams == nullptr)
    return Error{Reason::service_unavailable, "this server has no nodes to reach"};
  const cluster::PodContainer place{std::string(model::namespace_of(pod)),
                                    std::string(model::name_of(pod)),
                                    std::string(model::uid_of(pod)), "", node};
  return dial_pod(
      [streams, place](int to, std::shared_ptr<cluster::Sink> out,
                       std::function<void(Result<void>)> done) {
        return streams->port_forward(place, to, std::move(out), std::move(done));
      },
      port, std::move(problem));
}

Result<Dial> dial_pod_target(Server::State& state, const std::string& ns, const ProxyTarget& target,
                             const std::shared_ptr<std::string>& problem) {
  const Value pod = state.parts.registry.get("pods", ns, target.name);
  if (pod.is_null()) return registry::not_found({"", "pods"}, target.name);
  const int port = pod_port(pod, target.port);
  if (port == 0 || pod["spec"]["nodeName"].as_string().empty()) return not_allowed();
  return dial_into(state, pod, port, problem);
}

// Of a service only endpoints that are pods are proxied to, as in the original.
Result<Dial> dial_service_target(Server::State& state, const std::string& ns,
                                 const ProxyTarget& target,
                                 const std::shared_ptr<std::string>& problem) {
  registry::Registry& registry = state.parts.registry;
  const Value service = registry.get("services", ns, target.name);
  if (service.is_null()) return registry::not_found({"", "services"}, target.name);
  const Value& ports = service["spec"]["ports"];
  const Value& port = target.port.empty() ? ports[0] : registry::service_port(service, target.port);
  if (port.is_null() && parse_int(target.port))
    return Error{Reason::service_unavailable,
                 "no service port " + target.port + " found for service " + quote(target.name)};
  std::vector<Value> slices;
  for (Value& slice : registry.list("endpointslices.discovery.k8s.io", ns))
    if (registry::is_slice_of(slice, target.name)) slices.push_back(std::move(slice));
  if (slices.empty()) return registry::not_found({"", "services"}, target.name);
  const Error unavailable{Reason::service_unavailable,
                          "no endpoints available for service " + quote(target.name)};
  if (port.is_null()) return unavailable;
  TRY(const registry::ServiceRoute route,
      registry::route_of(service, port, slices, state.parts.rng.next()));
  const Value pod = registry.get("pods", ns, route.pod);
  if (route.pod.empty() || pod.is_null()) return unavailable;
  return dial_into(state, pod, route.port, problem);
}

// A node that is not ours is reached by its kubelet's address.
Result<Dial> dial_node_target(Server::State& state, const ProxyTarget& target, bool& secure) {
  const Value node = state.parts.registry.get("nodes", "", target.name);
  if (node.is_null()) return registry::not_found({"", "nodes"}, target.name);
  const auto kubelet = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"].as_int();
  const auto port = target.port.empty() ? std::optional(kubelet) : parse_int(target.port);
  std::string address;
  for (const Value& one : node["status"]["addresses"].elements())
    if (address.empty() || one["type"].as_string() == "InternalIP") address = one["address"].str();
  // Not to ourselves, nor to a cloud's metadata, in whichever of their spellings ("0.0.0.0").
  const auto place = model::cel::parse_address(address);
  const bool allowed = place.ok() && !place->is_v4_in_v6() && place->is_global_unicast();
  if (!allowed || !port || *port <= 0 || *port > 65535) return not_allowed();
  // The kubelet itself speaks TLS only.
  secure = secure || (target.scheme.empty() && *port == kubelet);
  return dial_socket(state.parts.sockets, address, static_cast<int>(*port));
}

void serve_proxy(Server::State& state, const ExchangePtr& exchange,
                 const model::Resource& resource) {
  const RequestInfo& info = exchange->info;
  const HttpRequest& request = exchange->request;
  const auto target = parse_proxy_target(info.name);
  if (!target) {
    const std::string what = resource.plural.substr(0, resource.plural.size() - 1);
    return exchange->fail(
        registry::bad_request("invalid " + what + " request " + quote(info.name)));
  }
  Forwarding plan;
  plan.problem = std::make_shared<std::string>();
  bool secure = target->scheme == "https";
  auto dial = resource.plural == "pods"
                  ? dial_pod_target(state, info.namespace_, *target, plan.problem)
              : resource.plural == "services"
                  ? dial_service_target(state, info.namespace_, *target, plan.problem)
                  : dial_node_target(state, *target, secure);
  if (!dial.ok()) return exchange->fail(dial.error());
  const std::string query = request.query.empty() ? "" : "?" + request.query;
  const bool bare = info.parts.size() == 3 && !request.path.ends_with('/');
  if (bare && (request.method == "GET" || request.method == "HEAD") &&
      !request.headers.has("upgrade"))
    return exchange->answer({301, {{"location", info.path + "/" + query}}, ""});
  if (secure) {
    // Whose certificate it would have to be is not known; the original does not look either.
    auto context = TlsContext::make_client({.trusts_all = true});
    if (!context.ok()) return exchange->fail(context.error());
    *dial = dial_tls(std::move(*dial), std::move(*context), target->name);
  }
  plan.dial = std::move(*dial);
  plan.path_and_query = proxied_path(request.path, info) + query;
  plan.loop = &state.parts.loop;
  state.forward_exchange(exchange, std::move(plan), false);
}

// The options of a connection as an object, for admission.
Value options_of(const Exchange& exchange) {
  const RequestInfo& info = exchange.info;
  const Query& query = exchange.query;
  Value options = Value::object();
  if (info.subresource == "proxy") {
    std::string path = join({info.parts.begin() + 3, info.parts.end()}, "/");
    if (!path.empty()) path = '/' + path;
    if (info.path.ends_with('/') && !path.ends_with('/')) path += '/';
    if (!path.empty()) options.set("path", path);
    return options;
  }
  if (info.subresource == "portforward") {
    for (const std::string& text : query.all("ports"))
      for (const std::string& one : split(text, ','))
        if (const auto port = parse_int(one)) options.edit("ports").push_back(*port);
    return options;
  }
  for (const char* flag : {"stdin", "stdout", "stderr", "tty"})
    if (query.get_bool(flag)) options.set(flag, true);
  if (const std::string_view name = query.get("container"); !name.empty())
    options.set("container", name);
  if (info.subresource == "exec")
    for (const std::string& word : query.all("command")) options.edit("command").push_back(word);
  return options;
}

// A pod's log, exec, attach or port-forward, once it is admitted.
void connect_pod(Server::State& state, const ExchangePtr& exchange, const model::Resource& resource,
                 const Value& asked) {
  const RequestInfo& info = exchange->info;
  const bool log = info.subresource == "log";
  const Value object = state.parts.registry.get(
      resource.name(), resource.namespaced ? info.namespace_ : "", info.name);
  if (object.is_null())
    return exchange->fail(registry::not_found({resource.group, resource.plural}, info.name));
  cluster::PodContainer where{info.namespace_, info.name, std::string(model::uid_of(object)), "",
                              object["spec"]["nodeName"].str()};
  cluster::LogOptions options;
  if (log) {
    auto parsed = log_options(exchange->query, info.name);
    if (!parsed.ok()) return exchange->fail(parsed.error());
    options = std::move(parsed).value();
  }
  if (info.subresource != "portforward") {
    auto container = choose_container(
        object, log ? exchange->query.get("container") : asked["container"].as_string());
    if (!container.ok()) return exchange->fail(container.error());
    where.container = std::move(container).value();
  }
  if (where.node.empty()) {
    // A pod that is nowhere has no log, as in the original.
    if (log) return exchange->answer({204, {}, ""});
    return exchange->fail(
        registry::bad_request("pod " + info.name + " does not have a host assigned"));
  }
  if (state.parts.pod_streams == nullptr)
    return exchange->fail({Reason::service_unavailable, "this server has no nodes to reach"});
  if (log) return serve_log(state, exchange, where, options);
  if (info.subresource == "portforward") return serve_port_forward(state, exchange, where);
  serve_exec(state, exchange, where, asked);
}

}  // namespace

void Server::State::serve_connection(const ExchangePtr& exchange,
                                     const model::ResourcePointer& resource) {
  const RequestInfo& info = exchange->info;
  const std::string& method = exchange->request.method;
  const bool log = info.subresource == "log", proxy = info.subresource == "proxy";
  if (!proxy && method != "GET" && (log || method != "POST"))
    return exchange->fail(method_not_allowed());
  if (log) return connect_pod(*this, exchange, *resource, Value());
  if (exchange->query.has("dryRun"))
    return exchange->fail(registry::bad_request("dryRun is not supported"));
  registry::Request request;
  request.verb = registry::Verb::connect;
  request.group = resource->group;
  request.version = resource->version;
  request.resource = resource->plural;
  request.namespace_ = resource->namespaced ? info.namespace_ : "";
  request.name = info.name;
  request.subresource = info.subresource;
  request.identity = exchange->identity;
  request.body = codec::JsonDocument{options_of(*exchange), {}};
  request.annotations = exchange->annotations;
  parts.registry.execute(std::move(request), [weak = weak_from_this(), exchange, resource,
                                              proxy](Result<registry::Response> admitted) {
    const auto self = weak.lock();
    if (!self) return;
    if (!admitted.ok()) return exchange->fail(admitted.error());
    if (proxy) return serve_proxy(*self, exchange, *resource);
    connect_pod(*self, exchange, *resource, admitted->object.value());
  });
}

}  // namespace keelson::api
