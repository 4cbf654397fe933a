#include "codec/cel/ast.h"

#include <algorithm>

#include "codec/cel/text.h"

namespace keelson::codec::cel {

namespace {
constexpr std::size_t kErrorsMax = 100;
constexpr std::size_t kSnippetMax = 16384;
}  // namespace

Expr* Ast::copy(const Expr& node) {
  Expr clone = node;
  for (Expr*& operand : clone.operands) operand = copy(*operand);
  clone.id = static_cast<std::uint32_t>(nodes.size() + 1);
  return &nodes.emplace_back(std::move(clone));
}

Source::Source(std::string_view text) : points_(to_code_points(text)) {
  lines_.push_back(0);
  for (std::size_t i = 0; i < points_.size(); ++i)
    if (points_[i] == '\n') lines_.push_back(i + 1);
}

std::string Source::report(std::vector<SourceError> errors) const {
  std::stable_sort(errors.begin(), errors.end(), [](const SourceError& a, const SourceError& b) {
    return a.position < b.position;
  });
  std::string out;
  for (std::size_t n = 0; n < errors.size() && n < kErrorsMax; ++n) {
    const SourceError& error = errors[n];
    if (n > 0) out += '\n';
    if (error.position < 0) {
      out += "ERROR: <input>:-1:0: " + error.message;
      continue;
    }
    const auto at = static_cast<std::size_t>(error.position);
    const auto line = static_cast<std::size_t>(std::upper_bound(lines_.begin(), lines_.end(), at) -
                                               lines_.begin() - 1);
    const std::size_t column = at - lines_[line];
    // An empty text has no columns.
    out += "ERROR: <input>:" + std::to_string(line + 1) + ':' +
           std::to_string(points_.empty() ? 0 : column + 1) + ": " + error.message;
    if (points_.empty()) continue;
    const std::size_t begin = lines_[line];
    std::size_t end = begin;
    while (end < points_.size() && points_[end] != '\n') ++end;
    std::string snippet = to_utf8(points_, begin, end);
    if (snippet.size() > kSnippetMax) continue;
    std::replace(snippet.begin(), snippet.end(), '\t', ' ');
    out += "\n | " + snippet + "\n | ";
    // Characters of several bytes are as wide as two.
    for (std::size_t i = begin; i < begin + column && i < end; ++i)
      out += points_[i] < 0x80 ? "." : "\xEF\xBC\x8E";
    const bool wide = begin + column < end && points_[begin + column] >= 0x80;
    out += wide ? "\xEF\xBC\xBE" : "^";
  }
  if (errors.size() > kErrorsMax)
    out += '\n' + std::to_string(errors.size() - kErrorsMax) + " more errors were truncated";
  return out;
}

}  // namespace keelson::codec::cel
