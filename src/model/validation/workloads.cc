// pkg/apis/apps/validation: Deployments, ReplicaSets, StatefulSets, DaemonSets, revisions.
#include "codec/json.h"
#include "model/go_print.h"
#include "model/selector.h"
#include "model/validation/pod.h"
#include "model/validation/rules.h"

namespace keelson::model {
namespace {

const Path& spec_path() {
  static const Path path("spec");
  return path;
}

std::string printed_intstr(const Value& value) {
  return codec::to_json(value);
}

void check_immutable_selector(const Value& object, const Value& old, FieldErrors& errors) {
  const Value& now = object["spec"]["selector"];
  if (!(now == old["spec"]["selector"]))
    errors.invalid_printed(spec_path().child("selector"),
                           now.is_null() ? "null" : printed_selector(now), kImmutable);
}

// Of a selector that must be there and choose something.
void check_required_selector(const Value& spec, std::string_view kind, FieldErrors& errors) {
  const Path path = spec_path().child("selector");
  const Value& selector = spec["selector"];
  if (selector.is_null()) {
    errors.required(path);
    return;
  }
  check_label_selector(path, selector, errors);
  if (selector["matchLabels"].empty() && selector["matchExpressions"].empty())
    errors.invalid_printed(path, printed_selector(selector),
                           "empty selector is invalid for " + std::string(kind));
}

void check_template_of(const Value& spec, std::string_view kind, FieldErrors& errors) {
  const Path path = spec_path().child("template");
  check_pod_template(path, spec["template"], errors);
  const Value& pod = spec["template"]["spec"];
  if (text_of(pod, "restartPolicy") != "Always")
    errors.not_supported(path.child("spec.restartPolicy"), text_of(pod, "restartPolicy"),
                         {"Always"});
  if (!pod["activeDeadlineSeconds"].is_null())
    errors.forbidden(path.child("spec.activeDeadlineSeconds"),
                     "activeDeadlineSeconds in " + std::string(kind) + " is not Supported");
}

void check_selects_template(const Value& spec, const LabelSelector& selector, FieldErrors& errors) {
  const Value& labels = spec["template"]["metadata"]["labels"];
  if (!selector.matches(labels))
    errors.invalid(spec_path().child("template.metadata.labels"), labels,
                   "`selector` does not match template `labels`");
}

void check_replica_set_template(const Value& spec, FieldErrors& errors) {
  const auto selector = LabelSelector::of(spec["selector"]);
  if (!selector) {
    errors.invalid_printed(spec_path().child("selector"), printed_selector(spec["selector"]),
                           "invalid label selector");
    return;
  }
  if (!selector->matches_everything()) {
    // A selector that is absent matches nothing, which is no mismatch of its own.
    check_selects_template(spec, *selector, errors);
  }
  check_template_of(spec, "ReplicaSet", errors);
}

void check_rolling(const Value& rolling, FieldErrors& errors) {
  const Path path = spec_path().child("strategy.rollingUpdate");
  const Value &unavailable = rolling["maxUnavailable"], &surge = rolling["maxSurge"];
  check_positive_int_or_percent(path.child("maxUnavailable"), unavailable, errors);
  check_positive_int_or_percent(path.child("maxSurge"), surge, errors);
  if (percent_or_int(unavailable) == 0 && percent_or_int(surge) == 0)
    errors.invalid_printed(path.child("maxUnavailable"), printed_intstr(unavailable),
                           "may not be 0 when `maxSurge` is 0");
  check_at_most_hundred_percent(path.child("maxUnavailable"), unavailable, errors);
}

void check_deployment(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  check_not_negative(spec_path().child("replicas"), spec["replicas"], errors);
  check_required_selector(spec, "deployment", errors);
  check_replica_set_template(spec, errors);
  const Value& strategy = spec["strategy"];
  const Path path = spec_path().child("strategy");
  const std::string_view type = text_of(strategy, "type");
  if (type == "Recreate") {
    if (!strategy["rollingUpdate"].is_null())
      errors.forbidden(path.child("rollingUpdate"),
                       "may not be specified when strategy `type` is 'Recreate'");
  } else if (type == "RollingUpdate") {
    check_rolling(strategy["rollingUpdate"], errors);
  } else {
    FieldError error{FieldError::Type::not_supported, path.text(), {}, {}, {}};
    error.printed = printed_internal("io.k8s.api.apps.v1.DeploymentStrategy", strategy);
    error.detail = "supported values: \"Recreate\", \"RollingUpdate\"";
    errors.add(std::move(error));
  }
  check_not_negative(spec_path().child("minReadySeconds"), spec["minReadySeconds"], errors);
  check_not_negative(spec_path().child("revisionHistoryLimit"), spec["revisionHistoryLimit"],
                     errors);
  const Value& deadline = spec["progressDeadlineSeconds"];
  if (deadline.is_null()) return;
  const Path at = spec_path().child("progressDeadlineSeconds");
  check_not_negative(at, deadline, errors);
  if (deadline.as_int() <= spec["minReadySeconds"].as_int())
    errors.invalid(at, deadline, "must be greater than minReadySeconds");
}

void update_selector(const Value& object, const Value& old, FieldErrors& errors) {
  check_immutable_selector(object, old, errors);
}

void check_replica_set(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  check_not_negative(spec_path().child("replicas"), spec["replicas"], errors);
  check_not_negative(spec_path().child("minReadySeconds"), spec["minReadySeconds"], errors);
  check_required_selector(spec, "deployment", errors);
  check_replica_set_template(spec, errors);
}

void check_counts(const Value& object, std::initializer_list<const char*> counts,
                  FieldErrors& errors) {
  const Path status("status");
  for (const char* field : counts)
    check_not_negative(status.child(field), object["status"][field], errors);
}

void check_not_above(const Value& object, std::initializer_list<const char*> fields,
                     FieldErrors& errors,
                     std::string_view ready = "cannot be greater than readyReplicas") {
  const Path status("status");
  const Value& s = object["status"];
  for (const char* field : fields)
    if (s[field].as_int() > s["replicas"].as_int())
      errors.invalid(status.child(field), s[field].as_int(),
                     "cannot be greater than status.replicas");
  if (s["availableReplicas"].as_int() > s["readyReplicas"].as_int())
    errors.invalid(status.child("availableReplicas"), s["availableReplicas"].as_int(), ready);
}

void check_collisions(const Value& object, const Value& old, FieldErrors& errors) {
  const Value& before = old["status"]["collisionCount"];
  const auto now = object["status"]["collisionCount"].as_int();
  if (!before.is_null() && now < before.as_int())
    errors.invalid(Path("status.collisionCount"), now, "cannot be decremented");
}

void status_deployment(const Value& object, const Value& old, FieldErrors& errors) {
  check_counts(
      object,
      {"observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas",
       "unavailableReplicas", "terminatingReplicas", "collisionCount"},
      errors);
  check_not_above(object, {"updatedReplicas", "readyReplicas", "availableReplicas"}, errors);
  check_collisions(object, old, errors);
}

void status_replica_set(const Value& object, const Value&, FieldErrors& errors) {
  check_counts(object,
               {"replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas",
                "observedGeneration", "terminatingReplicas"},
               errors);
  check_not_above(object, {"fullyLabeledReplicas", "readyReplicas", "availableReplicas"}, errors);
}

void status_stateful_set(const Value& object, const Value& old, FieldErrors& errors) {
  check_counts(object,
               {"replicas", "readyReplicas", "currentReplicas", "updatedReplicas",
                "availableReplicas", "observedGeneration", "collisionCount"},
               errors);
  check_not_above(object,
                  {"readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"},
                  errors, "cannot be greater than status.readyReplicas");
  check_collisions(object, old, errors);
}

void status_daemon_set(const Value& object, const Value& old, FieldErrors& errors) {
  check_counts(object,
               {"currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled",
                "numberReady", "observedGeneration", "updatedNumberScheduled", "numberAvailable",
                "numberUnavailable", "collisionCount"},
               errors);
  check_collisions(object, old, errors);
}

void check_stateful_strategy(const Value& spec, FieldErrors& errors) {
  const Value& strategy = spec["updateStrategy"];
  const Value& rolling = strategy["rollingUpdate"];
  const Path path = spec_path().child("updateStrategy");
  const Path at = path.child("rollingUpdate");
  const std::string_view type = text_of(strategy, "type");
  if (type == "OnDelete") {
    if (!rolling.is_null())
      errors.invalid_printed(
          at,
          "{\"Partition\":" + codec::to_json(rolling["partition"].as_int()) +
              ",\"MaxUnavailable\":" + codec::to_json(rolling["maxUnavailable"]) + "}",
          "only allowed for updateStrategy 'RollingUpdate'");
  } else if (type == "RollingUpdate") {
    if (!rolling.is_null()) check_not_negative(at.child("partition"), rolling["partition"], errors);
  } else {
    const std::string inner =
        rolling.is_null()
            ? "null"
            : "{\"Partition\":" + codec::to_json(rolling["partition"].as_int()) +
                  ",\"MaxUnavailable\":" + codec::to_json(rolling["maxUnavailable"]) + "}";
    errors.invalid_printed(
        path, "{\"Type\":" + codec::to_json(strategy["type"]) + ",\"RollingUpdate\":" + inner + "}",
        "must be 'RollingUpdate' or 'OnDelete'");
  }
}

// The pods of a set have the claims' volumes too, and names that the set gives them.
Value stateful_template(const Value& spec) {
  Value pod = spec["template"];
  if (!pod["spec"].is_object()) return pod;
  Value& inner = pod.edit("spec");
  inner.erase("subdomain");
  inner.erase("hostname");
  if (spec["volumeClaimTemplates"].empty()) return pod;
  Value volumes = Value::array();
  std::set<std::string> names;
  for (const Value& claim : spec["volumeClaimTemplates"].elements()) {
    const Value& name = claim["metadata"]["name"];
    if (!names.insert(name.str()).second) continue;
    volumes.push_back(Value::object(
        {{"name", name}, {"persistentVolumeClaim", Value::object({{"claimName", name}})}}));
  }
  for (const Value& volume : inner["volumes"].elements())
    if (names.count(volume["name"].str()) == 0) volumes.push_back(volume);
  inner.set("volumes", volumes);
  return pod;
}

void check_stateful_template(const Value& spec, FieldErrors& errors) {
  const Path path = spec_path().child("template");
  const auto selector = LabelSelector::of(spec["selector"]);
  if (!selector) {
    errors.invalid_printed(spec_path().child("selector"), printed_selector(spec["selector"]), "");
  } else {
    if (!selector->matches_everything()) check_selects_template(spec, *selector, errors);
    const Value pod = stateful_template(spec);
    check_pod_template(path, pod, errors);
    check_labels(path.child("labels"), pod["metadata"]["labels"], errors);
    check_annotations(path.child("annotations"), pod["metadata"]["annotations"], errors);
    check_pod_annotations(path.child("annotations"), pod["metadata"]["annotations"], pod["spec"],
                          errors);
  }
  const Value& inner = spec["template"]["spec"];
  if (text_of(inner, "restartPolicy") != "Always")
    errors.not_supported(path.child("spec.restartPolicy"), text_of(inner, "restartPolicy"),
                         {"Always"});
  if (!inner["activeDeadlineSeconds"].is_null())
    errors.forbidden(path.child("spec.activeDeadlineSeconds"),
                     "activeDeadlineSeconds in StatefulSet is not Supported");
}

void check_stateful_spec(const Value& object, bool creation, FieldErrors& errors) {
  const Value& spec = object["spec"];
  const std::string_view management = text_of(spec, "podManagementPolicy");
  const Path policy = spec_path().child("podManagementPolicy");
  if (management.empty())
    errors.required(policy);
  else if (management != "OrderedReady" && management != "Parallel")
    errors.invalid(policy, management, "must be 'OrderedReady' or 'Parallel'");
  check_stateful_strategy(spec, errors);
  const Path retention = spec_path().child("persistentVolumeClaimRetentionPolicy");
  if (!spec["persistentVolumeClaimRetentionPolicy"].is_null())
    for (const char* field : {"whenDeleted", "whenScaled"})
      check_supported(retention.child(field), spec["persistentVolumeClaimRetentionPolicy"][field],
                      {"Retain", "Delete"}, errors);
  const Path claims = spec_path().child("volumeClaimTemplates");
  for (std::size_t i = 0; creation && i < spec["volumeClaimTemplates"].size(); ++i) {
    const Path at = claims.index(i);
    check_claim_spec(at.child("spec"), spec["volumeClaimTemplates"][i]["spec"], errors);
  }
  check_not_negative(spec_path().child("replicas"), spec["replicas"], errors);
  check_not_negative(spec_path().child("minReadySeconds"), spec["minReadySeconds"], errors);
  check_not_negative(spec_path().child("ordinals.start"), spec["ordinals"]["start"], errors);
  if (creation && !empty_text(spec["serviceName"]))
    errors.invalid_each(spec_path().child("serviceName"), spec["serviceName"],
                        dns1123_label_messages(text_of(spec, "serviceName")));
  check_required_selector(spec, "statefulset", errors);
  check_stateful_template(spec, errors);
}

void check_stateful_set(const Value& object, FieldErrors& errors) {
  check_stateful_spec(object, true, errors);
}

void update_stateful_set(const Value& object, const Value& old, FieldErrors& errors) {
  check_stateful_spec(object, false, errors);
  Value now = object["spec"];
  for (const char* field : {"replicas", "template", "updateStrategy", "minReadySeconds", "ordinals",
                            "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy"}) {
    if (old["spec"].has(field))
      now.set(field, old["spec"][field]);
    else
      now.erase(field);
  }
  if (!(now == old["spec"]))
    errors.forbidden(spec_path(),
                     "updates to statefulset spec for fields other than 'replicas', 'ordinals', "
                     "'template', 'updateStrategy', 'revisionHistoryLimit', "
                     "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
}

void check_daemon_strategy(const Value& spec, FieldErrors& errors) {
  const Value& strategy = spec["updateStrategy"];
  const Path path = spec_path().child("updateStrategy");
  const std::string_view type = text_of(strategy, "type");
  if (type == "OnDelete") return;
  const Path at = path.child("rollingUpdate");
  const Value& rolling = strategy["rollingUpdate"];
  if (type != "RollingUpdate") {
    FieldError error{FieldError::Type::not_supported, path.text(), {}, {}, {}};
    error.printed = printed_internal("io.k8s.api.apps.v1.DaemonSetUpdateStrategy", strategy);
    error.detail = "supported values: \"RollingUpdate\", \"OnDelete\"";
    errors.add(std::move(error));
    return;
  }
  if (rolling.is_null()) {
    errors.required(at);
    return;
  }
  for (const char* field : {"maxUnavailable", "maxSurge"})
    check_positive_int_or_percent(at.child(field), rolling[field], errors);
  for (const char* field : {"maxUnavailable", "maxSurge"})
    check_at_most_hundred_percent(at.child(field), rolling[field], errors);
  const bool unavailable = percent_or_int(rolling["maxUnavailable"]) != 0;
  const bool surge = percent_or_int(rolling["maxSurge"]) != 0;
  if (unavailable && surge)
    errors.invalid_printed(at.child("maxSurge"), printed_intstr(rolling["maxSurge"]),
                           "may not be set when maxUnavailable is non-zero");
  if (!unavailable && !surge)
    errors.required(at.child("maxUnavailable"), "cannot be 0 when maxSurge is 0");
}

void check_daemon_set(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  const Path selector_path = spec_path().child("selector");
  check_label_selector(selector_path, spec["selector"], errors);
  if (const auto selector = LabelSelector::of(spec["selector"]))
    check_selects_template(spec, *selector, errors);
  if (!spec["selector"].is_null() && spec["selector"]["matchLabels"].empty() &&
      spec["selector"]["matchExpressions"].empty())
    errors.invalid_printed(selector_path, printed_selector(spec["selector"]),
                           "empty selector is invalid for daemonset");
  check_template_of(spec, "DaemonSet", errors);
  check_not_negative(spec_path().child("minReadySeconds"), spec["minReadySeconds"], errors);
  check_daemon_strategy(spec, errors);
  check_not_negative(spec_path().child("revisionHistoryLimit"), spec["revisionHistoryLimit"],
                     errors);
}

void update_daemon_set(const Value& object, const Value& old, FieldErrors& errors) {
  check_immutable_selector(object, old, errors);
  check_daemon_set(object, errors);
}

void check_revision_number(const Value& object, FieldErrors& errors) {
  check_not_negative(Path("revision"), object["revision"], errors);
}

void check_revision(const Value& object, FieldErrors& errors) {
  check_revision_number(object, errors);
  const Value& data = object["data"];
  if (data.is_null())
    errors.required(Path("data"), "data is mandatory");
  else if (!data.is_object())
    errors.required(Path("data"), "data must be a valid JSON object");
}

void update_revision(const Value& object, const Value& old, FieldErrors& errors) {
  check_kind_metadata(object["metadata"], true, subdomain_name, Path("metadata"), errors);
  check_revision_number(object, errors);
  check_immutable(Path("data"), object["data"], old["data"], errors);
}

}  // namespace

std::vector<KindRules> workload_rules() {
  return {
      {.resource = "deployments.apps",
       .create = check_deployment,
       .update = update_selector,
       .status = status_deployment},
      {.resource = "replicasets.apps",
       .create = check_replica_set,
       .update = update_selector,
       .status = status_replica_set},
      {.resource = "statefulsets.apps",
       .name = label_name,
       .create = check_stateful_set,
       .update = update_stateful_set,
       .status = status_stateful_set,
       .recheck = Recheck::none},
      {.resource = "daemonsets.apps",
       .create = check_daemon_set,
       .update = update_daemon_set,
       .status = status_daemon_set,
       .recheck = Recheck::none},
      {.resource = "controllerrevisions.apps",
       .create = check_revision,
       .update = update_revision,
       .recheck = Recheck::none},
  };
}

}  // namespace keelson::model
