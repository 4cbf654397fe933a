#include "codec/cel/datum.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>

#include "base/check.h"
#include "codec/cel/text.h"
#include "codec/cel/time.h"

namespace keelson::codec::cel {

namespace {

class OptionalNode final : public Node {
 public:
  explicit OptionalNode(Datum inner) : value(std::move(inner)) {}
  Datum value;
};

class TypeNode final : public Node {
 public:
  explicit TypeNode(TypePtr named) : type(std::move(named)) {}
  TypePtr type;
};

// Numbers of all kinds stand together, as they are equal across kinds.
struct KeyLess {
  static int rank(const Datum& key) {
    return key.is_number() ? static_cast<int>(Datum::Kind::integer) : static_cast<int>(key.kind());
  }
  bool operator()(const Datum& a, const Datum& b) const {
    const int x = rank(a), y = rank(b);
    if (x != y) return x < y;
    const Datum order = compare(a, b);
    return order.is_int() && order.as_int() < 0;
  }
};

class Entries final : public Map {
 public:
  std::size_t size() const override { return entries.size(); }
  std::vector<Datum> keys() const override {
    std::vector<Datum> keys;
    keys.reserve(entries.size());
    for (const auto& entry : entries) keys.push_back(entry.first);
    return keys;
  }
  bool find(const Datum& key, Datum& value) const override {
    const auto it = entries.find(key);
    if (it == entries.end() || !equal(it->first, key)) return false;
    // A key that is a double is found by doubles alone.
    if (it->first.is_double() && !key.is_double()) return false;
    value = it->second;
    return true;
  }
  std::map<Datum, Datum, KeyLess> entries;
};

int sign(std::int64_t a, std::int64_t b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
int sign(std::uint64_t a, std::uint64_t b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
int sign(double a, double b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

// nullopt where a NaN takes part.
std::optional<int> compare_numbers(const Datum& a, const Datum& b) {
  using Kind = Datum::Kind;
  if (a.is_double() || b.is_double()) {
    const auto exact = [](const Datum& d) {
      if (d.is_double()) return d.as_double();
      return d.is_int() ? static_cast<double>(d.as_int()) : static_cast<double>(d.as_uint());
    };
    const double x = exact(a), y = exact(b);
    if (std::isnan(x) || std::isnan(y)) return std::nullopt;
    if (a.kind() == b.kind()) return sign(x, y);
    // Across kinds a double beyond the range of the integer decides by its sign.
    const double real = a.is_double() ? x : y;
    const Datum& whole = a.is_double() ? b : a;
    const double low = whole.is_int() ? -9223372036854775808.0 : 0.0;
    const double high = whole.is_int() ? 9223372036854775808.0 : 18446744073709551616.0;
    if (real < low) return a.is_double() ? -1 : 1;
    if (real >= high) return a.is_double() ? 1 : -1;
    return sign(x, y);
  }
  if (a.kind() == b.kind())
    return a.kind() == Kind::integer ? sign(a.as_int(), b.as_int())
                                     : sign(a.as_uint(), b.as_uint());
  if (a.is_int())
    return a.as_int() < 0 ? -1 : sign(static_cast<std::uint64_t>(a.as_int()), b.as_uint());
  return b.as_int() < 0 ? 1 : sign(a.as_uint(), static_cast<std::uint64_t>(b.as_int()));
}

// What makes an element of a set or map list the same element: itself, or the values of its keys.
std::string identity(const ListShape& shape, const Datum& element) {
  const auto text = [](const Datum& part) {
    return std::string(part.type_name()) + ':' + display(part);
  };
  if (shape.kind != ListShape::Kind::map || !element.is_map()) return text(element);
  std::string all;
  for (const std::string& name : shape.keys) {
    Datum part;
    element.as_map().find(Datum::string(name), part);
    const std::string one = text(part);
    all += std::to_string(one.size()) + ' ' + one;
  }
  return all;
}

std::map<std::string, std::size_t> places_of(const List& list) {
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < list.size(); ++i) places[identity(list.shape(), list.at(i))] = i;
  return places;
}

Datum equal_lists(const List& a, const List& b) {
  const std::size_t size = a.size();
  if (size != b.size()) return Datum::boolean(false);
  if (a.shape().kind == ListShape::Kind::atomic) {
    for (std::size_t i = 0; i < size; ++i)
      if (const Datum same = equals(a.at(i), b.at(i)); !same.is_true()) return same;
    return Datum::boolean(true);
  }
  // Each element of the other must be here: with the same keys for a map, itself for a set.
  const auto places = places_of(a);
  for (std::size_t i = 0; i < size; ++i) {
    const Datum wanted = b.at(i);
    const auto place = places.find(identity(a.shape(), wanted));
    if (place == places.end()) return Datum::boolean(false);
    if (const Datum same = equals(a.at(place->second), wanted); !same.is_true()) return same;
  }
  return Datum::boolean(true);
}

Datum equal_maps(const Map& a, const Map& b) {
  if (a.size() != b.size()) return Datum::boolean(false);
  for (const Datum& key : a.keys()) {
    Datum x, y;
    const bool in_a = a.find(key, x), in_b = b.find(key, y);
    if (in_a != in_b) return Datum::boolean(false);
    if (!in_a) continue;
    if (const Datum same = equals(x, y); !same.is_true()) return same;
  }
  return Datum::boolean(a.same_hidden(b));
}

}  // namespace

Datum Datum::error(std::string_view message) {
  Datum datum(Kind::error, 0);
  datum.text_ = Value(message);
  return datum;
}
Datum Datum::number(double value) {
  Datum datum(Kind::number, 0);
  std::memcpy(&datum.bits_, &value, sizeof value);
  return datum;
}
Datum Datum::string(Value text) {
  Datum datum(Kind::string, 0);
  datum.text_ = std::move(text);
  return datum;
}
Datum Datum::bytes(std::string_view bytes) {
  Datum datum(Kind::bytes, 0);
  datum.text_ = Value(bytes);
  return datum;
}
Datum Datum::timestamp(std::int64_t seconds, std::int32_t nanoseconds,
                       std::int16_t offset_minutes) {
  Datum datum(Kind::timestamp, seconds);
  datum.nanoseconds_ = nanoseconds;
  datum.offset_minutes_ = offset_minutes;
  return datum;
}
Datum Datum::list(std::shared_ptr<const List> list) {
  Datum datum(Kind::list, 0);
  datum.node_ = std::move(list);
  return datum;
}
Datum Datum::list(std::vector<Datum> elements) {
  return list(std::make_shared<Elements>(std::move(elements)));
}
Datum Datum::map(std::shared_ptr<const Map> map) {
  Datum datum(Kind::map, 0);
  datum.node_ = std::move(map);
  return datum;
}
Datum Datum::map(std::vector<std::pair<Datum, Datum>> entries) {
  auto map = std::make_shared<Entries>();
  for (auto& [key, value] : entries)
    map->entries.insert_or_assign(std::move(key), std::move(value));
  return Datum::map(std::move(map));
}
Datum Datum::optional_none() {
  return Datum(Kind::optional, 0);
}
Datum Datum::optional_of(Datum value) {
  Datum datum(Kind::optional, 1);
  datum.node_ = std::make_shared<OptionalNode>(std::move(value));
  return datum;
}
Datum Datum::type(TypePtr type) {
  Datum datum(Kind::type, 0);
  datum.node_ = std::make_shared<TypeNode>(std::move(type));
  return datum;
}
Datum Datum::opaque(std::shared_ptr<const Opaque> object) {
  Datum datum(Kind::opaque, 0);
  datum.node_ = std::move(object);
  return datum;
}

double Datum::as_double() const {
  double value = 0;
  std::memcpy(&value, &bits_, sizeof value);
  return value;
}
const List& Datum::as_list() const {
  return static_cast<const List&>(*node_);
}
const Map& Datum::as_map() const {
  return static_cast<const Map&>(*node_);
}
const Datum* Datum::optional_value() const {
  return node_ ? &static_cast<const OptionalNode&>(*node_).value : nullptr;
}
const TypePtr& Datum::as_type() const {
  return static_cast<const TypeNode&>(*node_).type;
}
const Opaque& Datum::as_opaque() const {
  return static_cast<const Opaque&>(*node_);
}

std::string_view Datum::type_name() const {
  switch (kind_) {
    case Kind::error: return "error";
    case Kind::null: return "null_type";
    case Kind::boolean: return "bool";
    case Kind::integer: return "int";
    case Kind::unsigned_integer: return "uint";
    case Kind::number: return "double";
    case Kind::string: return "string";
    case Kind::bytes: return "bytes";
    case Kind::timestamp: return "google.protobuf.Timestamp";
    case Kind::duration: return "google.protobuf.Duration";
    case Kind::list: return "list";
    case Kind::map: return "map";
    case Kind::optional: return "optional_type";
    case Kind::type: return "type";
    case Kind::opaque: return as_opaque().type()->name;
  }
  return "";
}

std::int64_t Datum::size() const {
  switch (kind_) {
    case Kind::string: return static_cast<std::int64_t>(count_code_points(text()));
    case Kind::bytes: return static_cast<std::int64_t>(text().size());
    case Kind::list: return static_cast<std::int64_t>(as_list().size());
    case Kind::map: return static_cast<std::int64_t>(as_map().size());
    case Kind::opaque: return as_opaque().size();
    default: return -1;
  }
}

const ListShape& List::shape() const {
  static const ListShape atomic;
  return atomic;
}

Datum equals(const Datum& a, const Datum& b) {
  using Kind = Datum::Kind;
  if (a.is_null() || b.is_null()) return Datum::boolean(a.is_null() == b.is_null());
  if (a.is_number() && b.is_number()) {
    const auto order = compare_numbers(a, b);
    return Datum::boolean(order && *order == 0);
  }
  if (a.kind() != b.kind())
    return a.node() && a.node()->strict() ? no_such_overload() : Datum::boolean(false);
  switch (a.kind()) {
    case Kind::boolean:
    case Kind::duration: return Datum::boolean(a.as_int() == b.as_int());
    case Kind::timestamp:
      return Datum::boolean(a.seconds() == b.seconds() && a.nanoseconds() == b.nanoseconds());
    case Kind::string:
    case Kind::bytes: return Datum::boolean(a.text() == b.text());
    case Kind::list: return equal_lists(a.as_list(), b.as_list());
    case Kind::map: return equal_maps(a.as_map(), b.as_map());
    case Kind::optional: {
      const Datum *x = a.optional_value(), *y = b.optional_value();
      if (!x || !y) return Datum::boolean(!x && !y);
      return equals(*x, *y);
    }
    case Kind::type: return Datum::boolean(a.as_type()->name == b.as_type()->name);
    case Kind::opaque: {
      const Opaque &x = a.as_opaque(), &y = b.as_opaque();
      return Datum::boolean(x.type()->name == y.type()->name && x.equals(y));
    }
    default: return Datum::boolean(false);
  }
}

Datum compare(const Datum& a, const Datum& b) {
  using Kind = Datum::Kind;
  if (a.is_number() && b.is_number()) {
    const auto order = compare_numbers(a, b);
    return order ? Datum::integer(*order) : Datum::error("NaN values cannot be ordered");
  }
  if (a.kind() != b.kind()) return no_such_overload();
  switch (a.kind()) {
    case Kind::boolean:
    case Kind::duration: return Datum::integer(sign(a.as_int(), b.as_int()));
    case Kind::timestamp: {
      const int seconds = sign(a.seconds(), b.seconds());
      return Datum::integer(
          seconds != 0 ? seconds
                       : sign(std::int64_t{a.nanoseconds()}, std::int64_t{b.nanoseconds()}));
    }
    case Kind::string:
    case Kind::bytes: {
      const int order = a.text().compare(b.text());
      return Datum::integer(order < 0 ? -1 : order > 0 ? 1 : 0);
    }
    default: return no_such_overload();
  }
}

Datum append(Datum list, Datum more) {
  if (!more.is_list()) return no_such_overload();
  const List& right = more.as_list();
  const ListShape& shape = list.as_list().shape();
  const auto* own = dynamic_cast<const Elements*>(&list.as_list());
  if (own && list.node_use_count() == 1 && shape.kind == ListShape::Kind::atomic) {
    // The only owner: nobody sees the change.
    auto& elements = const_cast<Elements*>(own)->elements_;
    elements.reserve(elements.size() + right.size() > elements.capacity()
                         ? std::max(elements.size() + right.size(), elements.capacity() * 2)
                         : elements.capacity());
    for (std::size_t i = 0; i < right.size(); ++i) elements.push_back(right.at(i));
    return list;
  }
  std::vector<Datum> elements;
  const List& left = list.as_list();
  elements.reserve(left.size() + right.size());
  for (std::size_t i = 0; i < left.size(); ++i) elements.push_back(left.at(i));
  if (shape.kind == ListShape::Kind::atomic) {
    for (std::size_t i = 0; i < right.size(); ++i) elements.push_back(right.at(i));
    return Datum::list(std::move(elements));
  }
  auto places = places_of(left);
  for (std::size_t i = 0; i < right.size(); ++i) {
    Datum added = right.at(i);
    const auto [place, is_new] = places.emplace(identity(shape, added), elements.size());
    if (is_new)
      elements.push_back(std::move(added));
    else if (shape.kind == ListShape::Kind::map)
      elements[place->second] = std::move(added);
  }
  return Datum::list(std::make_shared<Elements>(std::move(elements), shape));
}

Datum insert(Datum map, Datum key, Datum value) {
  Datum present;
  if (map.as_map().find(key, present))
    return Datum::error("insert failed: key " + display(key) + " already exists");
  const auto* own = dynamic_cast<const Entries*>(&map.as_map());
  if (own && map.node_use_count() == 1) {
    // The only owner: nobody sees the change.
    const_cast<Entries*>(own)->entries.emplace(std::move(key), std::move(value));
    return map;
  }
  auto grown = std::make_shared<Entries>();
  for (Datum& old_key : map.as_map().keys()) {
    Datum old_value;
    map.as_map().find(old_key, old_value);
    grown->entries.emplace(std::move(old_key), std::move(old_value));
  }
  grown->entries.emplace(std::move(key), std::move(value));
  return Datum::map(std::move(grown));
}

std::string display(const Datum& datum) {
  using Kind = Datum::Kind;
  switch (datum.kind()) {
    case Kind::null: return "NULL_VALUE";
    case Kind::boolean: return datum.as_bool() ? "true" : "false";
    case Kind::integer: return std::to_string(datum.as_int());
    case Kind::unsigned_integer: return std::to_string(datum.as_uint());
    case Kind::number: return double_text(datum.as_double(), 21);
    case Kind::timestamp: return timestamp_text(datum);
    case Kind::duration: return duration_text(datum.as_int());
    case Kind::string:
    case Kind::bytes:
    case Kind::error: return std::string(datum.text());
    case Kind::type: return datum.as_type()->name;
    case Kind::optional:
      return datum.optional_value() ? "optional(" + display(*datum.optional_value()) + ")"
                                    : "optional.none()";
    case Kind::list: {
      std::string text = "[";
      const List& list = datum.as_list();
      for (std::size_t i = 0; i < list.size(); ++i)
        text += (i > 0 ? ", " : "") + display(list.at(i));
      return text + "]";
    }
    case Kind::map: {
      std::string text = "{";
      for (const Datum& key : datum.as_map().keys()) {
        Datum value;
        datum.as_map().find(key, value);
        text += (text.size() > 1 ? ", " : "") + display(key) + ": " + display(value);
      }
      return text + "}";
    }
    case Kind::opaque: return std::string(datum.type_name());
  }
  return {};
}

Datum no_such_overload() {
  return Datum::error("no such overload");
}
Datum no_such_overload(std::string_view function, std::initializer_list<const Datum*> arguments) {
  std::string text = "no such overload: " + std::string(function) + "(";
  bool first = true;
  for (const Datum* argument : arguments) {
    if (!first) text += ", ";
    first = false;
    text += argument->type_name();
  }
  return Datum::error(text + ")");
}
Datum no_such_key(const Datum& key) {
  return Datum::error("no such key: " + display(key));
}

}  // namespace keelson::codec::cel
