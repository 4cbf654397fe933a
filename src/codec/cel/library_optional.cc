// Optional values: optional.of(), hasValue(), orValue() ...; first() and last() of lists.
#include "codec/cel/library.h"

namespace keelson::codec::cel {

namespace {

bool is_zero(const Datum& value) {
  using Kind = Datum::Kind;
  switch (value.kind()) {
    case Kind::null: return true;
    case Kind::boolean:
    case Kind::integer:
    case Kind::unsigned_integer:
    case Kind::duration: return value.as_int() == 0;
    case Kind::number: return value.as_double() == 0;
    case Kind::string:
    case Kind::bytes: return value.text().empty();
    case Kind::list:
    case Kind::map: return value.size() == 0;
    case Kind::timestamp: return value.seconds() == -62135596800 && value.nanoseconds() == 0;
    default: return false;
  }
}

Datum unwrap(Arguments arguments) {
  std::vector<Datum> values;
  const List& list = arguments[0].as_list();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Datum element = list.at(i);
    if (!element.is_optional())
      return Datum::error("value " + display(element) + " is not optional");
    if (const Datum* value = element.optional_value()) values.push_back(*value);
  }
  return Datum::list(std::move(values));
}

}  // namespace

void add_optional_library(Library& library) {
  const TypePtr v = parameter("V"), k = parameter("K");
  const TypePtr optional = optional_of(v), list = list_of(v), map = map_of(k, v);
  library.add_type("optional_type", optional_of(v));
  library.add("optional.of", "optional_of", {v}, optional,
              [](Arguments a) { return Datum::optional_of(a[0]); });
  library.add("optional.ofNonZeroValue", "optional_ofNonZeroValue", {v}, optional, [](Arguments a) {
    return is_zero(a[0]) ? Datum::optional_none() : Datum::optional_of(a[0]);
  });
  library.add("optional.none", "optional_none", {}, optional,
              [](Arguments) { return Datum::optional_none(); });
  library.add_member("value", "optional_value", {optional}, v, [](Arguments a) {
    const Datum* value = a[0].optional_value();
    return value ? *value : Datum::error("optional.none() dereference");
  });
  library.add_member("hasValue", "optional_hasValue", {optional}, bool_type(),
                     [](Arguments a) { return Datum::boolean(a[0].optional_value() != nullptr); });
  library.add_member("or", "optional_or_optional", {optional, optional}, optional);
  library.add_member("orValue", "optional_orValue_value", {optional, v}, v);
  library.add("_?._", "select_optional_field", {dyn_type(), string_type()}, optional);
  library.add("_[?_]", "list_optindex_optional_int", {list, int_type()}, optional);
  library.add("_[?_]", "optional_list_optindex_optional_int", {optional_of(list), int_type()},
              optional);
  library.add("_[?_]", "map_optindex_optional_value", {map, k}, optional);
  library.add("_[?_]", "optional_map_optindex_optional_value", {optional_of(map), k}, optional);
  library.add("_[_]", "optional_list_index_int", {optional_of(list), int_type()}, optional);
  library.add("_[_]", "optional_map_index_value", {optional_of(map), k}, optional);

  library.add_member("first", "list_first", {list}, optional, [](Arguments a) {
    const List& from = a[0].as_list();
    return from.size() == 0 ? Datum::optional_none() : Datum::optional_of(from.at(0));
  });
  library.add_member("last", "list_last", {list}, optional, [](Arguments a) {
    const List& from = a[0].as_list();
    return from.size() == 0 ? Datum::optional_none() : Datum::optional_of(from.at(from.size() - 1));
  });
  library.add("optional.unwrap", "optional_unwrap", {list_of(optional)}, list, unwrap);
  library.add_member("unwrapOpt", "optional_unwrapOpt", {list_of(optional)}, list, unwrap);
}

}  // namespace keelson::codec::cel
