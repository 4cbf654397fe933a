// The failures that the API server words itself, and the Status that each becomes. Wording:
// apimachinery pkg/api/errors; what the recordings show wins.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::registry {

// "deployments.apps"; "pods" for the core group. Details carry group and resource apart.
struct GroupName {
  std::string_view group, name;  // name: a resource, or a kind in `invalid`
  std::string text() const;      // "deployments.apps"
};

Error not_found(GroupName resource, std::string_view name);
Error already_exists(GroupName resource, std::string_view name);
// "Operation cannot be fulfilled on pods "a": WHY".
Error conflict(GroupName resource, std::string_view name, std::string_view why);
Error conflict_modified(GroupName resource, std::string_view name);
// "pods "a" is forbidden: WHY".
Error forbidden(GroupName resource, std::string_view name, std::string_view why);
Error bad_request(std::string message);
Error internal_error(std::string why);  // "Internal error occurred: WHY"
Error method_not_supported(GroupName resource, std::string_view verb);
// One cause: `Kind.group "name" is invalid: FIELD: MESSAGE`; several: in brackets.
Error invalid(GroupName kind, std::string_view name, std::vector<Cause> causes);
Error expired(std::string message);
// A read at, or a watch that begins at, a revision that is still to come.
Error too_large_revision(std::int64_t wanted, std::int64_t current);
// "Invalid" is Reason::invalid; what is no reason of the API is Reason::unknown.
Reason reason_named(std::string_view text);
// A plain error of the original that has no Status of its own: 500 with only a message.
Error unknown(std::string message);

// field.Error texts.
Cause cause_required(std::string field, std::string_view detail = {});
Cause cause_invalid(std::string field, const codec::Value& value, std::string_view detail);
Cause cause_invalid_text(std::string field, std::string_view value_text, std::string_view detail);
Cause cause_forbidden(std::string field, std::string_view detail);
Cause cause_not_supported(std::string field, const codec::Value& value,
                          const std::vector<std::string>& supported);
Cause cause_not_found(std::string field, const codec::Value& value);
Cause cause_duplicate(std::string field, const codec::Value& value);

}  // namespace keelson::registry
