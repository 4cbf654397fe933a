// The table of types: every kind that is served, its fields, and how its resources are named. It is
// compiled in from types/*.types (one file per API group and version, maintained by hand; the
// format is described in types/README.md) and can be extended with the resources of CRDs.
//
//   const auto pods = table.find("", "v1", "pods");
//   table.storage("deployments.apps")->kind == "Deployment"
//   table.type("io.k8s.api.core.v1.PodSpec")->field("containers")->merge_key == "name"
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/schema.h"
#include "codec/value.h"

namespace keelson::model {

struct Subresource {
  std::string name;                  // "status", "scale", "eviction"
  std::string group, version, kind;  // of the body; those of the resource for status
  std::vector<std::string> verbs;
  const codec::Type* type = nullptr;  // of the body; null for connections (exec, log, proxy)
};

class LazyCustomRules;  // model/custom/rules.h

// One resource in one version, as discovery lists it.
struct Resource {
  std::string group, version, plural, singular, kind;
  bool namespaced = false;
  bool stored = true;   // false: a review, which is answered and forgotten
  bool storage = true;  // objects are kept in this version
  bool custom = false;  // made by a CRD
  bool served = true;   // false: a custom resource's version that is only kept
  std::vector<std::string> short_names, categories, verbs;
  std::vector<Subresource> subresources;
  std::string storage_hash;  // discovery's storageVersionHash
  std::string stored_as;     // name of the resource whose objects these are: "events" for both
  const codec::Type* type = nullptr;
  // Of a custom resource: its structural schema, and the version's entry in the definition.
  codec::Value schema, definition;
  // Of a custom resource: objects written up to this revision may not fit the schema.
  std::int64_t schema_since = 0;
  // Owns the types of a custom resource.
  std::shared_ptr<const void> types;
  // Its rules; null if the schema has none.
  std::shared_ptr<const LazyCustomRules> rules;

  std::string name() const { return group.empty() ? plural : plural + '.' + group; }
  std::string api_version() const { return group.empty() ? version : group + '/' + version; }
  std::string list_kind() const;
  const Subresource* subresource(std::string_view subresource_name) const;
  bool has_verb(std::string_view verb) const;
};

// Stays valid as long as somebody holds it, also after its definition changed.
using ResourcePointer = std::shared_ptr<const Resource>;

class TypeTable {
 public:
  // The built-in kinds. Copies are independent and cheap enough to make one per server.
  TypeTable();

  // Null if there is none.
  ResourcePointer find(std::string_view group, std::string_view version,
                       std::string_view plural) const;
  ResourcePointer find_kind(std::string_view group, std::string_view version,
                            std::string_view kind) const;
  // The version in which objects of "deployments.apps" are kept; it may be one that is not served.
  ResourcePointer storage(std::string_view resource_name) const;
  // The storage version if it is served, else another one.
  ResourcePointer served(std::string_view resource_name) const;
  // A version of a custom resource, served or only kept.
  ResourcePointer version(std::string_view resource_name, std::string_view version) const;
  // The storage version's resource of a kind, in whatever version it is asked for.
  ResourcePointer storage_kind(std::string_view group, std::string_view kind) const;
  // All served versions of one resource, storage version first.
  std::vector<ResourcePointer> versions(std::string_view resource_name) const;
  // Ordered by group, version, plural.
  std::vector<ResourcePointer> all() const;

  // A built-in type by its OpenAPI name; null if there is none.
  const codec::Type* type(std::string_view name) const;
  const std::map<std::string, const codec::Type*, std::less<>>& types() const;

  // Adds or replaces the resources of a CustomResourceDefinition (a complete, valid object).
  Result<void> add_custom(const codec::Value& definition);
  void remove_custom(std::string_view resource_name);  // "widgets.example.com"

 private:
  struct Key {
    std::string group, version, plural;
    auto operator<=>(const Key&) const = default;
  };
  void index();

  std::map<Key, ResourcePointer> resources_;
  std::map<std::string, ResourcePointer, std::less<>> storage_;  // by resource name
  std::map<Key, ResourcePointer> kept_;  // versions of custom resources that are not served
};

}  // namespace keelson::model
