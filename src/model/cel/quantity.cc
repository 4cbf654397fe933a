// quantity(), isQuantity() and what quantities can do.
#include "model/quantity.h"

#include <charconv>
#include <optional>

#include "model/cel/library.h"

namespace keelson::model::cel {

namespace {

using codec::cel::Arguments;
using codec::cel::Datum;
using codec::cel::TypePtr;

// The original keeps small amounts as value * 10^scale; only such an amount with a scale of zero or
// more is an "integer", whatever its value is: "1000m" is none.
struct Small {
  std::int64_t value = 0;
  int scale = 0;
};

std::optional<std::int64_t> scaled_up(std::int64_t value, int scale) {
  for (; scale > 0; --scale)
    if (__builtin_mul_overflow(value, 10, &value)) return std::nullopt;
  return value;
}

// Follows resource.ParseQuantity's way for small amounts; nullopt where it takes the other.
std::optional<Small> small_of(std::string_view text, Quantity::Format format) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  while (text.starts_with('0')) text.remove_prefix(1);
  const auto digits = [&] {
    std::size_t n = 0;
    while (n < text.size() && text[n] >= '0' && text[n] <= '9') ++n;
    const std::string_view part = text.substr(0, n);
    text.remove_prefix(n);
    return part;
  };
  const std::string whole(digits());
  std::string fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = digits();
  }
  int exponent = 0;
  static constexpr std::string_view kDecimal = "num kMGTPE", kBinary = "KMGTPE";
  if (format == Quantity::Format::decimal_exponent) {
    if (text.size() > 1) {
      const std::string_view number = text.substr(text[1] == '+' ? 2 : 1);
      std::from_chars(number.data(), number.data() + number.size(), exponent);
    }
  } else if (format == Quantity::Format::binary_si) {
    exponent = 10 * (static_cast<int>(kBinary.find(text[0])) + 1);
  } else if (!text.empty()) {
    exponent = 3 * (static_cast<int>(kDecimal.find(text[0])) - 3);
  }
  constexpr int kDigitsMax = 18;
  std::int64_t factor = 1;
  int scale = 0;
  int precision = kDigitsMax - static_cast<int>(whole.size() + fraction.size());
  if (format == Quantity::Format::binary_si) {
    if (!fraction.empty() || exponent > 62) return std::nullopt;
    factor = std::int64_t{1} << exponent;
    precision = 15 - static_cast<int>(whole.size()) -
                static_cast<int>(static_cast<float>(exponent) * 3 / 10) - 1;
  } else {
    scale = exponent;
  }
  if (precision < 0) return std::nullopt;
  scale -= static_cast<int>(fraction.size());
  if (scale < -9) return std::nullopt;
  const std::string all = whole + fraction;
  std::int64_t value = 0;
  if (!all.empty()) {
    const auto [end, error] = std::from_chars(all.data(), all.data() + all.size(), value);
    if (error != std::errc()) return std::nullopt;
  }
  if (__builtin_mul_overflow(value, factor, &value)) return std::nullopt;
  return Small{negative ? -value : value, scale};
}

std::optional<Small> sum(std::optional<Small> a, std::optional<Small> b) {
  if (!a || !b) return std::nullopt;
  if (b->value == 0) return a;
  if (a->value == 0) return b;
  Small& coarse = a->scale >= b->scale ? *a : *b;
  const Small& fine = a->scale >= b->scale ? *b : *a;
  const auto value = scaled_up(coarse.value, coarse.scale - fine.scale);
  Small total{0, fine.scale};
  if (!value || __builtin_add_overflow(*value, fine.value, &total.value)) return std::nullopt;
  return total;
}

class Amount final : public codec::cel::Opaque {
 public:
  Amount(Quantity quantity, std::optional<Small> small_amount)
      : value(quantity), small(small_amount) {}
  const TypePtr& type() const override { return quantity_type(); }
  bool equals(const Opaque& other) const override {
    return value == static_cast<const Amount&>(other).value;
  }
  Quantity value;
  std::optional<Small> small;
};

const Amount& amount(const Datum& datum) {
  return static_cast<const Amount&>(datum.as_opaque());
}
Datum datum_of(Quantity value, std::optional<Small> small) {
  return Datum::opaque(std::make_shared<Amount>(value, small));
}
Amount second(const Datum& datum) {
  if (datum.is_opaque()) return amount(datum);
  return {Quantity::units(datum.as_int()), Small{datum.as_int(), 0}};
}

int sign_of(const Quantity& quantity) {
  return quantity.nano() < 0 ? -1 : quantity.nano() > 0 ? 1 : 0;
}
int order_of(Arguments arguments) {
  const auto order = amount(arguments[0]).value <=> amount(arguments[1]).value;
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}
std::optional<std::int64_t> integer_of(const Amount& value) {
  if (!value.small || value.small->scale < 0) return std::nullopt;
  return scaled_up(value.small->value, value.small->scale);
}

Datum parse(Arguments arguments) {
  return quantity_datum(arguments[0].text());
}
Datum is_quantity(Arguments arguments) {
  return Datum::boolean(Quantity::parse(arguments[0].text()).has_value());
}
Datum sign(Arguments arguments) {
  return Datum::integer(sign_of(amount(arguments[0]).value));
}
Datum is_greater(Arguments arguments) {
  return Datum::boolean(order_of(arguments) > 0);
}
Datum is_less(Arguments arguments) {
  return Datum::boolean(order_of(arguments) < 0);
}
Datum compare_to(Arguments arguments) {
  return Datum::integer(order_of(arguments));
}
Datum as_float(Arguments arguments) {
  return Datum::number(amount(arguments[0]).value.to_double());
}
Datum as_integer(Arguments arguments) {
  const auto value = integer_of(amount(arguments[0]));
  return value ? Datum::integer(*value) : Datum::error("cannot convert value to integer");
}
Datum is_integer(Arguments arguments) {
  return Datum::boolean(integer_of(amount(arguments[0])).has_value());
}
Datum add(Arguments arguments) {
  const Amount &a = amount(arguments[0]), b = second(arguments[1]);
  return datum_of(a.value + b.value, sum(a.small, b.small));
}
Datum subtract(Arguments arguments) {
  const Amount &a = amount(arguments[0]), b = second(arguments[1]);
  std::optional<Small> negated = b.small;
  if (negated) negated->value = -negated->value;
  return datum_of(a.value - b.value, sum(a.small, negated));
}

}  // namespace

const TypePtr& quantity_type() {
  static const TypePtr type = codec::cel::object_type("kubernetes.Quantity");
  return type;
}

Datum quantity_datum(std::string_view text) {
  const auto parsed = Quantity::parse(text);
  if (!parsed) {
    const auto served = Quantity::served_text(text);
    return Datum::error(served.ok() ? "quantity cannot be read" : served.error().message);
  }
  return datum_of(*parsed, small_of(text, parsed->format()));
}

void add_quantity_library(codec::cel::Library& library) {
  using namespace codec::cel;
  const TypePtr q = quantity_type();
  library.add("quantity", "string_to_quantity", {string_type()}, q, parse);
  library.add("isQuantity", "is_quantity_string", {string_type()}, bool_type(), is_quantity);
  library.add("sign", "quantity_sign", {q}, int_type(), sign);
  library.add_member("isGreaterThan", "quantity_is_greater_than", {q, q}, bool_type(), is_greater);
  library.add_member("isLessThan", "quantity_is_less_than", {q, q}, bool_type(), is_less);
  library.add_member("compareTo", "quantity_compare_to", {q, q}, int_type(), compare_to);
  library.add_member("asApproximateFloat", "quantity_get_float", {q}, double_type(), as_float);
  library.add_member("asInteger", "quantity_get_int", {q}, int_type(), as_integer);
  library.add_member("isInteger", "quantity_is_integer", {q}, bool_type(), is_integer);
  library.add_member("add", "quantity_add", {q, q}, q, add);
  library.add_member("add", "quantity_add_int", {q, int_type()}, q, add);
  library.add_member("sub", "quantity_sub", {q, q}, q, subtract);
  library.add_member("sub", "quantity_sub_int", {q, int_type()}, q, subtract);
}

}  // namespace keelson::model::cel
