// The syntax of a CronJob's schedule, with the messages of the library that Kubernetes uses
// (robfig/cron v3, standard parser: five fields or a descriptor, an optional time zone before).
#pragma once

#include <string>
#include <string_view>

namespace keelson::model {

// What is wrong with the schedule; empty if nothing is.
std::string cron_schedule_error(std::string_view schedule);
// True for names of the IANA time zone database, case-sensitive.
bool is_time_zone(std::string_view name);

}  // namespace keelson::model
