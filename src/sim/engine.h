// The engine inside a World: the same parts as the live one, on the virtual host. Private to sim.
#pragma once

#include <memory>

#include "control/autoscale/metrics_source.h"
#include "runtime/kind_follower.h"
#include "sim/world.h"

namespace keelson::sim {

// The clock of the machines, which goes on while an engine is down. Nothing else of a cluster is
// asked of it.
class World::HostTime : public cluster::Cluster {
 public:
  explicit HostTime(host::Loop& loop) : loop_(loop), rng_(1) {}
  codec::Value get(std::string_view, std::string_view, std::string_view) const override {
    return {};
  }
  std::vector<codec::Value> list(std::string_view, std::string_view) const override { return {}; }
  std::vector<codec::Value> owned_by(std::string_view, std::string_view) const override {
    return {};
  }
  void commit(cluster::Write, std::function<void(Result<codec::Value>)>) override {}
  std::shared_ptr<void> watch(std::string, OnChange) override { return {}; }
  void note(cluster::EventNote, std::string) override {}
  Instant now() const override { return loop_.now(); }
  Prng& rng() override { return rng_; }
  std::shared_ptr<void> call_at(Instant when, std::function<void()> call) override {
    return loop_.call_at(when, std::move(call));
  }

 private:
  host::Loop& loop_;
  Prng rng_;
};

// Usage of the nodes' containers as the metrics API would have it: an average over a window, every
// 15 seconds.
class World::Usage : public control::MetricsSource {
 public:
  Usage(const cluster::View& view, node::NodeHost*& nodes) : view_(view), nodes_(nodes) {}
  void sample(Instant now);

  Result<std::vector<control::PodUsage>> resource(std::string_view ns,
                                                  const model::LabelSelector& pods) override;
  Result<std::vector<control::PodSample>> pods(std::string_view, const model::LabelSelector&,
                                               std::string_view,
                                               const model::LabelSelector&) override {
    return std::vector<control::PodSample>();
  }
  Result<std::int64_t> object(std::string_view, const codec::Value&, std::string_view,
                              const model::LabelSelector&) override {
    return Error{.reason = Reason::not_found,
                 .message = "the server could not find the metric for the object"};
  }
  Result<std::vector<std::int64_t>> external(std::string_view, std::string_view,
                                             const model::LabelSelector&) override {
    return std::vector<std::int64_t>();
  }

 private:
  struct Point {
    Duration cpu;
    Instant at;
  };
  const cluster::View& view_;
  node::NodeHost*& nodes_;
  Instant sampled_;
  std::map<std::string, Point> last_;                                       // by run
  std::map<std::pair<std::string, std::string>, control::PodUsage> usage_;  // by namespace and pod
};

struct World::Engine {
  static Result<std::unique_ptr<Engine>> start(World& world, host::VirtualLoop& loop,
                                               host::VirtualFiles& files,
                                               node::SimulatedDriver& driver, std::uint64_t seed);
  ~Engine();

  Prng rng{0};
  std::unique_ptr<store::Store> store;
  std::unique_ptr<registry::Registry> registry;
  std::unique_ptr<runtime::EmbeddedCluster> cluster;
  std::unique_ptr<cluster::Cluster> kubelet;
  node::NodeHost* host = nullptr;
  std::unique_ptr<Usage> usage;
  node::SimulatedImages images;
  std::unique_ptr<node::NodeHost> nodes;
  std::unique_ptr<Traffic> traffic;
  std::unique_ptr<runtime::Manager> manager;
  std::unique_ptr<runtime::KindFollower> kinds;
  std::shared_ptr<store::Subscription> log;
};

}  // namespace keelson::sim
