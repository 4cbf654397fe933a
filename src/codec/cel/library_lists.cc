// Lists: the extension of cel-go (slice, flatten, sort, distinct ...), its sets, and Kubernetes'
// own (sum, min, max, isSorted, indexOf). Also what two-variable comprehensions build maps with.
#include <algorithm>

#include "codec/cel/library.h"

namespace keelson::codec::cel {

namespace {

std::vector<Datum> elements_of(const Datum& list) {
  std::vector<Datum> elements;
  const List& from = list.as_list();
  elements.reserve(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) elements.push_back(from.at(i));
  return elements;
}

// --- Kubernetes ---

Datum is_sorted(Arguments arguments) {
  const std::vector<Datum> elements = elements_of(arguments[0]);
  for (std::size_t i = 1; i < elements.size(); ++i) {
    const Datum order = compare(elements[i - 1], elements[i]);
    if (order.is_int() && order.as_int() > 0) return Datum::boolean(false);
  }
  return Datum::boolean(true);
}

template <Datum::Kind Kind>
Datum zero() {
  switch (Kind) {
    case Datum::Kind::number: return Datum::number(0);
    case Datum::Kind::unsigned_integer: return Datum::unsigned_integer(0);
    case Datum::Kind::duration: return Datum::duration(0);
    default: return Datum::integer(0);
  }
}
template <Datum::Kind Kind>
Datum sum(Arguments arguments) {
  Datum total = zero<Kind>();
  const List& list = arguments[0].as_list();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Datum next = list.at(i);
    if (next.kind() != total.kind()) return no_such_overload();
    if (total.is_double()) {
      total = Datum::number(total.as_double() + next.as_double());
    } else if (total.is_uint()) {
      std::uint64_t value = 0;
      if (__builtin_add_overflow(total.as_uint(), next.as_uint(), &value))
        return Datum::error("unsigned integer overflow");
      total = Datum::unsigned_integer(value);
    } else {
      std::int64_t value = 0;
      if (__builtin_add_overflow(total.as_int(), next.as_int(), &value))
        return Datum::error("integer overflow");
      total = total.is_int() ? Datum::integer(value) : Datum::duration(value);
    }
  }
  return total;
}

template <int Preferred>  // the comparison after which the next element is taken
Datum extreme(Arguments arguments) {
  const List& list = arguments[0].as_list();
  if (list.size() == 0)
    return Datum::error(Preferred > 0 ? "min called on empty list" : "max called on empty list");
  Datum best = list.at(0);
  for (std::size_t i = 1; i < list.size(); ++i) {
    Datum next = list.at(i);
    const Datum order = compare(best, next);
    if (order.is_int() && order.as_int() == Preferred) best = std::move(next);
  }
  return best;
}

Datum index_of(Arguments arguments) {
  const List& list = arguments[0].as_list();
  for (std::size_t i = 0; i < list.size(); ++i)
    if (equal(list.at(i), arguments[1])) return Datum::integer(static_cast<std::int64_t>(i));
  return Datum::integer(-1);
}
Datum last_index_of(Arguments arguments) {
  const List& list = arguments[0].as_list();
  for (std::size_t i = list.size(); i-- > 0;)
    if (equal(list.at(i), arguments[1])) return Datum::integer(static_cast<std::int64_t>(i));
  return Datum::integer(-1);
}

// --- cel-go ---

Datum slice(Arguments arguments) {
  const List& list = arguments[0].as_list();
  const std::int64_t start = arguments[1].as_int(), end = arguments[2].as_int();
  const std::string call =
      "cannot slice(" + std::to_string(start) + ", " + std::to_string(end) + "), ";
  if (start < 0 || end < 0) return Datum::error(call + "negative indexes not supported");
  if (start > end)
    return Datum::error(call + "start index must be less than or equal to end index");
  if (static_cast<std::int64_t>(list.size()) < end)
    return Datum::error(call + "list is length " + std::to_string(list.size()));
  std::vector<Datum> part;
  for (std::int64_t i = start; i < end; ++i) part.push_back(list.at(static_cast<std::size_t>(i)));
  return Datum::list(std::move(part));
}

void flatten_into(const List& list, std::int64_t depth, std::vector<Datum>& out) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    Datum element = list.at(i);
    if (element.is_list() && depth > 0)
      flatten_into(element.as_list(), depth - 1, out);
    else
      out.push_back(std::move(element));
  }
}
Datum flatten(Arguments arguments) {
  if (!arguments[0].is_list()) return no_such_overload();
  const std::int64_t depth = arguments.size() == 2 ? arguments[1].as_int() : 1;
  if (depth < 0) return Datum::error("level must be non-negative");
  std::vector<Datum> flat;
  flatten_into(arguments[0].as_list(), depth, flat);
  return Datum::list(std::move(flat));
}

bool is_comparable(const Datum& datum) {
  using Kind = Datum::Kind;
  switch (datum.kind()) {
    case Kind::boolean:
    case Kind::integer:
    case Kind::unsigned_integer:
    case Kind::number:
    case Kind::string:
    case Kind::bytes:
    case Kind::timestamp:
    case Kind::duration: return true;
    default: return false;
  }
}

Datum sorted_by(const Datum& list, const Datum& key_list) {
  const std::vector<Datum> elements = elements_of(list), keys = elements_of(key_list);
  if (elements.size() != keys.size())
    return Datum::error(
        "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, "
        "but got " +
        std::to_string(elements.size()) + " and " + std::to_string(keys.size()) +
        " elements respectively");
  if (elements.empty()) return list;
  if (!is_comparable(keys[0])) return Datum::error("list elements must be comparable");
  for (const Datum& key : keys)
    if (key.kind() != keys[0].kind()) return Datum::error("list elements must have the same type");
  std::vector<std::size_t> order(elements.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const Datum sign = compare(keys[a], keys[b]);
    return sign.is_int() && sign.as_int() < 0;
  });
  std::vector<Datum> sorted;
  sorted.reserve(order.size());
  for (const std::size_t i : order) sorted.push_back(elements[i]);
  return Datum::list(std::move(sorted));
}
Datum sort(Arguments arguments) {
  return sorted_by(arguments[0], arguments[0]);
}
Datum sort_by_keys(Arguments arguments) {
  if (!arguments[1].is_list()) return no_such_overload();
  return sorted_by(arguments[0], arguments[1]);
}

class Range final : public List {
 public:
  explicit Range(std::int64_t count) : count_(count) {}
  std::size_t size() const override { return static_cast<std::size_t>(count_); }
  Datum at(std::size_t index) const override {
    return Datum::integer(static_cast<std::int64_t>(index));
  }

 private:
  std::int64_t count_;
};
Datum range(Arguments arguments) {
  return Datum::list(std::make_shared<Range>(std::max<std::int64_t>(0, arguments[0].as_int())));
}

Datum reverse(Arguments arguments) {
  std::vector<Datum> elements = elements_of(arguments[0]);
  std::reverse(elements.begin(), elements.end());
  return Datum::list(std::move(elements));
}

Datum distinct(Arguments arguments) {
  std::vector<Datum> kept;
  for (Datum& element : elements_of(arguments[0])) {
    const bool seen = std::any_of(kept.begin(), kept.end(),
                                  [&](const Datum& other) { return equal(element, other); });
    if (!seen) kept.push_back(std::move(element));
  }
  return Datum::list(std::move(kept));
}

// --- sets ---

bool holds(const List& list, const Datum& wanted) {
  for (std::size_t i = 0; i < list.size(); ++i)
    if (equal(list.at(i), wanted)) return true;
  return false;
}
bool holds_all(const List& list, const List& wanted) {
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (!holds(list, wanted.at(i))) return false;
  return true;
}
Datum set_contains(Arguments arguments) {
  return Datum::boolean(holds_all(arguments[0].as_list(), arguments[1].as_list()));
}
Datum set_equivalent(Arguments arguments) {
  const List &a = arguments[0].as_list(), &b = arguments[1].as_list();
  return Datum::boolean(holds_all(a, b) && holds_all(b, a));
}
Datum set_intersects(Arguments arguments) {
  const List &a = arguments[0].as_list(), &b = arguments[1].as_list();
  for (std::size_t i = 0; i < a.size(); ++i)
    if (holds(b, a.at(i))) return Datum::boolean(true);
  return Datum::boolean(false);
}

// --- maps of comprehensions ---

Datum map_insert(Arguments arguments) {
  return insert(arguments[0], arguments[1], arguments[2]);
}
Datum map_insert_all(Arguments arguments) {
  Datum result = arguments[0];
  const Map& more = arguments[1].as_map();
  for (Datum& key : more.keys()) {
    Datum value;
    more.find(key, value);
    result = insert(std::move(result), std::move(key), std::move(value));
    if (result.is_error()) break;
  }
  return result;
}

struct Named {
  const char* name;
  TypePtr type;
};

void add_kubernetes_lists(Library& library) {
  const std::vector<Named> comparable = {
      {"int", int_type()},       {"uint", uint_type()},         {"double", double_type()},
      {"bool", bool_type()},     {"duration", duration_type()}, {"timestamp", timestamp_type()},
      {"string", string_type()}, {"bytes", bytes_type()}};
  const auto id = [](const char* name, const char* what, bool twice) {
    return "list_" + std::string(name) + "_" + what + (twice ? "_" + std::string(name) : "");
  };
  for (const auto& [name, type] : comparable) {
    library.add_member("isSorted", id(name, "is_sorted_bool", false), {list_of(type)}, bool_type(),
                       is_sorted);
    library.add_member("max", id(name, "max", true), {list_of(type)}, type, extreme<-1>);
    library.add_member("min", id(name, "min", true), {list_of(type)}, type, extreme<1>);
  }
  const auto summable = [&](const char* name, const TypePtr& type, Implementation run) {
    library.add_member("sum", id(name, "sum", true), {list_of(type)}, type, run);
  };
  summable("int", int_type(), sum<Datum::Kind::integer>);
  summable("uint", uint_type(), sum<Datum::Kind::unsigned_integer>);
  summable("double", double_type(), sum<Datum::Kind::number>);
  summable("duration", duration_type(), sum<Datum::Kind::duration>);
  const TypePtr a = parameter("A");
  library.add_member("indexOf", "list_a_index_of_int", {list_of(a), a}, int_type(), index_of);
  library.add_member("lastIndexOf", "list_a_last_index_of_int", {list_of(a), a}, int_type(),
                     last_index_of);
}

}  // namespace

void add_list_library(Library& library) {
  add_kubernetes_lists(library);
  const TypePtr t = parameter("T");
  const TypePtr list = list_of(t);
  library.add_member("slice", "list_slice", {list, int_type(), int_type()}, list, slice);
  library.add_member("flatten", "list_flatten", {list_of(list)}, list, flatten);
  library.add_member("flatten", "list_flatten_int", {list_of(dyn_type()), int_type()},
                     list_of(dyn_type()), flatten);
  library.function("flatten").guarded = false;
  for (const TypePtr& type : {int_type(), uint_type(), double_type(), bool_type(), duration_type(),
                              timestamp_type(), string_type(), bytes_type()}) {
    library.add_member("sort", "list_" + type->name + "_sort", {list_of(type)}, list_of(type));
    library.add_member("@sortByAssociatedKeys", "list_" + type->name + "_sortByAssociatedKeys",
                       {list, list_of(type)}, list);
  }
  const std::uint32_t lists = kinds(Datum::Kind::list);
  library.function("sort").any = sort;
  library.function("sort").receivers = lists;
  library.function("@sortByAssociatedKeys").any = sort_by_keys;
  library.function("@sortByAssociatedKeys").receivers = lists;
  library.add("lists.range", "lists_range", {int_type()}, list_of(int_type()), range);
  library.add_member("reverse", "list_reverse", {list}, list, reverse);
  library.add_member("distinct", "list_distinct", {list}, list, distinct);

  library.add("sets.contains", "list_sets_contains_list", {list, list}, bool_type(), set_contains);
  library.add("sets.equivalent", "list_sets_equivalent_list", {list, list}, bool_type(),
              set_equivalent);
  library.add("sets.intersects", "list_sets_intersects_list", {list, list}, bool_type(),
              set_intersects);

  const TypePtr k = parameter("K"), v = parameter("V");
  const TypePtr map = map_of(k, v);
  library.add("cel.@mapInsert", "@mapInsert_map_key_value", {map, k, v}, map, map_insert);
  library.add("cel.@mapInsert", "@mapInsert_map_map", {map, map}, map, map_insert_all);
}

}  // namespace keelson::codec::cel
