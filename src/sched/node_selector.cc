// Parsing and matching of node selector terms.
#include "sched/node_selector.h"

#include <algorithm>

#include "base/text.h"
#include "model/formats.h"

namespace keelson::sched {
namespace {

using model::SelectorOperator;

struct OperatorName {
  std::string_view text;
  SelectorOperator op;
};
constexpr OperatorName kOperators[] = {
    {"In", SelectorOperator::in},           {"NotIn", SelectorOperator::not_in},
    {"Exists", SelectorOperator::exists},   {"DoesNotExist", SelectorOperator::does_not_exist},
    {"Gt", SelectorOperator::greater_than}, {"Lt", SelectorOperator::less_than},
};

// As labels.NewRequirement of apimachinery: what is not well formed.
void check(const model::Requirement& requirement, const std::vector<std::string>& values,
           const model::Path& path, model::FieldErrors& errors) {
  const model::Path values_path = path.child("values");
  const auto whole = [&](std::string_view detail) {
    errors.invalid(values_path, Value::array(), detail);
  };
  switch (requirement.op) {
    case SelectorOperator::in:
    case SelectorOperator::not_in:
      if (values.empty()) whole("for 'in', 'notin' operators, values set can't be empty");
      break;
    case SelectorOperator::exists:
    case SelectorOperator::does_not_exist:
      if (!values.empty()) whole("values set must be empty for exists and does not exist");
      break;
    default:
      if (values.size() != 1) whole("for 'Gt', 'Lt' operators, exactly one value is required");
      for (std::size_t i = 0; i < values.size(); ++i)
        if (!parse_int(values[i]))
          errors.invalid(values_path.index(i), values[i],
                         "for 'Gt', 'Lt' operators, the value must be an integer");
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto messages = model::label_value_messages(values[i]);
    if (messages.empty()) continue;
    const model::Path value_path = values_path.index(i);
    errors.invalid(value_path.key(requirement.key), values[i],
                   join(std::vector<std::string>(messages.begin(), messages.end()), "; "));
  }
}

}  // namespace

NodeSelectorTerm::NodeSelectorTerm(const Value& term, const model::Path& path) {
  const auto& expressions = term["matchExpressions"].elements();
  const auto& fields = term["matchFields"].elements();
  empty_ = expressions.empty() && fields.empty();
  model::FieldErrors errors;
  const model::Path expressions_path = path.child("matchExpressions");
  for (std::size_t i = 0; i < expressions.size(); ++i) {
    const Value& expression = expressions[i];
    const model::Path at = expressions_path.index(i);
    const auto known =
        std::find_if(std::begin(kOperators), std::end(kOperators),
                     [&](const auto& o) { return o.text == expression["operator"].as_string(); });
    if (known == std::end(kOperators)) {
      errors.invalid(at.child("operator"), expression["operator"], "unknown operator");
      continue;
    }
    model::Requirement requirement{expression["key"].str(), known->op, {}};
    for (const Value& value : expression["values"].elements())
      requirement.values.push_back(value.str());
    check(requirement, requirement.values, at, errors);
    std::sort(requirement.values.begin(), requirement.values.end());
    labels_.push_back(std::move(requirement));
  }
  const model::Path fields_path = path.child("matchFields");
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::string_view op = fields[i]["operator"].as_string();
    const model::Path at = fields_path.index(i);
    if (op != "In" && op != "NotIn")
      errors.invalid(at.child("operator"), fields[i]["operator"], "unknown operator");
    else if (fields[i]["values"].size() != 1)
      errors.invalid(at.child("values"), fields[i]["values"], "must have one element");
    else
      fields_.push_back({fields[i]["key"].str(), fields[i]["values"][0].str(), op == "In"});
  }
  for (const model::FieldError& error : errors.list()) errors_.push_back(error.text());
}

bool NodeSelectorTerm::matches(const Value& labels, std::string_view name) const {
  if (empty_ || !errors_.empty()) return false;
  for (const model::Requirement& requirement : labels_)
    if (!requirement.matches(labels)) return false;
  for (const FieldRule& rule : fields_) {
    // A field that nodes do not have reads as empty.
    const std::string_view actual = rule.key == "metadata.name" ? name : std::string_view();
    if ((actual == rule.value) != rule.equal) return false;
  }
  return true;
}

NodeSelector::NodeSelector(const Value& selector) {
  for (const Value& term : selector["nodeSelectorTerms"].elements())
    terms_.emplace_back(term, model::Path::root());
}

bool NodeSelector::matches(const Value& labels, std::string_view name) const {
  return std::any_of(terms_.begin(), terms_.end(),
                     [&](const NodeSelectorTerm& term) { return term.matches(labels, name); });
}

RequiredNodeAffinity::RequiredNodeAffinity(const Value& pod_spec)
    : node_selector_(pod_spec["nodeSelector"]) {
  const Value& required =
      pod_spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
  if (required.is_object()) affinity_.emplace_back(required);
}

bool RequiredNodeAffinity::matches(const NodeInfo& node) const {
  for (const codec::Member& member : node_selector_.members()) {
    const Value* label = node.label(member.key());
    if (!label || label->as_string() != member.value.as_string()) return false;
  }
  return affinity_.empty() || affinity_[0].matches(node.labels(), node.name());
}

}  // namespace keelson::sched
