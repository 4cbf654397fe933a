#include "codec/cel/actual_cost.h"

#include <cmath>
#include <map>

namespace keelson::codec::cel {

namespace {

constexpr double kTraversal = 0.1;
constexpr double kPatternFactor = 0.25;

std::uint64_t size_of(const Datum& datum) {
  const std::int64_t size = datum.size();
  if (size >= 0) return static_cast<std::uint64_t>(size);
  if (datum.is_optional() && datum.optional_value()) return size_of(*datum.optional_value());
  return 1;
}

std::uint64_t scaled(std::uint64_t size, double factor) {
  return static_cast<std::uint64_t>(std::ceil(static_cast<double>(size) * factor));
}

std::uint64_t traversal(const Datum& datum) {
  switch (datum.kind()) {
    case Datum::Kind::string:
    case Datum::Kind::bytes:
      return static_cast<std::uint64_t>(static_cast<double>(datum.text().size()) * kTraversal);
    case Datum::Kind::list: {
      std::uint64_t cost = 0;
      const List& list = datum.as_list();
      for (std::size_t i = 0; i < list.size(); ++i) cost += traversal(list.at(i));
      return cost;
    }
    case Datum::Kind::map: {
      std::uint64_t cost = 0;
      for (const Datum& key : datum.as_map().keys()) {
        Datum value;
        datum.as_map().find(key, value);
        cost += traversal(key) + traversal(value);
      }
      return cost;
    }
    default: return 1;
  }
}

std::uint64_t self_compare(const Datum& datum) {
  const List& list = datum.as_list();
  const std::uint64_t size = list.size();
  double factor = 2;
  if (size > 0) {
    const Datum first = list.at(0);
    if (first.is_string() || first.is_bytes()) factor += kTraversal;
  }
  return static_cast<std::uint64_t>(static_cast<double>(size * size) * factor) + 1 + kListCost;
}

using Rules = std::map<std::string_view, CostRule>;

const Rules& rules_by_function() {
  static const Rules rules = [] {
    Rules map;
    const auto put = [&](CostRule rule, std::initializer_list<std::string_view> names) {
      for (const std::string_view name : names) map[name] = rule;
    };
    put(CostRule::authorization_check, {"check"});
    put(CostRule::selector, {"fieldSelector", "labelSelector"});
    put(CostRule::traverse_receiver, {"isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"});
    put(CostRule::text_once,
        {"url", "lowerAscii", "upperAscii", "substring", "trim", "jsonpatch.escapeKey", "cidr",
         "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"});
    put(CostRule::text_twice, {"replace", "split", "ip.isCanonical"});
    put(CostRule::result_twice, {"join"});
    put(CostRule::pattern, {"find", "findAll"});
    put(CostRule::validate_format, {"validate"});
    return map;
  }();
  return rules;
}

const Rules& rules_by_overload() {
  static const Rules rules = [] {
    Rules map;
    const auto put = [&](CostRule rule, std::initializer_list<std::string_view> ids) {
      for (const std::string_view id : ids) map[id] = rule;
    };
    put(CostRule::text_once, {"starts_with_string", "ends_with_string", "string_to_bytes",
                              "bytes_to_string", "strings_quote", "string_format"});
    put(CostRule::in_list, {"in_list"});
    put(CostRule::shorter_text,
        {"less_string", "greater_string", "less_equals_string", "greater_equals_string",
         "less_bytes", "greater_bytes", "less_equals_bytes", "greater_equals_bytes", "equals",
         "not_equals"});
    put(CostRule::both_texts, {"add_string", "add_bytes"});
    put(CostRule::pattern, {"matches_string"});
    put(CostRule::contains_text, {"contains_string"});
    put(CostRule::set_once, {"list_sets_contains_list", "list_sets_intersects_list"});
    put(CostRule::set_twice, {"list_sets_equivalent_list"});
    put(CostRule::list_result, {"list_slice", "lists_range", "list_reverse"});
    put(CostRule::list_flatten, {"list_flatten", "list_flatten_int"});
    put(CostRule::list_self_compare, {"list_distinct"});
    return map;
  }();
  return rules;
}

}  // namespace

CostRule cost_rule(std::string_view function, std::string_view overload) {
  if (overload.starts_with("list_") && overload.ends_with("_sort"))
    return CostRule::list_self_compare;
  if (overload.ends_with("_sortByAssociatedKeys")) return CostRule::list_compare_keys;
  if (overload.starts_with("list_sets_")) return rules_by_overload().at(overload);
  if (function == "ip") return overload == "cidr_ip" ? CostRule::one : CostRule::text_once;
  if (function == "containsIP")
    return overload == "cidr_contains_ip_string" ? CostRule::contains_ip_text
                                                 : CostRule::contains_ip;
  if (function == "containsCIDR")
    return overload == "cidr_contains_cidr_string" ? CostRule::contains_cidr_text
                                                   : CostRule::contains_cidr;
  if (const auto it = rules_by_function().find(function); it != rules_by_function().end())
    return it->second;
  if (const auto it = rules_by_overload().find(overload); it != rules_by_overload().end())
    return it->second;
  return CostRule::one;
}

std::uint64_t actual_cost(CostRule rule, Arguments arguments, const Datum& result) {
  const auto size = [&](std::size_t i) { return size_of(arguments[i]); };
  switch (rule) {
    case CostRule::one: return 1;
    case CostRule::authorization_check: return 350'000;
    case CostRule::selector: {
      const std::uint64_t length = size(1);
      const double requirements = std::ceil(static_cast<double>(length) * 0.5);
      return kListCost + scaled(length, kTraversal) +
             static_cast<std::uint64_t>(requirements *
                                        static_cast<double>(kListCost + kObjectCost));
    }
    case CostRule::traverse_receiver: return traversal(arguments[0]);
    case CostRule::text_once: return scaled(size(0), kTraversal);
    case CostRule::text_twice: return scaled(size(0), 2 * kTraversal);
    case CostRule::result_twice: return scaled(size_of(result), 2 * kTraversal);
    case CostRule::pattern:
      return scaled(size(0) + 1, kTraversal) * scaled(size(1), kPatternFactor);
    case CostRule::contains_ip: return scaled(2 * size(0), kTraversal);
    case CostRule::contains_ip_text:
      return scaled(2 * size(0), kTraversal) + scaled(size(1), kTraversal);
    case CostRule::contains_cidr:
      return scaled(2 * size(0), kTraversal) + scaled(size(0), kTraversal) + 1;
    case CostRule::contains_cidr_text:
      return scaled(2 * size(0), kTraversal) + scaled(size(0), kTraversal) + 1 +
             scaled(size(1), kTraversal);
    // The longest pattern of a named format; a format's size is that.
    case CostRule::validate_format:
      return scaled(size(1) + 1, kTraversal) * scaled(size(0), kPatternFactor);
    case CostRule::in_list: return size(1);
    case CostRule::shorter_text:
      if (arguments[0].is_opaque()) return 1;
      return scaled(std::min(size(0), size(1)), kTraversal);
    case CostRule::both_texts: return scaled(size(0) + size(1), kTraversal);
    case CostRule::contains_text: return scaled(size(0), kTraversal) * scaled(size(1), kTraversal);
    case CostRule::set_once: return 1 + size(0) * size(1);
    case CostRule::set_twice: return 1 + 2 * size(0) * size(1);
    case CostRule::list_result: return size_of(result) + 1 + kListCost;
    case CostRule::list_flatten: {
      const double depth = arguments.size() == 2 ? static_cast<double>(arguments[1].as_int()) : 1.0;
      return static_cast<std::uint64_t>(std::max(0.0, static_cast<double>(size(0)) * depth)) + 1 +
             kListCost;
    }
    case CostRule::list_self_compare: return self_compare(arguments[0]);
    case CostRule::list_compare_keys: return self_compare(arguments[1]);
  }
  return 1;
}

}  // namespace keelson::codec::cel
