// Stage: the World of a recording as the runtime's backend, so that recordings are played by the
// same Manager, on the same virtual loop, as simulations are. It announces changes to the
// controllers' watches in the recorded order: all of them before the next item of work, a pod bound
// as soon as it is there, and Nodes only when there is nothing else to do.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/loop.h"
#include "runtime/backend.h"
#include "sim/golden/kubelet.h"
#include "sim/golden/picture.h"
#include "sim/golden/world.h"

namespace keelson::sim::golden {

class Stage : public runtime::Backend {
 public:
  Stage(host::Loop& loop, World& world, Kubelet& kubelet, Picture& picture)
      : loop_(loop), world_(world), kubelet_(kubelet), picture_(picture) {}

  // Tells the picture of what was made by the recording itself since the last call; all else is
  // the controllers' doing.
  void note_made(bool by_hand);
  // Announces the next change of a Node; false if there is none.
  bool announce_node();

  Value get(std::string_view resource, std::string_view ns, std::string_view name) const override {
    return world_.get(resource, ns, name);
  }
  std::vector<Value> list(std::string_view resource, std::string_view ns) const override {
    return world_.list(resource, ns);
  }
  std::vector<Value> owned_by(std::string_view resource, std::string_view uid) const override {
    return world_.owned_by(resource, uid);
  }
  void commit(cluster::Write write, std::function<void(Result<Value>)> done) override {
    commit_as("", std::move(write), std::move(done));
  }
  void commit_as(std::string_view component, cluster::Write write,
                 std::function<void(Result<Value>)> done) override;
  std::shared_ptr<void> watch(std::string resource, OnChange on_change) override;
  void deliver_changes() override;
  void note(cluster::EventNote event, std::string) override { picture_.event(event); }
  Instant now() const override { return loop_.now(); }
  Prng& rng() override { return rng_; }
  std::shared_ptr<void> call_at(Instant when, std::function<void()> call) override {
    return loop_.call_at(when, std::move(call));
  }

 private:
  void announce(const Change& change);

  host::Loop& loop_;
  World& world_;
  Kubelet& kubelet_;
  Picture& picture_;
  Prng rng_{1};
  std::deque<Change> changes_, nodes_;  // noted, not announced yet
  std::vector<std::pair<std::string, std::weak_ptr<OnChange>>> watches_;
};

}  // namespace keelson::sim::golden
