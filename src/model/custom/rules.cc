#include "model/custom/rules.h"

#include <map>
#include <optional>

#include "base/text.h"
#include "model/cel/library.h"
#include "model/custom/rule_types.h"
#include "model/validation/custom_schema.h"

namespace keelson::model {

namespace {

using codec::Value;
using codec::cel::Datum;
using codec::cel::Environment;
using codec::cel::Program;
using codec::cel::ShapePtr;
using codec::cel::TypePtr;

constexpr const char* kRules = "x-kubernetes-validations";
constexpr std::int64_t kBudget = 10'000'000;  // of all rules on one object
constexpr std::size_t kMessageBytesMax = 5 * 1024;

std::shared_ptr<const Program> keep(Program program) {
  return std::make_shared<const Program>(std::move(program));
}

void compile_message(const Environment& environment, const codec::cel::SizeHint& hint,
                     CompiledRule& compiled) {
  const std::string_view text = compiled.rule["messageExpression"].as_string();
  if (text.empty()) return;
  const auto checked = codec::cel::check(text, environment);
  if (!checked.ok()) {
    compiled.message_error = "messageExpression compilation failed: " + checked.error().message;
    return;
  }
  if (codec::cel::output_type(**checked)->kind != codec::cel::Type::Kind::string) {
    compiled.message_error = "messageExpression must evaluate to a string";
    return;
  }
  Result<Program> program = codec::cel::plan(*checked);
  if (!program.ok()) {
    compiled.message_error = "messageExpression instantiation failed: " + program.error().message;
    return;
  }
  compiled.message_cost_max = codec::cel::estimate_cost(**checked, hint).max;
  compiled.message = keep(*program);
}

CompiledRule compile_rule(const Value& rule, const Environment& environment,
                          const codec::cel::SizeHint& hint) {
  CompiledRule compiled;
  compiled.rule = rule;
  const std::string_view text = rule["rule"].as_string();
  if (trim(text).empty()) return compiled;
  const auto checked = codec::cel::check(text, environment);
  if (!checked.ok()) {
    compiled.error = "compilation failed: " + checked.error().message;
    return compiled;
  }
  if (codec::cel::output_type(**checked)->kind != codec::cel::Type::Kind::boolean) {
    compiled.error = "cel expression must evaluate to a bool";
    return compiled;
  }
  compiled.uses_old = codec::cel::refers_to(**checked, "oldSelf");
  Result<Program> program = codec::cel::plan(*checked);
  if (!program.ok()) {
    compiled.error = "program instantiation failed: " + program.error().message;
    return compiled;
  }
  compiled.cost_max = codec::cel::estimate_cost(**checked, hint).max;
  compiled.program = keep(*program);
  compile_message(environment, hint, compiled);
  return compiled;
}

}  // namespace

std::vector<CompiledRule> compile_rules(const Value& rules, const TypePtr& type) {
  Environment plain{cel_library(), {{"self", type}, {"oldSelf", type}}};
  Environment optional{cel_library(), {{"self", type}, {"oldSelf", codec::cel::optional_of(type)}}};
  const codec::cel::SizeHint hint = size_hint(type);
  std::vector<CompiledRule> compiled;
  for (const Value& rule : rules.elements())
    compiled.push_back(
        compile_rule(rule, rule["optionalOldSelf"].as_bool() ? optional : plain, hint));
  return compiled;
}

// The schema's levels that have rules, or lead to some.
struct CustomRules::Node {
  std::string type;  // of the schema
  std::vector<CompiledRule> rules;
  std::vector<std::string> field_paths;  // normalised, by rule
  std::string failure;                   // why there are no rules
  ShapePtr shape;
  std::unique_ptr<Node> items, additional;
  std::map<std::string, std::unique_ptr<Node>, std::less<>> properties;
  std::vector<std::unique_ptr<Node>> all_of;
  std::vector<std::string> list_keys;
  bool map_list = false;

  static std::unique_ptr<Node> make(const Value& rules_at, const Value& schema, bool root);
};

// `rules_at` has the rules: the schema itself, or a branch of an allOf in it.
std::unique_ptr<CustomRules::Node> CustomRules::Node::make(const Value& rules_at,
                                                           const Value& schema, bool root) {
  auto node = std::make_unique<Node>();
  node->type = schema["type"].str();
  if (!rules_at[kRules].empty()) {
    const TypePtr type = rule_type(schema, "selfType1", root);
    if (!type) {
      node->failure = "failed to convert to declType for CEL validation rules";
    } else {
      node->rules = compile_rules(rules_at[kRules], type);
      for (const CompiledRule& rule : node->rules) {
        const std::string_view path = rule.rule["fieldPath"].as_string();
        const SchemaField field =
            path.empty() ? SchemaField{} : find_schema_field(schema, path, true);
        node->field_paths.push_back(field.why_not.empty() ? field.path : std::string());
      }
      node->shape = rule_shape(schema, root);
    }
  }
  const auto child = [](const Value& at, const Value& of) {
    const bool embedded = of["x-kubernetes-embedded-resource"].as_bool();
    return at.is_object() && of.is_object() ? make(at, of, embedded) : nullptr;
  };
  node->items = child(rules_at["items"], schema["items"]);
  node->additional = child(rules_at["additionalProperties"], schema["additionalProperties"]);
  for (const codec::Member& member : rules_at["properties"].members())
    if (auto property = child(member.value, schema["properties"][member.key()]))
      node->properties.emplace(std::string(member.key()), std::move(property));
  for (const Value& branch : rules_at["allOf"].elements())
    if (auto rules = make(branch, schema, root)) node->all_of.push_back(std::move(rules));
  node->map_list = schema["x-kubernetes-list-type"].as_string() == "map";
  for (const Value& key : schema["x-kubernetes-list-map-keys"].elements())
    node->list_keys.push_back(key.str());
  const bool empty = node->rules.empty() && node->failure.empty() && !node->items &&
                     !node->additional && node->properties.empty() && node->all_of.empty();
  return empty ? nullptr : std::move(node);
}

// One walk over an object. A budget of costs is shared by all rules.
class CustomRules::Check {
 public:
  Check(FieldErrors& errors, std::vector<std::string>& warnings)
      : errors_(errors), warnings_(warnings) {}

  // What is known of the value before the update. `same`: unchanged, so that failures are forgiven;
  // where a value has no counterpart, its nearest parent that has one decides.
  struct Before {
    const Value* old = nullptr;      // as rules see it; null pointer: none
    const Value* matched = nullptr;  // its counterpart, for forgiving
    bool parent_same = false;
    bool root = true;
  };

  void walk(const Node& node, const Path& path, const Value& value, const Before& before) {
    if (value.is_null() || stopped_) return;
    check_rules(node, path, value, before);
    for (const auto& branch : node.all_of) {
      if (stopped_) return;
      Before without = before;
      without.matched = nullptr;
      walk(*branch, path, value, without);
    }
    if (stopped_) return;
    if (value.is_array()) walk_items(node, path, value, before);
    if (value.is_object()) walk_members(node, path, value, before);
  }

 private:
  static bool same(const Before& before, const Value& value) {
    return before.matched ? *before.matched == value : before.parent_same;
  }

  void walk_members(const Node& node, const Path& path, const Value& value, const Before& before) {
    const auto member_before = [&](std::string_view name) {
      Before inner;
      inner.root = false;
      inner.old = before.old ? before.old->find(name) : nullptr;
      // A whole object's apiVersion and kind are not compared.
      if (before.root && (name == "apiVersion" || name == "kind")) return inner;
      inner.matched = before.matched ? before.matched->find(name) : nullptr;
      inner.parent_same = same(before, value);
      return inner;
    };
    for (const codec::Member& member : value.members()) {
      if (stopped_) return;
      if (node.additional)
        walk(*node.additional, path.key(member.key()), member.value, member_before(member.key()));
      const auto property = node.properties.find(member.key());
      if (property != node.properties.end())
        walk(*property->second, path.child(member.key()), member.value,
             member_before(member.key()));
    }
  }

  static std::string key_of(const Node& node, const Value& item) {
    std::string key;
    for (const std::string& name : node.list_keys) {
      const Value& part = item[name];
      const std::string text = part.is_string() ? "s" + part.str() : std::to_string(part.as_int());
      key += std::to_string(text.size()) + ' ' + text;
    }
    return key;
  }
  void walk_items(const Node& node, const Path& path, const Value& value, const Before& before) {
    if (!node.items) return;
    std::map<std::string, const Value*> old_items, matched_items;
    const auto index = [&](const Value* list, std::map<std::string, const Value*>& by_key) {
      if (!list || !node.map_list) return;
      for (const Value& item : list->elements()) by_key.emplace(key_of(node, item), &item);
    };
    index(before.old, old_items);
    index(before.matched, matched_items);
    for (std::size_t i = 0; i < value.size() && !stopped_; ++i) {
      Before inner;
      inner.root = false;
      inner.parent_same = same(before, value);
      if (node.map_list) {
        const std::string key = key_of(node, value[i]);
        if (const auto it = old_items.find(key); it != old_items.end()) inner.old = it->second;
        if (const auto it = matched_items.find(key); it != matched_items.end())
          inner.matched = it->second;
      }
      walk(*node.items, path.index(i), value[i], inner);
    }
  }

  void stop() { stopped_ = true; }
  void plain(const Node& node, const Path& path, const std::string& detail) {
    errors_.invalid(path, Value(node.type), detail);
  }
  bool charge(std::uint64_t cost) {
    if (cost > static_cast<std::uint64_t>(budget_)) return false;
    budget_ -= static_cast<std::int64_t>(cost);
    return true;
  }

  void check_rules(const Node& node, const Path& path, const Value& value, const Before& before) {
    constexpr const char* kOutOfBudget =
        "validation failed due to running out of cost budget, no further validation rules will be "
        "run";
    if (!node.failure.empty()) {
      plain(node, path, "rule compiler initialization error: " + node.failure);
      return;
    }
    if (node.rules.empty()) return;
    if (budget_ <= 0) {
      plain(node, path, kOutOfBudget);
      return stop();
    }
    const bool has_old = before.old && !before.old->is_null();
    const Datum self = codec::cel::view(value, node.shape);
    const Datum old_self = has_old ? codec::cel::view(*before.old, node.shape) : Datum::null();
    for (std::size_t i = 0; i < node.rules.size() && !stopped_; ++i) {
      const CompiledRule& rule = node.rules[i];
      if (!rule.error.empty()) {
        plain(node, path, "rule compile error: " + rule.error);
        continue;
      }
      const bool optional_old = rule.rule["optionalOldSelf"].as_bool();
      if (!rule.program || (rule.uses_old && !has_old && !optional_old)) continue;
      std::vector<Datum> variables = {self, old_self};
      if (optional_old)
        variables[1] = has_old ? Datum::optional_of(old_self) : Datum::optional_none();
      codec::cel::Budget budget;
      const Datum result = rule.program->evaluate(variables, budget);
      if (!charge(budget.used)) {
        plain(node, path, kOutOfBudget);
        return stop();
      }
      if (result.is_true()) continue;
      if (result.is_error()) {
        failed_to_run(node, path, rule, result);
        continue;
      }
      failed(node, i, path, value, variables, before);
    }
  }

  static std::string shown(const Value& rule) {
    const std::string_view message = rule["message"].as_string();
    return std::string(trim(message.empty() ? rule["rule"].as_string() : message));
  }

  void failed_to_run(const Node& node, const Path& path, const CompiledRule& rule,
                     const Datum& error) {
    const std::string why(error.text());
    if (why.starts_with("no such overload")) {
      plain(node, path,
            "'" + why +
                "': call arguments did not match a supported operator, function or macro "
                "signature for rule: " +
                shown(rule.rule));
    } else if (why.starts_with(codec::cel::kCostExceeded)) {
      plain(node, path,
            "'" + why +
                "': no further validation rules will be run due to call cost exceeds limit for "
                "rule: " +
                shown(rule.rule));
      stop();
    } else {
      plain(node, path, why + " evaluating rule: " + shown(rule.rule));
    }
  }

  void failed(const Node& node, std::size_t index, const Path& path, const Value& value,
              const std::vector<Datum>& variables, const Before& before) {
    const CompiledRule& rule = node.rules[index];
    const Path field = node.field_paths[index].empty() ? path : path.child(node.field_paths[index]);
    FieldErrors found;
    std::string detail;
    if (rule.message) {
      std::string fatal;
      detail = evaluated_message(rule, variables, fatal);
      if (!fatal.empty()) {
        found.invalid(field, Value(node.type), fatal);
        report(rule, before, value, std::move(found));
        return stop();
      }
    }
    if (detail.empty())
      detail = rule.rule["message"].as_string().empty() ? "failed rule: " + shown(rule.rule)
                                                        : shown(rule.rule);
    FieldError error;
    error.field = field.text();
    error.detail = detail;
    error.bad_value = value;
    error.omit_value = node.type == "object" || node.type == "array";
    const std::string_view reason = rule.rule["reason"].as_string();
    if (reason == "FieldValueForbidden")
      error.type = FieldError::Type::forbidden;
    else if (reason == "FieldValueRequired")
      error.type = FieldError::Type::required;
    else if (reason == "FieldValueDuplicate")
      error.type = FieldError::Type::duplicate;
    if (error.type == FieldError::Type::duplicate) error.detail.clear();
    found.add(std::move(error));
    report(rule, before, value, std::move(found));
  }

  void report(const CompiledRule& rule, const Before& before, const Value& value,
              FieldErrors found) {
    if (rule.uses_old || !same(before, value)) {
      errors_.add(std::move(found));
      return;
    }
    for (const FieldError& error : found.list()) warnings_.push_back(error.text());
  }

  // Empty if there is none that can be used; then the rule's own message is. `fatal`: the budget is
  // used up.
  std::string evaluated_message(const CompiledRule& rule, const std::vector<Datum>& variables,
                                std::string& fatal) {
    codec::cel::Budget budget;
    const Datum result = rule.message->evaluate(variables, budget);
    const std::string source = quote(rule.rule["messageExpression"].as_string());
    if (!charge(budget.used)) {
      fatal =
          "messageExpression evaluation failed due to running out of cost budget, no further "
          "validation rules will be run";
      return {};
    }
    if (result.is_error() && result.text().starts_with(codec::cel::kCostExceeded)) {
      fatal =
          "no further validation rules will be run due to call cost exceeds limit for "
          "messageExpression: " +
          source;
      return {};
    }
    if (!result.is_string()) return {};
    const std::string_view text = trim(result.text());
    const bool usable =
        text.size() <= kMessageBytesMax && text.find('\n') == std::string_view::npos;
    return usable ? std::string(text) : std::string();
  }

  FieldErrors& errors_;
  std::vector<std::string>& warnings_;
  std::int64_t budget_ = kBudget;
  bool stopped_ = false;
};

CustomRules::CustomRules(const Value& schema)
    : schema_(schema), root_(Node::make(schema_, schema_, true)) {}
CustomRules::~CustomRules() = default;

void CustomRules::check(const Value& object, const Value& old, FieldErrors& errors,
                        std::vector<std::string>& warnings) const {
  if (!root_) return;
  Check::Before before;
  if (!old.is_null()) before.old = before.matched = &old;
  Check(errors, warnings).walk(*root_, Path::root(), object, before);
}

const CustomRules& LazyCustomRules::get() const {
  std::call_once(once_, [&] { made_ = std::make_unique<const CustomRules>(schema_); });
  return *made_;
}

}  // namespace keelson::model
