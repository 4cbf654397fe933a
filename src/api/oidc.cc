#include "api/oidc.h"

#include <algorithm>

#include "api/jwk.h"
#include "base/text.h"
#include "codec/cel/cel.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "model/cel/library.h"
#include "model/meta.h"

namespace keelson::api {
namespace {

namespace cel = codec::cel;

Error bad(const std::string& place, const std::string& why) {
  return {Reason::bad_request, place + ": " + why};
}

Error refused(const std::string& why) {
  return {Reason::unauthorized, "oidc: " + why};
}

Result<cel::Program> compiled(const std::string& text, const std::string& variable,
                              const std::string& place) {
  const cel::Environment environment{model::cel_library(), {{variable, cel::dyn_type()}}};
  auto program = cel::compile(text, environment);
  if (!program.ok()) return bad(place, "compilation failed: " + program.error().message);
  return program;
}

Result<Value> evaluated(const cel::Program& program, const Value& variable) {
  cel::Budget budget;
  Value out;
  if (!cel::to_json(program.evaluate({cel::view(variable)}, budget), out))
    return refused("an expression could not be evaluated");
  return out;
}

std::vector<std::string> texts_of(const Value& value) {
  std::vector<std::string> out;
  if (value.is_string() && !value.as_string().empty()) out.push_back(value.str());
  for (const Value& one : value.elements())
    if (one.is_string()) out.push_back(one.str());
  return out;
}

// "claim" with a prefix, or an expression.
struct Mapping {
  std::string claim, prefix;
  std::optional<cel::Program> expression;
  bool given() const { return !claim.empty() || expression.has_value(); }

  Result<Value> of(const Value& claims) const {
    if (expression) return evaluated(*expression, claims);
    return claims[claim];
  }
};

Result<Mapping> mapping_of(const Value& given, const std::string& place) {
  Mapping out;
  out.claim = given["claim"].str();
  out.prefix = given["prefix"].str();
  const std::string text = given["expression"].str();
  if (!text.empty() && !out.claim.empty())
    return bad(place, "claim and expression can't both be set");
  if (!text.empty()) {
    TRY(out.expression, compiled(text, "claims", place + ".expression"));
  }
  return out;
}

struct Rule {
  std::string claim, value;
  std::optional<cel::Program> expression;
  std::string message;
};

Result<std::vector<Rule>> rules_of(const Value& list, const std::string& variable,
                                   const std::string& place) {
  std::vector<Rule> out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    Rule rule{list[i]["claim"].str(), list[i]["requiredValue"].str(), {}, list[i]["message"].str()};
    const std::string text = list[i]["expression"].str();
    const std::string at = place + "[" + std::to_string(i) + "]";
    if (text.empty() == rule.claim.empty()) return bad(at, "claim or expression is required");
    if (!text.empty()) {
      TRY(rule.expression, compiled(text, variable, at + ".expression"));
    }
    out.push_back(std::move(rule));
  }
  return out;
}

}  // namespace

struct OidcIssuer::Keys {
  std::vector<Jwk> list;
};

struct OidcIssuer::Rules {
  Mapping username, groups, uid;
  std::vector<std::pair<std::string, cel::Program>> extra;
  std::vector<Rule> claims, users;
};

OidcIssuer::OidcIssuer() : rules_(std::make_unique<Rules>()), keys_(std::make_unique<Keys>()) {}
OidcIssuer::~OidcIssuer() = default;

Result<std::shared_ptr<OidcIssuer>> OidcIssuer::make(const Value& jwt, const std::string& place) {
  std::shared_ptr<OidcIssuer> out(new OidcIssuer());
  const Value& issuer = jwt["issuer"];
  out->url_ = issuer["url"].str();
  if (!out->url_.starts_with("https://"))
    return bad(place + ".issuer.url",
               "Invalid value: " + quote(out->url_) + ": URL scheme must be https");
  out->discovery_url_ = issuer["discoveryURL"].str();
  out->authority_pem_ = issuer["certificateAuthority"].str();
  out->audiences_ = texts_of(issuer["audiences"]);
  if (out->audiences_.empty())
    return bad(place + ".issuer.audiences", "Required value: at least one audience is required");
  const std::string mappings = place + ".claimMappings.";
  const Value& given = jwt["claimMappings"];
  TRY(out->rules_->username, mapping_of(given["username"], mappings + "username"));
  TRY(out->rules_->groups, mapping_of(given["groups"], mappings + "groups"));
  TRY(out->rules_->uid, mapping_of(given["uid"], mappings + "uid"));
  if (!out->rules_->username.given())
    return bad(mappings + "username", "Required value: claim or expression is required");
  for (std::size_t i = 0; i < given["extra"].size(); ++i) {
    const std::string at = mappings + "extra[" + std::to_string(i) + "].valueExpression";
    TRY(cel::Program program, compiled(given["extra"][i]["valueExpression"].str(), "claims", at));
    out->rules_->extra.emplace_back(given["extra"][i]["key"].str(), std::move(program));
  }
  TRY(out->rules_->claims,
      rules_of(jwt["claimValidationRules"], "claims", place + ".claimValidationRules"));
  TRY(out->rules_->users,
      rules_of(jwt["userValidationRules"], "user", place + ".userValidationRules"));
  return out;
}

std::string OidcIssuer::discovery_url() const {
  if (!discovery_url_.empty()) return discovery_url_;
  std::string url = url_;
  while (url.ends_with('/')) url.pop_back();
  return url + "/.well-known/openid-configuration";
}

Result<void> OidcIssuer::set_keys(const Value& key_set) {
  std::vector<Jwk> list;
  for (const Value& one : key_set["keys"].elements())
    if (auto key = Jwk::parse(one)) list.push_back(std::move(*key));
  if (list.empty()) return Error{Reason::bad_request, "the key set of " + url_ + " has no key"};
  keys_->list = std::move(list);
  return {};
}

std::optional<Result<Identity>> OidcIssuer::read(std::string_view token, Instant now) const {
  const std::size_t first = token.find('.'), last = token.rfind('.');
  if (first == std::string_view::npos || last == first) return std::nullopt;
  const auto head_text = from_base64url(token.substr(0, first));
  const auto claims_text = from_base64url(token.substr(first + 1, last - first - 1));
  const auto signature = from_base64url(token.substr(last + 1));
  if (!head_text || !claims_text || !signature) return std::nullopt;
  const auto head = codec::parse_json(*head_text);
  const auto claims = codec::parse_json(*claims_text);
  if (!head.ok() || !claims.ok() || (*claims)["iss"].as_string() != url_) return std::nullopt;
  const std::string_view id = (*head)["kid"].as_string(), method = (*head)["alg"].as_string();
  const bool known = std::any_of(keys_->list.begin(), keys_->list.end(), [&](const Jwk& key) {
    return (id.empty() || key.id().empty() || key.id() == id) &&
           key.verifies(method, token.substr(0, last), *signature);
  });
  if (!known) return Result<Identity>(refused("verify token: failed to verify signature"));
  if (auto checked = check(*claims, now); !checked.ok()) return Result<Identity>(checked.error());
  return identity_of(*claims);
}

Result<void> OidcIssuer::check(const Value& claims, Instant now) const {
  const std::int64_t seconds = now.unix_seconds();
  constexpr std::int64_t kLeeway = 300;  // for nbf, as the original's library
  const std::vector<std::string> given = texts_of(claims["aud"]);
  if (std::none_of(given.begin(), given.end(), [&](const std::string& one) {
        return std::find(audiences_.begin(), audiences_.end(), one) != audiences_.end();
      }))
    return refused("verify token: expected audience in [" + join(audiences_, " ") + "] got [" +
                   join(given, " ") + "]");
  if (!claims["exp"].is_number() || claims["exp"].as_int() <= seconds)
    return refused("verify token: token is expired");
  if (claims["nbf"].is_number() && claims["nbf"].as_int() > seconds + kLeeway)
    return refused("verify token: current time before the nbf (not before) time");
  for (const Rule& rule : rules_->claims) {
    if (!rule.expression) {
      if (!claims.has(rule.claim))
        return refused("required claim " + rule.claim + " not present in ID token");
      if (claims[rule.claim].as_string() != rule.value)
        return refused("required claim " + rule.claim + " value does not match. Got = " +
                       claims[rule.claim].str() + ", want = " + rule.value);
      continue;
    }
    TRY(const Value holds, evaluated(*rule.expression, claims));
    if (!holds.as_bool())
      return refused(rule.message.empty() ? "a claim validation rule failed" : rule.message);
  }
  return {};
}

Result<Identity> OidcIssuer::identity_of(const Value& claims) const {
  const Rules& rules = *rules_;
  Identity identity;
  TRY(const Value name, rules.username.of(claims));
  if (!name.is_string() || name.as_string().empty())
    return refused("parse username claims " + quote(rules.username.claim) + ": claim not present");
  // An address that the provider has not verified is nobody's.
  if (rules.username.claim == "email" && claims.has("email_verified") &&
      !claims["email_verified"].as_bool())
    return refused("email not verified");
  identity.user = rules.username.prefix + name.str();
  if (rules.groups.given()) {
    TRY(const Value groups, rules.groups.of(claims));
    for (const std::string& group : texts_of(groups))
      identity.groups.push_back(rules.groups.prefix + group);
  }
  if (rules.uid.given()) {
    TRY(const Value uid, rules.uid.of(claims));
    identity.uid = uid.str();
  }
  for (const auto& [key, program] : rules.extra) {
    TRY(const Value values, evaluated(program, claims));
    if (auto list = texts_of(values); !list.empty()) identity.extra[key] = std::move(list);
  }
  const Value user = user_info(identity);
  for (const Rule& rule : rules.users) {
    if (!rule.expression) continue;
    TRY(const Value holds, evaluated(*rule.expression, user));
    if (!holds.as_bool())
      return refused(rule.message.empty() ? "a user validation rule failed" : rule.message);
  }
  return identity;
}

Result<AuthenticationConfig> parse_authentication(std::string_view text) {
  TRY(const codec::YamlDocument document, codec::parse_yaml(text));
  const Value& given = document.value;
  if (model::kind_of(given) != "AuthenticationConfiguration" ||
      !model::api_version_of(given).starts_with("apiserver.config.k8s.io/"))
    return bad("kind", "AuthenticationConfiguration of apiserver.config.k8s.io is expected");
  AuthenticationConfig out;
  for (std::size_t i = 0; i < given["jwt"].size(); ++i) {
    const std::string place = "jwt[" + std::to_string(i) + "]";
    TRY(std::shared_ptr<OidcIssuer> issuer, OidcIssuer::make(given["jwt"][i], place));
    for (const auto& other : out.issuers)
      if (other->url() == issuer->url())
        return bad(place + ".issuer.url", "Duplicate value: " + quote(issuer->url()));
    out.issuers.push_back(std::move(issuer));
  }
  if (given.has("anonymous")) {
    out.anonymous = given["anonymous"]["enabled"].as_bool();
    for (const Value& one : given["anonymous"]["conditions"].elements())
      out.anonymous_paths.insert(one["path"].str());
  }
  return out;
}

}  // namespace keelson::api
