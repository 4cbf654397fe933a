// Schedules of CronJobs, as the library that Kubernetes uses reads them (robfig/cron v3, standard
// parser: five fields or a descriptor, an optional time zone before), with its messages.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "model/time_zone.h"

namespace keelson::model {

class CronSchedule {
 public:
  // Error: what is wrong with it, in the library's words.
  static Result<CronSchedule> parse(std::string_view text);

  // The first time after `after`. nullopt if there is none within five years (February 30th).
  // A time that clocks skip is not met that day, unless the hour is any; one that they show twice
  // is met twice.
  std::optional<Instant> next(Instant after) const;

 private:
  friend class CronField;
  // Minutes, hours, days of the month, months, days of the week: a bit each. A field that is any
  // value says so, because of the two fields for days either may fit unless one is any.
  struct Field {
    std::uint64_t bits = 0;
    bool any = false;
    bool has(std::int64_t value) const { return (bits >> value & 1) != 0; }
  };
  bool day_fits(const CivilTime& time) const;

  std::array<Field, 5> fields_;
  std::optional<Duration> every_;  // "@every 90s"
  TimeZone zone_;
};

// What is wrong with the schedule; empty if nothing is.
std::string cron_schedule_error(std::string_view schedule);

}  // namespace keelson::model
