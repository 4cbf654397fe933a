#include "registry/request.h"

#include <algorithm>

namespace keelson::registry {

bool Identity::in_group(std::string_view group) const {
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

std::string to_object_json(const Value& object) {
  std::string out;
  out.reserve(4096);
  char separator = '{';
  const auto append = [&](std::string_view key, const Value& value) {
    out += separator;
    separator = ',';
    codec::append_json_string(out, key);
    out += ':';
    codec::append_json(out, value);
  };
  for (std::string_view key : {"apiVersion", "kind"})
    if (const Value* found = object.find(key)) append(key, *found);
  for (const codec::Member& member : object.members())
    if (member.key() != "apiVersion" && member.key() != "kind") append(member.key(), member.value);
  if (separator == '{') out += '{';
  out += '}';
  return out;
}

const Value& Object::value() const {
  if (value_.is_null() && !bytes_.empty())
    if (auto parsed = codec::parse_json(bytes_)) value_ = std::move(parsed).value();
  return value_;
}

std::string_view Object::bytes() const {
  if (bytes_.empty() && !value_.is_null()) {
    auto text = std::make_shared<const std::string>(to_object_json(value_));
    bytes_ = *text;
    owner_ = std::move(text);
  }
  return bytes_;
}

std::string_view Object::untyped_bytes(std::string& buffer) const {
  std::string_view text = bytes();
  const std::string_view head = R"({"apiVersion":")";
  const std::string_view next = R"(","kind":")";
  if (!text.starts_with(head)) return text;
  const std::size_t version_end = text.find('"', head.size());
  if (version_end == std::string_view::npos || !text.substr(version_end).starts_with(next))
    return text;
  const std::size_t kind_end = text.find('"', version_end + next.size());
  if (kind_end == std::string_view::npos || kind_end + 1 >= text.size()) return text;
  if (text[kind_end + 1] == '}') return "{}";
  // The opening brace has to be put before what follows the comma.
  buffer.assign(1, '{');
  buffer += text.substr(kind_end + 2);
  return buffer;
}

std::string Response::json() const {
  if (!is_list) return std::string(object.bytes());
  std::string out(object.bytes());
  if (out.empty()) out = "{}";
  out.pop_back();
  if (out.size() > 1) out += ',';
  out += "\"items\":";
  if (items.empty() && items_null) return out += "null}";
  out += '[';
  std::string buffer;
  bool first = true;
  for (const Object& item : items) {
    if (!first) out += ',';
    first = false;
    out += items_typed ? item.bytes() : item.untyped_bytes(buffer);
  }
  return out += "]}";
}

std::string_view to_text(WatchEvent::Type type) {
  switch (type) {
    case WatchEvent::Type::added: return "ADDED";
    case WatchEvent::Type::modified: return "MODIFIED";
    case WatchEvent::Type::deleted: return "DELETED";
    case WatchEvent::Type::bookmark: return "BOOKMARK";
    case WatchEvent::Type::error: return "ERROR";
  }
  return "";
}

}  // namespace keelson::registry
