// Where pods may run: node selectors, affinity, spreading, tolerations.
#include <algorithm>

#include "codec/json.h"
#include "model/go_print.h"
#include "model/validation/pod.h"

namespace keelson::model {
namespace {

void check_requirement(const Path& path, const Value& r, bool lenient_values, FieldErrors& errors) {
  const std::string_view op = text_of(r, "operator");
  const Path values = path.child("values");
  if (op == "In" || op == "NotIn") {
    if (r["values"].empty())
      errors.required(values, "must be specified when `operator` is 'In' or 'NotIn'");
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (!r["values"].empty())
      errors.forbidden(values,
                       "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  } else if (op == "Gt" || op == "Lt") {
    if (r["values"].size() != 1)
      errors.required(values, "must be specified single value when `operator` is 'Lt' or 'Gt'");
  } else {
    errors.invalid(path.child("operator"), op, "not a valid selector operator");
  }
  errors.invalid_each(path.child("key"), r["key"], label_key_messages(text_of(r, "key")));
  if (lenient_values) return;
  for (std::size_t i = 0; i < r["values"].size(); ++i)
    errors.invalid_each(values.index(i), r["values"][i],
                        label_value_messages(r["values"][i].as_string()));
}

void check_field_requirement(const Path& path, const Value& r, FieldErrors& errors) {
  const std::string_view op = text_of(r, "operator");
  const Path values = path.child("values");
  if (op == "In" || op == "NotIn") {
    if (r["values"].size() != 1)
      errors.required(values,
                      "must be only one value when `operator` is 'In' or 'NotIn' for node field "
                      "selector");
  } else {
    errors.invalid(path.child("operator"), op, "not a valid selector operator");
  }
  if (text_of(r, "key") != "metadata.name") {
    errors.invalid(path.child("key"), text_of(r, "key"), "not a valid field selector key");
    return;
  }
  for (std::size_t i = 0; i < r["values"].size(); ++i)
    errors.invalid_each(values.index(i), r["values"][i],
                        subdomain_name(r["values"][i].as_string(), false));
}

void check_node_term(const Path& path, const Value& term, bool lenient_values,
                     FieldErrors& errors) {
  const Path expressions = path.child("matchExpressions"), fields = path.child("matchFields");
  for (std::size_t i = 0; i < term["matchExpressions"].size(); ++i)
    check_requirement(expressions.index(i), term["matchExpressions"][i], lenient_values, errors);
  for (std::size_t i = 0; i < term["matchFields"].size(); ++i)
    check_field_requirement(fields.index(i), term["matchFields"][i], errors);
}

void check_label_keys(const Path& path, const Value& constraint, const char* list,
                      FieldErrors& errors) {
  if (constraint[list].empty()) return;
  const Path keys = path.child(list);
  if (constraint["labelSelector"].is_null()) {
    errors.forbidden(keys, "must not be specified when labelSelector is not set");
    return;
  }
  for (std::size_t i = 0; i < constraint[list].size(); ++i)
    errors.invalid_each(keys.index(i), constraint[list][i],
                        label_key_messages(constraint[list][i].as_string()));
}

// What matchLabelKeys adds to the selector itself does not count as a clash.
void check_match_label_keys(const Path& path, const Value& constraint, FieldErrors& errors) {
  check_label_keys(path, constraint, "matchLabelKeys", errors);
  check_label_keys(path, constraint, "mismatchLabelKeys", errors);
  const Value& selector = constraint["labelSelector"];
  const auto& match = constraint["matchLabelKeys"].elements();
  if (!selector.is_null()) {
    Names keys;
    for (const codec::Member& m : selector["matchLabels"].members()) keys.emplace(m.key());
    for (const Value& e : selector["matchExpressions"].elements()) {
      const std::string key = e["key"].str();
      const auto at = std::find_if(match.begin(), match.end(),
                                   [&](const Value& v) { return v.as_string() == key; });
      if (at != match.end() && keys.count(key) > 0)
        errors.invalid(path.index(static_cast<std::size_t>(at - match.begin())), key,
                       "exists in both matchLabelKeys and labelSelector");
      keys.insert(key);
    }
  }
  const Path list = path.child("matchLabelKeys");
  for (std::size_t i = 0; i < match.size(); ++i)
    for (const Value& other : constraint["mismatchLabelKeys"].elements())
      if (other == match[i])
        errors.invalid(list.index(i), other, "exists in both matchLabelKeys and mismatchLabelKeys");
}

void check_pod_term(const Path& path, const Value& term, FieldErrors& errors) {
  check_label_selector(path.child("labelSelector"), term["labelSelector"], errors);
  check_label_selector(path.child("namespaceSelector"), term["namespaceSelector"], errors);
  for (const Value& name : term["namespaces"].elements())
    check_name(path.child("namespace"), name.as_string(), label_name, errors);
  check_match_label_keys(path, term, errors);
  const Path key = path.child("topologyKey");
  if (empty_text(term["topologyKey"])) errors.required(key, "can not be empty");
  errors.invalid_each(key, text_of(term, "topologyKey"),
                      label_key_messages(text_of(term, "topologyKey")));
}

void check_weight(const Path& path, const Value& term, FieldErrors& errors) {
  const auto weight = term["weight"].as_int();
  if (weight <= 0 || weight > 100)
    errors.invalid(path.child("weight"), weight, "must be in the range 1-100");
}

constexpr const char* kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
constexpr const char* kPreferred = "preferredDuringSchedulingIgnoredDuringExecution";

}  // namespace

void check_affinity(const Path& path, const Value& affinity, FieldErrors& errors) {
  if (const Value& node = affinity["nodeAffinity"]; !node.is_null()) {
    const Path at = path.child("nodeAffinity");
    if (!node[kRequired].is_null())
      check_node_selector(at.child(kRequired), node[kRequired], errors);
    const Path preferred = at.child(kPreferred);
    for (std::size_t i = 0; i < node[kPreferred].size(); ++i) {
      const Path term = preferred.index(i);
      check_weight(term, node[kPreferred][i], errors);
      check_node_term(term.child("preference"), node[kPreferred][i]["preference"], true, errors);
    }
  }
  for (const char* kind : {"podAffinity", "podAntiAffinity"}) {
    const Value& pods = affinity[kind];
    const Path at = path.child(kind);
    const Path required = at.child(kRequired), preferred = at.child(kPreferred);
    for (std::size_t i = 0; i < pods[kRequired].size(); ++i)
      check_pod_term(required.index(i), pods[kRequired][i], errors);
    for (std::size_t i = 0; i < pods[kPreferred].size(); ++i) {
      const Path term = preferred.index(i);
      check_weight(term, pods[kPreferred][i], errors);
      check_pod_term(term.child("podAffinityTerm"), pods[kPreferred][i]["podAffinityTerm"], errors);
    }
  }
}

void check_spread(const Path& path, const Value& constraints, FieldErrors& errors) {
  for (std::size_t i = 0; i < constraints.size(); ++i) {
    const Value& c = constraints[i];
    const Path at = path.index(i);
    check_positive(at.child("maxSkew"), c["maxSkew"], errors);
    if (empty_text(c["topologyKey"])) errors.required(at.child("topologyKey"), "can not be empty");
    check_supported(at.child("whenUnsatisfiable"), c["whenUnsatisfiable"],
                    {"DoNotSchedule", "ScheduleAnyway"}, errors);
    for (std::size_t j = i + 1; j < constraints.size(); ++j)
      if (constraints[j]["topologyKey"] == c["topologyKey"] &&
          constraints[j]["whenUnsatisfiable"] == c["whenUnsatisfiable"]) {
        errors.duplicate(at.child("{topologyKey, whenUnsatisfiable}"),
                         '{' + c["topologyKey"].str() + ", " + c["whenUnsatisfiable"].str() + '}');
        break;
      }
    if (const Value& domains = c["minDomains"]; !domains.is_null()) {
      check_positive(at.child("minDomains"), domains, errors);
      if (text_of(c, "whenUnsatisfiable") != "DoNotSchedule")
        errors.invalid(at.child("minDomains"), domains,
                       "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not " +
                           c["whenUnsatisfiable"].str());
    }
    for (const char* policy : {"nodeAffinityPolicy", "nodeTaintsPolicy"})
      if (!c[policy].is_null())
        check_supported(at.child(policy), c[policy], {"Honor", "Ignore"}, errors);
    check_match_label_keys(at, c, errors);
    check_label_selector(at.child("labelSelector"), c["labelSelector"], errors);
  }
}

void check_node_selector(const Path& path, const Value& selector, FieldErrors& errors) {
  const Path terms = path.child("nodeSelectorTerms");
  if (selector["nodeSelectorTerms"].empty())
    errors.required(terms, "must have at least one node selector term");
  for (std::size_t i = 0; i < selector["nodeSelectorTerms"].size(); ++i)
    check_node_term(terms.index(i), selector["nodeSelectorTerms"][i], false, errors);
}

void check_tolerations(const Path& path, const Value& tolerations, FieldErrors& errors) {
  for (std::size_t i = 0; i < tolerations.size(); ++i) {
    const Value& t = tolerations[i];
    const Path at = path.index(i);
    const std::string_view key = text_of(t, "key"), op = text_of(t, "operator");
    const std::string_view value = text_of(t, "value"), effect = text_of(t, "effect");
    if (!key.empty()) errors.invalid_each(at.child("key"), key, label_key_messages(key));
    if (key.empty() && op != "Exists")
      errors.invalid(at.child("operator"), op,
                     "operator must be Exists when `key` is empty, which means \"match all "
                     "values and all keys\"");
    if (!t["tolerationSeconds"].is_null() && effect != "NoExecute")
      errors.invalid(at.child("effect"), effect,
                     "effect must be 'NoExecute' when `tolerationSeconds` is set");
    if (op == "Equal" || op.empty()) {
      if (const Messages messages = label_value_messages(value); !messages.empty())
        errors.invalid(at.child("operator"), value, join(messages, ";"));
    } else if (op == "Exists") {
      if (!value.empty())
        errors.invalid(at.child("operator"), value,
                       "value must be empty when `operator` is 'Exists'");
    } else if (op == "Lt" || op == "Gt") {
      errors.not_supported(at.child("operator"), op, {"Equal", "Exists", "Lt", "Gt"});
    } else {
      errors.not_supported(at.child("operator"), op, {"Equal", "Exists"});
    }
    if (!effect.empty())
      check_supported(at.child("effect"), effect, {"NoSchedule", "PreferNoSchedule", "NoExecute"},
                      errors);
  }
}

}  // namespace keelson::model
