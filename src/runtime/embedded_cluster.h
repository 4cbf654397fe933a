// EmbeddedCluster: Cluster over the store and the registry of the same process. The view is the
// store itself, never behind; watches follow the store's history.
//
// Lists are in order of key bytes, as etcd's are: "a-b/x" comes before "a/x".
// Writes are visible at once and durable a moment later; what must not be undone by a crash waits
// for store::Store::when_durable.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "host/loop.h"
#include "runtime/backend.h"
#include "runtime/event_recorder.h"
#include "store/store.h"

namespace keelson::runtime {

// Carries out one write in the name of a component and returns the object as it is then (null once
// it is gone).
using Execute =
    std::function<Result<cluster::Value>(const cluster::Write& write, std::string_view component)>;

// The same, at once or later, for writes that webhooks have a say in.
using ExecuteLater = std::function<void(const cluster::Write& write, std::string_view component,
                                        std::function<void(Result<cluster::Value>)> done)>;

class EmbeddedCluster : public Backend {
 public:
  EmbeddedCluster(host::Loop& loop, store::Store& store, Execute execute, std::uint64_t seed);
  ~EmbeddedCluster() override;

  // From now on commits go this way, and may take time. Events still go the short way.
  void commit_through(ExecuteLater execute) { execute_later_ = std::move(execute); }

  // The same cluster, writing as this component; ends before this object does.
  std::unique_ptr<cluster::Cluster> as(std::string component);

  cluster::Value get(std::string_view resource, std::string_view ns,
                     std::string_view name) const override;
  std::vector<cluster::Value> list(std::string_view resource,
                                   std::string_view ns = {}) const override;
  std::vector<cluster::Value> owned_by(std::string_view resource,
                                       std::string_view uid) const override;

  void commit(cluster::Write write, std::function<void(Result<cluster::Value>)> done) override;
  void commit_as(std::string_view component, cluster::Write write,
                 std::function<void(Result<cluster::Value>)> done) override;
  std::shared_ptr<void> watch(std::string resource, OnChange on_change) override;
  void deliver_changes() override;
  void note(cluster::EventNote event, std::string reporter) override;
  Instant now() const override { return loop_.now(); }
  Prng& rng() override { return rng_; }
  std::shared_ptr<void> call_at(Instant when, std::function<void()> call) override;

 private:
  struct Watcher;
  // Who owns what, by resource and owner's uid; of the resources that were asked for so far.
  struct Owners {
    store::Revision seen;
    std::map<std::string, std::map<std::string, std::set<std::string>>, std::less<>> keys;
  };
  void catch_up() const;
  void change_owners(std::map<std::string, std::set<std::string>>& owners, std::string_view key,
                     const cluster::Value& before, const cluster::Value& after) const;
  void deliver(const store::Event& event);
  void arm_sweep();

  host::Loop& loop_;
  store::Store& store_;
  Execute execute_;
  ExecuteLater execute_later_;
  Prng rng_;
  mutable Owners owners_;
  store::Revision delivered_;
  bool delivering_ = false;
  std::map<std::string, std::map<std::uint64_t, std::weak_ptr<Watcher>>, std::less<>> watchers_;
  std::uint64_t next_watcher_ = 0;
  std::shared_ptr<store::Subscription> wake_;
  EventRecorder recorder_;
  std::shared_ptr<void> sweep_;
};

}  // namespace keelson::runtime
