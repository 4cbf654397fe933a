// difflib's matcher, with its habit of leaving out lines that are frequent in a long text: which of
// several equally good diffs comes out depends on it.
#include "model/go_diff.h"

#include <algorithm>
#include <map>

namespace keelson::model {
namespace {

using Lines = std::vector<std::string>;

struct Match {
  std::size_t a = 0, b = 0, size = 0;
};

struct Step {
  char tag;  // 'e'qual, 'r'eplace, 'd'elete, 'i'nsert
  std::size_t a1, a2, b1, b2;
};

class Matcher {
 public:
  Matcher(const Lines& a, const Lines& b) : a_(a), b_(b) {
    for (std::size_t i = 0; i < b.size(); ++i) places_[b[i]].push_back(i);
    constexpr std::size_t kLong = 200;
    if (b.size() >= kLong)
      std::erase_if(places_,
                    [&](const auto& one) { return one.second.size() > b.size() / 100 + 1; });
  }

  std::vector<Step> steps() const {
    std::vector<Step> out;
    std::size_t i = 0, j = 0;
    for (const Match& match : matches()) {
      if (i < match.a && j < match.b)
        out.push_back({'r', i, match.a, j, match.b});
      else if (i < match.a)
        out.push_back({'d', i, match.a, j, match.b});
      else if (j < match.b)
        out.push_back({'i', i, match.a, j, match.b});
      i = match.a + match.size;
      j = match.b + match.size;
      if (match.size > 0) out.push_back({'e', match.a, i, match.b, j});
    }
    return out;
  }

 private:
  Match longest(std::size_t a_low, std::size_t a_high, std::size_t b_low,
                std::size_t b_high) const {
    Match best{a_low, b_low, 0};
    std::map<std::size_t, std::size_t> lengths;  // of the match that ends at this place of b
    for (std::size_t i = a_low; i < a_high; ++i) {
      std::map<std::size_t, std::size_t> next;
      const auto found = places_.find(a_[i]);
      if (found != places_.end())
        for (const std::size_t j : found->second) {
          if (j < b_low) continue;
          if (j >= b_high) break;
          const auto before = j == 0 ? lengths.end() : lengths.find(j - 1);
          const std::size_t size = (before == lengths.end() ? 0 : before->second) + 1;
          next[j] = size;
          if (size > best.size) best = {i + 1 - size, j + 1 - size, size};
        }
      lengths = std::move(next);
    }
    while (best.a > a_low && best.b > b_low && a_[best.a - 1] == b_[best.b - 1])
      best = {best.a - 1, best.b - 1, best.size + 1};
    while (best.a + best.size < a_high && best.b + best.size < b_high &&
           a_[best.a + best.size] == b_[best.b + best.size])
      ++best.size;
    return best;
  }

  // In order, neighbours joined, with an empty one at the end.
  std::vector<Match> matches() const {
    struct Range {
      std::size_t a_low, a_high, b_low, b_high;
    };
    std::vector<Range> open = {{0, a_.size(), 0, b_.size()}};
    std::vector<Match> found;
    while (!open.empty()) {
      const Range range = open.back();
      open.pop_back();
      const Match match = longest(range.a_low, range.a_high, range.b_low, range.b_high);
      if (match.size == 0) continue;
      found.push_back(match);
      if (range.a_low < match.a && range.b_low < match.b)
        open.push_back({range.a_low, match.a, range.b_low, match.b});
      if (match.a + match.size < range.a_high && match.b + match.size < range.b_high)
        open.push_back({match.a + match.size, range.a_high, match.b + match.size, range.b_high});
    }
    std::sort(found.begin(), found.end(), [](const Match& x, const Match& y) { return x.a < y.a; });
    std::vector<Match> out;
    for (const Match& match : found)
      if (!out.empty() && out.back().a + out.back().size == match.a &&
          out.back().b + out.back().size == match.b)
        out.back().size += match.size;
      else
        out.push_back(match);
    out.push_back({a_.size(), b_.size(), 0});
    return out;
  }

  const Lines& a_;
  const Lines& b_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> places_;
};

// Steps in groups with at most `context` equal lines at their ends.
std::vector<std::vector<Step>> groups_of(std::vector<Step> steps, std::size_t context) {
  const auto cut_head = [&](Step& step) {
    step.a1 = std::max(step.a1 + context, step.a2) - context;
    step.b1 = std::max(step.b1 + context, step.b2) - context;
  };
  const auto cut_tail = [&](Step& step) {
    step.a2 = std::min(step.a2, step.a1 + context);
    step.b2 = std::min(step.b2, step.b1 + context);
  };
  std::vector<std::vector<Step>> groups;
  if (steps.empty()) return groups;
  if (steps.front().tag == 'e') cut_head(steps.front());
  if (steps.back().tag == 'e') cut_tail(steps.back());
  std::vector<Step> group;
  for (Step step : steps) {
    if (step.tag == 'e' && step.a2 - step.a1 > 2 * context) {
      Step end = step;
      cut_tail(end);
      group.push_back(end);
      groups.push_back(std::move(group));
      group.clear();
      cut_head(step);
    }
    group.push_back(step);
  }
  if (!group.empty() && !(group.size() == 1 && group.front().tag == 'e'))
    groups.push_back(std::move(group));
  return groups;
}

std::string range_text(std::size_t start, std::size_t stop) {
  const std::size_t length = stop - start;
  if (length == 1) return std::to_string(start + 1);
  return std::to_string(length == 0 ? start : start + 1) + "," + std::to_string(length);
}

Lines lines_of(const std::string& text) {
  Lines lines(1);
  for (const char c : text) {
    if (c == '\n')
      lines.emplace_back();
    else
      lines.back() += c;
  }
  return lines;
}

}  // namespace

std::string indented_json(std::string_view json) {
  std::string out;
  std::size_t depth = 0;
  bool in_text = false;
  const auto line = [&] {
    out += '\n';
    out.append(depth, ' ');
  };
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_text) {
      out += c;
      if (c == '\\' && i + 1 < json.size())
        out += json[++i];
      else if (c == '"')
        in_text = false;
    } else if ((c == '{' || c == '[') && i + 1 < json.size() && json[i + 1] == c + 2) {
      out += c;  // empty; in ASCII the closing bracket is two further
      out += json[++i];
    } else if (c == '{' || c == '[') {
      out += c;
      ++depth;
      line();
    } else if (c == '}' || c == ']') {
      --depth;
      line();
      out += c;
    } else if (c == ',') {
      out += c;
      line();
    } else {
      out += c;
      if (c == ':') out += ' ';
      in_text = c == '"';
    }
  }
  return out;
}

std::string json_diff(std::string_view before, std::string_view after) {
  const Lines a = lines_of(indented_json(before)), b = lines_of(indented_json(after));
  std::string out;
  for (const std::vector<Step>& group : groups_of(Matcher(a, b).steps(), 3)) {
    out += "@@ -" + range_text(group.front().a1, group.back().a2) + " +" +
           range_text(group.front().b1, group.back().b2) + " @@\n";
    for (const Step& step : group) {
      const bool equal = step.tag == 'e';
      if (step.tag != 'i')
        for (std::size_t i = step.a1; i < step.a2; ++i) out += (equal ? " " : "-") + a[i] + "\n";
      if (!equal && step.tag != 'd')
        for (std::size_t i = step.b1; i < step.b2; ++i) out += "+" + b[i] + "\n";
    }
  }
  return out;
}

}  // namespace keelson::model
