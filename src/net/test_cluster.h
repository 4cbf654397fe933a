// A cluster of objects in memory on a loop, for the net room's tests.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "cluster/cluster.h"
#include "host/loop.h"
#include "model/meta.h"

namespace keelson::net {

class TestCluster : public cluster::Cluster {
 public:
  using Value = codec::Value;
  explicit TestCluster(host::Loop& loop) : loop_(loop), rng_(7) {}

  Value get(std::string_view resource, std::string_view ns, std::string_view name) const override {
    const auto list = objects_.find(std::string(resource));
    if (list == objects_.end()) return {};
    const auto at = list->second.find({std::string(ns), std::string(name)});
    return at == list->second.end() ? Value() : at->second;
  }
  std::vector<Value> list(std::string_view resource, std::string_view ns = {}) const override {
    std::vector<Value> out;
    const auto at = objects_.find(std::string(resource));
    if (at == objects_.end()) return out;
    for (const auto& [key, object] : at->second)
      if (ns.empty() || key.namespace_ == ns) out.push_back(object);
    return out;
  }
  std::vector<Value> owned_by(std::string_view, std::string_view) const override { return {}; }

  void commit(cluster::Write write, std::function<void(Result<Value>)> done) override {
    loop_.post([this, write = std::move(write), done = std::move(done)] {
      Value object = get(write.resource, write.namespace_, write.name);
      if (write.verb == cluster::Write::Verb::merge_patch)
        merge(object, write.object);
      else
        object = write.object;
      put(write.resource, object);
      if (done) done(std::move(object));
    });
  }
  // A null object with metadata only in `before` removes it.
  void put(const std::string& resource, const Value& object) {
    const cluster::Key key{std::string(model::namespace_of(object)),
                           std::string(model::name_of(object))};
    const Value before = objects_[resource][key];
    objects_[resource][key] = object;
    tell(resource, before, object);
  }
  void remove(const std::string& resource, const std::string& ns, const std::string& name) {
    const Value before = get(resource, ns, name);
    objects_[resource].erase({ns, name});
    tell(resource, before, {});
  }

  std::shared_ptr<void> watch(std::string resource, OnChange on_change) override {
    for (const Value& object : list(resource, {})) on_change({}, object);
    auto handle = std::make_shared<OnChange>(std::move(on_change));
    watchers_.emplace_back(std::move(resource), handle);
    return handle;
  }
  void note(cluster::EventNote event, std::string) override { notes.push_back(std::move(event)); }
  Instant now() const override { return loop_.now(); }
  Prng& rng() override { return rng_; }
  std::shared_ptr<void> call_at(Instant when, std::function<void()> call) override {
    return loop_.call_at(when, std::move(call));
  }

  std::vector<cluster::EventNote> notes;

 private:
  static void merge(Value& target, const Value& patch) {
    for (const codec::Member& member : patch.members()) {
      if (member.value.is_null())
        target.erase(member.key());
      else if (member.value.is_object())
        merge(target.edit(member.key()), member.value);
      else
        target.set(member.key(), member.value);
    }
  }
  void tell(const std::string& resource, const Value& before, const Value& after) {
    for (const auto& [watched, weak] : watchers_)
      if (watched == resource)
        loop_.post([weak = weak, before, after] {
          if (const auto call = weak.lock()) (*call)(before, after);
        });
  }

  host::Loop& loop_;
  Prng rng_;
  std::map<std::string, std::map<cluster::Key, Value>> objects_;
  std::vector<std::pair<std::string, std::weak_ptr<OnChange>>> watchers_;
};

}  // namespace keelson::net
