// World: a platform in virtual time. The store, the registry, the scheduler and the controllers are
// those of the live engine; the host under them is virtual: clock, disk, nodes and their
// containers.
//
// The engine can crash and start again at any moment: what was not durable is lost, the disk tears,
// the nodes' containers go on running, as on a real machine.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/prng.h"
#include "host/virtual_files.h"
#include "host/virtual_loop.h"
#include "node/node_host.h"
#include "node/simulated_driver.h"
#include "registry/registry.h"
#include "runtime/embedded_cluster.h"
#include "runtime/manager.h"
#include "sim/scenario.h"
#include "sim/traffic.h"
#include "store/store.h"

namespace keelson::sim {

class World {
 public:
  // `start`: the date at which virtual time begins; nullopt: that of the virtual loop.
  explicit World(std::uint64_t seed, std::optional<Instant> start = {});
  ~World();

  Result<void> start();  // the engine, on what the disk holds
  void crash();          // kill -9 of the engine, and a power cut for what its disk had not written
  bool running() const { return engine_ != nullptr; }

  // Carries out a phrase of given or when. Error: bad_request with what is wrong with it.
  Result<void> act(const Phrase& phrase, const std::string& directory);

  host::VirtualLoop& loop() { return loop_; }
  Duration elapsed() const { return loop_.now() - start_; }
  const cluster::View& view() const;
  store::Revision revision() const;
  const Traffic* traffic() const;
  // Over every key and every byte of the store, and the time.
  std::uint64_t state_hash() const;
  // For messages: "object: what happened", called for every change while set.
  std::function<void(const std::string&)> on_change;

 private:
  struct Engine;
  class HostTime;
  class Usage;
  using Options = std::map<std::string, std::string>;

  Result<codec::Value> write(cluster::Write write);
  // above: the lines of the file that stand above the text. file: empty for the scenario itself.
  Result<void> apply_text(const std::string& file, int above, const std::string& text);
  Result<void> add_nodes(const Phrase& phrase);
  Result<void> change_object(const Phrase& phrase);
  Result<void> set_load(const Phrase& phrase);
  Result<void> set_power(const Phrase& phrase, bool on);
  Result<void> fail_pods(const Phrase& phrase);
  Result<void> drain(const Phrase& phrase);
  void evict_from(const std::string& node);
  node::PodModel model_of(const codec::Value& pod, const codec::Value& container) const;
  void tick();

  Prng rng_;
  host::VirtualLoop loop_;
  Instant start_;
  host::VirtualFiles files_;
  std::unique_ptr<HostTime> time_;
  std::unique_ptr<node::SimulatedDriver> driver_;
  std::vector<std::pair<std::string, node::PodModel>> models_;  // image glob -> model
  std::map<std::string, Load> loads_;                           // survive a crash of the engine
  std::vector<std::string> dark_nodes_;
  std::map<std::string, std::shared_ptr<void>> drains_;  // of nodes under way: the next attempt
  std::unique_ptr<Engine> engine_;
  std::shared_ptr<void> ticker_;
};

}  // namespace keelson::sim
