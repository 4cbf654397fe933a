// Sets of completion indexes as a Job's status writes them: "0,2-5,7". Intervals in order, apart
// from each other.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace keelson::control::jobs {

class Indexes {
 public:
  struct Interval {
    std::int64_t first = 0, last = 0;
  };

  Indexes() = default;
  static Indexes of(const std::set<std::int64_t>& indexes);
  // Cut at `completions`; parts that are no numbers are left out.
  static Indexes parse(std::string_view text, std::int64_t completions);

  Indexes merged(const Indexes& other) const;
  bool has(std::int64_t index) const;
  std::int64_t total() const;
  std::int64_t in_common(const Indexes& other) const;  // how many are in both
  bool empty() const { return intervals_.empty(); }
  const std::vector<Interval>& intervals() const { return intervals_; }
  std::string text() const;

 private:
  std::vector<Interval> intervals_;
};

}  // namespace keelson::control::jobs
