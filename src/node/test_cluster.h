// A cluster of a few objects in memory on a virtual loop, for the node's own tests: as much of the
// API server's behaviour as a node can see (revisions, conflicts, graceful deletion of pods).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "base/text.h"
#include "cluster/cluster.h"
#include "host/loop.h"
#include "model/meta.h"

namespace keelson::node {

class TestCluster : public cluster::Cluster {
 public:
  explicit TestCluster(host::Loop& loop) : loop_(loop), rng_(7) {}

  codec::Value get(std::string_view resource, std::string_view ns,
                   std::string_view name) const override {
    const auto list = objects_.find(std::string(resource));
    if (list == objects_.end()) return {};
    const auto at = list->second.find({std::string(ns), std::string(name)});
    return at == list->second.end() ? codec::Value() : at->second;
  }
  std::vector<codec::Value> list(std::string_view resource, std::string_view ns) const override {
    std::vector<codec::Value> out;
    const auto at = objects_.find(std::string(resource));
    if (at == objects_.end()) return out;
    for (const auto& [key, object] : at->second)
      if (ns.empty() || key.namespace_ == ns) out.push_back(object);
    return out;
  }
  std::vector<codec::Value> owned_by(std::string_view, std::string_view) const override {
    return {};
  }

  void commit(cluster::Write write, std::function<void(Result<codec::Value>)> done) override {
    loop_.post([this, write = std::move(write), done = std::move(done)] {
      Result<codec::Value> result = apply(write);
      if (done) done(std::move(result));
    });
  }
  // At once, for the test itself.
  Result<codec::Value> apply(const cluster::Write& write) {
    using Verb = cluster::Write::Verb;
    const cluster::Key key{write.namespace_, write.name};
    auto& list = objects_[write.resource];
    const auto at = list.find(key);
    writes_[write.resource + "/" + write.subresource]++;
    if (write.verb == Verb::create) {
      if (at != list.end()) return Error{Reason::already_exists, "exists"};
      codec::Value object = write.object;
      if (!object["metadata"].has("uid")) object.edit("metadata").set("uid", rng_.uuid());
      return put(write.resource, key, {}, std::move(object));
    }
    if (at == list.end()) return Error{Reason::not_found, "not found"};
    codec::Value object = at->second;
    if (!write.uid.empty() && model::uid_of(object) != write.uid)
      return Error{Reason::not_found, "another uid"};
    if (!write.revision.empty() && model::revision_of(object) != write.revision)
      return Error{Reason::conflict, "conflict"};
    const codec::Value before = object;
    if (write.verb == Verb::remove) {
      if (write.resource == "pods" && write.grace_seconds != 0) {
        const std::int64_t grace = write.grace_seconds.value_or(
            object["spec"]["terminationGracePeriodSeconds"].as_int(30));
        object.edit("metadata")
            .set("deletionTimestamp", to_rfc3339(now() + Duration::seconds(grace)));
        object.edit("metadata").set("deletionGracePeriodSeconds", grace);
        return put(write.resource, key, before, std::move(object));
      }
      list.erase(at);
      tell(write.resource, before, {});
      return before;
    }
    if (write.verb == Verb::merge_patch)
      merge(object, write.object);
    else
      object = write.object;
    return put(write.resource, key, before, std::move(object));
  }
  void put_object(const std::string& resource, codec::Value object) {
    const cluster::Key key{std::string(model::namespace_of(object)),
                           std::string(model::name_of(object))};
    const codec::Value before = get(resource, key.namespace_, key.name);
    if (!object["metadata"].has("uid")) object.edit("metadata").set("uid", rng_.uuid());
    (void)put(resource, key, before, std::move(object));
  }

  std::shared_ptr<void> watch(std::string resource, OnChange on_change) override {
    for (const codec::Value& object : list(resource, {})) on_change({}, object);
    auto handle = std::make_shared<OnChange>(std::move(on_change));
    watchers_.push_back({std::move(resource), handle});
    return handle;
  }
  void note(cluster::EventNote event, std::string) override { notes.push_back(std::move(event)); }
  Instant now() const override { return loop_.now(); }
  Prng& rng() override { return rng_; }
  std::shared_ptr<void> call_at(Instant when, std::function<void()> call) override {
    return loop_.call_at(when, std::move(call));
  }

  std::vector<cluster::EventNote> notes;
  // "reason message", of every event so far.
  std::vector<std::string> events() const {
    std::vector<std::string> out;
    for (const cluster::EventNote& note : notes) out.push_back(note.reason + " " + note.message);
    return out;
  }
  int writes(const std::string& what) const {
    const auto at = writes_.find(what);
    return at == writes_.end() ? 0 : at->second;
  }

 private:
  struct Watcher {
    std::string resource;
    std::weak_ptr<OnChange> call;
  };
  static void merge(codec::Value& target, const codec::Value& patch) {
    for (const codec::Member& member : patch.members()) {
      if (member.value.is_null()) {
        target.erase(member.key());
      } else if (member.value.is_object()) {
        codec::Value& inner = target.edit(member.key());
        if (!inner.is_object()) inner = codec::Value::object();
        merge(inner, member.value);
      } else {
        target.set(member.key(), member.value);
      }
    }
  }
  codec::Value put(const std::string& resource, const cluster::Key& key, const codec::Value& before,
                   codec::Value object) {
    object.edit("metadata").set("resourceVersion", std::to_string(++revision_));
    objects_[resource][key] = object;
    tell(resource, before, object);
    return object;
  }
  void tell(const std::string& resource, const codec::Value& before, const codec::Value& after) {
    const auto watchers = watchers_;
    for (const Watcher& watcher : watchers)
      if (const auto call = watcher.call.lock(); call && watcher.resource == resource)
        loop_.post([weak = watcher.call, before, after] {
          if (const auto still = weak.lock()) (*still)(before, after);
        });
  }

  host::Loop& loop_;
  Prng rng_;
  std::map<std::string, std::map<cluster::Key, codec::Value>> objects_;
  std::vector<Watcher> watchers_;
  std::map<std::string, int> writes_;
  std::int64_t revision_ = 0;
};

}  // namespace keelson::node
