// Time zones of the IANA database, compiled in (time_zones.inc): the same on every machine. Correct
// from 2024 on; before that the present rules are taken to have held always.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace keelson::model {

// A time as clocks in some place show it. Fields may be out of range where said so.
struct CivilTime {
  std::int64_t year = 1970;
  int month = 1, day = 1, hour = 0, minute = 0, second = 0;
  int weekday() const;  // 0 is Sunday
};

class TimeZone {
 public:
  TimeZone() = default;  // UTC
  // By name, case-sensitive; "" and "UTC" are UTC. nullopt if there is none.
  static std::optional<TimeZone> find(std::string_view name);

  std::int64_t offset_at(Instant when) const;  // seconds east of Greenwich
  CivilTime civil(Instant when) const;
  // Fields out of range are carried on (month 13 is January of the next year). A time that a clock
  // skips or shows twice becomes one of the two candidates, as in Go's time.Date.
  Instant instant(const CivilTime& time) const;
  // RFC 3339 with the zone's offset; "Z" if it is 0.
  std::string text(Instant when) const;

 private:
  struct Rule {  // the day-th weekday of a month, as "Mm.w.d/time"
    int month = 0, week = 0, weekday = 0;
    std::int64_t seconds = 7200;
  };
  struct Change {
    std::int64_t at = 0, offset = 0;
  };
  // The offset at a time and the span for which it holds.
  struct Span {
    std::int64_t offset = 0, begin = INT64_MIN, end = INT64_MAX;
  };
  static std::int64_t changes_at(const Rule& rule, std::int64_t year);
  bool parse_rule(std::string_view text);
  bool parse_listed(std::string_view text);
  Span span_at(std::int64_t unix_seconds) const;

  std::int64_t standard_ = 0, saving_ = 0, before_listed_ = 0;
  std::optional<Rule> begin_, end_;  // of daylight saving
  std::vector<Change> listed_;       // those that do not follow from the rule
};

// True for names of the database.
bool is_time_zone(std::string_view name);

}  // namespace keelson::model
