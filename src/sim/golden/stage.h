// Stage: the World of a recording as the runtime's backend, so that recordings are played by the
// same Manager, on the same virtual loop, as simulations are. It announces changes to the
// controllers' watches in the recorded order: all of them before the next item of work, a pod bound
// as soon as it is there, and Nodes, where the recording has it so, only when there is nothing else
// to do. What becomes of all this is the Audience's.
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
#include "sim/golden/world.h"

namespace keelson::sim::golden {

// Whoever records what happens on the stage.
class Audience {
 public:
  virtual ~Audience() = default;
  virtual void event(const cluster::EventNote& event) = 0;
  // Every change, in order; `by_hand` are those of the recording itself.
  virtual void made(const Change&, bool /*by_hand*/) {}
  virtual void refused(const cluster::Write& /*creation*/, const std::string& /*message*/) {}
  // The scheduler's part, when all changes are announced; true if that changed anything.
  virtual bool bind() { return false; }
};

class Stage : public runtime::Backend {
 public:
  // With `nodes_last` changes of Nodes wait for announce_node().
  Stage(host::Loop& loop, World& world, Audience& audience, bool nodes_last)
      : loop_(loop), world_(world), audience_(audience), nodes_last_(nodes_last) {}

  // Tells the audience of what was made by the recording itself since the last call; all else is
  // the controllers' doing.
  void note_made(bool by_hand);
  // From now on a write is answered only when everybody else has seen it and has worked on it: so
  // controllers see what others have done by halves.
  void answer_later() { answers_later_ = true; }
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
  void note(cluster::EventNote event, std::string) override { audience_.event(event); }
  Instant now() const override { return loop_.now(); }
  Prng& rng() override { return rng_; }
  std::shared_ptr<void> call_at(Instant when, std::function<void()> call) override {
    return loop_.call_at(when, std::move(call));
  }

 private:
  void announce(const Change& change);

  host::Loop& loop_;
  World& world_;
  Audience& audience_;
  bool nodes_last_;
  bool answers_later_ = false;
  Prng rng_{1};
  std::deque<Change> changes_, nodes_;  // noted, not announced yet
  std::vector<std::pair<std::string, std::weak_ptr<OnChange>>> watches_;
};

}  // namespace keelson::sim::golden
