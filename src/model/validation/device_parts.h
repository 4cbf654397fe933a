// What the rules of claims and of slices of devices share.
#pragma once

#include <map>

#include "model/validation/common.h"

namespace keelson::model {

// False, with an error, if there are more than `most`; else each item is checked.
template <typename Check>
bool check_items(const Path& path, const Value& list, std::size_t most, FieldErrors& errors,
                 const Check& check) {
  if (list.size() > most) {
    errors.too_many(path, static_cast<std::int64_t>(list.size()), static_cast<std::int64_t>(most));
    return false;
  }
  for (std::size_t i = 0; i < list.size(); ++i) check(path.index(i), list[i]);
  return true;
}

// The same, and then no two items may have one key. `key` names a field; empty: the item itself.
template <typename Check>
void check_set(const Path& path, const Value& list, std::size_t most, std::string_view key,
               FieldErrors& errors, const Check& check) {
  if (!check_items(path, list, most, errors, check)) return;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string text = key.empty() ? list[i].str() : list[i][key].str();
    if (!seen.insert(text).second) errors.duplicate(path.index(i), text);
  }
}

void check_label(const Path& path, const Value& name, FieldErrors& errors);
void check_identifier(const Path& path, const std::string& name, FieldErrors& errors);
// "name" or "domain/name".
void check_device_qualified_name(const Path& path, const std::string& name, FieldErrors& errors);

// "name/name/...", each a subdomain.
void check_pool_name(const Path& path, const std::string& name, FieldErrors& errors);
// Conditions that must come, and those that must not, before a pod may start.
void check_binding_conditions(const Path& path, const Value& device, FieldErrors& errors);

// Names of a claim's requests, with those of their alternatives.
using RequestNames = std::map<std::string, std::set<std::string>>;
RequestNames names_of_requests(const Value& requests);
// "request" or "request/alternative" of these names.
void check_request_reference(const Path& path, const Value& reference, const RequestNames& names,
                             FieldErrors& errors);
// What a driver is told; `config` holds it as "opaque".
void check_opaque(const Path& path, const Value& config, FieldErrors& errors);
// Text of JSON that is an object of at most 10 KiB.
void check_json_object(const Path& path, const Value& value, FieldErrors& errors);

// The status of a claim: what was allocated, for whom, and what drivers say of it.
void status_device_claim(const Value& claim, const Value& old, FieldErrors& errors);

}  // namespace keelson::model
