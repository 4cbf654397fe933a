// The kinds that controllers of everything (garbage, namespaces) walk: what is stored, listed and
// deleted, custom resources included. Taken from a type table at one moment; when definitions come
// or go, such a controller is replaced by a new one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/types.h"

namespace keelson::control {

struct ObjectKind {
  std::string resource;  // "deployments.apps"
  std::string group, kind;
  bool namespaced = false;
  // Where its scale subresource finds the wanted number: "spec.replicas"; empty: it has none.
  std::string scale_path = {};
  bool is_event() const { return kind == "Event"; }
};

// Ordered by resource.
std::vector<ObjectKind> object_kinds(const model::TypeTable& types);

}  // namespace keelson::control
