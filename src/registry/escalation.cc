#include "registry/escalation.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "model/meta.h"

namespace keelson::registry {

namespace {

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";
constexpr std::string_view kPrivileged = "system:masters";

bool has(const Value& list, std::string_view text) {
  return std::any_of(list.elements().begin(), list.elements().end(),
                     [&](const Value& one) { return one.as_string() == text; });
}

// An atomic rule has at most one entry in each of its lists.
std::string_view only(const Value& list) {
  return list.empty() ? std::string_view() : list[0].as_string();
}

bool covers_resource(const Value& held, std::string_view wanted) {
  if (has(held, "*") || has(held, wanted)) return true;
  const std::size_t slash = wanted.find('/');
  return slash != std::string_view::npos && has(held, "*" + std::string(wanted.substr(slash)));
}

bool covers_path(const Value& held, std::string_view wanted) {
  return std::any_of(held.elements().begin(), held.elements().end(), [&](const Value& one) {
    std::string_view text = one.as_string();
    if (text == wanted) return true;
    if (!text.ends_with('*')) return false;
    while (text.ends_with('*')) text.remove_suffix(1);
    return wanted.starts_with(text);
  });
}

bool covers(const Value& held, const Value& wanted) {
  const Value &groups = held["apiGroups"], &verbs = held["verbs"], &names = held["resourceNames"];
  if (!has(verbs, "*") && !has(verbs, only(wanted["verbs"]))) return false;
  if (!wanted["nonResourceURLs"].empty())
    return covers_path(held["nonResourceURLs"], only(wanted["nonResourceURLs"])) && names.empty();
  if (!has(groups, "*") && !has(groups, only(wanted["apiGroups"]))) return false;
  if (!covers_resource(held["resources"], only(wanted["resources"]))) return false;
  if (names.empty()) return true;
  return !wanted["resourceNames"].empty() && has(names, only(wanted["resourceNames"]));
}

void break_down(const Value& rule, std::vector<Value>& out) {
  const auto one = [](const Value& text) { return Value::array({text}); };
  for (const Value& group : rule["apiGroups"].elements())
    for (const Value& resource : rule["resources"].elements())
      for (const Value& verb : rule["verbs"].elements()) {
        Value atom = Value::object(
            {{"apiGroups", one(group)}, {"resources", one(resource)}, {"verbs", one(verb)}});
        if (rule["resourceNames"].empty()) out.push_back(atom);
        for (const Value& name : rule["resourceNames"].elements()) {
          atom.set("resourceNames", one(name));
          out.push_back(atom);
        }
      }
  for (const Value& url : rule["nonResourceURLs"].elements())
    for (const Value& verb : rule["verbs"].elements())
      out.push_back(Value::object({{"nonResourceURLs", one(url)}, {"verbs", one(verb)}}));
}

// What differs only by its verb becomes one rule; paths stay apart, as in the original.
std::vector<Value> compacted(const std::vector<Value>& atoms) {
  std::vector<Value> out;
  for (const Value& atom : atoms) {
    const auto same = [&](const Value& other) {
      return atom["nonResourceURLs"].empty() && other["apiGroups"] == atom["apiGroups"] &&
             other["resources"] == atom["resources"] &&
             other["resourceNames"] == atom["resourceNames"] && other["nonResourceURLs"].empty();
    };
    const auto found = std::find_if(out.begin(), out.end(), same);
    if (found == out.end())
      out.push_back(atom);
    else
      found->edit("verbs").push_back(atom["verbs"][0]);
  }
  return out;
}

std::string list_text(const Value& list) {
  std::vector<std::string> quoted;
  for (const Value& one : list.elements()) quoted.push_back(quote(one.as_string()));
  return "[" + join(quoted, " ") + "]";
}

std::string rule_text(const Value& rule) {
  constexpr std::pair<std::string_view, std::string_view> kParts[] = {
      {"APIGroups", "apiGroups"},
      {"Resources", "resources"},
      {"NonResourceURLs", "nonResourceURLs"},
      {"ResourceNames", "resourceNames"},
      {"Verbs", "verbs"}};
  std::vector<std::string> parts;
  for (const auto& [title, key] : kParts)
    if (!rule[key].empty()) parts.push_back(std::string(title) + ":" + list_text(rule[key]));
  return "{" + join(parts, ", ") + "}";
}

// Why the writer may not grant these rules; empty: they hold them.
std::string escalation_of(const Registry::State& state, const Call& call,
                          const std::vector<Value>& wanted) {
  const Identity& who = call.request.identity;
  const HeldRules held = state.environment.rules(who, call.request.namespace_);
  const std::vector<Value> missing = uncovered_rules(held.rules, wanted);
  if (missing.empty()) return {};
  std::set<std::string> texts;
  for (const Value& rule : compacted(missing)) texts.insert(rule_text(rule));
  std::vector<std::string> groups;
  for (const std::string& group : who.groups) groups.push_back(quote(group));
  std::string why = "user " + quote(who.user) + " (groups=[" + join(groups, " ") +
                    "]) is attempting to grant RBAC permissions not currently held:\n" +
                    join({texts.begin(), texts.end()}, "\n");
  if (held.errors.size() == 1) why += "; resolution errors: [" + held.errors.front() + "]";
  if (held.errors.size() > 1) why += "; resolution errors: [[" + join(held.errors, ", ") + "]]";
  return why;
}

bool may(const Registry::State& state, const Call& call, std::string_view verb,
         std::string_view resource, std::string_view name) {
  Access access;
  access.verb = verb;
  access.group = kGroup;
  access.version = "*";
  access.resource = resource;
  access.namespace_ = call.request.namespace_;
  access.name = name;
  return state.environment.authorize(call.request.identity, access).allowed;
}

// The garbage collector must be able to finish off what it may not write otherwise.
bool only_for_collector(const Value& object, const Value& old) {
  if (old.is_null()) return false;
  Value left = object, right = old;
  for (Value* one : {&left, &right})
    for (const std::string_view key : {"ownerReferences", "finalizers", "managedFields"})
      one->edit("metadata").erase(key);
  return left == right;
}

Result<void> check_role(const Registry::State& state, const Call& call, const Value& object,
                        const Value& old) {
  const auto refuse = [&](std::string_view why) {
    return forbidden(call.group_resource(), model::name_of(object), why);
  };
  const std::string why = escalation_of(state, call, object["rules"].elements());
  if (!why.empty()) return refuse(why);
  // Selectors may gather anything.
  if (object["aggregationRule"]["clusterRoleSelectors"].empty() &&
      old["aggregationRule"]["clusterRoleSelectors"].empty())
    return {};
  const Value all = Value::array({"*"});
  const std::vector<Value> everything = {
      Value::object({{"apiGroups", all}, {"resources", all}, {"verbs", all}}),
      Value::object({{"nonResourceURLs", all}, {"verbs", all}})};
  if (escalation_of(state, call, everything).empty()) return {};
  return refuse("must have cluster-admin privileges to use the aggregationRule");
}

Result<void> check_binding(const Registry::State& state, const Call& call, const Value& object) {
  const Value& reference = object["roleRef"];
  const std::string_view kind = reference["kind"].as_string(), name = reference["name"].as_string();
  const bool is_cluster_role = kind == "ClusterRole";
  if (!is_cluster_role && kind != "Role")
    return unknown("unsupported role reference kind: " + quote(kind));
  const std::string_view resource = is_cluster_role ? "clusterroles" : "roles";
  if (reference["apiGroup"].as_string() == kGroup && may(state, call, "bind", resource, name))
    return {};
  const Value& role = state.object(std::string(resource) + "." + std::string(kGroup),
                                   is_cluster_role ? "" : call.request.namespace_, name);
  // The original's message says the resource of the request here.
  if (role.is_null()) return not_found(call.group_resource(), name);
  const std::string why = escalation_of(state, call, role["rules"].elements());
  if (why.empty()) return {};
  return forbidden(call.group_resource(), model::name_of(object), why);
}

}  // namespace

std::vector<Value> uncovered_rules(const std::vector<Value>& held,
                                   const std::vector<Value>& wanted) {
  std::vector<Value> atoms, missing;
  for (const Value& rule : wanted) break_down(rule, atoms);
  for (const Value& atom : atoms)
    if (std::none_of(held.begin(), held.end(), [&](const Value& one) { return covers(one, atom); }))
      missing.push_back(atom);
  return missing;
}

Result<void> check_escalation(const Registry::State& state, const Call& call, const Value& object,
                              const Value& old) {
  if (call.storage->group != kGroup) return {};
  if (!state.environment.authorize || !state.environment.rules) return {};
  if (call.request.identity.in_group(kPrivileged)) return {};
  if (only_for_collector(object, old)) return {};
  const std::string& resource = call.storage->plural;
  if (resource == "rolebindings" || resource == "clusterrolebindings")
    return check_binding(state, call, object);
  if (may(state, call, "escalate", resource, call.request.name)) return {};
  return check_role(state, call, object, old);
}

}  // namespace keelson::registry
