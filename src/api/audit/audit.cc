#include "api/audit/audit.h"

#include <algorithm>

#include "api/access/authentication.h"
#include "api/access/known_fields.h"
#include "base/text.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "model/meta.h"

namespace keelson::api {
namespace {

bool has(const Value& list, std::string_view text) {
  return std::any_of(list.elements().begin(), list.elements().end(),
                     [&](const Value& one) { return one.as_string() == text; });
}

Result<AuditLevel> level_of(std::string_view text, const std::string& place) {
  if (text == "None") return AuditLevel::none;
  if (text == "Metadata") return AuditLevel::metadata;
  if (text == "Request") return AuditLevel::request;
  if (text == "RequestResponse") return AuditLevel::request_response;
  return Error{Reason::bad_request,
               place + ": Unsupported value: " + quote(text) +
                   ": supported values: \"Metadata\", \"None\", \"Request\", \"RequestResponse\""};
}

std::string_view level_text(AuditLevel level) {
  constexpr std::string_view kNames[] = {"None", "Metadata", "Request", "RequestResponse"};
  return kNames[static_cast<std::size_t>(level)];
}

Result<void> check_stages(const Value& stages, const std::string& place) {
  for (const Value& stage : stages.elements()) {
    const std::string_view text = stage.as_string();
    if (text != "RequestReceived" && text != "ResponseStarted" && text != "ResponseComplete" &&
        text != "Panic")
      return Error{Reason::bad_request, place + ": Invalid value: " + quote(text) +
                                            ": allowed stages are RequestReceived,"
                                            "ResponseStarted,ResponseComplete,Panic"};
  }
  return {};
}

bool resource_fits(const Value& rule, const RequestInfo& info) {
  if (!info.is_resource) return false;
  const Value& namespaces = rule["namespaces"];
  if (!namespaces.empty() && !has(namespaces, info.namespace_)) return false;
  if (rule["resources"].empty()) return true;
  const std::string combined =
      info.subresource.empty() ? info.resource : info.resource + "/" + info.subresource;
  for (const Value& group : rule["resources"].elements()) {
    if (group["group"].as_string() != info.group) continue;
    if (!group["resourceNames"].empty() && !has(group["resourceNames"], info.name)) continue;
    if (group["resources"].empty()) return true;
    for (const Value& one : group["resources"].elements()) {
      const std::string_view text = one.as_string();
      if (text == "*" || text == combined) return true;
      if (!info.subresource.empty() && text.starts_with("*/") && text.substr(2) == info.subresource)
        return true;
      if (text.ends_with("/*") && text.substr(0, text.size() - 2) == info.resource) return true;
    }
  }
  return false;
}

bool path_fits(const Value& rule, const RequestInfo& info) {
  if (info.is_resource) return false;
  for (const Value& one : rule["nonResourceURLs"].elements()) {
    const std::string_view text = one.as_string();
    if (text == "*" || text == info.path) return true;
    if (text.ends_with('*') && info.path.starts_with(text.substr(0, text.size() - 1))) return true;
  }
  return false;
}

bool rule_fits(const Value& rule, const registry::Identity& who, const RequestInfo& info) {
  if (!rule["users"].empty() && !has(rule["users"], who.user)) return false;
  const auto in_rule = [&](const std::string& group) { return has(rule["userGroups"], group); };
  if (!rule["userGroups"].empty() && std::none_of(who.groups.begin(), who.groups.end(), in_rule))
    return false;
  if (!rule["verbs"].empty() && !has(rule["verbs"], info.verb)) return false;
  if (!rule["namespaces"].empty() || !rule["resources"].empty()) return resource_fits(rule, info);
  if (!rule["nonResourceURLs"].empty()) return path_fits(rule, info);
  return true;
}

std::vector<std::string> source_addresses(const HttpRequest& request) {
  std::vector<std::string> list;
  for (const std::string& one : split(request.headers.get("x-forwarded-for"), ','))
    if (const std::string_view address = trim(one); !address.empty()) list.emplace_back(address);
  std::string peer = request.peer.substr(0, request.peer.rfind(':'));
  if (peer.starts_with('[') && peer.ends_with(']')) peer = peer.substr(1, peer.size() - 2);
  if (!peer.empty() && (list.empty() || list.back() != peer)) list.push_back(std::move(peer));
  return list;
}

Value reference_of(const RequestInfo& info) {
  Value reference = Value::object({{"resource", info.resource}});
  const std::pair<std::string_view, const std::string*> rest[] = {
      {"namespace", &info.namespace_},
      {"name", &info.name},
      {"apiGroup", &info.group},
      {"apiVersion", &info.version},
      {"subresource", &info.subresource}};
  for (const auto& [key, value] : rest)
    if (!value->empty()) reference.set(key, *value);
  return reference;
}

}  // namespace

Result<AuditPolicy> AuditPolicy::parse(std::string_view text) {
  TRY(const codec::YamlDocument document, codec::parse_yaml(text));
  const Value& policy = document.value;
  if (model::api_version_of(policy) != "audit.k8s.io/v1" || model::kind_of(policy) != "Policy")
    return Error{Reason::bad_request, "apiVersion audit.k8s.io/v1 and kind Policy are expected"};
  TRY_VOID(check_fields(
      policy, "", {"apiVersion", "kind", "metadata", "omitStages", "rules", "omitManagedFields"}));
  TRY_VOID(check_stages(policy["omitStages"], "omitStages"));
  if (policy["rules"].empty())
    return Error{Reason::bad_request, "rules: Required value: a policy of 0 rules is illegal"};
  for (std::size_t i = 0; i < policy["rules"].size(); ++i) {
    const Value& rule = policy["rules"][i];
    const std::string rule_place = "rules[" + std::to_string(i) + "]", place = rule_place + ".";
    TRY_VOID(check_fields(rule, rule_place,
                          {"level", "users", "userGroups", "verbs", "resources", "namespaces",
                           "nonResourceURLs", "omitStages", "omitManagedFields"}));
    TRY_VOID(level_of(rule["level"].as_string(), place + "level"));
    TRY_VOID(check_stages(rule["omitStages"], place + "omitStages"));
    const bool of_resources = !rule["resources"].empty() || !rule["namespaces"].empty();
    if (of_resources && !rule["nonResourceURLs"].empty())
      return Error{Reason::bad_request,
                   place +
                       "nonResourceURLs: Invalid value: rules cannot apply to both regular "
                       "resources and non-resource URLs"};
  }
  AuditPolicy out;
  out.policy_ = policy;
  return out;
}

AuditDecision AuditPolicy::decide(const registry::Identity& who, const RequestInfo& info) const {
  AuditDecision decision;
  for (const Value& rule : policy_["rules"].elements()) {
    if (!rule_fits(rule, who, info)) continue;
    decision.level = level_of(rule["level"].as_string(), "").value();
    for (const Value* stages : {&policy_["omitStages"], &rule["omitStages"]})
      for (const Value& stage : stages->elements()) decision.omitted_stages.insert(stage.str());
    decision.omit_managed_fields =
        rule["omitManagedFields"].as_bool(policy_["omitManagedFields"].as_bool());
    break;
  }
  return decision;
}

AuditRecord::AuditRecord(AuditDecision decision, Write write, std::function<Instant()> now)
    : decision_(std::move(decision)), write_(std::move(write)), now_(std::move(now)) {}

void AuditRecord::begin(const HttpRequest& request, const RequestInfo& info,
                        const registry::Identity& who, const std::string& id) {
  event_ = Value::object(
      {{"kind", "Event"},
       {"apiVersion", "audit.k8s.io/v1"},
       {"level", level_text(decision_.level)},
       {"auditID", id},
       {"stage", ""},
       {"requestURI", request.query.empty() ? request.path : request.path + "?" + request.query},
       {"verb", info.verb},
       {"user", user_info(who)}});
  event_.set("impersonatedUser", nullptr);
  Value addresses = Value::array();
  for (std::string& one : source_addresses(request)) addresses.push_back(std::move(one));
  if (!addresses.empty()) event_.set("sourceIPs", std::move(addresses));
  if (const std::string_view agent = request.headers.get("user-agent"); !agent.empty())
    event_.set("userAgent", agent);
  if (info.is_resource) event_.set("objectRef", reference_of(info));
  event_.set("requestReceivedTimestamp", to_rfc3339_micro(now_()));
}

void AuditRecord::impersonated(const registry::Identity& whom) {
  event_.set("impersonatedUser", user_info(whom));
}

void AuditRecord::authorized(bool allowed, std::string_view reason) {
  annotations_.set("authorization.k8s.io/decision", allowed ? "allow" : "forbid");
  annotations_.set("authorization.k8s.io/reason", reason);
}

void AuditRecord::annotated(const std::map<std::string, std::string>& annotations) {
  for (const auto& [key, value] : annotations)
    if (wants_request() || !key.starts_with("patch.")) annotations_.set(key, value);
}

Value AuditRecord::without_owners(Value object) const {
  if (!decision_.omit_managed_fields || !object.is_object()) return object;
  if (object["metadata"].has("managedFields")) object.edit("metadata").erase("managedFields");
  for (std::size_t i = 0; i < object["items"].size(); ++i)
    if (object["items"][i]["metadata"].has("managedFields"))
      object.edit("items").edit(i).edit("metadata").erase("managedFields");
  return object;
}

void AuditRecord::request_object(const Value& object) {
  if (object.is_null()) return;
  if (event_.has("objectRef")) {
    Value& reference = event_.edit("objectRef");
    const std::pair<std::string_view, std::string_view> known[] = {
        {"name", model::name_of(object)}, {"namespace", model::namespace_of(object)}};
    for (const auto& [key, value] : known)
      if (!value.empty() && !reference.has(key)) reference.set(key, value);
  }
  if (wants_request()) request_ = without_owners(object);
}

void AuditRecord::response_object(const Value& object) {
  if (model::kind_of(object) == "Status" && object["status"].as_string() == "Failure") {
    response_status_ = Value::object({{"metadata", Value::object()}});
    for (const std::string_view key : {"status", "message", "reason", "details"})
      if (object.has(key)) response_status_.set(key, object[key]);
  }
  if (wants_response()) response_ = without_owners(object);
}

void AuditRecord::write(std::string_view stage) {
  if (decision_.omitted_stages.contains(stage)) return;
  Value line = Value::object();
  for (const codec::Member& member : event_.members()) {
    if (member.value.is_null()) continue;
    const bool at_end = member.key() == "requestReceivedTimestamp";
    if (at_end) {
      if (stage != "RequestReceived") line.set("responseStatus", response_status_);
      if (!request_.is_null() && stage != "RequestReceived") line.set("requestObject", request_);
      if (!response_.is_null() && stage == "ResponseComplete")
        line.set("responseObject", response_);
    }
    line.set(member.key(), member.value);
  }
  line.set("stage", stage);
  line.set("stageTimestamp", to_rfc3339_micro(now_()));
  if (!annotations_.empty()) line.set("annotations", annotations_);
  write_(codec::to_json(line) + "\n");
}

void AuditRecord::received() {
  write("RequestReceived");
}

void AuditRecord::started(int code) {
  if (response_status_.empty()) response_status_.set("metadata", Value::object());
  response_status_.set("code", code);
  write("ResponseStarted");
}

void AuditRecord::completed(int code) {
  if (std::exchange(done_, true)) return;
  if (response_status_.empty()) response_status_.set("metadata", Value::object());
  response_status_.set("code", code);
  write("ResponseComplete");
}

std::shared_ptr<AuditRecord> AuditLog::record(const registry::Identity& who,
                                              const RequestInfo& info,
                                              std::function<Instant()> now) const {
  AuditDecision decision = policy_.decide(who, info);
  if (decision.level == AuditLevel::none) return nullptr;
  return std::make_shared<AuditRecord>(std::move(decision), write_, std::move(now));
}

}  // namespace keelson::api
