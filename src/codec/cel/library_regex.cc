// matches() of the language; find() and findAll() of Kubernetes.
#include <re2/re2.h>

#include "codec/cel/pattern.h"

namespace keelson::codec::cel {

namespace {

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

// RE2's faults in the words of Go's regexp/syntax.
std::string go_error(const re2::RE2& compiled, std::string_view pattern) {
  const auto said = [&](std::string_view what, std::string_view part) {
    return "error parsing regexp: " + std::string(what) + ": `" + std::string(part) + "`";
  };
  const std::string& part = compiled.error_arg();
  switch (compiled.error_code()) {
    case re2::RE2::ErrorBadEscape: return said("invalid escape sequence", part);
    case re2::RE2::ErrorBadCharClass: return said("invalid character class", part);
    case re2::RE2::ErrorBadCharRange: return said("invalid character class range", part);
    case re2::RE2::ErrorMissingBracket: return said("missing closing ]", part);
    case re2::RE2::ErrorMissingParen: return said("missing closing )", pattern);
    case re2::RE2::ErrorUnexpectedParen: return said("unexpected )", pattern);
    case re2::RE2::ErrorTrailingBackslash:
      return "error parsing regexp: trailing backslash at end of expression: ``";
    case re2::RE2::ErrorRepeatArgument:
      return said("missing argument to repetition operator", part);
    case re2::RE2::ErrorRepeatSize: return said("invalid repeat count", part);
    case re2::RE2::ErrorRepeatOp: return said("invalid nested repetition operator", part);
    case re2::RE2::ErrorBadPerlOp: return said("invalid or unsupported Perl syntax", part);
    case re2::RE2::ErrorBadUTF8: return said("invalid UTF-8", part);
    case re2::RE2::ErrorBadNamedCapture: return said("invalid named capture", part);
    default: return said("expression too large", pattern);
  }
}

Datum match(Arguments arguments) {
  if (!arguments[1].is_string()) return no_such_overload();
  const auto pattern = compile_pattern(arguments[1].text());
  if (!pattern.ok()) return Datum::error(pattern.error().message);
  return Datum::boolean((*pattern)->matches(arguments[0].text()));
}
Datum match_with(Arguments arguments, const Pattern& pattern) {
  if (!arguments[0].is_string()) return no_such_overload();
  return Datum::boolean(pattern.matches(arguments[0].text()));
}

Datum find_with(Arguments arguments, const Pattern& pattern) {
  if (!arguments[0].is_string()) return no_such_overload();
  return Datum::string(pattern.find(arguments[0].text()));
}
Datum find_all_with(Arguments arguments, const Pattern& pattern) {
  if (!arguments[0].is_string()) return no_such_overload();
  const std::int64_t count = arguments.size() == 3 ? arguments[2].as_int() : -1;
  std::vector<Datum> found;
  for (const std::string_view part : pattern.find_all(arguments[0].text(), count))
    found.push_back(Datum::string(part));
  return Datum::list(std::move(found));
}

template <Datum (*Run)(Arguments, const Pattern&)>
Datum compiled_now(Arguments arguments) {
  const auto pattern = compile_pattern(arguments[1].text());
  if (!pattern.ok()) return Datum::error("Illegal regex: " + pattern.error().message);
  return Run(arguments, **pattern);
}

}  // namespace

Pattern::Pattern(std::unique_ptr<re2::RE2> compiled) : compiled_(std::move(compiled)) {}
Pattern::~Pattern() = default;

bool Pattern::matches(std::string_view text) const {
  return re2::RE2::PartialMatch(piece(text), *compiled_);
}

bool Pattern::match_at(std::string_view text, std::size_t from, std::string_view& match) const {
  re2::StringPiece found;
  if (!compiled_->Match(piece(text), from, text.size(), re2::RE2::UNANCHORED, &found, 1))
    return false;
  match = std::string_view(found.data(), found.size());
  return true;
}

std::string_view Pattern::find(std::string_view text) const {
  std::string_view found;
  return match_at(text, 0, found) ? found : std::string_view{};
}

std::vector<std::string_view> Pattern::find_all(std::string_view text, std::int64_t count) const {
  std::vector<std::string_view> all;
  std::size_t at = 0;
  std::size_t last_end = std::string_view::npos;
  while (at <= text.size() && (count < 0 || static_cast<std::int64_t>(all.size()) < count)) {
    std::string_view found;
    if (!match_at(text, at, found)) break;
    const auto begin = static_cast<std::size_t>(found.data() - text.data());
    const std::size_t end = begin + found.size();
    // An empty match right behind the last one does not count.
    if (!found.empty() || begin != last_end) all.push_back(found);
    last_end = end;
    at = end;
    if (found.empty()) {
      ++at;
      while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    }
  }
  return all;
}

Result<PatternPtr> compile_pattern(std::string_view pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto compiled = std::make_unique<re2::RE2>(piece(pattern), options);
  if (!compiled->ok())
    return Error{.reason = Reason::invalid, .message = go_error(*compiled, pattern)};
  return PatternPtr(std::make_shared<const Pattern>(std::move(compiled)));
}

void add_regex_library(Library& library) {
  library.add("matches", "matches", {string_type(), string_type()}, bool_type());
  library.add_member("matches", "matches_string", {string_type(), string_type()}, bool_type());
  Function& matches = library.function("matches");
  matches.any = match;
  matches.receivers = kinds(Datum::Kind::string);
  matches.pattern_argument = 1;
  matches.run_with_pattern = match_with;

  library.add_member("find", "string_find_string", {string_type(), string_type()}, string_type(),
                     compiled_now<find_with>);
  library.function("find").pattern_argument = 1;
  library.function("find").run_with_pattern = find_with;
  library.add_member("findAll", "string_find_all_string", {string_type(), string_type()},
                     list_of(string_type()), compiled_now<find_all_with>);
  library.add_member("findAll", "string_find_all_string_int",
                     {string_type(), string_type(), int_type()}, list_of(string_type()),
                     compiled_now<find_all_with>);
  library.function("findAll").pattern_argument = 1;
  library.function("findAll").run_with_pattern = find_all_with;
}

}  // namespace keelson::codec::cel
