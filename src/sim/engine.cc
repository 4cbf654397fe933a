#include "sim/engine.h"

#include "control/controllers.h"
#include "model/meta.h"

namespace keelson::sim {
namespace {

using codec::Value;

constexpr Duration kSampleTime = Duration::seconds(15);

std::string run_of(node::NodeHost& nodes, const Value& pod) {
  for (const node::ContainerSample& sample : nodes.samples())
    if (sample.pod == model::name_of(pod) && sample.namespace_ == model::namespace_of(pod))
      return sample.run_id;
  return {};
}

// Nobody verifies it: a simulated container does not talk to the API.
Result<node::Token> simulated_token(const node::TokenRequest& wanted) {
  return node::Token{"simulated", Instant::max() - Duration::seconds(wanted.expiration_seconds)};
}

}  // namespace

void World::Usage::sample(Instant now) {
  if (nodes_ == nullptr || (!sampled_.is_zero() && now - sampled_ < kSampleTime)) return;
  sampled_ = now;
  usage_.clear();
  std::map<std::string, Point> points;
  for (const node::ContainerSample& sample : nodes_->samples()) {
    points[sample.run_id] = {sample.usage.cpu, now};
    const auto before = last_.find(sample.run_id);
    if (before == last_.end()) continue;  // a rate needs two points
    const Duration window = now - before->second.at;
    const std::int64_t nano_cores = (sample.usage.cpu - before->second.cpu).count_nanoseconds() *
                                    1000 / std::max<std::int64_t>(1, window.count_milliseconds());
    control::PodUsage& pod = usage_[{sample.namespace_, sample.pod}];
    pod.pod = sample.pod;
    pod.timestamp = now;
    pod.window = window;
    pod.containers.push_back({sample.container,
                              {{"cpu", model::Quantity::milli(nano_cores / 1'000'000)},
                               {"memory", model::Quantity::units(sample.usage.memory)}}});
  }
  last_ = std::move(points);
}

Result<std::vector<control::PodUsage>> World::Usage::resource(std::string_view ns,
                                                              const model::LabelSelector& pods) {
  std::vector<control::PodUsage> chosen;
  for (const auto& [name, usage] : usage_)
    if (name.first == ns && pods.matches(model::labels_of(view_.get("pods", ns, name.second))))
      chosen.push_back(usage);
  return chosen;
}

Result<std::unique_ptr<World::Engine>> World::Engine::start(World& world, host::VirtualLoop& loop,
                                                            host::VirtualFiles& files,
                                                            node::SimulatedDriver& driver,
                                                            std::uint64_t seed) {
  auto engine = std::make_unique<Engine>();
  Engine& e = *engine;
  e.rng = Prng(seed);
  TRY(e.store, store::Store::open(loop, files, {.directory = "/store"}));
  e.registry = std::make_unique<registry::Registry>(
      *e.store,
      registry::Environment{
          .now = [&loop] { return loop.now(); }, .rng = &e.rng, .authorize = {}, .compute = {}});
  TRY_VOID(e.registry->start());
  e.cluster = std::make_unique<runtime::EmbeddedCluster>(
      loop, *e.store,
      [&e](const cluster::Write& write, std::string_view component) {
        registry::Identity identity;
        identity.user = "system:" + std::string(component);
        identity.groups = {"system:masters", "system:authenticated"};
        return e.registry->commit(write, identity);
      },
      e.rng.next());
  e.kubelet = e.cluster->as("kubelet");
  e.usage = std::make_unique<Usage>(*e.cluster, e.host);
  e.nodes = std::make_unique<node::NodeHost>(*e.kubelet, driver, e.images,
                                             node::NodeHost::Options{.tokens = simulated_token});
  e.host = e.nodes.get();
  e.traffic = std::make_unique<Traffic>(*e.cluster, driver,
                                        [&e](const Value& pod) { return run_of(*e.nodes, pod); });
  e.nodes->start([](Result<void>) {});
  e.manager = std::make_unique<runtime::Manager>(loop, *e.cluster, e.rng.next());
  control::ControllerNeeds needs;
  needs.metrics = e.usage.get();
  needs.ca_pem = "simulated";
  for (auto& controller : control::all_controllers(needs)) e.manager->add(std::move(controller));
  e.kinds = std::make_unique<runtime::KindFollower>(
      loop, *e.cluster, *e.manager, [&e] { return e.registry->served_generation(); },
      [&e] { return control::controllers_of_all_kinds(e.registry->types()); });
  if (world.on_change) {
    auto log = e.store->subscribe(
        "", e.store->revision(), store::Store::Delivery::at_once,
        [&world](const store::Event& event) {
          world.on_change((event.entry ? "put " : "remove ") + std::string(event.key()));
        });
    if (log.ok()) e.log = *log;
  }
  return engine;
}

World::Engine::~Engine() {
  log.reset();
  kinds.reset();
  manager.reset();
  host = nullptr;
}

}  // namespace keelson::sim
