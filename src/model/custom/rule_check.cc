// The rules of a definition, checked as it is written. Source: apiextensions validation.go and
// cel_validation.go.
#include <algorithm>
#include <cstdio>

#include "base/text.h"
#include "codec/go_text.h"
#include "codec/json.h"
#include "model/custom/rule_types.h"
#include "model/custom/rules.h"

namespace keelson::model {

namespace {

using codec::Value;

constexpr std::uint64_t kRuleCostMax = 10'000'000, kSchemaCostMax = 100'000'000;
constexpr std::size_t kShownMax = 4;

std::uint64_t times(std::uint64_t cost, std::uint64_t count) {
  if (cost == 0) return 0;
  return UINT64_MAX / cost < count ? UINT64_MAX : cost * count;
}

std::string cost_message(const std::string& what, std::uint64_t cost, std::uint64_t most) {
  const double factor = static_cast<double>(cost) / static_cast<double>(most);
  char text[64];
  if (factor > 100.0)
    std::snprintf(text, sizeof text, "more than 100x");
  else
    std::snprintf(text, sizeof text, factor < 1.5 ? "%fx" : "%.1fx", factor);
  return what + " exceeds budget by factor of " + text +
         " (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where "
         "arrays, maps, and strings are declared)";
}

// As the original's struct prints.
std::string printed(const Value& rule) {
  const auto text = [&](const char* name) { return codec::go_json(Value(rule[name].as_string())); };
  const auto optional = [&](const char* name) {
    return rule[name].is_null() ? std::string("null") : codec::to_json(rule[name]);
  };
  return "{\"Rule\":" + text("rule") + ",\"Message\":" + text("message") +
         ",\"MessageExpression\":" + text("messageExpression") +
         ",\"Reason\":" + optional("reason") + ",\"FieldPath\":" + text("fieldPath") +
         ",\"OptionalOldSelf\":" + optional("optionalOldSelf") + "}";
}

}  // namespace

RuleCheck::Place RuleCheck::below(const Place& place, const Value& schema) {
  Place child = place;
  child.in_scope = place.in_scope || !schema["x-kubernetes-validations"].empty();
  const std::string_view type = schema["type"].as_string();
  const Value* most = nullptr;
  if (type == "object" && !schema["additionalProperties"].is_null())
    most = &schema["maxProperties"];
  else if (type == "array")
    most = &schema["maxItems"];
  if (!most || !child.bounded) return child;
  if (most->is_null()) {
    child.bounded = false;
    return child;
  }
  const auto count = static_cast<std::uint64_t>(std::max<std::int64_t>(0, most->as_int()));
  child.count_max = times(place.count_max, count);
  return child;
}

void RuleCheck::check(const Path& path, const Value& schema, const Place& place, bool root,
                      FieldErrors& errors) {
  const Value& rules = schema["x-kubernetes-validations"];
  if (rules.empty()) return;
  const Path list = path.child("x-kubernetes-validations");
  const bool whole = root || schema["x-kubernetes-embedded-resource"].as_bool();
  const codec::cel::TypePtr type = rule_type(schema, "selfType1", whole);
  if (!type) {
    errors.internal(list,
                    "internal error: failed to construct type information for "
                    "x-kubernetes-validations rules: unable to convert structural schema to CEL "
                    "declarations");
    return;
  }
  const auto count =
      place.bounded ? place.count_max
                    : static_cast<std::uint64_t>(kRequestBytesMax / (type->serialized_min + 1));
  const std::vector<CompiledRule> compiled = compile_rules(rules, type);
  for (std::size_t i = 0; i < compiled.size(); ++i) {
    const CompiledRule& rule = compiled[i];
    const Path at = list.index(i);
    const Path at_rule = at.child("rule"), at_message = at.child("messageExpression");
    const std::uint64_t cost = times(rule.cost_max, count);
    if (cost > kRuleCostMax)
      errors.forbidden(at_rule, cost_message("estimated rule cost", cost, kRuleCostMax));
    observe(at_rule, cost);
    if (!rule.error.empty()) errors.invalid_printed(at_rule, printed(rule.rule), rule.error);
    if (!rule.message_error.empty()) {
      errors.invalid_printed(at_message, printed(rule.rule), rule.message_error);
    } else if (rule.message) {
      if (rule.message_cost_max > kRuleCostMax)
        errors.forbidden(at_message, cost_message("estimated messageExpression cost",
                                                  rule.message_cost_max, kRuleCostMax));
      observe(at_message, rule.message_cost_max);
    }
    if (rule.uses_old && place.uncorrelatable)
      errors.invalid(at_rule, rule.rule["rule"],
                     "oldSelf cannot be used on the uncorrelatable portion of the schema within " +
                         *place.uncorrelatable);
    if (!rule.uses_old && !rule.rule["optionalOldSelf"].is_null())
      errors.invalid(at.child("optionalOldSelf"), rule.rule["optionalOldSelf"],
                     "may not be set if oldSelf is not used in rule");
  }
}

void RuleCheck::observe(const Path& path, std::uint64_t cost) {
  total_ = UINT64_MAX - total_ < cost ? UINT64_MAX : total_ + cost;
  if (cost < kSchemaCostMax / 100) return;
  most_expensive_.push_back({path.text(), cost});
  std::stable_sort(most_expensive_.begin(), most_expensive_.end(),
                   [](const Cost& a, const Cost& b) { return a.cost > b.cost; });
  if (most_expensive_.size() > kShownMax) most_expensive_.resize(kShownMax);
}

void RuleCheck::check_total(const Path& path, FieldErrors& errors) const {
  if (total_ <= kSchemaCostMax) return;
  for (const Cost& one : most_expensive_) {
    FieldError error;
    error.type = FieldError::Type::forbidden;
    error.field = one.path;
    error.detail =
        "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
    errors.add(std::move(error));
  }
  errors.forbidden(path,
                   cost_message("x-kubernetes-validations estimated rule cost total for entire "
                                "OpenAPIv3 schema",
                                total_, kSchemaCostMax));
}

}  // namespace keelson::model
