// Documents of a file and positions within them; reading itself is in yaml_reader.cc.
#include "codec/yaml.h"

#include <algorithm>

#include "base/text.h"
#include "codec/yaml_reader.h"

namespace keelson::codec {
namespace {

// The length of the child's name at the start of `path`, or 0.
std::size_t match(const YamlPlace& child, std::string_view path) {
  if (path.substr(0, child.key.size()) != child.key) return 0;
  const std::size_t length = child.key.size();
  if (path.size() == length || path[length] == '.' || path[length] == '[') return length;
  return 0;
}

bool is_blank(std::string_view line) {
  const std::size_t at = line.find_first_not_of(" \t\r");
  return at == std::string_view::npos || line[at] == '#';
}

// Where documents begin in a text: at its start and at every "---" line, before the directives that
// belong to it. Byte offset and line (from 0) of each.
struct Start {
  std::size_t offset = 0;
  int line = 0;
};
std::vector<Start> starts_of(std::string_view text) {
  std::vector<Start> starts{{}};
  std::optional<Start> directives;
  std::size_t offset = 0;
  bool content = false;
  for (int line = 0; offset < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', offset), text.size());
    const std::string_view here = text.substr(offset, end - offset);
    const bool marker =
        here.substr(0, 3) == "---" && (here.size() == 3 || here.find_first_of(" \t\r", 3) == 3);
    if (marker) {
      if (content) starts.push_back(directives.value_or(Start{offset, line}));
      content = true;
      directives.reset();
    } else if (here.substr(0, 1) == "%") {
      if (!directives) directives = Start{offset, line};
    } else if (!is_blank(here) && here.substr(0, 3) != "...") {
      content = true;
      directives.reset();
    }
    offset = end + 1;
  }
  return starts;
}

void move_down(YamlPlace& place, int lines) {
  if (place.at.line != 0) place.at.line += lines;
  for (YamlPlace& child : place.children) move_down(child, lines);
}

}  // namespace

YamlPosition YamlPlace::find(std::string_view path) const {
  const YamlPlace* here = this;
  while (!path.empty()) {
    const YamlPlace* found = nullptr;
    if (path.front() == '[') {
      const std::size_t close = path.find(']');
      if (close == std::string_view::npos) break;
      std::string_view name = path.substr(1, close - 1);
      if (here->sequence) {
        const auto index = parse_int(name);
        if (index && *index >= 0 && static_cast<std::size_t>(*index) < here->children.size())
          found = &here->children[static_cast<std::size_t>(*index)];
      } else {
        for (const YamlPlace& child : here->children)
          if (child.key == name) found = &child;
      }
      path.remove_prefix(close + 1);
    } else {
      // A key may contain dots itself: the longest one that fits is meant.
      std::size_t longest = 0;
      for (const YamlPlace& child : here->children) {
        if (const std::size_t length = match(child, path); length > longest) {
          longest = length;
          found = &child;
        }
      }
      path.remove_prefix(longest);
    }
    if (found == nullptr) break;
    here = found;
    if (!path.empty() && path.front() == '.') path.remove_prefix(1);
  }
  return here->at;
}

Result<YamlDocument> parse_yaml(std::string_view text, YamlPlaces places) {
  YamlDocument document;
  const auto problem = read_yaml(text, places, document);
  if (!problem) return document;
  const bool from_yaml = problem->phase == YamlPhase::parse || problem->phase == YamlPhase::decode;
  return Error{.reason = Reason::bad_request,
               .message = (from_yaml ? "yaml: " : "") + problem->text};
}

std::vector<YamlPart> parse_yaml_parts(std::string_view text) {
  std::vector<YamlPart> parts;
  const std::vector<Start> starts = starts_of(text);
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::size_t end = i + 1 < starts.size() ? starts[i + 1].offset : text.size();
    const std::string_view here = text.substr(starts[i].offset, end - starts[i].offset);
    YamlPart part;
    if (const auto problem = read_yaml(here, YamlPlaces::record, part.document)) {
      part.document = {};
      part.problem = {{problem->at.line + starts[i].line, problem->at.column}, problem->text_bare};
    } else {
      if (part.document.value.is_null()) continue;
      move_down(part.document.places, starts[i].line);
      for (std::string& duplicate : part.document.duplicates) {
        // "line 7: key ..."
        const std::size_t colon = duplicate.find(':');
        const auto line = parse_int(std::string_view(duplicate).substr(5, colon - 5)).value_or(0);
        duplicate = "line " + std::to_string(line + starts[i].line) + duplicate.substr(colon);
      }
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace keelson::codec
