// PodControl: the writes a StatefulSet's sync makes for one pod and its claims, with the events
// that tell of them. Reads claims as they were when the sync began. Inside this folder only.
// Behaviour: pkg/controller/statefulset/stateful_pod_control.go.
#pragma once

#include <string_view>

#include "control/statefulset/statefulset.h"

namespace keelson::control::stateful {

class PodControl {
 public:
  PodControl(const StatefulSetInputs& inputs, Script& script) : inputs_(inputs), script_(script) {}

  // With its claims. An existing pod of that name is an Error without an event.
  Result<void> create(const Value& set, const Value& pod);
  // Corrects identity, volumes and the owners of claims.
  Result<void> update(const Value& set, Value pod);
  Result<void> remove(const Value& pod);

  Result<void> create_missing_claims(const Value& set, const Value& pod);
  bool claims_match_retention(const Value& set, const Value& pod) const;
  Result<void> update_claims_for_retention(const Value& set, const Value& pod);
  // A claim still belongs to an earlier pod of that name and is about to go with it.
  bool claim_is_stale(const Value& set, const Value& pod) const;

 private:
  Result<void> create_claims(const Value& set, const Value& pod);
  Result<void> try_update(const Value& set, Value& pod, bool& attempted);
  const Value& claim(const Value& set, const Value& claim_template, const Value& pod) const;
  void note(std::string_view verb, const Value& pod, const Result<void>& result);

  const StatefulSetInputs& inputs_;
  Script& script_;
};

}  // namespace keelson::control::stateful
