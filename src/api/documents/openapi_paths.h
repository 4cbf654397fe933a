// What can be asked at which path, and how it is named, as both versions of OpenAPI tell it:
// derived from the table of resources, and for what is no resource from the groups. Knows nothing
// of how a version writes it down. Original: apiserver pkg/endpoints/installer.go and openapi,
// apiextensions-apiserver pkg/controller/openapi/builder.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codec/value.h"
#include "model/types.h"

namespace keelson::api {

using codec::Value;
using MediaTypes = std::span<const std::string_view>;

struct Parameter {
  std::string_view name;
  std::string_view type;  // "string", "boolean", "integer"
  // v2 keeps what many operations take in one place, under a name that ends in this; empty: in
  // place. The original makes it from a hash of the parameter with its description; clients may
  // refer to it, so it is kept.
  std::string_view shared;
  bool in_path = false;
};

struct Operation {
  std::string_view method;  // "get"
  std::string id, tag;
  std::string_view action;  // x-kubernetes-action; empty: no resource
  Value kind;               // x-kubernetes-group-version-kind; null: none
  MediaTypes consumes, produces;
  std::vector<const Parameter*> parameters;
  std::string body;  // name of a schema; empty: none
  bool body_required = true;
  std::string answer;  // name of a schema; empty: a text
  // The codes of success; 401 is always possible.
  std::vector<int> codes = {200};
};

struct Path {
  std::string path;
  std::vector<Operation> operations;
};

// Names of the schemas of a resource's object and of its list; empty if there is none.
struct SchemaNames {
  std::string object, list;
};
SchemaNames schema_names(const model::Resource& resource);

void append_paths(std::vector<Path>& paths, const model::Resource& resource);

// The documents that are about no version of a group: "/version/", "/apis/", "/apis/apps/" ...
Path plain_path(std::string_view path, std::string_view operation, std::string_view answer,
                MediaTypes consumes, MediaTypes produces);
// "/api/v1/", "/apis/apps/v1/".
Path resources_path(std::string_view group, std::string_view version);
// "/apis/apps/".
Path group_path(std::string_view group);
// The others: "api", "apis", "version", ".well-known/openid-configuration", "openid/v1/jwks", as
// their documents are named.
std::vector<Path> general_paths();

}  // namespace keelson::api
