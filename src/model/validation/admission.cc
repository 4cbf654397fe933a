// Admission webhooks, admission policies and their bindings. Expressions are not compiled here.
#include <algorithm>

#include "codec/json.h"
#include "model/cel/admission_expressions.h"
#include "model/go_print.h"
#include "model/validation/rules.h"
#include "model/validation/statuses.h"
#include "model/validation/webhook.h"

namespace keelson::model {
namespace {

const Path& spec_path() {
  static const Path path("spec");
  return path;
}

bool has_wildcard(const Value& list) {
  const auto& all = list.elements();
  return std::any_of(all.begin(), all.end(), [](const Value& e) { return e.as_string() == "*"; });
}

bool is_blank(const Value& text) {
  return text.as_string().find_first_not_of(" \t\n\v\f\r") == std::string_view::npos;
}

// Absent fields of pointers may stay so; present ones must be one of the words.
void check_optional_word(const Path& path, const Value& word,
                         std::initializer_list<std::string_view> words, FieldErrors& errors) {
  if (!word.is_null()) check_supported(path, word, words, errors);
}

void check_required_word(const Path& path, const Value& word,
                         std::initializer_list<std::string_view> words, FieldErrors& errors) {
  if (word.is_null())
    errors.required(path);
  else
    check_supported(path, word, words, errors);
}

void check_rule_resources(const Path& path, const Value& resources, FieldErrors& errors) {
  if (resources.empty()) errors.required(path);
  std::set<std::string> all_of, of_all;  // "pods" of "pods/*", "status" of "*/status"
  bool everything = false, all_top = false, top = false;
  for (std::size_t i = 0; i < resources.size(); ++i) {
    const std::string text = resources[i].str();
    const Path at = path.index(i);
    if (text.empty()) {
      errors.required(at);
      continue;
    }
    everything = everything || text == "*/*";
    all_top = all_top || text == "*";
    const std::size_t slash = text.find('/');
    if (slash == std::string::npos) {
      top = text != "*";
      continue;
    }
    const std::string resource = text.substr(0, slash), sub = text.substr(slash + 1);
    if (all_of.count(resource) > 0)
      errors.invalid(at, text, "if '" + resource + "/*' is present, must not specify " + text);
    if (of_all.count(sub) > 0)
      errors.invalid(at, text, "if '*/" + sub + "' is present, must not specify " + text);
    if (sub == "*") all_of.insert(resource);
    if (resource == "*") of_all.insert(sub);
  }
  if (resources.size() > 1 && everything)
    errors.invalid(path, resources, "if '*/*' is present, must not specify other resources");
  if (all_top && top)
    errors.invalid(path, resources,
                   "if '*' is present, must not specify other resources without subresources");
}

void check_rule(const Path& path, const Value& rule, FieldErrors& errors) {
  const Path operations = path.child("operations"), versions = path.child("apiVersions");
  const auto check_list = [&](const char* field, std::string_view others) {
    if (rule[field].empty()) errors.required(path.child(field));
    if (rule[field].size() > 1 && has_wildcard(rule[field]))
      errors.invalid(path.child(field), rule[field],
                     "if '*' is present, must not specify other " + std::string(others));
  };
  check_list("operations", "operations");
  for (std::size_t i = 0; i < rule["operations"].size(); ++i)
    check_supported(operations.index(i), rule["operations"][i],
                    {"*", "CONNECT", "CREATE", "DELETE", "UPDATE"}, errors);
  check_list("apiGroups", "API groups");
  check_list("apiVersions", "API versions");
  for (std::size_t i = 0; i < rule["apiVersions"].size(); ++i)
    if (empty_text(rule["apiVersions"][i])) errors.required(versions.index(i));
  check_rule_resources(path.child("resources"), rule["resources"], errors);
  check_optional_word(path.child("scope"), rule["scope"], {"*", "Cluster", "Namespaced"}, errors);
}

void check_expression(const Path& path, const Value& expression, std::string_view text,
                      const AdmissionScope& scope, const std::vector<std::string>& results,
                      FieldErrors& errors) {
  const AdmissionExpression compiled = compile_admission(text, scope, results);
  if (compiled.error.empty()) return;
  if (compiled.internal)
    errors.internal(path, compiled.error);
  else
    errors.invalid(path, expression, compiled.error);
}

void check_match_conditions(const Path& path, const Value& conditions, bool params,
                            FieldErrors& errors) {
  AdmissionScope scope;
  scope.params = params;
  scope.authorizer = true;
  if (conditions.size() > 64)
    errors.too_many(path, static_cast<std::int64_t>(conditions.size()), 64);
  std::set<std::string> names;
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    const Value& condition = conditions[i];
    const Path at = path.index(i);
    const std::string name = condition["name"].str();
    const std::string text(trim(condition["expression"].as_string()));
    if (text.empty())
      errors.required(at.child("expression"));
    else
      check_expression(at.child("expression"), text, text, scope, {"bool"}, errors);
    if (name.empty()) {
      errors.required(at.child("name"));
      continue;
    }
    check_qualified_name(at.child("name"), name, errors);
    if (!names.insert(name).second) errors.duplicate(at.child("name"), name);
  }
}

// Webhooks. What an older object already does wrong may stay.
struct Lenience {
  bool conditions = false, side_effects = false, versions = false, names = false, selectors = false;
};

bool is_known_version(const Value& version) {
  return is_one_of(version.as_string(), {"v1", "v1beta1"});
}

void check_review_versions(const Path& path, const Value& versions, bool any, FieldErrors& errors) {
  if (versions.empty()) {
    errors.required(path, "must specify one of v1, v1beta1");
    return;
  }
  std::set<std::string> seen;
  bool known = any;
  for (std::size_t i = 0; i < versions.size(); ++i) {
    const std::string version = versions[i].str();
    if (!seen.insert(version).second) {
      errors.invalid(path.index(i), version, "duplicate version");
      continue;
    }
    errors.invalid_each(path.index(i), version, dns1035_label_messages(version));
    known = known || is_known_version(versions[i]);
  }
  if (!known) errors.invalid(path, versions, "must include at least one of v1, v1beta1");
}

void check_full_name(const Path& path, const std::string& name, FieldErrors& errors) {
  if (name.empty()) {
    errors.required(path);
    return;
  }
  const auto messages = dns1123_subdomain_messages(name);
  if (!messages.empty())
    errors.invalid(path, name, join(messages, ","));
  else if (split(name, '.').size() < 3)
    errors.invalid(path, name, "should be a domain with at least three segments separated by dots");
}

void check_webhook(const Path& path, const Value& hook, const Lenience& lenience, bool mutating,
                   FieldErrors& errors) {
  check_full_name(path.child("name"), hook["name"].str(), errors);
  const Path rules = path.child("rules");
  for (std::size_t i = 0; i < hook["rules"].size(); ++i)
    check_rule(rules.index(i), hook["rules"][i], errors);
  check_optional_word(path.child("failurePolicy"), hook["failurePolicy"], {"Fail", "Ignore"},
                      errors);
  check_optional_word(path.child("matchPolicy"), hook["matchPolicy"], {"Equivalent", "Exact"},
                      errors);
  const Path effects = path.child("sideEffects");
  if (hook["sideEffects"].is_null())
    errors.required(effects, lenience.side_effects
                                 ? "must specify one of None, NoneOnDryRun, Some, Unknown"
                                 : "must specify one of None, NoneOnDryRun");
  else if (lenience.side_effects)
    check_supported(effects, hook["sideEffects"], {"None", "NoneOnDryRun", "Some", "Unknown"},
                    errors);
  else
    check_supported(effects, hook["sideEffects"], {"None", "NoneOnDryRun"}, errors);
  const Value& timeout = hook["timeoutSeconds"];
  if (!timeout.is_null() && (timeout.as_int() > 30 || timeout.as_int() < 1))
    errors.invalid(path.child("timeoutSeconds"), timeout,
                   "the timeout value must be between 1 and 30 seconds");
  for (const char* selector : {"namespaceSelector", "objectSelector"})
    check_label_selector(path.child(selector), hook[selector], errors, lenience.selectors);
  if (mutating)
    check_optional_word(path.child("reinvocationPolicy"), hook["reinvocationPolicy"],
                        {"IfNeeded", "Never"}, errors);
  const Value& client = hook["clientConfig"];
  const Path at_client = path.child("clientConfig");
  if (client["url"].is_null() == client["service"].is_null())
    errors.required(at_client, "exactly one of url or service is required");
  else if (!client["url"].is_null())
    check_webhook_url(at_client.child("url"), client["url"].str(), errors);
  else
    // The original takes one name for the other here.
    check_webhook_service(at_client.child("service"), client["service"], true, errors);
  if (!lenience.conditions)
    check_match_conditions(path.child("matchConditions"), hook["matchConditions"], false, errors);
}

void check_webhooks(const Value& object, const Lenience& lenience, bool mutating,
                    FieldErrors& errors) {
  check_metadata(object["metadata"], false, subdomain_name, Path("metadata"), errors);
  const Path webhooks("webhooks");
  std::set<std::string> names;
  for (std::size_t i = 0; i < object["webhooks"].size(); ++i) {
    const Value& hook = object["webhooks"][i];
    const Path at = webhooks.index(i);
    check_webhook(at, hook, lenience, mutating, errors);
    check_review_versions(at.child("admissionReviewVersions"), hook["admissionReviewVersions"],
                          lenience.versions, errors);
    const std::string name = hook["name"].str();
    if (!lenience.names && !name.empty() && !names.insert(name).second)
      errors.duplicate(at.child("name"), name);
  }
}

Lenience lenience_towards(const Value& object, const Value& old) {
  Lenience lenience;
  const auto &now = object["webhooks"].elements(), &before = old["webhooks"].elements();
  lenience.conditions =
      now.size() == before.size() &&
      std::equal(now.begin(), now.end(), before.begin(), [](const Value& a, const Value& b) {
        return a["matchConditions"] == b["matchConditions"];
      });
  std::set<std::string> names;
  for (const Value& hook : before) {
    lenience.side_effects =
        lenience.side_effects || !is_one_of(text_of(hook, "sideEffects"), {"None", "NoneOnDryRun"});
    const auto& versions = hook["admissionReviewVersions"].elements();
    lenience.versions =
        lenience.versions ||
        (!versions.empty() && std::none_of(versions.begin(), versions.end(), is_known_version));
    lenience.names = lenience.names || !names.insert(hook["name"].str()).second;
    FieldErrors found;
    for (const char* selector : {"namespaceSelector", "objectSelector"})
      check_label_selector(Path(selector), hook[selector], found);
    lenience.selectors = lenience.selectors || !found.empty();
  }
  return lenience;
}

template <bool mutating>
void create_webhooks(const Value& object, FieldErrors& errors) {
  check_webhooks(object, {}, mutating, errors);
}

template <bool mutating>
void update_webhooks(const Value& object, const Value& old, FieldErrors& errors) {
  check_webhooks(object, lenience_towards(object, old), mutating, errors);
}

// Policies.

void check_param_kind(const Path& path, const Value& kind, FieldErrors& errors) {
  const std::string api = kind["apiVersion"].str(), name = kind["kind"].str();
  const Path version = path.child("apiVersion");
  const auto parts = split(api, '/');
  const std::string group(parts.size() == 2 ? parts[0] : ""),
      number(parts.size() == 2 ? parts[1] : api);
  const auto check = [&](const std::string& text, const Messages& messages) {
    if (!messages.empty()) errors.invalid(version, text, join(messages, ","));
  };
  if (api.empty()) {
    errors.required(version);
  } else if (parts.size() > 2) {
    errors.invalid(version, api, "unexpected GroupVersion string: " + api);
  } else {
    if (!group.empty()) check(group, dns1123_subdomain_messages(group));
    if (number.empty() || api == "/")
      errors.invalid(version, api, "version must be specified");
    else
      check(number, dns1035_label_messages(number));
  }
  if (name.empty()) {
    errors.required(path.child("kind"));
    return;
  }
  std::string lower = name;
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const auto messages = dns1035_label_messages(lower);
  if (!messages.empty())
    errors.invalid(path.child("kind"), name,
                   "may have mixed case, but should otherwise match: " + join(messages, ","));
}

void check_match_resources(const Path& path, const Value& match, FieldErrors& errors) {
  if (match.is_null()) return;
  check_required_word(path.child("matchPolicy"), match["matchPolicy"], {"Equivalent", "Exact"},
                      errors);
  for (const char* selector : {"namespaceSelector", "objectSelector"}) {
    if (match[selector].is_null())
      errors.required(path.child(selector));
    else
      check_label_selector(path.child(selector), match[selector], errors);
  }
  for (const char* list : {"resourceRules", "excludeResourceRules"}) {
    const Path rules = path.child(list);
    for (std::size_t i = 0; i < match[list].size(); ++i) {
      const Value& names = match[list][i]["resourceNames"];
      const Path at = rules.index(i);
      const Path at_names = at.child("resourceNames");
      std::set<std::string> seen;
      for (std::size_t j = 0; j < names.size(); ++j) {
        errors.invalid_each(at_names.index(j), names[j],
                            path_segment_messages(names[j].as_string()));
        if (!seen.insert(names[j].str()).second) errors.duplicate(at_names.index(j), names[j]);
      }
      check_rule(at, match[list][i], errors);
    }
  }
}

// Nothing can be mutated that is deleted.
void check_mutating_operations(const Path& path, const Value& match, FieldErrors& errors) {
  const Path rules = path.child("resourceRules");
  for (const Value& rule : match["resourceRules"].elements())
    for (const Value& operation : rule["operations"].elements())
      check_supported(rules.child("operations"), operation, {"*", "CONNECT", "CREATE", "UPDATE"},
                      errors);
}

bool is_expression_name(std::string_view name) {
  static const std::initializer_list<std::string_view> reserved = {
      "true",     "false", "null", "in",        "as",     "break",    "const",
      "continue", "else",  "for",  "if",        "let",    "function", "var",
      "import",   "loop",  "void", "namespace", "return", "while",    "package"};
  return c_identifier_messages(name).empty() && !is_one_of(name, reserved);
}

// What policies of both kinds have, up to their variables, whose types it gathers.
ComposedVariables check_policy_head(const Value& spec, const Value& old, bool mutating,
                                    FieldErrors& errors) {
  check_required_word(spec_path().child("failurePolicy"), spec["failurePolicy"], {"Fail", "Ignore"},
                      errors);
  if (!spec["paramKind"].is_null())
    check_param_kind(spec_path().child("paramKind"), spec["paramKind"], errors);
  const Path match = spec_path().child("matchConstraints");
  if (spec["matchConstraints"].is_null()) {
    errors.required(match);
  } else {
    check_match_resources(match, spec["matchConstraints"], errors);
    if (spec["matchConstraints"]["resourceRules"].empty())
      errors.required(match.child("resourceRules"));
    if (mutating) check_mutating_operations(match, spec["matchConstraints"], errors);
  }
  if (old.is_null() || !(old["paramKind"] == spec["paramKind"]) ||
      !(old["matchConditions"] == spec["matchConditions"]))
    check_match_conditions(spec_path().child("matchConditions"), spec["matchConditions"],
                           !spec["paramKind"].is_null(), errors);
  const Path variables = spec_path().child("variables");
  ComposedVariables composed;
  for (std::size_t i = 0; i < spec["variables"].size(); ++i) {
    const Value& variable = spec["variables"][i];
    const Path at = variables.index(i);
    if (is_blank(variable["name"]))
      errors.required(at.child("name"), "name is not specified");
    else if (!is_expression_name(text_of(variable, "name")))
      errors.invalid(at.child("name"), variable["name"], "must be a valid CEL identifier");
    if (is_blank(variable["expression"])) {
      errors.required(at.child("expression"), "expression is not specified");
      continue;
    }
    AdmissionScope scope;
    scope.params = !spec["paramKind"].is_null();
    scope.authorizer = true;
    scope.patches = mutating;
    scope.variables = &composed;
    const AdmissionExpression compiled =
        compile_admission(variable["expression"].as_string(), scope, {});
    if (!compiled.error.empty())
      errors.invalid(at.child("expression"), variable["expression"], compiled.error);
    composed.emplace_back(text_of(variable, "name"),
                          compiled.type ? compiled.type : codec::cel::dyn_type());
  }
  return composed;
}

void check_message_text(const Path& path, const Value& message, bool one_line,
                        FieldErrors& errors) {
  if (empty_text(message)) return;
  if (is_blank(message))
    errors.invalid(path, message, "must be non-empty if specified");
  else if (one_line && trim(message.as_string()).find_first_of("\n\r") != std::string_view::npos)
    errors.invalid(path, message, "must not contain line breaks");
}

void check_validating_policy(const Value& object, const Value& old, FieldErrors& errors) {
  check_metadata(object["metadata"], false, subdomain_name, Path("metadata"), errors);
  const Value& spec = object["spec"];
  const ComposedVariables composed = check_policy_head(spec, old["spec"], false, errors);
  AdmissionScope scope;
  scope.params = !spec["paramKind"].is_null();
  if (!spec["variables"].empty()) scope.variables = &composed;
  const AdmissionScope message_scope = scope;  // messages do not ask the authorizer
  scope.authorizer = true;
  const Path validations = spec_path().child("validations"),
             annotations = spec_path().child("auditAnnotations");
  if (spec["validations"].empty() && spec["auditAnnotations"].empty())
    for (const Path& path : {validations, annotations})
      errors.required(path, "validations or auditAnnotations must contain at least one item");
  for (std::size_t i = 0; i < spec["validations"].size(); ++i) {
    const Value& validation = spec["validations"][i];
    const Path at = validations.index(i);
    if (is_blank(validation["expression"]))
      errors.required(at.child("expression"), "expression is not specified");
    else
      check_expression(at.child("expression"), validation["expression"],
                       validation["expression"].as_string(), scope, {"bool"}, errors);
    const Value& message = validation["messageExpression"];
    check_message_text(at.child("messageExpression"), message, false, errors);
    if (!is_blank(message))
      check_expression(at.child("messageExpression"), message, message.as_string(), message_scope,
                       {"string"}, errors);
    check_message_text(at.child("message"), validation["message"], true, errors);
    check_optional_word(at.child("reason"), validation["reason"],
                        {"Forbidden", "Invalid", "RequestEntityTooLarge"}, errors);
  }
  const Value& list = spec["auditAnnotations"];
  if (list.size() > 20)
    errors.invalid_printed(
        annotations,
        printed_internal_list("io.k8s.api.admissionregistration.v1.AuditAnnotation", list),
        "must not have more than 20 auditAnnotations");
  std::set<std::string> keys;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Path at = annotations.index(i);
    const std::string key = list[i]["key"].str(), name = object["metadata"]["name"].str();
    const Path value = at.child("valueExpression");
    if (name.empty())
      errors.invalid(at.child("key"), key, "requires metadata.name be non-empty");
    else
      check_qualified_name(at.child("key"), name + '/' + key, errors);
    if (is_blank(list[i]["valueExpression"]))
      errors.required(value, "valueExpression is not specified");
    else if (trim(list[i]["valueExpression"].as_string()).size() > 5 * 1024)
      errors.required(value, "must not exceed 5120 bytes in length");
    else
      check_expression(value, list[i]["valueExpression"],
                       trim(list[i]["valueExpression"].as_string()), scope, {"string", "null_type"},
                       errors);
    if (!keys.insert(key).second) errors.duplicate(at.child("key"), key);
  }
}

void check_mutation(const Path& path, const Value& mutation, const AdmissionScope& scope,
                    FieldErrors& errors) {
  const std::string type = mutation["patchType"].str();
  if (type.empty()) {
    errors.required(path.child("patchType"));
    return;
  }
  if (!is_one_of(type, {"ApplyConfiguration", "JSONPatch"})) {
    errors.not_supported(path.child("patchType"), type, {"ApplyConfiguration", "JSONPatch"});
    return;
  }
  const bool json = type == "JSONPatch";
  const std::string own = json ? "jsonPatch" : "applyConfiguration",
                    other = json ? "applyConfiguration" : "jsonPatch";
  const Path at = path.child(own);
  if (mutation[own].is_null())
    errors.required(at, "must be specified when patchType is " + type);
  else if (is_blank(mutation[own]["expression"]))
    errors.required(at.child("expression"));
  else
    check_expression(at.child("expression"), mutation[own]["expression"],
                     mutation[own]["expression"].as_string(), scope,
                     {json ? "list(JSONPatch)" : "Object"}, errors);
  if (!mutation[other].is_null())
    errors.invalid(path.child(other), '{' + other + '}',
                   "must not be specified when patchType is " + type);
}

void check_mutating_policy(const Value& object, const Value& old, FieldErrors& errors) {
  check_metadata(object["metadata"], false, subdomain_name, Path("metadata"), errors);
  const Value& spec = object["spec"];
  const ComposedVariables composed = check_policy_head(spec, old["spec"], true, errors);
  AdmissionScope scope;
  scope.params = !spec["paramKind"].is_null();
  scope.authorizer = true;
  scope.patches = true;
  if (!spec["variables"].empty()) scope.variables = &composed;
  const Path mutations = spec_path().child("mutations");
  if (spec["mutations"].empty())
    errors.required(mutations, "mutations must contain at least one item");
  for (std::size_t i = 0; i < spec["mutations"].size(); ++i)
    check_mutation(mutations.index(i), spec["mutations"][i], scope, errors);
  check_one_of(spec_path().child("reinvocationPolicy"), spec["reinvocationPolicy"].str(),
               {"IfNeeded", "Never"}, errors);
}

void create_validating_policy(const Value& object, FieldErrors& errors) {
  check_validating_policy(object, Value(), errors);
}

void create_mutating_policy(const Value& object, FieldErrors& errors) {
  check_mutating_policy(object, Value(), errors);
}

// Bindings.

void check_binding(const Value& object, FieldErrors& errors) {
  check_metadata(object["metadata"], false, subdomain_name, Path("metadata"), errors);
  const Value& spec = object["spec"];
  const Path policy = spec_path().child("policyName");
  if (empty_text(spec["policyName"]))
    errors.required(policy);
  else
    check_name(policy, text_of(spec, "policyName"), subdomain_name, errors);
  const Path path = spec_path().child("paramRef");
  if (const Value& reference = spec["paramRef"]; !reference.is_null()) {
    const Value& selector = reference["selector"];
    const std::string name = reference["name"].str();
    constexpr std::string_view both = "name and selector are mutually exclusive";
    if (!name.empty()) {
      errors.invalid_each(path.child("name"), name, path_segment_messages(name));
      if (!selector.is_null()) errors.forbidden(path.child("name"), both);
    }
    if (!selector.is_null()) {
      check_label_selector(path.child("selector"), selector, errors);
      if (!name.empty()) errors.forbidden(path.child("selector"), both);
    }
    if (name.empty() && selector.is_null())
      errors.required(path, "one of name or selector must be specified");
    check_one_of(path.child("parameterNotFoundAction"), reference["parameterNotFoundAction"].str(),
                 {"Deny", "Allow"}, errors);
  }
  check_match_resources(spec_path().child("matchResources"), spec["matchResources"], errors);
}

void check_validating_binding(const Value& object, FieldErrors& errors) {
  check_binding(object, errors);
  const Path path = spec_path().child("validationActions");
  const Value& actions = object["spec"]["validationActions"];
  std::set<std::string> seen;
  for (std::size_t i = 0; i < actions.size(); ++i) {
    check_supported(path.index(i), actions[i], {"Audit", "Deny", "Warn"}, errors);
    if (!seen.insert(actions[i].str()).second) errors.duplicate(path.index(i), actions[i]);
  }
  if (seen.count("Deny") > 0 && seen.count("Warn") > 0)
    errors.invalid(path, actions,
                   "must not contain both Deny and Warn (repeating the same validation failure "
                   "information in the API response and headers serves no purpose)");
  if (seen.empty()) errors.required(path, "at least one validation action is required");
}

void check_mutating_binding(const Value& object, FieldErrors& errors) {
  check_binding(object, errors);
  check_mutating_operations(spec_path().child("matchResources"), object["spec"]["matchResources"],
                            errors);
}

void status_validating_policy(const Value& object, const Value&, FieldErrors& errors) {
  const Path status("status"), checking = status.child("typeChecking"),
                               warnings = checking.child("expressionWarnings");
  const Value& list = object["status"]["typeChecking"]["expressionWarnings"];
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Path at = warnings.index(i);
    for (const char* field : {"warning", "fieldRef"})
      if (trim(text_of(list[i], field)).empty()) errors.required(at.child(field));
  }
  check_standard_conditions(status.child("conditions"), object["status"]["conditions"], errors);
}

void update_validating_binding(const Value& object, const Value&, FieldErrors& errors) {
  check_validating_binding(object, errors);
}

void update_mutating_binding(const Value& object, const Value&, FieldErrors& errors) {
  check_mutating_binding(object, errors);
}

}  // namespace

std::vector<KindRules> admission_rules() {
  const auto rules = [](std::string_view resource, auto create, auto update,
                        decltype(KindRules::status) status = nullptr) {
    return KindRules{resource, subdomain_name, create, update, status, Recheck::custom, true};
  };
  return {
      rules("validatingwebhookconfigurations.admissionregistration.k8s.io", create_webhooks<false>,
            update_webhooks<false>),
      rules("mutatingwebhookconfigurations.admissionregistration.k8s.io", create_webhooks<true>,
            update_webhooks<true>),
      rules("validatingadmissionpolicies.admissionregistration.k8s.io", create_validating_policy,
            check_validating_policy, status_validating_policy),
      rules("mutatingadmissionpolicies.admissionregistration.k8s.io", create_mutating_policy,
            check_mutating_policy),
      rules("validatingadmissionpolicybindings.admissionregistration.k8s.io",
            check_validating_binding, update_validating_binding),
      rules("mutatingadmissionpolicybindings.admissionregistration.k8s.io", check_mutating_binding,
            update_mutating_binding),
  };
}

}  // namespace keelson::model
