// What the slices of one Service should be: pure. Slices that can stay as they are stay; changed
// ones are filled up first, fullest first; only then a new one is made.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/time.h"
#include "codec/value.h"
#include "control/endpointslice/hints.h"

namespace keelson::control {

struct EndpointSliceOptions {
  std::size_t endpoints_max = 100;  // per slice
  Duration batch_period;            // syncs for changes of pods wait that long
};

struct SliceInput {
  codec::Value service;
  std::vector<codec::Value> pods;    // those that the selector matches
  std::vector<codec::Value> slices;  // of the service, managed by this controller
  // The Node object of that name, or null.
  std::function<codec::Value(std::string_view)> node;
  EndpointSliceOptions options;
  TopologyHints& topology;
  std::string trigger_time = {};  // of the change behind this sync; empty: unknown
};

struct SliceChanges {
  std::vector<codec::Value> creates, updates, deletes;
  std::vector<HintEvent> events = {};
  std::vector<std::string> errors = {};  // the sync is to be tried again
};

SliceChanges change_slices(const SliceInput& input);

inline constexpr std::string_view kSliceManager = "endpointslice-controller.k8s.io";
inline constexpr std::string_view kServiceNameLabel = "kubernetes.io/service-name";
inline constexpr std::string_view kManagedByLabel = "endpointslice.kubernetes.io/managed-by";

}  // namespace keelson::control
