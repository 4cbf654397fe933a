// Original of the reviews: pkg/registry/authorization, pkg/registry/authentication; of the token
// request: pkg/registry/core/serviceaccount/storage/token.go.
#include "api/access/access_control.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"
#include "model/selector.h"
#include "registry/errors.h"
#include "registry/follow.h"

namespace keelson::api {
namespace {

constexpr std::string_view kReviews = "authorization.k8s.io";
constexpr std::int64_t kTokenSecondsMin = 600;
constexpr std::int64_t kTokenSecondsMax = std::int64_t{1} << 32;
constexpr std::int64_t kTokenSecondsDefault = 3600;

Access access_of(const Value& spec) {
  const Value& resource = spec["resourceAttributes"];
  if (resource.is_null()) {
    const Value& path = spec["nonResourceAttributes"];
    Access access{path["verb"].str()};
    access.path = path["path"].str();
    return access;
  }
  return {resource["verb"].str(),     resource["group"].str(),       resource["version"].str(),
          resource["resource"].str(), resource["subresource"].str(), resource["namespace"].str(),
          resource["name"].str()};
}

// Go names of the fields, as the original prints its internal value.
std::string path_attributes_text(const Value& attributes) {
  return "{\"Path\":" + quote(attributes["path"].as_string()) +
         ",\"Verb\":" + quote(attributes["verb"].as_string()) + "}";
}

void check_selector(const Value& selector, const std::string& path, std::vector<Cause>& causes) {
  using registry::cause_invalid, registry::cause_required;
  if (selector.is_null()) return;
  const Value& raw = selector["rawSelector"];
  const Value& requirements = selector["requirements"];
  if (!raw.as_string().empty() && !requirements.empty())
    causes.push_back(cause_invalid(path + ".rawSelector", raw,
                                   "may not specified at the same time as requirements"));
  if (raw.as_string().empty() && requirements.empty())
    causes.push_back(
        cause_required(path + ".requirements",
                       "when " + path + " is specified, requirements or rawSelector is required"));
  for (std::size_t i = 0; i < requirements.size(); ++i) {
    const std::string_view op = requirements[i]["operator"].as_string();
    if ((op == "In" || op == "NotIn") && requirements[i]["values"].empty())
      causes.push_back(cause_required(path + ".requirements[" + std::to_string(i) + "].values",
                                      "must be specified when `operator` is 'In' or 'NotIn'"));
  }
}

std::string in_order(const Value& value, std::initializer_list<std::string_view> keys) {
  std::vector<std::string> parts;
  for (const std::string_view key : keys)
    if (value.has(key)) parts.push_back(quote(key) + ":" + codec::to_json(value[key]));
  return join(parts, ",");
}

// Metadata with its members in the order in which the original prints them.
std::string as_printed(const Value& metadata) {
  std::string text = in_order(metadata, {"name", "generateName", "namespace", "selfLink", "uid",
                                         "resourceVersion", "generation", "creationTimestamp",
                                         "deletionTimestamp", "deletionGracePeriodSeconds",
                                         "labels", "annotations", "ownerReferences", "finalizers"});
  std::vector<std::string> owners;
  for (const Value& one : metadata["managedFields"].elements())
    owners.push_back("{" +
                     in_order(one, {"manager", "operation", "apiVersion", "time", "fieldsType",
                                    "fieldsV1", "subresource"}) +
                     "}");
  if (!owners.empty())
    text +=
        (text.empty() ? "" : ",") + std::string("\"managedFields\":[") + join(owners, ",") + "]";
  return "{" + text + "}";
}

Result<void> validate_review(const registry::Request& request, const Value& object) {
  using registry::cause_invalid, registry::cause_invalid_text;
  const Value& spec = object["spec"];
  const Value& resource = spec["resourceAttributes"];
  const Value& path = spec["nonResourceAttributes"];
  const bool self = request.resource == "selfsubjectaccessreviews";
  const bool local = request.resource == "localsubjectaccessreviews";
  std::vector<Cause> causes;
  if (!resource.is_null() && !path.is_null())
    causes.push_back(cause_invalid_text("spec.nonResourceAttributes", path_attributes_text(path),
                                        "cannot be specified in combination with "
                                        "resourceAttributes"));
  if (resource.is_null() && path.is_null())
    causes.push_back(cause_invalid(
        "spec.resourceAttributes", Value(),
        "exactly one of nonResourceAttributes or resourceAttributes must be specified"));
  if (!self && spec["user"].as_string().empty() && spec["groups"].empty())
    causes.push_back(
        cause_invalid("spec.user", Value(""), "at least one of user or group must be specified"));
  check_selector(resource["fieldSelector"], "spec.resourceAttributes.fieldSelector", causes);
  check_selector(resource["labelSelector"], "spec.resourceAttributes.labelSelector", causes);
  if (local && !resource.is_null() && resource["namespace"].as_string() != request.namespace_)
    causes.push_back(cause_invalid("spec.resourceAttributes.namespace",
                                   Value(resource["namespace"].as_string()),
                                   "must match metadata.namespace"));
  if (local && !path.is_null())
    causes.push_back(cause_invalid_text("spec.nonResourceAttributes", path_attributes_text(path),
                                        "disallowed on this kind of request"));
  Value metadata = object["metadata"];
  if (local) metadata.erase("namespace");
  Value plain = metadata;
  if (plain.is_object()) plain.erase("managedFields");
  if (!plain.empty())
    causes.push_back(cause_invalid_text("metadata", as_printed(metadata), "must be empty"));
  if (causes.empty()) return {};
  return registry::invalid({kReviews, ""}, "", std::move(causes));
}

// Selectors only narrow what an authorizer may allow; ours ignore them, and say so of broken ones.
std::string selector_problem(const Value& resource) {
  static constexpr std::string_view operators[] = {"In", "NotIn", "Exists", "DoesNotExist"};
  const Value& selector = resource["labelSelector"];
  bool broken = !selector["rawSelector"].as_string().empty() &&
                !model::LabelSelector::parse(selector["rawSelector"].as_string()).ok();
  for (const Value& one : selector["requirements"].elements())
    broken = broken || std::find(std::begin(operators), std::end(operators),
                                 one["operator"].as_string()) == std::end(operators);
  return broken ? "spec.resourceAttributes.labelSelector ignored due to parse error" : "";
}

// The namespace of a namespaced review is the request's.
Result<void> take_namespace(const registry::Request& request, Value& object) {
  const std::string_view given = model::namespace_of(object);
  if (!given.empty() && given != request.namespace_)
    return registry::bad_request(
        "the namespace of the provided object does not match the namespace sent on the request");
  object.edit("metadata").set("namespace", request.namespace_);
  return {};
}

Identity subject_of(const Value& spec) {
  Identity identity;
  identity.user = spec["user"].str();
  identity.uid = spec["uid"].str();
  for (const Value& group : spec["groups"].elements()) identity.groups.push_back(group.str());
  return identity;
}

Value texts(std::vector<std::string> list) {
  Value array = Value::array();
  for (std::string& text : list) array.push_back(std::move(text));
  return array;
}

// Rules that differ only in their verbs or only in their resources become one, as in the
// original's compaction for people to read.
Value compact(const std::vector<Value>& rules, bool resources) {
  Value list = Value::array();
  for (const Value& rule : rules) {
    const bool of_resources = !rule["resources"].empty() || !rule["apiGroups"].empty();
    if (of_resources != resources) continue;
    Value entry = Value::object({{"verbs", rule["verbs"]}});
    for (const std::string_view key :
         {"apiGroups", "resources", "resourceNames", "nonResourceURLs"})
      if (!rule[key].empty()) entry.set(key, rule[key]);
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace

AccessControl::AccessControl(std::shared_ptr<const TokenSigner> signer,
                             std::function<Instant()> now, Prng& rng, AuthenticationOptions options)
    : signer_(std::move(signer)),
      now_(std::move(now)),
      rng_(rng),
      authorizer_(source()),
      authenticator_(source(), signer_, now_, std::move(options)) {}

AccessControl::~AccessControl() = default;

ObjectSource AccessControl::source() {
  return {.get =
              [this](std::string_view resource, std::string_view ns, std::string_view name) {
                return registry_ ? registry_->get(resource, ns, name) : Value();
              },
          .list =
              [this](std::string_view resource, std::string_view ns) {
                return registry_ ? registry_->list(resource, ns) : std::vector<Value>();
              }};
}

registry::Environment AccessControl::environment() {
  return {.now = now_,
          .rng = &rng_,
          .authorize = [this](const Identity& identity,
                              const Access& access) { return authorize(identity, access); },
          .rules = [this](const Identity& identity,
                          std::string_view ns) { return authorizer_.rules_of(identity, ns); },
          .compute = [this](const registry::Request& request,
                            const Value& object) { return compute(request, object); }};
}

void AccessControl::attach(registry::Registry& registry) {
  registry_ = &registry;
  role_watchers_ = registry::follow(registry, "rbac.authorization.k8s.io",
                                    {"rolebindings", "clusterrolebindings"},
                                    [this] { authorizer_.invalidate(); });
  authorizer_.invalidate();
}

Result<Value> AccessControl::compute(const registry::Request& request, const Value& object) {
  if (request.resource == "serviceaccounts") return token_request(request, object);
  if (request.resource == "tokenreviews") return token_review(object);
  if (request.resource == "selfsubjectrulesreviews") return rules_review(request, object);
  if (request.resource == "selfsubjectreviews") {
    Value answer = Value::object({{"apiVersion", object["apiVersion"]}, {"kind", object["kind"]}});
    answer.edit("metadata").set("creationTimestamp", to_rfc3339(now_()));
    answer.edit("status").set("userInfo", user_info(request.identity));
    return answer;
  }
  return subject_access_review(request, object);
}

Result<Value> AccessControl::subject_access_review(const registry::Request& request, Value object) {
  if (request.resource == "localsubjectaccessreviews") TRY_VOID(take_namespace(request, object));
  TRY_VOID(validate_review(request, object));
  const Value spec = object["spec"];
  const bool self = request.resource == "selfsubjectaccessreviews";
  const Verdict verdict = authorize(self ? request.identity : subject_of(spec), access_of(spec));
  Value status = Value::object({{"allowed", verdict.allowed}});
  if (!verdict.reason.empty()) status.set("reason", verdict.reason);
  if (const std::string problem = selector_problem(spec["resourceAttributes"]); !problem.empty())
    status.set("evaluationError", problem);
  object.set("status", std::move(status));
  return object;
}

Result<Value> AccessControl::rules_review(const registry::Request& request, Value object) {
  const std::string ns = object["spec"]["namespace"].str();
  if (ns.empty()) return registry::bad_request("no namespace on request");
  const registry::HeldRules rules = authorizer_.rules_of(request.identity, ns);
  std::vector<std::string> errors = rules.errors;
  if (request.identity.in_group("system:nodes") &&
      request.identity.user.starts_with("system:node:"))
    errors.insert(errors.begin(), "node authorizer does not support user rule resolution");
  Value status = Value::object({{"resourceRules", compact(rules.rules, true)},
                                {"nonResourceRules", compact(rules.rules, false)},
                                {"incomplete", !errors.empty()}});
  if (!errors.empty()) status.set("evaluationError", join(errors, ", "));
  Value answer = Value::object({{"apiVersion", object["apiVersion"]}, {"kind", object["kind"]}});
  answer.set("metadata", Value::object());
  answer.set("spec", Value::object());
  answer.set("status", std::move(status));
  return answer;
}

Result<Value> AccessControl::token_review(Value object) {
  if (!model::namespace_of(object).empty()) object.edit("metadata").erase("namespace");
  const std::string token = object["spec"]["token"].str();
  if (token.empty())
    return registry::bad_request("token is required for TokenReview in authentication");
  std::vector<std::string> audiences;
  for (const Value& one : object["spec"]["audiences"].elements()) audiences.push_back(one.str());
  const auto reviewed = authenticator_.review(token, audiences);
  Value status = Value::object({{"user", Value::object()}});
  if (!reviewed.ok()) {
    status.set("error", reviewed.error().message);
  } else {
    Identity identity = reviewed->identity;
    if (!identity.in_group("system:authenticated"))
      identity.groups.push_back("system:authenticated");
    status.set("authenticated", true);
    status.set("user", user_info(identity));
    if (!reviewed->audiences.empty()) status.set("audiences", texts(reviewed->audiences));
  }
  object.set("status", std::move(status));
  return object;
}

namespace {

struct Bound {
  std::string_view kind, resource, claim;
};
constexpr Bound kBound[] = {
    {"Pod", "pods", "pod"}, {"Secret", "secrets", "secret"}, {"Node", "nodes", "node"}};

}  // namespace

Result<void> AccessControl::check_token_request(const registry::Request& request,
                                                const Value& account, const Value& object) const {
  const registry::GroupName kind{"authentication.k8s.io", "TokenRequest"};
  if (const std::string_view given = model::kind_of(object);
      !given.empty() && given != "TokenRequest") {
    const std::string version(model::api_version_of(object));
    return registry::bad_request(std::string(given) + " in version " +
                                 quote(model::group_version_of(version).version) +
                                 " cannot be handled as a TokenRequest: no kind " + quote(given) +
                                 " is registered for version " + quote(version) +
                                 " in scheme \"pkg/api/legacyscheme/scheme.go:30\"");
  }
  const std::string_view given_name = model::name_of(object);
  if (!given_name.empty() && given_name != request.name)
    return registry::invalid(kind, request.name,
                             {registry::cause_invalid("metadata.name", Value(given_name),
                                                      "must match the service account name if "
                                                      "specified")});
  if (const std::string_view uid = model::uid_of(object);
      !uid.empty() && uid != model::uid_of(account)) {
    return registry::conflict(kind, request.name,
                              "the UID in the token request (" + std::string(uid) +
                                  ") does not match the UID of the service account (" +
                                  std::string(model::uid_of(account)) + ")");
  }
  const std::int64_t seconds = object["spec"]["expirationSeconds"].as_int(kTokenSecondsDefault);
  if (seconds >= kTokenSecondsMin && seconds <= kTokenSecondsMax) return {};
  return registry::invalid(
      kind, "",
      {registry::cause_invalid("spec.expirationSeconds", Value(seconds),
                               seconds < kTokenSecondsMin
                                   ? "may not specify a duration less than 10 minutes"
                                   : "may not specify a duration larger than 2^32 seconds")});
}

// Adds the object that the token shall end with to the token's own claims.
Result<void> AccessControl::bind_token(const registry::Request& request, const Value& reference,
                                       Value& own) const {
  const Bound* bound = nullptr;
  for (const Bound& one : kBound)
    if (one.kind == reference["kind"].as_string()) bound = &one;
  const model::GroupVersion gv = model::group_version_of(reference["apiVersion"].as_string());
  if (bound == nullptr || !gv.group.empty()) {
    return registry::bad_request("cannot bind token to object of type " + gv.group + "/" +
                                 gv.version + ", Kind=" + reference["kind"].str());
  }
  const std::string name = reference["name"].str();
  if (name.empty()) return registry::bad_request("Name parameter required.");
  const Value target =
      registry_->get(bound->resource, bound->kind == "Node" ? "" : request.namespace_, name);
  if (target.is_null()) return registry::not_found({"", bound->resource}, name);
  const std::string_view runs_as = target["spec"]["serviceAccountName"].as_string();
  if (bound->kind == "Pod" && (runs_as.empty() ? "default" : runs_as) != request.name) {
    return registry::bad_request("cannot bind token for serviceaccount " + quote(request.name) +
                                 " to pod running with different serviceaccount name.");
  }
  const std::string_view uid = reference["uid"].as_string();
  if (!uid.empty() && uid != model::uid_of(target)) {
    return registry::conflict({"", bound->kind}, name,
                              "the UID in the bound object reference (" + std::string(uid) +
                                  ") does not match the UID in record. The object might have "
                                  "been deleted and then recreated");
  }
  own.set(bound->claim, Value::object({{"name", name}, {"uid", model::uid_of(target)}}));
  const std::string_view node = target["spec"]["nodeName"].as_string();
  if (bound->kind != "Pod" || node.empty()) return {};
  Value place = Value::object({{"name", node}});
  const Value machine = registry_->get("nodes", "", node);
  if (!machine.is_null()) place.set("uid", model::uid_of(machine));
  own.set("node", std::move(place));
  return {};
}

Result<Value> AccessControl::token_request(const registry::Request& request, Value object) {
  const Value account = registry_->get("serviceaccounts", request.namespace_, request.name);
  if (account.is_null()) return registry::not_found({"", "serviceaccounts"}, request.name);
  TRY_VOID(take_namespace(request, object));
  TRY_VOID(check_token_request(request, account, object));
  const Value spec = object["spec"];
  Value own =
      Value::object({{"namespace", request.namespace_},
                     {"serviceaccount",
                      Value::object({{"name", request.name}, {"uid", model::uid_of(account)}})}});
  if (!spec["boundObjectRef"].is_null()) TRY_VOID(bind_token(request, spec["boundObjectRef"], own));
  const Instant now = now_();
  const std::int64_t seconds = spec["expirationSeconds"].as_int(kTokenSecondsDefault);
  const Instant until = now + Duration::seconds(seconds);
  const Value audiences =
      spec["audiences"].empty() ? Value::array({signer_->issuer()}) : spec["audiences"];
  const Value claims = Value::object({{"aud", audiences},
                                      {"exp", until.unix_seconds()},
                                      {"iat", now.unix_seconds()},
                                      {"iss", signer_->issuer()},
                                      {"jti", rng_.uuid()},
                                      {"kubernetes.io", own},
                                      {"nbf", now.unix_seconds()},
                                      {"sub", account_user(request.namespace_, request.name)}});
  object.set("apiVersion", "authentication.k8s.io/v1");
  object.set("kind", "TokenRequest");
  Value& metadata = object.edit("metadata");
  metadata.set("name", request.name);
  metadata.set("namespace", request.namespace_);
  metadata.set("uid", model::uid_of(account));
  metadata.set("creationTimestamp", to_rfc3339(now));
  Value& answer_spec = object.edit("spec");
  answer_spec.set("audiences", audiences);
  answer_spec.set("expirationSeconds", seconds);
  if (answer_spec["boundObjectRef"].is_null()) answer_spec.set("boundObjectRef", nullptr);
  object.set("status", Value::object({{"token", signer_->sign(claims)},
                                      {"expirationTimestamp", to_rfc3339(until)}}));
  return object;
}

}  // namespace keelson::api
