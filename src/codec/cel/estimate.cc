// The estimate of what a checked expression costs at most, from how large its inputs can be.
// Source: cel-go checker/cost.go, whose quirks decide which rules of a definition are refused.
#include "codec/cel/estimate.h"

#include <map>
#include <optional>

#include "codec/cel/actual_cost.h"
#include "codec/cel/checked.h"
#include "codec/cel/text.h"

namespace keelson::codec::cel {

namespace {

using Path = std::vector<std::string>;
using MaybeSize = std::optional<Estimate>;

constexpr double kTraversal = 0.1;
constexpr double kPattern = 0.25;

// Of what a list or map holds.
struct EntrySize {
  Type::Kind container = Type::Kind::list;
  Estimate key, value;
};
using MaybeEntries = std::optional<EntrySize>;

struct LocalSize {
  Path path;
  MaybeSize size;
  MaybeEntries entries;
};

class Coster {
 public:
  explicit Coster(const SizeHint& hint) : hint_(hint) {}

  Estimate cost(const Expr& node) {
    switch (node.kind) {
      case Expr::Kind::literal: return {};
      case Expr::Kind::identifier:
        paths_[node.id] = local(node.name) ? local(node.name)->path : Path{node.name};
        return exactly(1);
      case Expr::Kind::select: return select(node);
      case Expr::Kind::call: return call(node);
      case Expr::Kind::list: return list(node);
      case Expr::Kind::map: return map(node);
      case Expr::Kind::object: {
        Estimate sum;
        for (const Expr* value : node.operands) sum = sum + cost(*value);
        return sum + exactly(kObjectCost);
      }
      case Expr::Kind::comprehension: return is_binding(node) ? binding(node) : fold(node);
    }
    return {};
  }

 private:
  const LocalSize* local(const std::string& name) const {
    const auto it = locals_.find(name);
    return it == locals_.end() || it->second.empty() ? nullptr : &it->second.back();
  }
  Path path_of(const Expr& node) const {
    if (node.kind == Expr::Kind::identifier)
      if (const LocalSize* variable = local(node.name)) return variable->path;
    const auto it = paths_.find(node.id);
    return it == paths_.end() ? Path{} : it->second;
  }
  Path path_with(const Expr& node, std::string_view part) const {
    Path path = path_of(node);
    path.emplace_back(part);
    return path;
  }

  static MaybeSize literal_size(const Expr& node) {
    switch (node.kind) {
      case Expr::Kind::literal:
        if (node.value.is_string()) return exactly(count_code_points(node.value.text()));
        if (node.value.is_bytes()) return exactly(node.value.text().size());
        return exactly(1);
      case Expr::Kind::list: return exactly(node.operands.size());
      case Expr::Kind::map: return exactly(node.operands.size() / 2);
      default: return std::nullopt;
    }
  }
  static bool is_scalar(const Type& type) {
    switch (type.kind) {
      case Type::Kind::boolean:
      case Type::Kind::number:
      case Type::Kind::duration:
      case Type::Kind::integer:
      case Type::Kind::timestamp:
      case Type::Kind::unsigned_integer: return true;
      default: return is_optional(type) && is_scalar(*type.parameters[0]);
    }
  }
  MaybeSize size(const Expr& node) {
    if (const auto it = sizes_.find(node.id); it != sizes_.end()) return it->second;
    if (const MaybeSize literal = literal_size(node)) return literal;
    Estimate known;
    if (const Path path = path_of(node); !path.empty() && hint_ && hint_(path, known)) {
      sizes_[node.id] = known;
      return known;
    }
    if (is_scalar(*node.type)) return exactly(1);
    if (node.kind == Expr::Kind::identifier)
      if (const LocalSize* variable = local(node.name)) return variable->size;
    return std::nullopt;
  }
  Estimate size_or_unknown(const Expr& node) { return size(node).value_or(kUnknownSize); }
  static Estimate size_or_unknown(const CostNode& node) {
    return node.has_size ? node.size : kUnknownSize;
  }
  MaybeEntries entries(const Expr& node) const {
    if (const auto it = entries_.find(node.id); it != entries_.end()) return it->second;
    if (node.kind == Expr::Kind::identifier)
      if (const LocalSize* variable = local(node.name)) return variable->entries;
    return std::nullopt;
  }
  void copy_sizes(const Expr& to, const Expr& from) {
    if (const MaybeSize known = size(from)) sizes_[to.id] = *known;
    if (const MaybeEntries known = entries(from)) entries_[to.id] = *known;
  }
  static MaybeEntries either_entries(const MaybeEntries& a, const MaybeEntries& b) {
    if (!a || !b) return std::nullopt;
    return EntrySize{a->container, either(a->key, b->key), either(a->value, b->value)};
  }

  CostNode cost_node(const Expr& node) {
    CostNode made;
    made.expr = &node;
    made.type = node.type;
    made.path = path_of(node);
    if (!made.path.empty() && made.path[0] == kAccumulator) made.path.clear();
    const MaybeSize known = size(node);
    made.has_size = known.has_value();
    if (known) made.size = *known;
    return made;
  }

  Estimate select(const Expr& node) {
    const Expr& operand = *node.operands[0];
    Estimate sum = cost(operand);
    if (node.test_only) return sum;
    const Type::Kind kind = operand.type->kind;
    if (kind == Type::Kind::map || kind == Type::Kind::object || operand.type->is_object_type)
      sum = sum + exactly(1);
    paths_[node.id] = path_with(operand, node.name);
    return sum;
  }

  Estimate call(const Expr& node) {
    if (node.name == "dyn" && !node.member) {
      const Expr& argument = *node.operands[0];
      const Estimate sum = cost(argument) + exactly(1);
      copy_sizes(node, argument);
      return sum;
    }
    const std::size_t first = node.member ? 1 : 0;
    std::vector<CostNode> arguments;
    std::vector<Estimate> costs;
    for (std::size_t i = first; i < node.operands.size(); ++i) {
      costs.push_back(cost(*node.operands[i]));
      arguments.push_back(cost_node(*node.operands[i]));
    }
    if (node.overloads.empty()) return {};
    Estimate sum;
    CostNode target;
    if (node.member) {
      sum = cost(*node.operands[0]);
      target = cost_node(*node.operands[0]);
    }
    Estimate total{kUnbounded, 0};
    MaybeSize result;
    for (const Overload* overload : node.overloads) {
      const CallEstimate one =
          function(node, *overload, node.member ? &target : nullptr, arguments, costs);
      total = either(total, one.cost);
      if (one.has_size) result = result ? either(*result, one.size) : one.size;
      const bool list = overload->id == "index_list";
      if ((list || overload->id == "index_map") && !arguments.empty()) {
        const Expr& container = *node.operands[first];
        const MaybeEntries known = entries(container);
        result = known ? MaybeSize(known->value) : std::nullopt;
        paths_[node.id] = path_with(container, list ? "@items" : "@values");
      }
      if (!result) result = size(node);
    }
    if (result) sizes_[node.id] = *result;
    return sum + total;
  }

  CallEstimate function(const Expr& node, const Overload& overload, const CostNode* target,
                        const std::vector<CostNode>& arguments,
                        const std::vector<Estimate>& costs) {
    Estimate before;
    for (const Estimate& argument : costs) before = before + argument;
    CallEstimate known;
    if (estimate_call(node.name, overload.id, target, arguments, hint_, known)) {
      known.cost = known.cost + before;
      return known;
    }
    const std::string_view id = overload.id;
    const auto size_at = [&](std::size_t i) { return size_or_unknown(arguments[i]); };
    const auto plain = [&](Estimate own) { return CallEstimate{own + before, false, {}}; };
    const auto sized = [&](Estimate own, Estimate size) {
      return CallEstimate{own + before, true, size};
    };
    if (id == "logical_or" || id == "logical_and")
      return {{costs[0].min, add_bounded(costs[0].max, costs[1].max)}, false, {}};
    if (id == "conditional") {
      if (const MaybeEntries held =
              either_entries(entries(*arguments[1].expr), entries(*arguments[2].expr)))
        entries_[node.id] = *held;
      return {costs[0] + either(costs[1], costs[2]), true, either(size_at(1), size_at(2))};
    }
    if (id == "string_format" && target) return plain(size_or_unknown(*target) * kTraversal);
    if (id == "string_to_bytes")
      return sized(size_at(0) * kTraversal, {size_at(0).min, size_at(0).max * 4});
    if (id == "bytes_to_string")
      return sized(size_at(0) * kTraversal, {size_at(0).min / 4, size_at(0).max});
    if (id == "strings_quote")
      return sized(size_at(0) * kTraversal, {size_at(0).min + 2, size_at(0).max * 2 + 2});
    if (id == "starts_with_string" || id == "ends_with_string")
      return plain(size_at(0) * kTraversal);
    if (id == "in_list") return plain(size_at(1) * 1.0);
    if (id == "matches_string" && target)
      return plain((size_or_unknown(*target) + exactly(1)) * kTraversal * (size_at(0) * kPattern));
    if (id == "contains_string" && target)
      return plain(size_or_unknown(*target) * kTraversal * (size_at(0) * kTraversal));
    if (id == "add_string" || id == "add_bytes" || id == "add_list") {
      const Estimate size = size_at(0) + size_at(1);
      if (const MaybeEntries held =
              either_entries(entries(*arguments[0].expr), entries(*arguments[1].expr)))
        entries_[node.id] = *held;
      return sized(id == "add_list" ? exactly(1) : size * kTraversal, size);
    }
    if (is_comparison(id)) {
      const std::uint64_t shorter = std::min(size_at(0).max, size_at(1).max);
      return plain(Estimate{shorter > 0 ? 1U : 0U, shorter} * kTraversal);
    }
    return plain(exactly(1));
  }
  static bool is_comparison(std::string_view id) {
    return id == "equals" || id == "not_equals" || id == "less_string" || id == "greater_string" ||
           id == "less_equals_string" || id == "greater_equals_string" || id == "less_bytes" ||
           id == "greater_bytes" || id == "less_equals_bytes" || id == "greater_equals_bytes";
  }

  Estimate list(const Expr& node) {
    Estimate sum;
    Estimate element{node.operands.empty() ? 0 : kUnbounded, 0};
    for (const Expr* operand : node.operands) {
      sum = sum + cost(*operand);
      element = either(element, size_or_unknown(*operand));
    }
    entries_[node.id] = {Type::Kind::list, exactly(1), element};
    return sum + exactly(kListCost);
  }
  Estimate map(const Expr& node) {
    Estimate sum;
    Estimate key{node.operands.empty() ? 0 : kUnbounded, 0};
    Estimate value = key;
    for (std::size_t i = 0; i + 1 < node.operands.size(); i += 2) {
      sum = sum + cost(*node.operands[i]) + cost(*node.operands[i + 1]);
      key = either(key, size_or_unknown(*node.operands[i]));
      value = either(value, size_or_unknown(*node.operands[i + 1]));
    }
    entries_[node.id] = {Type::Kind::map, key, value};
    return sum + exactly(kMapCost);
  }

  static bool is_binding(const Expr& node) {
    const Expr &range = *node.operands[Expr::kRange], &condition = *node.operands[Expr::kCondition];
    return range.kind == Expr::Kind::list && range.operands.empty() &&
           condition.kind == Expr::Kind::literal && condition.value.is_false() &&
           node.accumulator != kAccumulator;
  }
  void push(const std::string& name, LocalSize variable) {
    locals_[name].push_back(std::move(variable));
  }
  void push_value(const std::string& name, const Expr& node) {
    push(name, {path_of(node), size(node), entries(node)});
  }
  Estimate binding(const Expr& node) {
    const Expr& value = *node.operands[Expr::kInitial];
    const Expr& result = *node.operands[Expr::kResult];
    Estimate sum = cost(*node.operands[Expr::kRange]) + cost(value);
    push_value(node.accumulator, value);
    sum = sum + cost(result);
    locals_[node.accumulator].pop_back();
    copy_sizes(node, result);
    return sum;
  }

  void push_element(const std::string& name, const Expr& range, bool key) {
    const MaybeEntries known = entries(range);
    const bool is_list = (known ? known->container : range.type->kind) == Type::Kind::list;
    const std::string_view part =
        key ? (is_list ? "@indices" : "@keys") : (is_list ? "@items" : "@values");
    MaybeSize element;
    if (known) element = key ? known->key : known->value;
    push(name, {path_with(range, part), element, std::nullopt});
  }
  Estimate fold(const Expr& node) {
    const Expr& range = *node.operands[Expr::kRange];
    const Expr& initial = *node.operands[Expr::kInitial];
    const Expr& step = *node.operands[Expr::kStep];
    Estimate sum = cost(range) + cost(initial);
    push_value(node.accumulator, initial);
    const bool two = !node.variable2.empty();
    if (two) {
      push_element(node.variable, range, true);
      push_element(node.variable2, range, false);
    } else {
      const MaybeEntries known = entries(range);
      const bool is_list = (known ? known->container : range.type->kind) == Type::Kind::list;
      push_element(node.variable, range, !is_list);
    }
    const Estimate turn = cost(*node.operands[Expr::kCondition]);
    const Estimate each = cost(step) + turn;
    locals_[node.variable].pop_back();
    if (two) locals_[node.variable2].pop_back();
    sum = sum + cost(*node.operands[Expr::kResult]);
    locals_[node.accumulator].pop_back();
    const Estimate count = size_or_unknown(range);
    sum = sum + count * each;
    if (initial.kind == Expr::Kind::literal) {
      if (const MaybeSize known = size(initial)) sizes_[node.id] = *known;
    } else if (initial.kind == Expr::Kind::list || initial.kind == Expr::Kind::map) {
      sizes_[node.id] = count;
      if (const MaybeEntries held = entries(step)) entries_[node.id] = *held;
    }
    return sum;
  }

  const SizeHint& hint_;
  std::map<std::uint32_t, Path> paths_;
  std::map<std::uint32_t, Estimate> sizes_;
  std::map<std::uint32_t, EntrySize> entries_;
  std::map<std::string, std::vector<LocalSize>> locals_;
};

}  // namespace

Estimate estimate_cost(const Checked& checked, const SizeHint& hint) {
  return Coster(hint).cost(*checked.ast.root);
}

}  // namespace keelson::codec::cel
