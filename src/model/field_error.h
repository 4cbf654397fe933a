// Field paths and field errors, as apimachinery's pkg/util/validation/field has them: what
// validation reports, and how it reads. Order is the order of reporting; nothing here knows a kind.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::model {

// A place in an object: "spec.containers[0].name". A path refers to its parent, which must outlive
// it; text is made only when an error needs it. So a parent must have a name of its own:
//   const Path spec("spec");
//   for (...) { const Path container = spec.child("containers").index(i); }   // does not compile
class Path {
 public:
  explicit Path(std::string_view name) : name_(name) {}
  // The path that Kubernetes prints as "<nil>"; its children start without a dot.
  static Path root() { return Path(std::string_view{}); }

  // `name` may itself hold dots: child("spec.template").
  Path child(std::string_view name) const& { return Path(this, name, kChild); }
  Path index(std::size_t i) const& { return Path(this, {}, static_cast<std::int64_t>(i)); }
  Path key(std::string_view key) const& { return Path(this, key, kKey); }
  Path child(std::string_view name) const&& = delete;
  Path index(std::size_t i) const&& = delete;
  Path key(std::string_view key) const&& = delete;

  std::string text() const;

 private:
  static constexpr std::int64_t kChild = -1, kKey = -2;
  Path(const Path* parent, std::string_view name, std::int64_t index)
      : parent_(parent), name_(name), index_(index) {}
  void append(std::string& out) const;

  const Path* parent_ = nullptr;
  std::string_view name_;
  std::int64_t index_ = kChild;
};

struct FieldError {
  enum class Type : std::uint8_t {
    not_found,
    required,
    duplicate,
    invalid,
    not_supported,
    forbidden,
    too_long,
    too_many,
    too_few,
    too_short,
    internal,
    type_invalid,
  };
  Type type = Type::invalid;
  std::string field;
  codec::Value bad_value;  // printed by invalid, not_supported, not_found, duplicate, too_many
  std::string detail;
  std::string printed = {};  // the bad value's text, where it is not bad_value's own
  bool omit_value = false;   // the value is not shown

  std::string_view cause_type() const;  // "FieldValueInvalid"
  std::string body() const;             // "Invalid value: \"x\": must be ..."
  std::string text() const { return field + ": " + body(); }
};

// Collects errors in order.
class FieldErrors {
 public:
  void invalid(const Path& path, codec::Value value, std::string_view detail);
  // With the bad value's text as the original prints it: its internal structs, in Go's order.
  void invalid_printed(const Path& path, std::string printed, std::string_view detail);
  void required(const Path& path, std::string_view detail = {});
  void forbidden(const Path& path, std::string_view detail);
  void duplicate(const Path& path, codec::Value value);
  void not_found(const Path& path, codec::Value value);
  void not_supported(const Path& path, codec::Value value,
                     std::initializer_list<std::string_view> supported);
  void not_supported(const Path& path, codec::Value value,
                     const std::vector<std::string>& supported);
  void too_long(const Path& path, std::int64_t bytes_max);
  void too_long_characters(const Path& path, std::int64_t characters_max);
  void too_many(const Path& path, std::int64_t actual, std::int64_t items_max);
  void too_few(const Path& path, std::int64_t actual, std::int64_t items_min);
  void type_invalid(const Path& path, codec::Value value, std::string_view detail);
  void internal(const Path& path, std::string_view detail);
  // One invalid error for each message.
  void invalid_each(const Path& path, const codec::Value& value,
                    const std::vector<std::string>& messages);
  void add(FieldError error) { list_.push_back(std::move(error)); }
  void add(FieldErrors other);

  bool empty() const { return list_.empty(); }
  std::size_t size() const { return list_.size(); }
  const std::vector<FieldError>& list() const { return list_; }

  // The aggregate as Kubernetes prints it: one text, or "[a, b]"; repeated texts once.
  std::string text() const;
  // The 422 of NewInvalid. group is empty for core kinds.
  Error to_error(std::string_view group, std::string_view kind, std::string_view name) const;

 private:
  std::vector<FieldError> list_;
};

}  // namespace keelson::model
