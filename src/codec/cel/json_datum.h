// JSON values as data of an expression, without copies: a view holds the Value (copy-on-write) and
// converts members as they are read. With a Shape they are read as their schema says; without one
// as they are.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "codec/cel/datum.h"

namespace keelson::codec::cel {

struct Shape;
using ShapePtr = std::shared_ptr<const Shape>;

// What a structural schema says about values. Source: apiserver pkg/cel/common
// valuesunstructured.go.
struct Shape {
  enum class Kind : std::uint8_t {
    object,  // properties or additional, or neither
    array,
    string,
    number,
    integer,
    boolean,
    int_or_string,
    preserved,  // x-kubernetes-preserve-unknown-fields without a type: opaque to expressions
    none,       // no type
  };
  enum class Format : std::uint8_t { none, duration, date, date_time, byte };
  Kind kind = Kind::none;
  Format format = Format::none;
  bool nullable = false;
  bool has_properties = false;
  std::string type_name = {};                                    // as the schema writes it
  std::map<std::string, ShapePtr, std::less<>> properties = {};  // by name in the object
  ShapePtr additional = {};                                      // values of a map
  ShapePtr items = {};
  ListShape list = {};
};

Datum view(const Value& value);
Datum view(const Value& value, const ShapePtr& shape);

// The way back: what an expression's result is in JSON; an error for what has no form there.
bool to_json(const Datum& datum, Value& out);

// Property names that are no identifiers are escaped in expressions: "__namespace__",
// "x__dash__y". Source: apiserver pkg/cel/escaping.go.
bool escape_name(std::string_view name, std::string& escaped);  // false: cannot be referred to
bool unescape_name(std::string_view escaped, std::string& name);

}  // namespace keelson::codec::cel
