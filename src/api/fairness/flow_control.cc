#include "api/fairness/flow_control.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "model/meta.h"
#include "registry/follow.h"

namespace keelson::api {
namespace {

constexpr std::string_view kSchemas = "flowschemas.flowcontrol.apiserver.k8s.io";
constexpr std::string_view kLevels = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io";
constexpr std::string_view kAccountPrefix = "system:serviceaccount:";
constexpr Duration kExpiryPeriod = Duration::seconds(1);
constexpr Duration kLendingPeriod = Duration::seconds(10);
constexpr std::size_t kRunMax = 64;  // quick requests that begin in one turn of the loop

bool has(const codec::Value& list, std::string_view text) {
  return std::any_of(list.elements().begin(), list.elements().end(), [&](const auto& one) {
    return one.as_string() == "*" || one.as_string() == text;
  });
}

bool subject_fits(const codec::Value& subject, const registry::Identity& who) {
  const std::string_view kind = subject["kind"].as_string();
  if (kind == "User") {
    const std::string_view name = subject["user"]["name"].as_string();
    return name == "*" || name == who.user;
  }
  if (kind == "Group") {
    const std::string_view name = subject["group"]["name"].as_string();
    return name == "*" || who.in_group(name);
  }
  const codec::Value& account = subject["serviceAccount"];
  const std::string prefix = std::string(kAccountPrefix) + account["namespace"].str() + ":";
  if (!who.user.starts_with(prefix)) return false;
  return account["name"].as_string() == "*" ||
         who.user.substr(prefix.size()) == account["name"].as_string();
}

bool resource_rule_fits(const codec::Value& rule, const RequestInfo& info) {
  if (!has(rule["verbs"], info.verb) || !has(rule["apiGroups"], info.group)) return false;
  const std::string resource =
      info.subresource.empty() ? info.resource : info.resource + "/" + info.subresource;
  if (!has(rule["resources"], resource)) return false;
  return info.namespace_.empty() ? rule["clusterScope"].as_bool()
                                 : has(rule["namespaces"], info.namespace_);
}

bool path_rule_fits(const codec::Value& rule, const RequestInfo& info) {
  if (!has(rule["verbs"], info.verb)) return false;
  return std::any_of(rule["nonResourceURLs"].elements().begin(),
                     rule["nonResourceURLs"].elements().end(), [&](const codec::Value& one) {
                       const std::string_view text = one.as_string();
                       if (text == "*" || text == info.path) return true;
                       return text.ends_with("/*") &&
                              info.path.starts_with(text.substr(0, text.size() - 1));
                     });
}

bool rule_fits(const codec::Value& rule, const registry::Identity& who, const RequestInfo& info) {
  const auto& subjects = rule["subjects"].elements();
  if (std::none_of(subjects.begin(), subjects.end(),
                   [&](const codec::Value& one) { return subject_fits(one, who); }))
    return false;
  const auto& rules = rule[info.is_resource ? "resourceRules" : "nonResourceRules"].elements();
  return std::any_of(rules.begin(), rules.end(), [&](const codec::Value& one) {
    return info.is_resource ? resource_rule_fits(one, info) : path_rule_fits(one, info);
  });
}

// The same flow meets the same queues in every run. FNV-1a, its bits mixed once more, as a hand is
// dealt by division.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93ull;
  return hash ^ hash >> 32;
}

// How long those that are refused should stay away: twice as long while many still are refused,
// a second less when few are. Source: flowcontrol/dropped_requests_tracker.go.
class Refusals {
 public:
  int seconds() const { return seconds_; }
  void count(Instant now) {
    const std::int64_t second = now.unix_seconds();
    if (second != second_) {
      if (second_ != 0) past_.push_back({second_, count_});
      while (!past_.empty() && second - past_.front().first > seconds_) past_.pop_front();
      second_ = second;
      count_ = 0;
      adapt(second);
    }
    ++count_;
  }

 private:
  static constexpr int kSecondsMax = 32;
  void adapt(std::int64_t second) {
    std::int64_t refused = 0;
    for (const auto& [at, count] : past_) refused += count;
    if (second - raised_ >= seconds_ && refused >= 3 * seconds_) {
      seconds_ = std::min(2 * seconds_, kSecondsMax);
      raised_ = second;
    } else if (refused < seconds_ && seconds_ > 1) {
      --seconds_;
    }
  }
  std::deque<std::pair<std::int64_t, std::int64_t>> past_;  // second, refused in it
  std::int64_t second_ = 0, count_ = 0, raised_ = 0;
  int seconds_ = 1;
};

std::string milliseconds_text(std::int64_t milliseconds) {
  std::string digits = std::to_string(milliseconds % 1000);
  digits.insert(0, 3 - digits.size(), '0');
  return std::to_string(milliseconds / 1000) + "." + digits;
}

constexpr std::array<std::int64_t, 8> kWaitBounds = {1, 5, 20, 100, 500, 1000, 5000, 15000};  // ms

}  // namespace

struct FlowControl::Level {
  std::string name, uid;
  std::int64_t shares = 0, lendable = 0, borrowing = -1;
  FairQueues::Options options;
  bool gone = false;  // its object; it ends when it is empty
  int request_seats_max = 0;
  SeatShare share;
  FairQueues queues;
  Refusals refusals;
  std::uint64_t rejected = 0, dispatched = 0;
  std::array<std::uint64_t, kWaitBounds.size() + 1> waits{};
  std::int64_t wait_microseconds = 0;
};

struct FlowControl::Turn : FairQueues::Request {
  std::shared_ptr<Level> level;
  std::function<void(Seat)> run;
  std::function<void(int)> refuse;
  Instant arrived;
  bool slow = false;
};

// What a seat points to. It may outlive the FlowControl.
struct FlowControl::Held {
  Held(FlowControl& the_owner, std::shared_ptr<Turn> the_turn)
      : owner(&the_owner), alive(the_owner.alive_), turn(std::move(the_turn)) {}
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() {
    if (!alive.expired()) owner->finish(turn);
  }
  FlowControl* owner;
  std::weak_ptr<int> alive;
  std::shared_ptr<Turn> turn;
};

struct FlowControl::Schema {
  std::string uid, name, level;
  std::string by;  // "ByUser", "ByNamespace" or empty
  std::int64_t precedence = 0;
  codec::Value rules;
};

FlowControl::FlowControl(host::Loop& loop, registry::Registry& registry, FlowOptions options)
    : loop_(loop), registry_(registry), options_(options) {
  watchers_ = registry::follow(registry_, "flowcontrol.apiserver.k8s.io",
                               {"flowschemas", "prioritylevelconfigurations"},
                               [this] { configured_ = false; });
}

FlowControl::~FlowControl() {
  // Those who wait know their level, and the level them.
  for (const auto& [name, level] : levels_) level->queues = FairQueues();
}

void FlowControl::configure_levels() {
  for (auto& [name, level] : levels_) level->gone = true;
  for (const codec::Value& object : registry_.list(kLevels)) {
    const std::string name(model::name_of(object));
    // Who waits or is under way stays with the level when its rules change.
    std::shared_ptr<Level>& level = levels_[name];
    if (!level) level = std::make_shared<Level>();
    const codec::Value& spec = object["spec"];
    const bool exempt = spec["type"].as_string() == "Exempt";
    const codec::Value& rules = spec[exempt ? "exempt" : "limited"];
    const codec::Value& response = rules["limitResponse"];
    level->name = name;
    level->uid = model::uid_of(object);
    level->gone = false;
    level->shares = rules["nominalConcurrencyShares"].as_int(exempt ? 0 : 30);
    level->lendable = rules["lendablePercent"].as_int(0);
    level->borrowing = exempt ? -1 : rules["borrowingLimitPercent"].as_int(-1);
    level->options = {.exempt = exempt};
    if (response["type"].as_string() != "Queue") continue;
    const codec::Value& queuing = response["queuing"];
    level->options.queues = static_cast<std::size_t>(queuing["queues"].as_int(64));
    level->options.hand = static_cast<std::size_t>(queuing["handSize"].as_int(8));
    level->options.queue_length_max =
        static_cast<std::size_t>(queuing["queueLengthLimit"].as_int(50));
  }
  std::erase_if(levels_,
                [](const auto& one) { return one.second->gone && one.second->queues.idle(); });
}

// Shares become seats, and the seats are dealt out.
void FlowControl::configure_queues() {
  std::int64_t shares_all = 0;
  for (const auto& [name, level] : levels_) shares_all += level->shares;
  std::vector<SeatShare*> shares;
  for (const auto& [name, level] : levels_) {
    SeatShare fresh = seat_share(level->options.exempt, level->shares, shares_all,
                                 options_.requests_max, level->lendable, level->borrowing);
    fresh.smoothed = level->share.smoothed;
    fresh.peak = level->share.peak;
    level->share = fresh;
    shares.push_back(&level->share);
    // As the original: at most 15 % of the level, and no more than a flow's hand can be waited for.
    const int nominal = fresh.nominal;
    const int hand = static_cast<int>(std::max<std::size_t>(1, level->options.hand));
    level->request_seats_max = std::max(1, std::min((nominal * 15 + 99) / 100, nominal / hand));
  }
  deal_seats(shares);
  for (const auto& [name, level] : levels_) {
    level->queues.configure(level->options, std::max(1, level->share.current), loop_.now());
    admit(*level, false);
  }
}

void FlowControl::configure() {
  configured_ = true;
  configure_levels();
  configure_queues();
  schemas_.clear();
  for (const codec::Value& object : registry_.list(kSchemas)) {
    const codec::Value& spec = object["spec"];
    schemas_.push_back({std::string(model::uid_of(object)), std::string(model::name_of(object)),
                        spec["priorityLevelConfiguration"]["name"].str(),
                        spec["distinguisherMethod"]["type"].str(),
                        spec["matchingPrecedence"].as_int(1000), spec["rules"]});
  }
  std::sort(schemas_.begin(), schemas_.end(), [](const Schema& a, const Schema& b) {
    return a.precedence != b.precedence ? a.precedence < b.precedence : a.name < b.name;
  });
}

// At the end of a period levels with little demand lend what others ask for.
void FlowControl::lend() {
  for (const auto& [name, level] : levels_)
    note_demand(level->share, level->queues.demand().end_period(loop_.now()));
  std::vector<SeatShare*> shares;
  for (const auto& [name, level] : levels_) shares.push_back(&level->share);
  deal_seats(shares);
  for (const auto& [name, level] : levels_) {
    level->queues.configure(level->options, std::max(1, level->share.current), loop_.now());
    admit(*level, false);
  }
  std::erase_if(levels_,
                [](const auto& one) { return one.second->gone && one.second->queues.idle(); });
}

void FlowControl::lend_later() {
  if (lending_timer_) return;
  lending_timer_ = loop_.call_at(loop_.now() + kLendingPeriod, [this] {
    lending_timer_.reset();
    lend();
    lend_later();
  });
}

const FlowControl::Schema* FlowControl::classify(const registry::Identity& who,
                                                 const RequestInfo& info) const {
  for (const Schema& schema : schemas_) {
    const auto level = levels_.find(schema.level);
    if (level == levels_.end() || level->second->gone) continue;
    const auto& rules = schema.rules.elements();
    if (std::any_of(rules.begin(), rules.end(),
                    [&](const codec::Value& rule) { return rule_fits(rule, who, info); }))
      return &schema;
  }
  return nullptr;
}

void FlowControl::submit(const Asked& asked, Class& result, std::function<void(Seat)> run,
                         std::function<void(int)> refuse_call) {
  if (!configured_) configure();
  const Schema* schema = classify(asked.who, asked.info);
  if (schema == nullptr) {  // somebody deleted even the last resort
    return run(nullptr);
  }
  const std::shared_ptr<Level> level = levels_.at(schema->level);
  result = {schema->uid, level->uid};
  const Instant now = loop_.now();
  auto turn = std::make_shared<Turn>();
  turn->level = level;
  turn->run = std::move(run);
  turn->arrived = now;
  const WorkEstimates::Estimate estimate =
      estimates_.of(asked.info, asked.query, level->request_seats_max, asked.streamed);
  turn->work = estimate.work;
  turn->slow = estimate.slow;
  std::uint64_t flow = 0;
  if (level->options.queues > 0) {
    const std::string_view distinct = schema->by == "ByUser"        ? asked.who.user
                                      : schema->by == "ByNamespace" ? asked.info.namespace_
                                                                    : std::string_view();
    flow = hash_of(schema->name + "," + std::string(distinct));
  }
  lend_later();
  if (!level->queues.arrive(turn, flow, now + options_.wait_max, now))
    return refuse(*level, refuse_call);
  turn->refuse = std::move(refuse_call);
  admit(*level, true);
  if (level->queues.waiting() > 0) expire_soon();
}

void FlowControl::admit(Level& level, bool now) {
  for (FairQueues::RequestPtr& one : level.queues.started()) {
    auto turn = std::static_pointer_cast<Turn>(std::move(one));
    if (now && !turn->slow && !running_ && admitted_.empty()) {
      start(turn);
    } else {
      (turn->slow ? admitted_slow_ : admitted_).push_back(std::move(turn));
      run_soon();
    }
  }
}

void FlowControl::run_soon() {
  if (std::exchange(posted_, true)) return;
  loop_.post([this, alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired()) return;
    posted_ = false;
    run_admitted();
  });
}

void FlowControl::run_admitted() {
  running_ = true;
  for (std::size_t i = 0; i < kRunMax && !admitted_.empty(); ++i) {
    const std::shared_ptr<Turn> turn = std::move(admitted_.front());
    admitted_.pop_front();
    start(turn);
  }
  if (!admitted_slow_.empty()) {
    const std::shared_ptr<Turn> turn = std::move(admitted_slow_.front());
    admitted_slow_.pop_front();
    start(turn);
  }
  running_ = false;
  if (!admitted_.empty() || !admitted_slow_.empty()) run_soon();
}

void FlowControl::start(const std::shared_ptr<Turn>& turn) {
  Level& level = *turn->level;
  ++level.dispatched;
  const std::int64_t waited = (loop_.now() - turn->arrived).count_nanoseconds() / 1000;
  const auto bound = std::lower_bound(kWaitBounds.begin(), kWaitBounds.end(), waited / 1000);
  ++level.waits[static_cast<std::size_t>(bound - kWaitBounds.begin())];
  level.wait_microseconds += waited;
  const std::function<void(Seat)> run = std::exchange(turn->run, nullptr);
  turn->refuse = nullptr;
  run(std::make_shared<Held>(*this, turn));
}

void FlowControl::refuse(Level& level, const std::function<void(int)>& refuse) {
  ++level.rejected;
  level.refusals.count(loop_.now());
  refuse(level.refusals.seconds());
}

// Called from within the answer of whoever leaves; those who follow begin in another turn.
void FlowControl::finish(const std::shared_ptr<Turn>& turn) {
  const Duration after = turn->level->queues.finish(turn, loop_.now());
  if (after > Duration()) {
    leaving_.emplace(loop_.now() + after, turn);
    leave_later();
  }
  admit(*turn->level, false);
}

void FlowControl::leave_later() {
  if (leaving_.empty()) return;
  leaving_timer_ = loop_.call_at(leaving_.begin()->first, [this] {
    while (!leaving_.empty() && leaving_.begin()->first <= loop_.now()) {
      const std::shared_ptr<Turn> turn = leaving_.begin()->second;
      leaving_.erase(leaving_.begin());
      turn->level->queues.leave(turn, loop_.now());
      admit(*turn->level, false);
    }
    leave_later();
  });
}

void FlowControl::expire_soon() {
  if (expiry_timer_) return;
  expiry_timer_ = loop_.call_at(loop_.now() + kExpiryPeriod, [this] {
    expiry_timer_.reset();
    expire();
  });
}

void FlowControl::expire() {
  bool left = false;
  std::vector<std::shared_ptr<Turn>> expired;
  for (auto& [name, level] : levels_) {
    for (FairQueues::RequestPtr& one : level->queues.expire(loop_.now()))
      expired.push_back(std::static_pointer_cast<Turn>(std::move(one)));
    admit(*level, false);
    left = left || level->queues.waiting() > 0;
  }
  if (left) expire_soon();
  for (const auto& turn : expired) refuse(*turn->level, std::exchange(turn->refuse, nullptr));
}

std::map<std::string, FlowControl::LevelState> FlowControl::levels() const {
  std::map<std::string, LevelState> out;
  for (const auto& [name, level] : levels_)
    out[name] = {level->share.nominal,    level->queues.seats(),   level->queues.seats_used(),
                 level->queues.at_work(), level->queues.waiting(), level->rejected,
                 level->dispatched};
  return out;
}

std::string FlowControl::metrics() const {
  std::string out;
  const auto gauge = [&](std::string_view name, std::string_view type, std::string_view help,
                         const std::function<std::string(const Level&)>& value) {
    const std::string full = "apiserver_flowcontrol_" + std::string(name);
    out += "# HELP " + full + " " + std::string(help) + "\n# TYPE " + full + " " +
           std::string(type) + "\n";
    for (const auto& [level_name, level] : levels_)
      out += full + "{priority_level=" + quote(level_name) + "} " + value(*level) + "\n";
  };
  const auto number = [](auto n) { return std::to_string(n); };
  gauge("nominal_limit_seats", "gauge", "Seats by share.",
        [&](const Level& level) { return number(level.share.nominal); });
  gauge("current_limit_seats", "gauge", "Seats with what is lent and borrowed.",
        [&](const Level& level) { return number(level.queues.seats()); });
  gauge("current_executing_seats", "gauge", "Seats in use.",
        [&](const Level& level) { return number(level.queues.seats_used()); });
  gauge("current_executing_requests", "gauge", "Requests under way.",
        [&](const Level& level) { return number(level.queues.at_work()); });
  gauge("current_inqueue_requests", "gauge", "Requests that wait for a seat.",
        [&](const Level& level) { return number(level.queues.waiting()); });
  gauge("dispatched_requests_total", "counter", "Requests that got a seat.",
        [&](const Level& level) { return number(level.dispatched); });
  gauge("rejected_requests_total", "counter", "Requests that were refused (429).",
        [&](const Level& level) { return number(level.rejected); });
  const std::string wait = "apiserver_flowcontrol_request_wait_duration_seconds";
  out += "# HELP " + wait + " Time spent waiting for a seat.\n# TYPE " + wait + " histogram\n";
  for (const auto& [name, level] : levels_) {
    const std::string label = "{priority_level=" + quote(name);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < level->waits.size(); ++i) {
      sum += level->waits[i];
      const std::string bound = i < kWaitBounds.size() ? milliseconds_text(kWaitBounds[i]) : "+Inf";
      out += wait + "_bucket" + label + ",le=\"" + bound + "\"} " + number(sum) + "\n";
    }
    out += wait + "_sum" + label + "} " + milliseconds_text(level->wait_microseconds / 1000) +
           "\n" + wait + "_count" + label + "} " + number(sum) + "\n";
  }
  return out;
}

}  // namespace keelson::api
