// PodSecurity by the labels of the namespace: enforce refuses pods, warn warns about pods and the
// templates of workloads; labels that say nothing sensible are refused, and a stricter level names
// the pods that would not come in again. Source: k8s.io/pod-security-admission.
#include <algorithm>
#include <map>

#include "base/text.h"
#include "model/meta.h"
#include "registry/admission/admission.h"
#include "registry/admission/pod_security.h"

namespace keelson::registry::admission {

namespace {

constexpr std::string_view kPrefix = "pod-security.kubernetes.io/";
constexpr std::size_t kPodsMax = 3000;  // looked at when a namespace becomes stricter

struct Policy {
  std::string level = "privileged", version = "latest";
  int number() const {
    if (version == "latest") return kPodSecurityLatest;
    return static_cast<int>(
        parse_int(version.substr(version.find('.') + 1)).value_or(kPodSecurityLatest));
  }
  std::string text() const { return level + ":" + version; }
  bool operator==(const Policy&) const = default;
};

int rank(std::string_view level) {
  return level == "restricted" ? 2 : level == "baseline" ? 1 : 0;
}

bool is_level(std::string_view text) {
  return text == "privileged" || text == "baseline" || text == "restricted";
}

bool is_version(std::string_view text) {
  if (text == "latest") return true;
  if (!text.starts_with("v1.")) return false;
  const std::string_view minor = text.substr(3);
  return !minor.empty() && minor.size() < 9 && (minor == "0" || minor[0] != '0') &&
         std::all_of(minor.begin(), minor.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// A level that cannot be read means the strictest for enforce, as the original fails closed there.
Policy policy_of(const Value& ns, std::string_view mode) {
  Policy out;
  const Value& labels = model::labels_of(ns);
  const std::string key = std::string(kPrefix) + std::string(mode);
  if (labels.has(key)) {
    const std::string level = labels[key].str();
    out.level = is_level(level) ? level : mode == "enforce" ? "restricted" : "privileged";
  }
  if (const std::string version = labels[key + "-version"].str(); is_version(version))
    out.version = version;
  return out;
}

// Warnings follow the enforced level where they have none of their own.
Policy warn_policy_of(const Value& ns) {
  Policy warn = policy_of(ns, "warn");
  const Value& labels = model::labels_of(ns);
  const std::string prefix(kPrefix);
  const bool sensible = is_level(labels[prefix + "enforce"].as_string());
  const Policy enforce = policy_of(ns, "enforce");
  if (labels.has(prefix + "warn") || !sensible || rank(enforce.level) <= rank(warn.level))
    return warn;
  warn.level = enforce.level;
  if (!labels.has(prefix + "warn-version")) warn.version = enforce.version;
  return warn;
}

std::string violation(const Policy& policy, const Value& meta, const Value& spec) {
  std::vector<std::string> parts;
  for (const PodFinding& one : pod_findings(meta, spec, policy.level, policy.number()))
    parts.push_back(one.reason + (one.detail.empty() ? "" : " (" + one.detail + ")"));
  if (parts.empty()) return {};
  return "PodSecurity " + quote(policy.text()) + ": " + join(parts, ", ");
}

// The pod template of a workload; null for other kinds.
const Value& template_of(std::string_view resource, const Value& object) {
  static const Value none;
  if (resource == "podtemplates") return object["template"];
  if (resource == "cronjobs.batch") return object.at("spec.jobTemplate.spec.template");
  for (std::string_view one : {"replicationcontrollers", "replicasets.apps", "deployments.apps",
                               "statefulsets.apps", "daemonsets.apps", "jobs.batch"})
    if (resource == one) return object["spec"]["template"];
  return none;
}

// Of what a pod may change, only images can make it another pod in the eyes of the standards.
bool changes_matter(const Value& now, const Value& before) {
  for (const char* list : {"containers", "initContainers"}) {
    if (now[list].size() != before[list].size()) return true;
    for (std::size_t i = 0; i < now[list].size(); ++i)
      if (!(now[list][i]["image"] == before[list][i]["image"])) return true;
  }
  const auto& old = before["ephemeralContainers"].elements();
  for (const Value& one : now["ephemeralContainers"].elements()) {
    const auto found = std::find_if(old.begin(), old.end(),
                                    [&](const Value& o) { return o["name"] == one["name"]; });
    if (found == old.end() || !((*found)["image"] == one["image"])) return true;
  }
  return false;
}

std::vector<Cause> label_causes(const Value& ns) {
  std::vector<Cause> causes;
  const Value& labels = model::labels_of(ns);
  for (const std::string_view mode : {"enforce", "audit", "warn"}) {
    const std::string level = std::string(kPrefix) + std::string(mode);
    const std::string version = level + "-version";
    if (labels.has(level) && !is_level(labels[level].as_string()))
      causes.push_back(cause_invalid("metadata.labels[" + level + "]", labels[level],
                                     "must be one of privileged, baseline, restricted"));
    if (labels.has(version) && !is_version(labels[version].as_string()))
      causes.push_back(cause_invalid("metadata.labels[" + version + "]", labels[version],
                                     "must be \"latest\" or \"v1.x\""));
  }
  return causes;
}

bool same_causes(const std::vector<Cause>& a, const std::vector<Cause>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Cause& x, const Cause& y) {
    return x.field == y.field && x.message == y.message;
  });
}

// Names the pods that are there and would not come in under the policy.
void warn_of_pods(Admission& admission, const Policy& policy) {
  struct Group {
    std::string first;
    std::size_t count = 0;
  };
  std::map<std::string, Group> groups;
  const std::vector<store::EntryPtr> pods = admission.state().entries("pods", admission.name());
  const std::size_t looked_at = std::min(pods.size(), kPodsMax);
  for (std::size_t i = 0; i < looked_at; ++i) {
    const Value& pod = pods[i]->value();
    std::vector<std::string> reasons;
    for (const PodFinding& one :
         pod_findings(pod["metadata"], pod["spec"], policy.level, policy.number()))
      reasons.push_back(one.reason);
    if (reasons.empty()) continue;
    Group& group = groups[join(reasons, ", ")];
    const std::string name(model::name_of(pod));
    if (group.count++ == 0 || name < group.first) group.first = name;
  }
  Call& call = admission.call();
  if (looked_at < pods.size())
    call.warn("new PodSecurity enforce level only checked against the first " +
              std::to_string(looked_at) + " of " + std::to_string(pods.size()) + " existing pods");
  if (groups.empty()) return;
  call.warn("existing pods in namespace " + quote(admission.name()) +
            " violate the new PodSecurity enforce level " + quote(policy.text()));
  std::vector<std::string> texts;
  for (const auto& [reasons, group] : groups) {
    std::string who = group.first;
    if (group.count == 2) who += " (and 1 other pod)";
    if (group.count > 2) who += " (and " + std::to_string(group.count - 1) + " other pods)";
    texts.push_back(who + ": " + reasons);
  }
  std::sort(texts.begin(), texts.end());
  for (std::string& text : texts) call.warn(std::move(text));
}

Result<void> check_namespace(Admission& admission) {
  const Value &now = admission.object(), &before = admission.old();
  std::vector<Cause> causes = label_causes(now);
  if (!causes.empty() && (admission.creating() || !same_causes(causes, label_causes(before))))
    return invalid(admission.call().group_kind(), admission.name(), std::move(causes));
  if (admission.creating()) return {};
  const Policy fresh = policy_of(now, "enforce"), old = policy_of(before, "enforce");
  if (fresh == old || fresh.level == "privileged") return {};
  if (fresh.version == old.version && rank(fresh.level) <= rank(old.level)) return {};
  warn_of_pods(admission, fresh);
  return {};
}

}  // namespace

Result<void> pod_security(Admission& admission) {
  if (admission.removing()) return {};
  if (admission.is("namespaces")) return check_namespace(admission);
  if (admission.namespace_name().empty()) return {};
  const bool pod =
      admission.resource() == "pods" &&
      (admission.subresource().empty() || admission.subresource() == "ephemeralcontainers");
  const Value& object = admission.object();
  const Value& subject = pod ? object
                         : admission.subresource().empty()
                             ? template_of(admission.resource(), object)
                             : Value();
  if (!subject["spec"].is_object()) return {};
  if (pod && admission.updating() && !changes_matter(object["spec"], admission.old()["spec"]))
    return {};
  const Value ns = admission.state().object("namespaces", "", admission.namespace_name());
  if (pod)
    if (const std::string why =
            violation(policy_of(ns, "enforce"), subject["metadata"], subject["spec"]);
        !why.empty())
      return admission.refuse("violates " + why);
  if (const std::string why = violation(warn_policy_of(ns), subject["metadata"], subject["spec"]);
      !why.empty())
    admission.call().warn("would violate " + why);
  return {};
}

}  // namespace keelson::registry::admission
