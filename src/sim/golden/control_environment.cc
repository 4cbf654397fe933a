// See control_environment.h.
#include "sim/golden/control_environment.h"

#include <algorithm>
#include <utility>

#include "model/meta.h"
#include "sim/golden/kubelet.h"

namespace keelson::sim::golden {
namespace {

constexpr Duration kStop = Duration::milliseconds(1300), kRenewal = Duration::seconds(10);
constexpr std::string_view kLeases = "leases.coordination.k8s.io", kLeaseSpace = "kube-node-lease";

std::optional<Instant> earlier(std::optional<Instant> a, std::optional<Instant> b) {
  return a && b ? std::min(*a, *b) : a ? a : b;
}

struct Good {
  const char *type, *status, *reason;
};
constexpr Good kGood[] = {{"MemoryPressure", "False", "KubeletHasSufficientMemory"},
                          {"DiskPressure", "False", "KubeletHasNoDiskPressure"},
                          {"PIDPressure", "False", "KubeletHasSufficientPID"},
                          {"Ready", "True", "KubeletReady"}};

Duration seconds_of(const Value& seconds) {
  return Duration::milliseconds(static_cast<std::int64_t>(seconds.as_double() * 1000 + 0.5));
}

// The state of every container: running since now, or ended now. `exits` wins over the code.
void set_containers(Value& pod, Instant now, std::int64_t restarts,
                    std::optional<std::int64_t> code, const Value& exits) {
  const std::string time = to_rfc3339(now);
  Value all = Value::array();
  for (const Value& container : pod["spec"]["containers"].elements()) {
    Value state = Value::object({{"running", Value::object({{"startedAt", time}})}});
    if (code)
      state = Value::object(
          {{"terminated",
            Value::object({{"exitCode", exits[container["name"].as_string()].as_int(*code)},
                           {"finishedAt", time}})}});
    all.push_back(Value::object({{"name", container["name"]},
                                 {"restartCount", restarts},
                                 {"ready", !code.has_value()},
                                 {"state", state}}));
  }
  pod.edit("status").set("containerStatuses", all);
}

bool all_succeeded(const Value& pod) {
  for (const Value& status : pod["status"]["containerStatuses"].elements())
    if (status["state"]["terminated"]["exitCode"].as_int() != 0) return false;
  return true;
}

}  // namespace

bool glob_fits(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*')
    return glob_fits(pattern.substr(1), text) ||
           (!text.empty() && glob_fits(pattern, text.substr(1)));
  if (text.empty()) return false;
  const std::size_t end = pattern[0] == '[' ? pattern.find(']', 2) : std::string_view::npos;
  if (end != std::string_view::npos) {
    const std::string_view choice = pattern.substr(1, end - 1);
    bool fits = false;
    for (std::size_t i = choice[0] == '^' ? 1 : 0; i < choice.size(); ++i) {
      const bool range = i + 2 < choice.size() && choice[i + 1] == '-';
      fits =
          fits || (range ? choice[i] <= text[0] && text[0] <= choice[i + 2] : choice[i] == text[0]);
      if (range) i += 2;
    }
    return fits != (choice[0] == '^') && glob_fits(pattern.substr(end + 1), text.substr(1));
  }
  return (pattern[0] == '?' || pattern[0] == text[0]) &&
         glob_fits(pattern.substr(1), text.substr(1));
}

ControlEnvironment::ControlEnvironment(World& world, const Value& scenario, Instant start)
    : world_(world), scenario_(scenario), start_(start) {
  bool nodes = false;
  for (const Value& name : scenario["controllers"].elements())
    nodes = nodes || name.as_string() == "nodelifecycle";
  if (!nodes) return;
  std::int64_t place = 0;
  for (const Value& node : world.list("nodes", {})) {
    Kubelet kubelet{
        std::string(model::name_of(node)), start + Duration::milliseconds(310 + 10 * place++), {}};
    if (!loss_end(kubelet.node, start)) renew(kubelet.node);
    kubelets_.push_back(std::move(kubelet));
  }
}

Instant ControlEnvironment::at(const Value& seconds) const {
  return start_ +
         Duration::milliseconds(static_cast<std::int64_t>(seconds.as_double() * 1000 + 0.5));
}

std::optional<Instant> ControlEnvironment::loss_end(const std::string& node, Instant when) const {
  for (const Value& loss : scenario_["nodeLost"].elements()) {
    if (!glob_fits(loss["node"].as_string(), node) || at(loss["from"]) > when) continue;
    const Instant to = loss.has("to") ? at(loss["to"]) : Instant::max();
    if (when < to) return to;
  }
  return {};
}

const Value& ControlEnvironment::rule_of(const Value& pod) const {
  static const Value none;
  for (const Value& rule : scenario_["podRules"].elements())
    if (!rule.has("pod") || glob_fits(rule["pod"].as_string(), model::name_of(pod))) return rule;
  return none;
}

// When a pod that was asked to go ends; it does not while its node is lost.
std::optional<Instant> ControlEnvironment::end_of(const Value& pod) const {
  const auto asked = asked_.find(model::uid_of(pod));
  if (asked == asked_.end()) return {};
  const Value& stop = rule_of(pod)["stop"];
  if (stop.as_double() < 0) return {};
  const Duration after =
      stop.is_null()
          ? kStop
          : Duration::milliseconds(static_cast<std::int64_t>(stop.as_double() * 1000 + 0.5));
  const Instant due = asked->second + after;
  const auto lost = loss_end(pod["spec"]["nodeName"].str(), due);
  if (!lost) return due;
  if (*lost == Instant::max()) return {};
  return *lost + kStop;
}

std::optional<Instant> ControlEnvironment::next_due() const {
  std::optional<Instant> next;
  for (const Kubelet& kubelet : kubelets_) {
    next = earlier(next, kubelet.renewal);
    for (const Value& loss : scenario_["nodeLost"].elements())
      if (glob_fits(loss["node"].as_string(), kubelet.node) && loss.has("to") &&
          at(loss["to"]) > world_.now())
        next = earlier(next, at(loss["to"]));
  }
  for (const Value& pod : world_.list("pods", {})) {
    if (model::is_deleting(pod)) next = earlier(next, end_of(pod));
    if (const auto life = lives_.find(model::uid_of(pod)); life != lives_.end())
      next = earlier(next, life->second.due);
  }
  return next;
}

void ControlEnvironment::advance() {
  for (Kubelet& kubelet : kubelets_) {
    kubelet.gone = kubelet.gone || world_.get("nodes", {}, kubelet.node).is_null();
    for (const Value& loss : scenario_["nodeLost"].elements())
      if (glob_fits(loss["node"].as_string(), kubelet.node) && loss.has("to") &&
          at(loss["to"]) == world_.now() &&
          std::exchange(kubelet.back, world_.now()) != world_.now())
        come_back(kubelet.node);
    if (kubelet.renewal > world_.now()) continue;
    if (!kubelet.gone && !loss_end(kubelet.node, world_.now())) renew(kubelet.node);
    kubelet.renewal = kubelet.renewal + kRenewal;
  }
  for (const Value& pod : world_.list("pods", {})) live(pod);
  for (const Value& pod : world_.list("pods", {})) {
    if (!model::is_deleting(pod)) continue;
    if (pod["metadata"]["deletionGracePeriodSeconds"].as_int() > 0)
      asked_.try_emplace(std::string(model::uid_of(pod)), world_.now());
    if (const auto due = end_of(pod); due && *due <= world_.now()) end(pod);
  }
}

void ControlEnvironment::live(const Value& pod) {
  const auto [at, fresh] = lives_.try_emplace(std::string(model::uid_of(pod)));
  Life& life = at->second;
  if (fresh) {
    life.made = world_.now();
    const Value& rule = rule_of(pod);
    if (rule.has("start") && !rule["neverStarts"].as_bool() &&
        pod["status"]["phase"].as_string() == "Pending")
      life.due = life.made + seconds_of(rule["start"]);
  }
  // Once asked to go a pod ends by its stop, not by its run.
  if (model::pod_is_finished(pod) || model::is_deleting(pod)) life.due.reset();
  if (life.due && *life.due <= world_.now()) step(pod, life);
}

void ControlEnvironment::begin_run(const Value& rule, Life& life) const {
  life.step = Life::Step::end_run;
  life.due.reset();
  const Value& runs = rule["runs"];
  if (life.run < runs.size()) life.due = world_.now() + seconds_of(runs[life.run][0]);
}

void ControlEnvironment::step(Value pod, Life& life) {
  const Value& rule = rule_of(pod);
  const Instant now = world_.now();
  if (life.step == Life::Step::start || life.step == Life::Step::restart) {
    if (pod["spec"]["nodeName"].as_string().empty())
      pod.edit("spec").set("nodeName", rule["node"].as_string("node-a"));
    pod.edit("status").set("phase", "Running");
    set_containers(pod, now, life.restarts, {}, {});
    const bool late = life.step == Life::Step::start && rule.has("ready");
    set_ready(pod, !late, now);
    begin_run(rule, life);
    if (late) {
      // The run goes on meanwhile; it is resumed where it would have been.
      const Duration until_ready = seconds_of(rule["ready"]);
      const auto end = life.due;
      if (!end || now + until_ready < *end) {
        life.step = Life::Step::get_ready;
        life.due = now + until_ready;
      }
    }
  } else if (life.step == Life::Step::get_ready) {
    set_ready(pod, true, now);
    const Duration until_ready = seconds_of(rule["ready"]);
    begin_run(rule, life);
    if (life.due) life.due = *life.due - until_ready;
  } else {
    end_run(pod, life);
  }
  world_.put("pods", pod);
}

// The run's time is over: the pod ends, or waits to start again.
void ControlEnvironment::end_run(Value& pod, Life& life) {
  const Value& rule = rule_of(pod);
  const Instant now = world_.now();
  const std::int64_t code = rule["runs"][life.run][1].as_int();
  life.due.reset();
  set_containers(pod, now, life.restarts, code, rule["exits"]);
  set_ready(pod, false, now);
  const bool again = code != 0 && life.run + 1 < rule["runs"].size() &&
                     pod["spec"]["restartPolicy"].as_string() == "OnFailure";
  if (again) {
    life.due = now + Duration::seconds(std::int64_t{10} << life.restarts);
    life.step = Life::Step::restart;
    ++life.restarts;
    ++life.run;
    return;
  }
  Value& status = pod.edit("status");
  status.set("phase", all_succeeded(pod) && !rule.has("reason") ? "Succeeded" : "Failed");
  if (rule.has("reason")) status.set("reason", rule["reason"]);
  if (rule.has("condition"))
    pod.edit("status")
        .edit("conditions")
        .push_back(Value::object({{"type", "DisruptionTarget"},
                                  {"status", "True"},
                                  {"reason", rule["condition"]},
                                  {"lastTransitionTime", to_rfc3339(now)}}));
}

void ControlEnvironment::renew(const std::string& node) {
  Value lease = world_.get(kLeases, kLeaseSpace, node);
  if (lease.is_null())
    lease =
        Value::object({{"apiVersion", "coordination.k8s.io/v1"},
                       {"kind", "Lease"},
                       {"metadata", Value::object({{"namespace", kLeaseSpace}, {"name", node}})}});
  lease.edit("spec").set("holderIdentity", node);
  lease.edit("spec").set("renewTime", to_rfc3339_micro(world_.now()));
  world_.put(kLeases, lease);
}

void ControlEnvironment::come_back(const std::string& name) {
  Value node = world_.get("nodes", {}, name);
  if (node.is_null()) return;
  renew(name);
  const std::string now = to_rfc3339(world_.now());
  Value conditions =
      node["status"]["conditions"].is_array() ? node["status"]["conditions"] : Value::array();
  for (const Good& good : kGood) {
    std::size_t i = 0;
    while (i < conditions.size() && conditions[i]["type"].as_string() != good.type) ++i;
    if (i == conditions.size()) conditions.push_back(Value::object({{"type", good.type}}));
    Value& condition = conditions.edit(i);
    if (condition["status"].as_string() != good.status) condition.set("lastTransitionTime", now);
    condition.set("status", good.status);
    condition.set("reason", good.reason);
    condition.erase("message");
    condition.set("lastHeartbeatTime", now);
  }
  node.edit("status").set("conditions", conditions);
  world_.put("nodes", node);
  for (Value pod : world_.list("pods", {})) {
    if (pod["spec"]["nodeName"].as_string() != name ||
        pod["status"]["phase"].as_string() != "Running" || model::pod_is_ready(pod))
      continue;
    set_ready(pod, true, world_.now());
    world_.put("pods", pod);
  }
}

void ControlEnvironment::end(const Value& pod) {
  asked_.erase(std::string(model::uid_of(pod)));
  if (!model::pod_is_finished(pod)) {
    Value ended = pod;
    const std::int64_t code = rule_of(pod)["stopExit"].as_int(143);
    const auto life = lives_.find(model::uid_of(pod));
    if (life != lives_.end() && ended["status"]["containerStatuses"].is_array()) {
      set_containers(ended, world_.now(), life->second.restarts, code, {});
      set_ready(ended, false, world_.now());
    }
    ended.edit("status").set("phase", code == 0 ? "Succeeded" : "Failed");
    world_.put("pods", ended);
  }
  cluster::Write write;
  write.verb = cluster::Write::Verb::remove;
  write.resource = "pods";
  write.namespace_ = model::namespace_of(pod);
  write.name = model::name_of(pod);
  write.grace_seconds = 0;
  (void)world_.commit(write);
}

}  // namespace keelson::sim::golden
