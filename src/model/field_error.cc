// Wording follows apimachinery's field.Error and errors.NewInvalid, which clients and people read.
#include "model/field_error.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "codec/json.h"

namespace keelson::model {
namespace {

using Type = FieldError::Type;

std::string_view label(Type type) {
  switch (type) {
    case Type::not_found: return "Not found";
    case Type::required: return "Required value";
    case Type::duplicate: return "Duplicate value";
    case Type::invalid: return "Invalid value";
    case Type::not_supported: return "Unsupported value";
    case Type::forbidden: return "Forbidden";
    case Type::too_long: return "Too long";
    case Type::too_many: return "Too many";
    case Type::too_few: return "Too few";
    case Type::too_short: return "Too short";
    case Type::internal: return "Internal error";
    case Type::type_invalid: return "Invalid value";
  }
  return {};
}

bool prints_value(Type type) {
  return type != Type::required && type != Type::forbidden && type != Type::too_long &&
         type != Type::too_short && type != Type::internal;
}

std::string counted(std::string_view start, std::int64_t count, std::string_view unit) {
  return std::string(start) + ' ' + std::to_string(count) + ' ' + std::string(unit) +
         (count == 1 ? "" : "s");
}

template <typename List>
std::string supported_text(const List& supported) {
  std::string text;
  for (const auto& value : supported)
    text += (text.empty() ? "supported values: " : ", ") + quote(value);
  return text;
}

}  // namespace

void Path::append(std::string& out) const {
  if (parent_ != nullptr) parent_->append(out);
  if (index_ == kChild) {
    if (name_.empty()) return;
    if (!out.empty()) out += '.';
    out += name_;
  } else {
    out += '[';
    if (index_ == kKey)
      out += name_;
    else
      out += std::to_string(index_);
    out += ']';
  }
}

std::string Path::text() const {
  std::string out;
  append(out);
  return out.empty() ? "<nil>" : out;
}

std::string_view FieldError::cause_type() const {
  switch (type) {
    case Type::not_found: return "FieldValueNotFound";
    case Type::required: return "FieldValueRequired";
    case Type::duplicate: return "FieldValueDuplicate";
    case Type::invalid: return "FieldValueInvalid";
    case Type::not_supported: return "FieldValueNotSupported";
    case Type::forbidden: return "FieldValueForbidden";
    case Type::too_long: return "FieldValueTooLong";
    case Type::too_many: return "FieldValueTooMany";
    case Type::too_few: return "FieldValueTooFew";
    case Type::too_short: return "FieldValueTooShort";
    case Type::internal: return "InternalError";
    case Type::type_invalid: return "FieldValueTypeInvalid";
  }
  return {};
}

std::string FieldError::body() const {
  std::string out(label(type));
  if (prints_value(type) && !omit_value) {
    out += ": ";
    if (!printed.empty())
      out += printed;
    else
      out += bad_value.is_string() ? quote(bad_value.as_string()) : codec::to_json(bad_value);
  }
  if (!detail.empty()) out += ": " + detail;
  return out;
}

void FieldErrors::invalid(const Path& path, codec::Value value, std::string_view detail) {
  add({Type::invalid, path.text(), std::move(value), std::string(detail), {}});
}
void FieldErrors::invalid_printed(const Path& path, std::string printed, std::string_view detail) {
  add({Type::invalid, path.text(), {}, std::string(detail), std::move(printed)});
}
void FieldErrors::required(const Path& path, std::string_view detail) {
  add({Type::required, path.text(), {}, std::string(detail), {}});
}
void FieldErrors::forbidden(const Path& path, std::string_view detail) {
  add({Type::forbidden, path.text(), {}, std::string(detail), {}});
}
void FieldErrors::duplicate(const Path& path, codec::Value value) {
  add({Type::duplicate, path.text(), std::move(value), {}, {}});
}
void FieldErrors::not_found(const Path& path, codec::Value value) {
  add({Type::not_found, path.text(), std::move(value), {}, {}});
}
void FieldErrors::not_supported(const Path& path, codec::Value value,
                                std::initializer_list<std::string_view> supported) {
  add({Type::not_supported, path.text(), std::move(value), supported_text(supported), {}});
}
void FieldErrors::not_supported(const Path& path, codec::Value value,
                                const std::vector<std::string>& supported) {
  add({Type::not_supported, path.text(), std::move(value), supported_text(supported), {}});
}
void FieldErrors::too_long(const Path& path, std::int64_t bytes_max) {
  add({Type::too_long, path.text(), {}, counted("may not be more than", bytes_max, "byte"), {}});
}
void FieldErrors::too_long_characters(const Path& path, std::int64_t characters_max) {
  add({Type::too_long,
       path.text(),
       {},
       counted("may not be more than", characters_max, "character"),
       {}});
}
void FieldErrors::too_many(const Path& path, std::int64_t actual, std::int64_t items_max) {
  add({Type::too_many, path.text(), actual, counted("must have at most", items_max, "item"), {}});
}
void FieldErrors::too_few(const Path& path, std::int64_t actual, std::int64_t items_min) {
  add({Type::too_few, path.text(), actual, counted("must have at least", items_min, "item"), {}});
}
void FieldErrors::type_invalid(const Path& path, codec::Value value, std::string_view detail) {
  add({Type::type_invalid, path.text(), std::move(value), std::string(detail), {}});
}
void FieldErrors::internal(const Path& path, std::string_view detail) {
  add({Type::internal, path.text(), {}, std::string(detail), {}});
}
void FieldErrors::invalid_each(const Path& path, const codec::Value& value,
                               const std::vector<std::string>& messages) {
  for (const std::string& message : messages) invalid(path, value, message);
}
void FieldErrors::add(FieldErrors other) {
  for (FieldError& error : other.list_) list_.push_back(std::move(error));
}

std::string FieldErrors::text() const {
  // One request may have hundreds of thousands of errors.
  std::set<std::string> seen;
  std::vector<std::string> texts;
  for (const FieldError& error : list_) {
    std::string one = error.text();
    if (seen.insert(one).second) texts.push_back(std::move(one));
  }
  if (texts.size() == 1) return texts.front();
  return '[' + join(texts, ", ") + ']';
}

Error FieldErrors::to_error(std::string_view group, std::string_view kind,
                            std::string_view name) const {
  Error error{.reason = Reason::invalid, .message = std::string(kind)};
  if (!group.empty()) error.message += '.' + std::string(group);
  error.message += ' ' + quote(name) + " is invalid";
  if (!list_.empty()) error.message += ": " + text();
  for (const FieldError& e : list_)
    error.causes.push_back({std::string(e.cause_type()), e.field, e.body()});
  error.group = group;
  error.kind = kind;
  error.name = name;
  return error;
}

}  // namespace keelson::model
