// Conversions between the kinds: int(), string(), duration() ... and type(), dyn().
#include <cmath>

#include "codec/cel/library.h"
#include "codec/cel/text.h"
#include "codec/cel/time.h"

namespace keelson::codec::cel {

namespace {

using Kind = Datum::Kind;

Datum no_conversion(const Datum& value, std::string_view type_name) {
  return Datum::error("type conversion error from '" + std::string(value.type_name()) + "' to '" +
                      std::string(type_name) + "'");
}

Datum to_bool(const Datum& value) {
  if (value.is_bool()) return value;
  const std::string_view text = value.text();
  if (value.is_string()) {
    for (const std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"})
      if (text == yes) return Datum::boolean(true);
    for (const std::string_view no : {"0", "f", "F", "FALSE", "false", "False"})
      if (text == no) return Datum::boolean(false);
  }
  return no_conversion(value, "bool");
}

Datum to_bytes(const Datum& value) {
  if (value.is_bytes()) return value;
  return value.is_string() ? Datum::bytes(value.text()) : no_conversion(value, "bytes");
}

Datum to_double(const Datum& value) {
  switch (value.kind()) {
    case Kind::number: return value;
    case Kind::integer: return Datum::number(static_cast<double>(value.as_int()));
    case Kind::unsigned_integer: return Datum::number(static_cast<double>(value.as_uint()));
    case Kind::string:
      if (const auto number = parse_double(value.text())) return Datum::number(*number);
      break;
    default: break;
  }
  return no_conversion(value, "double");
}

Datum to_int(const Datum& value) {
  switch (value.kind()) {
    case Kind::integer: return value;
    case Kind::unsigned_integer:
      if (value.as_uint() > static_cast<std::uint64_t>(INT64_MAX))
        return Datum::error("integer overflow");
      return Datum::integer(static_cast<std::int64_t>(value.as_uint()));
    case Kind::number: {
      const double number = value.as_double();
      if (!(number > -9223372036854775808.0 && number < 9223372036854775808.0))
        return Datum::error("integer overflow");
      return Datum::integer(static_cast<std::int64_t>(number));
    }
    case Kind::timestamp: return Datum::integer(value.seconds());
    case Kind::duration: return Datum::integer(value.as_int());
    case Kind::string:
      if (const auto number = parse_integer(value.text())) return Datum::integer(*number);
      break;
    default: break;
  }
  return no_conversion(value, "int");
}

Datum to_uint(const Datum& value) {
  switch (value.kind()) {
    case Kind::unsigned_integer: return value;
    case Kind::integer:
      if (value.as_int() < 0) return Datum::error("unsigned integer overflow");
      return Datum::unsigned_integer(static_cast<std::uint64_t>(value.as_int()));
    case Kind::number: {
      const double number = value.as_double();
      if (!(number >= 0 && number < 18446744073709551616.0))
        return Datum::error("unsigned integer overflow");
      return Datum::unsigned_integer(static_cast<std::uint64_t>(number));
    }
    case Kind::string:
      if (const auto number = parse_unsigned(value.text())) return Datum::unsigned_integer(*number);
      break;
    default: break;
  }
  return no_conversion(value, "uint");
}

Datum to_string(const Datum& value) {
  switch (value.kind()) {
    case Kind::string: return value;
    case Kind::boolean: return Datum::string(value.as_bool() ? "true" : "false");
    case Kind::integer: return Datum::string(std::to_string(value.as_int()));
    case Kind::unsigned_integer: return Datum::string(std::to_string(value.as_uint()));
    case Kind::number: return Datum::string(double_text(value.as_double()));
    case Kind::timestamp: return Datum::string(timestamp_text(value));
    case Kind::duration: return Datum::string(duration_text(value.as_int()));
    case Kind::type: return Datum::string(value.as_type()->name);
    case Kind::bytes:
      if (is_utf8(value.text())) return Datum::string(Value(value.text()));
      return Datum::error("invalid UTF-8 in bytes, cannot convert to string");
    default: return no_conversion(value, "string");
  }
}

Datum to_duration(const Datum& value) {
  if (value.is_duration()) return value;
  if (value.is_string()) {
    if (const auto duration = parse_go_duration(value.text())) return Datum::duration(*duration);
  }
  return no_conversion(value, "google.protobuf.Duration");
}

Datum to_timestamp(const Datum& value) {
  if (value.is_timestamp()) return value;
  if (value.is_int()) {
    if (value.as_int() < kTimestampMin || value.as_int() > kTimestampMax)
      return Datum::error("timestamp overflow");
    return Datum::timestamp(value.as_int(), 0);
  }
  if (value.is_string()) {
    if (const auto time = parse_timestamp(value.text())) {
      if (time->seconds() < kTimestampMin || time->seconds() > kTimestampMax)
        return Datum::error("timestamp overflow");
      return *time;
    }
  }
  return no_conversion(value, "google.protobuf.Timestamp");
}

Datum type_of_value(const Datum& value) {
  switch (value.kind()) {
    case Kind::null: return Datum::type(null_type());
    case Kind::boolean: return Datum::type(bool_type());
    case Kind::integer: return Datum::type(int_type());
    case Kind::unsigned_integer: return Datum::type(uint_type());
    case Kind::number: return Datum::type(double_type());
    case Kind::string: return Datum::type(string_type());
    case Kind::bytes: return Datum::type(bytes_type());
    case Kind::timestamp: return Datum::type(timestamp_type());
    case Kind::duration: return Datum::type(duration_type());
    case Kind::list: return Datum::type(list_of(dyn_type()));
    case Kind::map: return Datum::type(map_of(dyn_type(), dyn_type()));
    case Kind::optional: return Datum::type(optional_of(dyn_type()));
    case Kind::type: return Datum::type(type_type());
    case Kind::opaque: return Datum::type(value.as_opaque().type());
    case Kind::error: return value;
  }
  return Datum::null();
}

template <Datum (*Convert)(const Datum&)>
Datum run(Arguments arguments) {
  return Convert(arguments[0]);
}
Datum same(Arguments arguments) {
  return arguments[0];
}

}  // namespace

Datum convert(const Datum& value, std::string_view type_name) {
  if (type_name == "timestamp") return to_timestamp(value);
  if (type_name == "duration") return to_duration(value);
  return no_conversion(value, type_name);
}

void add_conversion_library(Library& library) {
  const auto from = [&](std::string_view name, const TypePtr& result, Implementation implementation,
                        std::initializer_list<std::pair<const char*, TypePtr>> sources) {
    for (const auto& [id, type] : sources) library.add(name, id, {type}, result, implementation);
  };
  const TypePtr a = parameter("A");
  library.add("type", "type", {a}, type_of(a));
  library.function("type").any = run<type_of_value>;
  library.add("dyn", "to_dyn", {a}, dyn_type());
  library.function("dyn").any = same;
  from("bool", bool_type(), run<to_bool>,
       {{"bool_to_bool", bool_type()}, {"string_to_bool", string_type()}});
  from("bytes", bytes_type(), run<to_bytes>,
       {{"bytes_to_bytes", bytes_type()}, {"string_to_bytes", string_type()}});
  from("double", double_type(), run<to_double>,
       {{"double_to_double", double_type()},
        {"int64_to_double", int_type()},
        {"string_to_double", string_type()},
        {"uint64_to_double", uint_type()}});
  from("duration", duration_type(), run<to_duration>,
       {{"duration_to_duration", duration_type()},
        {"int64_to_duration", int_type()},
        {"string_to_duration", string_type()}});
  from("int", int_type(), run<to_int>,
       {{"int64_to_int64", int_type()},
        {"double_to_int64", double_type()},
        {"duration_to_int64", duration_type()},
        {"string_to_int64", string_type()},
        {"timestamp_to_int64", timestamp_type()},
        {"uint64_to_int64", uint_type()}});
  from("string", string_type(), run<to_string>,
       {{"string_to_string", string_type()},
        {"bool_to_string", bool_type()},
        {"bytes_to_string", bytes_type()},
        {"double_to_string", double_type()},
        {"duration_to_string", duration_type()},
        {"int64_to_string", int_type()},
        {"timestamp_to_string", timestamp_type()},
        {"uint64_to_string", uint_type()}});
  from("timestamp", timestamp_type(), run<to_timestamp>,
       {{"timestamp_to_timestamp", timestamp_type()},
        {"int64_to_timestamp", int_type()},
        {"string_to_timestamp", string_type()}});
  from("uint", uint_type(), run<to_uint>,
       {{"uint64_to_uint64", uint_type()},
        {"double_to_uint64", double_type()},
        {"int64_to_uint64", int_type()},
        {"string_to_uint64", string_type()}});
}

void add_time_library(Library& library) {
  const auto getter = [&](std::string_view name, std::string_view id, Implementation plain,
                          Implementation zoned) {
    library.add_member(name, id, {timestamp_type()}, int_type(), plain);
    library.add_member(name, std::string(id) + "_with_tz", {timestamp_type(), string_type()},
                       int_type(), zoned);
  };
#define KEELSON_CEL_TIME(name, id, part)                                            \
  getter(                                                                           \
      name, id, [](Arguments a) { return time_part(a[0], TimePart::part, "UTC"); }, \
      [](Arguments a) { return time_part(a[0], TimePart::part, a[1].text()); })
  KEELSON_CEL_TIME("getFullYear", "timestamp_to_year", year);
  KEELSON_CEL_TIME("getMonth", "timestamp_to_month", month);
  KEELSON_CEL_TIME("getDayOfYear", "timestamp_to_day_of_year", day_of_year);
  KEELSON_CEL_TIME("getDayOfMonth", "timestamp_to_day_of_month", day_of_month);
  KEELSON_CEL_TIME("getDate", "timestamp_to_day_of_month_1_based", date);
  KEELSON_CEL_TIME("getDayOfWeek", "timestamp_to_day_of_week", day_of_week);
  KEELSON_CEL_TIME("getHours", "timestamp_to_hours", hours);
  KEELSON_CEL_TIME("getMinutes", "timestamp_to_minutes", minutes);
  KEELSON_CEL_TIME("getSeconds", "timestamp_to_seconds", seconds);
  KEELSON_CEL_TIME("getMilliseconds", "timestamp_to_milliseconds", milliseconds);
#undef KEELSON_CEL_TIME
  const auto of_duration = [&](std::string_view name, std::string_view id, Implementation get) {
    library.add_member(name, id, {duration_type()}, int_type(), get);
  };
  of_duration("getHours", "duration_to_hours",
              [](Arguments a) { return Datum::integer(a[0].as_int() / 3'600'000'000'000); });
  of_duration("getMinutes", "duration_to_minutes",
              [](Arguments a) { return Datum::integer(a[0].as_int() / 60'000'000'000); });
  of_duration("getSeconds", "duration_to_seconds",
              [](Arguments a) { return Datum::integer(a[0].as_int() / 1'000'000'000); });
  of_duration("getMilliseconds", "duration_to_milliseconds",
              [](Arguments a) { return Datum::integer(a[0].as_int() / 1'000'000); });
}

}  // namespace keelson::codec::cel
