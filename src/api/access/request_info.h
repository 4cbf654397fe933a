// What a URL of the Kubernetes API asks for, read as the original reads it (apiserver
// pkg/endpoints/request/requestinfo.go), and the parsing of queries below it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace keelson::api {

// "%2F" becomes "/"; with `plus`, "+" becomes a space. nullopt for a malformed escape.
std::optional<std::string> percent_decode(std::string_view text, bool plus = false);
std::string percent_encode(std::string_view text);  // all but letters, digits and "-._~"

// The parameters of a query, in order. A pair with a malformed escape is left out, as in Go.
class Query {
 public:
  Query() = default;
  explicit Query(std::string_view text);
  std::string_view get(std::string_view name) const;  // the first; empty if there is none
  bool has(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  // As Kubernetes converts query parameters: a present but empty value is true; "false" and "0" are
  // false, everything else true.
  bool get_bool(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

struct RequestInfo {
  bool is_resource = false;
  std::string path;  // decoded
  std::string prefix, group, version;
  std::string namespace_, resource, subresource, name;
  // "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", or the
  // lower-case method for what is no resource.
  std::string verb;
  std::vector<std::string> parts;  // from the resource on
  bool old_watch = false;          // the deprecated /watch/ form of the path
  bool below_namespace = false;    // the parts begin behind /namespaces/NAME/
  std::string field_selector, label_selector;
};

// Error: internal_error for a path that ends within "/watch" or "/proxy".
Result<RequestInfo> request_info_of(std::string_view method, std::string decoded_path,
                                    const Query& query);

// What lies behind RESOURCE/NAME/proxy in the path that `info` was read from, still encoded; "/" if
// that is nothing.
std::string proxied_path(std::string_view path, const RequestInfo& info);

}  // namespace keelson::api
