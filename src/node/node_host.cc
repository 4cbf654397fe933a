// Watches and heartbeats; the rest is the runners' work.
#include "node/node_host.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "base/prng.h"
#include "model/meta.h"
#include "node/stand_in_rules.h"

namespace keelson::node {
namespace {

constexpr std::string_view kLeaseNamespace = "kube-node-lease";
// How long the objects of adopted pods may take to show up before the pods count as deleted.
constexpr Duration kOrphanWait = Duration::seconds(2);

cluster::Write write_of(cluster::Write::Verb verb, std::string_view resource, std::string_view ns,
                        std::string_view name, Value object) {
  cluster::Write write;
  write.verb = verb;
  write.resource = std::string(resource);
  write.namespace_ = std::string(ns);
  write.name = std::string(name);
  write.object = std::move(object);
  write.field_manager = "kubelet";
  return write;
}

}  // namespace

NodeHost::NodeHost(cluster::Cluster& cluster, Driver& driver, Images& images, Options options)
    : cluster_(cluster), driver_(driver), images_(images), options_(std::move(options)) {}

NodeHost::~NodeHost() {
  *alive_ = false;
}

void NodeHost::start(std::function<void(Result<void>)> done) {
  driver_.set_on_exit([this](const std::string& run_id, const ContainerExit& exit) {
    models_.erase(run_id);
    // An exit may drop its runner.
    for (const auto& [uid, runner] : runners_) {
      if (runner->machine().run(run_id) == nullptr) continue;
      const std::shared_ptr<PodRunner> keep = runner;
      return keep->container_exited(run_id, exit);
    }
  });
  driver_.recover([this, alive = alive_,
                   done = std::move(done)](Result<std::vector<RecoveredPod>> found) {
    if (!*alive) return;
    if (!found.ok()) return done(found.error());
    for (RecoveredPod& pod : found.value()) {
      const std::string uid(model::uid_of(pod.pod));
      recovered_[uid] = std::move(pod);
    }
    watches_.push_back(cluster_.watch(
        "nodes", [this](const Value& before, const Value& after) { node_changed(before, after); }));
    watches_.push_back(cluster_.watch(
        "pods", [this](const Value& before, const Value& after) { pod_changed(before, after); }));
    for (const std::string resource : {"configmaps", "secrets"})
      watches_.push_back(
          cluster_.watch(resource, [this, resource](const Value& before, const Value& after) {
            const Value& object = after.is_null() ? before : after;
            if (!before.is_null() && !after.is_null() && before["data"] == after["data"] &&
                before["binaryData"] == after["binaryData"])
              return;
            for (const auto& [uid, runner] : runners_)
              if (model::namespace_of(runner->machine().pod()) == model::namespace_of(object))
                runner->source_changed(resource, model::name_of(object));
          }));
    watches_.push_back(cluster_.watch("platforms.keelson.dev",
                                      [this](const Value&, const Value&) { refresh_models(); }));
    orphans_timer_ = cluster_.call_at(cluster_.now() + kOrphanWait, [this] { end_orphans(); });
    done(Result<void>());
  });
}

// What still runs although its pod object is gone ends now. The others' nodes may just not be
// hosted yet; if their objects go before that, pod_changed() ends them.
void NodeHost::end_orphans() {
  std::vector<std::string> orphans;
  for (const auto& [uid, pod] : recovered_)
    if (model::uid_of(
            cluster_.get("pods", model::namespace_of(pod.pod), model::name_of(pod.pod))) != uid)
      orphans.push_back(uid);
  for (const std::string& uid : orphans) end_orphan(uid);
}

void NodeHost::end_orphan(const std::string& uid) {
  const auto at = recovered_.find(uid);
  if (at == recovered_.end()) return;
  const RecoveredPod pod = std::move(at->second);
  recovered_.erase(at);
  if (!orphanage_)
    orphanage_ = std::make_unique<NodeContext>(NodeContext{
        cluster_, driver_, images_, options_.tokens, "", options_.host_address, Value()});
  auto runner =
      std::make_shared<PodRunner>(*orphanage_, pod.pod, [this, uid] { runners_.erase(uid); });
  runners_[uid] = runner;
  runner->adopt(pod);
  runner->begin();
  runner->pod_removed();
}

void NodeHost::node_changed(const Value& before, const Value& after) {
  const Value& object = after.is_null() ? before : after;
  const std::string name(model::name_of(object));
  if (after.is_null()) {
    // What ran there ends: nobody would answer for it.
    set_power(name, false);
    nodes_.erase(name);
    return;
  }
  if (!model::labels_of(after).has(kHostedLabel)) return;
  const auto [at, added] = nodes_.try_emplace(name);
  Node& node = at->second;
  if (!added) {
    // Somebody else changed the status, or the pool its capacity: set it right soon.
    return;
  }
  node.context = std::make_unique<NodeContext>(
      NodeContext{cluster_, driver_, images_, options_.tokens, name, options_.host_address,
                  node_capacity(after, options_.machine_capacity)});
  beat(name);
  for (const Value& pod : cluster_.list("pods"))
    if (pod["spec"]["nodeName"].as_string() == name) pod_changed({}, pod);
}

// A heartbeat: the lease every time, the status when it changed or its time has come.
void NodeHost::beat(const std::string& name) {
  const auto at = nodes_.find(name);
  if (at == nodes_.end() || !at->second.power) return;
  report_node(name);
  if (options_.lease_period == Duration()) return;
  const Value node = cluster_.get("nodes", "", name);
  if (!node.is_null()) renew_lease(name, node);
  // A few percent apart, so that a hundred nodes do not beat in step.
  const std::int64_t spread = static_cast<std::int64_t>(hash64(name) % 1000) *
                              (options_.lease_period.count_nanoseconds() / 20'000);
  const Duration wait = at->second.lease_made
                            ? options_.lease_period
                            : options_.lease_period - Duration::nanoseconds(spread);
  at->second.timer = cluster_.call_at(cluster_.now() + wait, [this, name] { beat(name); });
}

void NodeHost::renew_lease(const std::string& name, const Value& node) {
  using Verb = cluster::Write::Verb;
  const Value lease = node_lease(node, cluster_.now());
  Node& own = nodes_.at(name);
  if (own.lease_made) {
    Value patch = Value::object({{"spec", lease["spec"]}});
    cluster_.commit(write_of(Verb::merge_patch, "leases.coordination.k8s.io", kLeaseNamespace, name,
                             std::move(patch)),
                    [this, alive = alive_, name](Result<Value> result) {
                      if (!*alive || result.ok() || result.error().reason != Reason::not_found)
                        return;
                      if (const auto at = nodes_.find(name); at != nodes_.end())
                        at->second.lease_made = false;
                    });
    return;
  }
  own.lease_made = true;
  cluster_.commit(
      write_of(Verb::create, "leases.coordination.k8s.io", kLeaseNamespace, name, lease),
      [this, alive = alive_, name](Result<Value> result) {
        if (!*alive || result.ok()) return;
        const auto at = nodes_.find(name);
        if (at == nodes_.end()) return;
        // It is there from before: renew it now. Anything else (the namespace is missing yet): at
        // the next beat.
        if (result.error().reason != Reason::already_exists) {
          at->second.lease_made = false;
          return;
        }
        if (const Value node_now = cluster_.get("nodes", "", name); !node_now.is_null())
          renew_lease(name, node_now);
      });
}

void NodeHost::report_node(const std::string& name) {
  const auto at = nodes_.find(name);
  if (at == nodes_.end() || at->second.reporting) return;
  const Value node = cluster_.get("nodes", "", name);
  if (node.is_null()) return;
  NodeFacts facts;
  facts.address = options_.host_address;
  facts.node_info = options_.node_info;
  facts.capacity = options_.machine_capacity;
  facts.kubelet_port = options_.kubelet_port;
  if (options_.images) facts.images = options_.images();
  const Instant now = cluster_.now();
  const Value status = node_status(node, facts, now);
  Value patch = node_status_patch(node, status);
  const bool due =
      at->second.reported_at.is_zero() || now - at->second.reported_at >= options_.status_period;
  if (patch.is_null()) {
    if (!due || options_.lease_period == Duration()) return;
    patch = Value::object({{"status", Value::object({{"conditions", status["conditions"]}})}});
  }
  const bool was_ready = model::condition_is_true(node, "Ready");
  at->second.reporting = true;
  at->second.reported_at = now;
  cluster::Write write =
      write_of(cluster::Write::Verb::merge_patch, "nodes", "", name, std::move(patch));
  write.subresource = "status";
  cluster_.commit(std::move(write), [this, alive = alive_, name, was_ready](Result<Value> result) {
    if (!*alive) return;
    const auto own = nodes_.find(name);
    if (own == nodes_.end()) return;
    own->second.reporting = false;
    if (!result.ok()) own->second.reported_at = Instant();
    if (result.ok() && !was_ready)
      cluster_.note({.regarding = *result,
                     .warning = false,
                     .reason = "NodeReady",
                     .message = "Node " + name + " status is now: NodeReady"},
                    "kubelet");
  });
}

void NodeHost::pod_changed(const Value& before, const Value& after) {
  const Value& object = after.is_null() ? before : after;
  const std::string uid(model::uid_of(object));
  const auto at = runners_.find(uid);
  if (after.is_null()) {
    if (at != runners_.end())
      at->second->pod_removed();
    else
      end_orphan(uid);
    return;
  }
  if (at != runners_.end()) {
    const std::shared_ptr<PodRunner> keep = at->second;
    keep->pod_changed(after);
    if (!(model::annotations_of(before) == model::annotations_of(after))) refresh_model(after);
    return;
  }
  const auto node = nodes_.find(after["spec"]["nodeName"].str());
  if (node != nodes_.end() && node->second.power) begin(after);
}

void NodeHost::begin(const Value& pod) {
  const std::string uid(model::uid_of(pod));
  NodeContext& context = *nodes_.at(pod["spec"]["nodeName"].str()).context;
  auto runner = std::make_shared<PodRunner>(context, pod, [this, uid] { runners_.erase(uid); });
  runners_[uid] = runner;
  if (const auto found = recovered_.find(uid); found != recovered_.end()) {
    runner->adopt(found->second);
    recovered_.erase(found);
  }
  runner->begin();
}

// Models are declared by rules and annotations and may change while their stand-ins run.
void NodeHost::refresh_models() {
  for (const auto& [uid, runner] : runners_) refresh_model(runner->machine().pod());
}

void NodeHost::refresh_model(const Value& pod) {
  const auto at = runners_.find(std::string(model::uid_of(pod)));
  if (at == runners_.end()) return;
  for (const ContainerRun& run : at->second->machine().runs()) {
    if (!run.running() || !run.image_id.starts_with("stand-in:builtin:")) continue;
    const auto image = stand_in_for(cluster_.list("platforms.keelson.dev"), run.image);
    if (!image || image->kind != Image::Kind::builtin_stand_in) continue;
    Value model = effective_model(pod, image->model);
    Value& told = models_[run.id];
    if (told == model) continue;
    told = model;
    driver_.set_model(run.id, model);
  }
}

void NodeHost::set_power(const std::string& name, bool on) {
  const auto at = nodes_.find(name);
  if (at == nodes_.end() || at->second.power == on) return;
  at->second.power = on;
  if (!on) {
    at->second.timer.reset();
    for (auto entry = runners_.begin(); entry != runners_.end();) {
      const Value pod = entry->second->machine().pod();
      if (pod["spec"]["nodeName"].as_string() != name) {
        ++entry;
        continue;
      }
      const std::shared_ptr<PodRunner> runner = entry->second;
      runner->power_lost();
      driver_.tear_down(pod, runner->machine().sandbox(), [] {});
      entry = runners_.erase(entry);
    }
    return;
  }
  at->second.reported_at = Instant();
  beat(name);
  for (const Value& pod : cluster_.list("pods"))
    if (pod["spec"]["nodeName"].as_string() == name) pod_changed({}, pod);
}

bool NodeHost::has_power(const std::string& name) const {
  const auto at = nodes_.find(name);
  return at != nodes_.end() && at->second.power;
}

void NodeHost::stop_everything(std::function<void()> done) {
  watches_.clear();
  auto left = std::make_shared<std::size_t>(1);
  const auto one_done = [left, done = std::move(done)] {
    if (--*left == 0) done();
  };
  auto runners = std::move(runners_);
  runners_.clear();
  for (const auto& [uid, runner] : runners) {
    const Value pod = runner->machine().pod();
    const Sandbox sandbox = runner->machine().sandbox();
    runner->power_lost();
    ++*left;
    driver_.tear_down(pod, sandbox, one_done);
  }
  // Nobody claimed these yet.
  for (const auto& [uid, pod] : std::exchange(recovered_, {})) {
    ++*left;
    driver_.tear_down(pod.pod, pod.sandbox, one_done);
  }
  for (auto& [name, node] : nodes_) node.timer.reset();
  one_done();
}

std::vector<ContainerSample> NodeHost::samples() {
  std::vector<ContainerSample> out;
  for (const auto& [uid, runner] : runners_) {
    const Value& pod = runner->machine().pod();
    for (const ContainerRun& run : runner->machine().runs()) {
      if (!run.running()) continue;
      const std::optional<Usage> usage = driver_.usage(run.id);
      if (!usage) continue;
      out.push_back({.namespace_ = std::string(model::namespace_of(pod)),
                     .pod = std::string(model::name_of(pod)),
                     .container = run.container,
                     .node = pod["spec"]["nodeName"].str(),
                     .run_id = run.id,
                     .labels = model::labels_of(pod),
                     .usage = *usage,
                     .stand_in = run.image_id.starts_with("stand-in:builtin:")});
    }
  }
  return out;
}

std::vector<StandInUse> NodeHost::stand_ins() const {
  std::vector<StandInUse> out;
  for (const auto& [uid, runner] : runners_) {
    const Value& pod = runner->machine().pod();
    for (const ContainerRun& run : runner->machine().runs()) {
      // imageID of a stand-in: "stand-in:builtin:RULE" or "stand-in:program:RULE".
      if (!run.running() || !run.image_id.starts_with("stand-in:")) continue;
      const bool builtin = run.image_id.starts_with("stand-in:builtin:");
      out.push_back({.namespace_ = std::string(model::namespace_of(pod)),
                     .pod = std::string(model::name_of(pod)),
                     .container = run.container,
                     .image = run.image,
                     .rule = run.image_id.substr(std::string_view("stand-in:builtin:").size()),
                     .builtin = builtin});
    }
  }
  return out;
}

std::vector<std::string> NodeHost::problems() const {
  constexpr std::size_t kTold = 10;
  std::vector<std::string> out;
  std::size_t more = 0;
  for (const auto& [uid, runner] : runners_) {
    if (runner->problem().empty()) continue;
    if (out.size() < kTold)
      out.push_back(runner->problem());
    else
      ++more;
  }
  if (more > 0) out.push_back("and so with " + std::to_string(more) + " more pods");
  return out;
}

const PodRunner* NodeHost::find(const std::string& pod_uid) const {
  const auto at = runners_.find(pod_uid);
  return at == runners_.end() ? nullptr : at->second.get();
}

std::vector<std::string> NodeHost::nodes() const {
  std::vector<std::string> names;
  for (const auto& [name, node] : nodes_) names.push_back(name);
  return names;
}

}  // namespace keelson::node
