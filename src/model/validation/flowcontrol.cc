// Flow schemas and priority levels.
#include <algorithm>
#include <cmath>

#include "codec/json.h"
#include "model/go_print.h"
#include "model/validation/rules.h"

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

void check_verbs(const Path& path, const Value& verbs, FieldErrors& errors) {
  static const std::initializer_list<std::string_view> known = {
      "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"};
  if (verbs.empty()) {
    errors.required(path, "verbs must contain at least one value");
  } else if (has_wildcard(verbs)) {
    if (verbs.size() > 1)
      errors.invalid(path, verbs, "if '*' is present, must not specify other verbs");
  } else if (const auto& all = verbs.elements();
             !std::all_of(all.begin(), all.end(),
                          [](const Value& v) { return is_one_of(v.as_string(), known); })) {
    errors.not_supported(path, verbs, known);
  }
}

void check_alone(const Path& path, const Value& list, std::string_view none, std::string_view what,
                 FieldErrors& errors) {
  if (list.empty())
    errors.required(path, none);
  else if (list.size() > 1 && has_wildcard(list))
    errors.invalid(path, list, "if '*' is present, must not specify other " + std::string(what));
}

void check_resource_rule(const Path& path, const Value& rule, FieldErrors& errors) {
  check_verbs(path.child("verbs"), rule["verbs"], errors);
  check_alone(path.child("apiGroups"), rule["apiGroups"],
              "resource rules must supply at least one api group", "api groups", errors);
  check_alone(path.child("resources"), rule["resources"],
              "resource rules must supply at least one resource", "resources", errors);
  const Path namespaces = path.child("namespaces");
  const Value& list = rule["namespaces"];
  if (list.empty() && !rule["clusterScope"].as_bool()) {
    errors.required(
        namespaces,
        "resource rules that are not cluster scoped must supply at least one namespace");
  } else if (has_wildcard(list)) {
    if (list.size() > 1)
      errors.invalid(namespaces, list, "if '*' is present, must not specify other namespaces");
  } else {
    for (std::size_t i = 0; i < list.size(); ++i)
      for (const std::string& message : label_name(list[i].as_string(), false))
        errors.invalid(namespaces.index(i), list[i],
                       "each member of this list must be '*' or a DNS-1123 label; " + message);
  }
}

void check_url(const Path& path, const Value& value, FieldErrors& errors) {
  const std::string_view url = value.as_string();
  const auto stars = std::count(url.begin(), url.end(), '*');
  if (url.empty())
    errors.invalid(path, value, "must not be empty");
  else if (url == "/")
    return;
  else if (url[0] != '/')
    errors.invalid(path, value, "must start with slash");
  else if (url.find(' ') != std::string_view::npos)
    errors.invalid(path, value, "must not contain white-space");
  else if (url.find("//") != std::string_view::npos)
    errors.invalid(path, value, "must not contain double slash");
  else if (stars > 1 || (stars == 1 && url.substr(url.size() - 2) != "/*"))
    errors.invalid(path, value, "wildcard can only do suffix matching");
}

void check_url_rule(const Path& path, const Value& rule, FieldErrors& errors) {
  check_verbs(path.child("verbs"), rule["verbs"], errors);
  const Path urls = path.child("nonResourceURLs");
  const Value& list = rule["nonResourceURLs"];
  check_alone(urls, list, "nonResourceURLs must contain at least one value", "non-resource URLs",
              errors);
  if (has_wildcard(list)) return;
  for (std::size_t i = 0; i < list.size(); ++i) check_url(urls.index(i), list[i], errors);
}

void check_subject(const Path& path, const Value& subject, FieldErrors& errors) {
  struct Form {
    std::string_view kind, field;
  };
  static const std::vector<Form> forms = {
      {"ServiceAccount", "serviceAccount"}, {"User", "user"}, {"Group", "group"}};
  const std::string kind = subject["kind"].str();
  if (!is_one_of(kind, {"ServiceAccount", "User", "Group"})) {
    errors.not_supported(path.child("kind"), kind, {"Group", "ServiceAccount", "User"});
    return;
  }
  for (const Form& form : forms) {
    if (form.kind != kind) continue;
    const Path at = path.child(form.field);
    const Value& named = subject[form.field];
    if (named.is_null()) {
      errors.required(
          at, std::string(form.field) + " is required when subject kind is '" + kind + '\'');
      continue;
    }
    if (empty_text(named["name"]))
      errors.required(at.child("name"));
    else if (kind == "ServiceAccount" && named["name"].as_string() != "*")
      check_name(at.child("name"), text_of(named, "name"), subdomain_name, errors);
    if (kind != "ServiceAccount") continue;
    if (empty_text(named["namespace"]))
      errors.required(at.child("namespace"), "must specify namespace for service account");
    else
      check_name(at.child("namespace"), text_of(named, "namespace"), label_name, errors);
  }
  // The service account's own place comes first among the others, too.
  for (const Form& form : {forms[0], forms[1], forms[2]})
    if (form.kind != kind && !subject[form.field].is_null())
      errors.forbidden(path.child(form.field), std::string(form.field) +
                                                   " is forbidden when subject kind is not '" +
                                                   std::string(form.kind) + '\'');
}

void check_conditions(const Value& object, FieldErrors& errors) {
  const Path status("status");
  const Path conditions = status.child("conditions");
  std::set<std::string> seen;
  const Value& list = object["status"]["conditions"];
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Path at = conditions.index(i);
    const Value& type = list[i]["type"];
    if (!seen.insert(type.str()).second) errors.duplicate(at.child("type"), type.str());
    if (empty_text(type)) errors.required(at.child("type"));
  }
}

// What the two mandatory schemas and levels must be.
const Value& mandatory(std::string_view name) {
  static const Value all = [] {
    const std::string rules =
        R"(,"resourceRules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"],"clusterScope":true,"namespaces":["*"]}],)"
        R"("nonResourceRules":[{"verbs":["*"],"nonResourceURLs":["*"]}]}]})";
    return codec::parse_json(
               R"({"schema exempt":{"priorityLevelConfiguration":{"name":"exempt"},"matchingPrecedence":1,)"
               R"("rules":[{"subjects":[{"kind":"Group","group":{"name":"system:masters"}}])" +
               rules +
               R"(,"schema catch-all":{"priorityLevelConfiguration":{"name":"catch-all"},"matchingPrecedence":10000,)"
               R"("distinguisherMethod":{"type":"ByUser"},"rules":[{"subjects":[)"
               R"({"kind":"Group","group":{"name":"system:unauthenticated"}},)"
               R"({"kind":"Group","group":{"name":"system:authenticated"}}])" +
               rules +
               R"(,"level exempt":{"type":"Exempt"},"level catch-all":{"type":"Limited","limited":)"
               R"({"nominalConcurrencyShares":5,"limitResponse":{"type":"Reject"},"lendablePercent":0}}})")
        .value();
  }();
  return all[name];
}

void check_flow_schema(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  const std::string name = object["metadata"]["name"].str();
  const Path precedence = spec_path().child("matchingPrecedence");
  const auto order = spec["matchingPrecedence"].as_int();
  if (order <= 0) errors.invalid(precedence, order, "must be a positive value");
  if (order > 10000) errors.invalid(precedence, order, "must not be greater than 10000");
  if (order == 1 && name != "exempt")
    errors.invalid(precedence, order,
                   "only the schema named 'exempt' may have matchingPrecedence 1");
  const Value& method = spec["distinguisherMethod"];
  const Path at_method = spec_path().child("distinguisherMethod");
  if (!method.is_null() && !is_one_of(text_of(method, "type"), {"ByNamespace", "ByUser"}))
    errors.not_supported(at_method.child("type"), Value::object({{"Type", method["type"].str()}}),
                         {"ByNamespace", "ByUser"});
  const Path level = spec_path().child("priorityLevelConfiguration");
  const std::string_view level_name = spec["priorityLevelConfiguration"]["name"].as_string();
  if (level_name.empty())
    errors.required(level.child("name"), "must reference a priority level");
  else
    check_name(level.child("name"), level_name, subdomain_name, errors);
  const Path rules = spec_path().child("rules");
  for (std::size_t i = 0; i < spec["rules"].size(); ++i) {
    const Value& rule = spec["rules"][i];
    const Path at = rules.index(i);
    const Path subjects = at.child("subjects"), resources = at.child("resourceRules"),
               urls = at.child("nonResourceRules");
    for (std::size_t j = 0; j < rule["subjects"].size(); ++j)
      check_subject(subjects.index(j), rule["subjects"][j], errors);
    if (rule["subjects"].empty())
      errors.required(subjects, "subjects must contain at least one value");
    if (rule["resourceRules"].empty() && rule["nonResourceRules"].empty())
      errors.required(at, "at least one of resourceRules and nonResourceRules has to be non-empty");
    for (std::size_t j = 0; j < rule["resourceRules"].size(); ++j)
      check_resource_rule(resources.index(j), rule["resourceRules"][j], errors);
    for (std::size_t j = 0; j < rule["nonResourceRules"].size(); ++j)
      check_url_rule(urls.index(j), rule["nonResourceRules"][j], errors);
  }
  if (const Value& fixed = mandatory("schema " + name); !fixed.is_null() && !(fixed == spec))
    errors.invalid_printed(spec_path(),
                           printed_internal("io.k8s.api.flowcontrol.v1.FlowSchemaSpec", spec),
                           "spec of '" + name + "' must equal the fixed value");
  check_conditions(object, errors);
}

void check_shares(const Path& path, const Value& level, FieldErrors& errors) {
  const Value& shares = level["nominalConcurrencyShares"];
  if (!shares.is_null() && shares.as_int() < 0)
    errors.invalid(path.child("nominalConcurrencyShares"), shares,
                   "must be a non-negative integer");
}

void check_lendable(const Path& path, const Value& level, FieldErrors& errors) {
  const Value& percent = level["lendablePercent"];
  if (!percent.is_null() && (percent.as_int() < 0 || percent.as_int() > 100))
    errors.invalid(path.child("lendablePercent"), percent, "must be between 0 and 100, inclusive");
}

void check_queuing(const Path& path, const Value& queuing, FieldErrors& errors) {
  const auto queues = queuing["queues"].as_int(), hand = queuing["handSize"].as_int();
  const Path at_queues = path.child("queues"), at_hand = path.child("handSize");
  if (queuing["queueLengthLimit"].as_int() <= 0)
    errors.invalid(path.child("queueLengthLimit"), queuing["queueLengthLimit"].as_int(),
                   "must be positive");
  if (queues <= 0)
    errors.invalid(at_queues, queues, "must be positive");
  else if (queues > 10000000)
    errors.invalid(at_queues, queues, "must not be greater than 10000000");
  if (hand <= 0)
    errors.invalid(at_hand, hand, "must be positive");
  else if (hand > queues)
    errors.invalid(at_hand, hand,
                   "should not be greater than queues (" + std::to_string(queues) + ')');
  else if (std::ceil(std::log2(static_cast<double>(queues)) * static_cast<double>(hand)) > 60)
    errors.invalid(at_hand, hand,
                   "required entropy bits of deckSize " + std::to_string(queues) +
                       " and handSize " + std::to_string(hand) + " should not be greater than 60");
}

void check_limited(const Path& path, const Value& limited, FieldErrors& errors) {
  check_shares(path, limited, errors);
  const Value& response = limited["limitResponse"];
  const Path at = path.child("limitResponse");
  const Path queuing = at.child("queuing");
  const std::string type = response["type"].str();
  if (type == "Reject") {
    if (!response["queuing"].is_null())
      errors.forbidden(queuing, "must be nil if limited.limitResponse.type is not Limited");
  } else if (type == "Queue") {
    if (response["queuing"].is_null())
      errors.required(queuing, "must not be empty if limited.limitResponse.type is Limited");
    else
      check_queuing(queuing, response["queuing"], errors);
  } else {
    errors.not_supported(at.child("type"), type, {"Queue", "Reject"});
  }
  check_lendable(path, limited, errors);
  const Value& borrowing = limited["borrowingLimitPercent"];
  if (!borrowing.is_null() && borrowing.as_int() < 0)
    errors.invalid(path.child("borrowingLimitPercent"), borrowing,
                   "if specified, must be a non-negative integer");
}

void check_priority_level(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  const std::string name = object["metadata"]["name"].str();
  constexpr std::string_view preserved =
      "flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares";
  if (object["metadata"]["annotations"].has(preserved))
    errors.forbidden(Path("metadata.annotations"),
                     "annotation '" + std::string(preserved) + "' is forbidden");
  const std::string type = spec["type"].str();
  if ((name == "exempt") != (type == "Exempt"))
    errors.invalid(spec_path().child("type"), type,
                   "must be 'Exempt' if and only if `name` is 'exempt'");
  const Path limited = spec_path().child("limited"), exempt = spec_path().child("exempt");
  if (type == "Exempt") {
    if (!spec["limited"].is_null())
      errors.forbidden(limited, "must be nil if the type is not Limited");
    if (!spec["exempt"].is_null()) {
      check_shares(exempt, spec["exempt"], errors);
      check_lendable(exempt, spec["exempt"], errors);
    }
  } else if (type == "Limited") {
    if (!spec["exempt"].is_null()) errors.forbidden(exempt, "must be nil if the type is Limited");
    if (spec["limited"].is_null())
      errors.required(limited, "must not be empty when type is Limited");
    else
      check_limited(limited, spec["limited"], errors);
  } else {
    errors.not_supported(spec_path().child("type"), type, {"Exempt", "Limited"});
  }
  if (const Value& fixed = mandatory("level " + name); !fixed.is_null()) {
    const bool is_exempt = name == "exempt";
    Value compared = spec;
    if (is_exempt) compared.erase("exempt");
    if (!(fixed == compared))
      errors.invalid_printed(
          spec_path(),
          printed_internal("io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec", spec),
          "spec of '" + name + (is_exempt ? "' except the 'spec.exempt' field" : "'") +
              " must equal the fixed value");
  }
  check_conditions(object, errors);
}

void status_conditions(const Value& object, const Value&, FieldErrors& errors) {
  check_conditions(object, errors);
}

}  // namespace

std::vector<KindRules> flow_rules() {
  return {
      {"flowschemas.flowcontrol.apiserver.k8s.io", subdomain_name, check_flow_schema, nullptr,
       status_conditions, Recheck::creation},
      {"prioritylevelconfigurations.flowcontrol.apiserver.k8s.io", subdomain_name,
       check_priority_level, nullptr, status_conditions, Recheck::creation},
  };
}

}  // namespace keelson::model
