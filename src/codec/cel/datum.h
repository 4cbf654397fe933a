// Datum: a value while a CEL expression is evaluated. Errors are values, as the language has it:
// `&&` and `||` may absorb them.
//
// Small kinds live inside; texts are codec::Value strings; lists, maps, optionals, types and
// library objects (quantity, ip ...) are shared immutable nodes. Objects of the outside enter as
// views (json_datum.h) and are never copied.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/cel/type.h"
#include "codec/value.h"

namespace keelson::codec::cel {

class Datum;
class List;
class Map;
class Opaque;

// What a shared node is: the base of List, Map and Opaque.
class Node {
 public:
  virtual ~Node() = default;
  // True for views of objects with a schema: comparing them with another kind is an error.
  virtual bool strict() const { return false; }
};
using NodePtr = std::shared_ptr<const Node>;

class Datum {
 public:
  enum class Kind : std::uint8_t {
    error,
    null,
    boolean,
    integer,
    unsigned_integer,
    number,
    string,
    bytes,
    timestamp,
    duration,
    list,
    map,
    optional,
    type,
    opaque,
  };

  Datum() = default;  // null
  static Datum error(std::string_view message);
  static Datum null() { return Datum(); }
  static Datum boolean(bool value) { return Datum(Kind::boolean, value ? 1 : 0); }
  static Datum integer(std::int64_t value) { return Datum(Kind::integer, value); }
  static Datum unsigned_integer(std::uint64_t value) {
    return Datum(Kind::unsigned_integer, static_cast<std::int64_t>(value));
  }
  static Datum number(double value);
  static Datum string(Value text);  // a string
  static Datum bytes(std::string_view bytes);
  // Seconds since 1970 and the nanoseconds after them; `offset_minutes` is kept for printing only.
  static Datum timestamp(std::int64_t seconds, std::int32_t nanoseconds,
                         std::int16_t offset_minutes = 0);
  static Datum duration(std::int64_t nanoseconds) { return Datum(Kind::duration, nanoseconds); }
  static Datum list(std::shared_ptr<const List> list);
  static Datum list(std::vector<Datum> elements);
  static Datum map(std::shared_ptr<const Map> map);
  static Datum map(std::vector<std::pair<Datum, Datum>> entries);  // of equal keys the last stays
  static Datum optional_none();
  static Datum optional_of(Datum value);
  static Datum type(TypePtr type);
  static Datum opaque(std::shared_ptr<const Opaque> object);

  Kind kind() const { return kind_; }
  bool is_error() const { return kind_ == Kind::error; }
  bool is_null() const { return kind_ == Kind::null; }
  bool is_bool() const { return kind_ == Kind::boolean; }
  bool is_int() const { return kind_ == Kind::integer; }
  bool is_uint() const { return kind_ == Kind::unsigned_integer; }
  bool is_double() const { return kind_ == Kind::number; }
  bool is_number() const { return kind_ >= Kind::integer && kind_ <= Kind::number; }
  bool is_string() const { return kind_ == Kind::string; }
  bool is_bytes() const { return kind_ == Kind::bytes; }
  bool is_timestamp() const { return kind_ == Kind::timestamp; }
  bool is_duration() const { return kind_ == Kind::duration; }
  bool is_list() const { return kind_ == Kind::list; }
  bool is_map() const { return kind_ == Kind::map; }
  bool is_optional() const { return kind_ == Kind::optional; }
  bool is_type() const { return kind_ == Kind::type; }
  bool is_opaque() const { return kind_ == Kind::opaque; }
  bool is_true() const { return is_bool() && bits_ != 0; }
  bool is_false() const { return is_bool() && bits_ == 0; }

  // Valid for their kinds only.
  bool as_bool() const { return bits_ != 0; }
  std::int64_t as_int() const { return bits_; }
  std::uint64_t as_uint() const { return static_cast<std::uint64_t>(bits_); }
  double as_double() const;
  std::string_view text() const { return text_.as_string(); }  // string, bytes, error's message
  const Value& text_value() const { return text_; }
  std::int64_t seconds() const { return bits_; }
  std::int32_t nanoseconds() const { return nanoseconds_; }
  std::int16_t offset_minutes() const { return offset_minutes_; }
  const List& as_list() const;
  const Map& as_map() const;
  const Datum* optional_value() const;  // null if there is none
  const TypePtr& as_type() const;
  const Opaque& as_opaque() const;
  const NodePtr& node() const { return node_; }
  long node_use_count() const { return node_.use_count(); }

  // "int", "list", "google.protobuf.Timestamp", as type() has it and as messages quote it.
  std::string_view type_name() const;
  // Elements, entries, code points, bytes; -1 for what has no size.
  std::int64_t size() const;

 private:
  Datum(Kind kind, std::int64_t bits) : bits_(bits), kind_(kind) {}

  std::int64_t bits_ = 0;
  std::int32_t nanoseconds_ = 0;
  std::int16_t offset_minutes_ = 0;
  Kind kind_ = Kind::null;
  Value text_;
  NodePtr node_;
};

// Of what a list of an object is, as its schema says: sets and maps compare and add without order.
struct ListShape {
  enum class Kind : std::uint8_t { atomic, set, map };
  Kind kind = Kind::atomic;
  std::vector<std::string> keys = {};  // of a map, in the order of the schema
};

class List : public Node {
 public:
  virtual std::size_t size() const = 0;
  virtual Datum at(std::size_t index) const = 0;  // index < size()
  virtual const ListShape& shape() const;
};

// A list that owns its elements.
class Elements final : public List {
 public:
  explicit Elements(std::vector<Datum> elements, ListShape shape = {})
      : elements_(std::move(elements)), shape_(std::move(shape)) {}
  std::size_t size() const override { return elements_.size(); }
  Datum at(std::size_t index) const override { return elements_[index]; }
  const ListShape& shape() const override { return shape_; }

 private:
  friend Datum append(Datum list, Datum more);
  // The map with one entry more, likewise; an error if the key is there.
  Datum insert(Datum map, Datum key, Datum value);
  std::vector<Datum> elements_;
  ListShape shape_;
};

class Map : public Node {
 public:
  virtual std::size_t size() const = 0;
  // The keys in the order in which comprehensions see them.
  virtual std::vector<Datum> keys() const = 0;
  // An error datum if the key is of a kind that this map cannot have; false if there is no such
  // key.
  virtual bool find(const Datum& key, Datum& value) const = 0;
  // Of `key in map`; a map may show more than it contains.
  virtual bool contains(const Datum& key) const {
    Datum value;
    return find(key, value);
  }
  // Of what neither keys() nor find() show, where both maps have some.
  virtual bool same_hidden(const Map&) const { return true; }
};

// An object of a library or of the host: a quantity, an address, an authorizer.
class Opaque : public Node {
 public:
  virtual const TypePtr& type() const = 0;
  virtual bool equals(const Opaque& other) const { return this == &other; }
  virtual std::int64_t size() const { return -1; }
  // Fields of `x.name`; false if there are none of that name.
  virtual bool field(std::string_view, Datum&) const { return false; }
};

// Equality of the language: numbers compare across kinds, other kinds are unequal. A boolean, or an
// error where a strict node meets another kind.
Datum equals(const Datum& a, const Datum& b);
inline bool equal(const Datum& a, const Datum& b) {
  return equals(a, b).is_true();
}
// -1, 0, 1; an error ("no such overload") where the two do not compare.
Datum compare(const Datum& a, const Datum& b);
// list + list; in place where `list` is the only owner of its elements.
Datum append(Datum list, Datum more);
// The map with one entry more, likewise; an error if the key is there.
Datum insert(Datum map, Datum key, Datum value);
// As messages quote a datum: 1, "text" without quotes, true.
std::string display(const Datum& datum);

Datum no_such_overload();
Datum no_such_overload(std::string_view function, std::initializer_list<const Datum*> arguments);
Datum no_such_key(const Datum& key);

}  // namespace keelson::codec::cel
