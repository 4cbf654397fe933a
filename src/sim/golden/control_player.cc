// See control_player.h.
#include "sim/golden/control_player.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <set>

#include "base/text.h"
#include "codec/json.h"
#include "control/common/kinds.h"
#include "control/cronjob/cronjob.h"
#include "control/disruption/disruption.h"
#include "control/endpointslice/endpointslice.h"
#include "control/job/job.h"
#include "control/nodelifecycle/nodelifecycle.h"
#include "control/podgc/podgc.h"
#include "control/resourcequota/resourcequota.h"
#include "control/tainteviction/tainteviction.h"
#include "control/ttlafterfinished/ttlafterfinished.h"
#include "host/virtual_loop.h"
#include "model/meta.h"
#include "runtime/manager.h"
#include "sim/golden/control_environment.h"
#include "sim/golden/control_picture.h"
#include "sim/golden/differences.h"
#include "sim/golden/stage.h"
#include "sim/golden/world.h"

namespace keelson::sim::golden {
namespace {

constexpr int kRoundsMax = 10'000;  // of one instant; more is a loop without end

Duration seconds_of(const Value& t) {
  return Duration::milliseconds(
      static_cast<std::int64_t>(t.as_double() * 1000 + (t.as_double() < 0 ? -0.5 : 0.5)));
}

Instant start_of(const Value& scenario) {
  return parse_rfc3339(scenario["start"].as_string())
      .value_or(Instant::unix_seconds(1'767'225'600));
}

// "@12.3" is the time at second 12.3.
Value with_times(const Value& value, Instant start) {
  if (value.is_string() && value.as_string().starts_with('@')) {
    const std::string_view text = value.as_string().substr(1);
    double seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || end != text.data() + text.size()) return value;
    return to_rfc3339(start + seconds_of(seconds));
  }
  if (value.is_array()) {
    Value all = Value::array();
    for (const Value& one : value.elements()) all.push_back(with_times(one, start));
    return all;
  }
  if (!value.is_object()) return value;
  Value all = Value::object();
  for (const codec::Member& m : value.members()) all.set(m.key(), with_times(m.value, start));
  return all;
}

std::unique_ptr<cluster::Controller> controller_of(std::string_view name, const Value& options) {
  if (name == "endpointslice") {
    control::EndpointSliceOptions own;
    if (options.has("maxEndpointsPerSlice"))
      own.endpoints_max = static_cast<std::size_t>(options["maxEndpointsPerSlice"].as_int());
    own.batch_period = seconds_of(options["endpointUpdatesBatchPeriod"]);
    return std::make_unique<control::EndpointSliceController>(own);
  }
  if (name == "nodelifecycle") {
    control::NodeLifecycleOptions own;
    if (const Value& rate = options["nodeEvictionRate"]; !rate.is_null())
      own.eviction_rate = rate.as_double();
    if (const Value& rate = options["secondaryNodeEvictionRate"]; !rate.is_null())
      own.eviction_rate_secondary = rate.as_double();
    own.cluster_size_large = options["largeClusterSizeThreshold"].as_int(own.cluster_size_large);
    if (const Value& share = options["unhealthyZoneThreshold"]; !share.is_null())
      own.unhealthy_share = share.as_double();
    return std::make_unique<control::NodeLifecycleController>(own);
  }
  if (name == "tainteviction") return std::make_unique<control::TaintEvictionController>();
  if (name == "podgc") {
    control::PodGcOptions own;
    if (const Value& most = options["terminatedPodGCThreshold"]; !most.is_null())
      own.finished_max = static_cast<std::size_t>(most.as_int());
    return std::make_unique<control::PodGcController>(own);
  }
  static const std::vector<control::ObjectKind> kinds = control::object_kinds(model::TypeTable());
  if (name == "job") return std::make_unique<control::JobController>();
  if (name == "cronjob") return std::make_unique<control::CronJobController>();
  if (name == "ttl") return std::make_unique<control::TtlAfterFinishedController>();
  if (name == "disruption") return std::make_unique<control::DisruptionController>(kinds);
  if (name == "resourcequota") {
    // The kinds that the controller of the recordings saw.
    constexpr std::string_view kSeen[] = {"pods",
                                          "services",
                                          "persistentvolumeclaims",
                                          "configmaps",
                                          "secrets",
                                          "jobs.batch",
                                          "cronjobs.batch",
                                          "replicationcontrollers",
                                          "deployments.apps",
                                          "replicasets.apps",
                                          "statefulsets.apps",
                                          "resourcequotas"};
    std::vector<control::ObjectKind> seen = kinds;
    std::erase_if(seen, [&](const control::ObjectKind& kind) {
      return std::find(std::begin(kSeen), std::end(kSeen), kind.resource) == std::end(kSeen);
    });
    return std::make_unique<control::ResourceQuotaController>(std::move(seen));
  }
  return nullptr;
}

std::set<std::string> names_in(const Value& list) {
  std::set<std::string> names;
  for (const Value& name : list.elements()) names.insert(name.str());
  return names;
}

class ControlGame : public Audience {
 public:
  explicit ControlGame(const Value& scenario)
      : scenario_(scenario),
        start_(start_of(scenario)),
        loop_(start_),
        world_(loop_, {.names_counted = true,
                       .default_tolerations = true,
                       .real_rules = true,
                       .first_repeat_counts = true}),
        stage_(loop_, world_, *this, false),
        picture_(world_, start_, names_in(scenario["controllers"])) {
    stage_.answer_later();
  }

  std::vector<Value> play();  // the entries
  const std::string& error() const { return error_; }
  void event(const cluster::EventNote& event) override { picture_.event(event); }

 private:
  void start_controllers();
  void settle();
  void act(const Value& action);
  void patch(const Value& action, bool status);
  void begin(Instant t);
  std::optional<Instant> next() const;
  void fail(std::string message) {
    if (error_.empty()) error_ = std::move(message);
  }
  void expect(const Result<Value>& result) {
    if (!result.ok()) fail("refused: " + result.error().message);
  }

  const Value& scenario_;
  Instant start_;
  host::VirtualLoop loop_;
  World world_;
  Stage stage_;
  ControlPicture picture_;
  std::optional<ControlEnvironment> environment_;
  std::unique_ptr<runtime::Manager> manager_;
  std::size_t next_action_ = 0;
  std::string error_;
};

void ControlGame::start_controllers() {
  manager_ = std::make_unique<runtime::Manager>(loop_, stage_, 1);
  for (const Value& name : scenario_["controllers"].elements()) {
    auto controller = controller_of(name.as_string(), scenario_["options"]);
    if (controller == nullptr) return fail("no controller " + name.str());
    manager_->add(std::move(controller));
  }
}

// Until nothing changes any more at this instant.
void ControlGame::settle() {
  for (int round = 0; round < kRoundsMax; ++round) {
    stage_.deliver_changes();
    loop_.run_ready();
    environment_->advance();
    const bool collected = world_.collect_garbage();
    if (!world_.has_changes() && !collected) return;
  }
  fail("the controllers do not come to rest");
}

void ControlGame::patch(const Value& action, bool status) {
  const std::string_view kind = action["kind"].as_string();
  const std::string_view resource = resource_of_kind(kind);
  const Value object =
      world_.get(resource, kind == "Node" ? "" : "default", action["name"].as_string());
  if (object.is_null()) return fail("a patch of nothing: " + codec::to_json(action));
  Value change = with_times(action["patch"], start_);
  // Conditions of a status are merged by type.
  if (const Value& new_ones = change["status"]["conditions"]; status && new_ones.is_array()) {
    Value all =
        object["status"]["conditions"].is_array() ? object["status"]["conditions"] : Value::array();
    for (const Value& one : new_ones.elements()) {
      std::size_t i = 0;
      while (i < all.size() && !(all[i]["type"] == one["type"])) ++i;
      if (i == all.size())
        all.push_back(one);
      else
        merge_patch(all.edit(i), one);
    }
    change.edit("status").set("conditions", all);
  }
  cluster::Write write;
  write.verb = cluster::Write::Verb::merge_patch;
  write.resource = resource;
  write.namespace_ = model::namespace_of(object);
  write.name = model::name_of(object);
  if (status) write.subresource = "status";
  write.object = change;
  expect(world_.commit(write));
}

void ControlGame::act(const Value& action) {
  const std::string_view what = action["do"].as_string();
  if (what == "create") {
    expect(world_.create(with_times(action["object"], start_)));
  } else if (what == "patch" || what == "patchStatus") {
    patch(action, what == "patchStatus");
  } else if (what == "delete") {
    cluster::Write write;
    write.verb = cluster::Write::Verb::remove;
    write.resource = resource_of_kind(action["kind"].as_string());
    write.namespace_ = action["kind"].as_string() == "Node" ? "" : "default";
    write.name = action["name"].str();
    write.propagation = action["propagation"].str();
    if (action.has("grace")) write.grace_seconds = action["grace"].as_int();
    expect(world_.commit(write));
  } else if (what == "controllersDown") {
    manager_.reset();
  } else if (what == "controllersUp") {
    start_controllers();
  } else {
    fail("unknown action " + std::string(what));
  }
}

// What the recording lays down for this time, before any work of controllers.
void ControlGame::begin(Instant t) {
  environment_->advance();
  const Value& timeline = scenario_["timeline"];
  for (; next_action_ < timeline.size() && start_ + seconds_of(timeline[next_action_]["t"]) <= t &&
         error_.empty();
       ++next_action_)
    act(timeline[next_action_]);
}

std::optional<Instant> ControlGame::next() const {
  std::optional<Instant> next = environment_->next_due();
  const Value& timeline = scenario_["timeline"];
  if (next_action_ < timeline.size()) {
    const Instant action = start_ + seconds_of(timeline[next_action_]["t"]);
    next = next ? std::min(*next, action) : action;
  }
  return next;
}

std::vector<Value> ControlGame::play() {
  std::vector<Value> entries;
  // Owners first: the recorded references name them by uids that count from 1.
  for (const bool owned : {false, true})
    for (const Value& object : scenario_["objects"].elements())
      if (object["metadata"]["ownerReferences"].empty() != owned)
        expect(world_.create(with_times(object, start_)));
  environment_.emplace(world_, scenario_, start_);
  start_controllers();
  const Instant end = start_ + seconds_of(scenario_["end"]);
  for (Instant t = start_; t <= end && error_.empty();) {
    // What the controllers had planned for this time comes before what happens to them.
    loop_.run_until(t);
    begin(t);
    settle();
    if (Value entry = picture_.take(); !entry.is_null()) {
      entry.set("t", static_cast<double>((t - start_).count_milliseconds()) / 1000);
      entries.push_back(std::move(entry));
    }
    const Instant own = next().value_or(Instant::max());
    t = std::max(std::min(own, loop_.next()), loop_.now() + Duration::nanoseconds(1));
  }
  return entries;
}

// Lists whose order the recordings sort in their own way. Some are told in their own order.
Value in_order(const Value& value) {
  if (value.is_object()) {
    Value all = Value::object();
    for (const codec::Member& m : value.members()) {
      const bool told = m.key() == "conditions" || m.key() == "active" || m.key() == "finalizers";
      all.set(m.key(), told ? m.value : in_order(m.value));
    }
    return all;
  }
  if (!value.is_array()) return value;
  std::vector<Value> list;
  for (const Value& one : value.elements()) list.push_back(in_order(one));
  std::sort(list.begin(), list.end(),
            [](const Value& a, const Value& b) { return codec::to_json(a) < codec::to_json(b); });
  Value all = Value::array();
  for (Value& one : list) all.push_back(std::move(one));
  return all;
}

}  // namespace

ScenarioResult play_control(const Value& scenario) {
  constexpr std::size_t kShown = 6;
  ScenarioResult result{scenario["name"].str(), false, {}};
  ControlGame game(scenario);
  const std::vector<Value> entries = game.play();
  const Value& want = scenario["want"];
  std::vector<std::string> lines;
  if (!game.error().empty()) lines.push_back(game.error());
  for (std::size_t i = 0; i < std::max(entries.size(), want.size()) && lines.empty(); ++i) {
    const std::string where = "state " + std::to_string(i);
    if (i >= entries.size())
      lines.push_back(where + ": want " + codec::to_json(want[i]) + ", got none");
    else if (i >= want.size())
      lines.push_back(where + ": want none, got " + codec::to_json(entries[i]));
    else
      differences(where + " t=" + codec::to_json(want[i]["t"]), in_order(want[i]),
                  in_order(entries[i]), kShown, lines);
  }
  result.passed = lines.empty();
  result.difference = join(lines, "\n");
  return result;
}

bool is_control_recording(const Value& file) {
  const Value& first = file["scenarios"][0];
  return first["controllers"].is_array() && first["want"].is_array() && first.has("end");
}

bool can_play_control(const Value& scenario) {
  for (const Value& name : scenario["controllers"].elements())
    if (controller_of(name.as_string(), {}) == nullptr) return false;
  return true;
}

}  // namespace keelson::sim::golden
