// Kubelet: how the pods of a recording live, by its rules: when they are bound, run, get ready,
// fail and go. It changes a pod only at the moment that is due; between, pods stay as they are, and
// so do terminating ones until they are removed.
//
// A rule applies to a pod if all its keys fit: image (of the first container), node, index and
// indexFrom (among the pods of its owner; the ordinal for a StatefulSet, per node for a DaemonSet),
// pod (its name). Its values, in seconds or "never", win over those of earlier rules:
//   bindAfter 0, runAfter (as readyAfter), readyAfter 2, failAfter never   since the pod was made
//   deleteAfter 1                                                          since it was asked to go
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/golden/world.h"

namespace keelson::sim::golden {

// Where a pod stands among the others: what rules and pictures call it by.
struct PodPlace {
  // Among those of its owner's name (of its node, for a DaemonSet), from 0.
  std::int64_t index = 0;
  std::int64_t made = 0;               // among all pods of the scenario, from 0
  std::string owner_name, owner_kind;  // empty for a pod made by hand
  std::string daemon_node;             // the node it was made for, by a DaemonSet
  std::string short_name;              // as it was when the pod was made: "rs1.0", "n1.0"
};

class Kubelet {
 public:
  Kubelet(World& world, std::int64_t nodes) : world_(world), nodes_(nodes) {}

  void add_rule(const Value& rule) { rules_.push_back(rule); }
  // To be told of every pod once, when it is made.
  void pod_made(const Value& pod);
  const PodPlace& place_of(const Value& pod) const;
  PodPlace& place_of(const Value& pod);

  // When the next pod changes by itself; nullopt if none is to.
  std::optional<Instant> next_due() const;
  // Brings every pod up to the present, bound ones only. True if anything changed.
  bool advance();
  // Binds what is to be bound by now: the scheduler's part. True if it bound any.
  bool bind();

  // Holds the pod ready or not ready from now on.
  void hold_ready(const Value& pod, bool ready);
  void finish(const Value& pod, std::string_view phase);

 private:
  // A pod's delays, after all rules; nullopt: never.
  struct Delays {
    std::optional<Duration> bind, run, ready, fail, remove;
  };
  enum class Step { none, run, ready, fail, remove };
  struct Next {
    Step step = Step::none;
    Instant at;
  };
  Delays delays_of(const Value& pod) const;
  bool applies(const Value& rule, const Value& pod, const PodPlace& place) const;
  std::optional<Instant> bind_at(const Value& pod) const;
  Next next_of(const Value& pod) const;
  void take(const Value& pod, Step step);

  World& world_;
  std::int64_t nodes_;
  std::vector<Value> rules_;
  std::map<std::string, PodPlace, std::less<>> places_;  // by uid
  std::map<std::string, std::int64_t> counts_;           // pods made, by owner
  std::map<std::string, bool> held_;                     // readiness held by an action, by uid
};

// The value of a condition of a pod at a time, as status.conditions.
void set_ready(Value& pod, bool ready, Instant now);

}  // namespace keelson::sim::golden
