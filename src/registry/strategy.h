// Strategy: what the server does with an object of a kind before it is validated and stored, and
// how the kind's verbs deviate from the rule: which fields a write may not touch, what raises
// metadata.generation, whether PUT creates, what DELETE answers. Source: the strategies under
// Kubernetes' pkg/registry, and the recordings.
//
// Works on objects in storage version with defaults applied. It must not know the store.
#pragma once

#include <string_view>
#include <vector>

#include "base/prng.h"
#include "base/time.h"
#include "codec/value.h"
#include "model/types.h"
#include "registry/request.h"

namespace keelson::registry {

struct Change {
  const model::Resource& resource;  // in storage version
  Value& object;
  const Value& old;  // null on creation
  const Identity& identity;
  Instant now;
  Prng& rng;
};

struct Strategy {
  std::string_view resource;  // "deployments.apps"
  bool has_status = false;    // writes to the object leave status alone
  bool upsert = false;        // PUT creates
  bool versioned = false;     // PUT needs a resourceVersion
  bool echo = false;          // DELETE answers with the object
  bool orphan = false;        // DELETE orphans dependents by default
  bool collectable = true;    // propagation policies apply (not to events)
  // Metadata that a status write may not touch.
  enum class StatusMeta { free, labels, all } status_meta = StatusMeta::free;
  // Members whose change raises the generation ("spec", "metadata.annotations"); empty: the kind
  // has no generation.
  std::vector<std::string_view> generation_fields = {};
  bool generation_from_zero = false;  // is not set on creation
  void (*create)(Change&) = nullptr;
  void (*update)(Change&) = nullptr;         // after status and before generation are dealt with
  void (*update_status)(Change&) = nullptr;  // of the status subresource
};

// The rules of a built-in resource; a plain default for those without entry.
const Strategy& strategy_of(std::string_view resource);
// Custom resources: everything but metadata and status counts for the generation.
const Strategy& custom_strategy(bool has_status);

void prepare_create(const Strategy& strategy, Change& change);
void prepare_update(const Strategy& strategy, Change& change);
void prepare_status_update(const Strategy& strategy, Change& change);
// Of the subresources that write a part of their object: ephemeralcontainers, resize, approval,
// finalize, scale.
void prepare_part_update(std::string_view subresource, Change& change);

}  // namespace keelson::registry
