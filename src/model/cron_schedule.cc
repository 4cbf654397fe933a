// Only the shape is checked here; when a schedule runs next is the controller's business.
#include "model/cron_schedule.h"

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "base/time.h"

namespace keelson::model {
namespace {

constexpr std::string_view kZones =
#include "model/time_zones.inc"
    ;

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

class Field {
 public:
  Field(std::string_view text, const Bounds& bounds) : text_(text), bounds_(bounds) {}

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
    return {};
  }

  std::string_view text_;
  const Bounds& bounds_;
};

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

bool is_time_zone(std::string_view name) {
  const std::string line = '\n' + std::string(name) + '\n';
  return !name.empty() && kZones.find(line) != std::string_view::npos;
}

std::string cron_schedule_error(std::string_view schedule) {
  std::string text(schedule);
  if (text.empty()) return "empty spec string";
  if (text.substr(0, 3) == "TZ=" || text.substr(0, 8) == "CRON_TZ=") {
    const std::size_t space = text.find(' ');
    if (space == std::string::npos)
      return "invalid schedule format: no schedule after the time zone";
    const std::size_t equals = text.find('=');
    const std::string zone = text.substr(equals + 1, space - equals - 1);
    if (!is_time_zone(zone) && zone != "Local" && !zone.empty())
      return "provided bad location " + zone + ": unknown time zone " + zone;
    text = std::string(trim(std::string_view(text).substr(space)));
  }
  if (text.substr(0, 1) == "@") return descriptor_error(text);
  const std::vector<std::string> fields = words_of(text);
  if (fields.size() != 5)
    return "expected exactly 5 fields, found " + std::to_string(fields.size()) + ": [" +
           join(fields, " ") + "]";
  for (std::size_t i = 0; i < 5; ++i)
    if (std::string error = Field(fields[i], kFields[i]).error(); !error.empty()) return error;
  return {};
}

}  // namespace keelson::model
