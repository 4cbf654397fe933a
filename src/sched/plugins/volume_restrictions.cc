// Restrictions as Kubernetes' plugins/volumerestrictions.
#include "sched/plugins/volume_restrictions.h"

#include <algorithm>

#include "base/text.h"
#include "model/meta.h"

namespace keelson::sched {
namespace {

struct Exclusive : State {
  std::shared_ptr<State> clone() const override { return std::make_shared<Exclusive>(*this); }
  std::vector<std::string> claims;  // ReadWriteOncePod claims of the pod
  std::int64_t conflicts = 0;       // uses of them by other pods

  // As the original does, by name alone: the namespaces are not compared.
  void count(const PodInfo& other, std::int64_t sign) {
    for (const std::string& claim : other.claims)
      if (std::find(claims.begin(), claims.end(), claim) != claims.end()) conflicts += sign;
  }
};

constexpr std::string_view kDisks[] = {"gcePersistentDisk", "awsElasticBlockStore", "rbd", "iscsi"};

bool is_disk(const Value& volume) {
  return std::any_of(std::begin(kDisks), std::end(kDisks),
                     [&](std::string_view kind) { return volume[kind].is_object(); });
}

bool overlap(const Value& a, const Value& b) {
  for (const Value& x : a.elements())
    for (const Value& y : b.elements())
      if (x == y) return true;
  return false;
}

bool conflict(const Value& a, const Value& b) {
  const auto both = [&](std::string_view kind) {
    return a[kind].is_object() && b[kind].is_object();
  };
  const auto same = [&](std::string_view kind, std::string_view field, std::string_view fallback) {
    return a[kind][field].as_string(fallback) == b[kind][field].as_string(fallback);
  };
  const auto writes = [&](std::string_view kind) {
    return !(a[kind]["readOnly"].as_bool() && b[kind]["readOnly"].as_bool());
  };
  if (both("gcePersistentDisk") && same("gcePersistentDisk", "pdName", "") &&
      writes("gcePersistentDisk"))
    return true;
  if (both("awsElasticBlockStore") && same("awsElasticBlockStore", "volumeID", "")) return true;
  if (both("iscsi") && same("iscsi", "iqn", "") && writes("iscsi")) return true;
  return both("rbd") && overlap(a["rbd"]["monitors"], b["rbd"]["monitors"]) &&
         same("rbd", "pool", "rbd") && same("rbd", "image", "") && writes("rbd");
}

}  // namespace

Status VolumeRestrictions::pre_filter(const Cycle& cycle, PreFilter& out) const {
  const auto& volumes = cycle.pod.spec()["volumes"].elements();
  const bool disks = std::any_of(volumes.begin(), volumes.end(), is_disk);
  auto state = std::make_shared<Exclusive>();
  for (const std::string& name : cycle.pod.claims) {
    const Value claim = cycle.view.get("persistentvolumeclaims", cycle.pod.namespace_, name);
    if (claim.is_null())
      return Status::unresolvable("persistentvolumeclaim " + quote(name) + " not found");
    const auto& modes = claim["spec"]["accessModes"].elements();
    if (std::none_of(modes.begin(), modes.end(),
                     [](const Value& mode) { return mode.as_string() == "ReadWriteOncePod"; }))
      continue;
    if (std::find(state->claims.begin(), state->claims.end(), name) != state->claims.end())
      continue;
    state->claims.push_back(name);
    if (cycle.snapshot.claim_uses(cycle.pod.namespace_ + "/" + name) > 0) ++state->conflicts;
  }
  if (!disks && state->conflicts == 0) return Status::skip();
  out.state = std::move(state);
  return {};
}

Status VolumeRestrictions::filter(const Cycle& cycle, const State* state,
                                  const NodeInfo& node) const {
  for (const Value& volume : cycle.pod.spec()["volumes"].elements()) {
    if (!is_disk(volume)) continue;
    for (const PodPointer& other : node.pods())
      for (const Value& used : other->spec()["volumes"].elements())
        if (conflict(volume, used)) return Status::unschedulable("node(s) had no available disk");
  }
  if (static_cast<const Exclusive*>(state)->conflicts > 0)
    return Status::unschedulable(
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode "
        "already in-use by another pod");
  return {};
}

void VolumeRestrictions::pod_added(const Cycle&, State* state, const PodInfo& pod,
                                   const NodeInfo&) const {
  static_cast<Exclusive*>(state)->count(pod, 1);
}

void VolumeRestrictions::pod_removed(const Cycle&, State* state, const PodInfo& pod,
                                     const NodeInfo&) const {
  static_cast<Exclusive*>(state)->count(pod, -1);
}

bool VolumeRestrictions::may_help(const PodInfo& pod, const Change& change) const {
  if (change.resource == "pods") return change.removed();
  if (change.resource == "persistentvolumeclaims")
    return !change.removed() && model::namespace_of(change.after) == pod.namespace_;
  return change.resource == "nodes" && !change.removed();
}

}  // namespace keelson::sched
