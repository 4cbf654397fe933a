// Autoscalers, disruption budgets, priority classes, RBAC, leases, runtime classes.
#include <algorithm>

#include "codec/json.h"
#include "model/go_print.h"
#include "model/validation/pod.h"
#include "model/validation/rules.h"
#include "model/validation/statuses.h"

namespace keelson::model {
namespace {

const Path& spec_path() {
  static const Path path("spec");
  return path;
}

// What is asked of the apiVersion of a reference.
enum class ApiVersion : std::uint8_t { any, valid, grouped };

void check_target_reference(const Path& path, const Value& reference, ApiVersion wanted,
                            FieldErrors& errors) {
  for (const char* field : {"kind", "name"}) {
    if (empty_text(reference[field]))
      errors.required(path.child(field));
    else
      errors.invalid_each(path.child(field), reference[field],
                          path_segment_messages(text_of(reference, field)));
  }
  const std::string api = reference["apiVersion"].str();
  const auto slashes = std::count(api.begin(), api.end(), '/');
  if (wanted == ApiVersion::any) return;
  if (slashes > 1)
    errors.invalid(path.child("apiVersion"), api, "unexpected GroupVersion string: " + api);
  else if (wanted == ApiVersion::grouped && group_version_of(api).group.empty())
    errors.invalid(path.child("apiVersion"), api, "apiVersion must specify API group");
}

void check_metric_target(const Path& path, const Value& target, FieldErrors& errors) {
  const std::string_view type = text_of(target, "type");
  if (type.empty()) errors.required(path.child("type"), "must specify a metric target type");
  if (!is_one_of(type, {"Utilization", "Value", "AverageValue"}))
    errors.invalid(path.child("type"), type, "must be either Utilization, Value, or AverageValue");
  for (const char* field : {"value", "averageValue"})
    if (!target[field].is_null() && Quantity::of(target[field]).nano() <= 0)
      errors.invalid(path.child(field), target[field], "must be positive");
  const Value& utilization = target["averageUtilization"];
  if (!utilization.is_null() && utilization.as_int() < 1)
    errors.invalid(path.child("averageUtilization"), utilization, "must be greater than 0");
}

void check_metric_name(const Path& path, const Value& identifier, FieldErrors& errors) {
  if (empty_text(identifier["name"]))
    errors.required(path.child("name"), "must specify a metric name");
  else
    errors.invalid_each(path.child("name"), identifier["name"],
                        path_segment_messages(text_of(identifier, "name")));
}

void check_metric_source(const Path& path, std::string_view kind, const Value& source,
                         FieldErrors& errors) {
  const Path target = path.child("target");
  const Value& t = source["target"];
  const bool value = !t["value"].is_null(), average = !t["averageValue"].is_null();
  const bool utilization = !t["averageUtilization"].is_null();
  if (kind == "object")
    check_target_reference(path.child("describedObject"), source["describedObject"],
                           ApiVersion::valid, errors);
  if (kind == "object" || kind == "external" || kind == "pods")
    check_metric_name(path.child("metric"), source["metric"], errors);
  if (kind == "resource" || kind == "containerResource") {
    if (empty_text(source["name"]))
      errors.required(path.child("name"), "must specify a resource name");
    else if (kind == "containerResource")
      check_resource_name(path.child("name"), text_of(source, "name"), errors);
  }
  if (kind == "containerResource") {
    if (empty_text(source["container"]))
      errors.required(path.child("container"), "must specify a container");
    else
      check_name(path.child("container"), text_of(source, "container"), label_name, errors);
  }
  check_metric_target(target, t, errors);
  if (kind == "object" && !value && !average)
    errors.required(target.child("averageValue"), "must set either a target value or averageValue");
  if (kind == "external") {
    if (!value && !average)
      errors.required(target.child("averageValue"),
                      "must set either a target value for metric or a per-pod target");
    if (value && average)
      errors.forbidden(target.child("value"),
                       "may not set both a target value for metric and a per-pod target");
  }
  if (kind == "pods" && !average)
    errors.required(target.child("averageValue"), "must specify a positive target averageValue");
  if (kind == "resource" || kind == "containerResource") {
    if (!utilization && !average)
      errors.required(target.child("averageUtilization"),
                      "must set either a target raw value or a target utilization");
    if (utilization && average)
      errors.forbidden(target.child("averageValue"),
                       "may not set both a target raw value and a target utilization");
  }
}

const std::initializer_list<std::string_view> kMetricTypes = {"ContainerResource", "External",
                                                              "Object", "Pods", "Resource"};

void check_metric(const Path& path, const Value& metric, FieldErrors& errors) {
  const std::string type = metric["type"].str();
  if (type.empty()) errors.required(path.child("type"), "must specify a metric source type");
  check_supported(path.child("type"), type, kMetricTypes, errors);
  std::set<std::string> present;
  for (const char* kind : {"object", "external", "pods", "resource", "containerResource"}) {
    if (metric[kind].is_null()) continue;
    present.insert(kind);
    if (present.size() == 1) check_metric_source(path.child(kind), kind, metric[kind], errors);
  }
  std::string expected = type;
  if (is_one_of(type, kMetricTypes)) {
    expected[0] = static_cast<char>(expected[0] - 'A' + 'a');
    if (metric[expected].is_null())
      errors.required(path.child(expected),
                      "must populate information for the given metric source");
  } else {
    check_supported(path.child("type"), type, kMetricTypes, errors);
    expected.clear();
  }
  if (present.size() == 1) return;
  present.erase(expected);
  for (const std::string& kind : present)
    errors.forbidden(path.child(kind), "must populate the given metric source only");
}

void check_scaling_rules(const Path& path, const Value& rules, FieldErrors& errors) {
  if (rules.is_null()) return;
  const Value& window = rules["stabilizationWindowSeconds"];
  const Path at_window = path.child("stabilizationWindowSeconds");
  if (!window.is_null() && window.as_int() < 0)
    errors.invalid(at_window, window, "must be greater than or equal to zero");
  if (!window.is_null() && window.as_int() > 3600)
    errors.invalid(at_window, window, "must be less than or equal to 3600");
  if (!rules["selectPolicy"].is_null())
    check_supported(path.child("selectPolicy"), rules["selectPolicy"], {"Disabled", "Max", "Min"},
                    errors);
  const Path policies = path.child("policies");
  if (rules["policies"].empty()) errors.required(policies, "must specify at least one Policy");
  for (std::size_t i = 0; i < rules["policies"].size(); ++i) {
    const Value& policy = rules["policies"][i];
    const Path at = policies.index(i);
    check_supported(at.child("type"), policy["type"], {"Percent", "Pods"}, errors);
    for (const char* field : {"value", "periodSeconds"})
      check_positive(at.child(field), policy[field], errors);
    if (policy["periodSeconds"].as_int() > 1800)
      errors.invalid(at.child("periodSeconds"), policy["periodSeconds"],
                     "must be less than or equal to 1800");
  }
  if (!rules["tolerance"].is_null())
    check_quantity_not_negative(path.child("tolerance"), rules["tolerance"], errors);
}

void check_autoscaler(const Value& object, const Value& old, FieldErrors& errors) {
  const Value& spec = object["spec"];
  const Value &target = spec["scaleTargetRef"], &old_target = old["spec"]["scaleTargetRef"];
  const bool kept = !old.is_null() && target["kind"] == old_target["kind"] &&
                    target["apiVersion"] == old_target["apiVersion"];
  const ApiVersion wanted = kept ? ApiVersion::any
                            : text_of(target, "kind") == "ReplicationController"
                                ? ApiVersion::valid
                                : ApiVersion::grouped;
  const Value& least = spec["minReplicas"];
  const auto most = spec["maxReplicas"].as_int();
  if (!least.is_null() && least.as_int() < 1)
    errors.invalid(spec_path().child("minReplicas"), least, "must be greater than or equal to 1");
  const Path at_most = spec_path().child("maxReplicas");
  if (most == 0)
    errors.required(at_most, "must be set and greater than 0");
  else if (most < 0)
    errors.invalid(at_most, most, "must be greater than or equal to 1");
  if (!least.is_null() && most < least.as_int())
    errors.invalid(at_most, most, "must be greater than or equal to `minReplicas`");
  check_target_reference(spec_path().child("scaleTargetRef"), target, wanted, errors);
  const Path metrics = spec_path().child("metrics");
  for (std::size_t i = 0; i < spec["metrics"].size(); ++i)
    check_metric(metrics.index(i), spec["metrics"][i], errors);
  if (!least.is_null() && least.as_int() == 0) {
    const auto& all = spec["metrics"].elements();
    if (std::none_of(all.begin(), all.end(), [](const Value& m) {
          return is_one_of(text_of(m, "type"), {"Object", "External"});
        }))
      errors.forbidden(metrics,
                       "must specify at least one Object or External metric to support scaling to "
                       "zero replicas");
  }
  const Path behavior = spec_path().child("behavior");
  for (const char* direction : {"scaleUp", "scaleDown"})
    check_scaling_rules(behavior.child(direction), spec["behavior"][direction], errors);
}

void create_autoscaler(const Value& object, FieldErrors& errors) {
  check_autoscaler(object, Value(), errors);
}

void status_autoscaler(const Value& object, const Value&, FieldErrors& errors) {
  const Path status("status");
  for (const char* field : {"currentReplicas", "desiredReplicas"})
    check_not_negative(status.child(field), object["status"][field], errors);
}

void check_budget(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  if (!spec["minAvailable"].is_null() && !spec["maxUnavailable"].is_null())
    errors.invalid_printed(spec_path(),
                           printed_internal("io.k8s.api.policy.v1.PodDisruptionBudgetSpec", spec),
                           "minAvailable and maxUnavailable cannot be both set");
  for (const char* field : {"minAvailable", "maxUnavailable"}) {
    if (spec[field].is_null()) continue;
    check_positive_int_or_percent(spec_path().child(field), spec[field], errors);
    check_at_most_hundred_percent(spec_path().child(field), spec[field], errors);
  }
  check_label_selector(spec_path().child("selector"), spec["selector"], errors);
  if (!spec["unhealthyPodEvictionPolicy"].is_null())
    check_supported(spec_path().child("unhealthyPodEvictionPolicy"),
                    spec["unhealthyPodEvictionPolicy"], {"AlwaysAllow", "IfHealthyBudget"}, errors);
}

void update_budget(const Value& object, const Value&, FieldErrors& errors) {
  check_budget(object, errors);
}

void status_budget(const Value& object, const Value&, FieldErrors& errors) {
  const Path status("status");
  check_standard_conditions(status.child("conditions"), object["status"]["conditions"], errors);
  for (const char* field :
       {"disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"})
    check_not_negative(status.child(field), object["status"][field], errors);
}

void check_priority_class(const Value& object, FieldErrors& errors) {
  const std::string name = object["metadata"]["name"].str();
  const auto value = object["value"].as_int();
  if (name.substr(0, 7) == "system-") {
    const bool node = name == "system-node-critical", cluster = name == "system-cluster-critical";
    const std::int64_t wanted = node ? 2000001000 : 2000000000;
    std::string wrong;
    if (!node && !cluster)
      wrong = name + " is not a known system priority class";
    else if (value != wanted)
      wrong = "value of " + name + " PriorityClass must be " + std::to_string(wanted);
    else if (object["globalDefault"].as_bool())
      wrong = "globalDefault of " + name + " PriorityClass must be false";
    if (!wrong.empty())
      errors.forbidden(Path("metadata.name"),
                       "priority class names with 'system-' prefix are reserved for system use "
                       "only. error: " +
                           wrong);
  } else if (value > 1000000000) {
    errors.forbidden(Path("value"),
                     "maximum allowed value of a user defined priority is 1000000000");
  }
  if (!object["preemptionPolicy"].is_null())
    check_one_of(Path("preemptionPolicy"), object["preemptionPolicy"],
                 {"PreemptLowerPriority", "Never"}, errors);
}

void update_priority_class(const Value& object, const Value& old, FieldErrors& errors) {
  if (object["value"].as_int() != old["value"].as_int())
    errors.forbidden(Path("value"), "may not be changed in an update.");
  check_immutable(Path("preemptionPolicy"), object["preemptionPolicy"], old["preemptionPolicy"],
                  errors);
}

constexpr std::string_view kRbac = "rbac.authorization.k8s.io";

void check_policy_rules(const Value& rules, bool namespaced, FieldErrors& errors) {
  const Path list("rules");
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Value& rule = rules[i];
    const Path at = list.index(i);
    if (rule["verbs"].empty())
      errors.required(at.child("verbs"), "verbs must contain at least one value");
    if (const Value& urls = rule["nonResourceURLs"]; !urls.empty()) {
      if (namespaced)
        errors.invalid(at.child("nonResourceURLs"), urls,
                       "namespaced rules cannot apply to non-resource URLs");
      if (!rule["apiGroups"].empty() || !rule["resources"].empty() ||
          !rule["resourceNames"].empty())
        errors.invalid(at.child("nonResourceURLs"), urls,
                       "rules cannot apply to both regular resources and non-resource URLs");
      continue;
    }
    if (rule["apiGroups"].empty())
      errors.required(at.child("apiGroups"), "resource rules must supply at least one api group");
    if (rule["resources"].empty())
      errors.required(at.child("resources"), "resource rules must supply at least one resource");
  }
}

void check_role(const Value& object, FieldErrors& errors) {
  check_policy_rules(object["rules"], true, errors);
}

void check_cluster_role(const Value& object, FieldErrors& errors) {
  check_policy_rules(object["rules"], false, errors);
  if (object["aggregationRule"].is_null()) return;
  const Path path("aggregationRule.clusterRoleSelectors");
  const Value& selectors = object["aggregationRule"]["clusterRoleSelectors"];
  if (selectors.empty())
    errors.required(path,
                    "at least one clusterRoleSelector required if aggregationRule is non-nil");
  for (std::size_t i = 0; i < selectors.size(); ++i) {
    const std::size_t before = errors.size();
    check_label_selector(path.index(i), selectors[i], errors);
    if (errors.size() > before)
      errors.invalid_printed(path.index(i), "null", "invalid label selector.");
  }
}

template <bool kNamespaced>
void update_role(const Value& object, const Value& old, FieldErrors& errors) {
  const Path metadata("metadata");
  check_kind_metadata(object["metadata"], kNamespaced, path_segment_name, metadata, errors);
  if (kNamespaced)
    check_role(object, errors);
  else
    check_cluster_role(object, errors);
  check_kind_metadata_update(object["metadata"], old["metadata"], metadata, errors);
}

void check_subject(const Path& path, const Value& subject, bool namespaced, FieldErrors& errors) {
  const std::string_view kind = text_of(subject, "kind"), name = text_of(subject, "name");
  const std::string_view group = text_of(subject, "apiGroup");
  if (name.empty()) errors.required(path.child("name"));
  if (kind == "ServiceAccount") {
    if (!name.empty()) check_name(path.child("name"), name, subdomain_name, errors);
    if (!group.empty()) errors.not_supported(path.child("apiGroup"), group, {""});
    if (!namespaced && empty_text(subject["namespace"])) errors.required(path.child("namespace"));
  } else if (kind == "User" || kind == "Group") {
    if (group != kRbac) errors.not_supported(path.child("apiGroup"), group, {kRbac});
  } else {
    errors.not_supported(path.child("kind"), kind, {"ServiceAccount", "User", "Group"});
  }
}

void check_binding(const Value& object, bool namespaced, FieldErrors& errors) {
  const Path path("roleRef");
  const Value& role = object["roleRef"];
  if (text_of(role, "apiGroup") != kRbac)
    errors.not_supported(path.child("apiGroup"), text_of(role, "apiGroup"), {kRbac});
  if (namespaced)
    check_supported(path.child("kind"), role["kind"], {"Role", "ClusterRole"}, errors);
  else
    check_supported(path.child("kind"), role["kind"], {"ClusterRole"}, errors);
  if (empty_text(role["name"]))
    errors.required(path.child("name"));
  else
    errors.invalid_each(path.child("name"), role["name"],
                        path_segment_messages(text_of(role, "name")));
  const Path subjects("subjects");
  for (std::size_t i = 0; i < object["subjects"].size(); ++i)
    check_subject(subjects.index(i), object["subjects"][i], namespaced, errors);
}

template <bool kNamespaced>
void create_binding(const Value& object, FieldErrors& errors) {
  check_binding(object, kNamespaced, errors);
}

template <bool kNamespaced>
void update_binding(const Value& object, const Value& old, FieldErrors& errors) {
  const Path metadata("metadata");
  check_kind_metadata(object["metadata"], kNamespaced, path_segment_name, metadata, errors);
  check_binding(object, kNamespaced, errors);
  check_kind_metadata_update(object["metadata"], old["metadata"], metadata, errors);
  if (!(object["roleRef"] == old["roleRef"]))
    errors.invalid_printed(Path("roleRef"),
                           printed_internal("io.k8s.api.rbac.v1.RoleRef", object["roleRef"]),
                           "cannot change roleRef");
}

void check_lease(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  const Value &duration = spec["leaseDurationSeconds"], &transitions = spec["leaseTransitions"];
  if (!duration.is_null() && duration.as_int() <= 0)
    errors.invalid(spec_path().child("leaseDurationSeconds"), duration, "must be greater than 0");
  check_not_negative(spec_path().child("leaseTransitions"), transitions, errors);
  if (const Value& strategy = spec["strategy"]; !strategy.is_null()) {
    const std::string text = strategy.str();
    const std::vector<std::string> parts = split(text, '/');
    const Path path = spec_path().child("strategy");
    if (parts.size() == 1)
      check_supported(path, text, {"OldestEmulationVersion"}, errors);
    else
      errors.invalid_each(path, text, label_key_messages(text));
  }
  if (!empty_text(spec["preferredHolder"]) && empty_text(spec["strategy"]))
    errors.forbidden(spec_path().child("preferredHolder"),
                     "may only be specified if `strategy` is defined");
}

void check_runtime_class(const Value& object, FieldErrors& errors) {
  const Path handler("handler");
  if (empty_text(object["handler"]))
    errors.required(handler);
  else
    check_name(handler, text_of(object, "handler"), label_name, errors);
  if (!object["overhead"].is_null())
    check_resources(Path("overhead"), Value::object({{"limits", object["overhead"]["podFixed"]}}),
                    nullptr, false, errors);
  if (object["scheduling"].is_null()) return;
  const Path path("scheduling");
  const Value& tolerations = object["scheduling"]["tolerations"];
  check_labels(path.child("nodeSelector"), object["scheduling"]["nodeSelector"], errors);
  const Path list = path.child("tolerations");
  check_tolerations(list, tolerations, errors);
  std::vector<Value> seen;
  for (std::size_t i = 0; i < tolerations.size(); ++i) {
    Value key = tolerations[i];
    key.erase("tolerationSeconds");
    if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
      FieldError error{FieldError::Type::duplicate, list.index(i).text(), {}, {}, {}};
      error.printed = printed_internal("io.k8s.api.core.v1.Toleration", tolerations[i]);
      errors.add(std::move(error));
    }
    seen.push_back(key);
  }
}

void update_runtime_class(const Value& object, const Value& old, FieldErrors& errors) {
  check_immutable(Path("handler"), object["handler"], old["handler"], errors);
}

}  // namespace

std::vector<KindRules> policy_rules() {
  return {
      {.resource = "horizontalpodautoscalers.autoscaling",
       .create = create_autoscaler,
       .update = check_autoscaler,
       .status = status_autoscaler,
       .recheck = Recheck::none},
      {.resource = "poddisruptionbudgets.policy",
       .create = check_budget,
       .update = update_budget,
       .status = status_budget,
       .recheck = Recheck::custom,
       .own_metadata = true},
      {.resource = "priorityclasses.scheduling.k8s.io",
       .create = check_priority_class,
       .update = update_priority_class,
       .recheck = Recheck::none},
      {.resource = "roles.rbac.authorization.k8s.io",
       .name = path_segment_name,
       .create = check_role,
       .update = update_role<true>,
       .recheck = Recheck::custom},
      {.resource = "clusterroles.rbac.authorization.k8s.io",
       .name = path_segment_name,
       .create = check_cluster_role,
       .update = update_role<false>,
       .recheck = Recheck::custom},
      {.resource = "rolebindings.rbac.authorization.k8s.io",
       .name = path_segment_name,
       .create = create_binding<true>,
       .update = update_binding<true>,
       .recheck = Recheck::custom},
      {.resource = "clusterrolebindings.rbac.authorization.k8s.io",
       .name = path_segment_name,
       .create = create_binding<false>,
       .update = update_binding<false>,
       .recheck = Recheck::custom},
      {.resource = "leases.coordination.k8s.io", .create = check_lease, .any_finalizer = true},
      {.resource = "runtimeclasses.node.k8s.io",
       .create = check_runtime_class,
       .update = update_runtime_class,
       .recheck = Recheck::before,
       .any_finalizer = true},
  };
}

}  // namespace keelson::model
