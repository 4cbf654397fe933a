// What a fresh server contains, as tables of text. One object per paragraph; the notation:
//
//   clusterrole NAME [+LABEL...]            labels of rbac.authorization.k8s.io, each "true"
//     aggregate LABEL[,LABEL]               the aggregation rule
//     VERBS GROUPS:RESOURCES [names:NAMES]  a rule; commas separate, an empty group is the core one
//     VERBS url:PATHS
//   role NAMESPACE/NAME
//   clusterrolebinding NAME KIND/ROLE = SUBJECT...      Group/x, User/x, ServiceAccount/ns/x
//   rolebinding NAMESPACE/NAME KIND/ROLE = SUBJECT...
//   prioritylevel NAME SPEC, flowschema NAME SPEC       the spec as JSON
//   apiservice VERSION GROUP MINIMUM PRIORITY           "-" for the core group
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "codec/value.h"
#include "registry/registry.h"

namespace keelson::registry {

extern const char* const kRoles;
extern const char* const kBindings;
extern const char* const kFlow;
extern const char* const kApiServices;

// One object of a fresh server and who is said to manage it.
struct Seed {
  std::string_view group, version, resource;
  Value object;  // without status
  Value status;  // null: none
  std::string_view manager = "kube-apiserver";
  std::string_view status_manager = {};  // empty: the status is not tracked
};

std::vector<Seed> bootstrap_content(const Settings& settings, Instant now);

// The rules of clusterroles and roles in a text of the notation above.
std::vector<Seed> parse_content(std::string_view text, Instant now);

}  // namespace keelson::registry
