// See workload_player.h.
#include "sim/golden/workload_player.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/text.h"
#include "codec/json.h"
#include "control/daemonset/daemonset.h"
#include "control/deployment/deployment.h"
#include "control/replicaset/replicaset.h"
#include "control/statefulset/statefulset.h"
#include "host/virtual_loop.h"
#include "model/meta.h"
#include "runtime/manager.h"
#include "sim/golden/differences.h"
#include "sim/golden/kubelet.h"
#include "sim/golden/picture.h"
#include "sim/golden/stage.h"
#include "sim/golden/world.h"

namespace keelson::sim::golden {
namespace {

const Instant kStart = Instant::unix_seconds(946684800);  // 2000-01-01T00:00:00Z
constexpr Duration kSameInstant = Duration::milliseconds(500);
constexpr int kRoundsMax = 10'000;  // of one instant; more is a loop without end

Instant at_seconds(const Value& t) {
  return kStart + Duration::nanoseconds(static_cast<std::int64_t>(t.as_double() * 1e9));
}

class Watcher : public Audience {
 public:
  Watcher(Kubelet& kubelet, Picture& picture) : kubelet_(kubelet), picture_(picture) {}
  void event(const cluster::EventNote& event) override { picture_.event(event); }
  void made(const Change& change, bool by_hand) override { picture_.made(change, by_hand); }
  void refused(const cluster::Write& creation, const std::string& message) override {
    picture_.refused(creation, message);
  }
  bool bind() override { return kubelet_.bind(); }

 private:
  Kubelet& kubelet_;
  Picture& picture_;
};

class Game {
 public:
  explicit Game(const Value& scenario);
  std::vector<Value> play();  // the states
  std::string error() const { return error_; }

 private:
  void act(const Value& action);
  void act_on_pod(std::string_view what, const Value& action);
  void undo(const Value& action);
  void commit_by_hand(const cluster::Write& write);
  void begin(Instant t);
  void settle();
  Value object_of(const Value& action) const;
  std::optional<Instant> next_retry() const;  // or delayed sync
  std::optional<Instant> next_due() const;    // pods and actions
  void fail(std::string message) {
    if (error_.empty()) error_ = std::move(message);
  }

  const Value& scenario_;
  host::VirtualLoop loop_{kStart};
  World world_{loop_};
  Kubelet kubelet_;
  Picture picture_;
  Watcher watcher_{kubelet_, picture_};
  Stage stage_{loop_, world_, watcher_, true};
  runtime::Manager manager_;
  bool begun_ = false;
  std::size_t next_action_ = 0;
  std::string error_;
};

Game::Game(const Value& scenario)
    : scenario_(scenario),
      kubelet_(world_, scenario["nodes"].as_int(1)),
      picture_(world_, kubelet_, scenario["nodes"].as_int(1) > 1, kStart),
      manager_(loop_, stage_, 1) {
  // In order of precedence.
  manager_.add(std::make_unique<control::DeploymentController>());
  manager_.add(std::make_unique<control::ReplicaSetController>());
  manager_.add(std::make_unique<control::StatefulSetController>());
  manager_.add(std::make_unique<control::DaemonSetController>());
  for (const Value& rule : scenario["rules"].elements()) kubelet_.add_rule(rule);
}

// What the recording lays down for this time: pods that are due, then its actions. It happens on
// the loop before any work of controllers at the same time, which is always posted behind it.
void Game::begin(Instant t) {
  const Value& timeline = scenario_["timeline"];
  kubelet_.advance();
  stage_.note_made(true);
  if (!std::exchange(begun_, true))
    for (const Value& object : scenario_["objects"].elements()) {
      const Result<Value> created = world_.create(object);
      if (!created.ok()) fail("an object was refused: " + created.error().message);
      stage_.note_made(true);
    }
  for (; next_action_ < timeline.size() && at_seconds(timeline[next_action_]["t"]) <= t;
       ++next_action_) {
    act(timeline[next_action_]);
    stage_.note_made(true);
  }
  stage_.deliver_changes();
}

// Until nothing changes any more at this instant.
void Game::settle() {
  for (int round = 0; round < kRoundsMax; ++round) {
    loop_.run_ready();
    if (!kubelet_.advance() && !stage_.announce_node() && !world_.collect_garbage()) return;
    stage_.deliver_changes();
  }
  fail("the controllers do not come to rest");
}

Value Game::object_of(const Value& action) const {
  const std::string kind = action.has("kind") ? action["kind"].str() : "Pod";
  const std::string name = action.has("name") ? action["name"].str() : action["pod"].str();
  return world_.get(resource_of_kind(kind), kind == "Node" ? "" : "default",
                    picture_.real_name(kind, name));
}

void Game::commit_by_hand(const cluster::Write& write) {
  const Result<Value> result = world_.commit(write);
  if (!result.ok()) fail("an action was refused: " + result.error().message);
}

cluster::Write write_to(const Value& object, cluster::Write::Verb verb) {
  cluster::Write write;
  write.verb = verb;
  write.resource = resource_of_kind(model::kind_of(object));
  write.namespace_ = model::namespace_of(object);
  write.name = model::name_of(object);
  return write;
}

void Game::act_on_pod(std::string_view what, const Value& action) {
  Value pod = object_of(action);
  if (pod.is_null()) return fail("an action names no pod: " + codec::to_json(action));
  if (what == "podNotReady") return kubelet_.hold_ready(pod, false);
  if (what == "podReady") return kubelet_.hold_ready(pod, true);
  if (what == "podFail") return kubelet_.finish(pod, "Failed");
  if (what == "podSucceed") return kubelet_.finish(pod, "Succeeded");
  if (what == "podRemove") return world_.erase("pods", pod);
  pod.edit("status").set(
      "containerStatuses",
      Value::array({Value::object({{"name", "c"}, {"restartCount", action["count"]}})}));
  world_.put("pods", pod);
}

// kubectl rollout undo: the template of an older revision.
void Game::undo(const Value& action) {
  Value deployment = world_.get("deployments.apps", "default", action["name"].as_string());
  std::vector<std::pair<std::int64_t, Value>> revisions;
  for (const Value& one : world_.owned_by("replicasets.apps", model::uid_of(deployment)))
    revisions.emplace_back(
        parse_int(model::annotation_of(one, "deployment.kubernetes.io/revision")).value_or(0), one);
  std::sort(revisions.begin(), revisions.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  const Value* target = nullptr;
  for (std::size_t i = 0; i < revisions.size(); ++i)
    if (action.has("toRevision") ? revisions[i].first == action["toRevision"].as_int() : i == 1)
      target = &revisions[i].second;
  if (target == nullptr) return fail("there is no revision to go back to");
  Value pod_template = (*target)["spec"]["template"];
  pod_template.edit("metadata").edit("labels").erase("pod-template-hash");
  deployment.edit("spec").set("template", pod_template);
  cluster::Write write = write_to(deployment, cluster::Write::Verb::update);
  write.object = deployment;
  commit_by_hand(write);
}

void Game::act(const Value& action) {
  const std::string_view what = action["do"].as_string();
  if (what == "create") {
    const Result<Value> created = world_.create(action["object"]);
    if (!created.ok()) fail("an action was refused: " + created.error().message);
  } else if (what == "rule") {
    kubelet_.add_rule(action);
  } else if (what == "quota") {
    world_.set_quota(action.has("pods") ? std::optional(action["pods"].as_int()) : std::nullopt);
  } else if (what == "failCreate") {
    world_.refuse(action["resource"].str(), action["message"].str());
  } else if (what == "undo") {
    undo(action);
  } else if (what.starts_with("pod")) {
    act_on_pod(what, action);
  } else if (what == "patch" || what == "delete") {
    const Value object = object_of(action);
    if (object.is_null()) return fail("an action names nothing: " + codec::to_json(action));
    cluster::Write write = write_to(
        object, what == "patch" ? cluster::Write::Verb::merge_patch : cluster::Write::Verb::remove);
    write.object = action["patch"];
    if (action["cascade"].as_string() == "orphan") write.propagation = "Orphan";
    commit_by_hand(write);
  } else {
    fail("unknown action " + std::string(what));
  }
}

std::optional<Instant> earlier(std::optional<Instant> a, std::optional<Instant> b) {
  return a && b ? std::min(*a, *b) : a ? a : b;
}

std::optional<Instant> Game::next_retry() const {
  return loop_.next() == Instant::max() ? std::nullopt : std::optional(loop_.next());
}

std::optional<Instant> Game::next_due() const {
  std::optional<Instant> next = kubelet_.next_due();
  if (next_action_ < scenario_["timeline"].size())
    next = earlier(next, at_seconds(scenario_["timeline"][next_action_]["t"]));
  return next;
}

std::vector<Value> Game::play() {
  std::vector<Value> states;
  const Value& timeline = scenario_["timeline"];
  const double last = timeline.empty() ? 0 : timeline[timeline.size() - 1]["t"].as_double();
  const bool random = scenario_["name"].as_string().starts_with("random");
  const Instant until = scenario_.has("until") ? at_seconds(scenario_["until"])
                                               : at_seconds(last + (random ? 150 : 620));
  std::optional<Instant> t = kStart;
  while (t && *t < until && error_.empty()) {
    const auto beginning = loop_.call_at(*t, [&] { begin(*t); });
    loop_.run_until(*t);
    settle();
    // Retries that come close, with nothing else between, belong to the same instant.
    for (auto retry = next_retry();
         retry && *retry - world_.now() <= kSameInstant && error_.empty(); retry = next_retry()) {
      if (const auto due = next_due(); due && *due <= *retry) break;
      loop_.run_until(*retry);
      settle();
    }
    Value state = picture_.take(*t);
    Value without_time = state;
    without_time.set("t", Value());
    Value previous = states.empty() ? Value() : states.back();
    if (!previous.is_null()) {
      previous.set("t", Value());
      previous.erase("events");
    }
    if (state.has("events") || without_time != previous) states.push_back(std::move(state));
    t = earlier(next_due(), next_retry());
    if (t) t = std::max(*t, world_.now());  // a new rule may make something due in the past
  }
  return states;
}

}  // namespace

ScenarioResult play_workload(const Value& scenario) {
  constexpr std::size_t kShown = 6;
  ScenarioResult result{scenario["name"].str(), false, {}};
  Game game(scenario);
  const std::vector<Value> states = game.play();
  const Value& want = scenario["want"];
  std::vector<std::string> lines;
  if (!game.error().empty()) lines.push_back(game.error());
  for (std::size_t i = 0; i < std::max(states.size(), want.size()) && lines.empty(); ++i) {
    const std::string where = "state " + std::to_string(i);
    if (i >= states.size()) {
      lines.push_back(where + ": want one at t=" + codec::to_json(want[i]["t"]) + ", got none");
    } else if (i >= want.size()) {
      lines.push_back(where + ": want none, got " + codec::to_json(states[i]));
    } else {
      Value expected = want[i], got = states[i];
      expected.erase("varies");
      if (!expected.has("pods")) got.erase("pods");
      differences(where + " t=" + codec::to_json(expected["t"]), expected, got, kShown, lines);
    }
  }
  result.passed = lines.empty();
  result.difference = join(lines, "\n");
  return result;
}

bool is_workload_recording(const Value& file) {
  const Value& first = file["scenarios"][0];
  if (!first["objects"].is_array() || !first["want"].is_array()) return false;
  return first["want"][0]["podCounts"].is_object();
}

std::vector<ScenarioResult> play_workloads(const Value& file) {
  std::vector<ScenarioResult> results;
  for (const Value& scenario : file["scenarios"].elements())
    results.push_back(play_workload(scenario));
  return results;
}

}  // namespace keelson::sim::golden
