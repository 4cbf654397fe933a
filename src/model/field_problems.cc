#include "model/field_problems.h"

#include <algorithm>

#include "base/text.h"
#include "codec/json.h"

namespace keelson::model {
namespace {

using codec::Value;

// `name="web",protocol="TCP"` of an element.
bool has_keys(const Value& element, std::string_view keys) {
  for (const std::string& pair : split(std::string(keys), ',')) {
    const std::size_t equal = pair.find('=');
    if (equal == std::string::npos) return false;
    if (codec::to_json(element[pair.substr(0, equal)]) != pair.substr(equal + 1)) return false;
  }
  return true;
}

// A path of typed patches with indexes instead of keys; what the object does not have ends it.
std::string with_indexes(std::string_view path, const Value& object) {
  std::string out;
  const Value* here = &object;
  while (!path.empty()) {
    if (path.front() == '[') {
      const std::size_t close = std::min(path.find(']'), path.size() - 1);
      const std::string_view keys = path.substr(1, close - 1);
      path.remove_prefix(close + 1);
      std::size_t index = 0;
      if (keys.find('=') == std::string_view::npos)
        index = static_cast<std::size_t>(parse_int(keys).value_or(0));
      else
        while (index < here->size() && !has_keys((*here)[index], keys)) ++index;
      if (!here->is_array() || index >= here->size()) return out;
      out += "[" + std::to_string(index) + "]";
      here = &(*here)[index];
    } else {
      if (path.front() == '.') path.remove_prefix(1);
      const std::size_t length = std::min(path.find_first_of(".["), path.size());
      out += (out.empty() ? "" : ".") + std::string(path.substr(0, length));
      here = &(*here)[path.substr(0, length)];
      path.remove_prefix(length);
    }
  }
  return out;
}

// "expected string, got &value.valueUnstructured{Value:1}" names the type of a library.
std::string without_go(std::string text) {
  static constexpr std::string_view kWrapper = "&value.valueUnstructured{Value:";
  const std::size_t at = text.find(kWrapper);
  if (at == std::string::npos || !text.ends_with("}")) return text;
  text.pop_back();
  return text.erase(at, kWrapper.size());
}

// ".spec.foo: field not declared in schema"
FieldProblem typed(std::string_view line, const Value& object) {
  const std::size_t colon = line.find(": ");
  if (!line.starts_with(".") || colon == std::string_view::npos)
    return {"", std::string(trim(line))};
  return {with_indexes(line.substr(0, colon), object),
          without_go(std::string(line.substr(colon + 2)))};
}

}  // namespace

std::vector<FieldProblem> field_problems(const Error& error, const Value& object) {
  std::vector<FieldProblem> problems;
  for (const Cause& cause : error.causes)
    if (!cause.field.empty()) problems.push_back({cause.field, cause.message});
  if (!problems.empty()) return problems;

  std::string_view text = error.message;
  for (const std::string_view mark : {"unknown field \"", "duplicate field \""})
    for (std::size_t at = text.find(mark); at != std::string_view::npos;
         at = text.find(mark, at + 1)) {
      const std::size_t start = at + mark.size();
      problems.push_back(
          {std::string(text.substr(start, std::min(text.find('"', start), text.size()) - start)),
           std::string(mark.substr(0, mark.size() - 2))});
    }
  if (!problems.empty()) return problems;

  static constexpr std::string_view kTyped = "failed to create typed patch object (";
  const std::size_t end = text.find("): ");
  if (!text.starts_with(kTyped) || end == std::string_view::npos) return {{"", error.message}};
  text.remove_prefix(end + 3);
  if (!text.starts_with("errors:\n")) return {typed(text, object)};
  for (const std::string& line : split(std::string(text.substr(8)), '\n'))
    if (!trim(line).empty()) problems.push_back(typed(trim(line), object));
  return problems;
}

}  // namespace keelson::model
