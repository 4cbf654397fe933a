#include "registry/bootstrap/content.h"

#include "base/check.h"
#include "base/text.h"
#include "codec/json.h"

namespace keelson::registry {

namespace {

constexpr std::string_view kRbac = "rbac.authorization.k8s.io";
constexpr std::string_view kFlowGroup = "flowcontrol.apiserver.k8s.io";

Value list_of(std::string_view text) {
  Value out = Value::array();
  for (const std::string& one : split(text, ',')) out.push_back(one);
  return out;
}

Value object_of(std::string_view api_version, std::string_view kind, std::string_view path) {
  Value object = Value::object({{"apiVersion", api_version}, {"kind", kind}});
  Value& meta = object.edit("metadata");
  const std::size_t slash = path.find('/');
  if (slash != std::string_view::npos) meta.set("namespace", path.substr(0, slash));
  meta.set("name", slash == std::string_view::npos ? path : path.substr(slash + 1));
  return object;
}

Value rbac_object(std::string_view kind, std::string_view path) {
  Value object = object_of("rbac.authorization.k8s.io/v1", kind, path);
  Value& meta = object.edit("metadata");
  meta.edit("labels").set("kubernetes.io/bootstrapping", "rbac-defaults");
  meta.edit("annotations").set("rbac.authorization.kubernetes.io/autoupdate", "true");
  return object;
}

void add_labels(Value& object, const std::vector<std::string>& words) {
  for (std::size_t i = 2; i < words.size(); ++i)
    object.edit("metadata")
        .edit("labels")
        .set(std::string(kRbac) + "/" + words[i].substr(1), "true");
}

void add_rule(Value& role, const std::vector<std::string>& words) {
  if (words[0] == "aggregate") {
    Value& selectors = role.edit("aggregationRule").edit("clusterRoleSelectors");
    for (const std::string& label : split(words[1], ',')) {
      Value selector = Value::object();
      selector.edit("matchLabels").set(std::string(kRbac) + "/" + label, "true");
      selectors.push_back(std::move(selector));
    }
    return;
  }
  Value rule = Value::object({{"verbs", list_of(words[0])}});
  const std::string& target = words[1];
  const std::size_t colon = target.find(':');
  const std::string head = target.substr(0, colon), tail = target.substr(colon + 1);
  if (head == "url") {
    rule.set("nonResourceURLs", list_of(tail));
  } else {
    rule.set("apiGroups", list_of(head));
    rule.set("resources", list_of(tail));
  }
  if (words.size() > 2) rule.set("resourceNames", list_of(words[2].substr(words[2].find(':') + 1)));
  role.edit("rules").push_back(std::move(rule));
}

Value binding_of(std::string_view kind, const std::vector<std::string>& words) {
  Value object = rbac_object(kind, words[1]);
  const std::size_t slash = words[2].find('/');
  object.set("roleRef", Value::object({{"apiGroup", kRbac},
                                       {"kind", words[2].substr(0, slash)},
                                       {"name", words[2].substr(slash + 1)}}));
  for (std::size_t i = 4; i < words.size(); ++i) {
    const std::size_t first = words[i].find('/');
    const std::string subject_kind = words[i].substr(0, first);
    std::string name = words[i].substr(first + 1);
    Value subject = Value::object({{"kind", subject_kind}});
    if (subject_kind == "ServiceAccount") {
      const std::size_t second = name.find('/');
      subject.set("namespace", name.substr(0, second));
      name = name.substr(second + 1);
    } else {
      subject.set("apiGroup", kRbac);
    }
    subject.set("name", name);
    object.edit("subjects").push_back(std::move(subject));
  }
  return object;
}

Seed flow_seed(std::string_view kind, std::string_view resource,
               const std::vector<std::string>& words, Instant now) {
  Value object = object_of("flowcontrol.apiserver.k8s.io/v1", kind, words[1]);
  object.edit("metadata").edit("annotations").set("apf.kubernetes.io/autoupdate-spec", "true");
  auto spec = codec::parse_json(words[2]);
  KEELSON_CHECK(spec.ok());
  Seed seed{kFlowGroup, "v1", resource, {}, {}, "api-priority-and-fairness-config-producer-v1"};
  if (kind == "FlowSchema") {
    const std::string level = (*spec)["priorityLevelConfiguration"]["name"].str();
    seed.status_manager = "api-priority-and-fairness-config-consumer-v1";
    seed.status.edit("conditions")
        .push_back(Value::object(
            {{"type", "Dangling"},
             {"status", "False"},
             {"lastTransitionTime", to_rfc3339(now)},
             {"reason", "Found"},
             {"message", "This FlowSchema references the PriorityLevelConfiguration object named " +
                             quote(level) + " and it exists"}}));
  }
  object.set("spec", std::move(spec).value());
  seed.object = std::move(object);
  return seed;
}

Seed api_service_seed(const std::vector<std::string>& words, Instant now) {
  const std::string group = words[2] == "-" ? "" : words[2];
  Value object = object_of("apiregistration.k8s.io/v1", "APIService", words[1] + "." + group);
  object.edit("metadata")
      .edit("labels")
      .set("kube-aggregator.kubernetes.io/automanaged", "onstart");
  Value spec = Value::object({{"version", words[1]},
                              {"groupPriorityMinimum", parse_int(words[3]).value_or(0)},
                              {"versionPriority", parse_int(words[4]).value_or(0)}});
  if (!group.empty()) spec.set("group", group);
  object.set("spec", std::move(spec));
  Seed seed{"apiregistration.k8s.io", "v1", "apiservices", std::move(object), {}};
  seed.status.edit("conditions")
      .push_back(Value::object({{"type", "Available"},
                                {"status", "True"},
                                {"lastTransitionTime", to_rfc3339(now)},
                                {"reason", "Local"},
                                {"message", "Local APIServices are always available"}}));
  return seed;
}

// At most three words for kinds whose last word is JSON.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  line = trim(line);
  while (!line.empty()) {
    const std::size_t space = line.front() == '{' ? std::string_view::npos : line.find(' ');
    words.emplace_back(line.substr(0, space));
    line = space == std::string_view::npos ? std::string_view() : trim(line.substr(space));
  }
  return words;
}

void add_namespaces(std::vector<Seed>& out) {
  for (const char* name : {"kube-system", "kube-public", "kube-node-lease", "default"}) {
    Value object = object_of("v1", "Namespace", name);
    object.edit("metadata").edit("labels").set("kubernetes.io/metadata.name", name);
    out.push_back({"", "v1", "namespaces", std::move(object), {}});
  }
}

void add_priority_classes(std::vector<Seed>& out) {
  const auto add = [&](std::string_view name, std::int64_t value, std::string_view description) {
    Value object = object_of("scheduling.k8s.io/v1", "PriorityClass", name);
    object.set("value", value);
    object.set("description", description);
    object.set("preemptionPolicy", "PreemptLowerPriority");
    out.push_back({"scheduling.k8s.io", "v1", "priorityclasses", std::move(object), {}});
  };
  add("system-node-critical", 2'000'001'000,
      "Used for system critical pods that must not be moved from their current node.");
  add("system-cluster-critical", 2'000'000'000,
      "Used for system critical pods that must run in the cluster, but can be moved to another "
      "node if necessary.");
}

// The first address of the service range.
std::string first_address(std::string_view range) {
  std::vector<std::string> parts = split(range.substr(0, range.find('/')), '.');
  if (parts.size() == 4) parts[3] = std::to_string(parse_int(parts[3]).value_or(0) + 1);
  return join(parts, ".");
}

void add_service_network(std::vector<Seed>& out, const Settings& settings, Instant now) {
  Value range = object_of("networking.k8s.io/v1", "ServiceCIDR", "kubernetes");
  range.edit("spec").edit("cidrs").push_back(settings.service_range);
  Seed seed{"networking.k8s.io", "v1", "servicecidrs", std::move(range), {}};
  seed.status_manager = "kubernetes-service-cidr-controller";
  seed.status.edit("conditions")
      .push_back(Value::object({{"type", "Ready"},
                                {"status", "True"},
                                {"lastTransitionTime", to_rfc3339(now)},
                                {"reason", ""},
                                {"message", "Kubernetes default Service CIDR is ready"}}));
  out.push_back(std::move(seed));

  Value service = object_of("v1", "Service", "default/kubernetes");
  service.edit("metadata")
      .set("labels", Value::object({{"component", "apiserver"}, {"provider", "kubernetes"}}));
  const std::string address = first_address(settings.service_range);
  service.set("spec", Value::object({{"type", "ClusterIP"},
                                     {"clusterIP", address},
                                     {"clusterIPs", Value::array({Value(address)})},
                                     {"ipFamilies", Value::array({Value("IPv4")})},
                                     {"ipFamilyPolicy", "SingleStack"},
                                     {"sessionAffinity", "None"},
                                     {"internalTrafficPolicy", "Cluster"}}));
  service.edit("spec").edit("ports").push_back(
      Value::object({{"name", "https"},
                     {"protocol", "TCP"},
                     {"port", 443},
                     {"targetPort", settings.advertise_port}}));
  out.push_back({"", "v1", "services", std::move(service), {}});
}

void add_config_maps(std::vector<Seed>& out, Instant now) {
  Value tracking = object_of("v1", "ConfigMap",
                             "kube-system/kube-apiserver-legacy-service-account-token-tracking");
  tracking.edit("data").set("since", to_rfc3339(now).substr(0, 10));
  out.push_back({"", "v1", "configmaps", std::move(tracking), {}});
}

}  // namespace

std::vector<Seed> parse_content(std::string_view text, Instant now) {
  std::vector<Seed> out;
  for (const std::string& line : split(text, '\n')) {
    const std::vector<std::string> words = words_of(line);
    if (words.empty()) continue;
    const std::string& head = words[0];
    if (line.front() == ' ') {
      add_rule(out.back().object, words);
    } else if (head == "clusterrole" || head == "role") {
      const bool whole = head == "clusterrole";
      Value object = rbac_object(whole ? "ClusterRole" : "Role", words[1]);
      add_labels(object, words);
      out.push_back({kRbac, "v1", whole ? "clusterroles" : "roles", std::move(object), {}});
    } else if (head == "clusterrolebinding" || head == "rolebinding") {
      const bool whole = head == "clusterrolebinding";
      out.push_back({kRbac,
                     "v1",
                     whole ? "clusterrolebindings" : "rolebindings",
                     binding_of(whole ? "ClusterRoleBinding" : "RoleBinding", words),
                     {}});
    } else if (head == "prioritylevel") {
      out.push_back(
          flow_seed("PriorityLevelConfiguration", "prioritylevelconfigurations", words, now));
    } else if (head == "flowschema") {
      out.push_back(flow_seed("FlowSchema", "flowschemas", words, now));
    } else if (head == "apiservice") {
      out.push_back(api_service_seed(words, now));
    }
  }
  return out;
}

std::vector<Seed> bootstrap_content(const Settings& settings, Instant now) {
  std::vector<Seed> out;
  add_namespaces(out);
  add_priority_classes(out);
  const auto append = [&](std::string_view text) {
    for (Seed& seed : parse_content(text, now)) out.push_back(std::move(seed));
  };
  append(kRoles);
  append(kBindings);
  append(kFlow);
  append(kApiServices);
  add_service_network(out, settings, now);
  add_config_maps(out, now);
  return out;
}

}  // namespace keelson::registry
