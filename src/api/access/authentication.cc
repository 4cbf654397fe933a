// Original: apiserver/pkg/authentication, pkg/serviceaccount, plugin/pkg/auth/authenticator/token/
// bootstrap, apiserver/pkg/endpoints/filters/impersonation.
#include "api/access/authentication.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "api/access/request_info.h"
#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"

namespace keelson::api {
namespace {

constexpr std::string_view kSecretIssuer = "kubernetes/serviceaccount";
constexpr std::string_view kAccountPrefix = "system:serviceaccount:";
constexpr std::size_t kVerifiedMax = 4096;
constexpr std::string_view kCredentialKey = "authentication.kubernetes.io/credential-id";

Error unauthorized() {
  return {Reason::unauthorized, "Unauthorized"};
}

Error refused(std::string why) {
  return {Reason::unauthorized, std::move(why)};
}

void add_authenticated(Identity& identity) {
  for (const std::string& group : identity.groups)
    if (group == "system:authenticated" || group == "system:unauthenticated") return;
  identity.groups.push_back("system:authenticated");
}

std::string bearer_token(const HttpRequest& request) {
  const std::string_view header = trim(request.headers.get("authorization"));
  const std::size_t space = header.find(' ');
  if (space != std::string_view::npos && to_lower(header.substr(0, space)) == "bearer")
    return std::string(trim(header.substr(space + 1)));
  // Browsers cannot set headers on a WebSocket: the token hides among the sub-protocols.
  constexpr std::string_view prefix = "base64url.bearer.authorization.k8s.io.";
  for (const std::string_view value : request.headers.all("sec-websocket-protocol")) {
    for (const std::string& part : split(value, ',')) {
      const std::string_view protocol = trim(part);
      if (!protocol.starts_with(prefix)) continue;
      return from_base64url(protocol.substr(prefix.size())).value_or("");
    }
  }
  return "";
}

struct AccountName {
  std::string namespace_, name;
};
std::optional<AccountName> account_of(std::string_view user) {
  if (!user.starts_with(kAccountPrefix)) return std::nullopt;
  const std::vector<std::string> parts = split(user.substr(kAccountPrefix.size()), ':');
  if (parts.size() != 2 || parts[0].empty() || parts[1].empty()) return std::nullopt;
  return AccountName{parts[0], parts[1]};
}

std::vector<std::string> account_groups(std::string_view ns) {
  return {"system:serviceaccounts", "system:serviceaccounts:" + std::string(ns)};
}

// Groups that a bootstrap token may carry: no token must make itself an administrator.
bool is_bootstrap_group(std::string_view group) {
  constexpr std::string_view prefix = "system:bootstrappers:";
  constexpr std::size_t rest_max = 256;
  if (!group.starts_with(prefix)) return false;
  const std::string_view rest = group.substr(prefix.size());
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !rest.empty() && rest.size() <= rest_max && plain(rest.back()) &&
         std::all_of(rest.begin(), rest.end(),
                     [&](char c) { return plain(c) || c == ':' || c == '-'; });
}

// Takes as long for a wrong text as for the right one.
bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string secret_text(const Value& secret, std::string_view key) {
  return from_base64(secret["data"][key].as_string()).value_or("");
}

std::string go_list(const std::vector<std::string>& list) {
  if (list.empty()) return "[]string(nil)";
  std::vector<std::string> quoted;
  for (const std::string& text : list) quoted.push_back(quote(text));
  return "[]string{" + join(quoted, ", ") + "}";
}

std::string list_text(const std::vector<std::string>& list) {
  std::vector<std::string> quoted;
  for (const std::string& text : list) quoted.push_back(quote(text));
  return "[" + join(quoted, " ") + "]";
}

}  // namespace

std::string account_user(std::string_view ns, std::string_view name) {
  return std::string(kAccountPrefix) + std::string(ns) + ":" + std::string(name);
}

Value user_info(const Identity& identity) {
  Value info = Value::object();
  if (!identity.user.empty()) info.set("username", identity.user);
  if (!identity.uid.empty()) info.set("uid", identity.uid);
  for (const std::string& group : identity.groups) info.edit("groups").push_back(group);
  for (const auto& [key, values] : identity.extra) {
    Value list = Value::array();
    for (const std::string& value : values) list.push_back(value);
    info.edit("extra").set(key, std::move(list));
  }
  return info;
}

Authenticator::Authenticator(ObjectSource source, std::shared_ptr<const TokenSigner> signer,
                             std::function<Instant()> now, AuthenticationOptions options)
    : source_(std::move(source)),
      signer_(std::move(signer)),
      now_(std::move(now)),
      options_(std::move(options)) {}

Result<Identity> Authenticator::authenticate(const HttpRequest& request) const {
  bool tried = false;
  if (request.certificate) {
    if (auto identity = by_front_proxy(request)) return std::move(*identity);
    if (auto identity = by_certificate(*request.certificate)) return std::move(*identity);
    tried = !request.certificate->error.empty();
  }
  if (const std::string token = bearer_token(request); !token.empty()) {
    auto identity = by_token(token);
    if (!identity.ok()) return unauthorized();
    add_authenticated(*identity);
    return std::move(identity).value();
  }
  if (tried || !options_.anonymous) return unauthorized();
  if (!options_.anonymous_paths.empty() && !options_.anonymous_paths.contains(request.path))
    return unauthorized();
  return Identity{"system:anonymous", "", {"system:unauthenticated"}, {}};
}

bool Authenticator::renew(const HttpRequest& request, std::function<void()> done) const {
  const std::string token = bearer_token(request);
  return !token.empty() && std::any_of(options_.token_readers.begin(), options_.token_readers.end(),
                                       [&](const auto& one) { return one->renew(token, done); });
}

std::optional<Identity> Authenticator::by_front_proxy(const HttpRequest& request) const {
  const FrontProxyOptions& proxy = options_.front_proxy;
  const ClientCertificate& certificate = *request.certificate;
  if (!proxy.on || !certificate.proxy) return std::nullopt;
  if (!proxy.names.empty() && !proxy.names.contains(certificate.common_name)) return std::nullopt;
  if (certificate.not_after_unix_seconds < now_().unix_seconds()) return std::nullopt;
  const auto first = [&](const std::vector<std::string>& names) -> std::string {
    for (const std::string& name : names)
      if (const std::string_view value = trim(request.headers.get(name)); !value.empty())
        return std::string(value);
    return {};
  };
  Identity identity;
  identity.user = first(proxy.user_headers);
  if (identity.user.empty()) return std::nullopt;
  identity.uid = first(proxy.uid_headers);
  for (const std::string& name : proxy.group_headers)
    for (const std::string_view group : request.headers.all(name))
      identity.groups.emplace_back(group);
  for (const auto& [name, value] : request.headers.fields())
    for (const std::string& prefix : proxy.extra_prefixes)
      if (name.starts_with(prefix)) {
        const std::string key = name.substr(prefix.size());
        identity.extra[percent_decode(key).value_or(key)].push_back(value);
      }
  add_authenticated(identity);
  return identity;
}

std::optional<Identity> Authenticator::by_certificate(const ClientCertificate& certificate) const {
  if (!certificate.error.empty() || certificate.common_name.empty()) return std::nullopt;
  // A resumed session is not verified again, but its certificate may have expired since.
  if (certificate.not_after_unix_seconds < now_().unix_seconds()) return std::nullopt;
  Identity identity;
  identity.user = certificate.common_name;
  identity.groups = certificate.organizations;
  identity.extra[std::string(kCredentialKey)] = {"X509SHA256=" + certificate.sha256};
  add_authenticated(identity);
  return identity;
}

std::optional<Value> Authenticator::claims_of(std::string_view token) const {
  const auto known = verified_.find(token);
  if (known != verified_.end()) return known->second;
  auto claims = signer_->verify(token);
  if (!claims) return std::nullopt;
  if (verified_.size() >= kVerifiedMax) verified_.clear();
  verified_.emplace(token, *claims);
  return claims;
}

Result<Identity> Authenticator::by_token(std::string_view token) const {
  const auto fixed = options_.static_tokens.find(std::string(token));
  if (fixed != options_.static_tokens.end()) return fixed->second;
  if (auto identity = by_bootstrap_token(token)) return std::move(*identity);
  for (const auto& reader : options_.token_readers)
    if (auto identity = reader->read(token, now_())) return std::move(*identity);
  TRY(Reviewed reviewed, review(token, {}));
  return std::move(reviewed.identity);
}

std::optional<Identity> Authenticator::by_bootstrap_token(std::string_view token) const {
  // RFC: "abcdef.0123456789abcdef".
  if (token.size() != 23 || token[6] != '.') return std::nullopt;
  const std::string id(token.substr(0, 6));
  const Value secret = source_.get("secrets", "kube-system", "bootstrap-token-" + id);
  if (secret.is_null() || model::is_deleting(secret) ||
      secret["type"].as_string() != "bootstrap.kubernetes.io/token" ||
      secret_text(secret, "token-id") != id ||
      !same_secret(secret_text(secret, "token-secret"), token.substr(7)) ||
      secret_text(secret, "usage-bootstrap-authentication") != "true")
    return std::nullopt;
  if (const std::string expiration = secret_text(secret, "expiration"); !expiration.empty()) {
    const auto until = parse_rfc3339(expiration);
    if (!until || *until <= now_()) return std::nullopt;
  }
  Identity identity;
  identity.user = "system:bootstrap:" + id;
  identity.groups = {"system:bootstrappers"};
  if (const std::string extra = secret_text(secret, "auth-extra-groups"); !extra.empty())
    for (std::string& group : split(extra, ',')) {
      if (!is_bootstrap_group(group)) return std::nullopt;
      identity.groups.push_back(std::move(group));
    }
  return identity;
}

Result<Authenticator::Reviewed> Authenticator::review(
    std::string_view token, const std::vector<std::string>& audiences) const {
  if (audiences.empty()) {
    const auto fixed = options_.static_tokens.find(std::string(token));
    if (fixed != options_.static_tokens.end()) return Reviewed{fixed->second, {}};
    if (auto identity = by_bootstrap_token(token)) return Reviewed{std::move(*identity), {}};
    for (const auto& reader : options_.token_readers)
      if (auto identity = reader->read(token, now_())) {
        if (!identity->ok()) {
          reader->renew(token, [] {});  // for whoever asks again
          return refused("[invalid bearer token, " + identity->error().message + "]");
        }
        return Reviewed{std::move(*identity).value(), {}};
      }
  }
  const auto claims = claims_of(token);
  if (claims && (*claims)["iss"].as_string() == kSecretIssuer) {
    auto identity = by_secret_claims(*claims, token);
    if (!identity.ok()) return refused("[invalid bearer token, " + identity.error().message + "]");
    // Such tokens name no audience: they are for the API server, and for it alone.
    const bool meant = audiences.empty() || std::find(audiences.begin(), audiences.end(),
                                                      signer_->issuer()) != audiences.end();
    if (!meant)
      return refused("[invalid bearer token, token audiences " + list_text({signer_->issuer()}) +
                     " is invalid for the target audiences " + list_text(audiences) + "]");
    return Reviewed{std::move(identity).value(), {signer_->issuer()}};
  }
  if (!claims || (*claims)["iss"].as_string() != signer_->issuer())
    return refused("invalid bearer token");
  const std::vector<std::string> wanted =
      audiences.empty() ? std::vector<std::string>{signer_->issuer()} : audiences;
  std::vector<std::string> given;
  for (const Value& one : (*claims)["aud"].elements()) given.push_back(one.str());
  Reviewed reviewed;
  for (const std::string& audience : given)
    if (std::find(wanted.begin(), wanted.end(), audience) != wanted.end())
      reviewed.audiences.push_back(audience);
  if (reviewed.audiences.empty()) {
    return refused("[invalid bearer token, token audiences " + list_text(given) +
                   " is invalid for the target audiences " + list_text(wanted) + "]");
  }
  auto identity = by_claims(*claims);
  if (!identity.ok()) return refused("[invalid bearer token, " + identity.error().message + "]");
  reviewed.identity = std::move(identity).value();
  return reviewed;
}

Result<Identity> Authenticator::by_secret_claims(const Value& claims,
                                                 std::string_view token) const {
  const std::string prefix = "kubernetes.io/serviceaccount/";
  const std::string ns = claims[prefix + "namespace"].str();
  const std::string name = claims[prefix + "service-account.name"].str();
  const std::string uid = claims[prefix + "service-account.uid"].str();
  if (claims["sub"].as_string() != account_user(ns, name)) return refused("sub claim is invalid");
  const Value secret = source_.get("secrets", ns, claims[prefix + "secret.name"].as_string());
  if (secret.is_null() || model::is_deleting(secret)) return refused("Token has been invalidated");
  if (!same_secret(secret_text(secret, "token"), token))
    return refused("Token does not match server's copy");
  const Value account = source_.get("serviceaccounts", ns, name);
  if (account.is_null()) return refused("serviceaccounts " + quote(name) + " not found");
  if (model::is_deleting(account))
    return refused("ServiceAccount " + ns + "/" + name + " has been deleted");
  if (model::uid_of(account) != uid)
    return refused("ServiceAccount UID (" + std::string(model::uid_of(account)) +
                   ") does not match claim (" + uid + ")");
  if (!secret["metadata"]["labels"]["kubernetes.io/legacy-token-invalid-since"].as_string().empty())
    return refused("the token in secret " + ns + "/" + std::string(model::name_of(secret)) +
                   " for service account " + ns + "/" + name + " has been marked invalid");
  return Identity{account_user(ns, name), uid, account_groups(ns), {}};
}

Result<Identity> Authenticator::by_claims(const Value& claims) const {
  const std::int64_t now = now_().unix_seconds();
  if (claims["exp"].as_int() < now) return refused("service account token has expired");
  if (claims["nbf"].as_int() > now) return refused("service account token is not valid yet");
  const Value& own = claims["kubernetes.io"];
  const std::string ns = own["namespace"].str();
  const std::string name = own["serviceaccount"]["name"].str();
  const Value account = source_.get("serviceaccounts", ns, name);
  if (account.is_null()) return refused("serviceaccounts " + quote(name) + " not found");
  if (model::is_deleting(account)) return refused("service account token has been invalidated");
  const std::string uid = own["serviceaccount"]["uid"].str();
  if (model::uid_of(account) != uid) {
    return refused("service account UID (" + std::string(model::uid_of(account)) +
                   ") does not match claim (" + uid + ")");
  }
  Identity identity{account_user(ns, name), uid, account_groups(ns), {}};
  if (!claims["jti"].as_string().empty())
    identity.extra[std::string(kCredentialKey)] = {"JTI=" + claims["jti"].str()};
  // A token ends with the object that it was bound to.
  const std::pair<std::string_view, std::string_view> bound[] = {
      {"pod", "pods"}, {"secret", "secrets"}, {"node", "nodes"}};
  for (const auto& [claim, resource] : bound) {
    const Value& reference = own[claim];
    if (reference.is_null()) continue;
    const bool also_bound_to_pod = claim == "node" && !own["pod"].is_null();
    const Value object = also_bound_to_pod ? Value()
                                           : source_.get(resource, resource == "nodes" ? "" : ns,
                                                         reference["name"].as_string());
    if (!also_bound_to_pod &&
        (object.is_null() || model::uid_of(object) != reference["uid"].as_string()))
      return refused("service account token has been invalidated");
    if (claim == "secret") continue;
    const std::string prefix = "authentication.kubernetes.io/" + std::string(claim);
    identity.extra[prefix + "-name"] = {reference["name"].str()};
    identity.extra[prefix + "-uid"] = {reference["uid"].str()};
  }
  return identity;
}

namespace {

// Everything that is asked for, as one asks an authorizer.
std::vector<Access> impersonations(const Identity& wanted) {
  std::vector<Access> questions;
  if (const auto account = account_of(wanted.user)) {
    questions.push_back(
        {"impersonate", "", "v1", "serviceaccounts", "", account->namespace_, account->name});
  } else {
    questions.push_back({"impersonate", "", "v1", "users", "", "", wanted.user});
  }
  for (const std::string& group : wanted.groups)
    questions.push_back({"impersonate", "", "v1", "groups", "", "", group});
  for (const auto& [key, values] : wanted.extra)
    for (const std::string& value : values)
      questions.push_back(
          {"impersonate", "authentication.k8s.io", "v1", "userextras", key, "", value});
  if (!wanted.uid.empty())
    questions.push_back({"impersonate", "authentication.k8s.io", "v1", "uids", "", "", wanted.uid});
  return questions;
}

std::string impersonation_mode(std::string_view user) {
  if (account_of(user)) return "serviceaccount";
  return user.starts_with("system:node:") ? "arbitrary-node" : "user-info";
}

Identity asked_identity(const Headers& headers) {
  constexpr std::string_view extra_prefix = "impersonate-extra-";
  Identity wanted;
  wanted.user = headers.get("impersonate-user");
  wanted.uid = headers.get("impersonate-uid");
  for (const auto& [name, value] : headers.fields()) {
    if (name == "impersonate-group") wanted.groups.push_back(value);
    if (!name.starts_with(extra_prefix)) continue;
    const std::string_view key = std::string_view(name).substr(extra_prefix.size());
    wanted.extra[percent_decode(key).value_or(std::string(key))].push_back(value);
  }
  return wanted;
}

Error without_user(const Identity& wanted) {
  std::vector<std::string> extras;
  for (const auto& [key, values] : wanted.extra)
    extras.push_back(quote(key) + ":" + go_list(values));
  const std::string extra = extras.empty() ? "map[string][]string(nil)"
                                           : "map[string][]string{" + join(extras, ", ") + "}";
  return {Reason::bad_request, "requested &user.DefaultInfo{Name:\"\", UID:" + quote(wanted.uid) +
                                   ", Groups:" + go_list(wanted.groups) + ", Extra:" + extra +
                                   "} without impersonating a user name"};
}

}  // namespace

Result<Identity> Authenticator::impersonate(const HttpRequest& request, const Identity& asker,
                                            const Access& access,
                                            const Authorizer& authorizer) const {
  Identity wanted = asked_identity(request.headers);
  if (wanted.user.empty()) {
    if (wanted.groups.empty() && wanted.uid.empty() && wanted.extra.empty()) return asker;
    return without_user(wanted);
  }
  for (const Access& question : impersonations(wanted)) {
    const Verdict verdict = authorizer.authorize(asker, question);
    if (verdict.allowed) continue;
    if (impersonators_.contains(asker.user))
      return forbidden_error(asker, question, verdict.reason);
    Access constrained = access;
    constrained.verb = "impersonate-on:" + impersonation_mode(wanted.user) + ":" + access.verb;
    return forbidden_error(asker, constrained, verdict.reason);
  }
  if (impersonators_.size() < kVerifiedMax) impersonators_.insert(asker.user);
  if (const auto account = account_of(wanted.user); account && wanted.groups.empty())
    wanted.groups = account_groups(account->namespace_);
  if (wanted.user == "system:anonymous") {
    if (wanted.groups.empty()) wanted.groups.push_back("system:unauthenticated");
  } else {
    add_authenticated(wanted);
  }
  return wanted;
}

}  // namespace keelson::api
