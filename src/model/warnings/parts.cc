// What the warnings of several kinds have in common: labels of nodes, fractions of bytes, jobs.
#include "model/warnings/rules.h"

namespace keelson::model {

std::string_view node_label_deprecation(std::string_view key) {
  constexpr std::pair<std::string_view, std::string_view> kLabels[] = {
      {"beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"},
      {"beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"},
      {"failure-domain.beta.kubernetes.io/region",
       "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"},
      {"failure-domain.beta.kubernetes.io/zone",
       "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"},
      {"beta.kubernetes.io/instance-type",
       "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"},
      {"app.kubernetes.io/created-by", "deprecated since v1.9"},
      {"scheduler.alpha.kubernetes.io/preferAvoidPods",
       "deprecated since v1.22; use Taints and Tolerations instead"},
      {"node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead"}};
  for (const auto& [label, why] : kLabels)
    if (label == key) return why;
  return {};
}

void warn_of_node_selector_term(const Path& path, const Value& term, bool check_values,
                                Warnings& warnings) {
  const Path expressions = path.child("matchExpressions");
  for (std::size_t i = 0; i < term["matchExpressions"].size(); ++i) {
    const Value& expression = term["matchExpressions"][i];
    const Path at = expressions.index(i), values = at.child("values");
    const std::string key = expression["key"].str();
    if (const auto why = node_label_deprecation(key); !why.empty())
      warnings.push_back(at.child("key").text() + ": " + key + " is " + std::string(why));
    if (!check_values) continue;
    for (std::size_t j = 0; j < expression["values"].size(); ++j) {
      const std::string value = expression["values"][j].str();
      for (const std::string& message : label_value_messages(value))
        warnings.push_back(values.index(j).text() + ": " + value + " is invalid, " + message);
    }
  }
}

void warn_of_fraction(const Path& path, const Value& resources, std::string_view key,
                      Warnings& warnings) {
  if (!resources.has(key)) return;
  const Quantity quantity = Quantity::of(resources[key]);
  constexpr Int128 kUnit = 1'000'000'000;
  if (quantity.nano() % kUnit != 0)
    warnings.push_back(
        path.key(key).text() + ": fractional byte value " +
        quote(resources[key].is_string() ? resources[key].as_string() : quantity.text()) +
        " is invalid, must be an integer");
}

void warn_of_claim_spec(const Path& path, const Value& spec, Warnings& warnings) {
  const Path resources = path.child("resources");
  for (std::string_view part : {"requests", "limits"})
    warn_of_fraction(resources.child(part), spec["resources"][part], "storage", warnings);
}

void warn_of_job_spec(const Path& path, const Value& spec, Warnings& warnings) {
  constexpr std::int64_t kCompletions = 100'000, kParallelism = 10'000;
  if (spec["completionMode"].as_string() == "Indexed" &&
      spec["completions"].as_int() > kCompletions && spec["parallelism"].as_int() > kParallelism)
    warnings.push_back(
        path.text() +
        ": In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher "
        "than 10^4, Kubernetes might not be able to track completedIndexes when a big number of "
        "indexes fail");
  const Path template_path = path.child("template");
  warn_of_pod(&template_path, spec["template"], warnings);
}

}  // namespace keelson::model
