// Calendar arithmetic is Howard Hinnant's days-from-civil, exact for all years that int64
// nanoseconds reach.
#include "base/time.h"

#include <array>
#include <cstdio>
#include <utility>

#include "base/wide.h"

namespace keelson {
namespace {

constexpr std::int64_t kSecondsADay = 86'400;

std::int64_t days_from_civil(std::int64_t y, int m, int d) {
  y -= m <= 2;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t yoe = y - era * 400;
  const std::int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  const std::int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146'097 + doe - 719'468;
}

struct Civil {
  std::int64_t year;
  int month, day, hour, minute, second;
};

Civil civil_from_seconds(std::int64_t s) {
  std::int64_t days = s / kSecondsADay;
  std::int64_t rest = s % kSecondsADay;
  if (rest < 0) {
    rest += kSecondsADay;
    --days;
  }
  const std::int64_t z = days + 719'468;
  const std::int64_t era = (z >= 0 ? z : z - 146'096) / 146'097;
  const std::int64_t doe = z - era * 146'097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36'524 - doe / 146'096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const std::int64_t mp = (5 * doy + 2) / 153;
  const int day = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  const int month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  const std::int64_t year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  return {year,
          month,
          day,
          static_cast<int>(rest / 3600),
          static_cast<int>(rest / 60 % 60),
          static_cast<int>(rest % 60)};
}

int days_in_month(std::int64_t year, int month) {
  constexpr std::array<int, 12> days = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return days[static_cast<std::size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

// Reads exactly `digits` decimal digits at the front of text and removes them.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// At least so many digits.
void append_padded(std::string& out, std::int64_t number, std::size_t digits) {
  if (number < 0) out += '-';
  const std::string text = std::to_string(number < 0 ? -number : number);
  const std::size_t width = number < 0 ? digits - 1 : digits;
  if (text.size() < width) out.append(width - text.size(), '0');
  out += text;
}

std::string date_time(Instant t) {
  const Civil c = civil_from_seconds(t.unix_seconds());
  std::string out;
  out.reserve(24);
  append_padded(out, c.year, 4);
  const std::pair<char, int> parts[] = {
      {'-', c.month}, {'-', c.day}, {'T', c.hour}, {':', c.minute}, {':', c.second}};
  for (const auto& [before, number] : parts) {
    out += before;
    out += static_cast<char>('0' + number / 10);
    out += static_cast<char>('0' + number % 10);
  }
  return out;
}

}  // namespace

std::string to_rfc3339(Instant t) {
  return date_time(t) + "Z";
}

std::string to_rfc3339_micro(Instant t) {
  const std::int64_t nanos = (t - t.floor_seconds()).count_nanoseconds();
  std::array<char, 24> buffer{};
  std::snprintf(buffer.data(), buffer.size(), ".%06lldZ", static_cast<long long>(nanos / 1000));
  return date_time(t) + buffer.data();
}

std::optional<Instant> parse_rfc3339(std::string_view text) {
  const auto year = take_number(text, 4);
  if (!year || !take_char(text, '-')) return std::nullopt;
  const auto month = take_number(text, 2);
  if (!month || !take_char(text, '-')) return std::nullopt;
  const auto day = take_number(text, 2);
  if (!day || !take_char(text, 'T')) return std::nullopt;
  const auto hour = take_number(text, 2);
  if (!hour || !take_char(text, ':')) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || !take_char(text, ':')) return std::nullopt;
  const auto second = take_number(text, 2);
  if (!second || *month < 1 || *month > 12 || *day < 1 || *day > days_in_month(*year, *month) ||
      *hour > 23 || *minute > 59 || *second > 59)
    return std::nullopt;
  std::int64_t nanos = 0;
  if (take_char(text, '.')) {
    std::int64_t unit = 100'000'000;
    bool any = false;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      nanos += (text.front() - '0') * unit;
      unit /= 10;
      any = true;
      text.remove_prefix(1);
    }
    if (!any) return std::nullopt;
  }
  std::int64_t offset = 0;
  if (!take_char(text, 'Z')) {
    if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
    const int sign = text.front() == '+' ? 1 : -1;
    text.remove_prefix(1);
    const auto oh = take_number(text, 2);
    if (!oh || !take_char(text, ':')) return std::nullopt;
    const auto om = take_number(text, 2);
    if (!om || *oh > 23 || *om > 59) return std::nullopt;
    offset = sign * (*oh * 3600 + *om * 60);
  }
  if (!text.empty()) return std::nullopt;
  const std::int64_t seconds = days_from_civil(*year, *month, *day) * kSecondsADay + *hour * 3600 +
                               *minute * 60 + *second - offset;
  return Instant::unix_seconds(seconds) + Duration::nanoseconds(nanos);
}

namespace {
// "1.5" from 1'500'000'000 and 1'000'000'000, without trailing zeros.
std::string decimal(std::uint64_t value, std::uint64_t unit) {
  std::string text = std::to_string(value / unit);
  std::uint64_t rest = value % unit;
  if (rest == 0) return text;
  text += '.';
  while (rest != 0) {
    unit /= 10;
    text += static_cast<char>('0' + rest / unit);
    rest %= unit;
  }
  return text;
}
}  // namespace

std::string to_text(Duration d) {
  if (d.count_nanoseconds() == 0) return "0s";
  const bool negative = d.count_nanoseconds() < 0;
  std::uint64_t n = static_cast<std::uint64_t>(d.count_nanoseconds());
  if (negative) n = 0 - n;
  std::string text = negative ? "-" : "";
  if (n < 1'000) return text + std::to_string(n) + "ns";
  if (n < 1'000'000) return text + decimal(n, 1'000) + "µs";
  if (n < 1'000'000'000) return text + decimal(n, 1'000'000) + "ms";
  const std::uint64_t hours = n / 3'600'000'000'000, minutes = n / 60'000'000'000 % 60;
  if (hours > 0) text += std::to_string(hours) + "h";
  if (hours > 0 || minutes > 0) text += std::to_string(minutes) + "m";
  return text + decimal(n % 60'000'000'000, 1'000'000'000) + "s";
}

std::optional<Duration> parse_duration(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text == "0") return Duration();
  if (text.empty()) return std::nullopt;
  Int128 total = 0;
  while (!text.empty()) {
    Int128 whole = 0, fraction = 0, scale = 1;
    bool any = false;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      whole = whole * 10 + (text.front() - '0');
      if (whole > INT64_MAX) return std::nullopt;
      any = true;
      text.remove_prefix(1);
    }
    if (take_char(text, '.')) {
      while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
        if (scale < 1'000'000'000'000'000) {
          fraction = fraction * 10 + (text.front() - '0');
          scale *= 10;
        }
        any = true;
        text.remove_prefix(1);
      }
    }
    if (!any) return std::nullopt;
    struct Unit {
      std::string_view name;
      std::int64_t nanoseconds;
    };
    constexpr std::array<Unit, 8> units = {{{"ns", 1},
                                            {"us", 1'000},
                                            {"µs", 1'000},
                                            {"μs", 1'000},
                                            {"ms", 1'000'000},
                                            {"s", 1'000'000'000},
                                            {"m", 60'000'000'000},
                                            {"h", 3'600'000'000'000}}};
    const Unit* found = nullptr;
    std::size_t end = 0;
    while (end < text.size() && text[end] != '.' && (text[end] < '0' || text[end] > '9')) ++end;
    for (const Unit& unit : units)
      if (text.substr(0, end) == unit.name) found = &unit;
    if (found == nullptr) return std::nullopt;
    text.remove_prefix(end);
    total += whole * found->nanoseconds + fraction * found->nanoseconds / scale;
    if (total > INT64_MAX) return std::nullopt;
  }
  const auto n = static_cast<std::int64_t>(total);
  return Duration::nanoseconds(negative ? -n : n);
}

}  // namespace keelson
