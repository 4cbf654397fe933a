// The JSONPath of kubectl, as far as printer columns use it. An expression that cannot be read
// finds nothing: definitions with such columns are refused when they are created.
#include "base/text.h"
#include "codec/json.h"
#include "registry/tables/columns.h"

namespace keelson::registry {

namespace {

// One [..] part: an index, a key in quotes, "*", or a filter.
void step_into(const Value& value, std::string_view inside, std::vector<Value>& out);

void member_of(const Value& value, std::string_view key, std::vector<Value>& out) {
  if (key == "*") {
    for (const codec::Member& member : value.members()) out.push_back(member.value);
    for (const Value& one : value.elements()) out.push_back(one);
    return;
  }
  if (const Value* found = value.find(key)) out.push_back(*found);
}

Value literal_of(std::string_view text) {
  text = trim(text);
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\''))
    return text.substr(1, text.size() - 2);
  if (auto parsed = codec::parse_json(text)) return *parsed;
  return nullptr;
}

bool compare(const Value& left, std::string_view op, const Value& right) {
  if (op == "==") return left == right;
  if (op == "!=") return !(left == right);
  const bool text = left.is_string() && right.is_string();
  if (!text && !(left.is_number() && right.is_number())) return false;
  const int order = text ? left.as_string().compare(right.as_string())
                    : left.as_double() < right.as_double() ? -1
                                                           : left.as_double() > right.as_double();
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  if (op == ">") return order > 0;
  return order >= 0;
}

// The filter's text between ?( and ).
bool passes(const Value& value, std::string_view filter) {
  std::size_t at = std::string_view::npos;
  std::string_view op;
  for (std::string_view one : {"==", "!=", "<=", ">=", "<", ">"}) {
    at = filter.find(one);
    op = one;
    if (at != std::string_view::npos) break;
  }
  std::string_view left = trim(filter.substr(0, at));
  if (!left.starts_with('@')) return false;
  const std::vector<Value> found = find_json_path(value, left.substr(1));
  if (at == std::string_view::npos) return !found.empty();
  return !found.empty() && compare(found.front(), op, literal_of(filter.substr(at + op.size())));
}

void step_into(const Value& value, std::string_view inside, std::vector<Value>& out) {
  inside = trim(inside);
  if (inside.empty()) return;
  if (inside.front() == '?') {
    std::string_view filter = inside.substr(1);
    if (filter.size() < 2 || filter.front() != '(' || filter.back() != ')') return;
    filter = filter.substr(1, filter.size() - 2);
    for (const Value& one : value.elements())
      if (passes(one, filter)) out.push_back(one);
    return;
  }
  if (inside == "*" || inside.front() == '\'' || inside.front() == '"') {
    member_of(value, inside == "*" ? inside : inside.substr(1, inside.size() - 2), out);
    return;
  }
  if (auto index = parse_int(inside)) {
    const auto size = static_cast<std::int64_t>(value.elements().size());
    const std::int64_t at = *index < 0 ? *index + size : *index;
    if (at >= 0 && at < size) out.push_back(value[static_cast<std::size_t>(at)]);
  }
}

}  // namespace

std::vector<Value> find_json_path(const Value& object, std::string_view path) {
  std::vector<Value> current = {object};
  while (!path.empty()) {
    std::vector<Value> next;
    if (path.front() == '[') {
      std::size_t end = 1;
      char quoted = 0;
      while (end < path.size() && (quoted || path[end] != ']')) {
        if (quoted)
          quoted = path[end] == quoted ? 0 : quoted;
        else if (path[end] == '\'' || path[end] == '"')
          quoted = path[end];
        ++end;
      }
      for (const Value& value : current) step_into(value, path.substr(1, end - 1), next);
      path.remove_prefix(std::min(path.size(), end + 1));
    } else {
      if (path.front() == '.') path.remove_prefix(1);
      std::string key;
      while (!path.empty() && path.front() != '.' && path.front() != '[') {
        if (path.front() == '\\' && path.size() > 1) path.remove_prefix(1);
        key += path.front();
        path.remove_prefix(1);
      }
      if (key.empty()) continue;
      for (const Value& value : current) member_of(value, key, next);
    }
    current = std::move(next);
  }
  return current;
}

}  // namespace keelson::registry
