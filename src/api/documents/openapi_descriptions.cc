// The text: lines "TYPE: what it is" and, indented, "FIELD: what it means"; a type is named by the
// last three parts of its name, "*" stands for every kind.
#include "api/documents/openapi_descriptions.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "base/text.h"

namespace keelson::api {
namespace {

constexpr std::string_view kText =
#include "api/documents/openapi_descriptions.inc"
    ;

struct Entry {
  std::string_view type, field, text;  // no field: the type itself
};

bool precedes(const Entry& a, const Entry& b) {
  return std::tie(a.type, a.field) < std::tie(b.type, b.field);
}

std::vector<Entry> read() {
  std::vector<Entry> entries;
  std::string_view type;
  for (std::string_view rest = kText; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = trim(line.substr(0, colon));
    const bool is_field = line.front() == ' ';
    if (!is_field) type = name;
    entries.push_back({type, is_field ? name : "", trim(line.substr(colon + 1))});
  }
  std::sort(entries.begin(), entries.end(), precedes);
  return entries;
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = read();
  return all;
}

std::string_view find(std::string_view type, std::string_view field) {
  const auto found =
      std::lower_bound(entries().begin(), entries().end(), Entry{type, field, ""}, precedes);
  const bool there = found != entries().end() && found->type == type && found->field == field;
  return there ? found->text : std::string_view();
}

// "core.v1.Pod" of "io.k8s.api.core.v1.Pod".
std::string_view short_name(std::string_view name) {
  std::size_t dot = name.size();
  for (int i = 0; i < 3 && dot != std::string_view::npos; ++i)
    dot = dot == 0 ? std::string_view::npos : name.rfind('.', dot - 1);
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

}  // namespace

std::string_view description_of(std::string_view type) {
  return find(short_name(type), "");
}

std::string_view description_of(std::string_view type, std::string_view field, bool kind) {
  const std::string_view own = find(short_name(type), field);
  return own.empty() && kind ? find("*", field) : own;
}

std::vector<std::pair<std::string_view, std::string_view>> described_names() {
  std::vector<std::pair<std::string_view, std::string_view>> names;
  for (const Entry& entry : entries()) names.emplace_back(entry.type, entry.field);
  return names;
}

}  // namespace keelson::api
