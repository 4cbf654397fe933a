// The strings extension of cel-go, version 2: positions count code points.
#include <algorithm>

#include "codec/cel/format_text.h"
#include "codec/cel/library.h"
#include "codec/cel/text.h"

namespace keelson::codec::cel {

namespace {

using Points = std::vector<char32_t>;

Datum out_of_range(std::int64_t index) {
  return Datum::error("index out of range: " + std::to_string(index));
}
std::int64_t count(const Points& points) {
  return static_cast<std::int64_t>(points.size());
}

Datum char_at(Arguments arguments) {
  const Points points = to_code_points(arguments[0].text());
  const std::int64_t at = arguments[1].as_int();
  if (at < 0 || at > count(points)) return out_of_range(at);
  return Datum::string(
      to_utf8(points, static_cast<std::size_t>(at), static_cast<std::size_t>(at) + 1));
}

bool found_at(const Points& text, const Points& part, std::int64_t at) {
  return std::equal(part.begin(), part.end(), text.begin() + at);
}

Datum index_of(Arguments arguments) {
  const std::int64_t from = arguments.size() == 3 ? arguments[2].as_int() : 0;
  if (arguments[1].text().empty()) return Datum::integer(from);
  if (from < 0) return out_of_range(from);
  const Points text = to_code_points(arguments[0].text());
  const Points part = to_code_points(arguments[1].text());
  if (from >= count(text)) return Datum::integer(-1);
  for (std::int64_t i = from; i + count(part) <= count(text); ++i)
    if (found_at(text, part, i)) return Datum::integer(i);
  return Datum::integer(-1);
}

Datum last_index_of(Arguments arguments) {
  const Points text = to_code_points(arguments[0].text());
  const Points part = to_code_points(arguments[1].text());
  const bool anywhere = arguments.size() == 2;
  if (part.empty()) return Datum::integer(anywhere ? count(text) : arguments[2].as_int());
  if (anywhere && arguments[0].text().size() < arguments[1].text().size())
    return Datum::integer(-1);
  const std::int64_t from = anywhere ? count(text) - 1 : arguments[2].as_int();
  if (from < 0) return out_of_range(from);
  if (from >= count(text)) return Datum::integer(-1);
  for (std::int64_t i = std::min(from, count(text) - count(part)); i >= 0; --i)
    if (found_at(text, part, i)) return Datum::integer(i);
  return Datum::integer(-1);
}

template <char First, char Last, int Shift>
Datum shifted(Arguments arguments) {
  std::string text(arguments[0].text());
  for (char& c : text)
    if (c >= First && c <= Last) c = static_cast<char>(c + Shift);
  return Datum::string(text);
}

// Cuts after each code point if `separator` is empty. At most `parts` pieces; all if negative.
std::vector<std::string> cut(std::string_view text, std::string_view separator,
                             std::int64_t parts) {
  std::vector<std::string> pieces;
  if (parts == 0) return pieces;
  if (separator.empty()) {
    const Points points = to_code_points(text);
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (parts > 0 && static_cast<std::int64_t>(pieces.size()) == parts - 1) {
        pieces.push_back(to_utf8(points, i, points.size()));
        break;
      }
      pieces.push_back(to_utf8(points, i, i + 1));
    }
    return pieces;
  }
  while (parts < 0 || static_cast<std::int64_t>(pieces.size()) < parts - 1) {
    const std::size_t at = text.find(separator);
    if (at == std::string_view::npos) break;
    pieces.emplace_back(text.substr(0, at));
    text.remove_prefix(at + separator.size());
  }
  pieces.emplace_back(text);
  return pieces;
}

Datum split(Arguments arguments) {
  const std::int64_t parts = arguments.size() == 3 ? arguments[2].as_int() : -1;
  std::vector<Datum> list;
  for (const std::string& piece : cut(arguments[0].text(), arguments[1].text(), parts))
    list.push_back(Datum::string(piece));
  return Datum::list(std::move(list));
}

Datum replace(Arguments arguments) {
  const std::string_view text = arguments[0].text(), from = arguments[1].text();
  const std::string_view to = arguments[2].text();
  std::int64_t left = arguments.size() == 4 ? arguments[3].as_int() : -1;
  if (left == 0 || from == to) return arguments[0];
  std::string out;
  if (from.empty()) {
    const Points points = to_code_points(text);
    for (std::size_t i = 0; i <= points.size(); ++i) {
      if (left != 0) out += to;
      if (left > 0) --left;
      if (i < points.size()) append_utf8(out, points[i]);
    }
    return Datum::string(out);
  }
  std::size_t at = 0;
  while (left != 0) {
    const std::size_t found = text.find(from, at);
    if (found == std::string_view::npos) break;
    out.append(text.substr(at, found - at)).append(to);
    at = found + from.size();
    if (left > 0) --left;
  }
  return Datum::string(out.append(text.substr(at)));
}

Datum substring(Arguments arguments) {
  const Points points = to_code_points(arguments[0].text());
  const std::int64_t start = arguments[1].as_int();
  const std::int64_t end = arguments.size() == 3 ? arguments[2].as_int() : count(points);
  if (arguments.size() == 3 && start > end)
    return Datum::error("invalid substring range. start: " + std::to_string(start) +
                        ", end: " + std::to_string(end));
  if (start < 0 || start > count(points)) return out_of_range(start);
  if (end < 0 || end > count(points)) return out_of_range(end);
  return Datum::string(
      to_utf8(points, static_cast<std::size_t>(start), static_cast<std::size_t>(end)));
}

bool is_space(char32_t c) {
  return (c >= '\t' && c <= '\r') || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}
Datum trim(Arguments arguments) {
  const Points points = to_code_points(arguments[0].text());
  std::size_t begin = 0, end = points.size();
  while (begin < end && is_space(points[begin])) ++begin;
  while (end > begin && is_space(points[end - 1])) --end;
  return Datum::string(to_utf8(points, begin, end));
}

Datum join(Arguments arguments) {
  std::string out;
  const List& list = arguments[0].as_list();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Datum element = list.at(i);
    if (!element.is_string()) return Datum::error("join: invalid input: " + display(element));
    if (i > 0 && arguments.size() == 2) out += arguments[1].text();
    out += element.text();
  }
  return Datum::string(out);
}

Datum quoted(Arguments arguments) {
  static constexpr std::string_view kFrom = "\a\b\f\n\r\t\v\\\"";
  static constexpr std::string_view kTo = "abfnrtv\\\"";
  std::string out = "\"";
  for (const char32_t point : to_code_points(arguments[0].text())) {
    const std::size_t place =
        point < 0x80 ? kFrom.find(static_cast<char>(point)) : std::string_view::npos;
    if (place != std::string_view::npos) {
      out += '\\';
      out += kTo[place];
    } else {
      append_utf8(out, point);
    }
  }
  return Datum::string(out + '"');
}

Datum format(Arguments arguments) {
  return format_text(arguments[0].text(), arguments[1].as_list());
}

}  // namespace

void add_string_library(Library& library) {
  const TypePtr text = string_type(), number = int_type();
  const TypePtr texts = list_of(string_type());
  library.add_member("charAt", "string_char_at_int", {text, number}, text, char_at);
  library.add_member("indexOf", "string_index_of_string", {text, text}, number, index_of);
  library.add_member("indexOf", "string_index_of_string_int", {text, text, number}, number,
                     index_of);
  library.add_member("lastIndexOf", "string_last_index_of_string", {text, text}, number,
                     last_index_of);
  library.add_member("lastIndexOf", "string_last_index_of_string_int", {text, text, number}, number,
                     last_index_of);
  library.add_member("lowerAscii", "string_lower_ascii", {text}, text, shifted<'A', 'Z', 32>);
  library.add_member("upperAscii", "string_upper_ascii", {text}, text, shifted<'a', 'z', -32>);
  library.add_member("replace", "string_replace_string_string", {text, text, text}, text, replace);
  library.add_member("replace", "string_replace_string_string_int", {text, text, text, number},
                     text, replace);
  library.add_member("split", "string_split_string", {text, text}, texts, split);
  library.add_member("split", "string_split_string_int", {text, text, number}, texts, split);
  library.add_member("substring", "string_substring_int", {text, number}, text, substring);
  library.add_member("substring", "string_substring_int_int", {text, number, number}, text,
                     substring);
  library.add_member("trim", "string_trim", {text}, text, trim);
  library.add_member("format", "string_format", {text, list_of(dyn_type())}, text, format);
  library.add("strings.quote", "strings_quote", {text}, text, quoted);
  library.add_member("join", "list_join", {texts}, text, join);
  library.add_member("join", "list_join_string", {texts, text}, text, join);
}

}  // namespace keelson::codec::cel
