// Source: apiserver pkg/cel/library/cost.go and cel-go's ext/lists.go, ext/sets.go.
#include <cmath>
#include <optional>

#include "codec/cel/actual_cost.h"
#include "codec/cel/estimate.h"

namespace keelson::codec::cel {

namespace {

constexpr double kTraversal = 0.1;
constexpr double kPattern = 0.25;
constexpr double kNameFormatPatternMax = 128;
constexpr std::uint64_t kFormatMax = 64;
constexpr double kTwoTo64 = 18446744073709551616.0;

CallEstimate cost_of(Estimate cost) {
  return {cost, false, {}};
}
CallEstimate cost_and_size(Estimate cost, Estimate size) {
  return {cost, true, size};
}

Estimate size_of(const CostNode& node, const SizeHint& hint) {
  if (node.has_size) return node.size;
  Estimate size;
  if (!node.path.empty() && hint && hint(node.path, size)) return size;
  return kUnknownSize;
}

std::optional<CostNode> element_of(const CostNode& list) {
  if (list.type->parameters.empty()) return std::nullopt;
  CostNode element;
  element.type = list.type->parameters[0];
  element.path = list.path;
  if (!element.path.empty()) element.path.push_back("@items");
  return element;
}

// The value of an integer literal, else `otherwise`.
std::uint64_t literal_or(const CostNode& node, std::uint64_t otherwise) {
  if (!node.expr || node.expr->kind != Expr::Kind::literal || !node.expr->value.is_int())
    return otherwise;
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, node.expr->value.as_int()));
}

CallEstimate new_list(double factor, Estimate size) {
  return cost_and_size(size * factor + exactly(1) + exactly(kListCost), size);
}

CallEstimate replaced(Estimate text, Estimate from, Estimate to) {
  const auto ratio = [](std::uint64_t a, std::uint64_t b) {
    return static_cast<std::uint64_t>(
        std::min(std::ceil(static_cast<double>(a) / static_cast<double>(b)), kTwoTo64 - 2048));
  };
  Estimate count, kept;
  if (from.min == 0) {
    count.max = text.max < kUnbounded ? text.max + 1 : text.max;
    kept.max = text.max;
  } else if (to.max <= from.min) {
    kept.max = text.max;
  } else {
    count.max = ratio(text.max, from.min);
  }
  if (from.max == 0) {
    count.min = text.min < kUnbounded ? text.min + 1 : text.min;
    kept.min = text.min;
  } else if (from.max <= to.min) {
    kept.min = text.min;
  } else {
    count.min = ratio(text.min, from.max);
  }
  return cost_and_size(text * (2 * kTraversal), count * to + kept);
}

CallEstimate joined(const CostNode& list, const std::vector<CostNode>& arguments,
                    const SizeHint& hint) {
  Estimate size;
  const Estimate count = size_of(list, hint);
  if (const auto element = element_of(list)) size = count * size_of(*element, hint);
  if (!arguments.empty()) {
    const Estimate separators{count.min > 0 ? count.min - 1 : 0, count.max > 0 ? count.max - 1 : 0};
    size = size + size_of(arguments[0], hint) * separators;
  }
  return cost_and_size(size * kTraversal, size);
}

// Equality of Kubernetes' own types.
bool estimate_equality(const std::vector<CostNode>& arguments, CallEstimate& estimate) {
  if (arguments.size() != 2 || !same_type(*arguments[0].type, *arguments[1].type)) return false;
  const Type& type = *arguments[0].type;
  if (type.kind != Type::Kind::opaque || is_optional(type)) return false;
  if (type.name == "kubernetes.NamedFormat") {
    estimate = cost_of(Estimate{1, kFormatMax} * kTraversal);
    return true;
  }
  if (type.name == "kubernetes.URL") {
    const Estimate size = arguments[1].has_size ? arguments[1].size : exactly(1);
    estimate = cost_of(Estimate{1, size.max} * kTraversal);
    return true;
  }
  estimate = cost_of(exactly(1));
  return true;
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  for (const std::string_view candidate : names)
    if (name == candidate) return true;
  return false;
}

// The list and set extensions, by overload.
bool estimate_lists(std::string_view overload, const CostNode* target,
                    const std::vector<CostNode>& arguments, const SizeHint& hint,
                    CallEstimate& estimate) {
  if (overload.starts_with("list_sets_") && arguments.size() == 2) {
    const double factor = overload == "list_sets_equivalent_list" ? 2 : 1;
    estimate =
        cost_of(size_of(arguments[0], hint) * size_of(arguments[1], hint) * factor + exactly(1));
    return true;
  }
  if (overload == "lists_range" && arguments.size() == 1) {
    estimate = new_list(1, exactly(literal_or(arguments[0], kUnbounded)));
    return true;
  }
  if (!target) return false;
  const Estimate size = size_of(*target, hint);
  if (overload == "list_slice") {
    const std::uint64_t start = literal_or(arguments[0], 0);
    const std::uint64_t end = literal_or(arguments[1], size.max);
    estimate = new_list(1, exactly(end - start));
  } else if (overload == "list_flatten") {
    estimate = new_list(1, size);
  } else if (overload == "list_flatten_int") {
    estimate = new_list(static_cast<double>(literal_or(arguments[0], kUnbounded)), size);
  } else if (overload == "list_reverse") {
    estimate = new_list(1, size);
  } else if (overload == "list_distinct") {
    estimate = new_list(2, size * size);
  } else if (overload.starts_with("list_") && overload.ends_with("_sort")) {
    const bool text = overload == "list_string_sort" || overload == "list_bytes_sort";
    estimate = new_list(text ? 2 + kTraversal : 2, size * size);
  } else if (overload.ends_with("_sortByAssociatedKeys")) {
    const Estimate keys = size_of(arguments[0], hint);
    const bool text = overload == "list_string_sortByAssociatedKeys" ||
                      overload == "list_bytes_sortByAssociatedKeys";
    estimate = new_list(text ? 2 + kTraversal : 2, keys * keys);
  } else {
    return false;
  }
  return true;
}

// Functions on text and patterns.
bool estimate_text(std::string_view function, const CostNode* target,
                   const std::vector<CostNode>& arguments, const SizeHint& hint,
                   CallEstimate& estimate) {
  if (is_one_of(function, {"url", "jsonpatch.escapeKey"}) && arguments.size() == 1) {
    const Estimate size = size_of(arguments[0], hint);
    estimate = cost_and_size(size * kTraversal, size);
    return true;
  }
  if (!target) return false;
  const Estimate size = size_of(*target, hint);
  if (is_one_of(function, {"lowerAscii", "upperAscii", "substring", "trim"})) {
    estimate = cost_and_size(size * kTraversal, size);
  } else if (function == "replace" && arguments.size() >= 2) {
    estimate = replaced(size, size_of(arguments[0], hint), size_of(arguments[1], hint));
  } else if (function == "split") {
    std::uint64_t parts = size.max;
    if (arguments.size() > 1 && arguments[1].expr->kind == Expr::Kind::literal &&
        arguments[1].expr->value.is_int())
      parts = static_cast<std::uint64_t>(arguments[1].expr->value.as_int());
    estimate = cost_and_size(size * (2 * kTraversal), {0, parts});
  } else if (function == "join") {
    estimate = joined(*target, arguments, hint);
  } else if (is_one_of(function, {"find", "findAll"}) && !arguments.empty()) {
    const Estimate text = (size + exactly(1)) * kTraversal;
    estimate = cost_and_size(text * (size_of(arguments[0], hint) * kPattern), {0, size.max});
  } else if (is_one_of(function, {"isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"})) {
    if (const auto element = element_of(*target)) {
      Estimate each = exactly(1);
      if (element->type->kind == Type::Kind::string || element->type->kind == Type::Kind::bytes)
        each = each + size_of(*element, hint) * kTraversal;
      estimate = cost_of(size * each);
    } else {
      estimate = cost_of(size * kTraversal);
    }
  } else {
    return false;
  }
  return true;
}

// Addresses, quantities, versions, formats, the authorizer.
bool estimate_kubernetes(std::string_view function, std::string_view overload,
                         const std::vector<CostNode>& arguments, const SizeHint& hint,
                         CallEstimate& estimate) {
  const auto first = [&] { return size_of(arguments[0], hint); };
  const Estimate address{4, 16};
  if (function == "check") {
    estimate = cost_of(exactly(350'000));
  } else if (is_one_of(function, {"serviceAccount", "path", "group", "resource", "subresource",
                                  "namespace", "name", "allowed", "reason", "error", "errored"})) {
    estimate = cost_of(exactly(1));
  } else if (is_one_of(function, {"fieldSelector", "labelSelector"}) && arguments.size() == 1) {
    const Estimate requirements = first() * 0.5 * static_cast<double>(kListCost + kObjectCost);
    estimate = cost_of(exactly(kListCost) + first() * kTraversal + requirements);
  } else if (function == "ip" && overload == "cidr_ip") {
    estimate = cost_of(exactly(1));
  } else if (is_one_of(function, {"cidr", "isIP", "isCIDR", "ip", "quantity", "isQuantity",
                                  "semver", "isSemver"}) &&
             !arguments.empty()) {
    estimate = cost_of(first() * kTraversal);
  } else if (function == "ip.isCanonical" && !arguments.empty()) {
    estimate = cost_of(first() * (2 * kTraversal));
  } else if (is_one_of(function, {"masked",
                                  "prefixLength",
                                  "family",
                                  "isUnspecified",
                                  "isLoopback",
                                  "isLinkLocalMulticast",
                                  "isLinkLocalUnicast",
                                  "isGlobalUnicast",
                                  "format.named",
                                  "sign",
                                  "asInteger",
                                  "isInteger",
                                  "asApproximateFloat",
                                  "isGreaterThan",
                                  "isLessThan",
                                  "compareTo",
                                  "add",
                                  "sub",
                                  "major",
                                  "minor",
                                  "patch",
                                  "getScheme",
                                  "getHostname",
                                  "getHost",
                                  "getPort",
                                  "getEscapedPath",
                                  "getQuery"})) {
    estimate = cost_of(exactly(1));
  } else if (is_one_of(function, {"containsIP", "containsCIDR"}) && !arguments.empty()) {
    Estimate cost = (address + address) * kTraversal;
    if (function == "containsCIDR") cost = cost + address * kTraversal + exactly(1);
    if (overload.ends_with("_string")) cost = cost + first() * kTraversal;
    estimate = cost_of(cost);
  } else if (function == "validate" && !arguments.empty()) {
    estimate = cost_of(first() * kTraversal * (kNameFormatPatternMax * kPattern));
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::uint64_t add_bounded(std::uint64_t a, std::uint64_t b) {
  return a > kUnbounded - b ? kUnbounded : a + b;
}
std::uint64_t multiply_bounded(std::uint64_t a, std::uint64_t b) {
  return b != 0 && a > kUnbounded / b ? kUnbounded : a * b;
}
std::uint64_t scale_bounded(std::uint64_t a, double factor) {
  const double rounded = std::ceil(static_cast<double>(a) * factor);
  return rounded >= kTwoTo64 ? kUnbounded : static_cast<std::uint64_t>(rounded);
}

Estimate operator+(Estimate a, Estimate b) {
  return {add_bounded(a.min, b.min), add_bounded(a.max, b.max)};
}
Estimate operator*(Estimate a, Estimate b) {
  return {multiply_bounded(a.min, b.min), multiply_bounded(a.max, b.max)};
}
Estimate operator*(Estimate a, double factor) {
  return {scale_bounded(a.min, factor), scale_bounded(a.max, factor)};
}
Estimate either(Estimate a, Estimate b) {
  return {std::min(a.min, b.min), std::max(a.max, b.max)};
}

bool estimate_call(std::string_view function, std::string_view overload, const CostNode* target,
                   const std::vector<CostNode>& arguments, const SizeHint& hint,
                   CallEstimate& estimate) {
  if (function == "_==_") return estimate_equality(arguments, estimate);
  return estimate_lists(overload, target, arguments, hint, estimate) ||
         estimate_text(function, target, arguments, hint, estimate) ||
         estimate_kubernetes(function, overload, arguments, hint, estimate);
}

}  // namespace keelson::codec::cel
