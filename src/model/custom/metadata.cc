#include "model/custom/metadata.h"

#include "base/text.h"
#include "model/validation/common.h"

namespace keelson::model {
namespace {

using codec::Member;
using codec::Value;

constexpr const char* kEmbedded = "x-kubernetes-embedded-resource";

std::string child(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + '.' + std::string(name);
}
std::string keyed(const std::string& path, std::string_view key) {
  return path + '[' + std::string(key) + ']';
}
std::string indexed(const std::string& path, std::size_t i) {
  return path + '[' + std::to_string(i) + ']';
}

// The schema of a member, and its path: of properties with a dot, of others in brackets.
struct Inner {
  const Value* schema = nullptr;
  std::string path;
};
Inner inner_of(const Value& schema, const std::string& path, std::string_view key) {
  if (const Value* found = schema["properties"].find(key)) return {found, child(path, key)};
  if (const Value& others = schema["additionalProperties"]; others.is_object())
    return {&others, keyed(path, key)};
  return {};
}

bool is_compound(const Value& value) {
  return value.is_object() || value.is_array();
}

class Coercer {
 public:
  Coercer(bool lenient, std::vector<std::string>* unknown) : lenient_(lenient), unknown_(unknown) {}

  std::optional<std::string> coerce(const Value& schema, Value& value, const std::string& path) {
    if (!schema.is_object() || !mentions_embedded(schema)) return std::nullopt;
    if (value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i)
        if (is_compound(value[i]))
          if (auto problem = coerce(schema["items"], value.edit(i), indexed(path, i)))
            return problem;
      return std::nullopt;
    }
    if (!value.is_object()) return std::nullopt;
    if (schema[kEmbedded].as_bool())
      if (auto problem = type_and_metadata(value, path)) return problem;
    for (std::size_t i = 0; i < value.members().size(); ++i) {
      const std::string key(value.members()[i].key());
      const Inner inner = inner_of(schema, path, key);
      if (inner.schema == nullptr || !is_compound(value[key])) continue;
      if (auto problem = coerce(*inner.schema, value.edit(key), inner.path)) return problem;
    }
    return std::nullopt;
  }

 private:
  // Most schemas embed nothing: their values are not walked.
  static bool mentions_embedded(const Value& schema) {
    if (!schema.is_object()) return false;
    if (schema[kEmbedded].as_bool()) return true;
    for (const Member& member : schema["properties"].members())
      if (mentions_embedded(member.value)) return true;
    return mentions_embedded(schema["items"]) || mentions_embedded(schema["additionalProperties"]);
  }

  std::optional<std::string> type_and_metadata(Value& value, const std::string& path) {
    for (const char* name : {"apiVersion", "kind"}) {
      const Value* found = value.find(name);
      if (found == nullptr || found->is_string()) continue;
      if (!lenient_) {
        FieldErrors errors;
        errors.invalid(Path(child(path, name)), *found, "must be a string");
        return errors.list().front().text();
      }
      value.erase(name);
    }
    const Value* found = value.find("metadata");
    if (found == nullptr) return std::nullopt;
    DecodedMetadata decoded = decode_metadata(*found);
    const std::string at = child(path, "metadata");
    if (!decoded.problem.empty()) {
      if (lenient_) return std::nullopt;
      FieldErrors errors;
      errors.invalid(Path(at), *found, decoded.problem);
      return errors.list().front().text();
    }
    if (unknown_ != nullptr)
      for (const std::string& name : decoded.unknown) unknown_->push_back(at + '.' + name);
    if (decoded.metadata["creationTimestamp"].is_null())
      decoded.metadata.erase("creationTimestamp");
    value.set("metadata", std::move(decoded.metadata));
    return std::nullopt;
  }

  bool lenient_;
  std::vector<std::string>* unknown_;
};

void check_type_and_metadata(const Value& value, const std::string& at, FieldErrors& errors) {
  for (const char* name : {"apiVersion", "kind"})
    if (!value.has(name)) errors.required(Path(child(at, name)));
  const std::string api_at = child(at, "apiVersion"), kind_at = child(at, "kind"),
                    meta_at = child(at, "metadata");
  if (const Value* api = value.find("apiVersion")) {
    const std::string_view text = api->as_string();
    const std::size_t slash = text.find('/');
    if (!api->is_string())
      errors.invalid(Path(api_at), *api, "must be a string");
    else if (text.empty())
      errors.invalid(Path(api_at), *api, "must not be empty");
    else if (slash != std::string_view::npos && text.find('/', slash + 1) != std::string_view::npos)
      errors.invalid(Path(api_at), *api, "unexpected GroupVersion string: " + std::string(text));
  }
  if (const Value* kind = value.find("kind")) {
    std::string lower = kind->str();
    for (char& c : lower)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (!kind->is_string())
      errors.invalid(Path(kind_at), *kind, "must be a string");
    else if (lower.empty())
      errors.invalid(Path(kind_at), *kind, "must not be empty");
    else if (const Messages messages = dns1035_label_messages(lower); !messages.empty())
      errors.invalid(Path(kind_at), *kind,
                     "may have mixed case, but should otherwise match: " + join(messages, ","));
  }
  if (const Value* metadata = value.find("metadata")) {
    DecodedMetadata decoded = decode_metadata(*metadata);
    if (!decoded.problem.empty()) {
      errors.invalid(Path(meta_at), *metadata, decoded.problem);
      return;
    }
    if (empty_text(decoded.metadata["name"])) decoded.metadata.set("name", "fakename");
    const Path path(meta_at);
    check_metadata(decoded.metadata, !empty_text(decoded.metadata["namespace"]), path_segment_name,
                   path, errors);
  }
}

}  // namespace

std::optional<std::string> coerce_embedded(const Value& schema, Value& value, bool lenient,
                                           std::vector<std::string>* unknown) {
  return Coercer(lenient, unknown).coerce(schema, value, "");
}

void check_embedded(const Value& schema, const Value& value, const std::string& at,
                    FieldErrors& errors) {
  if (!schema.is_object()) return;
  if (value.is_array()) {
    if (schema["items"].is_object())
      for (std::size_t i = 0; i < value.size(); ++i)
        if (is_compound(value[i]))
          check_embedded(schema["items"], value[i], indexed(at, i), errors);
    return;
  }
  if (!value.is_object()) return;
  if (schema[kEmbedded].as_bool()) check_type_and_metadata(value, at, errors);
  for (const Member& member : value.members())
    if (is_compound(member.value))
      if (const Inner inner = inner_of(schema, at, member.key()); inner.schema != nullptr)
        check_embedded(*inner.schema, member.value, inner.path, errors);
}

}  // namespace keelson::model
