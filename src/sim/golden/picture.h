// Picture: the state of a World in the words of the recordings (`want`): short names, the fields
// that matter, pods counted. Everything run-dependent (hashes, generated names, uids) is replaced
// by the order of creation.
//
//   deployments, replicaSets, statefulSets, daemonSets   spec and status under short names, times
//                  in seconds; conditions as [type, status, reason, message, (updated,) changed]
//   controllerRevisions, claims                          number and owners
//   podCounts      "OWNER-OR-REVISION PHASE[ ready][ unbound][ terminating]" -> number
//   pods           name -> the same, and the node if there are several; absent if chance chose
//   events         of this instant: [object, type, reason, message(, how often)], sorted
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/golden/kubelet.h"
#include "sim/golden/world.h"

namespace keelson::sim::golden {

class Picture {
 public:
  Picture(const World& world, Kubelet& kubelet, bool several_nodes, Instant start)
      : world_(world), kubelet_(kubelet), several_nodes_(several_nodes), start_(start) {}

  // To be told of every creation, in order; `by_hand` are those of the recording itself.
  void made(const Change& change, bool by_hand);
  // A creation was refused: the generated name of a pod occurs, quoted, in the message; a
  // ReplicaSet or revision is called what it will be called when it is made after all.
  void refused(const cluster::Write& creation, const std::string& message);

  void event(const cluster::EventNote& event);
  // The state as in `want`, without t and pods that vary, and without events if there were none.
  // The events since the last call are used up.
  Value take(Instant t);

  // The real name of a "rs1" or "rs1.0" of the recording; what is no short name is returned as is.
  std::string real_name(std::string_view kind, const std::string& name) const;
  Value revision_of(std::string_view replica_set) const;

 private:
  std::string text(std::string message) const;
  std::string short_name(std::string_view resource, std::string_view name) const;
  std::string subject(const Value& object) const;
  std::string pod_name(const Value& pod) const;
  std::string pod_state(const Value& pod) const;
  Value seconds(const Value& time) const;
  Value conditions(const Value& object, bool with_update) const;
  Value workloads(std::string_view resource, Value (Picture::*picture)(const Value&) const) const;
  Value deployment(const Value& object) const;
  Value replica_set(const Value& object) const;
  Value stateful_set(const Value& object) const;
  Value daemon_set(const Value& object) const;
  Value revision(const Value& object) const;
  Value claim(const Value& object) const;
  Value events();

  const World& world_;
  Kubelet& kubelet_;
  bool several_nodes_;
  Instant start_;
  std::map<std::string, std::string, std::less<>> replica_sets_, revisions_;  // real -> short
  int replica_sets_made_ = 0, revisions_made_ = 0;
  std::set<std::string> generated_;  // names of pods
  std::vector<std::vector<std::string>> events_;
};

}  // namespace keelson::sim::golden
