// JSON text in and out. The reader accepts what Go's encoding/json accepts and words its errors
// alike, because clients see them. Limits: nesting 10,000 deep. Invalid UTF-8 becomes U+FFFD.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::codec {

struct JsonDocument {
  Value value;
  // Paths of members that stood more than once ("spec.replicas", "spec.containers[0].name"); the
  // last one won.
  std::vector<std::string> duplicates;
};

// Error: bad_request with Go's wording, e.g. "invalid character 'x' looking for beginning of
// value".
Result<JsonDocument> parse_json_document(std::string_view text);
Result<Value> parse_json(std::string_view text);

// Compact. Numbers as Go prints float64 and int64.
std::string to_json(const Value& value);
void append_json(std::string& out, const Value& value);
void append_json_string(std::string& out, std::string_view text);
// Indented by two spaces, for people.
std::string to_json_indented(const Value& value);

}  // namespace keelson::codec
