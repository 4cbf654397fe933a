// Only as much of the grammar as tells a reference from other text: path components, tag, digest.
#include "model/image_name.h"

#include "base/text.h"

namespace keelson::model {
namespace {

bool is_lower_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool is_word(char c) {
  return is_lower_digit(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_hex(std::string_view text) {
  for (const char c : text)
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return false;
  return true;
}

// Lower case letters and digits, separated by one ".", one or two "_", or any number of "-".
bool is_component(std::string_view text) {
  if (text.empty() || !is_lower_digit(text.front()) || !is_lower_digit(text.back())) return false;
  for (std::size_t i = 0; i < text.size();) {
    if (is_lower_digit(text[i])) {
      ++i;
      continue;
    }
    const std::size_t start = i;
    while (i < text.size() && text[i] == text[start]) ++i;
    const std::size_t run = i - start;
    const bool good =
        text[start] == '-' || (text[start] == '.' && run == 1) || (text[start] == '_' && run <= 2);
    if (!good || !is_lower_digit(text[i])) return false;
  }
  return true;
}

bool is_host(std::string_view text) {
  return text.find('.') != std::string_view::npos || text.find(':') != std::string_view::npos ||
         text == "localhost" || to_lower(text) != text;
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > 128 || !is_word(text.front())) return false;
  for (const char c : text)
    if (!is_word(c) && c != '.' && c != '-') return false;
  return true;
}

}  // namespace

std::string image_tag(std::string_view reference) {
  std::string_view name = reference;
  bool digested = false;
  if (const std::size_t at = name.find('@'); at != std::string_view::npos) {
    const std::string_view digest = name.substr(at + 1);
    const std::size_t colon = digest.find(':');
    if (colon == std::string_view::npos || digest.size() - colon - 1 < 32 ||
        !is_hex(digest.substr(colon + 1)))
      return {};
    digested = true;
    name = name.substr(0, at);
  }
  std::string_view tag;
  const std::size_t slash = name.rfind('/');
  const std::size_t colon = name.rfind(':');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    tag = name.substr(colon + 1);
    name = name.substr(0, colon);
    if (!is_tag(tag)) return {};
  }
  std::vector<std::string> parts = split(name, '/');
  const bool hosted = parts.size() > 1 && is_host(parts.front());
  if (hosted) parts.erase(parts.begin());
  for (const std::string& part : parts)
    if (!is_component(part)) return {};
  if (parts.size() == 1 && name.size() == 64 && is_hex(name)) return {};
  // Without its host; names without a path are those of the library.
  constexpr std::size_t kNameMax = 255;
  const std::size_t length = join(parts, "/").size() + (hosted || parts.size() > 1 ? 0 : 8);
  if (length > kNameMax) return {};
  if (!tag.empty()) return std::string(tag);
  return digested ? std::string() : "latest";
}

}  // namespace keelson::model
