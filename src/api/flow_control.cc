#include "api/flow_control.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "model/meta.h"

namespace keelson::api {
namespace {

constexpr std::string_view kSchemas = "flowschemas.flowcontrol.apiserver.k8s.io";
constexpr std::string_view kLevels = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io";
constexpr std::string_view kAccountPrefix = "system:serviceaccount:";
constexpr Duration kExpiryPeriod = Duration::seconds(1);

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

// FNV-1a: the same flow meets the same queues in every run.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

}  // namespace

struct FlowControl::Waiting {
  std::function<void(Seat)> run;
  std::function<void()> refuse;
  Instant deadline;
};

struct FlowControl::Level {
  std::string uid;
  bool exempt = false, queues_used = false;
  int seats = 1, executing = 0;
  std::size_t queue_length_max = 50, hand = 8;
  std::vector<std::deque<Waiting>> queues;
  std::size_t next = 0, waiting = 0;
  std::uint64_t rejected = 0, dispatched = 0;
};

struct FlowControl::Schema {
  std::string uid, name, level;
  std::string by;  // "ByUser", "ByNamespace" or empty
  std::int64_t precedence = 0;
  codec::Value rules;
};

FlowControl::FlowControl(host::Loop& loop, registry::Registry& registry, FlowOptions options)
    : loop_(loop), registry_(registry), options_(options) {
  for (const std::string_view resource : {"flowschemas", "prioritylevelconfigurations"}) {
    registry::Request request;
    request.verb = registry::Verb::watch;
    request.group = "flowcontrol.apiserver.k8s.io";
    request.version = "v1";
    request.resource = resource;
    request.identity.groups = {"system:masters"};
    auto watcher = registry_.watch(request);
    if (!watcher.ok()) continue;
    registry::Watcher* raw = watcher->get();
    while (!raw->take(256).empty()) {}
    raw->on_ready([this, raw] {
      while (!raw->take(256).empty()) configured_ = false;
    });
    watchers_.push_back(std::move(watcher).value());
  }
}

FlowControl::~FlowControl() = default;

void FlowControl::configure() {
  configured_ = true;
  std::int64_t shares_all = 0;
  const std::vector<codec::Value> levels = registry_.list(kLevels);
  const auto shares_of = [](const codec::Value& level) {
    const codec::Value& spec = level["spec"];
    const bool exempt = spec["type"].as_string() == "Exempt";
    return spec[exempt ? "exempt" : "limited"]["nominalConcurrencyShares"].as_int(exempt ? 0 : 30);
  };
  for (const codec::Value& level : levels) shares_all += shares_of(level);
  std::map<std::string, std::shared_ptr<Level>> fresh;
  for (const codec::Value& object : levels) {
    const std::string name(model::name_of(object));
    // Who waits or is under way stays with the level when its rules change.
    std::shared_ptr<Level>& level = fresh[name] = levels_[name];
    if (!level) level = std::make_shared<Level>();
    const codec::Value& spec = object["spec"];
    const codec::Value& response = spec["limited"]["limitResponse"];
    level->uid = model::uid_of(object);
    level->exempt = spec["type"].as_string() == "Exempt";
    const std::int64_t share = shares_of(object) * options_.requests_max;
    level->seats = static_cast<int>(
        std::max<std::int64_t>(1, shares_all == 0 ? 1 : (share + shares_all - 1) / shares_all));
    level->queues_used = response["type"].as_string() == "Queue";
    const codec::Value& queuing = response["queuing"];
    const auto count = static_cast<std::size_t>(queuing["queues"].as_int(64));
    level->hand = static_cast<std::size_t>(queuing["handSize"].as_int(8));
    level->queue_length_max = static_cast<std::size_t>(queuing["queueLengthLimit"].as_int(50));
    if (level->queues.size() < count) level->queues.resize(count);
  }
  levels_ = std::move(fresh);
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

const FlowControl::Schema* FlowControl::classify(const registry::Identity& who,
                                                 const RequestInfo& info) const {
  for (const Schema& schema : schemas_) {
    if (!levels_.contains(schema.level)) continue;
    const auto& rules = schema.rules.elements();
    if (std::any_of(rules.begin(), rules.end(),
                    [&](const codec::Value& rule) { return rule_fits(rule, who, info); }))
      return &schema;
  }
  return nullptr;
}

void FlowControl::submit(const registry::Identity& who, const RequestInfo& info, Class& result,
                         std::function<void(Seat)> run, std::function<void()> refuse) {
  if (!configured_) configure();
  const Schema* schema = classify(who, info);
  if (schema == nullptr) {  // somebody deleted even the last resort
    return run(nullptr);
  }
  const std::shared_ptr<Level> level = levels_.at(schema->level);
  result = {schema->uid, level->uid};
  if (level->exempt) {
    ++level->dispatched;
    run(nullptr);
  } else if (level->executing < level->seats && level->waiting == 0) {
    start(level, std::move(run));
  } else if (!level->queues_used) {
    ++level->rejected;
    refuse();
  } else {
    const std::string flow = schema->name + "/" +
                             (schema->by == "ByUser"        ? who.user
                              : schema->by == "ByNamespace" ? info.namespace_
                                                            : std::string());
    enqueue(level, flow, {std::move(run), std::move(refuse), loop_.now() + options_.wait_max});
  }
}

// Shuffle sharding: a flow has a hand of queues, and the shortest of them takes its request; so a
// flow that fills all its queues leaves others some of theirs.
void FlowControl::enqueue(const std::shared_ptr<Level>& level, const std::string& flow,
                          Waiting waiting) {
  std::uint64_t hash = hash_of(flow);
  const std::size_t count = level->queues.size();
  std::size_t best = 0, best_length = SIZE_MAX;
  for (std::size_t card = 0; card < std::min(level->hand, count); ++card) {
    const std::size_t at = (hash + card * (hash >> 32 | 1)) % count;
    if (level->queues[at].size() < best_length) {
      best = at;
      best_length = level->queues[at].size();
    }
  }
  if (best_length >= level->queue_length_max) {
    ++level->rejected;
    return waiting.refuse();
  }
  level->queues[best].push_back(std::move(waiting));
  ++level->waiting;
  expire_soon();
}

void FlowControl::start(const std::shared_ptr<Level>& level, std::function<void(Seat)> run) {
  ++level->executing;
  ++level->dispatched;
  // The seat may outlive this object.
  run(Seat(level.get(), [this, level, alive = std::weak_ptr<int>(alive_)](void*) {
    --level->executing;
    if (alive.expired() || level->waiting == 0) return;
    // Not from within the answer of whoever leaves.
    loop_.post([this, level, alive] {
      if (!alive.expired()) dispatch(level);
    });
  }));
}

void FlowControl::dispatch(const std::shared_ptr<Level>& level) {
  while (level->waiting > 0 && level->executing < level->seats) {
    while (level->queues[level->next % level->queues.size()].empty()) ++level->next;
    std::deque<Waiting>& queue = level->queues[level->next++ % level->queues.size()];
    Waiting one = std::move(queue.front());
    queue.pop_front();
    --level->waiting;
    start(level, std::move(one.run));
  }
}

void FlowControl::expire_soon() {
  if (timer_) return;
  timer_ = loop_.call_at(loop_.now() + kExpiryPeriod, [this] {
    timer_.reset();
    expire();
  });
}

void FlowControl::expire() {
  const Instant now = loop_.now();
  std::vector<std::function<void()>> refusals;
  bool left = false;
  for (auto& [name, level] : levels_) {
    for (std::deque<Waiting>& queue : level->queues)
      while (!queue.empty() && queue.front().deadline <= now) {
        refusals.push_back(std::move(queue.front().refuse));
        queue.pop_front();
        --level->waiting;
        ++level->rejected;
      }
    left = left || level->waiting > 0;
  }
  if (left) expire_soon();
  for (const auto& refuse : refusals) refuse();
}

std::map<std::string, FlowControl::LevelState> FlowControl::levels() const {
  std::map<std::string, LevelState> out;
  for (const auto& [name, level] : levels_)
    out[name] = {level->seats, level->executing, level->waiting, level->rejected,
                 level->dispatched};
  return out;
}

}  // namespace keelson::api
