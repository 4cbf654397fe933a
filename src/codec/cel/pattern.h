// A regular expression as Go's regexp has them, on RE2.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "codec/cel/library.h"

namespace re2 {
class RE2;
}

namespace keelson::codec::cel {

class Pattern {
 public:
  explicit Pattern(std::unique_ptr<re2::RE2> compiled);
  ~Pattern();
  bool matches(std::string_view text) const;  // anywhere in the text
  std::string_view find(std::string_view text) const;
  // Up to `count` matches that do not overlap; all if it is negative.
  std::vector<std::string_view> find_all(std::string_view text, std::int64_t count) const;

 private:
  bool match_at(std::string_view text, std::size_t from, std::string_view& match) const;
  std::unique_ptr<re2::RE2> compiled_;
};

}  // namespace keelson::codec::cel
