// The way of every request: decode the path, authenticate, read what is asked, impersonate,
// authorize, dispatch; in this order, as in kube-apiserver's handler chain.
#include "api/server.h"

#include <algorithm>
#include <utility>

#include "api/server_state.h"
#include "base/check.h"
#include "base/text.h"

namespace keelson::api {

Error not_found_path() {
  Error error{Reason::not_found, "the server could not find the requested resource"};
  error.details = true;
  return error;
}

Error method_not_allowed() {
  Error error{Reason::method_not_allowed,
              "the server does not allow this method on the requested resource"};
  error.details = true;
  return error;
}

namespace {

// Kinds that one should not use any more, said with every answer about them.
std::string_view deprecation_of(const RequestInfo& info) {
  if (!info.is_resource || !info.group.empty() || info.version != "v1") return {};
  if (info.resource == "endpoints")
    return "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";
  if (info.resource == "componentstatuses") return "v1 ComponentStatus is deprecated in v1.19+";
  return {};
}

}  // namespace

namespace {

// Requests that last as long as their client likes take no part in the sharing.
bool lasts(const RequestInfo& info) {
  constexpr std::string_view kLong[] = {"attach", "exec", "log", "portforward", "proxy"};
  return info.verb == "proxy" ||
         (info.is_resource &&
          std::find(std::begin(kLong), std::end(kLong), info.subresource) != std::end(kLong));
}

bool is_reading(std::string_view verb) {
  return verb == "get" || verb == "list" || verb == "watch";
}

// Whoever follows a long answer is recorded once more when it ends.
class AuditedBody final : public Body {
 public:
  AuditedBody(std::unique_ptr<Body> inner, std::shared_ptr<AuditRecord> record, int code)
      : inner_(std::move(inner)), record_(std::move(record)), code_(code) {
    inner_->set_wake([this] { wake(); });
  }
  ~AuditedBody() override { record_->completed(code_); }
  State read(std::string& out, std::size_t want) override { return inner_->read(out, want); }

 private:
  std::unique_ptr<Body> inner_;
  std::shared_ptr<AuditRecord> record_;
  int code_;
};

// An answer that is made while it is sent keeps its seat until its last byte is made, a watch until
// what was there at first has been said. A client that does not read gives the seat back after a
// while all the same: it costs nothing then.
class SeatedBody final : public Body {
 public:
  SeatedBody(std::unique_ptr<Body> inner, FlowControl::Seat seat, std::shared_ptr<void> watch,
             bool is_list, host::Loop& loop)
      : inner_(std::move(inner)),
        seat_(std::move(seat)),
        watch_(std::move(watch)),
        is_list_(is_list) {
    inner_->set_wake([this] { wake(); });
    timer_ = loop.call_at(loop.now() + kSeatHeldMax, [this] { give_back(); });
  }
  State read(std::string& out, std::size_t want) override {
    const State state = inner_->read(out, want);
    // A list that waits is being made ready; all else then waits for something to happen.
    const bool goes_on = state == State::more || (state == State::waiting && is_list_);
    if (!goes_on && seat_) give_back();
    return state;
  }

 private:
  static constexpr Duration kSeatHeldMax = Duration::minutes(1);  // as requests of the original
  void give_back() {
    timer_.reset();
    seat_.reset();
  }
  std::unique_ptr<Body> inner_;
  FlowControl::Seat seat_;
  std::shared_ptr<void> watch_, timer_;
  const bool is_list_;
};

// A long text that was made whole is handed on in pieces too, so that its seat bounds how many of
// them are in memory.
constexpr std::size_t kTextWholeMax = 256 * 1024, kTextPiece = 64 * 1024;

std::unique_ptr<Body> make_text_body(std::string text) {
  return make_piece_body([text = std::move(text), at = std::size_t{0}](std::string& out) mutable {
    out.append(text, at, kTextPiece);
    at += kTextPiece;
    return at < text.size();
  });
}

}  // namespace

void Exchange::answer(HttpResponse response) {
  if (!audit_id.empty()) response.headers.add("audit-id", audit_id);
  if (!flow.schema_uid.empty()) {
    response.headers.add("x-kubernetes-pf-flowschema-uid", flow.schema_uid);
    response.headers.add("x-kubernetes-pf-prioritylevel-uid", flow.level_uid);
  }
  if (audit && annotations) audit->annotated(*annotations);
  if (audit && response.body) {
    audit->started(response.code);
    response.body = std::make_unique<AuditedBody>(std::move(response.body), audit, response.code);
  } else if (audit) {
    audit->completed(response.code);
  }
  if (const std::string_view text = deprecation_of(info); served && !text.empty())
    response.headers.add_first("warning", warning_header(text));
  if (metrics != nullptr && info.is_resource) {
    metrics->count(
        {info.verb, info.group, info.version, info.resource, info.subresource, response.code},
        loop->now() - started, info.verb == "watch" || lasts(info));
  }
  in_flight.reset();
  if (seat && response.text.size() > kTextWholeMax)
    response.body = make_text_body(std::exchange(response.text, {}));
  if (response.body && seat)
    response.body = std::make_unique<SeatedBody>(std::move(response.body), std::move(seat),
                                                 std::move(watch), info.verb == "list", *loop);
  responder->respond(std::move(response));
  seat.reset();
}

void Exchange::fail(const Error& error) {
  const Wire wire = negotiate_error(request.headers.get("accept"));
  Format plain = format;
  plain.wire = wire;
  if (audit) audit->response_object(registry::status_of(error));
  answer(encode_error(error, plain));
}

Server::State::State(ServerParts p)
    : parts(std::move(p)), protobuf(parts.loop, parts.registry.types()) {}

void Server::State::settle(std::int64_t revision, std::function<void(Result<void>)> call) {
  if (revision > 0 && parts.settle) {
    parts.settle(revision, std::move(call));
  } else {
    call({});
  }
}

void Server::State::forward_exchange(const ExchangePtr& exchange, Forwarding plan, bool as_text) {
  ForwardEvents events;
  const auto answer = [exchange](HttpResponse response) {
    if (!response.headers.has("cache-control"))
      response.headers.add("cache-control", "no-cache, private");
    exchange->answer(std::move(response));
  };
  events.answer = answer;
  events.upgrade = [exchange](Headers headers) {
    auto stream = exchange->responder->upgrade(std::move(headers));
    if (stream) {
      exchange->in_flight.reset();
      exchange->seat.reset();
      if (exchange->audit) {
        exchange->audit->annotated(*exchange->annotations);
        exchange->audit->completed(101);
      }
    }
    return stream;
  };
  events.refuse = [exchange, as_text, answer](const std::string& why) {
    if (as_text) return answer(plain_text(503, why + "\n"));
    exchange->fail({Reason::service_unavailable, why});
  };
  exchange->responder->on_cancel(
      forward(sessions, exchange->request, std::move(plan), std::move(events)));
}

void Server::State::serve_remote(const ExchangePtr& exchange, const Aggregator::Remote& remote) {
  auto plan = aggregator->plan(remote, exchange->request, exchange->identity, exchange->audit_id);
  // The other server counts its requests itself, and may ask us meanwhile.
  exchange->seat.reset();
  if (plan.ok()) return forward_exchange(exchange, std::move(*plan), true);
  const int code = plan.error().reason == Reason::service_unavailable ? 503 : 500;
  HttpResponse refusal = plain_text(code, plan.error().message + "\n");
  refusal.headers.add("cache-control", "no-cache, private");
  exchange->answer(std::move(refusal));
}

namespace {

Access access_of(const RequestInfo& info) {
  Access access{info.verb};
  if (!info.is_resource) {
    access.path = info.path;
    return access;
  }
  access.group = info.group;
  access.version = info.version;
  access.resource = info.resource;
  access.subresource = info.subresource;
  access.namespace_ = info.namespace_;
  access.name = info.name;
  return access;
}

// The client's own, so that it can find its request again, or a new one.
std::string audit_id_of(const HttpRequest& request, Prng& rng) {
  constexpr std::size_t kLengthMax = 64;
  const std::string_view given = request.headers.get("audit-id");
  return given.empty() ? rng.uuid() : std::string(given.substr(0, kLengthMax));
}

}  // namespace

void Server::State::begin_audit(const ExchangePtr& exchange, const Identity& asker) {
  exchange->audit = parts.audit->record(asker, exchange->info, [this] { return parts.loop.now(); });
  if (!exchange->audit) return;
  exchange->audit->begin(exchange->request, exchange->info, asker, exchange->audit_id);
  exchange->audit->received();
  exchange->annotations = std::make_shared<std::map<std::string, std::string>>();
}

void Server::State::handle(HttpRequest request, std::shared_ptr<Responder> responder) {
  auto exchange = std::make_shared<Exchange>();
  exchange->request = std::move(request);
  exchange->responder = std::move(responder);
  exchange->metrics = &metrics;
  exchange->loop = &parts.loop;
  exchange->started = parts.loop.now();
  const HttpRequest& asked = exchange->request;
  auto path = percent_decode(asked.path);
  if (!path) return exchange->answer(plain_text(400, "400 Bad Request"));
  exchange->query = Query(asked.query);
  exchange->format = format_of(asked, Wire::json);
  exchange->format.types = &parts.registry.types();
  exchange->format.protobuf = &protobuf;
  auto identity = parts.access.identify(asked);
  auto info = request_info_of(asked.method, std::move(*path), exchange->query);
  if (!info.ok()) {
    return exchange->answer(
        plain_text(500, "Internal Server Error: " + quote(asked.path) +
                            ": failed to create RequestInfo: " + info.error().message + "\n"));
  }
  exchange->info = std::move(info).value();
  if (exchange->info.is_resource && exchange->info.verb != "watch" && !lasts(exchange->info))
    exchange->in_flight = metrics.begin(!is_reading(exchange->info.verb));
  exchange->audit_id = audit_id_of(asked, parts.rng);
  // An issuer may have a key that we do not know yet.
  if (!identity.ok() && parts.access.renew(asked, [weak = weak_from_this(), exchange] {
        if (const auto self = weak.lock())
          self->identified(exchange, self->parts.access.identify(exchange->request));
      }))
    return;
  identified(exchange, std::move(identity));
}

void Server::State::identified(const ExchangePtr& exchange, Result<Identity> identity) {
  const HttpRequest& asked = exchange->request;
  if (parts.audit) begin_audit(exchange, identity.ok() ? *identity : Identity());
  if (!identity.ok()) return exchange->fail(identity.error());
  if (asked.body_too_large) {
    return exchange->fail(
        {Reason::request_entity_too_large, "Request entity too large: limit is 3145728"});
  }
  const Access access = access_of(exchange->info);
  identity = parts.access.impersonate(asked, *identity, access);
  if (!identity.ok()) return exchange->fail(identity.error());
  exchange->identity = std::move(identity).value();
  if (exchange->audit && asked.headers.has("impersonate-user"))
    exchange->audit->impersonated(exchange->identity);
  take_turn(exchange);
}

void Server::State::take_turn(const ExchangePtr& exchange) {
  if (lasts(exchange->info)) return proceed(exchange);
  exchange->responder->on_cancel([weak = std::weak_ptr<Exchange>(exchange)] {
    if (const auto gone = weak.lock()) gone->cancelled = true;
  });
  const bool lists = exchange->info.verb == "list" || exchange->info.verb == "watch";
  const bool streamed =
      lists && negotiate_error(exchange->request.headers.get("accept")) == Wire::json;
  flows->submit(
      {exchange->identity, exchange->info, exchange->query, streamed}, exchange->flow,
      [weak = weak_from_this(), exchange](FlowControl::Seat seat) {
        const auto self = weak.lock();
        if (!self || exchange->cancelled) return;
        exchange->seat = std::move(seat);
        self->proceed(exchange);
      },
      [exchange](int seconds) {
        HttpResponse refusal = plain_text(429, "Too many requests, please try again later.\n");
        refusal.headers.add("retry-after", std::to_string(seconds));
        exchange->answer(std::move(refusal));
      });
}

void Server::State::proceed(const ExchangePtr& exchange) {
  const Access access = access_of(exchange->info);
  const Verdict verdict = parts.access.authorize(exchange->identity, access);
  if (exchange->audit) exchange->audit->authorized(verdict.allowed, verdict.reason);
  if (!verdict.allowed)
    return exchange->fail(forbidden_error(exchange->identity, access, verdict.reason));
  if (const Aggregator::Remote* remote = aggregator->find_path(exchange->info.path))
    return serve_remote(exchange, *remote);
  if (exchange->info.is_resource) {
    serve_resource(exchange);
  } else {
    serve_path(exchange);
  }
}

Server::Server(ServerParts parts) : state_(std::make_shared<State>(std::move(parts))) {
  State& state = *state_;
  state.flows =
      std::make_unique<FlowControl>(state.parts.loop, state.parts.registry, state.parts.flow);
  state.aggregator =
      std::make_unique<Aggregator>(state.parts.loop, state.parts.sockets, state.parts.registry,
                                   state.parts.rng, state.parts.proxy_identity);
  const std::weak_ptr<State> weak = state_;
  HttpLimits limits;
  limits.connections_max = state.parts.connections_max;
  state.http = std::make_unique<HttpServer>(
      state.parts.loop, state.parts.sockets,
      [weak](HttpRequest request, std::shared_ptr<Responder> responder) {
        if (const auto self = weak.lock()) self->handle(std::move(request), std::move(responder));
      },
      limits);
}

Server::~Server() {
  // Connections end while everything that their handlers refer to still stands.
  state_->sessions->clear();
  state_->http.reset();
  state_->aggregator.reset();
}

void Server::add_group(ComputedGroup group) {
  state_->computed.push_back(std::move(group));
  ++state_->computed_generation;
}

Result<int> Server::listen(const std::string& address, int port,
                           std::shared_ptr<const TlsContext> context) {
  TRY(const int chosen, state_->http->listen(address, port, std::move(context)));
  if (state_->public_address.empty())
    state_->public_address =
        (address.empty() ? "127.0.0.1" : address) + ":" + std::to_string(chosen);
  return chosen;
}

void Server::set_public_address(std::string address) {
  state_->public_address = std::move(address);
}

void Server::replace_tls(std::shared_ptr<const TlsContext> context) {
  state_->http->replace_tls(std::move(context));
}

void Server::stop(Duration limit, std::function<void()> done) {
  state_->stopping = true;
  end_watches(*state_->watches);
  state_->sessions->clear();
  state_->http->stop(limit, std::move(done));
}

void Server::handle(HttpRequest request, std::shared_ptr<Responder> responder) {
  state_->handle(std::move(request), std::move(responder));
}

}  // namespace keelson::api
