// Original: plugin/pkg/auth/authorizer/rbac, plugin/pkg/auth/authorizer/node, and
// apiserver/pkg/endpoints/handlers/responsewriters/errors.go.
#include "api/access/authorizer.h"

#include <algorithm>

#include "base/text.h"
#include "model/meta.h"
#include "registry/errors.h"

namespace keelson::api {
namespace {

constexpr std::string_view kRoles = "roles.rbac.authorization.k8s.io";
constexpr std::string_view kClusterRoles = "clusterroles.rbac.authorization.k8s.io";
constexpr std::string_view kRoleBindings = "rolebindings.rbac.authorization.k8s.io";
constexpr std::string_view kClusterRoleBindings = "clusterrolebindings.rbac.authorization.k8s.io";
constexpr std::string_view kAccountPrefix = "system:serviceaccount:";
constexpr std::string_view kNodePrefix = "system:node:";

bool contains(const Value& list, std::string_view text) {
  return std::any_of(list.elements().begin(), list.elements().end(),
                     [&](const Value& one) { return one.as_string() == text; });
}

bool matches_resource(const Value& resources, const Access& access) {
  const std::string combined =
      access.subresource.empty() ? access.resource : access.resource + "/" + access.subresource;
  return std::any_of(resources.elements().begin(), resources.elements().end(),
                     [&](const Value& one) {
                       const std::string_view text = one.as_string();
                       if (text == "*" || text == combined) return true;
                       return !access.subresource.empty() && text.starts_with("*/") &&
                              text.substr(2) == access.subresource;
                     });
}

bool matches_path(const Value& urls, std::string_view path) {
  return std::any_of(urls.elements().begin(), urls.elements().end(), [&](const Value& one) {
    std::string_view text = one.as_string();
    if (text == "*" || text == path) return true;
    if (!text.ends_with('*')) return false;
    while (text.ends_with('*')) text.remove_suffix(1);
    return path.starts_with(text);
  });
}

std::string subject_key(const Value& subject, std::string_view binding_namespace) {
  const std::string_view kind = subject["kind"].as_string();
  const std::string name = subject["name"].str();
  if (kind == "User") return "user:" + name;
  if (kind == "Group") return "group:" + name;
  std::string ns = subject["namespace"].str();
  if (ns.empty()) ns = binding_namespace;
  return "account:" + ns + ":" + name;
}

std::string describe(const Value& binding, const Value& subject, bool cluster) {
  const std::string ns(model::namespace_of(binding));
  std::string name(model::name_of(binding));
  if (!cluster) name += "/" + ns;
  std::string who = subject["name"].str();
  if (subject["kind"].as_string() == "ServiceAccount") {
    const std::string own = subject["namespace"].str();
    who += "/" + (own.empty() ? ns : own);
  }
  return std::string(cluster ? "ClusterRoleBinding " : "RoleBinding ") + quote(name) + " of " +
         binding["roleRef"]["kind"].str() + " " + quote(binding["roleRef"]["name"].as_string()) +
         " to " + subject["kind"].str() + " " + quote(who);
}

bool refers(const Value& pod, std::string_view resource, std::string_view name) {
  const bool secret = resource == "secrets";
  const std::string_view key_ref = secret ? "secretKeyRef" : "configMapKeyRef";
  const std::string_view from_ref = secret ? "secretRef" : "configMapRef";
  const Value& spec = pod["spec"];
  if (secret && std::any_of(spec["imagePullSecrets"].elements().begin(),
                            spec["imagePullSecrets"].elements().end(),
                            [&](const Value& one) { return one["name"].as_string() == name; }))
    return true;
  for (const Value& volume : spec["volumes"].elements()) {
    if (resource == "persistentvolumeclaims") {
      if (volume["persistentVolumeClaim"]["claimName"].as_string() == name) return true;
      continue;
    }
    if (secret ? volume["secret"]["secretName"].as_string() == name
               : volume["configMap"]["name"].as_string() == name)
      return true;
    for (const Value& source : volume["projected"]["sources"].elements())
      if (source[secret ? "secret" : "configMap"]["name"].as_string() == name) return true;
  }
  for (const std::string_view list : {"containers", "initContainers", "ephemeralContainers"}) {
    for (const Value& container : spec[list].elements()) {
      for (const Value& variable : container["env"].elements())
        if (variable["valueFrom"][key_ref]["name"].as_string() == name) return true;
      for (const Value& source : container["envFrom"].elements())
        if (source[from_ref]["name"].as_string() == name) return true;
    }
  }
  return false;
}

}  // namespace

bool Authorizer::rule_allows(const Value& rule, const Access& access) {
  const Value& verbs = rule["verbs"];
  if (!contains(verbs, "*") && !contains(verbs, access.verb)) return false;
  if (!access.path.empty()) return matches_path(rule["nonResourceURLs"], access.path);
  const Value& groups = rule["apiGroups"];
  if (!contains(groups, "*") && !contains(groups, access.group)) return false;
  if (!matches_resource(rule["resources"], access)) return false;
  const Value& names = rule["resourceNames"];
  return names.empty() || contains(names, access.name);
}

void Authorizer::index() const {
  bindings_.clear();
  for (const bool cluster : {true, false}) {
    for (const Value& binding : source_.list(cluster ? kClusterRoleBindings : kRoleBindings, "")) {
      for (const Value& subject : binding["subjects"].elements()) {
        std::vector<Binding>& list = bindings_[subject_key(subject, model::namespace_of(binding))];
        list.push_back({binding, subject, cluster});
      }
    }
  }
  indexed_ = true;
}

std::vector<const Authorizer::Binding*> Authorizer::bindings_of(const Identity& identity,
                                                                std::string_view ns) const {
  if (!indexed_) index();
  std::vector<std::string> keys{"user:" + identity.user};
  for (const std::string& group : identity.groups) keys.push_back("group:" + group);
  if (identity.user.starts_with(kAccountPrefix))
    keys.push_back("account:" + identity.user.substr(kAccountPrefix.size()));
  std::vector<const Binding*> found;
  for (const std::string& key : keys) {
    const auto list = bindings_.find(key);
    if (list == bindings_.end()) continue;
    for (const Binding& binding : list->second)
      if (binding.cluster || (!ns.empty() && model::namespace_of(binding.object) == ns))
        found.push_back(&binding);
  }
  // Cluster-wide first, then by name: the order of the original's lists, which reasons show.
  std::stable_sort(found.begin(), found.end(), [](const Binding* a, const Binding* b) {
    if (a->cluster != b->cluster) return a->cluster;
    return model::name_of(a->object) < model::name_of(b->object);
  });
  return found;
}

void Authorizer::visit_rules(const Identity& identity, std::string_view ns, const Visit& visit,
                             std::vector<std::string>& errors) const {
  for (const Binding* binding : bindings_of(identity, ns)) {
    const Value& reference = binding->object["roleRef"];
    const bool cluster_role = reference["kind"].as_string() == "ClusterRole";
    const std::string_view name = reference["name"].as_string();
    const Value role = cluster_role
                           ? source_.get(kClusterRoles, "", name)
                           : source_.get(kRoles, model::namespace_of(binding->object), name);
    if (role.is_null()) {
      errors.push_back(std::string(cluster_role ? "clusterrole" : "role") +
                       ".rbac.authorization.k8s.io " + quote(name) + " not found");
      continue;
    }
    for (const Value& rule : role["rules"].elements())
      if (!visit(rule, *binding)) return;
  }
}

Verdict Authorizer::authorize(const Identity& identity, const Access& access) const {
  if (identity.in_group("system:masters")) return {true, ""};
  const Verdict node = authorize_node(identity, access);
  if (node.allowed) return node;
  Verdict verdict;
  std::vector<std::string> errors;
  visit_rules(
      identity, access.namespace_,
      [&](const Value& rule, const Binding& binding) {
        if (!rule_allows(rule, access)) return true;
        verdict = {
            true, "RBAC: allowed by " + describe(binding.object, binding.subject, binding.cluster)};
        return false;
      },
      errors);
  if (verdict.allowed) return verdict;
  verdict.reason = node.reason;
  if (!errors.empty()) {
    std::sort(errors.begin(), errors.end());
    errors.erase(std::unique(errors.begin(), errors.end()), errors.end());
    const std::string text = errors.size() == 1 ? errors.front() : "[" + join(errors, ", ") + "]";
    if (!verdict.reason.empty()) verdict.reason += "\n";
    verdict.reason += "RBAC: " + text;
  }
  return verdict;
}

registry::HeldRules Authorizer::rules_of(const Identity& identity, std::string_view ns) const {
  registry::HeldRules rules;
  visit_rules(
      identity, ns,
      [&](const Value& rule, const Binding&) {
        rules.rules.push_back(rule);
        return true;
      },
      rules.errors);
  return rules;
}

bool Authorizer::node_uses(std::string_view node, const Access& access) const {
  for (const Value& pod : source_.list("pods", access.namespace_)) {
    if (pod["spec"]["nodeName"].as_string() != node) continue;
    if (access.resource == "serviceaccounts") {
      if (pod["spec"]["serviceAccountName"].as_string() == access.name) return true;
    } else if (refers(pod, access.resource, access.name)) {
      return true;
    }
  }
  return false;
}

Verdict Authorizer::authorize_node(const Identity& identity, const Access& access) const {
  if (!identity.user.starts_with(kNodePrefix) || !identity.in_group("system:nodes")) return {};
  const std::string node = identity.user.substr(kNodePrefix.size());
  const bool guarded = access.group.empty() && access.path.empty() &&
                       (access.resource == "secrets" || access.resource == "configmaps" ||
                        (access.resource == "persistentvolumeclaims" && access.verb == "get" &&
                         access.subresource.empty()));
  const bool token = access.group.empty() && access.resource == "serviceaccounts" &&
                     access.subresource == "token" && access.verb == "create";
  if (guarded && access.verb != "get" && access.verb != "list" && access.verb != "watch")
    return {false, "can only read resources of this type"};
  if (guarded || token) {
    if (!access.subresource.empty() && !token) return {false, "cannot read subresource"};
    if (access.name.empty()) return {false, "No Object name found"};
    if (node_uses(node, access)) return {true, ""};
    return {false, "no relationship found between node '" + node + "' and this object"};
  }
  const Value role = source_.get(kClusterRoles, "", "system:node");
  for (const Value& rule : role["rules"].elements())
    if (rule_allows(rule, access)) return {true, ""};
  return {};
}

Error forbidden_error(const Identity& identity, const Access& access, std::string_view reason) {
  std::string why = "User " + quote(identity.user) + " cannot " + access.verb;
  if (!access.path.empty()) {
    why += " path " + quote(access.path);
  } else {
    std::string resource = access.resource;
    if (!access.subresource.empty()) resource += "/" + access.subresource;
    why += " resource " + quote(resource) + " in API group " + quote(access.group);
    why += access.namespace_.empty() ? " at the cluster scope"
                                     : " in the namespace " + quote(access.namespace_);
  }
  if (!reason.empty()) why += ": " + std::string(reason);
  Error error{Reason::forbidden, ""};
  error.details = true;
  if (!access.path.empty()) {
    error.message = "forbidden: " + why;
    return error;
  }
  const registry::GroupName what{access.group, access.resource};
  error.message =
      what.text() + (access.name.empty() ? "" : " " + quote(access.name)) + " is forbidden: " + why;
  error.group = access.group;
  error.kind = access.resource;
  error.name = access.name;
  return error;
}

}  // namespace keelson::api
