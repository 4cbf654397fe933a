#include "sim/check.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"
#include "model/quantity.h"
#include "model/selector.h"

namespace keelson::sim {
namespace {

using codec::Value;

Error bad(const std::string& what) {
  return {.reason = Reason::bad_request, .message = what};
}

std::string resource_of(const std::string& kind) {
  static const std::map<std::string, std::string> kShort = {
      {"deploy", "deployments.apps"},
      {"deployment", "deployments.apps"},
      {"rs", "replicasets.apps"},
      {"sts", "statefulsets.apps"},
      {"ds", "daemonsets.apps"},
      {"pod", "pods"},
      {"svc", "services"},
      {"node", "nodes"},
      {"ns", "namespaces"},
      {"hpa", "horizontalpodautoscalers.autoscaling"},
      {"job", "jobs.batch"},
      {"cronjob", "cronjobs.batch"},
      {"pdb", "poddisruptionbudgets.policy"},
      {"quota", "resourcequotas"},
      {"cm", "configmaps"},
      {"ing", "ingresses.networking.k8s.io"},
      {"platform", "platforms.keelson.dev"}};
  const auto found = kShort.find(kind);
  return found == kShort.end() ? std::string() : found->second;
}

bool is_cluster_scoped(const std::string& resource) {
  return resource == "nodes" || resource == "namespaces" || resource == "platforms.keelson.dev";
}

// ".status.conditions[Ready].status": a name in brackets picks the element of that type or name, a
// number that place.
const Value& follow(const Value& object, const std::string& path) {
  const Value* here = &object;
  std::string_view rest = path;
  while (!rest.empty()) {
    if (rest.front() == '.') {
      rest.remove_prefix(1);
      const std::size_t end = std::min(rest.find_first_of(".["), rest.size());
      if (end > 0) here = &(*here)[rest.substr(0, end)];
      rest.remove_prefix(end);
    } else if (rest.front() == '[') {
      const std::size_t end = std::min(rest.find(']'), rest.size());
      const std::string key(rest.substr(1, end - 1));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (const auto index = parse_int(key)) {
        here = &(*here)[static_cast<std::size_t>(*index)];
        continue;
      }
      const Value* found = &(*here)[std::string_view(key)];
      for (const Value& element : here->elements())
        if (element["type"].as_string() == key || element["name"].as_string() == key)
          found = &element;
      here = found;
    } else {
      break;
    }
  }
  return *here;
}

std::string text_of(const Value& value) {
  if (value.is_null()) return "-";
  return value.is_string() ? value.str() : codec::to_json(value);
}

bool is_operator(const std::string& word) {
  static const std::vector<std::string> kAll = {"==", "!=", "<", "<=", ">", ">="};
  return std::find(kAll.begin(), kAll.end(), word) != kAll.end();
}

bool holds(double a, const std::string& op, double b) {
  if (op == "==") return a == b;
  if (op == "!=") return a != b;
  if (op == "<") return a < b;
  if (op == "<=") return a <= b;
  if (op == ">") return a > b;
  return a >= b;
}

// Numbers and quantities by value, anything else by text; an absent field counts as 0.
bool compare(const Value& found, const std::string& op, const std::string& wanted) {
  const auto want = model::Quantity::parse(wanted);
  if (want && (found.is_null() || found.is_number() || model::Quantity::parse(found.as_string())))
    return holds(model::Quantity::of(found).to_double(), op, want->to_double());
  const std::string text = text_of(found);
  if (op == "==") return text == wanted;
  if (op == "!=") return text != wanted;
  return false;
}

Result<std::vector<Value>> select_pods(const std::string& selector, const cluster::View& view) {
  std::string ns, labels = selector;
  if (const std::size_t slash = selector.find("//"); slash != std::string::npos) {
    ns = selector.substr(0, slash);
    labels = selector.substr(slash + 2);
  }
  std::vector<Value> chosen;
  auto parsed = labels == "*" ? Result<model::LabelSelector>(model::LabelSelector())
                              : model::LabelSelector::parse(labels);
  if (!parsed.ok()) return bad("\"" + selector + "\": " + parsed.error().message);
  for (Value& pod : view.list("pods", ns))
    if (parsed->matches(model::labels_of(pod))) chosen.push_back(std::move(pod));
  return chosen;
}

Result<CheckOutcome> number_check(double actual, const std::vector<std::string>& words,
                                  std::size_t at) {
  if (words.size() != at + 2 || !is_operator(words[at]))
    return bad("expected an operator and a number at the end");
  char* end = nullptr;
  const double wanted = std::strtod(words[at + 1].c_str(), &end);
  if (*end != '\0') return bad("\"" + words[at + 1] + "\" is no number");
  std::string text = std::to_string(actual);
  if (text.find('.') != std::string::npos) text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return CheckOutcome{holds(actual, words[at], wanted), text};
}

// The difference between the fullest and the emptiest domain among the nodes that exist.
Result<CheckOutcome> check_skew(const std::vector<Value>& pods,
                                const std::vector<std::string>& words, const cluster::View& view) {
  if (words.size() != 6) return bad("expected: pods SELECTOR skew LABEL <= N");
  std::map<std::string, std::int64_t> domains;
  std::map<std::string, std::string> domain_of;
  for (const Value& node : view.list("nodes")) {
    const std::string domain(model::label_of(node, words[3]));
    domains.try_emplace(domain, 0);
    domain_of[std::string(model::name_of(node))] = domain;
  }
  for (const Value& pod : pods)
    if (const auto node = domain_of.find(pod["spec"]["nodeName"].str()); node != domain_of.end())
      ++domains[node->second];
  std::int64_t low = INT64_MAX, high = 0;
  for (const auto& [domain, count] : domains) {
    low = std::min(low, count);
    high = std::max(high, count);
  }
  return number_check(domains.empty() ? 0.0 : static_cast<double>(high - low), words, 4);
}

Result<CheckOutcome> check_pods(const std::vector<std::string>& words, const cluster::View& view) {
  if (words.size() < 4)
    return bad("expected: pods SELECTOR ready >= N, or pods SELECTOR .PATH=VALUE count >= N");
  TRY(const std::vector<Value> pods, select_pods(words[1], view));
  if (words[2] == "ready") {
    const auto ready = std::count_if(pods.begin(), pods.end(), [](const Value& pod) {
      return model::pod_is_ready(pod) && !model::is_deleting(pod);
    });
    return number_check(static_cast<double>(ready), words, 3);
  }
  if (words[2] == "count") return number_check(static_cast<double>(pods.size()), words, 3);
  if (words[2] == "skew") return check_skew(pods, words, view);
  if (words[2].starts_with('.') && words[3] == "absent" && words.size() == 4) {
    for (const Value& pod : pods)
      if (follow(pod, words[2]).is_null())
        return CheckOutcome{true, std::string(model::name_of(pod))};
    return CheckOutcome{false, "none"};
  }
  const std::size_t equals = words[2].find('=');
  if (!words[2].starts_with('.') || equals == std::string::npos || words[3] != "count")
    return bad("expected: pods SELECTOR .PATH=VALUE count >= N");
  const std::string path = words[2].substr(0, equals), value = words[2].substr(equals + 1);
  const auto count = std::count_if(pods.begin(), pods.end(), [&](const Value& pod) {
    return text_of(follow(pod, path)) == value;
  });
  return number_check(static_cast<double>(count), words, 4);
}

Result<CheckOutcome> check_events(const std::vector<std::string>& words,
                                  const cluster::View& view) {
  if (words.size() < 4 || words[2] != "count") return bad("expected: events REASON count >= N");
  std::int64_t count = 0;
  for (const Value& event : view.list("events"))
    if (event["reason"].as_string() == words[1])
      count += std::max<std::int64_t>(1, event["count"].as_int());
  return number_check(static_cast<double>(count), words, 3);
}

}  // namespace

Result<ObjectName> parse_object_name(const std::string& text) {
  std::vector<std::string> parts = split(text, '/');
  std::string ns = "default";
  if (parts.size() == 3) {
    ns = parts[0];
    parts.erase(parts.begin());
  }
  if (parts.size() != 2 || parts[1].empty())
    return bad("\"" + text + "\": an object is KIND/NAME or NAMESPACE/KIND/NAME");
  const std::string resource = resource_of(parts[0]);
  if (resource.empty()) return bad("\"" + parts[0] + "\" is no kind that scenarios know");
  return ObjectName{resource, is_cluster_scoped(resource) ? "" : ns, parts[1]};
}

Result<CheckOutcome> evaluate(const std::vector<std::string>& words, const cluster::View& view,
                              const LoadFigure& load) {
  if (words[0] == "pods") return check_pods(words, view);
  if (words[0] == "events") return check_events(words, view);
  if (words[0] == "load") {
    if (words.size() != 5) return bad("expected: load TARGET FIGURE >= N");
    const auto figure = load(words[1], words[2]);
    if (!figure) return bad("no load on " + words[1] + ", or no figure \"" + words[2] + "\" of it");
    return number_check(*figure, words, 3);
  }
  TRY(const ObjectName name, parse_object_name(words[0]));
  const Value object = view.get(name.resource, name.namespace_, name.name);
  if (words.size() == 2 && (words[1] == "exists" || words[1] == "absent"))
    return CheckOutcome{object.is_null() == (words[1] == "absent"),
                        object.is_null() ? "absent" : "exists"};
  if (words.size() == 3 && words[1].starts_with('.') &&
      (words[2] == "absent" || words[2] == "exists")) {
    const Value& value = follow(object, words[1]);
    return CheckOutcome{value.is_null() == (words[2] == "absent"), text_of(value)};
  }
  if (words.size() != 4 || !words[1].starts_with('.') || !is_operator(words[2]))
    return bad("expected: OBJECT .PATH OPERATOR VALUE");
  // Only an absent field counts as 0: a misspelt name must not hold for ever.
  if (object.is_null()) return CheckOutcome{false, "there is no " + words[0]};
  const Value& value = follow(object, words[1]);
  return CheckOutcome{compare(value, words[2], words[3]),
                      object.is_null() ? "no such object" : text_of(value)};
}

std::string field_text(const ObjectName& name, const std::string& path, const cluster::View& view) {
  return text_of(follow(view.get(name.resource, name.namespace_, name.name), path));
}

}  // namespace keelson::sim
