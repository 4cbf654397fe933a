// See indexes.h.
#include "control/job/indexes.h"

#include <algorithm>

#include "base/text.h"

namespace keelson::control::jobs {

Indexes Indexes::of(const std::set<std::int64_t>& indexes) {
  Indexes result;
  for (const std::int64_t index : indexes) {
    if (!result.intervals_.empty() && result.intervals_.back().last + 1 == index)
      result.intervals_.back().last = index;
    else
      result.intervals_.push_back({index, index});
  }
  return result;
}

Indexes Indexes::parse(std::string_view text, std::int64_t completions) {
  Indexes result;
  if (text.empty()) return result;
  for (const std::string& part : split(text, ',')) {
    const std::vector<std::string> limits = split(part, '-');
    const auto first = parse_int(limits[0]);
    if (!first) continue;
    if (*first >= completions) break;
    std::int64_t last = *first;
    if (limits.size() > 1) {
      const auto end = parse_int(limits[1]);
      if (!end) continue;
      last = std::min(*end, completions - 1);
    }
    if (!result.intervals_.empty() && result.intervals_.back().last == *first - 1)
      result.intervals_.back().last = last;
    else
      result.intervals_.push_back({*first, last});
  }
  return result;
}

Indexes Indexes::merged(const Indexes& other) const {
  std::vector<Interval> all;
  std::merge(intervals_.begin(), intervals_.end(), other.intervals_.begin(), other.intervals_.end(),
             std::back_inserter(all),
             [](const Interval& a, const Interval& b) { return a.first < b.first; });
  Indexes result;
  for (const Interval& one : all) {
    if (result.intervals_.empty() || one.first > result.intervals_.back().last + 1)
      result.intervals_.push_back(one);
    else
      result.intervals_.back().last = std::max(result.intervals_.back().last, one.last);
  }
  return result;
}

bool Indexes::has(std::int64_t index) const {
  const auto at = std::lower_bound(
      intervals_.begin(), intervals_.end(), index,
      [](const Interval& interval, std::int64_t value) { return interval.last < value; });
  return at != intervals_.end() && at->first <= index;
}

std::int64_t Indexes::total() const {
  std::int64_t count = 0;
  for (const Interval& one : intervals_) count += one.last - one.first + 1;
  return count;
}

std::int64_t Indexes::in_common(const Indexes& other) const {
  std::int64_t count = 0;
  for (const Interval& a : intervals_)
    for (const Interval& b : other.intervals_)
      count += std::max<std::int64_t>(0, std::min(a.last, b.last) - std::max(a.first, b.first) + 1);
  return count;
}

std::string Indexes::text() const {
  std::string text;
  for (const Interval& one : intervals_) {
    if (!text.empty()) text += ',';
    text += std::to_string(one.first);
    if (one.last > one.first)
      text += (one.last == one.first + 1 ? "," : "-") + std::to_string(one.last);
  }
  return text;
}

}  // namespace keelson::control::jobs
