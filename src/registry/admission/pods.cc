// Plug-ins that complete a pod: its service account, priority, default tolerations, runtime class
// and topology labels; and the taint of new nodes.
#include <algorithm>

#include "base/text.h"
#include "model/meta.h"
#include "registry/admission/admission.h"

namespace keelson::registry::admission {

namespace {

constexpr std::string_view kAccessPath = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr std::string_view kMirror = "kubernetes.io/config.mirror";

bool new_pod(const Admission& admission) {
  return admission.creating() && admission.is("pods");
}

// --- ServiceAccount ---

bool refers_to_secret(const Value& pod) {
  for (const Value& volume : pod["spec"]["volumes"].elements()) {
    if (volume.has("secret")) return true;
    for (const Value& source : volume["projected"]["sources"].elements())
      if (source.has("secret")) return true;
  }
  for (const char* list : {"containers", "initContainers", "ephemeralContainers"})
    for (const Value& container : pod["spec"][list].elements()) {
      for (const Value& one : container["env"].elements())
        if (one["valueFrom"].has("secretKeyRef")) return true;
      for (const Value& one : container["envFrom"].elements())
        if (one.has("secretRef")) return true;
    }
  return !pod["spec"]["imagePullSecrets"].empty();
}

Result<void> check_mirror(const Admission& admission, const Value& pod) {
  if (!pod["spec"]["serviceAccountName"].as_string().empty())
    return admission.refuse("a mirror pod may not reference service accounts");
  if (refers_to_secret(pod)) return admission.refuse("a mirror pod may not reference secrets");
  for (const Value& volume : pod["spec"]["volumes"].elements())
    for (const Value& source : volume["projected"]["sources"].elements())
      if (source.has("serviceAccountToken"))
        return admission.refuse("a mirror pod may not use ServiceAccountToken volume projections");
  return {};
}

bool lists(const Value& references, std::string_view name) {
  const auto& all = references.elements();
  return std::any_of(all.begin(), all.end(),
                     [&](const Value& one) { return one["name"].as_string() == name; });
}

// An account may say that its pods mount only its own secrets.
Result<void> limit_secrets(const Admission& admission, const Value& account, const Value& pod) {
  const std::string tail = " is not allowed because service account " +
                           std::string(model::name_of(account)) + " does not reference that secret";
  const auto refuse = [&](const std::string& what, std::string_view secret) {
    return admission.refuse(what + "secret.secretName=" + quote(secret) + tail);
  };
  const Value& allowed = account["secrets"];
  for (const Value& volume : pod["spec"]["volumes"].elements()) {
    const std::string_view secret = volume["secret"]["secretName"].as_string();
    if (volume.has("secret") && !lists(allowed, secret)) return refuse("volume with ", secret);
  }
  constexpr std::pair<const char*, const char*> kLists[] = {{"initContainers", "init container "},
                                                            {"containers", "container "}};
  for (const auto& [list, title] : kLists)
    for (const Value& container : pod["spec"][list].elements()) {
      const std::string head = title + container["name"].str();
      for (const Value& one : container["env"].elements()) {
        const Value& reference = one["valueFrom"]["secretKeyRef"];
        if (!reference.is_null() && !lists(allowed, reference["name"].as_string()))
          return refuse(head + " with envVar " + one["name"].str() + " referencing ",
                        reference["name"].as_string());
      }
      for (const Value& one : container["envFrom"].elements()) {
        const Value& reference = one["secretRef"];
        if (!reference.is_null() && !lists(allowed, reference["name"].as_string()))
          return refuse(head + " with envFrom referencing ", reference["name"].as_string());
      }
    }
  const Value& pulls = pod["spec"]["imagePullSecrets"];
  for (std::size_t i = 0; i < pulls.size(); ++i)
    if (!lists(account["imagePullSecrets"], pulls[i]["name"].as_string()))
      return admission.refuse("imagePullSecrets[" + std::to_string(i) +
                              "].name=" + quote(pulls[i]["name"].as_string()) +
                              " is not allowed because service account " +
                              std::string(model::name_of(account)) +
                              " does not reference that imagePullSecret");
  return {};
}

Value access_volume(const std::string& name) {
  const Value token = Value::object(
      {{"serviceAccountToken", Value::object({{"expirationSeconds", 3607}, {"path", "token"}})}});
  const Value root = Value::object(
      {{"configMap",
        Value::object(
            {{"name", "kube-root-ca.crt"},
             {"items", Value::array({Value::object({{"key", "ca.crt"}, {"path", "ca.crt"}})})}})}});
  const Value place = Value::object(
      {{"downwardAPI",
        Value::object(
            {{"items",
              Value::array({Value::object(
                  {{"path", "namespace"},
                   {"fieldRef", Value::object({{"apiVersion", "v1"},
                                               {"fieldPath", "metadata.namespace"}})}})})}})}});
  return Value::object(
      {{"name", name},
       {"projected",
        Value::object({{"sources", Value::array({token, root, place})}, {"defaultMode", 420}})}});
}

void mount_token(Admission& admission, Value& pod) {
  Value& spec = pod.edit("spec");
  std::string name;
  for (const Value& volume : spec["volumes"].elements())
    if (volume["name"].as_string().starts_with("kube-api-access-")) name = volume["name"].str();
  const bool has_volume = !name.empty();
  if (!has_volume) name = "kube-api-access-" + admission.state().rng().name_suffix(5);
  bool needed = false;
  for (const char* list : {"initContainers", "containers"})
    for (std::size_t i = 0; i < spec[list].size(); ++i) {
      const auto& mounts = spec[list][i]["volumeMounts"].elements();
      if (std::any_of(mounts.begin(), mounts.end(), [](const Value& mount) {
            return mount["mountPath"].as_string() == kAccessPath;
          }))
        continue;
      spec.edit(list)
          .edit(i)
          .edit("volumeMounts")
          .push_back(
              Value::object({{"name", name}, {"readOnly", true}, {"mountPath", kAccessPath}}));
      needed = true;
    }
  if (needed && !has_volume) spec.edit("volumes").push_back(access_volume(name));
}

}  // namespace

Result<void> service_account(Admission& admission) {
  if (!new_pod(admission)) return {};
  Value& pod = admission.object();
  if (model::annotations_of(pod).has(kMirror)) return check_mirror(admission, pod);
  Value& spec = pod.edit("spec");
  if (spec["serviceAccountName"].as_string().empty()) {
    spec.set("serviceAccountName", "default");
    spec.set("serviceAccount", "default");
  }
  const std::string name = spec["serviceAccountName"].str();
  const std::string& ns = admission.namespace_name();
  const Value account = admission.state().object("serviceaccounts", ns, name);
  if (account.is_null())
    return admission.refuse("error looking up service account " + ns + "/" + name +
                            ": serviceaccount " + quote(name) + " not found");
  const bool mount = spec["automountServiceAccountToken"].is_bool()
                         ? spec["automountServiceAccountToken"].as_bool()
                         : account["automountServiceAccountToken"].as_bool(true);
  if (mount) mount_token(admission, pod);
  if (pod["spec"]["imagePullSecrets"].empty() && !account["imagePullSecrets"].empty())
    pod.edit("spec").set("imagePullSecrets", account["imagePullSecrets"]);
  if (model::annotation_of(account, "kubernetes.io/enforce-mountable-secrets") == "true")
    return limit_secrets(admission, account, pod);
  return {};
}

// --- Priority ---

namespace {

const std::string_view kClasses = "priorityclasses.scheduling.k8s.io";

Value default_class(Admission& admission) {
  Value chosen;
  for (const store::EntryPtr& one : admission.state().entries(kClasses)) {
    const Value& object = one->value();
    if (!object["globalDefault"].as_bool()) continue;
    if (chosen.is_null() || object["value"].as_int() < chosen["value"].as_int()) chosen = object;
  }
  return chosen;
}

}  // namespace

Result<void> priority_mutate(Admission& admission) {
  // An update that leaves the priority out keeps it.
  if (admission.updating() && admission.is("pods")) {
    for (const char* field : {"priority", "preemptionPolicy"})
      if (!admission.object()["spec"].has(field) && admission.old()["spec"].has(field))
        admission.object().edit("spec").set(field, admission.old()["spec"][field]);
    return {};
  }
  if (!new_pod(admission)) return {};
  Value& spec = admission.object().edit("spec");
  std::string name = spec["priorityClassName"].str();
  Value chosen;
  if (name.empty()) {
    chosen = default_class(admission);
    if (!chosen.is_null()) spec.set("priorityClassName", model::name_of(chosen));
  } else {
    chosen = admission.state().object(kClasses, "", name);
    if (chosen.is_null())
      return admission.refuse("no PriorityClass with name " + name + " was found");
  }
  const std::int64_t priority = chosen["value"].as_int();
  const std::string policy =
      chosen.has("preemptionPolicy") ? chosen["preemptionPolicy"].str() : "PreemptLowerPriority";
  if (spec.has("priority") && spec["priority"].as_int() != priority)
    return admission.refuse("the integer value of priority (" +
                            std::to_string(spec["priority"].as_int()) +
                            ") must not be provided in pod spec; priority admission controller "
                            "computed " +
                            std::to_string(priority) + " from the given PriorityClass name");
  spec.set("priority", priority);
  if (spec.has("preemptionPolicy") && spec["preemptionPolicy"].as_string() != policy)
    return admission.refuse("the string value of PreemptionPolicy (" +
                            spec["preemptionPolicy"].str() +
                            ") must not be provided in pod spec; priority admission controller "
                            "computed " +
                            policy + " from the given PriorityClass name");
  spec.set("preemptionPolicy", policy);
  return {};
}

Result<void> priority_validate(Admission& admission) {
  if (!admission.is(kClasses)) return {};
  if (admission.removing()) {
    const std::string name = admission.call().request.name;
    if (name == "system-node-critical" || name == "system-cluster-critical")
      return admission.refuse("this is a system priority class and cannot be deleted");
    return {};
  }
  if (!admission.object()["globalDefault"].as_bool()) return {};
  const Value chosen = default_class(admission);
  if (!chosen.is_null() && model::name_of(chosen) != model::name_of(admission.object()))
    return admission.refuse("PriorityClass " + std::string(model::name_of(chosen)) +
                            " is already marked as default. Only one default can exist");
  return {};
}

// --- DefaultTolerationSeconds ---

Result<void> default_tolerations(Admission& admission) {
  if (!admission.is("pods") || admission.removing()) return {};
  Value& spec = admission.object().edit("spec");
  for (const char* key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
    bool tolerated = false;
    for (const Value& one : spec["tolerations"].elements()) {
      const std::string_view its = one["key"].as_string(), effect = one["effect"].as_string();
      tolerated =
          tolerated || ((its == key || its.empty()) && (effect == "NoExecute" || effect.empty()));
    }
    if (!tolerated)
      spec.edit("tolerations")
          .push_back(Value::object({{"key", key},
                                    {"operator", "Exists"},
                                    {"effect", "NoExecute"},
                                    {"tolerationSeconds", 300}}));
  }
  return {};
}

// --- RuntimeClass ---

namespace {

const std::string_view kRuntimes = "runtimeclasses.node.k8s.io";

Result<Value> runtime_of(Admission& admission) {
  const Value& wanted = admission.object()["spec"]["runtimeClassName"];
  if (wanted.is_null()) return Value();
  const std::string name = wanted.str();
  if (name.empty()) return unknown("resource name may not be empty");
  const Value found = admission.state().object(kRuntimes, "", name);
  if (found.is_null())
    return admission.refuse("pod rejected: RuntimeClass " + quote(name) + " not found");
  return found;
}

}  // namespace

Result<void> runtime_class_mutate(Admission& admission) {
  if (!new_pod(admission)) return {};
  TRY(const Value runtime, runtime_of(admission));
  Value& spec = admission.object().edit("spec");
  const Value& overhead = runtime["overhead"]["podFixed"];
  if (!overhead.empty()) {
    if (!spec["overhead"].empty() && !(spec["overhead"] == overhead))
      return admission.refuse(
          "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    spec.set("overhead", overhead);
  }
  const Value& scheduling = runtime["scheduling"];
  for (const codec::Member& one : scheduling["nodeSelector"].members()) {
    const Value& wanted = spec["nodeSelector"][one.key()];
    if (!wanted.is_null() && !(wanted == one.value))
      return admission.refuse("conflict: runtimeClass.scheduling.nodeSelector[" +
                              std::string(one.key()) + "] = " + one.value.str() +
                              "; pod.spec.nodeSelector[" + std::string(one.key()) +
                              "] = " + wanted.str());
    spec.edit("nodeSelector").set(one.key(), one.value);
  }
  for (const Value& one : scheduling["tolerations"].elements()) {
    const auto& have = spec["tolerations"].elements();
    if (std::find(have.begin(), have.end(), one) == have.end())
      spec.edit("tolerations").push_back(one);
  }
  return {};
}

Result<void> runtime_class_validate(Admission& admission) {
  if (!new_pod(admission)) return {};
  TRY(const Value runtime, runtime_of(admission));
  const Value& overhead = admission.object()["spec"]["overhead"];
  if (overhead.empty() || overhead == runtime["overhead"]["podFixed"]) return {};
  if (runtime.is_null())
    return admission.refuse(
        "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
  return admission.refuse(
      "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
}

// --- PodTopologyLabels and TaintNodesByCondition ---

Result<void> pod_topology_labels(Admission& admission) {
  if (!new_pod(admission)) return {};
  Value& pod = admission.object();
  const std::string node = pod["spec"]["nodeName"].str();
  if (node.empty()) return {};
  const Value found = admission.state().object("nodes", "", node);
  for (const char* label : {"topology.kubernetes.io/zone", "topology.kubernetes.io/region"})
    if (const std::string_view value = model::label_of(found, label); !value.empty())
      pod.edit("metadata").edit("labels").set(label, value);
  return {};
}

Result<void> taint_new_nodes(Admission& admission) {
  if (!admission.creating() || !admission.is("nodes")) return {};
  constexpr std::string_view kNotReady = "node.kubernetes.io/not-ready";
  Value& spec = admission.object().edit("spec");
  for (const Value& taint : spec["taints"].elements())
    if (taint["key"].as_string() == kNotReady && taint["effect"].as_string() == "NoSchedule")
      return {};
  spec.edit("taints").push_back(Value::object({{"key", kNotReady}, {"effect", "NoSchedule"}}));
  return {};
}

}  // namespace keelson::registry::admission
