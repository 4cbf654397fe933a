// Text is read into decimal digits and a power of ten, which has no limits, so that what is served
// is exact; the arithmetic type then saturates.
#include "model/quantity.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "codec/json.h"

namespace keelson::model {
namespace {

using Format = Quantity::Format;

constexpr std::int64_t kGiga = 1'000'000'000;
constexpr std::string_view kFormatWrong =
    "quantities must match the regular expression "
    "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
constexpr std::string_view kNumericWrong = "unable to parse numeric part of quantity";
constexpr std::string_view kSuffixWrong = "unable to parse quantity's suffix";
constexpr std::size_t kFastDigits = 18;  // what the original surely holds in an int64

Int128 wide_max() {
  return ~(static_cast<Int128>(1) << 127);
}

// digits * 10^exponent; no leading zeros, "" is zero.
struct Decimal {
  bool negative = false;
  std::string digits;
  std::int64_t exponent = 0;

  bool is_zero() const { return digits.empty(); }
  void trim_front() { digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size())); }
  void trim_back() {
    while (!digits.empty() && digits.back() == '0') {
      digits.pop_back();
      ++exponent;
    }
  }
  void double_times(int count) {
    for (; count > 0; --count) {
      int carry = 0;
      for (auto d = digits.rbegin(); d != digits.rend(); ++d) {
        const int twice = (*d - '0') * 2 + carry;
        *d = static_cast<char>('0' + twice % 10);
        carry = twice / 10;
      }
      if (carry > 0) digits.insert(digits.begin(), static_cast<char>('0' + carry));
    }
  }
  // Rounds away from zero to a multiple of 10^floor. True if nothing was lost.
  bool round_up(std::int64_t floor) {
    if (exponent >= floor || is_zero()) return true;
    const auto cut = static_cast<std::size_t>(floor - exponent);
    const bool exact = cut < digits.size() &&
                       digits.find_first_not_of('0', digits.size() - cut) == std::string::npos;
    digits.resize(cut < digits.size() ? digits.size() - cut : 0);
    exponent = floor;
    if (exact) return true;
    std::size_t i = digits.size();
    while (i > 0 && digits[i - 1] == '9') digits[--i] = '0';
    if (i == 0)
      digits.insert(digits.begin(), '1');
    else
      ++digits[i - 1];
    return false;
  }
  // Compares the magnitude with a whole number.
  int compare_magnitude(std::string_view whole) const {
    std::string mine = digits;
    std::int64_t e = exponent;
    std::string other(whole);
    if (mine.empty()) return other.empty() ? 0 : -1;
    const auto length = static_cast<std::int64_t>(mine.size()) + e;
    const auto other_length = static_cast<std::int64_t>(other.size());
    if (length != other_length) return length < other_length ? -1 : 1;
    if (e > 0) mine.append(static_cast<std::size_t>(e), '0');
    if (e < 0) other.append(static_cast<std::size_t>(-e), '0');
    return mine.compare(other);
  }
};

struct Parsed {
  Decimal amount;
  Format format = Format::decimal_si;
  bool keeps_text = false;
};

struct Suffix {
  bool good = false;
  int base = 10;
  std::int64_t exponent = 0;
  Format format = Format::decimal_si;
};

Suffix suffix_of(std::string_view text) {
  constexpr std::string_view decimal = "num kMGTPE";
  constexpr std::string_view binary = "KMGTPE";
  if (text.empty()) return {true};
  if (text.size() == 1) {
    const std::size_t at = decimal.find(text[0]);
    if (at == std::string_view::npos || text[0] == ' ') return {};
    return {true, 10, static_cast<std::int64_t>(at) * 3 - 9, Format::decimal_si};
  }
  if (text.size() == 2 && text[1] == 'i') {
    const std::size_t at = binary.find(text[0]);
    if (at == std::string_view::npos) return {};
    return {true, 2, static_cast<std::int64_t>(at + 1) * 10, Format::binary_si};
  }
  if (text[0] == 'e' || text[0] == 'E')
    if (const auto n = parse_int(text.substr(1)); n && text[1] != '\0')
      return {true, 10, static_cast<std::int32_t>(*n), Format::decimal_exponent};
  return {};
}

struct Pieces {
  bool positive = true, good = true;
  std::string_view value, whole, fraction, suffix;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

Pieces pieces_of(std::string_view text) {
  Pieces p;
  std::size_t at = 0;
  const auto skip_digits = [&] {
    const std::size_t start = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return text.substr(start, at - start);
  };
  if (text[0] == '-' || text[0] == '+') {
    p.positive = text[0] == '+';
    ++at;
  }
  while (at < text.size() && text[at] == '0') ++at;
  if (at == text.size()) {
    p.whole = p.value = "0";
    return p;
  }
  p.whole = skip_digits();
  if (p.whole.empty()) p.whole = "0";
  if (at < text.size() && text[at] == '.') {
    ++at;
    p.fraction = skip_digits();
  }
  p.value = text.substr(0, at);
  const std::size_t start = at;
  constexpr std::string_view letters = "eEinumkKMGTP";
  while (at < text.size() && letters.find(text[at]) != std::string_view::npos) ++at;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  skip_digits();
  p.suffix = text.substr(start);
  p.good = at == text.size();
  return p;
}

// 0 if the text parses, else the original's message.
std::string_view parse_text(std::string_view text, Parsed& out) {
  if (text.empty()) return kFormatWrong;
  if (text == "0") {
    out.keeps_text = true;
    return {};
  }
  const Pieces p = pieces_of(text);
  if (!p.good) return kFormatWrong;
  const Suffix suffix = suffix_of(p.suffix);
  if (!suffix.good) return kSuffixWrong;
  out.format = suffix.format;
  const std::string shifted = std::string(p.whole) + std::string(p.fraction);
  out.amount = {!p.positive, shifted, -static_cast<std::int64_t>(p.fraction.size())};
  out.amount.trim_front();

  // Whether the original keeps the text depends on which of its two representations it chooses.
  bool fast = false;
  if (suffix.base == 10) {
    out.amount.exponent += suffix.exponent;
    fast = shifted.size() <= kFastDigits && out.amount.exponent >= -9;
    out.keeps_text = fast && out.amount.exponent % 3 == 0 && shifted[0] != '0' &&
                     (shifted.size() < 3 || shifted.substr(shifted.size() - 3) != "000");
  } else {
    const auto precision =
        15 - static_cast<std::int64_t>(p.whole.size()) - suffix.exponent * 3 / 10 - 1;
    const auto count = shifted.size() <= kFastDigits ? parse_int(shifted) : std::nullopt;
    fast = p.fraction.empty() && precision >= 0;
    out.keeps_text = fast && count && (*count & 7) != 0;
    out.amount.double_times(static_cast<int>(suffix.exponent));
  }
  if (fast) return {};
  const bool has_digit =
      std::any_of(p.value.begin(), p.value.end(), [](char c) { return is_digit(c); });
  if (!has_digit) return kNumericWrong;
  out.amount.round_up(-9);
  if (suffix.base == 2) {
    constexpr std::string_view most = "9223372036854775807";
    if (out.amount.compare_magnitude(most) > 0) {
      out.amount.digits = most;
      out.amount.exponent = 0;
    }
    if (!out.amount.is_zero() && out.amount.compare_magnitude("1") < 0)
      out.format = Format::decimal_si;
  }
  return {};
}

std::string decimal_suffix(std::int64_t exponent) {
  constexpr std::string_view letters = "num kMGTPE";
  if (exponent == 0 || exponent < -9 || exponent > 18) return {};
  return std::string(1, letters[static_cast<std::size_t>(exponent / 3 + 3)]);
}

// A whole number below 2^63 or so, divided by 1024 as often as it goes.
std::string binary_text(Decimal amount) {
  if (amount.exponent > 0) amount.digits.append(static_cast<std::size_t>(amount.exponent), '0');
  Int128 n = 0;
  for (const char c : amount.digits) n = n * 10 + (c - '0');
  std::size_t times = 0;
  while (n >= 1024 && n % 1024 == 0) {
    n /= 1024;
    ++times;
  }
  std::string digits;
  for (; n > 0; n /= 10)
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(n % 10)));
  if (times > 0 && times <= 6) {
    digits += "KMGTPE"[times - 1];
    digits += 'i';
  }
  return digits;
}

std::string canonical(Decimal amount, Format format) {
  if (amount.is_zero()) return "0";
  std::string sign = amount.negative ? "-" : "";
  if (format == Format::binary_si) {
    Decimal whole = amount;
    if (amount.compare_magnitude("1024") < 0 || !whole.round_up(0))
      format = Format::decimal_si;
    else
      return sign + binary_text(whole);
  }
  amount.trim_back();
  while (amount.exponent % 3 != 0) {
    amount.digits += '0';
    --amount.exponent;
  }
  if (format == Format::decimal_exponent)
    return sign + amount.digits +
           (amount.exponent == 0 ? std::string() : 'e' + std::to_string(amount.exponent));
  return sign + amount.digits + decimal_suffix(amount.exponent);
}

Int128 nano_of(Decimal amount) {
  amount.round_up(-9);
  std::int64_t zeros = amount.exponent + 9;
  Int128 n = 0;
  const Int128 limit = wide_max() / 10 - 1;
  if (!amount.is_zero() && zeros > 40) n = wide_max();
  for (const char c : amount.digits) n = n > limit ? wide_max() : n * 10 + (c - '0');
  if (n != 0)
    for (; zeros > 0 && n != wide_max(); --zeros) n = n > limit ? wide_max() : n * 10;
  return amount.negative ? -n : n;
}

Decimal decimal_of(Int128 nano) {
  Decimal d;
  d.negative = nano < 0;
  if (d.negative) nano = -nano;
  d.exponent = -9;
  for (; nano > 0; nano /= 10)
    d.digits.insert(d.digits.begin(), static_cast<char>('0' + static_cast<int>(nano % 10)));
  return d;
}

std::int64_t divided_up(Int128 nano, std::int64_t unit) {
  Int128 n = nano / unit;
  if (nano % unit != 0) n += nano > 0 ? 1 : -1;
  if (n > INT64_MAX) return INT64_MAX;
  if (n < INT64_MIN) return INT64_MIN;
  return static_cast<std::int64_t>(n);
}

}  // namespace

std::optional<Quantity> Quantity::parse(std::string_view text) {
  Parsed parsed;
  if (!parse_text(text, parsed).empty()) return std::nullopt;
  Quantity q;
  q.nano_ = nano_of(std::move(parsed.amount));
  q.format_ = parsed.format;
  return q;
}

Result<std::string> Quantity::served_text(std::string_view text) {
  text = trim(text);
  Parsed parsed;
  if (const std::string_view wrong = parse_text(text, parsed); !wrong.empty())
    return Error{Reason::bad_request, std::string(wrong)};
  if (parsed.keeps_text) return std::string(text);
  return canonical(std::move(parsed.amount), parsed.format);
}

Quantity Quantity::of(const codec::Value& value) {
  if (value.is_string()) return parse(trim(value.as_string())).value_or(Quantity());
  if (value.is_number()) return parse(codec::to_json(value)).value_or(Quantity());
  return {};
}

Quantity Quantity::units(std::int64_t n, Format format) {
  Quantity q;
  q.nano_ = static_cast<Int128>(n) * kGiga;
  q.format_ = format;
  return q;
}

Quantity Quantity::milli(std::int64_t n, Format format) {
  Quantity q;
  q.nano_ = static_cast<Int128>(n) * 1'000'000;
  q.format_ = format;
  return q;
}

std::int64_t Quantity::value() const {
  return divided_up(nano_, kGiga);
}
std::int64_t Quantity::milli_value() const {
  return divided_up(nano_, 1'000'000);
}
double Quantity::to_double() const {
  return static_cast<double>(nano_) / 1e9;
}
std::string Quantity::text() const {
  return canonical(decimal_of(nano_), format_);
}

Quantity Quantity::rounded_up_to_milli() const {
  constexpr std::int64_t unit = 1'000'000;
  Quantity q = *this;
  if (nano_ >= wide_max() - unit || nano_ <= -(wide_max() - unit)) return q;  // saturated
  if (const Int128 rest = nano_ % unit; rest != 0)
    q.nano_ += nano_ > 0 ? unit - rest : -(unit + rest);
  return q;
}

// Sums that do not fit stay at the bound, as amounts that are read do.
Quantity Quantity::operator+(const Quantity& o) const {
  Quantity q = is_zero() ? o : *this;
  if (__builtin_add_overflow(nano_, o.nano_, &q.nano_))
    q.nano_ = nano_ > 0 ? wide_max() : -wide_max();
  return q;
}
Quantity Quantity::operator-(const Quantity& o) const {
  Quantity q = is_zero() ? o : *this;
  if (__builtin_sub_overflow(nano_, o.nano_, &q.nano_))
    q.nano_ = nano_ > 0 ? wide_max() : -wide_max();
  return q;
}
std::strong_ordering Quantity::operator<=>(const Quantity& o) const {
  if (nano_ == o.nano_) return std::strong_ordering::equal;
  return nano_ < o.nano_ ? std::strong_ordering::less : std::strong_ordering::greater;
}

}  // namespace keelson::model
