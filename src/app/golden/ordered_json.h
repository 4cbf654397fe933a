// JSON that keeps the order of its members and the text of its numbers: a request must be sent as
// it was recorded, because servers report the first fault that they meet.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::app {

struct OrderedJson {
  enum class Kind : std::uint8_t { scalar, text, array, object };
  Kind kind = Kind::scalar;
  std::string text = "null";  // of a scalar as written; of a text its content
  std::vector<OrderedJson> elements = {};
  std::vector<std::pair<std::string, OrderedJson>> members = {};

  bool is_null() const { return kind == Kind::scalar && text == "null"; }
  // Null if there is none.
  const OrderedJson* find(std::string_view key) const;
  OrderedJson* find(std::string_view key);
  // A null if there is none.
  const OrderedJson& operator[](std::string_view key) const;
  std::int64_t integer(std::int64_t fallback = 0) const;
  bool boolean() const { return kind == Kind::scalar && text == "true"; }
  codec::Value value() const;
  // As Python's json.dumps writes it: ", " and ": ", ASCII only.
  std::string dump() const;

  static OrderedJson of(const codec::Value& value);
  static Result<OrderedJson> parse(std::string_view text);
};

}  // namespace keelson::app
