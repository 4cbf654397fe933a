// What the parts of the API server share, and Exchange: one request on its way through them.
// Internal to the server.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/access/request_info.h"
#include "api/answers/encode.h"
#include "api/answers/protobuf_answers.h"
#include "api/answers/watch_body.h"
#include "api/documents/discovery.h"
#include "api/documents/document_cache.h"
#include "api/fairness/flow_control.h"
#include "api/server.h"
#include "api/server_metrics.h"
#include "api/sessions/remote_session.h"

namespace keelson::api {

// One request: what was asked, by whom, and where the answer goes. Kept alive by whoever still has
// to answer.
struct Exchange {
  HttpRequest request;
  std::shared_ptr<Responder> responder;
  Query query;
  RequestInfo info;
  Identity identity;
  Format format;
  Instant started;
  host::Loop* loop = nullptr;
  ServerMetrics* metrics = nullptr;
  std::shared_ptr<void> in_flight;  // until the answer
  std::string audit_id;
  std::shared_ptr<AuditRecord> audit;  // null: not recorded
  // What admission says for the audit; null: not recorded.
  std::shared_ptr<std::map<std::string, std::string>> annotations;
  FlowControl::Class flow;
  FlowControl::Seat seat;       // until the answer, or the end of its body
  std::shared_ptr<void> watch;  // counted while it is open
  bool cancelled = false;       // the client went away while the request waited for its turn
  bool served = false;          // the request has reached the resource that it names

  void answer(HttpResponse response);
  void fail(const Error& error);
};
using ExchangePtr = std::shared_ptr<Exchange>;

// What is served at one moment, and the documents about it.
struct Documents {
  std::int64_t generation = -1;
  std::vector<DiscoveredGroup> groups;  // that this server serves
  std::vector<DiscoveredGroup> merged;  // with those of other servers
  // Stands for what other servers say among the resources that a document was made of.
  model::ResourcePointer others;
  DocumentCache cache;
};

struct Server::State : std::enable_shared_from_this<State> {
  explicit State(ServerParts p);

  ServerParts parts;
  std::vector<ComputedGroup> computed;
  std::int64_t computed_generation = 0;
  std::string public_address;
  std::shared_ptr<WatchSwitch> watches = make_watch_switch();
  std::shared_ptr<SessionKeeper> sessions = std::make_shared<SessionKeeper>();
  ServerMetrics metrics;
  ProtobufAnswers protobuf;
  Documents documents;
  bool stopping = false;
  std::unique_ptr<FlowControl> flows;
  std::unique_ptr<Aggregator> aggregator;
  std::unique_ptr<HttpServer> http;  // last: its end must find the rest still there

  void handle(HttpRequest request, std::shared_ptr<Responder> responder);
  void identified(const ExchangePtr& exchange, Result<Identity> identity);
  void begin_audit(const ExchangePtr& exchange, const Identity& asker);
  // The rest of the way, once it is the request's turn.
  void proceed(const ExchangePtr& exchange);
  void take_turn(const ExchangePtr& exchange);
  void serve_path(const ExchangePtr& exchange);
  void serve_discovery(const ExchangePtr& exchange);
  void serve_openapi(const ExchangePtr& exchange);
  void serve_health(const ExchangePtr& exchange);
  void serve_resource(const ExchangePtr& exchange);
  void serve_computed(const ExchangePtr& exchange, const ComputedResource& resource,
                      const ComputedGroup& group);
  // Sends what the registry says, once it holds.
  void answer(const ExchangePtr& exchange, bool reads, Result<registry::Response> result);
  void serve_watch(const ExchangePtr& exchange, const registry::Request& request);
  // The pod's log, exec, attach, port-forward and proxies.
  void serve_connection(const ExchangePtr& exchange, const model::ResourcePointer& resource);
  // What another API server answers.
  void serve_remote(const ExchangePtr& exchange, const Aggregator::Remote& remote);
  // Sends a request on and its answer back; `as_text`: failures are plain text, not a Status.
  void forward_exchange(const ExchangePtr& exchange, Forwarding plan, bool as_text);

  Documents& current_documents();
  // Runs the call once this revision is durable, or with the reason why it is not.
  void settle(std::int64_t revision, std::function<void(Result<void>)> call);
};

Error not_found_path();  // "the server could not find the requested resource"
Error method_not_allowed();

}  // namespace keelson::api
