// Operators, size(), in, contains() and the like: the functions of the language itself.
#include <cmath>

#include "codec/cel/library.h"
#include "codec/cel/time.h"

namespace keelson::codec::cel {

namespace {

using Kind = Datum::Kind;

Datum overflow() {
  return Datum::error("integer overflow");
}
Datum unsigned_overflow() {
  return Datum::error("unsigned integer overflow");
}

Datum add(Arguments arguments) {
  const Datum &a = arguments[0], &b = arguments[1];
  if (a.is_list()) return append(a, b);
  if (a.is_duration() && b.is_timestamp()) return add_time(b, a.as_int());
  if (a.is_timestamp() && b.is_duration()) return add_time(a, b.as_int());
  if (a.kind() != b.kind()) return no_such_overload();
  switch (a.kind()) {
    case Kind::integer:
    case Kind::duration: {
      std::int64_t sum = 0;
      if (__builtin_add_overflow(a.as_int(), b.as_int(), &sum)) return overflow();
      return a.is_int() ? Datum::integer(sum) : Datum::duration(sum);
    }
    case Kind::unsigned_integer: {
      std::uint64_t sum = 0;
      if (__builtin_add_overflow(a.as_uint(), b.as_uint(), &sum)) return unsigned_overflow();
      return Datum::unsigned_integer(sum);
    }
    case Kind::number: return Datum::number(a.as_double() + b.as_double());
    case Kind::string:
    case Kind::bytes: {
      std::string text;
      text.reserve(a.text().size() + b.text().size());
      text.append(a.text()).append(b.text());
      return a.is_string() ? Datum::string(text) : Datum::bytes(text);
    }
    default: return no_such_overload();
  }
}

Datum subtract(Arguments arguments) {
  const Datum &a = arguments[0], &b = arguments[1];
  if (a.is_timestamp() && b.is_duration()) return subtract_time(a, b.as_int());
  if (a.is_timestamp() && b.is_timestamp()) return time_between(a, b);
  if (a.kind() != b.kind()) return no_such_overload();
  switch (a.kind()) {
    case Kind::integer:
    case Kind::duration: {
      std::int64_t rest = 0;
      if (__builtin_sub_overflow(a.as_int(), b.as_int(), &rest)) return overflow();
      return a.is_int() ? Datum::integer(rest) : Datum::duration(rest);
    }
    case Kind::unsigned_integer:
      if (a.as_uint() < b.as_uint()) return unsigned_overflow();
      return Datum::unsigned_integer(a.as_uint() - b.as_uint());
    case Kind::number: return Datum::number(a.as_double() - b.as_double());
    default: return no_such_overload();
  }
}

Datum multiply(Arguments arguments) {
  const Datum &a = arguments[0], &b = arguments[1];
  if (a.kind() != b.kind()) return no_such_overload();
  if (a.is_double()) return Datum::number(a.as_double() * b.as_double());
  if (a.is_int()) {
    std::int64_t product = 0;
    if (__builtin_mul_overflow(a.as_int(), b.as_int(), &product)) return overflow();
    return Datum::integer(product);
  }
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a.as_uint(), b.as_uint(), &product)) return unsigned_overflow();
  return Datum::unsigned_integer(product);
}

Datum divide(Arguments arguments) {
  const Datum &a = arguments[0], &b = arguments[1];
  if (a.kind() != b.kind()) return no_such_overload();
  if (a.is_double()) return Datum::number(a.as_double() / b.as_double());
  if (b.as_int() == 0) return Datum::error("division by zero");
  if (a.is_uint()) return Datum::unsigned_integer(a.as_uint() / b.as_uint());
  if (a.as_int() == INT64_MIN && b.as_int() == -1) return overflow();
  return Datum::integer(a.as_int() / b.as_int());
}

Datum modulo(Arguments arguments) {
  const Datum &a = arguments[0], &b = arguments[1];
  if (a.kind() != b.kind()) return no_such_overload();
  if (b.as_int() == 0) return Datum::error("modulus by zero");
  if (a.is_uint()) return Datum::unsigned_integer(a.as_uint() % b.as_uint());
  if (a.as_int() == INT64_MIN && b.as_int() == -1) return overflow();
  return Datum::integer(a.as_int() % b.as_int());
}

Datum negate(Arguments arguments) {
  const Datum& a = arguments[0];
  if (a.is_double()) return Datum::number(-a.as_double());
  if (a.as_int() == INT64_MIN) return overflow();
  return a.is_int() ? Datum::integer(-a.as_int()) : Datum::duration(-a.as_int());
}

Datum logical_not(Arguments arguments) {
  return arguments[0].is_bool() ? Datum::boolean(!arguments[0].as_bool()) : no_such_overload();
}

template <bool Less, bool Equal, bool Greater>
Datum ordered(Arguments arguments) {
  Datum order = compare(arguments[0], arguments[1]);
  if (!order.is_int()) return order;
  return Datum::boolean(order.as_int() < 0 ? Less : order.as_int() > 0 ? Greater : Equal);
}

Datum contained_in(Arguments arguments) {
  const Datum &needle = arguments[0], &hay = arguments[1];
  if (hay.is_map()) {
    Datum value;
    if (hay.as_map().find(needle, value) && value.is_error()) return value;
    return Datum::boolean(hay.as_map().contains(needle));
  }
  if (!hay.is_list()) return no_such_overload();
  const List& list = hay.as_list();
  Datum fault = Datum::boolean(false);
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Datum same = equals(list.at(i), needle);
    if (same.is_true()) return same;
    if (same.is_error() && !fault.is_error()) fault = same;
  }
  return fault;
}

Datum size(Arguments arguments) {
  return Datum::integer(arguments[0].size());
}

bool both_strings(Arguments arguments) {
  return arguments[0].is_string() && arguments[1].is_string();
}
Datum contains(Arguments arguments) {
  if (!both_strings(arguments)) return no_such_overload();
  return Datum::boolean(arguments[0].text().find(arguments[1].text()) != std::string_view::npos);
}
Datum starts_with(Arguments arguments) {
  if (!both_strings(arguments)) return no_such_overload();
  return Datum::boolean(arguments[0].text().starts_with(arguments[1].text()));
}
Datum ends_with(Arguments arguments) {
  if (!both_strings(arguments)) return no_such_overload();
  return Datum::boolean(arguments[0].text().ends_with(arguments[1].text()));
}

void add_arithmetic(Library& library) {
  const TypePtr list = list_of(parameter("A"));
  const auto binary = [&](std::string_view name, std::string_view id, const TypePtr& a,
                          const TypePtr& b, const TypePtr& result) {
    library.add(name, id, {a, b}, result);
  };
  binary("_+_", "add_bytes", bytes_type(), bytes_type(), bytes_type());
  binary("_+_", "add_double", double_type(), double_type(), double_type());
  binary("_+_", "add_duration_duration", duration_type(), duration_type(), duration_type());
  binary("_+_", "add_duration_timestamp", duration_type(), timestamp_type(), timestamp_type());
  binary("_+_", "add_timestamp_duration", timestamp_type(), duration_type(), timestamp_type());
  binary("_+_", "add_int64", int_type(), int_type(), int_type());
  binary("_+_", "add_list", list, list, list);
  binary("_+_", "add_string", string_type(), string_type(), string_type());
  binary("_+_", "add_uint64", uint_type(), uint_type(), uint_type());
  library.function("_+_").any = add;
  library.function("_+_").receivers =
      kinds(Kind::bytes, Kind::number, Kind::duration, Kind::timestamp, Kind::integer, Kind::list,
            Kind::string, Kind::unsigned_integer);

  binary("_-_", "subtract_double", double_type(), double_type(), double_type());
  binary("_-_", "subtract_duration_duration", duration_type(), duration_type(), duration_type());
  binary("_-_", "subtract_int64", int_type(), int_type(), int_type());
  binary("_-_", "subtract_timestamp_duration", timestamp_type(), duration_type(), timestamp_type());
  binary("_-_", "subtract_timestamp_timestamp", timestamp_type(), timestamp_type(),
         duration_type());
  binary("_-_", "subtract_uint64", uint_type(), uint_type(), uint_type());
  library.function("_-_").any = subtract;
  library.function("_-_").receivers =
      kinds(Kind::number, Kind::duration, Kind::integer, Kind::timestamp, Kind::unsigned_integer);

  const auto numeric = [&](std::string_view name, std::string_view prefix, bool real,
                           Implementation run) {
    const std::string id(prefix);
    if (real) binary(name, id + "_double", double_type(), double_type(), double_type());
    binary(name, id + "_int64", int_type(), int_type(), int_type());
    binary(name, id + "_uint64", uint_type(), uint_type(), uint_type());
    library.function(name).any = run;
    library.function(name).receivers =
        kinds(Kind::integer, Kind::unsigned_integer) | (real ? kinds(Kind::number) : 0U);
  };
  numeric("_/_", "divide", true, divide);
  numeric("_*_", "multiply", true, multiply);
  numeric("_%_", "modulo", false, modulo);
  library.add("-_", "negate_double", {double_type()}, double_type());
  library.add("-_", "negate_int64", {int_type()}, int_type());
  library.function("-_").any = negate;
  library.function("-_").receivers = kinds(Kind::number, Kind::integer, Kind::duration);
}

void add_comparison(Library& library, std::string_view name, const std::string& prefix,
                    Implementation run) {
  const auto pair = [&](const std::string& id, const TypePtr& a, const TypePtr& b) {
    library.add(name, prefix + id, {a, b}, bool_type());
  };
  pair("_bool", bool_type(), bool_type());
  pair("_int64", int_type(), int_type());
  pair("_int64_double", int_type(), double_type());
  pair("_int64_uint64", int_type(), uint_type());
  pair("_uint64", uint_type(), uint_type());
  pair("_uint64_double", uint_type(), double_type());
  pair("_uint64_int64", uint_type(), int_type());
  pair("_double", double_type(), double_type());
  pair("_double_int64", double_type(), int_type());
  pair("_double_uint64", double_type(), uint_type());
  pair("_string", string_type(), string_type());
  pair("_bytes", bytes_type(), bytes_type());
  pair("_timestamp", timestamp_type(), timestamp_type());
  pair("_duration", duration_type(), duration_type());
  library.function(name).any = run;
  library.function(name).receivers =
      kinds(Kind::boolean, Kind::integer, Kind::unsigned_integer, Kind::number, Kind::string,
            Kind::bytes, Kind::timestamp, Kind::duration);
}

}  // namespace

void add_standard_library(Library& library) {
  const TypePtr a = parameter("A"), b = parameter("B");
  const TypePtr list = list_of(a), map = map_of(a, b);
  library.add("_?_:_", "conditional", {bool_type(), a, a}, a);
  library.add("_&&_", "logical_and", {bool_type(), bool_type()}, bool_type());
  library.add("_||_", "logical_or", {bool_type(), bool_type()}, bool_type());
  library.add("!_", "logical_not", {bool_type()}, bool_type());
  library.function("!_").any = logical_not;
  library.add("@not_strictly_false", "not_strictly_false", {bool_type()}, bool_type());
  library.add("_==_", "equals", {a, a}, bool_type());
  library.add("_!=_", "not_equals", {a, a}, bool_type());
  add_arithmetic(library);
  add_comparison(library, "_<_", "less", ordered<true, false, false>);
  add_comparison(library, "_<=_", "less_equals", ordered<true, true, false>);
  add_comparison(library, "_>_", "greater", ordered<false, false, true>);
  add_comparison(library, "_>=_", "greater_equals", ordered<false, true, true>);
  library.add("_[_]", "index_list", {list, int_type()}, a);
  library.add("_[_]", "index_map", {map, a}, b);
  library.add("@in", "in_list", {a, list}, bool_type());
  library.add("@in", "in_map", {a, map}, bool_type());
  library.function("@in").any = contained_in;

  library.add("size", "size_bytes", {bytes_type()}, int_type());
  library.add_member("size", "bytes_size", {bytes_type()}, int_type());
  library.add("size", "size_list", {list}, int_type());
  library.add_member("size", "list_size", {list}, int_type());
  library.add("size", "size_map", {map}, int_type());
  library.add_member("size", "map_size", {map}, int_type());
  library.add("size", "size_string", {string_type()}, int_type());
  library.add_member("size", "string_size", {string_type()}, int_type());
  library.function("size").any = size;
  library.function("size").receivers = kinds(Kind::bytes, Kind::list, Kind::map, Kind::string);

  const auto on_text = [&](std::string_view name, std::string_view id, Implementation run) {
    library.add_member(name, id, {string_type(), string_type()}, bool_type(), run);
    library.function(name).guarded = false;
  };
  on_text("contains", "contains_string", contains);
  on_text("startsWith", "starts_with_string", starts_with);
  on_text("endsWith", "ends_with_string", ends_with);

  for (const auto& [name, type] : std::initializer_list<std::pair<const char*, TypePtr>>{
           {"bool", bool_type()},
           {"bytes", bytes_type()},
           {"double", double_type()},
           {"google.protobuf.Duration", duration_type()},
           {"int", int_type()},
           {"list", list_of(dyn_type())},
           {"map", map_of(dyn_type(), dyn_type())},
           {"null_type", null_type()},
           {"string", string_type()},
           {"google.protobuf.Timestamp", timestamp_type()},
           {"type", type_type()},
           {"uint", uint_type()}})
    library.add_type(name, type);
}

}  // namespace keelson::codec::cel
