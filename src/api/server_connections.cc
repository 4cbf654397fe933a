// A pod's log, exec, attach and port-forward: checks what the API server knows, then connects the
// client with the node. Original: pkg/registry/core/pod/rest, pkg/registry/core/pod/strategy.go.
#include <algorithm>

#include "api/proxy.h"
#include "api/remote_session.h"
#include "api/server_state.h"
#include "api/spdy.h"
#include "api/websocket.h"
#include "base/text.h"
#include "model/meta.h"
#include "registry/errors.h"

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
                const cluster::PodContainer& where) {
  const Query& query = exchange->query;
  const HttpRequest& request = exchange->request;
  cluster::ExecOptions options;
  options.command = query.all("command");
  options.stdin_ = query.get_bool("stdin");
  options.stdout_ = query.get_bool("stdout");
  options.stderr_ = query.get_bool("stderr");
  options.terminal = query.get_bool("tty");
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

// With the query.
std::string proxied_target(const HttpRequest& request, const RequestInfo& info) {
  const std::string path = proxied_path(request.path, info);
  return request.query.empty() ? path : path + "?" + request.query;
}

// A port of a pod: its number, its name in a container, or empty for the first one.
int pod_port(const Value& pod, const std::string& port) {
  if (const auto number = parse_int(port)) return static_cast<int>(*number);
  for (const Value& container : pod["spec"]["containers"].elements())
    for (const Value& one : container["ports"].elements())
      if (port.empty() || one["name"].as_string() == port)
        return static_cast<int>(one["containerPort"].as_int());
  return port.empty() ? 80 : 0;
}

// Where a service's requests go: one ready pod and its port.
struct ServiceTarget {
  std::string pod;
  int port = 0;
};
std::optional<ServiceTarget> service_target(registry::Registry& registry, const std::string& ns,
                                            const ProxyTarget& target) {
  const Value service = registry.get("services", ns, target.name);
  std::string port_name;
  for (const Value& port : service["spec"]["ports"].elements()) {
    const bool wanted = target.port.empty() || port["name"].as_string() == target.port ||
                        std::to_string(port["port"].as_int()) == target.port;
    if (!wanted) continue;
    port_name = port["name"].str();
    break;
  }
  for (const Value& slice : registry.list("endpointslices.discovery.k8s.io", ns)) {
    if (model::label_of(slice, "kubernetes.io/service-name") != target.name) continue;
    for (const Value& port : slice["ports"].elements()) {
      if (port["name"].as_string() != port_name) continue;
      for (const Value& endpoint : slice["endpoints"].elements())
        if (endpoint["conditions"]["ready"].as_bool(true) &&
            endpoint["targetRef"]["kind"].as_string() == "Pod")
          return ServiceTarget{endpoint["targetRef"]["name"].str(),
                               static_cast<int>(port["port"].as_int())};
    }
  }
  return std::nullopt;
}

// Which pod and port the request is for. Error: not_found, service_unavailable, bad_request.
Result<ServiceTarget> proxy_place(registry::Registry& registry, const RequestInfo& info,
                                  const model::Resource& resource) {
  const ProxyTarget target = parse_proxy_target(info.name);
  if (registry.get(resource.name(), resource.namespaced ? info.namespace_ : "", target.name)
          .is_null())
    return registry::not_found({"", resource.plural}, target.name);
  if (resource.plural == "nodes" || target.scheme == "https")
    return Error{Reason::service_unavailable,
                 "only plain HTTP to pods and services can be proxied"};
  if (resource.plural == "services") {
    const auto found = service_target(registry, info.namespace_, target);
    if (!found)
      return Error{Reason::service_unavailable,
                   "no endpoints available for service " + quote(target.name)};
    return *found;
  }
  const Value pod = registry.get("pods", info.namespace_, target.name);
  const int port = pod_port(pod, target.port);
  if (port == 0)
    return registry::bad_request("pod " + target.name + " has no port " + quote(target.port));
  return ServiceTarget{target.name, port};
}

void serve_proxy(Server::State& state, const ExchangePtr& exchange,
                 const model::Resource& resource) {
  const RequestInfo& info = exchange->info;
  registry::Registry& registry = state.parts.registry;
  const auto where = proxy_place(registry, info, resource);
  if (!where.ok()) return exchange->fail(where.error());
  const Value pod = registry.get("pods", info.namespace_, where->pod);
  const std::string node = pod["spec"]["nodeName"].str();
  if (node.empty()) return exchange->fail(registry::bad_request("address not allowed"));
  if (state.parts.pod_streams == nullptr)
    return exchange->fail({Reason::service_unavailable, "this server has no nodes to reach"});
  const cluster::PodContainer place{info.namespace_, where->pod, std::string(model::uid_of(pod)),
                                    "", node};
  cluster::PodStreams* streams = state.parts.pod_streams;
  run_proxy(
      state.sessions, exchange->request, proxied_target(exchange->request, exchange->info),
      where->port,
      [streams, place](int port, std::shared_ptr<cluster::Sink> out,
                       std::function<void(Result<void>)> done) {
        return streams->port_forward(place, port, std::move(out), std::move(done));
      },
      [exchange](HttpResponse response) { exchange->answer(std::move(response)); });
}

}  // namespace

void Server::State::serve_connection(const ExchangePtr& exchange, const model::Resource& resource) {
  const RequestInfo& info = exchange->info;
  const std::string& method = exchange->request.method;
  const bool log = info.subresource == "log";
  if (info.subresource == "proxy") return serve_proxy(*this, exchange, resource);
  if (method != "GET" && (log || method != "POST")) return exchange->fail(method_not_allowed());
  const Value object =
      parts.registry.get(resource.name(), resource.namespaced ? info.namespace_ : "", info.name);
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
    auto container = choose_container(object, exchange->query.get("container"));
    if (!container.ok()) return exchange->fail(container.error());
    where.container = std::move(container).value();
  }
  if (where.node.empty()) {
    // A pod that is nowhere has no log, as in the original.
    if (log) return exchange->answer({204, {}, ""});
    return exchange->fail(
        registry::bad_request("pod " + info.name + " does not have a host assigned"));
  }
  if (parts.pod_streams == nullptr)
    return exchange->fail({Reason::service_unavailable, "this server has no nodes to reach"});
  if (log) return serve_log(*this, exchange, where, options);
  if (info.subresource == "portforward") return serve_port_forward(*this, exchange, where);
  serve_exec(*this, exchange, where);
}

}  // namespace keelson::api
