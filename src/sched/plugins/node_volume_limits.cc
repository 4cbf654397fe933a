// Counting of attached volumes as Kubernetes' plugins/nodevolumelimits, for CSI volumes; in-tree
// volumes that Kubernetes would translate to CSI are not counted.
#include "sched/plugins/node_volume_limits.h"

#include <map>

#include "base/text.h"
#include "model/meta.h"
#include "sched/plugins/volume_claims.h"

namespace keelson::sched {
namespace {

// Unique volume name to driver.
using Attached = std::map<std::string, std::string>;

// Driver and handle of the claim's volume, or of the one its class will make.
void add_volume(const cluster::View& view, const Value& claim, Attached& out) {
  const Value volume = view.get("persistentvolumes", {}, claim["spec"]["volumeName"].as_string());
  std::string driver, handle;
  if (volume.is_object()) {
    driver = volume["spec"]["csi"]["driver"].str();
    handle = volume["spec"]["csi"]["volumeHandle"].str();
  } else if (const std::string name = class_of_claim(claim); !name.empty()) {
    driver = view.get("storageclasses.storage.k8s.io", {}, name)["provisioner"].str();
    handle =
        "-" + std::string(model::namespace_of(claim)) + "/" + std::string(model::name_of(claim));
  }
  if (!driver.empty() && !handle.empty()) out[driver + "/" + handle] = driver;
}

Status add_volumes(const cluster::View& view, const PodInfo& pod, bool incoming, Attached& out) {
  for (const Value& volume : pod.spec()["volumes"].elements()) {
    const std::string name = claim_name_of(pod, volume);
    if (name.empty()) {
      if (volume["persistentVolumeClaim"].is_object())
        return Status::error("PersistentVolumeClaim had no name");
      continue;
    }
    const Value claim = view.get("persistentvolumeclaims", pod.namespace_, name);
    if (claim.is_null()) {
      if (!incoming) continue;
      return Status::unresolvable("looking up PVC " + pod.namespace_ + "/" + name +
                                  ": persistentvolumeclaim " + quote(name) + " not found");
    }
    if (volume["ephemeral"].is_object())
      if (auto mine = check_ephemeral(pod, claim); !mine.ok())
        return Status::error(mine.error().message);
    add_volume(view, claim, out);
  }
  return {};
}

// Volumes that the attach controller says are on the node.
void add_attachments(const cluster::View& view, const std::string& node, Attached& out) {
  for (const Value& attachment : view.list("volumeattachments.storage.k8s.io")) {
    const Value& spec = attachment["spec"];
    if (spec["nodeName"].as_string() != node || spec["attacher"].as_string().empty()) continue;
    const Value volume =
        view.get("persistentvolumes", {}, spec["source"]["persistentVolumeName"].as_string());
    if (!volume["spec"]["csi"].is_object()) continue;
    const std::string driver = spec["attacher"].str();
    out[driver + "/" + volume["spec"]["csi"]["volumeHandle"].str()] = driver;
  }
}

}  // namespace

Status NodeVolumeLimits::pre_filter(const Cycle& cycle, PreFilter&) const {
  for (const Value& volume : cycle.pod.spec()["volumes"].elements())
    if (volume["persistentVolumeClaim"].is_object() || volume["ephemeral"].is_object()) return {};
  return Status::skip();
}

Status NodeVolumeLimits::filter(const Cycle& cycle, const State*, const NodeInfo& node) const {
  Attached wanted;
  if (Status status = add_volumes(cycle.view, cycle.pod, true, wanted); !status.ok()) return status;
  if (wanted.empty()) return {};
  std::map<std::string, std::int64_t> limits;
  const Value csi_node = cycle.view.get("csinodes.storage.k8s.io", {}, node.name());
  for (const Value& driver : csi_node["spec"]["drivers"].elements())
    if (const Value& count = driver["allocatable"]["count"]; !count.is_null())
      limits[driver["name"].str()] = count.as_int();
  if (limits.empty()) return {};
  Attached attached;
  for (const PodPointer& other : node.pods())
    if (Status status = add_volumes(cycle.view, *other, false, attached); !status.ok())
      return status;
  for (const auto& [volume, driver] : attached) wanted.erase(volume);
  add_attachments(cycle.view, node.name(), attached);
  std::map<std::string, std::int64_t> in_use, more;
  for (const auto& [volume, driver] : attached) ++in_use[driver];
  for (const auto& [volume, driver] : wanted) ++more[driver];
  for (const auto& [driver, count] : more)
    if (const auto limit = limits.find(driver);
        limit != limits.end() && in_use[driver] + count > limit->second)
      return Status::unschedulable("node(s) exceed max volume count");
  return {};
}

bool NodeVolumeLimits::may_help(const PodInfo& pod, const Change& change) const {
  if (change.resource == "pods")
    return change.removed() && !change.before["spec"]["volumes"].empty();
  if (change.resource == "persistentvolumeclaims")
    return change.created() && model::namespace_of(change.after) == pod.namespace_;
  if (change.resource == "volumeattachments.storage.k8s.io") return change.removed();
  return change.resource == "csinodes.storage.k8s.io" && !change.removed();
}

}  // namespace keelson::sched
