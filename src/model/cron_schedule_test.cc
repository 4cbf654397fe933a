// Times of schedules, also where clocks change.
#include "model/cron_schedule.h"

#include <gtest/gtest.h>

namespace keelson::model {
namespace {

std::string next(std::string_view schedule, std::string_view after) {
  const auto parsed = CronSchedule::parse(schedule);
  EXPECT_TRUE(parsed.ok()) << schedule;
  const auto time = parsed->next(*parse_rfc3339(after));
  return time ? to_rfc3339(*time) : "none";
}

TEST(CronSchedule, FieldsAndDescriptors) {
  EXPECT_EQ(next("*/15 * * * *", "2026-03-02T10:07:30Z"), "2026-03-02T10:15:00Z");
  EXPECT_EQ(next("0 0 29 2 *", "2026-03-02T10:07:30Z"), "2028-02-29T00:00:00Z");
  EXPECT_EQ(next("59 23 31 12 *", "2026-12-31T23:59:00Z"), "2027-12-31T23:59:00Z");
  EXPECT_EQ(next("@weekly", "2026-03-02T10:07:30Z"), "2026-03-08T00:00:00Z");
  EXPECT_EQ(next("@every 90s", "2026-03-02T10:07:30Z"), "2026-03-02T10:09:00Z");
  EXPECT_EQ(next("0 0 30 2 *", "2026-03-02T10:07:30Z"), "none");
}

TEST(CronSchedule, EitherFieldOfDaysIsEnoughUnlessOneIsAny) {
  EXPECT_EQ(next("0 0 13 * 5", "2026-03-02T00:00:00Z"), "2026-03-06T00:00:00Z");
  EXPECT_EQ(next("0 0 * * 5", "2026-03-02T00:00:00Z"), "2026-03-06T00:00:00Z");
  // Every second day is a choice, not any day.
  EXPECT_EQ(next("0 0 */2 * 5", "2026-03-02T00:00:00Z"), "2026-03-03T00:00:00Z");
}

TEST(CronSchedule, SkippedAndRepeatedTimes) {
  EXPECT_EQ(next("TZ=Europe/Berlin 30 2 * * *", "2026-03-28T12:00:00Z"), "2026-03-30T00:30:00Z");
  EXPECT_EQ(next("TZ=Europe/Berlin 30 2 * * *", "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z");
  EXPECT_EQ(next("TZ=Europe/Berlin 30 2 * * *", "2026-10-25T00:30:00Z"), "2026-10-25T01:30:00Z");
}

TEST(CronSchedule, HugeStepsAreBounded) {
  EXPECT_EQ(next("1/9223372036854775807 * * * *", "2026-03-02T10:07:30Z"), "2026-03-02T11:01:00Z");
}

TEST(TimeZone, RulesAndListedChanges) {
  const auto offset = [](std::string_view name, std::string_view time) {
    return TimeZone::find(name)->offset_at(*parse_rfc3339(time));
  };
  EXPECT_EQ(offset("Europe/Berlin", "2026-03-29T00:59:59Z"), 3600);
  EXPECT_EQ(offset("Europe/Berlin", "2026-03-29T01:00:00Z"), 7200);
  EXPECT_EQ(offset("Australia/Lord_Howe", "2026-07-01T00:00:00Z"), 37800);
  EXPECT_EQ(offset("Australia/Lord_Howe", "2026-12-01T00:00:00Z"), 39600);
  EXPECT_EQ(offset("America/St_Johns", "2026-01-01T00:00:00Z"), -12600);
  EXPECT_EQ(offset("Africa/Casablanca", "2026-03-01T00:00:00Z"), 0);
  EXPECT_EQ(offset("Africa/Casablanca", "2026-05-01T00:00:00Z"), 3600);
  EXPECT_FALSE(TimeZone::find("europe/berlin"));
  EXPECT_EQ(TimeZone::find("Asia/Kathmandu")->text(*parse_rfc3339("2026-01-01T00:00:00Z")),
            "2026-01-01T05:45:00+05:45");
}

}  // namespace
}  // namespace keelson::model
