// See cron_schedule.h.
#include "model/cron_schedule.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/time.h"

namespace keelson::model {
namespace {

struct Bounds {
  int low, high;
  bool months, days;
};
constexpr Bounds kFields[] = {{0, 59, false, false},
                              {0, 23, false, false},
                              {1, 31, false, false},
                              {1, 12, true, false},
                              {0, 6, false, true}};

int name_index(std::string_view names, std::string_view text, int first) {
  if (text.size() != 3) return -1;
  const std::size_t at = names.find(to_lower(text));
  return at == std::string_view::npos || at % 3 != 0 ? -1 : static_cast<int>(at / 3) + first;
}

}  // namespace

class CronField {
 public:
  CronField(std::string_view text, const Bounds& bounds, CronSchedule::Field& into)
      : text_(text), bounds_(bounds), into_(into) {}

  std::string error() {
    // Empty parts between commas are dropped.
    for (const std::string& part : split(text_, ','))
      if (!part.empty())
        if (std::string e = range(part); !e.empty()) return e;
    return {};
  }

 private:
  std::string number(const std::string& text, std::int64_t& out) const {
    const int named = bounds_.months ? name_index("janfebmaraprmayjunjulaugsepoctnovdec", text, 1)
                      : bounds_.days ? name_index("sunmontuewedthufrisat", text, 0)
                                     : -1;
    if (named >= 0) {
      out = named;
      return {};
    }
    const auto n = parse_int(text);
    if (!n)
      return "failed to parse int from " + text + ": strconv.Atoi: parsing " + quote(text) +
             ": invalid syntax";
    if (*n < 0) return "negative number (" + std::to_string(*n) + ") not allowed: " + text;
    out = *n;
    return {};
  }

  std::string range(const std::string& part) {
    const std::vector<std::string> steps = split(part, '/');
    const std::vector<std::string> ends = split(steps[0], '-');
    const bool single = ends.size() == 1;
    std::int64_t start = bounds_.low, end = bounds_.high, step = 1;
    if (ends[0] != "*" && ends[0] != "?") {
      if (std::string e = number(ends[0], start); !e.empty()) return e;
      if (ends.size() == 1) end = start;
      if (ends.size() == 2)
        if (std::string e = number(ends[1], end); !e.empty()) return e;
      if (ends.size() > 2) return "too many hyphens: " + part;
    }
    if (steps.size() == 2) {
      if (std::string e = number(steps[1], step); !e.empty()) return e;
      if (single && end == start) end = bounds_.high;
    } else if (steps.size() > 2) {
      return "too many slashes: " + part;
    }
    const auto text = [](std::int64_t n) { return std::to_string(n); };
    if (start < bounds_.low)
      return "beginning of range (" + text(start) + ") below minimum (" + text(bounds_.low) +
             "): " + part;
    if (end > bounds_.high)
      return "end of range (" + text(end) + ") above maximum (" + text(bounds_.high) + "): " + part;
    if (start > end)
      return "beginning of range (" + text(start) + ") beyond end of range (" + text(end) +
             "): " + part;
    if (step == 0) return "step of range should be a positive number: " + part;
    // Any second value is a choice, so it is not any value.
    if ((ends[0] == "*" || ends[0] == "?") && step == 1) into_.any = true;
    for (std::int64_t value = start;; value += step) {
      into_.bits |= std::uint64_t{1} << value;
      if (step > end - value) break;
    }
    return {};
  }

  std::string_view text_;
  const Bounds& bounds_;
  CronSchedule::Field& into_;
};

namespace {

std::string descriptor_error(const std::string& text) {
  for (const std::string_view known :
       {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
    if (text == known) return {};
  if (text.substr(0, 7) == "@every ") {
    const std::string duration = text.substr(7);
    if (parse_duration(duration)) return {};
    const std::size_t unit = duration.find_first_not_of("+-.0123456789");
    const std::string start = "failed to parse duration " + text + ": time: ";
    if (duration.empty() || unit == 0) return start + "invalid duration " + quote(duration);
    if (unit == std::string::npos) return start + "missing unit in duration " + quote(duration);
    const std::size_t last = duration.find_first_of("+-.0123456789", unit);
    return start + "unknown unit " + quote(duration.substr(unit, last - unit)) + " in duration " +
           quote(duration);
  }
  return "unrecognized descriptor: " + text;
}

// The five fields that a descriptor stands for.
std::string meaning_of(std::string_view descriptor) {
  if (descriptor == "@yearly" || descriptor == "@annually") return "0 0 1 1 *";
  if (descriptor == "@monthly") return "0 0 1 * *";
  if (descriptor == "@weekly") return "0 0 * * 0";
  if (descriptor == "@hourly") return "0 * * * *";
  return "0 0 * * *";
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    if (std::string_view(" \t\n\r\v\f").find(c) == std::string_view::npos) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

}  // namespace

Result<CronSchedule> CronSchedule::parse(std::string_view schedule) {
  const auto fail = [](std::string message) { return Error{Reason::invalid, std::move(message)}; };
  std::string text(schedule);
  CronSchedule result;
  if (text.empty()) return fail("empty spec string");
  if (text.substr(0, 3) == "TZ=" || text.substr(0, 8) == "CRON_TZ=") {
    const std::size_t space = text.find(' ');
    if (space == std::string::npos)
      // The original looks for the space without asking whether there is one.
      return fail("invalid schedule format: runtime error: slice bounds out of range [:-1]");
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(equals + 1, space - equals - 1);
    const auto zone = name == "Local" ? TimeZone() : TimeZone::find(name);
    if (!zone) return fail("provided bad location " + name + ": unknown time zone " + name);
    result.zone_ = *zone;
    text = std::string(trim(std::string_view(text).substr(space)));
  }
  if (text.substr(0, 1) == "@") {
    if (std::string error = descriptor_error(text); !error.empty()) return fail(std::move(error));
    if (text.starts_with("@every ")) {
      const Duration every = *parse_duration(text.substr(7));
      result.every_ = std::max(Duration::seconds(1), Duration::seconds(every.count_seconds()));
      return result;
    }
    text = meaning_of(text);
  }
  const std::vector<std::string> fields = words_of(text);
  if (fields.size() != 5)
    return fail("expected exactly 5 fields, found " + std::to_string(fields.size()) + ": [" +
                join(fields, " ") + "]");
  for (std::size_t i = 0; i < 5; ++i)
    if (std::string error = CronField(fields[i], kFields[i], result.fields_[i]).error();
        !error.empty())
      return fail(std::move(error));
  return result;
}

std::string cron_schedule_error(std::string_view schedule) {
  const auto parsed = CronSchedule::parse(schedule);
  return parsed.ok() ? std::string() : parsed.error().message;
}

bool CronSchedule::day_fits(const CivilTime& time) const {
  const Field &of_month = fields_[2], &of_week = fields_[4];
  const bool month_fits = of_month.has(time.day), week_fits = of_week.has(time.weekday());
  return of_month.any || of_week.any ? month_fits && week_fits : month_fits || week_fits;
}

// Month, day, hour and minute are sought in turn. Where one of them runs over, the search begins
// again with the first; `whole` says that what is smaller was set to its beginning already.
std::optional<Instant> CronSchedule::next(Instant after) const {
  if (every_) return after.floor_seconds() + *every_;
  constexpr Duration kHour = Duration::hours(1), kMinute = Duration::minutes(1);
  Instant t = after.floor_seconds() + Duration::seconds(1);
  CivilTime time = zone_.civil(t);
  const auto to_civil = [&](CivilTime wanted) {
    t = zone_.instant(wanted);
    time = zone_.civil(t);
  };
  const auto move = [&](Duration by) {
    t = t + by;
    time = zone_.civil(t);
  };
  bool whole = false;
  const std::int64_t year_max = time.year + 5;
  while (time.year <= year_max) {
    bool again = false;
    while (!again && !fields_[3].has(time.month)) {
      if (!std::exchange(whole, true)) to_civil({time.year, time.month, 1});
      to_civil({time.year, time.month + 1, time.day, time.hour, time.minute, time.second});
      again = time.month == 1;
    }
    while (!again && !day_fits(time)) {
      if (!std::exchange(whole, true)) to_civil({time.year, time.month, time.day});
      to_civil({time.year, time.month, time.day + 1, time.hour, time.minute, time.second});
      // Where clocks skip midnight, the day begins an hour beside it.
      if (time.hour != 0) move(kHour * (time.hour > 12 ? 24 - time.hour : -time.hour));
      again = time.day == 1;
    }
    while (!again && !fields_[1].has(time.hour)) {
      if (!std::exchange(whole, true)) to_civil({time.year, time.month, time.day, time.hour});
      move(kHour);
      again = time.hour == 0;
    }
    while (!again && !fields_[0].has(time.minute)) {
      if (!std::exchange(whole, true)) move(Duration::seconds(-(t.unix_seconds() % 60)));
      move(kMinute);
      again = time.minute == 0;
    }
    while (!again && time.second != 0) {
      whole = true;
      move(Duration::seconds(1));
      again = time.second == 0;
    }
    if (!again) return t;
  }
  return std::nullopt;
}

}  // namespace keelson::model
