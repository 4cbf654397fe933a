// One row for each kind that warns: its rule on creation and on update. A rule gets the former
// object, null on creation.
#include <algorithm>

#include "model/certificates.h"
#include "model/custom_formats.h"
#include "model/warnings.h"
#include "model/warnings/rules.h"

namespace keelson::model {
namespace {

// --- what several kinds share ---

// A list in Go's %v: [a b].
std::string go_list(const Messages& messages) {
  return "[" + join(messages, " ") + "]";
}

void warn_of_name(const Value& object, std::string_view use, Warnings& warnings) {
  const Messages messages = dns1123_label_messages(name_of(object));
  if (messages.empty()) return;
  warnings.push_back("metadata.name: this is used in " + std::string(use) +
                     ", which can result in surprising behavior; a DNS label is recommended: " +
                     go_list(messages));
}
constexpr std::string_view kPodNames = "Pod names and hostnames";

bool is_new_generation(const Value& object, const Value& old) {
  return generation_of(object) != generation_of(old);
}

const Path& template_path() {
  static const Path spec("spec");
  static const Path path = spec.child("template");
  return path;
}

// --- core ---

void pod(const Value& object, const Value& old, Warnings& warnings) {
  // A pod is changed often, and seldom by a person.
  if (!old.is_null()) return;
  warn_of_name(object, "the Pod's hostname", warnings);
  warn_of_pod(nullptr, object, warnings);
}

void pod_template(const Value& object, const Value& old, Warnings& warnings) {
  if (!old.is_null() && !is_new_generation(object, old)) return;
  const Path path("template");
  warn_of_pod(&path, object["template"], warnings);
}

void replication_controller(const Value& object, const Value& old, Warnings& warnings) {
  if (old.is_null()) {
    warn_of_name(object, kPodNames, warnings);
    warn_of_pod(&template_path(), object["spec"]["template"], warnings);
  } else if (is_new_generation(object, old)) {
    // The original hands over the two templates the wrong way round.
    warn_of_pod(&template_path(), old["spec"]["template"], warnings);
  }
}

void node(const Value& object, const Value&, Warnings& warnings) {
  const Value& spec = object["spec"];
  if (spec.has("configSource")) warnings.emplace_back("spec.configSource: the feature is removed");
  if (!empty_text(spec["externalID"]))
    warnings.emplace_back("spec.externalID: this field is deprecated, and is unused by Kubernetes");
  const Path path("spec"), ranges = path.child("podCIDRs");
  for (std::size_t i = 0; i < spec["podCIDRs"].size(); ++i)
    warn_of_cidr(ranges.index(i), spec["podCIDRs"][i].as_string(), warnings);
}

void volume_claim(const Value& object, const Value&, Warnings& warnings) {
  constexpr std::string_view kClass = "volume.beta.kubernetes.io/storage-class";
  if (annotations_of(object).has(kClass))
    warnings.push_back("metadata.annotations[" + std::string(kClass) +
                       "]: deprecated since v1.8; use \"storageClassName\" attribute instead");
  warn_of_claim_spec(Path("spec"), object["spec"], warnings);
}

void volume(const Value& object, const Value&, Warnings& warnings) {
  const auto annotation = [&](const std::string& key, const std::string& why) {
    if (annotations_of(object).has(key))
      warnings.push_back("metadata.annotations[" + key + "]: deprecated since " + why);
  };
  annotation("volume.beta.kubernetes.io/storage-class",
             "v1.8; use \"storageClassName\" attribute instead");
  annotation("volume.beta.kubernetes.io/mount-options",
             "v1.31; use \"mountOptions\" attribute instead");
  const Value& spec = object["spec"];
  if (spec["persistentVolumeReclaimPolicy"].as_string() == "Recycle")
    warnings.emplace_back(
        "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, "
        "the recommended approach is to use dynamic provisioning.");
  const Path path("spec"), terms = path.child("nodeAffinity.required.nodeSelectorTerms");
  const Value& list = spec["nodeAffinity"]["required"]["nodeSelectorTerms"];
  for (std::size_t i = 0; i < list.size(); ++i)
    warn_of_node_selector_term(terms.index(i), list[i], false, warnings);
  constexpr std::pair<std::string_view, std::string_view> kSources[] = {
      {"cephfs", "spec.cephfs: deprecated in v1.28, non-functional in v1.31+"},
      {"photonPersistentDisk",
       "spec.photonPersistentDisk: deprecated in v1.11, non-functional in v1.16+"},
      {"scaleIO", "spec.scaleIO: deprecated in v1.16, non-functional in v1.22+"},
      {"storageos", "spec.storageOS: deprecated in v1.22, non-functional in v1.25+"},
      {"glusterfs", "spec.glusterfs: deprecated in v1.25, non-functional in v1.26+"},
      {"rbd", "spec.rbd: deprecated in v1.28, non-functional in v1.31+"}};
  for (const auto& [source, why] : kSources)
    if (spec.has(source)) warnings.emplace_back(why);
}

void service(const Value& object, const Value&, Warnings& warnings) {
  const Value& spec = object["spec"];
  const std::string_view type = spec["type"].as_string(), ip = spec["clusterIP"].as_string();
  const bool headless = type == "ClusterIP" && ip == "None";
  const bool external = type == "ExternalName";
  if (annotations_of(object).has("service.kubernetes.io/topology-aware-hints"))
    warnings.emplace_back(
        "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use "
        "service.kubernetes.io/topology-mode instead");
  const Path path("spec");
  const auto addresses = [&](std::string_view list, auto warn) {
    const Path at = path.child(list);
    for (std::size_t i = 0; i < spec[list].size(); ++i)
      warn(at.index(i), spec[list][i].as_string(), warnings);
  };
  if (!ip.empty() && ip != "None") addresses("clusterIPs", warn_of_ip);
  const bool has_external_ips = !spec["externalIPs"].empty();
  if (headless) {
    if (!empty_text(spec["loadBalancerIP"]))
      warnings.emplace_back("spec.loadBalancerIP is ignored for headless services");
    if (has_external_ips)
      warnings.emplace_back("spec.externalIPs is ignored for headless services");
    if (spec["sessionAffinity"].as_string() != "None")
      warnings.emplace_back("spec.SessionAffinity is ignored for headless services");
  }
  addresses("externalIPs", warn_of_ip);
  if (has_external_ips && !headless && !external)
    warnings.emplace_back(
        "spec.externalIPs is deprecated and may no longer be implemented in some clusters");
  if (!empty_text(spec["loadBalancerIP"]))
    warn_of_ip(path.child("loadBalancerIP"), spec["loadBalancerIP"].as_string(), warnings);
  addresses("loadBalancerSourceRanges", warn_of_cidr);
  if (external && has_external_ips)
    warnings.emplace_back("spec.externalIPs is ignored when spec.type is \"ExternalName\"");
  if (!external && !empty_text(spec["externalName"]))
    warnings.emplace_back("spec.externalName is ignored when spec.type is not \"ExternalName\"");
  if (spec["trafficDistribution"].as_string() == "PreferClose")
    warnings.emplace_back(
        "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"");
}

void endpoints(const Value& object, const Value&, Warnings& warnings) {
  if (label_of(object, "endpoints.kubernetes.io/managed-by") == "endpoint-controller") return;
  const Path subsets("subsets");
  for (std::size_t i = 0; i < object["subsets"].size(); ++i) {
    const Path subset = subsets.index(i);
    for (std::string_view list : {"addresses", "notReadyAddresses"}) {
      const Path addresses = subset.child(list);
      const Value& values = object["subsets"][i][list];
      for (std::size_t j = 0; j < values.size(); ++j) {
        const Path at = addresses.index(j);
        warn_of_ip(at.child("ip"), values[j]["ip"].as_string(), warnings);
      }
    }
  }
}

void secret(const Value& object, const Value&, Warnings& warnings) {
  if (object["type"].as_string() != "kubernetes.io/tls") return;
  const auto bytes = [&](std::string_view key) {
    return from_base64(object["data"][key].as_string()).value_or("");
  };
  std::string problem = key_pair_problem(bytes("tls.crt"), bytes("tls.key"));
  if (!problem.empty()) warnings.push_back(std::move(problem));
}

void service_account(const Value& object, const Value& old, Warnings& warnings) {
  constexpr std::string_view kKey = "kubernetes.io/enforce-mountable-secrets";
  if (annotations_of(old).has(kKey) || !annotations_of(object).has(kKey)) return;
  warnings.push_back("metadata.annotations[" + std::string(kKey) +
                     "]: deprecated in v1.32+; prefer separate namespaces to isolate access to "
                     "mounted secrets");
}

void resource_quota(const Value& object, const Value& old, Warnings& warnings) {
  if (!old.is_null()) return;
  const Value& hard = object["spec"]["hard"];
  for (const std::string name : {"cpu", "memory", "storage", "ephemeral-storage"}) {
    std::string request = "requests." + name;
    const std::string limit = "limits." + name;
    if (!hard.has(request) && (name == "cpu" || name == "memory")) request = name;
    if (!hard.has(request) || !hard.has(limit)) continue;
    const Quantity wanted = Quantity::of(hard[request]), most = Quantity::of(hard[limit]);
    if (wanted > most)
      warnings.push_back("ResourceQuota " + request + " (" + wanted.text() +
                         ") should be less than " + limit + " (" + most.text() + ")");
  }
}

// --- workloads ---

void deployment(const Value& object, const Value& old, Warnings& warnings) {
  if (old.is_null())
    warn_of_name(object, kPodNames, warnings);
  else if (!is_new_generation(object, old))
    return;
  warn_of_pod(&template_path(), object["spec"]["template"], warnings);
}

void stateful_set(const Value& object, const Value& old, Warnings& warnings) {
  const Value& spec = object["spec"];
  if (old.is_null() || is_new_generation(object, old))
    warn_of_pod(&template_path(), spec["template"], warnings);
  const Path path("spec"), claims = path.child("volumeClaimTemplates");
  for (std::size_t i = 0; i < spec["volumeClaimTemplates"].size(); ++i) {
    const Path at = claims.index(i);
    // On update the original says "Spec", on creation nothing.
    const Path updated = at.child("Spec");
    warn_of_claim_spec(old.is_null() ? at : updated, spec["volumeClaimTemplates"][i]["spec"],
                       warnings);
  }
  if (spec["revisionHistoryLimit"].as_int() < 0)
    warnings.emplace_back(
        "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= "
        "0 is recommended");
}

void daemon_set(const Value& object, const Value& old, Warnings& warnings) {
  constexpr std::string_view kGeneration = "deprecated.daemonset.template.generation";
  if (old.is_null() || annotation_of(object, kGeneration) != annotation_of(old, kGeneration))
    warn_of_pod(&template_path(), object["spec"]["template"], warnings);
}

void job(const Value& object, const Value& old, Warnings& warnings) {
  if (old.is_null())
    warn_of_name(object, kPodNames, warnings);
  else if (!is_new_generation(object, old))
    return;
  warn_of_job_spec(Path("spec"), object["spec"], warnings);
}

void cron_job(const Value& object, const Value& old, Warnings& warnings) {
  if (old.is_null()) warn_of_name(object, kPodNames, warnings);
  const Path spec("spec"), path = spec.child("jobTemplate.spec");
  if (old.is_null() || is_new_generation(object, old))
    warn_of_job_spec(path, object["spec"]["jobTemplate"]["spec"], warnings);
  if (!old.is_null() && object["spec"]["schedule"].as_string().find("TZ") != std::string_view::npos)
    warnings.emplace_back(
        "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see "
        "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details");
}

// --- network ---

void ingress(const Value& object, const Value& old, Warnings& warnings) {
  if (!old.is_null() || object["spec"].has("ingressClassName")) return;
  if (annotations_of(object).has("kubernetes.io/ingress.class"))
    warnings.emplace_back(
        "annotation \"kubernetes.io/ingress.class\" is deprecated, please use "
        "'spec.ingressClassName' instead");
}

void network_policy(const Value& object, const Value&, Warnings& warnings) {
  const Path path("spec");
  for (const auto& [rules, peers] : {std::pair{"ingress", "from"}, {"egress", "to"}}) {
    const Path rules_path = path.child(rules);
    for (std::size_t i = 0; i < object["spec"][rules].size(); ++i) {
      const Path rule_path = rules_path.index(i), peers_path = rule_path.child(peers);
      const Value& list = object["spec"][rules][i][peers];
      for (std::size_t j = 0; j < list.size(); ++j) {
        const Value& block = list[j]["ipBlock"];
        const Path peer = peers_path.index(j), at = peer.child("ipBlock");
        const Path except = at.child("except");
        warn_of_cidr(at.child("cidr"), block["cidr"].as_string(), warnings);
        for (std::size_t k = 0; k < block["except"].size(); ++k)
          warn_of_cidr(except.index(k), block["except"][k].as_string(), warnings);
      }
    }
  }
}

void endpoint_slice(const Value& object, const Value& old, Warnings& warnings) {
  if (old.is_null() && object["addressType"].as_string() == "FQDN")
    warnings.emplace_back("spec.addressType: FQDN endpoints are deprecated");
  const std::string_view manager = label_of(object, "endpointslice.kubernetes.io/managed-by");
  if (manager == "endpointslice-controller.k8s.io" ||
      manager == "endpointslicemirroring-controller.k8s.io")
    return;
  const Path endpoints_path("endpoints");
  for (std::size_t i = 0; i < object["endpoints"].size(); ++i) {
    const Path endpoint = endpoints_path.index(i), addresses = endpoint.child("addresses");
    const Value& list = object["endpoints"][i]["addresses"];
    for (std::size_t j = 0; j < list.size(); ++j)
      warn_of_ip(addresses.index(j), list[j].as_string(), warnings);
  }
}

// --- storage, devices, nodes ---

void csi_driver(const Value& object, const Value& old, Warnings& warnings) {
  const Value& spec = object["spec"];
  if (spec["tokenRequests"].empty() || spec.has("serviceAccountTokenInSecrets")) return;
  if (!old.is_null() && old["spec"]["tokenRequests"] == spec["tokenRequests"]) return;
  warnings.emplace_back(
      "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to "
      "prevent possible logging of tokens in volume attributes");
}

void storage_class(const Value& object, const Value&, Warnings& warnings) {
  const Path path("allowedTopologies");
  for (std::size_t i = 0; i < object["allowedTopologies"].size(); ++i) {
    const Path topology = path.index(i), expressions = topology.child("matchLabelExpressions");
    const Value& list = object["allowedTopologies"][i]["matchLabelExpressions"];
    for (std::size_t j = 0; j < list.size(); ++j) {
      const Path at = expressions.index(j);
      if (const auto why = node_label_deprecation(list[j]["key"].as_string()); !why.empty())
        warnings.push_back(at.child("key").text() + ": " + std::string(why));
    }
  }
}

void storage_capacity(const Value& object, const Value&, Warnings& warnings) {
  const Path path("nodeTopology");
  warn_of_node_selector_term(path, object["nodeTopology"], false, warnings);
  const Path labels = path.child("matchLabels");
  for (const codec::Member& label : object["nodeTopology"]["matchLabels"].members())
    if (const auto why = node_label_deprecation(label.key()); !why.empty())
      warnings.push_back(labels.child(label.key()).text() + ": " + std::string(why));
}

void runtime_class(const Value& object, const Value&, Warnings& warnings) {
  for (const codec::Member& label : object["scheduling"]["nodeSelector"].members())
    if (const auto why = node_label_deprecation(label.key()); !why.empty())
      warnings.push_back("scheduling.nodeSelector: " + std::string(why));
}

void resource_slice(const Value& object, const Value&, Warnings& warnings) {
  const std::string_view driver = object["spec"]["driver"].as_string();
  if (to_lower(driver) != driver)
    warnings.push_back("spec.driver: driver names should be lowercase; " + quote(driver) +
                       " contains uppercase characters");
}

// --- the server itself ---

void admission_configuration(const Value& object, const Value&, Warnings& warnings) {
  if (name_of(object).ends_with(".static.k8s.io"))
    warnings.emplace_back(
        "metadata.name: names ending with \".static.k8s.io\" are reserved for static "
        "manifest-based configurations and cannot be managed via the API");
}

void custom_definition(const Value& object, const Value& old, Warnings& warnings) {
  const std::vector<std::string> before = unrecognised_formats(old["spec"]);
  for (const std::string& format : unrecognised_formats(object["spec"]))
    if (std::find(before.begin(), before.end(), format) == before.end())
      warnings.push_back("unrecognized format " + quote(format));
}

void custom_resource(const Value& object, const Value& old, Warnings& warnings) {
  std::set<std::string> added;
  for (const Value& one : object["metadata"]["finalizers"].elements()) added.insert(one.str());
  for (const Value& one : old["metadata"]["finalizers"].elements()) added.erase(one.str());
  for (const std::string& name : added) {
    const std::string head = "metadata.finalizers: " + quote(name) + ": ";
    for (const std::string& message : label_key_messages(name)) warnings.push_back(head + message);
    if (name.find('/') != std::string::npos || name == "orphan" || name == "foregroundDeletion" ||
        name == "kubernetes")
      continue;
    warnings.push_back(head + "prefer a domain-qualified finalizer name " +
                       (name.find('.') != std::string::npos ? "including a path (/) " : "") +
                       "to avoid accidental conflicts with other finalizer writers");
  }
}

using Rule = void (*)(const Value& object, const Value& old, Warnings& warnings);
struct Row {
  std::string_view resource;
  Rule rule;
};

constexpr Row kRules[] = {
    {"pods", pod},
    {"podtemplates", pod_template},
    {"replicationcontrollers", replication_controller},
    {"nodes", node},
    {"persistentvolumeclaims", volume_claim},
    {"persistentvolumes", volume},
    {"services", service},
    {"endpoints", endpoints},
    {"secrets", secret},
    {"serviceaccounts", service_account},
    {"resourcequotas", resource_quota},
    {"deployments.apps", deployment},
    {"replicasets.apps", deployment},
    {"statefulsets.apps", stateful_set},
    {"daemonsets.apps", daemon_set},
    {"jobs.batch", job},
    {"cronjobs.batch", cron_job},
    {"ingresses.networking.k8s.io", ingress},
    {"networkpolicies.networking.k8s.io", network_policy},
    {"endpointslices.discovery.k8s.io", endpoint_slice},
    {"csidrivers.storage.k8s.io", csi_driver},
    {"storageclasses.storage.k8s.io", storage_class},
    {"csistoragecapacities.storage.k8s.io", storage_capacity},
    {"runtimeclasses.node.k8s.io", runtime_class},
    {"resourceslices.resource.k8s.io", resource_slice},
    {"validatingwebhookconfigurations.admissionregistration.k8s.io", admission_configuration},
    {"mutatingwebhookconfigurations.admissionregistration.k8s.io", admission_configuration},
    {"validatingadmissionpolicies.admissionregistration.k8s.io", admission_configuration},
    {"validatingadmissionpolicybindings.admissionregistration.k8s.io", admission_configuration},
    {"mutatingadmissionpolicies.admissionregistration.k8s.io", admission_configuration},
    {"mutatingadmissionpolicybindings.admissionregistration.k8s.io", admission_configuration},
    {"customresourcedefinitions.apiextensions.k8s.io", custom_definition},
};

Rule rule_of(const Resource& resource) {
  if (resource.custom) return custom_resource;
  const std::string name = resource.stored_as.empty() ? resource.name() : resource.stored_as;
  for (const Row& row : kRules)
    if (row.resource == name) return row.rule;
  return nullptr;
}

// Addresses that the status of a few kinds holds.
void warn_of_status(const std::string& resource, const Value& object, Warnings& warnings) {
  const Path status("status");
  if (resource == "pods") {
    for (std::string_view list : {"podIPs", "hostIPs"}) {
      const Path path = status.child(list);
      for (std::size_t i = 0; i < object["status"][list].size(); ++i) {
        const Path at = path.index(i);
        warn_of_ip(at.child("ip"), object["status"][list][i]["ip"].as_string(), warnings);
      }
    }
  } else if (resource == "services" || resource == "ingresses.networking.k8s.io") {
    const Path path = status.child("loadBalancer.ingress");
    const Value& list = object["status"]["loadBalancer"]["ingress"];
    for (std::size_t i = 0; i < list.size(); ++i)
      warn_of_ip(path.index(i), list[i]["ip"].as_string(), warnings);
  }
}

}  // namespace

Warnings warnings_on_create(const Resource& resource, const Value& object) {
  Warnings warnings;
  if (const Rule rule = rule_of(resource); rule != nullptr) rule(object, Value(), warnings);
  return warnings;
}

Warnings warnings_on_update(const Resource& resource, std::string_view subresource,
                            const Value& object, const Value& old) {
  Warnings warnings;
  if (subresource == "status")
    warn_of_status(resource.name(), object, warnings);
  else if (const Rule rule = rule_of(resource); rule != nullptr && subresource.empty())
    rule(object, old, warnings);
  return warnings;
}

}  // namespace keelson::model
