// The core group's kinds without pods, services and volumes.
#include <algorithm>
#include <array>
#include <map>

#include "codec/json.h"
#include "model/go_print.h"
#include "model/validation/pod.h"
#include "model/validation/rules.h"
#include "model/validation/statuses.h"

namespace keelson::model {
namespace {

constexpr std::size_t kDataMax = 1024 * 1024;

std::size_t decoded_size(const Value& base64) {
  const std::string_view text = base64.as_string();
  std::size_t pad = 0;
  for (std::size_t i = text.size(); i > 0 && text[i - 1] == '='; --i) ++pad;
  return text.size() / 4 * 3 - pad;
}

void check_immutable_data(const Value& object, const Value& old,
                          std::initializer_list<const char*> fields, FieldErrors& errors) {
  if (!old["immutable"].as_bool()) return;
  constexpr std::string_view detail = "field is immutable when `immutable` is set";
  if (!object["immutable"].as_bool()) errors.forbidden(Path("immutable"), detail);
  for (const char* field : fields)
    if (!(object[field] == old[field])) errors.forbidden(Path(field), detail);
}

void check_config_map(const Value& object, FieldErrors& errors) {
  const Path data("data"), binary("binaryData");
  std::size_t size = 0;
  for (const codec::Member& m : object["data"].members()) {
    errors.invalid_each(data.key(m.key()), m.key(), config_map_key_messages(m.key()));
    if (object["binaryData"].has(m.key()))
      errors.invalid(data.key(m.key()), m.key(), "duplicate of key present in binaryData");
    size += m.value.as_string().size();
  }
  for (const codec::Member& m : object["binaryData"].members()) {
    errors.invalid_each(binary.key(m.key()), m.key(), config_map_key_messages(m.key()));
    size += decoded_size(m.value);
  }
  if (size > kDataMax)
    errors.add({FieldError::Type::too_long, "[]", {}, "may not be more than 1048576 bytes", {}});
}

void update_config_map(const Value& object, const Value& old, FieldErrors& errors) {
  check_immutable_data(object, old, {"data", "binaryData"}, errors);
  check_kind_metadata(object["metadata"], true, subdomain_name, Path("metadata"), errors);
  check_config_map(object, errors);
}

void check_json_secret(const Value& data, const char* key, FieldErrors& errors) {
  const Path path("data");
  const Value* value = data.find(key);
  if (value == nullptr) {
    errors.required(path.key(key));
    return;
  }
  const auto text = from_base64(value->as_string());
  const auto parsed = codec::parse_json(text.value_or(""));
  constexpr std::string_view redacted = "<secret contents redacted>";
  if (!parsed) {
    errors.invalid(path.key(key), redacted, parsed.error().message);
  } else if (!parsed->is_object() && !parsed->is_null()) {
    const char* kind = parsed->is_array()    ? "array"
                       : parsed->is_string() ? "string"
                       : parsed->is_bool()   ? "bool"
                                             : "number";
    errors.invalid(path.key(key), redacted,
                   std::string("json: cannot unmarshal ") + kind +
                       " into Go value of type map[string]interface {}");
  }
}

void check_secret(const Value& object, FieldErrors& errors) {
  const Path path("data");
  const Value& data = object["data"];
  std::size_t size = 0;
  for (const codec::Member& m : data.members()) {
    errors.invalid_each(path.key(m.key()), m.key(), config_map_key_messages(m.key()));
    size += decoded_size(m.value);
  }
  if (size > kDataMax) errors.too_long(path, kDataMax);
  const std::string_view type = text_of(object, "type");
  const auto require = [&](std::initializer_list<const char*> keys) {
    for (const char* key : keys)
      if (!data.has(key)) errors.required(path.key(key));
  };
  if (type == "kubernetes.io/service-account-token") {
    constexpr std::string_view name = "kubernetes.io/service-account.name";
    const Path annotations("metadata.annotations");
    if (empty_text(object["metadata"]["annotations"][name])) errors.required(annotations.key(name));
  } else if (type == "kubernetes.io/dockercfg") {
    check_json_secret(data, ".dockercfg", errors);
  } else if (type == "kubernetes.io/dockerconfigjson") {
    check_json_secret(data, ".dockerconfigjson", errors);
  } else if (type == "kubernetes.io/basic-auth") {
    if (!data.has("username") && !data.has("password")) require({"username", "password"});
  } else if (type == "kubernetes.io/ssh-auth") {
    if (empty_text(data["ssh-privatekey"])) errors.required(path.key("ssh-privatekey"));
  } else if (type == "kubernetes.io/tls") {
    require({"tls.crt", "tls.key"});
  }
}

void update_secret(const Value& object, const Value& old, FieldErrors& errors) {
  check_immutable(Path("type"), object["type"], old["type"], errors);
  check_immutable_data(object, old, {"data"}, errors);
  check_kind_metadata(object["metadata"], true, subdomain_name, Path("metadata"), errors);
  check_secret(object, errors);
}

void check_namespace_finalizer(const Path& path, std::string_view name, FieldErrors& errors) {
  check_qualified_name(path, name, errors);
  if (name.find('/') == std::string_view::npos &&
      !is_one_of(name, {"kubernetes", "orphan", "foregroundDeletion"}))
    errors.invalid(path, name,
                   "name is neither a standard finalizer name nor is it fully qualified");
}

void check_namespace(const Value& object, FieldErrors& errors) {
  const Path path("spec.finalizers");
  for (const Value& finalizer : object["spec"]["finalizers"].elements())
    check_namespace_finalizer(path, finalizer.as_string(), errors);
}

// Deletion and phase go together.
void status_namespace(const Value& object, const Value&, FieldErrors& errors) {
  const Path path("status.Phase");
  const Value& phase = object["status"]["phase"];
  const bool deleting = !object["metadata"]["deletionTimestamp"].is_null();
  if (deleting && phase.as_string() != "Terminating")
    errors.invalid(path, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
  else if (!deleting && phase.as_string() != "Active")
    errors.invalid(path, phase, "may only be 'Active' if `deletionTimestamp` is empty");
}

void finalize_namespace(std::string_view, const Value& object, const Value&, FieldErrors& errors) {
  const Path path("spec.finalizers");
  const Value& finalizers = object["spec"]["finalizers"];
  for (std::size_t i = 0; i < finalizers.size(); ++i)
    check_namespace_finalizer(path.index(i), finalizers[i].as_string(), errors);
}

void check_taints(const Path& path, const Value& taints, FieldErrors& errors) {
  std::set<std::pair<std::string, std::string>> seen;
  for (std::size_t i = 0; i < taints.size(); ++i) {
    const Value& taint = taints[i];
    const Path at = path.index(i);
    errors.invalid_each(at.child("key"), text_of(taint, "key"),
                        label_key_messages(text_of(taint, "key")));
    if (const Messages messages = label_value_messages(text_of(taint, "value")); !messages.empty())
      errors.invalid(at.child("value"), taint["value"], join(messages, ";"));
    check_one_of(at.child("effect"), taint["effect"],
                 {"NoSchedule", "PreferNoSchedule", "NoExecute"}, errors);
    if (seen.emplace(taint["key"].str(), taint["effect"].str()).second) continue;
    FieldError error{FieldError::Type::duplicate, at.text(), {}, {}, {}};
    error.printed = printed_internal("io.k8s.api.core.v1.Taint", taint);
    error.detail = "taints must be unique by key and effect pair";
    errors.add(std::move(error));
  }
}

void check_node_quantities(const Value& object, FieldErrors& errors) {
  for (const char* list : {"capacity", "allocatable"}) {
    const Path status("status");
    const Path path = status.child(list);
    for (const codec::Member& m : object["status"][list].members())
      check_resource_quantity(path.child(m.key()), m.key(), m.value, errors);
  }
}

void check_node(const Value& object, FieldErrors& errors) {
  const Path metadata("metadata");
  const Value& spec = object["spec"];
  check_taints(metadata.child("taints"), spec["taints"], errors);
  check_node_quantities(object, errors);
  const Path ranges("spec.podCIDRs");
  const Value& all = spec["podCIDRs"];
  bool four = false, six = false;
  for (std::size_t i = 0; i < all.size(); ++i) {
    check_cidr(ranges.index(i), all[i].as_string(), errors);
    (all[i].as_string().find(':') == std::string_view::npos ? four : six) = true;
  }
  if (all.size() > 1 && (!four || !six || all.size() > 2))
    errors.invalid(ranges, all, "may specify no more than one CIDR for each IP family");
}

void update_node(const Value& object, const Value& old, FieldErrors& errors) {
  check_node_quantities(object, errors);
  const Path addresses("status.addresses"), metadata("metadata");
  const auto& list = object["status"]["addresses"].elements();
  for (std::size_t i = 0; i < list.size(); ++i)
    if (std::find(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(i), list[i]) !=
        list.begin() + static_cast<std::ptrdiff_t>(i))
      errors.duplicate(addresses.index(i), list[i]);
  const Value& had = old["spec"]["podCIDRs"];
  const Value& has = object["spec"]["podCIDRs"];
  constexpr std::string_view range =
      "node updates may not change podCIDR except from \"\" to valid";
  if (!had.empty()) {
    if (had.size() != has.size()) errors.forbidden(Path("spec.podCIDRs"), range);
    for (std::size_t i = 0; had.size() == has.size() && i < had.size(); ++i)
      if (!(had[i] == has[i])) errors.forbidden(Path("spec.podCIDRs"), range);
  }
  const Value& provider = old["spec"]["providerID"];
  if (!empty_text(provider) && !(provider == object["spec"]["providerID"]))
    errors.forbidden(Path("spec.providerID"),
                     "node updates may not change providerID except from \"\" to valid");
  check_taints(metadata.child("taints"), object["spec"]["taints"], errors);
  if (text_of(object["spec"], "externalID") != text_of(old["spec"], "externalID"))
    errors.forbidden(Path("spec.externalID"), "may not be updated");
}

bool is_quota_resource(std::string_view name) {
  return is_one_of(name, {"cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory",
                          "requests.storage", "requests.ephemeral-storage", "limits.cpu",
                          "limits.memory", "limits.ephemeral-storage", "pods", "resourcequotas",
                          "services", "replicationcontrollers", "secrets", "persistentvolumeclaims",
                          "configmaps", "services.nodeports", "services.loadbalancers"}) ||
         is_huge_page_resource(name) || name.substr(0, 19) == "requests.hugepages-";
}

bool is_scope(std::string_view scope) {
  return is_one_of(scope, {"Terminating", "NotTerminating", "BestEffort", "NotBestEffort",
                           "PriorityClass", "VolumeAttributesClass", "CrossNamespacePodAffinity"});
}

bool scope_covers(std::string_view scope, std::string_view resource) {
  if (is_one_of(scope, {"Terminating", "NotTerminating", "NotBestEffort", "PriorityClass",
                        "CrossNamespacePodAffinity"}))
    return is_one_of(resource, {"pods", "cpu", "memory", "requests.cpu", "requests.memory",
                                "limits.cpu", "limits.memory"});
  if (scope == "BestEffort") return resource == "pods";
  if (scope == "VolumeAttributesClass")
    return resource == "persistentvolumeclaims" || resource == "requests.storage";
  return true;
}

void check_quota_hard(const Path& path, const Value& hard, FieldErrors& errors) {
  for (const codec::Member& m : hard.members()) {
    const Path at = path.key(m.key());
    check_qualified_resource_name(at, m.key(), errors);
    if (m.key().find('/') == std::string_view::npos && !is_quota_resource(m.key()))
      errors.invalid(at, m.key(), "must be a standard resource for quota");
    check_resource_quantity(at, m.key(), m.value, errors);
  }
}

void check_scope_pairs(const Path& path, const Value& spec, const std::set<std::string>& scopes,
                       FieldErrors& errors) {
  for (const auto& [a, b] :
       {std::pair("BestEffort", "NotBestEffort"), std::pair("Terminating", "NotTerminating")})
    if (scopes.count(a) > 0 && scopes.count(b) > 0)
      errors.invalid(path, spec["scopes"], "conflicting scopes");
}

std::string printed_scope_selector(const Value& selector) {
  return printed_internal("io.k8s.api.core.v1.ScopeSelector", selector);
}

void check_scope_selector(const Value& spec, FieldErrors& errors) {
  const Value& selector = spec["scopeSelector"];
  if (selector.is_null()) return;
  const Path path("spec.scopeSelector.matchExpressions");
  std::set<std::string> scopes;
  for (const Value& r : selector["matchExpressions"].elements()) {
    const std::string scope = r["scopeName"].str(), op = r["operator"].str();
    if (!is_scope(scope)) errors.invalid(path.child("scopeName"), scope, "unsupported scope");
    for (const codec::Member& m : spec["hard"].members())
      if (is_quota_resource(m.key()) && !scope_covers(scope, m.key()))
        errors.invalid_printed(path, printed_scope_selector(selector),
                               "unsupported scope applied to resource");
    if (is_one_of(scope, {"BestEffort", "NotBestEffort", "Terminating", "NotTerminating",
                          "CrossNamespacePodAffinity"}) &&
        op != "Exists")
      errors.invalid(path.child("operator"), op,
                     "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
                     "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                     "ResourceQuotaScopeNotBestEffort or "
                     "ResourceQuotaScopeCrossNamespacePodAffinity");
    if (op == "In" || op == "NotIn") {
      if (r["values"].empty())
        errors.required(
            path.child("values"),
            "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
    } else if (op == "Exists" || op == "DoesNotExist") {
      if (!r["values"].empty())
        errors.invalid(path.child("values"), r["values"],
                       "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope "
                       "selector");
    } else {
      errors.invalid(path.child("operator"), op, "not a valid selector operator");
    }
    scopes.insert(scope);
  }
  check_scope_pairs(path, spec, scopes, errors);
}

void check_quota(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  check_quota_hard(Path("spec.hard"), spec["hard"], errors);
  const Path path("spec.scopes");
  std::set<std::string> scopes;
  for (const Value& scope : spec["scopes"].elements()) {
    if (!is_scope(scope.as_string())) errors.invalid(path, spec["scopes"], "unsupported scope");
    for (const codec::Member& m : spec["hard"].members())
      if (is_quota_resource(m.key()) && !scope_covers(scope.as_string(), m.key()))
        errors.invalid(path, spec["scopes"], "unsupported scope applied to resource");
    scopes.insert(scope.str());
  }
  check_scope_pairs(path, spec, scopes, errors);
  check_scope_selector(spec, errors);
}

void update_quota(const Value& object, const Value& old, FieldErrors& errors) {
  std::set<std::string> now, before;
  for (const Value& s : object["spec"]["scopes"].elements()) now.insert(s.str());
  for (const Value& s : old["spec"]["scopes"].elements()) before.insert(s.str());
  if (now != before) errors.invalid(Path("spec.scopes"), object["spec"]["scopes"], kImmutable);
}

void status_quota(const Value& object, const Value&, FieldErrors& errors) {
  check_quota_hard(Path("status.hard"), object["status"]["hard"], errors);
  check_quota_hard(Path("status.used"), object["status"]["used"], errors);
}

std::string ratio_text(double ratio) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%f", ratio);
  return buffer.data();
}

// The original divides 64-bit numbers, thousandths where they fit; a value beyond them reads as 0.
std::array<double, 3> ratio_values(const Quantity& ratio, const Quantity& low,
                                   const Quantity& high) {
  constexpr std::int64_t kMilliMax = INT64_MAX / 1000;
  constexpr Int128 kBeyond = Int128(INT64_MAX) * 1'000'000'000;
  const auto whole = [](const Quantity& q) -> std::int64_t {
    return q.nano() > kBeyond || q.nano() < -kBeyond ? 0 : q.value();
  };
  const std::int64_t values[] = {whole(ratio), whole(low), whole(high)};
  const auto fits = [](std::int64_t v) { return v < kMilliMax; };
  if (!std::all_of(std::begin(values), std::end(values), fits))
    return {static_cast<double>(values[0]), static_cast<double>(values[1]),
            static_cast<double>(values[2])};
  const auto milli = [&](const Quantity& q, std::int64_t v) {
    return static_cast<double>(v == 0 && !q.is_zero() ? 0 : q.milli_value());
  };
  return {milli(ratio, values[0]) / 1000, milli(low, values[1]), milli(high, values[2])};
}

void check_limit_values(const Path& path, const std::string& key, const Value& limit,
                        FieldErrors& errors) {
  const auto q = [&](const char* list) -> const Value& { return limit[list][key]; };
  const Value &low = q("min"), &high = q("max"), &limits = q("default"),
              &requests = q("defaultRequest"), &ratio = q("maxLimitRequestRatio");
  const auto more = [](const Value& a, const Value& b) {
    return !a.is_null() && !b.is_null() && Quantity::of(a) > Quantity::of(b);
  };
  const Path at_min = path.child("min"), at_request = path.child("defaultRequest");
  const Path at_default = path.child("default"), at_ratio = path.child("maxLimitRequestRatio");
  if (more(low, high))
    errors.invalid(at_min.key(key), low,
                   "min value " + low.str() + " is greater than max value " + high.str());
  if (more(low, requests))
    errors.invalid(
        at_request.key(key), requests,
        "min value " + low.str() + " is greater than default request value " + requests.str());
  if (more(requests, high))
    errors.invalid(
        at_request.key(key), requests,
        "default request value " + requests.str() + " is greater than max value " + high.str());
  if (more(requests, limits))
    errors.invalid(at_request.key(key), requests,
                   "default request value " + requests.str() +
                       " is greater than default limit value " + limits.str());
  if (more(low, limits))
    errors.invalid(at_default.key(key), low,
                   "min value " + low.str() + " is greater than default value " + limits.str());
  if (more(limits, high))
    errors.invalid(at_default.key(key), high,
                   "default value " + limits.str() + " is greater than max value " + high.str());
  if (!ratio.is_null() && Quantity::of(ratio) < Quantity::units(1))
    errors.invalid(at_ratio.key(key), ratio, "ratio " + ratio.str() + " is less than 1");
  if (!ratio.is_null() && !low.is_null() && !high.is_null()) {
    const auto [ratio_value, low_value, high_value] =
        ratio_values(Quantity::of(ratio), Quantity::of(low), Quantity::of(high));
    const double most = high_value / low_value;
    if (ratio_value > most)
      errors.invalid(at_ratio.key(key), ratio,
                     "ratio " + ratio.str() + " is greater than max/min = " + ratio_text(most));
  }
  const bool overcommit = is_native_resource(key) && !is_huge_page_resource(key);
  if (!overcommit && !limits.is_null() && !requests.is_null() &&
      !(Quantity::of(limits) == Quantity::of(requests)))
    errors.invalid(at_request.key(key), requests,
                   "default value " + limits.str() + " must equal to defaultRequest value " +
                       requests.str() + " in " + key);
}

void check_limit(const Path& path, const Value& limit, FieldErrors& errors) {
  const std::string type = limit["type"].str();
  std::set<std::string> keys;
  const auto names = [&](const char* list) {
    const Path at = path.child(list);
    for (const codec::Member& m : limit[list].members()) {
      if (type == "Pod" || type == "Container")
        check_resource_name(at.key(m.key()), m.key(), errors);
      else
        check_qualified_resource_name(at.key(m.key()), m.key(), errors);
      keys.emplace(m.key());
    }
  };
  names("max");
  names("min");
  if (type == "Pod") {
    for (const char* list : {"default", "defaultRequest"})
      if (!limit[list].empty())
        errors.forbidden(path.child(list), "may not be specified when `type` is 'Pod'");
  } else {
    names("default");
    names("defaultRequest");
  }
  if (type == "PersistentVolumeClaim" && !limit["min"].has("storage") &&
      !limit["max"].has("storage"))
    errors.required(path.child("limits"),
                    "either minimum or maximum storage value is required, but neither was "
                    "provided");
  names("maxLimitRequestRatio");
  Value seen = limit;
  if (type == "Pod") {
    seen.erase("default");
    seen.erase("defaultRequest");
  }
  for (const std::string& key : keys) check_limit_values(path, key, seen, errors);
}

void check_limit_range(const Value& object, FieldErrors& errors) {
  const Path limits("spec.limits");
  std::set<std::string> types;
  for (std::size_t i = 0; i < object["spec"]["limits"].size(); ++i) {
    const Value& limit = object["spec"]["limits"][i];
    const Path at = limits.index(i);
    const std::string type = limit["type"].str();
    const Messages messages = label_key_messages(type);
    errors.invalid_each(at.child("type"), type, messages);
    if (messages.empty() && type.find('/') == std::string::npos &&
        !is_one_of(type, {"Pod", "Container", "PersistentVolumeClaim"}))
      errors.invalid(at.child("type"), type, "must be a standard limit type or fully qualified");
    if (!types.insert(type).second) errors.duplicate(at.child("type"), type);
    check_limit(at, limit, errors);
  }
}

void check_controller(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  const Path path("spec");
  check_not_negative(path.child("minReadySeconds"), spec["minReadySeconds"], errors);
  if (spec["selector"].empty()) errors.required(path.child("selector"));
  if (spec["replicas"].is_null())
    errors.required(path.child("replicas"));
  else
    check_not_negative(path.child("replicas"), spec["replicas"], errors);
  const Value& pod = spec["template"];
  const Path at = path.child("template");
  if (pod.is_null()) {
    errors.required(at);
    return;
  }
  for (const codec::Member& m : spec["selector"].members())
    if (!(pod["metadata"]["labels"][m.key()] == m.value)) {
      errors.invalid(at.child("metadata.labels"), pod["metadata"]["labels"],
                     "`selector` does not match template `labels`");
      break;
    }
  check_pod_template(at, pod, errors);
  if (text_of(pod["spec"], "restartPolicy") != "Always")
    errors.not_supported(at.child("spec.restartPolicy"), text_of(pod["spec"], "restartPolicy"),
                         {"Always"});
  if (!pod["spec"]["activeDeadlineSeconds"].is_null())
    errors.forbidden(at.child("spec.activeDeadlineSeconds"),
                     "activeDeadlineSeconds in ReplicationController is not Supported");
}

void update_limit_range(const Value& object, const Value&, FieldErrors& errors) {
  check_kind_metadata(object["metadata"], true, subdomain_name, Path("metadata"), errors);
  check_limit_range(object, errors);
}

}  // namespace

std::vector<KindRules> core_rules() {
  std::vector<KindRules> rules = {
      {.resource = "configmaps",
       .create = check_config_map,
       .update = update_config_map,
       .recheck = Recheck::none},
      {.resource = "secrets",
       .create = check_secret,
       .update = update_secret,
       .recheck = Recheck::none},
      {.resource = "serviceaccounts", .recheck = Recheck::all},
      {.resource = "namespaces",
       .name = label_name,
       .create = check_namespace,
       .status = status_namespace,
       .recheck = Recheck::before,
       .part = finalize_namespace},
      {.resource = "nodes",
       .create = check_node,
       .update = update_node,
       .status = update_node,
       .recheck = Recheck::before},
      {.resource = "resourcequotas",
       .create = check_quota,
       .update = update_quota,
       .status = status_quota},
      {.resource = "limitranges",
       .create = check_limit_range,
       .update = update_limit_range,
       .recheck = Recheck::custom},
      {.resource = "replicationcontrollers",
       .name = declared_subdomain_name,
       .create = check_controller,
       .status = status_replication_controller},
  };
  for (const auto& more : {service_rules(), event_rules()})
    for (const KindRules& r : more) rules.push_back(r);
  return rules;
}

}  // namespace keelson::model
