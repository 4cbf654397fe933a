#include "codec/cel/json_datum.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/text.h"
#include "codec/cel/text.h"
#include "codec/cel/time.h"

namespace keelson::codec::cel {

namespace {

class PlainList final : public List {
 public:
  explicit PlainList(Value value) : value_(std::move(value)) {}
  std::size_t size() const override { return value_.size(); }
  Datum at(std::size_t index) const override { return view(value_[index]); }

 private:
  Value value_;
};

class PlainMap final : public Map {
 public:
  explicit PlainMap(Value value) : value_(std::move(value)) {}
  std::size_t size() const override { return value_.size(); }
  std::vector<Datum> keys() const override {
    std::vector<Datum> keys;
    keys.reserve(value_.size());
    for (const Member& member : value_.members()) keys.push_back(Datum::string(member.key_value));
    return keys;
  }
  bool find(const Datum& key, Datum& value) const override {
    const Value* member = key.is_string() ? value_.find(key.text()) : nullptr;
    if (member) value = view(*member);
    return member != nullptr;
  }

 private:
  Value value_;
};

class ShapedList final : public List {
 public:
  ShapedList(Value value, ShapePtr shape) : value_(std::move(value)), shape_(std::move(shape)) {}
  bool strict() const override { return true; }
  std::size_t size() const override { return value_.size(); }
  Datum at(std::size_t index) const override { return view(value_[index], shape_->items); }
  const ListShape& shape() const override { return shape_->list; }

 private:
  Value value_;
  ShapePtr shape_;
};

class ShapedMap final : public Map {
 public:
  ShapedMap(Value value, ShapePtr shape) : value_(std::move(value)), shape_(std::move(shape)) {}
  bool strict() const override { return true; }
  std::size_t size() const override { return value_.size(); }
  std::vector<Datum> keys() const override {
    std::vector<Datum> keys;
    for (const Member& member : value_.members()) {
      if (!shape_of(member.key())) continue;
      std::string escaped;
      if (shape_->has_properties && escape_name(member.key(), escaped))
        keys.push_back(Datum::string(escaped));
      else
        keys.push_back(Datum::string(member.key_value));
    }
    return keys;
  }
  bool find(const Datum& key, Datum& value) const override {
    if (!key.is_string()) {
      value = no_such_overload();
      return true;
    }
    std::string name;
    if (!shape_->has_properties)
      name = key.text();
    else if (!unescape_name(key.text(), name))
      return false;
    const Value* member = value_.find(name);
    // A property that is null is as good as absent.
    if (!member || (shape_->has_properties && member->is_null())) return false;
    const ShapePtr* shape = shape_of(name);
    if (!shape) return false;
    value = view(*member, *shape);
    return true;
  }
  // Members without a schema compare as they are.
  bool same_hidden(const Map& other) const override {
    const auto* theirs = dynamic_cast<const ShapedMap*>(&other);
    if (!theirs) return true;
    for (const Member& member : value_.members()) {
      if (shape_of(member.key())) continue;
      const Value* counterpart = theirs->value_.find(member.key());
      if (counterpart && !(*counterpart == member.value)) return false;
    }
    return true;
  }

 private:
  const ShapePtr* shape_of(std::string_view name) const {
    if (!shape_->has_properties) return shape_->additional ? &shape_->additional : nullptr;
    const auto it = shape_->properties.find(name);
    return it == shape_->properties.end() ? nullptr : &it->second;
  }

  Value value_;
  ShapePtr shape_;
};

class Preserved final : public Opaque {
 public:
  explicit Preserved(Value value) : value_(std::move(value)) {}
  const TypePtr& type() const override {
    static const TypePtr unknown = opaque_type("unknown");
    return unknown;
  }
  bool equals(const Opaque& other) const override {
    return value_ == static_cast<const Preserved&>(other).value_;
  }

 private:
  Value value_;
};

// strfmt's durations: Go's, or words as in "3 days 2h".
std::optional<std::int64_t> parse_worded_duration(std::string_view text) {
  if (const auto duration = parse_go_duration(text)) return duration;
  struct Unit {
    const char* names[4];
    std::int64_t nanoseconds;
  };
  static constexpr std::int64_t kSecond = 1'000'000'000;
  static const Unit kUnits[] = {
      {{"ns", "nano"}, 1},
      {{"us", "µs", "micro"}, 1'000},
      {{"ms", "milli"}, 1'000'000},
      {{"s", "sec"}, kSecond},
      {{"m", "min"}, 60 * kSecond},
      {{"h", "hr", "hour"}, 3600 * kSecond},
      {{"d", "day"}, 86400 * kSecond},
      {{"w", "wk", "week"}, 7 * 86400 * kSecond},
  };
  std::int64_t total = 0;
  bool any = false;
  const auto is_digit = [&](std::size_t i) {
    return i < text.size() && text[i] >= '0' && text[i] <= '9';
  };
  for (std::size_t at = 0; at < text.size();) {
    if (!is_digit(at)) {
      ++at;
      continue;
    }
    const std::size_t first = at;
    while (is_digit(at)) ++at;
    const auto factor = parse_integer(text.substr(first, at - first));
    while (at < text.size() && text[at] == ' ') ++at;
    const std::size_t unit_first = at;
    while (at < text.size() && !is_digit(at) && text[at] != ' ') ++at;
    const std::string unit = to_lower(text.substr(unit_first, at - unit_first));
    if (unit.empty()) continue;
    if (!factor) return std::nullopt;
    for (const Unit& candidate : kUnits) {
      for (int i = 0; i < 4 && candidate.names[i]; ++i) {
        const bool last = i == 3 || !candidate.names[i + 1];
        if (unit != candidate.names[i] && !(last && unit.starts_with(candidate.names[i]))) continue;
        std::int64_t part = 0;
        if (__builtin_mul_overflow(*factor, candidate.nanoseconds, &part) ||
            __builtin_add_overflow(total, part, &total))
          return std::nullopt;
        any = true;
      }
    }
  }
  if (!any) return std::nullopt;
  return total;
}

Datum view_string(const Value& value, const Shape& shape) {
  if (!value.is_string()) return Datum::error("invalid data, expected string");
  const std::string text = value.str();
  switch (shape.format) {
    case Shape::Format::duration: {
      const auto duration = parse_worded_duration(text);
      if (!duration)
        return Datum::error("Invalid duration " + text + ": unable to parse " + text +
                            " as duration");
      return Datum::duration(*duration);
    }
    case Shape::Format::date: {
      const auto date = parse_date(text);
      return date ? *date : Datum::error("Invalid date formatted string " + text);
    }
    case Shape::Format::date_time: {
      auto time = parse_timestamp(text.empty() ? "1970-01-01T00:00:00Z" : text);
      if (!time) time = parse_timestamp(text + "Z");  // local times are read as UTC
      return time ? *time : Datum::error("Invalid date-time formatted string " + text);
    }
    case Shape::Format::byte: {
      const auto bytes = from_base64(text);
      return bytes ? Datum::bytes(*bytes) : Datum::error("Invalid byte formatted string " + text);
    }
    case Shape::Format::none: break;
  }
  return Datum::string(value);
}

const std::set<std::string_view>& reserved_names() {
  static const std::set<std::string_view> names = {
      "true",     "false",   "null",      "in",       "as",  "break",  "const",
      "continue", "else",    "for",       "function", "if",  "import", "let",
      "loop",     "package", "namespace", "return",   "var", "void",   "while"};
  return names;
}

}  // namespace

Datum view(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null: return Datum::null();
    case Value::Kind::boolean: return Datum::boolean(value.as_bool());
    case Value::Kind::integer: return Datum::integer(value.as_int());
    case Value::Kind::number: return Datum::number(value.as_double());
    case Value::Kind::string: return Datum::string(value);
    case Value::Kind::array: return Datum::list(std::make_shared<PlainList>(value));
    case Value::Kind::object: return Datum::map(std::make_shared<PlainMap>(value));
  }
  return Datum::null();
}

Datum view(const Value& value, const ShapePtr& shape) {
  if (value.is_null()) {
    if (shape->nullable) return Datum::null();
    return Datum::error("invalid data, got null for schema with nullable=false");
  }
  switch (shape->kind) {
    case Shape::Kind::int_or_string:
      if (value.is_string() || value.is_integer()) return view(value);
      return Datum::error(
          "invalid data, expected XIntOrString value to be either a string or integer");
    case Shape::Kind::object:
      if (!value.is_object())
        return Datum::error(
            "invalid data, expected a map for the provided schema with type=object");
      return Datum::map(std::make_shared<ShapedMap>(value, shape));
    case Shape::Kind::array:
      if (!value.is_array())
        return Datum::error(
            "invalid data, expected an array for the provided schema with type=array");
      if (!shape->items)
        return Datum::error("invalid array type, expected Items with a non-empty Schema");
      return Datum::list(std::make_shared<ShapedList>(value, shape));
    case Shape::Kind::string: return view_string(value, *shape);
    case Shape::Kind::number:
      if (!value.is_number()) return Datum::error("invalid data, expected float");
      return Datum::number(value.as_double());
    case Shape::Kind::integer: {
      if (value.is_integer()) return Datum::integer(value.as_int());
      const double number = value.as_double();
      if (value.is_number() && number == std::floor(number) && std::fabs(number) < 9e18)
        return Datum::integer(static_cast<std::int64_t>(number));
      return Datum::error("invalid data, expected int");
    }
    case Shape::Kind::boolean:
      if (!value.is_bool()) return Datum::error("invalid data, expected bool");
      return Datum::boolean(value.as_bool());
    case Shape::Kind::preserved: return Datum::opaque(std::make_shared<Preserved>(value));
    case Shape::Kind::none: break;
  }
  return Datum::error(
      "invalid type, expected object, array, number, integer, boolean or string, or no type with "
      "x-kubernetes-int-or-string or x-kubernetes-preserve-unknown-fields is true, got " +
      shape->type_name);
}

bool to_json(const Datum& datum, Value& out) {
  using Kind = Datum::Kind;
  switch (datum.kind()) {
    case Kind::null: out = Value(); return true;
    case Kind::boolean: out = Value(datum.as_bool()); return true;
    case Kind::integer: out = Value(datum.as_int()); return true;
    case Kind::unsigned_integer:
      if (datum.as_uint() > static_cast<std::uint64_t>(INT64_MAX)) return false;
      out = Value(static_cast<std::int64_t>(datum.as_uint()));
      return true;
    case Kind::number: out = Value(datum.as_double()); return true;
    case Kind::string: out = datum.text_value(); return true;
    case Kind::bytes: out = Value(to_base64(datum.text())); return true;
    case Kind::timestamp: out = Value(timestamp_text(datum)); return true;
    case Kind::duration: out = Value(duration_text(datum.as_int())); return true;
    case Kind::list: {
      out = Value::array();
      const List& list = datum.as_list();
      for (std::size_t i = 0; i < list.size(); ++i) {
        Value element;
        if (!to_json(list.at(i), element)) return false;
        out.push_back(std::move(element));
      }
      return true;
    }
    case Kind::map: {
      out = Value::object();
      for (const Datum& key : datum.as_map().keys()) {
        Datum member;
        Value value;
        datum.as_map().find(key, member);
        if (!key.is_string() || !to_json(member, value)) return false;
        out.set(key.text(), std::move(value));
      }
      return true;
    }
    default: return false;
  }
}

bool escape_name(std::string_view name, std::string& escaped) {
  escaped.clear();
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  if (reserved_names().contains(name)) {
    escaped = "__" + std::string(name) + "__";
    return true;
  }
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '_' && i + 1 < name.size() && name[i + 1] == '_') {
      escaped += "__underscores__";
      ++i;
    } else if (c == '.') {
      escaped += "__dot__";
    } else if (c == '-') {
      escaped += "__dash__";
    } else if (c == '/') {
      escaped += "__slash__";
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_') {
      escaped += c;
    } else {
      return false;
    }
  }
  return true;
}

bool unescape_name(std::string_view escaped, std::string& name) {
  name.clear();
  for (std::size_t at = 0; at < escaped.size();) {
    // "__" word "__", where the word has no underscore.
    const std::size_t word = at + 2;
    const std::size_t end =
        escaped.substr(at).starts_with("__") ? escaped.find('_', word) : std::string_view::npos;
    if (end == std::string_view::npos || end == word || !escaped.substr(end).starts_with("__")) {
      name += escaped[at++];
      continue;
    }
    const std::string_view contents = escaped.substr(word, end - word);
    if (contents == "underscores")
      name += "__";
    else if (contents == "dot")
      name += '.';
    else if (contents == "dash")
      name += '-';
    else if (contents == "slash")
      name += '/';
    else if (reserved_names().contains(contents) && end + 2 - at == escaped.size())
      name += contents;
    else
      return false;
    at = end + 2;
  }
  return true;
}

}  // namespace keelson::codec::cel
