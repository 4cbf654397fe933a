// See time_zone.h. Dates are computed in the proleptic Gregorian calendar.
#include "model/time_zone.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace keelson::model {
namespace {

constexpr std::string_view kZones =
#include "model/time_zones.inc"
    ;
constexpr std::int64_t kDay = 86'400;

// Days since 1970-01-01; any month and day are carried on.
std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day) {
  month -= 1;
  year += month / 12;
  month %= 12;
  if (month < 0) {
    month += 12;
    --year;
  }
  // March is the first month, so that leap days end years.
  const std::int64_t shifted_year = month < 2 ? year - 1 : year;
  const std::int64_t shifted_month = (month + 10) % 12;
  const std::int64_t era = (shifted_year >= 0 ? shifted_year : shifted_year - 399) / 400;
  const std::int64_t year_of_era = shifted_year - era * 400;
  const std::int64_t day_of_year = (153 * shifted_month + 2) / 5;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468 + day - 1;
}

int weekday_of(std::int64_t days) {
  return static_cast<int>(((days + 4) % 7 + 7) % 7);
}

// The rest of the line of this zone; nullopt if there is none.
std::optional<std::string_view> line_of(std::string_view name) {
  const std::string start = '\n' + std::string(name) + ' ';
  const std::size_t at = kZones.find(start);
  if (name.empty() || at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = kZones.substr(at + start.size());
  return rest.substr(0, rest.find('\n'));
}

// The text up to the first character of `ends`, which stays.
std::string_view cut(std::string_view& text, std::string_view ends) {
  const std::string_view head = text.substr(0, text.find_first_of(ends));
  text.remove_prefix(head.size());
  return head;
}

// "<+0330>" or "CET".
void skip_name(std::string_view& text) {
  if (text.starts_with('<'))
    text.remove_prefix(std::min(text.size(), text.find('>') + 1));
  else
    (void)cut(text, "+-0123456789,");
}

// "-3:30", "5", "12:45".
std::int64_t clock_seconds(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::int64_t total = 0, unit = 3600;
  for (const std::string& part : split(text, ':')) {
    total += parse_int(part).value_or(0) * unit;
    unit /= 60;
  }
  return negative ? -total : total;
}

}  // namespace

int CivilTime::weekday() const {
  return weekday_of(days_of(year, month, day));
}

bool is_time_zone(std::string_view name) {
  return line_of(name).has_value();
}

std::optional<TimeZone> TimeZone::find(std::string_view name) {
  TimeZone zone;
  if (name.empty() || name == "UTC") return zone;
  const auto line = line_of(name);
  if (!line) return std::nullopt;
  const std::size_t space = line->find(' ');
  KEELSON_CHECK(zone.parse_rule(line->substr(0, space)));
  if (space != std::string_view::npos) KEELSON_CHECK(zone.parse_listed(line->substr(space + 1)));
  return zone;
}

// "CET-1CEST,M3.5.0,M10.5.0/3": offsets count west of Greenwich.
bool TimeZone::parse_rule(std::string_view text) {
  skip_name(text);
  standard_ = -clock_seconds(cut(text, "<,ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"));
  saving_ = standard_;
  if (text.empty()) return true;
  skip_name(text);
  const std::string_view west = cut(text, ",");
  saving_ = west.empty() ? standard_ + 3600 : -clock_seconds(west);
  const std::vector<std::string> rules = split(text, ',');
  if (rules.size() != 3) return false;
  for (std::size_t i = 1; i < 3; ++i) {
    const std::size_t slash = rules[i].find('/');
    const std::vector<std::string> date = split(rules[i].substr(1, slash - 1), '.');
    if (rules[i][0] != 'M' || date.size() != 3) return false;
    Rule rule{static_cast<int>(parse_int(date[0]).value_or(1)),
              static_cast<int>(parse_int(date[1]).value_or(1)),
              static_cast<int>(parse_int(date[2]).value_or(0))};
    if (slash != std::string::npos)
      rule.seconds = clock_seconds(std::string_view(rules[i]).substr(slash + 1));
    (i == 1 ? begin_ : end_) = rule;
  }
  return true;
}

// "@3600 1710036000:0 1713060000:3600".
bool TimeZone::parse_listed(std::string_view text) {
  for (const std::string& part : split(text, ' ')) {
    if (part.starts_with('@')) {
      before_listed_ = parse_int(std::string_view(part).substr(1)).value_or(0);
      continue;
    }
    const std::size_t colon = part.find(':');
    if (colon == std::string::npos) return false;
    listed_.push_back({parse_int(part.substr(0, colon)).value_or(0),
                       parse_int(part.substr(colon + 1)).value_or(0)});
  }
  return true;
}

// When the rule strikes in a year, in seconds of local time.
std::int64_t TimeZone::changes_at(const Rule& rule, std::int64_t year) {
  const std::int64_t first = days_of(year, rule.month, 1);
  const std::int64_t next_month = days_of(year, rule.month + 1, 1);
  std::int64_t day =
      first + (rule.weekday - weekday_of(first) + 7) % 7 + std::int64_t{7} * (rule.week - 1);
  while (day >= next_month) day -= 7;
  return day * kDay + rule.seconds;
}

TimeZone::Span TimeZone::span_at(std::int64_t unix_seconds) const {
  std::vector<Change> changes = listed_;
  const std::int64_t ruled_from = listed_.empty() ? INT64_MIN : listed_.back().at;
  if (begin_ && end_) {
    const std::int64_t year = TimeZone().civil(Instant::unix_seconds(unix_seconds)).year;
    std::vector<Change> ruled;
    for (std::int64_t y = year - 2; y <= year + 2; ++y) {
      ruled.push_back({changes_at(*begin_, y) - standard_, saving_});
      ruled.push_back({changes_at(*end_, y) - saving_, standard_});
    }
    std::sort(ruled.begin(), ruled.end(),
              [](const Change& a, const Change& b) { return a.at < b.at; });
    for (const Change& change : ruled)
      if (change.at > ruled_from) changes.push_back(change);
  }
  Span span{listed_.empty() ? standard_ : before_listed_};
  for (const Change& change : changes) {
    if (change.at > unix_seconds) {
      span.end = change.at;
      break;
    }
    span.offset = change.offset;
    span.begin = change.at;
  }
  return span;
}

std::int64_t TimeZone::offset_at(Instant when) const {
  return span_at(when.unix_seconds()).offset;
}

CivilTime TimeZone::civil(Instant when) const {
  const bool utc = standard_ == 0 && !begin_ && listed_.empty();
  const std::int64_t local = when.unix_seconds() + (utc ? 0 : offset_at(when));
  std::int64_t days = local / kDay, rest = local % kDay;
  if (rest < 0) {
    rest += kDay;
    --days;
  }
  const std::int64_t shifted = days + 719'468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
  CivilTime time;
  time.day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  time.month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  time.year = year_of_era + era * 400 + (time.month <= 2 ? 1 : 0);
  time.hour = static_cast<int>(rest / 3600);
  time.minute = static_cast<int>(rest / 60 % 60);
  time.second = static_cast<int>(rest % 60);
  return time;
}

Instant TimeZone::instant(const CivilTime& time) const {
  const std::int64_t local = days_of(time.year, time.month, time.day) * kDay +
                             std::int64_t{time.hour} * 3600 + std::int64_t{time.minute} * 60 +
                             time.second;
  // The offset at the same number of seconds in UTC is close; what it gives is looked up again.
  const Span guess = span_at(local);
  std::int64_t offset = guess.offset;
  const std::int64_t utc = local - offset;
  if (offset != 0 && (utc < guess.begin || utc >= guess.end)) offset = span_at(utc).offset;
  return Instant::unix_seconds(local - offset);
}

std::string TimeZone::text(Instant when) const {
  const CivilTime time = civil(when);
  const std::int64_t offset = offset_at(when);
  char text[64];
  std::snprintf(text, sizeof text, "%04lld-%02d-%02dT%02d:%02d:%02d",
                static_cast<long long>(time.year), time.month, time.day, time.hour, time.minute,
                time.second);
  std::string result = text;
  if (offset == 0) return result + "Z";
  const std::int64_t minutes = (offset < 0 ? -offset : offset) / 60;
  std::snprintf(text, sizeof text, "%c%02d:%02d", offset < 0 ? '-' : '+',
                static_cast<int>(minutes / 60), static_cast<int>(minutes % 60));
  return result + text;
}

}  // namespace keelson::model
