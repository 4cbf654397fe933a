// World: the small API server in memory that recordings of controllers are played against. It sets
// what a server sets (uids that grow, revisions, creation times, generations, defaults), deletes
// gracefully, collects garbage when asked to, and keeps a log of changes. It takes no time and
// knows no controller.
//
// Status and spec are written separately, annotations of a Deployment with either. A write that
// changes nothing changes nothing; one of an old revision is a conflict. generation counts changes
// of the spec, for a Deployment those of annotations too. A pod that is bound and not finished is
// marked when it is deleted, a claim while a pod uses it; anything else is gone at once.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "host/loop.h"

namespace keelson::sim::golden {

using codec::Value;

struct Change {
  std::string resource;
  Value before, after;  // null on creation and on removal
};

struct WorldOptions {
  // Generated names count from 0 for each generateName; otherwise they count over all, in five
  // digits.
  bool names_counted = false;
  bool default_tolerations = false;  // of pods, for 300 s of not-ready and unreachable
  // Jobs, CronJobs, budgets, quotas and new pods are defaulted, prepared and validated by the rules
  // of the real server; a refusal is the controller's to deal with.
  bool real_rules = false;
  // The server of these recordings cuts times to whole seconds one write late: the first status
  // that repeats the one before is a change too.
  bool first_repeat_counts = false;
};

class World : public cluster::View {
 public:
  // Time is the loop's.
  explicit World(const host::Loop& loop, WorldOptions options = {})
      : loop_(loop), options_(options) {}

  // View.
  Value get(std::string_view resource, std::string_view ns, std::string_view name) const override;
  std::vector<Value> list(std::string_view resource, std::string_view ns) const override;
  std::vector<Value> owned_by(std::string_view resource, std::string_view uid) const override;

  Instant now() const { return loop_.now(); }

  // One write as a controller or a user makes it.
  Result<Value> commit(const cluster::Write& write);
  // An object of a user: the resource follows from its kind, the namespace is "default".
  Result<Value> create(const Value& manifest);
  // The kubelet's and scheduler's way: the whole object, status included.
  void put(std::string_view resource, Value object);
  // The object is gone, whatever it was waiting for.
  void erase(std::string_view resource, const Value& object);
  // Removes the references to this object from whatever it owns.
  void orphan_dependents(const Value& owner);
  // Deletes what has lost all its owners, drops references to lost ones, and removes claims that
  // were kept only by a pod. True if anything changed.
  bool collect_garbage();

  // Refuses pods from this number on; nullopt: no quota.
  void set_quota(std::optional<std::int64_t> pods) { quota_ = pods; }
  // Refuses to create this resource with this text; an empty one ends it.
  void refuse(const std::string& resource, const std::string& message);

  // What changed since the last call, in order.
  std::vector<Change> take_changes();
  bool has_changes() const { return !changes_.empty(); }

 private:
  using Objects = std::map<cluster::Key, Value>;
  Result<Value> create(std::string_view resource, Value object);
  Result<Value> update(const cluster::Write& write);
  Result<Value> patch(const cluster::Write& write);
  Result<Value> remove(const cluster::Write& write);
  Result<Value> replace(std::string_view resource, const Value& before, Value after,
                        std::string_view subresource);
  std::string fresh_name(std::string_view resource, std::string_view prefix);
  bool delete_dependents(std::string_view resource, Value owner);
  bool claim_is_used(const Value& claim) const;
  bool remove_unused_claims();
  const Value* find(std::string_view resource, const cluster::Key& key) const;
  void store(std::string_view resource, Value object);

  const host::Loop& loop_;
  WorldOptions options_;
  std::map<std::string, std::int64_t, std::less<>> names_;  // generated, by prefix
  std::map<std::string, Objects, std::less<>> objects_;
  std::vector<Change> changes_;
  std::int64_t revision_ = 0, uid_ = 0, name_ = 0;
  std::set<std::string, std::less<>> uncut_;  // uids of what has a status that was written once
  std::set<std::string, std::less<>> gone_;   // uids of what was removed
  std::optional<std::int64_t> quota_;
  std::map<std::string, std::string, std::less<>> refused_;  // resource -> message
};

// "deployments.apps" for "Deployment"; empty for a kind that does not occur in recordings.
std::string_view resource_of_kind(std::string_view kind);
// RFC 7396.
void merge_patch(Value& object, const Value& patch);

}  // namespace keelson::sim::golden
