// JSON patch and merge patch. The rules that differ from the RFCs are those of evanphx/json-patch
// v4.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/text.h"
#include "codec/go_text.h"
#include "codec/patch.h"

namespace keelson::codec {
namespace {

constexpr std::size_t kOperationsMax = 10'000;
// What can be parsed: a deeper document could be stored and never be read again.
constexpr std::size_t kDepthMax = 10'000;
// What the copies of one patch may add together, as text: without it a few dozen copies, each of a
// document that holds all earlier ones, fill the memory. Kubernetes' JSONPatchMaxCopyBytes.
constexpr std::size_t kCopiedBytesMax = 3 * 1024 * 1024;

Error bad_patch(std::string message) {
  return Error{.reason = Reason::bad_request, .message = "error decoding patch: " + message};
}

// The one answer to whatever goes wrong while operations are done.
Error refused() {
  return Error{.reason = Reason::invalid,
               .message = "the server rejected our request due to an error in our request",
               .details = true};
}

Error no_object(const Value& patch) {
  return bad_patch("json: cannot unmarshal " + std::string(json_noun(patch)) +
                   " into Go value of type map[string]interface {}");
}

std::string decode_token(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const std::string_view pair = token.substr(i, 2);
    if (pair == "~1")
      out += '/', ++i;
    else if (pair == "~0")
      out += '~', ++i;
    else
      out += token[i];
  }
  return out;
}

// Go's Atoi.
std::optional<std::int64_t> index_of(std::string_view text) {
  if (text.substr(0, 1) == "+") text.remove_prefix(1);
  std::int64_t n = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (text.empty() || problem != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return n;
}

// An index below `count`; negative ones count from the end.
std::optional<std::size_t> position(std::string_view key, std::size_t count) {
  auto index = index_of(key);
  if (!index) return std::nullopt;
  const auto size = static_cast<std::int64_t>(count);
  if (*index < 0) *index += size;
  if (*index < 0 || *index >= size) return std::nullopt;
  return static_cast<std::size_t>(*index);
}

// The tokens of a path; nothing if it does not name a part of the document. What stands before the
// first slash is not looked at.
std::optional<std::vector<std::string>> tokens_of(std::string_view path) {
  std::vector<std::string> parts = split(path, '/');
  if (parts.size() < 2) return std::nullopt;
  parts.erase(parts.begin());
  for (std::string& part : parts) part = decode_token(part);
  return parts;
}

std::size_t depth_of(const Value& value) {
  std::size_t below = 0;
  if (value.is_array())
    for (const Value& element : value.elements()) below = std::max(below, depth_of(element));
  else if (value.is_object())
    for (const Member& m : value.members()) below = std::max(below, depth_of(m.value));
  else
    return 0;
  return below + 1;
}

class Patcher {
 public:
  explicit Patcher(const Value& object) : document_(object), depth_bound_(depth_of(object)) {}

  bool run(const Value& operation) {
    const std::string_view op = operation["op"].as_string();
    return fits(operation, op) && run(operation, op);
  }
  Value take() { return std::move(document_); }

 private:
  // Keeps an upper bound of the depth, so that only a patch that may pass the limit is measured.
  bool fits(const Value& operation, std::string_view op) {
    const bool moves = op == "move" || op == "copy";
    if (!moves && op != "add" && op != "replace") return true;
    const std::string_view path = operation["path"].as_string();
    const auto slashes = static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
    const auto bound = [&] {
      return std::max(depth_bound_,
                      slashes + (moves ? depth_bound_ : depth_of(operation["value"])));
    };
    if (bound() > kDepthMax) depth_bound_ = depth_of(document_);
    depth_bound_ = bound();
    return depth_bound_ <= kDepthMax;
  }

  bool run(const Value& operation, std::string_view op) {
    if (op == "add") return add(operation["path"], operation["value"]);
    if (op == "remove") return remove(operation["path"]);
    if (op == "replace") return replace(operation["path"], operation["value"]);
    if (op == "test") return test(operation);
    if (op != "move" && op != "copy") return false;
    std::optional<Value> value = get(operation["from"]);
    if (!value || (op == "move" && !remove(operation["from"]))) return false;
    if (op == "copy") {
      copied_bytes_ += to_json(*value).size();
      if (copied_bytes_ > kCopiedBytesMax) return false;
    }
    return add(operation["path"], std::move(*value));
  }

  // The object or array that holds the last token of a path; null if there is none.
  Value* container(const Value& path, std::string& key) {
    auto tokens = path.is_string() ? tokens_of(path.as_string()) : std::nullopt;
    if (!tokens) return nullptr;
    key = std::move(tokens->back());
    tokens->pop_back();
    Value* here = &document_;
    for (const std::string& token : *tokens) {
      if (here->is_array()) {
        const auto at = position(token, here->size());
        if (!at) return nullptr;
        here = &here->edit(*at);
      } else {
        if (!here->is_object() || !here->has(token)) return nullptr;
        here = &here->edit(token);
      }
      if (!here->is_array() && !here->is_object()) return nullptr;
    }
    return here;
  }

  // A missing member reads as null, a missing element is a failure.
  std::optional<Value> get(const Value& path) {
    std::string key;
    const Value* holder = container(path, key);
    if (holder == nullptr) return std::nullopt;
    if (holder->is_object()) return (*holder)[key];
    const auto at = position(key, holder->size());
    if (!at) return std::nullopt;
    return (*holder)[*at];
  }

  bool add(const Value& path, Value value) {
    std::string key;
    Value* holder = container(path, key);
    if (holder == nullptr) return false;
    if (holder->is_object()) {
      holder->set(key, std::move(value));
      return true;
    }
    if (key == "-") {
      holder->push_back(std::move(value));
      return true;
    }
    const auto at = position(key, holder->size() + 1);
    if (!at) return false;
    holder->insert(*at, std::move(value));
    return true;
  }

  bool remove(const Value& path) {
    std::string key;
    Value* holder = container(path, key);
    if (holder == nullptr) return false;
    if (holder->is_object()) return holder->erase(key);
    const auto at = position(key, holder->size());
    if (!at) return false;
    holder->erase(*at);
    return true;
  }

  bool replace(const Value& path, const Value& value) {
    if (path.is_string() && path.as_string().empty()) {
      if (!value.is_object() && !value.is_array()) return false;
      document_ = value;
      return true;
    }
    std::string key;
    Value* holder = container(path, key);
    if (holder == nullptr) return false;
    if (holder->is_object()) {
      holder->set(key, value);
      return true;
    }
    const auto at = position(key, holder->size());
    if (!at) return false;
    holder->edit(*at) = value;
    return true;
  }

  bool test(const Value& operation) {
    const Value& path = operation["path"];
    if (path.is_string() && path.as_string().empty()) return is_same(document_, operation["value"]);
    const std::optional<Value> found = get(path);
    return found && is_same(*found, operation["value"]);
  }

  // Numbers are compared as text: 31 and 31.0 differ.
  static bool is_same(const Value& a, const Value& b) {
    if (a.kind() != b.kind()) return false;
    if (a.is_array()) {
      return std::equal(a.elements().begin(), a.elements().end(), b.elements().begin(),
                        b.elements().end(), is_same);
    }
    if (!a.is_object()) return a == b;
    return std::equal(a.members().begin(), a.members().end(), b.members().begin(),
                      b.members().end(), [](const Member& x, const Member& y) {
                        return x.key() == y.key() && is_same(x.value, y.value);
                      });
  }

  Value document_;
  std::size_t depth_bound_ = 0;  // the document is no deeper
  std::size_t copied_bytes_ = 0;
};

constexpr std::array<std::string_view, 3> kTextFields = {"op", "path", "from"};

Result<void> check_operations(const Value& patch) {
  if (!patch.is_array())
    return bad_patch("json: cannot unmarshal " + std::string(json_noun(patch)) +
                     " into Go value of type []handlers.jsonPatchOp");
  for (const Value& operation : patch.elements()) {
    if (operation.is_null()) continue;
    if (!operation.is_object())
      return bad_patch("json: cannot unmarshal " + std::string(json_noun(operation)) +
                       " into Go value of type handlers.jsonPatchOp");
    for (const std::string_view name : kTextFields) {
      const Value& field = operation[name];
      if (!field.is_null() && !field.is_string())
        return bad_patch("json: cannot unmarshal " + std::string(json_noun(field)) +
                         " into Go struct field jsonPatchOp." + std::string(name) +
                         " of type string");
    }
  }
  if (patch.size() > kOperationsMax)
    return Error{.reason = Reason::request_entity_too_large,
                 .message =
                     "Request entity too large: The allowed maximum operations in a JSON "
                     "patch is " +
                     std::to_string(kOperationsMax) + ", got " + std::to_string(patch.size())};
  return {};
}

void merge_into(Value& object, const Value& patch) {
  for (const Member& m : patch.members()) {
    if (m.value.is_null()) {
      object.erase(m.key());
      continue;
    }
    Value& here = object.edit(m.key());
    if (!here.is_object())
      here = without_nulls(m.value);
    else if (m.value.is_object())
      merge_into(here, m.value);
    else
      here = m.value;
  }
}

}  // namespace

Value without_nulls(const Value& value) {
  if (value.is_array()) {
    Array elements;
    for (const Value& element : value.elements()) elements.push_back(without_nulls(element));
    return Value(std::move(elements));
  }
  if (!value.is_object()) return value;
  std::vector<Member> members;
  for (const Member& m : value.members())
    if (!m.value.is_null()) members.push_back({m.key_value, without_nulls(m.value)});
  return Value::object_of(std::move(members));
}

Result<Value> apply_json_patch(const Value& object, const Value& patch) {
  if (patch.is_null()) return object;
  TRY_VOID(check_operations(patch));
  Patcher patcher(object);
  for (const Value& operation : patch.elements())
    if (!patcher.run(operation)) return refused();
  return patcher.take();
}

std::vector<std::string> json_patch_warnings(const JsonDocument& patch) {
  std::vector<std::string> warnings;
  for (const std::string& path : patch.duplicates)
    warnings.push_back("json patch duplicate field " + quote(path));
  for (std::size_t i = 0; i < patch.value.size(); ++i) {
    for (const Member& m : patch.value[i].members()) {
      const std::string_view key = m.key();
      if (key == "value" ||
          std::find(kTextFields.begin(), kTextFields.end(), key) != kTextFields.end())
        continue;
      warnings.push_back("json patch unknown field " +
                         quote('[' + std::to_string(i) + "]." + std::string(key)));
    }
  }
  return warnings;
}

std::vector<std::string> json_patch_duplicates(const JsonDocument& patch) {
  std::vector<std::string> out;
  for (const std::string& duplicate : patch.duplicates) {
    constexpr std::string_view kValue = "].value.";
    const std::size_t at = duplicate.find(kValue);
    if (duplicate.front() != '[' || at == std::string::npos) continue;
    const auto place = parse_int(std::string_view(duplicate).substr(1, at - 1));
    if (!place || *place < 0 || static_cast<std::size_t>(*place) >= patch.value.size()) continue;
    const Value& operation = patch.value[static_cast<std::size_t>(*place)];
    const std::string_view name = operation["op"].as_string();
    if (name != "add" && name != "replace") continue;
    std::string path;
    for (const std::string& part : split(operation["path"].as_string(), '/')) {
      if (part.empty()) continue;
      if (parse_int(part))
        path += '[' + part + ']';
      else
        path += (path.empty() ? "" : ".") + part;
    }
    path += (path.empty() ? "" : ".") + duplicate.substr(at + kValue.size());
    out.push_back(std::move(path));
  }
  return out;
}

Result<Value> apply_merge_patch(const Value& object, const Value& patch) {
  if (patch.is_null()) return Error{.reason = Reason::bad_request, .message = "Invalid JSON Patch"};
  if (!patch.is_object()) return no_object(patch);
  Value result = object;
  merge_into(result, patch);
  return result;
}

Value merge_patch_between(const Value& from, const Value& to) {
  Value patch = Value::object();
  for (const Member& m : from.members())
    if (!to.has(m.key())) patch.set(m.key(), Value());
  for (const Member& m : to.members()) {
    const Value* before = from.find(m.key());
    if (before != nullptr && *before == m.value) continue;
    if (before != nullptr && before->is_object() && m.value.is_object())
      patch.set(m.key(), merge_patch_between(*before, m.value));
    else
      patch.set(m.key(), m.value);
  }
  return patch;
}

}  // namespace keelson::codec
