// Parsing and matching of node selector terms.
#include "sched/node_selector.h"

#include <algorithm>

#include "base/text.h"

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

// Empty if the requirement is well formed.
std::string check(const model::Requirement& requirement) {
  const std::size_t count = requirement.values.size();
  switch (requirement.op) {
    case SelectorOperator::in:
    case SelectorOperator::not_in:
      return count > 0 ? "" : "for 'in', 'notin' operators, values set can't be empty";
    case SelectorOperator::exists:
    case SelectorOperator::does_not_exist:
      return count == 0 ? "" : "values set must be empty for exists and does not exist";
    default:
      if (count != 1) return "for 'Gt', 'Lt' operators, exactly one value is required";
      return parse_int(requirement.values[0])
                 ? ""
                 : "for 'Gt', 'Lt' operators, the value must be an integer";
  }
}

}  // namespace

NodeSelectorTerm::NodeSelectorTerm(const Value& term) {
  const auto& expressions = term["matchExpressions"].elements();
  const auto& fields = term["matchFields"].elements();
  empty_ = expressions.empty() && fields.empty();
  for (const Value& expression : expressions) {
    model::Requirement requirement;
    requirement.key = expression["key"].str();
    const auto known =
        std::find_if(std::begin(kOperators), std::end(kOperators),
                     [&](const auto& o) { return o.text == expression["operator"].as_string(); });
    if (known == std::end(kOperators)) {
      error_ = "unknown operator " + quote(expression["operator"].as_string());
      continue;
    }
    requirement.op = known->op;
    for (const Value& value : expression["values"].elements())
      requirement.values.push_back(value.str());
    std::sort(requirement.values.begin(), requirement.values.end());
    if (std::string problem = check(requirement); !problem.empty()) error_ = std::move(problem);
    labels_.push_back(std::move(requirement));
  }
  for (const Value& field : fields) {
    const std::string_view op = field["operator"].as_string();
    if (op != "In" && op != "NotIn")
      error_ = "unknown operator " + quote(op);
    else if (field["values"].size() != 1)
      error_ = "must have one element";
    else
      fields_.push_back({field["key"].str(), field["values"][0].str(), op == "In"});
  }
}

bool NodeSelectorTerm::matches(const Value& labels, std::string_view name) const {
  if (empty_ || !error_.empty()) return false;
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
  for (const Value& term : selector["nodeSelectorTerms"].elements()) terms_.emplace_back(term);
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
