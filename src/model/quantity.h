// Quantity: resource.Quantity of apimachinery. Exact: nanounits in 128 bits, which covers every
// value that the original keeps (it caps at 2^63-1 units and rounds below one nanounit up).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/wide.h"
#include "codec/value.h"

namespace keelson::model {

class Quantity {
 public:
  enum class Format : std::uint8_t { decimal_exponent, binary_si, decimal_si };

  Quantity() = default;
  // nullopt if the text is no quantity. Accepts signs, exponents and all suffixes, as the original
  // does.
  static std::optional<Quantity> parse(std::string_view text);
  // From a JSON string or number; anything else, or text that is no quantity, reads as zero.
  static Quantity of(const codec::Value& value);
  static Quantity units(std::int64_t n, Format format = Format::decimal_si);
  static Quantity milli(std::int64_t n, Format format = Format::decimal_si);
  // What the API server makes of a quantity's text: kept as written where that is canonical enough
  // ("+5", "1500Mi", "00012"), else canonical ("1024Mi" becomes "1Gi"). The error has the
  // original's wording.
  static Result<std::string> served_text(std::string_view text);

  std::int64_t value() const;        // units, rounded up (away from zero), saturating
  std::int64_t milli_value() const;  // thousandths, likewise
  Int128 nano() const { return nano_; }
  Quantity rounded_up_to_milli() const;  // away from zero
  double to_double() const;
  bool is_zero() const { return nano_ == 0; }
  Format format() const { return format_; }
  std::string text() const;  // canonical form: "1500m", "2Gi", "1e3"

  Quantity operator+(const Quantity& o) const;
  Quantity operator-(const Quantity& o) const;
  std::strong_ordering operator<=>(const Quantity& o) const;
  bool operator==(const Quantity& o) const { return nano_ == o.nano_; }

 private:
  Int128 nano_ = 0;
  Format format_ = Format::decimal_si;
};

}  // namespace keelson::model
