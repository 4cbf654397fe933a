// One Engine is one life of the server process; the World outlives it with the disk, the clock and
// the clients. Requests and answers take time on their way; those of an engine that has died are
// never answered.
#include "world.h"

#include <algorithm>
#include <functional>

#include "api/access/pki.h"
#include "api/server.h"
#include "base/check.h"
#include "base/text.h"
#include "codec/json.h"
#include "host/virtual_files.h"
#include "host/virtual_loop.h"
#include "store/store.h"

namespace keelson::history {

namespace {

using codec::Value;
using Kind = Operation::Kind;
using Outcome = Operation::Outcome;

constexpr std::string_view kNamespaces[] = {"default", "kube-public"};
constexpr std::string_view kToken = "token";

// The clock that the engine sees: the loop's, and what it has jumped. As on a real machine, a jump
// makes due what was to happen meanwhile.
class JumpingLoop final : public host::Loop {
 public:
  explicit JumpingLoop(host::VirtualLoop& inner) : inner_(inner) {}
  Instant now() const override { return inner_.now() + offset_; }
  std::shared_ptr<void> call_at(Instant when, std::function<void()> call) override {
    const Due due{when, ++made_};
    timers_->emplace(due, std::move(call));
    arm();
    return std::shared_ptr<void>(nullptr, [due, weak = std::weak_ptr<Timers>(timers_)](void*) {
      if (const auto timers = weak.lock()) timers->erase(due);
    });
  }
  void post(std::function<void()> call) override { inner_.post(std::move(call)); }
  void offload(std::function<void()> work, std::function<void()> done) override {
    inner_.offload(std::move(work), std::move(done));
  }
  std::shared_ptr<void> watch_fd(int fd, bool read, bool write, OnReady ready) override {
    return inner_.watch_fd(fd, read, write, std::move(ready));
  }
  void run() override { inner_.run(); }
  void stop() override { inner_.stop(); }
  void jump(Duration by) {
    offset_ += by;
    arm();
  }

 private:
  using Due = std::pair<Instant, std::uint64_t>;
  using Timers = std::map<Due, std::function<void()>>;
  void arm() {
    if (timers_->empty()) return alarm_.reset();
    const Instant first = timers_->begin()->first.first;
    alarm_ = inner_.call_at(std::max(inner_.now(), first - offset_), [this] { fire(); });
  }
  void fire() {
    const auto keep = std::move(alarm_);
    while (!timers_->empty() && timers_->begin()->first.first <= now()) {
      const auto timer = timers_->extract(timers_->begin());
      timer.mapped()();
    }
    arm();
  }

  host::VirtualLoop& inner_;
  Duration offset_;
  std::uint64_t made_ = 0;
  std::shared_ptr<Timers> timers_ = std::make_shared<Timers>();
  std::shared_ptr<void> alarm_;
};

class NoSockets final : public host::Sockets {
 public:
  Result<std::unique_ptr<host::Listener>> listen(const std::string&, int,
                                                 std::function<void(std::unique_ptr<host::Stream>)>,
                                                 const std::string&) override {
    return Error{Reason::internal_error, "there is no network"};
  }
  Result<std::unique_ptr<host::Listener>> listen_unix(
      const std::string&, std::function<void(std::unique_ptr<host::Stream>)>) override {
    return Error{Reason::internal_error, "there is no network"};
  }
  void connect(const std::string&, int,
               std::function<void(Result<std::unique_ptr<host::Stream>>)> done,
               const std::string&) override {
    done(Error{Reason::internal_error, "there is no network"});
  }
};

class CallingResponder final : public api::Responder {
 public:
  explicit CallingResponder(std::function<void(api::HttpResponse)> call) : call_(std::move(call)) {}
  void respond(api::HttpResponse response) override { call_(std::move(response)); }
  void on_cancel(std::function<void()>) override {}
  std::unique_ptr<host::Stream> upgrade(api::Headers) override { return nullptr; }

 private:
  std::function<void(api::HttpResponse)> call_;
};

// Keys cost time to make: one for all worlds.
const std::string& token_key() {
  static const std::string key = [] {
    host::VirtualFiles files;
    auto pki = api::open_pki(files, {.directory = "/pki"}, Instant::unix_seconds(1'767'225'600));
    KEELSON_CHECK(pki.ok());
    return pki->token_key_pem;
  }();
  return key;
}

struct Engine {
  Engine(JumpingLoop& loop, host::Files& files, Prng& rng, const store::Options& options);
  ~Engine() { server.reset(); }

  NoSockets sockets;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<api::AccessControl> access;
  std::unique_ptr<registry::Registry> registry;
  std::unique_ptr<api::Server> server;
  std::shared_ptr<store::Subscription> witness;
  Error failure;  // if there is no server
};

Engine::Engine(JumpingLoop& loop, host::Files& files, Prng& rng, const store::Options& options) {
  auto opened = store::Store::open(loop, files, options);
  if (!opened.ok()) {
    failure = opened.error();
    return;
  }
  store = std::move(opened).value();
  auto signer = api::TokenSigner::make(token_key(), "https://issuer");
  KEELSON_CHECK(signer.ok());
  api::AuthenticationOptions authentication;
  authentication.static_tokens[std::string(kToken)] = {"root", "", {"system:masters"}, {}};
  access = std::make_unique<api::AccessControl>(
      std::shared_ptr<const api::TokenSigner>(std::move(*signer)), [&loop] { return loop.now(); },
      rng, authentication);
  registry = std::make_unique<registry::Registry>(*store, access->environment(),
                                                  registry::Settings{.own_kinds = false});
  if (auto started = registry->start(); !started.ok()) {
    failure = started.error();
    return;
  }
  access->attach(*registry);
  server = std::make_unique<api::Server>(
      api::ServerParts{.loop = loop,
                       .sockets = sockets,
                       .registry = *registry,
                       .access = *access,
                       .rng = rng,
                       .settle = [this](std::int64_t revision, auto call) {
                         store->settle({revision}, std::move(call));
                       }});
}

class World {
 public:
  explicit World(const Parameters& parameters);
  History run();

 private:
  struct Client {
    int number = 0;
    bool watches = false;
    std::map<std::string, Revision> seen = {};  // revisions last read, for conditions
    Revision listed = 0;                        // for watches to begin at
    int written = 0;
    int turn = 0;  // what belongs to an earlier one reaches nobody
  };
  // A watch while its client reads it.
  struct Reading {
    int watch = -1;  // its number in the history
    std::unique_ptr<api::Body> body = nullptr;
    std::string text = {};
    bool slow = false, over = false;
    Revision reached = 0;
  };
  struct Answer {
    int code = 0;
    Value object = {};
  };

  // --- the server's life ---
  void start_engine();
  void end_engine(const std::string& how);
  void disturb();
  void clear_faults();
  void on_change(const store::Event& event);

  // --- clients ---
  void think(int client);
  void act(int client);
  void act_on_store(int client);
  // `done` is called if the client still waits for it then.
  void send(int client, std::string method, std::string path, std::string body, std::string type,
            std::function<void(Answer)> done);
  void list(int client);
  void list_page(int client, std::size_t number, const std::string& query,
                 const std::string& token);
  void finish(std::size_t operation, Outcome outcome);
  void finish_object(std::size_t operation, const Answer& answer);
  void begin_watch(int client, Revision from, bool initial);
  void read_watch(const std::shared_ptr<Reading>& reading, int client);
  void take_line(Reading& reading, const Value& line);
  void end_watch(const std::shared_ptr<Reading>& reading, int client);

  Moment tick();
  void note(std::string text) { history_.notes.emplace_back(tick(), std::move(text)); }
  Duration chance(std::int64_t below_microseconds) {
    return Duration::microseconds(
        static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(below_microseconds))));
  }
  void later(Duration time, std::function<void()> call) {
    // Kept for ever: the world outlives its calls.
    timers_.push_back(loop_.call_at(loop_.now() + time, std::move(call)));
  }
  std::string any_key() {
    return std::string(kNamespaces[rng_.below(2)]) + "/" +
           std::string(1, static_cast<char>('a' + rng_.below(static_cast<std::uint64_t>(p_.keys))));
  }
  static std::string path_of(const std::string& key, bool object) {
    const std::size_t slash = key.find('/');
    std::string path = "/api/v1/namespaces/" + key.substr(0, slash) + "/configmaps";
    return object ? path + key.substr(slash) : path;
  }
  Operation& operation(std::size_t number) { return history_.operations[number]; }
  std::size_t begin(int client, Kind kind, std::vector<std::string> keys);

  const Parameters p_;
  Prng rng_;
  host::VirtualLoop loop_;
  JumpingLoop clock_{loop_};
  host::VirtualFiles files_;
  Instant start_ = loop_.now();
  std::vector<std::shared_ptr<void>> timers_;
  std::vector<Client> clients_;
  std::vector<std::shared_ptr<Reading>> readings_;
  std::unique_ptr<Engine> engine_;
  int left_ = 0;  // operations to begin
  bool ending_ = false;
  Moment moment_ = 0;
  History history_;
};

World::World(const Parameters& parameters)
    : p_(parameters), rng_(parameters.seed), left_(parameters.operations) {
  loop_.set_offload_time([this] { return chance(3000); });
  for (int i = 0; i < p_.clients + p_.watchers; ++i)
    clients_.push_back({.number = i, .watches = i >= p_.clients});
}

Moment World::tick() {
  const std::int64_t ns = (loop_.now() - start_).count_nanoseconds();
  char text[32];
  std::snprintf(text, sizeof text, "%.3fms", static_cast<double>(ns) / 1e6);
  history_.clock[++moment_] = text;
  return moment_;
}

// --- the server's life ---

void World::start_engine() {
  store::Options options{.directory = "data", .segment_bytes = 1u << 16};
  if (p_.compactions) {
    options.history_events_max = 120;
    options.restart_events_max = 50;
    options.snapshot_log_bytes = 1u << 17;
  }
  // What nobody has witnessed must not be forgotten over a restart.
  if (p_.crashes && p_.jumps) options.history_time = Duration::hours(24 * 365);
  engine_ = std::make_unique<Engine>(clock_, files_, rng_, options);
  if (!engine_->server) {
    history_.failures.push_back("it does not start: " + engine_->failure.message);
    note(history_.failures.back());
    engine_.reset();
    ending_ = true;
    return;
  }
  note("started at revision " + engine_->store->revision().text());
  auto witness = engine_->store->subscribe(
      "", {std::min(history_.witnessed_to, engine_->store->revision().number)},
      store::Store::Delivery::durable, [this](const store::Event& event) { on_change(event); });
  if (!witness.ok()) {
    history_.failures.push_back("what nobody has witnessed is gone: " + witness.error().message);
    ending_ = true;
    return;
  }
  engine_->witness = std::move(*witness);
}

void World::on_change(const store::Event& event) {
  Change change{event.revision.number, std::string(event.key()), {}};
  constexpr std::string_view kPrefix = "configmaps/";
  if (change.key.starts_with(kPrefix)) {
    change.key.erase(0, kPrefix.size());
    if (event.entry) change.value = event.entry->value()["data"]["v"].str();
  } else if (change.key.starts_with("pairs/")) {
    if (event.entry) change.value = std::string(event.entry->bytes());
  } else {
    change.key = "other/" + change.key;
    if (event.entry) change.value = event.revision.text();
  }
  history_.witnessed_to = event.revision.number;
  history_.witnessed.push_back(std::move(change));
}

void World::end_engine(const std::string& how) {
  note(how);
  if (how == "power cut")
    files_.crash(rng_);
  else if (how == "kill")
    files_.kill();
  for (const auto& reading : readings_) {
    reading->over = true;
    reading->body.reset();
  }
  readings_.clear();
  engine_.reset();
  loop_.run_ready();
  clear_faults();
  for (const Client& client : clients_) think(client.number);
}

void World::clear_faults() {
  files_.set_fault({});
  files_.set_capacity({});
}

// Something happens to the server, again and again.
void World::disturb() {
  if (ending_) return;
  later(Duration::milliseconds(2) + chance(120'000), [this] { disturb(); });
  const std::uint64_t what = rng_.below(10);
  if (!engine_) return;
  if (what < 4 && p_.crashes) {
    end_engine(what < 2 ? "power cut" : what == 2 ? "kill" : "restart");
    // The clock of a machine that starts may be anywhere.
    if (p_.jumps && rng_.below(2) == 0)
      clock_.jump(Duration::seconds(static_cast<std::int64_t>(rng_.below(7200)) - 3600));
    later(chance(20'000), [this] { start_engine(); });
  } else if (what < 6 && p_.faults) {
    if (what == 4) {
      note("the disk fails now and then");
      files_.set_fault([this](std::string_view, const std::string& path) -> std::optional<Error> {
        if (rng_.below(8) != 0) return std::nullopt;
        return Error{Reason::internal_error, "write " + path + ": Input/output error"};
      });
    } else {
      note("the disk is full");
      files_.set_capacity(0);
    }
    later(chance(3'000'000), [this] { clear_faults(); });
  } else if (what == 6 && p_.jumps) {
    const auto by = Duration::seconds(static_cast<std::int64_t>(rng_.below(400)));
    note("the clock jumps by " + std::to_string(by.count_seconds()) + " s");
    clock_.jump(by);
  } else if (what == 7 && p_.compactions) {
    note("snapshot");
    engine_->store->snapshot({});
  } else if (what == 8 && p_.compactions) {
    const store::Revision revision = engine_->store->revision();
    engine_->store->compact(revision);
    note("compacted to " + engine_->store->compacted().text());
  }
}

// --- clients ---

std::size_t World::begin(int client, Kind kind, std::vector<std::string> keys) {
  Operation op{.client = client, .kind = kind, .keys = std::move(keys)};
  op.begun = tick();
  history_.operations.push_back(std::move(op));
  return history_.operations.size() - 1;
}

void World::finish(std::size_t number, Outcome outcome) {
  operation(number).outcome = outcome;
  operation(number).ended = tick();
}

void World::think(int client) {
  Client& who = clients_[static_cast<std::size_t>(client)];
  later(chance(rng_.below(8) == 0 ? 30'000 : 3'000), [this, client, &who, turn = ++who.turn] {
    if (turn != who.turn || ending_ || left_ <= 0) return;
    if (!engine_) return think(client);
    if (who.watches) return begin_watch(client, who.listed, who.listed == 0 || rng_.below(4) == 0);
    --left_;
    act(client);
  });
}

// Request and answer each take a while; an engine that ends meanwhile answers nothing.
void World::send(int client, std::string method, std::string path, std::string body,
                 std::string type, std::function<void(Answer)> done) {
  api::HttpRequest request;
  request.method = std::move(method);
  const std::size_t mark = path.find('?');
  request.path = path.substr(0, mark);
  if (mark != std::string::npos) request.query = path.substr(mark + 1);
  request.headers.add("authorization", "Bearer " + std::string(kToken));
  if (!type.empty()) request.headers.add("content-type", std::move(type));
  request.body = std::move(body);
  Client& who = clients_[static_cast<std::size_t>(client)];
  later(chance(600), [this, &who, turn = who.turn, request = std::move(request), done]() mutable {
    if (turn != who.turn) return;
    engine_->server->handle(
        std::move(request),
        std::make_shared<CallingResponder>(
            [this, &who, turn, done](const api::HttpResponse& response) {
              Answer answer{response.code, {}};
              std::string text = response.text;
              if (response.body)
                while (response.body->read(text, 1u << 20) == api::Body::State::more) {}
              if (auto value = codec::parse_json(text); value.ok())
                answer.object = std::move(*value);
              later(chance(600), [&who, turn, done, answer] {
                if (turn == who.turn) done(answer);
              });
            }));
  });
}

Outcome outcome_of(int code, const Value& status) {
  if (code >= 200 && code < 300) return Outcome::ok;
  if (code == 404) return Outcome::absent;
  if (code == 409)
    return status["reason"] == Value("AlreadyExists") ? Outcome::exists : Outcome::conflict;
  // The change may still come to hold; see api/server_resources.cc.
  if (code == 504) return Outcome::unknown;
  return Outcome::refused;
}

Revision revision_of(const Value& object) {
  return parse_int(object["metadata"]["resourceVersion"].as_string()).value_or(0);
}

Item item_of(const Value& object) {
  return {object["metadata"]["namespace"].str() + "/" + object["metadata"]["name"].str(),
          object["data"]["v"].str(), revision_of(object)};
}

void World::finish_object(std::size_t number, const Answer& answer) {
  Operation& op = operation(number);
  Client& who = clients_[static_cast<std::size_t>(op.client)];
  const Outcome outcome = outcome_of(answer.code, answer.object);
  finish(number, outcome);
  if (outcome == Outcome::ok && op.kind != Kind::remove) {
    const Item item = item_of(answer.object);
    who.seen[item.key] = item.revision;
    if (op.kind == Kind::get)
      op.items = {item};
    else
      op.revision = item.revision;
  }
  think(op.client);
}

void World::act(int client) {
  Client& who = clients_[static_cast<std::size_t>(client)];
  const std::uint64_t what = rng_.below(20);
  if (what >= 18) return act_on_store(client);
  if (what >= 15) return list(client);
  const std::string key = any_key();
  const Kind kind = what < 4    ? Kind::create
                    : what < 7  ? Kind::update
                    : what < 9  ? Kind::write
                    : what < 12 ? Kind::remove
                                : Kind::get;
  const std::size_t number = begin(client, kind, {key});
  Operation& op = operation(number);
  const std::string group = rng_.below(2) == 0 ? "g0" : "g1";
  const bool writes = kind != Kind::get && kind != Kind::remove;
  if (writes)
    op.value = group + "#c" + std::to_string(client) + "." + std::to_string(++who.written);
  Value object = Value::object({{"apiVersion", "v1"}, {"kind", "ConfigMap"}});
  object.edit("metadata").set("name", key.substr(key.find('/') + 1));
  object.edit("metadata").edit("labels").set("group", group);
  object.edit("data").set("v", op.value);
  std::string method = "GET", path = path_of(key, true), type = "application/json", body;
  if (const Revision seen = who.seen[key];
      seen != 0 && (kind == Kind::update || kind == Kind::remove) && rng_.below(4) != 0) {
    op.expected = seen;
    if (kind == Kind::update)
      object.edit("metadata").set("resourceVersion", std::to_string(seen));
    else
      body = R"({"preconditions":{"resourceVersion":")" + std::to_string(seen) + R"("}})";
  }
  if (kind == Kind::create) {
    method = "POST";
    path = path_of(key, false);
  } else if (kind == Kind::update) {
    method = "PUT";
  } else if (kind == Kind::write) {
    method = "PATCH";
    op.if_present = rng_.below(2) == 0;
    type = op.if_present ? "application/merge-patch+json" : "application/apply-patch+yaml";
    if (!op.if_present) path += "?fieldManager=test&force=true";
  } else if (kind == Kind::remove) {
    method = "DELETE";
  }
  if (writes) body = codec::to_json(object);
  send(client, std::move(method), std::move(path), std::move(body), std::move(type),
       [this, number](const Answer& answer) { finish_object(number, answer); });
}

// Two keys at once, by the store itself: no request of Kubernetes does that.
void World::act_on_store(int client) {
  Client& who = clients_[static_cast<std::size_t>(client)];
  const bool writes = rng_.below(3) != 0;
  const std::size_t number = begin(client, writes ? Kind::pair : Kind::list, {"pairs/"});
  Operation& op = operation(number);
  store::Store& store = *engine_->store;
  store::Revision revision = store.revision();
  const auto settled = [this, number, client, &who, turn = who.turn](const Result<void>& result) {
    if (turn != who.turn) return;
    finish(number, result.ok() ? Outcome::ok : Outcome::unknown);
    think(client);
  };
  if (writes) {
    op.keys = {"pairs/a", "pairs/b"};
    op.value = "g0#c" + std::to_string(client) + "." + std::to_string(++who.written);
    const auto done = store.commit({.puts = {{op.keys[0], op.value}, {op.keys[1], op.value}}});
    if (!done.ok()) {
      finish(number, Outcome::refused);
      return think(client);
    }
    revision = *done;
  } else {
    const auto page = store.range({.prefix = "pairs/"});
    KEELSON_CHECK(page.ok());
    for (const store::EntryPtr& entry : page->entries)
      op.items.push_back(
          {std::string(entry->key()), std::string(entry->bytes()), entry->modified().number});
  }
  op.revision = revision.number;
  store.settle(revision, settled);
}

void World::list(int client) {
  const std::string ns(kNamespaces[rng_.below(2)]);
  const std::size_t number = begin(client, Kind::list, {ns + "/"});
  std::string query;
  if (rng_.below(3) == 0) {
    operation(number).group = rng_.below(2) == 0 ? "g0" : "g1";
    query += "&labelSelector=group%3D" + operation(number).group;
  }
  if (rng_.below(3) == 0) query += "&limit=" + std::to_string(1 + rng_.below(3));
  list_page(client, number, query, "");
}

void World::list_page(int client, std::size_t number, const std::string& query,
                      const std::string& token) {
  const std::string path = path_of(operation(number).keys.front(), false) + "?x=" + query +
                           (token.empty() ? "" : "&continue=" + token);
  send(client, "GET", path, "", "", [this, client, number, query](const Answer& answer) {
    Operation& op = operation(number);
    if (answer.code != 200) {
      finish(number, Outcome::refused);
      return think(client);
    }
    for (const Value& object : answer.object["items"].elements())
      op.items.push_back(item_of(object));
    const Revision revision = revision_of(answer.object);
    // All pages are of one revision.
    op.revision = op.revision == 0 || op.revision == revision ? revision : -1;
    const std::string next = answer.object["metadata"]["continue"].str();
    if (!next.empty()) return list_page(client, number, query, next);
    finish(number, Outcome::ok);
    for (const Item& item : op.items)
      clients_[static_cast<std::size_t>(client)].seen[item.key] = item.revision;
    think(client);
  });
}

// --- watches ---

void World::begin_watch(int client, Revision from, bool initial) {
  Watch watch{.client = client, .prefix = std::string(kNamespaces[rng_.below(2)]) + "/"};
  if (rng_.below(2) == 0) watch.group = rng_.below(2) == 0 ? "g0" : "g1";
  watch.from = initial ? 0 : from;
  watch.initial = initial;
  watch.begun = tick();
  api::HttpRequest request;
  request.method = "GET";
  request.path = path_of(watch.prefix, false);
  request.query = "watch=1&allowWatchBookmarks=true&timeoutSeconds=500";
  request.query += initial ? "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
                           : "&resourceVersion=" + std::to_string(from);
  if (!watch.group.empty()) request.query += "&labelSelector=group%3D" + watch.group;
  request.headers.add("authorization", "Bearer " + std::string(kToken));
  Client& who = clients_[static_cast<std::size_t>(client)];
  later(chance(600), [this, client, &who, turn = who.turn, watch, request]() mutable {
    if (turn != who.turn) return;
    auto reading = std::make_shared<Reading>();
    reading->slow = rng_.below(4) == 0;
    reading->reached = watch.from;
    engine_->server->handle(
        std::move(request), std::make_shared<CallingResponder>([this, client, watch, reading](
                                                                   api::HttpResponse response) {
          if (!response.body) return think(client);
          reading->watch = static_cast<int>(history_.watches.size());
          history_.watches.push_back(watch);
          history_.watches.back().compacted_begun = engine_->store->compacted().number;
          reading->body = std::move(response.body);
          reading->body->set_wake([this, weak = std::weak_ptr<Reading>(reading), client] {
            const auto held = weak.lock();
            if (!held) return;
            later(chance(held->slow ? 20'000 : 500), [this, held, client] {
              if (!held->over) read_watch(held, client);
            });
          });
          readings_.push_back(reading);
          read_watch(reading, client);
        }));
    // Until it has had enough, or for ever.
    if (rng_.below(3) != 0)
      later(chance(60'000), [this, reading, client] {
        if (!reading->over && !ending_) end_watch(reading, client);
      });
  });
}

void World::read_watch(const std::shared_ptr<Reading>& reading, int client) {
  if (reading->over || !reading->body) return;
  std::string& text = reading->text;
  api::Body::State state = api::Body::State::more;
  while (state == api::Body::State::more)
    state = reading->body->read(text, reading->slow ? 600 : 1u << 16);
  std::size_t end = 0;
  for (std::size_t line = text.find('\n'); line != std::string::npos; line = text.find('\n', end)) {
    const auto value = codec::parse_json(std::string_view(text).substr(end, line - end));
    KEELSON_CHECK(value.ok());
    take_line(*reading, *value);
    end = line + 1;
  }
  text.erase(0, end);
  if (state != api::Body::State::waiting) end_watch(reading, client);
}

void World::take_line(Reading& reading, const Value& line) {
  Watch& watch = history_.watches[static_cast<std::size_t>(reading.watch)];
  WatchEvent event{.item = item_of(line["object"]), .at = tick()};
  const std::string_view type = line["type"].as_string();
  using Type = WatchEvent::Type;
  if (type == "ADDED") event.type = Type::added;
  if (type == "MODIFIED") event.type = Type::modified;
  if (type == "DELETED") event.type = Type::removed;
  if (type == "BOOKMARK") {
    const bool end = line["object"]["metadata"]["annotations"].has("k8s.io/initial-events-end");
    event.type = end ? Type::initial_end : Type::bookmark;
    event.item.key.clear();
  }
  if (type == "ERROR") {
    event.type = Type::expired;
    event.item = {};
    reading.reached = 0;
  }
  // Until what there was at first is complete, there is nothing to go on from.
  const bool ready = !watch.initial || event.type == Type::initial_end || reading.reached != 0;
  if (ready && event.type != Type::expired) reading.reached = event.revision();
  clients_[static_cast<std::size_t>(watch.client)].listed = reading.reached;
  watch.events.push_back(std::move(event));
}

void World::end_watch(const std::shared_ptr<Reading>& reading, int client) {
  if (std::exchange(reading->over, true)) return;
  later(Duration(), [reading] { reading->body.reset(); });
  std::erase(readings_, reading);
  think(client);
}

// --- all of it ---

History World::run() {
  start_engine();
  if (engine_) {
    // The bootstrap is not what is examined here.
    loop_.run_for(Duration::seconds(1));
    for (const Client& client : clients_) think(client.number);
    disturb();
  }
  for (int i = 0; i < 4000 && !ending_ && left_ > 0; ++i) loop_.run_for(Duration::milliseconds(5));
  ending_ = true;
  clear_faults();
  loop_.run_for(Duration::seconds(5));
  if (!engine_) start_engine();
  if (!engine_) return std::move(history_);
  loop_.run_for(Duration::seconds(5));
  const auto readings = readings_;
  for (const auto& reading : readings) {
    Watch& watch = history_.watches[static_cast<std::size_t>(reading->watch)];
    read_watch(reading, watch.client);
    if (!reading->over) watch.complete_to = engine_->store->durable().number;
  }
  // What is there now is there after a restart, too.
  for (int round = 0; round < 2; ++round) {
    for (const std::string_view ns : kNamespaces) {
      const std::size_t number = begin(0, Kind::list, {std::string(ns) + "/"});
      left_ = 0;
      send(0, "GET", path_of(std::string(ns) + "/", false), "", "",
           [this, number](const Answer& answer) {
             for (const Value& object : answer.object["items"].elements())
               operation(number).items.push_back(item_of(object));
             operation(number).revision = revision_of(answer.object);
             finish(number, outcome_of(answer.code, answer.object));
           });
    }
    loop_.run_for(Duration::seconds(1));
    if (round == 0) {
      end_engine("power cut");
      start_engine();
      if (!engine_) break;
    }
  }
  end_engine("the end");
  loop_.run_for(Duration::seconds(1));
  return std::move(history_);
}

}  // namespace

std::string to_text(const Parameters& p) {
  std::string out = "--seed " + std::to_string(p.seed) + " --operations " +
                    std::to_string(p.operations) + " --clients " + std::to_string(p.clients) +
                    " --watchers " + std::to_string(p.watchers) + " --keys " +
                    std::to_string(p.keys);
  const std::pair<bool, const char*> kSwitches[] = {{p.crashes, " --no-crashes"},
                                                    {p.faults, " --no-faults"},
                                                    {p.jumps, " --no-jumps"},
                                                    {p.compactions, " --no-compactions"}};
  for (const auto& [on, text] : kSwitches)
    if (!on) out += text;
  return out;
}

History run_world(const Parameters& parameters) {
  return World(parameters).run();
}

}  // namespace keelson::history
