#include "sim/world.h"

#include <fnmatch.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "control/controllers.h"
#include "model/meta.h"
#include "sim/engine.h"

namespace keelson::sim {

using codec::Value;

World::World(std::uint64_t seed, std::optional<Instant> start)
    : rng_(seed),
      loop_(start ? host::VirtualLoop(*start) : host::VirtualLoop()),
      start_(loop_.now()),
      time_(std::make_unique<HostTime>(loop_)),
      driver_(std::make_unique<node::SimulatedDriver>(
          *time_,
          [this](const Value& pod, const Value& container) { return model_of(pod, container); })) {
  // A write reaches the disk within a few milliseconds.
  loop_.set_offload_time(
      [this] { return Duration::microseconds(500 + static_cast<std::int64_t>(rng_.below(2000))); });
}

World::~World() {
  ticker_.reset();
  engine_.reset();
}

Result<void> World::start() {
  TRY(engine_, Engine::start(*this, loop_, files_, *driver_, rng_.next()));
  for (const std::string& node : dark_nodes_) engine_->nodes->set_power(node, false);
  for (const auto& [target, load] : loads_) engine_->traffic->set(target, load);
  if (!ticker_) tick();
  return {};
}

void World::crash() {
  engine_.reset();
  driver_->set_on_exit([](const std::string&, const node::ContainerExit&) {});  // nobody listens
  files_.crash(rng_);
}

void World::tick() {
  ticker_ = loop_.call_at(loop_.now() + Duration::seconds(1), [this] {
    if (engine_) {
      engine_->traffic->tick(Duration::seconds(1));
      engine_->usage->sample(loop_.now());
    }
    tick();
  });
}

const cluster::View& World::view() const {
  KEELSON_CHECK(engine_ != nullptr);
  return *engine_->cluster;
}
store::Revision World::revision() const {
  return engine_ ? engine_->store->revision() : store::Revision{};
}
const Traffic* World::traffic() const {
  return engine_ ? engine_->traffic.get() : nullptr;
}

std::uint64_t World::state_hash() const {
  std::uint64_t hash = hash64(std::to_string(elapsed().count_nanoseconds()));
  if (engine_)
    engine_->store->each("", [&](const store::EntryPtr& entry) {
      hash = hash64(entry->key(), hash);
      hash = hash64(entry->bytes(), hash);
    });
  return hash;
}

node::PodModel World::model_of(const Value&, const Value& container) const {
  node::PodModel model;
  const std::string image = container["image"].str();
  for (const auto& [glob, candidate] : models_)
    if (fnmatch(glob.c_str(), image.c_str(), 0) == 0) model = candidate;  // the last one wins
  return model;
}

}  // namespace keelson::sim
