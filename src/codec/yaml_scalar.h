// What an untagged or tagged plain scalar means, by the original's YAML 1.1 rules (go-yaml v2,
// resolve.go). The reader uses it to read, the writer to know which texts need quotes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace keelson::codec {

struct YamlScalar {
  enum class Kind : std::uint8_t { text, null, boolean, integer, unsigned_integer, number, time };
  Kind kind = Kind::text;
  bool boolean = false;
  std::int64_t integer = 0;
  std::uint64_t unsigned_integer = 0;
  double number = 0;
};

// `allow_time`: whether a timestamp may be one (not under a tag such as !!int).
YamlScalar resolve_yaml_scalar(std::string_view text, bool allow_time = true);

// The shortest text that reads back as the same number of 32 or 64 bits, as Go's FormatFloat(n,
// 'g', -1, bits) gives it: with an exponent below 1e-4 and from 1e6 on.
std::string number_text(double number, int bits);

bool is_utf8(std::string_view text);

}  // namespace keelson::codec
