// Timestamps and durations of CEL: years 1 to 9999 to the nanosecond, Go's durations, and the
// parts of a timestamp in a time zone. Nothing here reads a clock or the system's time zones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "codec/cel/datum.h"

namespace keelson::codec::cel {

// Minutes east of UTC of a named zone at a time; nullopt if the name is not known. The program
// installs one that knows the IANA database; without it only UTC is known.
using ZoneOffset = std::optional<int> (*)(std::string_view name, std::int64_t unix_seconds);
void install_time_zones(ZoneOffset offset);

inline constexpr std::int64_t kTimestampMin = -62135596800;  // 0001-01-01T00:00:00Z
inline constexpr std::int64_t kTimestampMax = 253402300799;  // 9999-12-31T23:59:59Z

std::string timestamp_text(const Datum& timestamp);           // RFC 3339, as many digits as needed
std::optional<Datum> parse_timestamp(std::string_view text);  // RFC 3339 as Go's time.Parse
std::optional<Datum> parse_date(std::string_view text);       // "2024-02-29"
std::string duration_text(std::int64_t nanoseconds);          // "5400s", "0.001s"
std::optional<std::int64_t> parse_go_duration(std::string_view text);

// An error ("timestamp overflow", "integer overflow") beyond the range.
Datum add_time(const Datum& timestamp, std::int64_t nanoseconds);
Datum subtract_time(const Datum& timestamp, std::int64_t nanoseconds);
Datum time_between(const Datum& later, const Datum& earlier);

enum class TimePart {
  year,
  month,         // from 0
  day_of_month,  // from 0
  date,          // from 1
  day_of_week,   // Sunday is 0
  day_of_year,   // from 0
  hours,
  minutes,
  seconds,
  milliseconds,
};
// `zone`: a name, or an offset such as "-05:30".
Datum time_part(const Datum& timestamp, TimePart part, std::string_view zone);

}  // namespace keelson::codec::cel
