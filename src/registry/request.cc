#include "registry/request.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/check.h"
#include "codec/json.h"
#include "model/meta.h"

namespace keelson::registry {

bool Identity::in_group(std::string_view group) const {
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

namespace {

// Go's order of members where the sorted one would put other identifiers before an object's own.
constexpr std::string_view kMetadata[] = {
    "name",         "generateName",      "namespace",         "selfLink",
    "uid",          "resourceVersion",   "continue",          "remainingItemCount",
    "generation",   "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
    "labels",       "annotations",       "ownerReferences",   "finalizers",
    "managedFields"};
constexpr std::string_view kUser[] = {"username", "uid", "groups", "extra"};

class MembersWriter {
 public:
  explicit MembersWriter(std::string& out) : out_(out) {}
  ~MembersWriter() { out_ += empty_ ? "{}" : "}"; }
  MembersWriter(const MembersWriter&) = delete;
  MembersWriter& operator=(const MembersWriter&) = delete;
  std::string& member(std::string_view key) {
    out_ += std::exchange(empty_, false) ? '{' : ',';
    codec::append_json_string(out_, key);
    out_ += ':';
    return out_;
  }

 private:
  std::string& out_;
  bool empty_ = true;
};

// All members in the order of the keys; sorted if it has others than those.
void append_in_order(std::string& out, const Value& object,
                     std::span<const std::string_view> keys) {
  const Value* found[std::size(kMetadata)];  // no order has more keys
  KEELSON_CHECK(keys.size() <= std::size(found));
  std::size_t known = 0;
  for (std::size_t i = 0; i < keys.size(); ++i)
    known += (found[i] = object.find(keys[i])) != nullptr ? 1 : 0;
  if (!object.is_object() || known != object.size()) return codec::append_json(out, object);
  MembersWriter writer(out);
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (found[i] != nullptr) codec::append_json(writer.member(keys[i]), *found[i]);
}

// The status of an authentication review holds a user.
void append_status(std::string& out, const Value& status) {
  if (!status["user"].is_object() && !status["userInfo"].is_object())
    return codec::append_json(out, status);
  MembersWriter writer(out);
  for (const codec::Member& member : status.members()) {
    const bool user = member.key() == "user" || member.key() == "userInfo";
    writer.member(member.key());
    if (user)
      append_in_order(out, member.value, kUser);
    else
      codec::append_json(out, member.value);
  }
}

// Custom objects are maps for the original, whose order is the sorted one.
bool is_built_in(const Value& object) {
  const model::GroupVersion type = model::group_version_of(object["apiVersion"].as_string());
  return type.group.find('.') == std::string::npos || type.group.ends_with(".k8s.io");
}

void append_object(std::string& out, const Value& object, bool built_in) {
  MembersWriter writer(out);
  for (std::string_view key : {"apiVersion", "kind"})
    if (const Value* found = object.find(key)) codec::append_json(writer.member(key), *found);
  for (const codec::Member& member : object.members()) {
    const std::string_view key = member.key();
    if (key == "apiVersion" || key == "kind") continue;
    writer.member(key);
    if (built_in && key == "metadata")
      append_in_order(out, member.value, kMetadata);
    else if (built_in && key == "status")
      append_status(out, member.value);
    else
      codec::append_json(out, member.value);
  }
}

}  // namespace

std::string to_object_json(const Value& object) {
  std::string out;
  out.reserve(4096);
  append_object(out, object, is_built_in(object));
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
