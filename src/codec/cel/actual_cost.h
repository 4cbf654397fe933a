// What a call costs when it runs, as cel-go and Kubernetes' own libraries count it. Source:
// cel-go interpreter/runtimecost.go, apiserver pkg/cel/library/cost.go.
#pragma once

#include <cstdint>
#include <string_view>

#include "codec/cel/library.h"

namespace keelson::codec::cel {

inline constexpr std::uint64_t kListCost = 10, kMapCost = 30, kObjectCost = 40;

enum class CostRule : std::uint8_t {
  one,
  authorization_check,
  selector,           // a label or field selector is parsed
  traverse_receiver,  // all elements and their texts
  text_once,          // the first argument, a tenth of its length
  text_twice,
  result_twice,
  pattern,  // text times pattern
  contains_ip,
  contains_ip_text,
  contains_cidr,
  contains_cidr_text,
  validate_format,
  in_list,
  shorter_text,  // comparison
  both_texts,    // concatenation
  contains_text,
  set_once,
  set_twice,
  list_result,
  list_flatten,
  list_self_compare,
  list_compare_keys,
};

CostRule cost_rule(std::string_view function, std::string_view overload);
std::uint64_t actual_cost(CostRule rule, Arguments arguments, const Datum& result);

}  // namespace keelson::codec::cel
