// ListOptions: which combinations of resourceVersion, resourceVersionMatch, limit and continue a
// list or watch may have, what they mean, and the tokens that continue a list.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "registry/request.h"

namespace keelson::registry {

// 422 `ListOptions.meta.k8s.io "" is invalid` for a forbidden combination.
Result<void> check_list_options(const Options& options, bool watch);

// The number of a resourceVersion; 0 for none. The Error's message is that of the original's
// parser.
Result<std::int64_t> parse_revision(std::string_view text);

// {"v":"meta.k8s.io/v1","rv":7,"start":"b\u0000"} in base64url: the next key behind the list's
// prefix and the revision to read it at; -1: whatever is current.
inline constexpr std::int64_t kInconsistent = -1;
struct ContinueToken {
  std::int64_t revision = 0;
  std::string start;
};
std::string to_text(const ContinueToken& token);
Result<ContinueToken> parse_continue(std::string_view text);

}  // namespace keelson::registry
