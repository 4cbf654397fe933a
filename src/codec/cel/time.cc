#include "codec/cel/time.h"

#include <atomic>
#include <cmath>
#include <cstdio>

#include "base/time.h"
#include "codec/cel/text.h"

namespace keelson::codec::cel {

namespace {

std::optional<int> only_utc(std::string_view, std::int64_t) {
  return std::nullopt;
}
std::atomic<ZoneOffset> zone_offset = only_utc;

struct Civil {
  std::int64_t year = 0;
  int month = 0, day = 0;  // from 1
};

std::int64_t days_of(Civil date) {
  const std::int64_t y = date.year - (date.month <= 2 ? 1 : 0);
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t of_era = y - era * 400;
  const int shifted = date.month + (date.month > 2 ? -3 : 9);
  const std::int64_t of_year = (153 * shifted + 2) / 5 + date.day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

Civil civil_of(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const std::int64_t of_era = days - era * 146097;
  const std::int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const std::int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  const std::int64_t shifted = (5 * of_year + 2) / 153;
  Civil date;
  date.day = static_cast<int>(of_year - (153 * shifted + 2) / 5 + 1);
  date.month = static_cast<int>(shifted < 10 ? shifted + 3 : shifted - 9);
  date.year = year + era * 400 + (date.month <= 2 ? 1 : 0);
  return date;
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

int days_in_month(std::int64_t year, int month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

// Reads `count` digits; -1 if there are others.
int digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

std::optional<Civil> read_date(std::string_view text) {
  const int year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  if (text.size() < 10 || text[4] != '-' || text[7] != '-' || year < 0 || month < 1 || month > 12 ||
      day < 1 || day > days_in_month(year, month))
    return std::nullopt;
  return Civil{year, month, day};
}

constexpr std::int64_t kSecond = 1'000'000'000;

Datum moved(const Datum& timestamp, std::int64_t seconds, std::int64_t nanoseconds) {
  std::int64_t total = timestamp.seconds() + seconds;
  std::int64_t rest = timestamp.nanoseconds() + nanoseconds;
  total += floor_divide(rest, kSecond);
  rest -= floor_divide(rest, kSecond) * kSecond;
  if (total < kTimestampMin || total > kTimestampMax) return Datum::error("timestamp overflow");
  return Datum::timestamp(total, static_cast<std::int32_t>(rest), timestamp.offset_minutes());
}

}  // namespace

void install_time_zones(ZoneOffset offset) {
  zone_offset = offset;
}

std::string timestamp_text(const Datum& timestamp) {
  const int offset = timestamp.offset_minutes();
  const std::int64_t local = timestamp.seconds() + offset * 60;
  const std::int64_t days = floor_divide(local, 86400);
  const std::int64_t second = local - days * 86400;
  const Civil date = civil_of(days);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02dT%02d:%02d:%02d", static_cast<int>(date.year),
                date.month, date.day, static_cast<int>(second / 3600),
                static_cast<int>(second / 60 % 60), static_cast<int>(second % 60));
  std::string text = buffer;
  if (timestamp.nanoseconds() != 0) {
    std::snprintf(buffer, sizeof buffer, ".%09d", timestamp.nanoseconds());
    std::string fraction = buffer;
    while (fraction.back() == '0') fraction.pop_back();
    text += fraction;
  }
  if (offset == 0) return text + "Z";
  std::snprintf(buffer, sizeof buffer, "%c%02d:%02d", offset < 0 ? '-' : '+', std::abs(offset) / 60,
                std::abs(offset) % 60);
  return text + buffer;
}

std::optional<Datum> parse_timestamp(std::string_view text) {
  const auto date = read_date(text);
  const int hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!date || text.size() < 20 || text[10] != 'T' || text[13] != ':' || text[16] != ':' ||
      hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
    return std::nullopt;
  std::size_t at = 19;
  std::int32_t nanoseconds = 0;
  if (text[at] == '.' || text[at] == ',') {
    std::int32_t scale = 100'000'000;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
      nanoseconds += (text[at] - '0') * scale;
    if (at == first) return std::nullopt;
  }
  if (at >= text.size()) return std::nullopt;
  int offset = 0;
  if (text[at] == 'Z') {
    ++at;
  } else if (text[at] == '+' || text[at] == '-') {
    const int hours = digits(text, at + 1, 2), minutes = digits(text, at + 4, 2);
    if (at + 6 > text.size() || text[at + 3] != ':' || hours < 0 || hours > 24 || minutes < 0 ||
        minutes > 60)
      return std::nullopt;
    offset = (hours * 60 + minutes) * (text[at] == '-' ? -1 : 1);
    at += 6;
  } else {
    return std::nullopt;
  }
  if (at != text.size()) return std::nullopt;
  const std::int64_t seconds =
      days_of(*date) * 86400 + hour * 3600 + minute * 60 + second - offset * 60;
  return Datum::timestamp(seconds, nanoseconds, static_cast<std::int16_t>(offset));
}

std::optional<Datum> parse_date(std::string_view text) {
  const auto date = text.size() == 10 ? read_date(text) : std::nullopt;
  if (!date) return std::nullopt;
  return Datum::timestamp(days_of(*date) * 86400, 0);
}

std::string duration_text(std::int64_t nanoseconds) {
  // The original goes through a double of seconds; so do the digits.
  const double seconds =
      static_cast<double>(nanoseconds / kSecond) + static_cast<double>(nanoseconds % kSecond) / 1e9;
  std::string text = double_text(seconds, 1000);
  if (const std::size_t e = text.find('e'); e != std::string::npos) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%.9f", seconds);
    text = buffer;
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
  }
  return text + "s";
}

std::optional<std::int64_t> parse_go_duration(std::string_view text) {
  const auto duration = keelson::parse_duration(text);
  if (!duration) return std::nullopt;
  return duration->count_nanoseconds();
}

Datum add_time(const Datum& timestamp, std::int64_t nanoseconds) {
  return moved(timestamp, nanoseconds / kSecond, nanoseconds % kSecond);
}
Datum subtract_time(const Datum& timestamp, std::int64_t nanoseconds) {
  return moved(timestamp, -(nanoseconds / kSecond), -(nanoseconds % kSecond));
}
Datum time_between(const Datum& later, const Datum& earlier) {
  std::int64_t total = 0;
  const std::int64_t seconds = later.seconds() - earlier.seconds();
  const std::int64_t rest = later.nanoseconds() - earlier.nanoseconds();
  if (__builtin_mul_overflow(seconds, kSecond, &total) ||
      __builtin_add_overflow(total, rest, &total))
    return Datum::error("integer overflow");
  return Datum::duration(total);
}

Datum time_part(const Datum& timestamp, TimePart part, std::string_view zone) {
  int offset = 0;
  if (const std::size_t colon = zone.find(':'); colon != std::string_view::npos) {
    const auto hours = parse_integer(zone.substr(0, colon));
    const auto minutes = parse_integer(zone.substr(colon + 1));
    const std::string_view bad = !hours ? zone.substr(0, colon) : zone.substr(colon + 1);
    if (!hours || !minutes || std::abs(*hours) > 1000 || std::abs(*minutes) > 10000)
      return Datum::error("strconv.Atoi: parsing \"" + std::string(bad) + "\": invalid syntax");
    offset = static_cast<int>(zone[0] == '-' ? *hours * 60 - *minutes : *hours * 60 + *minutes);
  } else if (!zone.empty() && zone != "UTC" && zone != "Local") {
    const auto named = zone_offset.load()(zone, timestamp.seconds());
    if (!named) return Datum::error("unknown time zone " + std::string(zone));
    offset = *named;
  }
  const std::int64_t local = timestamp.seconds() + offset * 60;
  const std::int64_t days = floor_divide(local, 86400);
  const std::int64_t second = local - days * 86400;
  const Civil date = civil_of(days);
  switch (part) {
    case TimePart::year: return Datum::integer(date.year);
    case TimePart::month: return Datum::integer(date.month - 1);
    case TimePart::day_of_month: return Datum::integer(date.day - 1);
    case TimePart::date: return Datum::integer(date.day);
    case TimePart::day_of_week: return Datum::integer(((days + 4) % 7 + 7) % 7);
    case TimePart::day_of_year: return Datum::integer(days - days_of({date.year, 1, 1}));
    case TimePart::hours: return Datum::integer(second / 3600);
    case TimePart::minutes: return Datum::integer(second / 60 % 60);
    case TimePart::seconds: return Datum::integer(second % 60);
    case TimePart::milliseconds: return Datum::integer(timestamp.nanoseconds() / 1'000'000);
  }
  return Datum::null();
}

}  // namespace keelson::codec::cel
