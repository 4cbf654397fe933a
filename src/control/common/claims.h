// Claims: which objects belong to a controller. It adopts orphans that its selector matches and
// releases what it owns but no longer selects, each by one patch that is bound to the revision it
// decided on.
// Behaviour: pkg/controller/controller_ref_manager.go.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "control/common/script.h"
#include "model/selector.h"

namespace keelson::control {

// The objects of one resource that have no controller, kept up to date by a controller's watch, so
// that a sync need not look through its whole namespace for something to adopt.
class Orphans {
 public:
  explicit Orphans(std::string resource) : resource_(std::move(resource)) {}
  void observe(const Value& before, const Value& after);
  std::vector<Value> list(const cluster::View& view, std::string_view ns) const;

 private:
  std::string resource_;
  std::map<std::string, std::set<std::string>, std::less<>> names_;  // by namespace
};

// What `owner` controls, followed by the orphans of its namespace.
std::vector<Value> owned_and_orphans(const cluster::View& view, std::string_view resource,
                                     const Orphans& orphans, const Value& owner);

// Which of the candidates the owner has, after adopting and releasing; adopted ones as patched.
// `may_own`, if set, must accept an object besides the selector. An Error says that a patch failed
// for a reason other than that the object is gone; the sync should end with it. What is owned has
// `finalizer`, if one is given.
Result<std::vector<Value>> claim(Script& script, std::string_view resource, const Value& owner,
                                 const model::LabelSelector& selector,
                                 const std::vector<Value>& candidates,
                                 const std::function<bool(const Value&)>& may_own = {},
                                 std::string_view finalizer = {});

// A reference to `owner` first among the object's ownerReferences, or none to it any more, as a
// merge patch with the object's uid and revision as preconditions.
cluster::Write adoption(std::string_view resource, const Value& owner, const Value& object,
                        std::string_view finalizer = {});
cluster::Write release(std::string_view resource, const Value& owner, const Value& object,
                       std::string_view finalizer = {});
// The object without this finalizer, as a merge patch with the same preconditions.
cluster::Write finalizer_removal(std::string_view resource, const Value& object,
                                 std::string_view finalizer);

// The object of this resource that `child` names as its controller; null if it is gone or another
// of the same name (or the reference is of another kind).
Value resolve_controller(const cluster::View& view, std::string_view resource,
                         std::string_view kind, const Value& child);
// What controls objects of some kind: "replicasets.apps", "ReplicaSet".
struct OwnerKind {
  std::string_view resource, kind;
};
// What the owner selects; a ReplicationController has a plain map for it.
Result<model::LabelSelector> selector_of(const OwnerKind& kind, const Value& owner);
// Those of its namespace that might adopt the object. An empty selector selects nothing here.
std::vector<cluster::Key> selecting(const cluster::View& view, const OwnerKind& owner,
                                    const Value& object);
// Whom a change of an object concerns: the owner that it has or had; of an orphan, those that may
// adopt it, if it is new or what they select by has changed.
enum class Departure : std::uint8_t {
  when_asked,    // with a deletionTimestamp an object counts as gone
  when_removed,  // only once it is not there any more
};
std::vector<cluster::Key> concerned(const cluster::View& view, const OwnerKind& owner,
                                    const Value& before, const Value& after, Departure departure);

cluster::Key key_of(const Value& object);
std::vector<Value> ordered_by_age(std::vector<Value> objects);  // then by name

}  // namespace keelson::control
