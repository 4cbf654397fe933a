#include "api/access/oidc.h"

#include <algorithm>
#include <cctype>
#include <initializer_list>

#include "api/access/jwk.h"
#include "api/access/known_fields.h"
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

bool allows(const std::vector<std::string>& algorithms, std::string_view one) {
  return algorithms.empty() ||
         std::find(algorithms.begin(), algorithms.end(), one) != algorithms.end();
}

Result<void> check_url(const std::string& url, const std::string& place) {
  const auto invalid = [&](const std::string& why) {
    return bad(place, "Invalid value: " + quote(url) + ": " + why);
  };
  if (url.empty()) return bad(place, "Required value");
  if (!url.starts_with("https://")) return invalid("URL scheme must be https");
  const std::string_view rest = std::string_view(url).substr(8);
  if (rest.substr(0, rest.find('/')).find('@') != std::string_view::npos)
    return invalid("URL must not contain a username or password");
  if (url.find('?') != std::string::npos) return invalid("URL must not contain a query");
  if (url.find('#') != std::string::npos) return invalid("URL must not contain a fragment");
  return {};
}

// Whether an expression reads claims.NAME, also as claims.?NAME or claims["NAME"].
bool reads_claim(const std::string& text, const std::string& name) {
  for (const std::string& form : {"claims." + name, "claims.?" + name, "claims[\"" + name + "\"]"})
    for (std::size_t at = text.find(form); at != std::string::npos; at = text.find(form, at + 1)) {
      const std::size_t end = at + form.size();
      const bool goes_on =
          form.back() != ']' && end < text.size() &&
          (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_');
      if (!goes_on) return true;
    }
  return false;
}

// "claim" with a prefix, or an expression.
struct Mapping {
  std::string claim, prefix;
  std::optional<cel::Program> expression;
  std::string text = {};  // of the expression
  bool given() const { return !claim.empty() || expression.has_value(); }

  Result<Value> of(const Value& claims) const {
    if (expression) return evaluated(*expression, claims);
    return claims[claim];
  }
};

Result<Mapping> mapping_of(const Value& given, const std::string& place, bool prefixed) {
  Mapping out;
  TRY_VOID(prefixed ? check_fields(given, place, {"claim", "prefix", "expression"})
                    : check_fields(given, place, {"claim", "expression"}));
  out.claim = given["claim"].str();
  out.prefix = given["prefix"].str();
  const std::string text = given["expression"].str();
  if (!text.empty() && !out.claim.empty())
    return bad(place, "claim and expression can't both be set");
  if (prefixed && !out.claim.empty() && !given.has("prefix"))
    return bad(place + ".prefix",
               "Required value: prefix is required when claim is set. It can be set to an empty "
               "string to disable prefixing");
  if (!text.empty() && given.has("prefix"))
    return bad(place + ".prefix", "may not be specified when expression is set");
  out.text = text;
  if (!text.empty()) {
    TRY(out.expression, compiled(text, "claims", place + ".expression"));
  }
  return out;
}

struct Rule {
  std::string claim, value;
  std::optional<cel::Program> expression;
  std::string message;
  std::string text = {};  // of the expression
};

Result<std::vector<Rule>> rules_of(const Value& list, const std::string& variable,
                                   const std::string& place) {
  std::vector<Rule> out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    Rule rule{list[i]["claim"].str(), list[i]["requiredValue"].str(), {}, list[i]["message"].str()};
    const std::string text = list[i]["expression"].str();
    const std::string at = place + "[" + std::to_string(i) + "]";
    TRY_VOID(check_fields(list[i], at,
                          variable == "user"
                              ? std::initializer_list<std::string_view>{"expression", "message"}
                              : std::initializer_list<std::string_view>{"claim", "requiredValue",
                                                                        "expression", "message"}));
    if (!text.empty() && !rule.claim.empty())
      return bad(at, "claim and expression can't both be set");
    if (text.empty() && rule.claim.empty())
      return bad(at, "Required value: claim or expression is required");
    if (!rule.claim.empty() && !rule.message.empty())
      return bad(at + ".message", "may not be specified when claim is set");
    if (!text.empty() && !rule.value.empty())
      return bad(at + ".requiredValue", "may not be specified when expression is set");
    rule.text = text;
    for (const Rule& other : out)
      if (other.claim == rule.claim && other.text == text)
        return bad(at + (text.empty() ? ".claim" : ".expression"),
                   "Duplicate value: " + quote(text.empty() ? rule.claim : text));
    if (!text.empty()) {
      TRY(rule.expression, compiled(text, variable, at + ".expression"));
    }
    out.push_back(std::move(rule));
  }
  return out;
}

}  // namespace

namespace {

Result<void> check_issuer(const Value& issuer, const std::string& place) {
  TRY_VOID(check_fields(issuer, place,
                        {"url", "discoveryURL", "certificateAuthority", "audiences",
                         "audienceMatchPolicy", "egressSelectorType"}));
  const std::string url = issuer["url"].str(), discovery = issuer["discoveryURL"].str();
  TRY_VOID(check_url(url, place + ".url"));
  if (!discovery.empty()) {
    TRY_VOID(check_url(discovery, place + ".discoveryURL"));
    if (discovery == url || discovery + "/" == url || discovery == url + "/")
      return bad(place + ".discoveryURL", "Invalid value: " + quote(discovery) +
                                              ": discoveryURL must be different from URL");
  }
  if (!issuer["egressSelectorType"].as_string().empty())
    return bad(place + ".egressSelectorType", "there are no egress selectors here");
  const Value& audiences = issuer["audiences"];
  if (audiences.empty())
    return bad(place + ".audiences",
               "Required value: at least one " + place + ".audiences is required");
  for (std::size_t i = 0; i < audiences.size(); ++i) {
    const std::string at = place + ".audiences[" + std::to_string(i) + "]";
    if (audiences[i].as_string().empty()) return bad(at, "Required value");
    for (std::size_t j = 0; j < i; ++j)
      if (audiences[j] == audiences[i])
        return bad(at, "Duplicate value: " + quote(audiences[i].as_string()));
  }
  const std::string policy = issuer["audienceMatchPolicy"].str();
  if (policy != "MatchAny" && (audiences.size() > 1 || !policy.empty()))
    return bad(place + ".audienceMatchPolicy",
               "Invalid value: " + quote(policy) +
                   (audiences.size() > 1
                        ? ": audienceMatchPolicy must be MatchAny for multiple audiences"
                        : ": audienceMatchPolicy must be empty or MatchAny for single audience"));
  return {};
}

Result<void> check_extra_key(const std::string& key, const std::string& place) {
  const std::size_t slash = key.find('/');
  const auto invalid = [&](const std::string& why) {
    return bad(place, "Invalid value: " + quote(key) + ": " + why);
  };
  if (slash == std::string::npos || slash == 0 || slash + 1 == key.size())
    return invalid("must be a domain-prefixed path (such as \"acme.io/foo\")");
  if (key != to_lower(key)) return invalid("must be lowercase");
  const std::string domain = "." + key.substr(0, slash);
  if (domain.ends_with(".k8s.io") || domain.ends_with(".kubernetes.io"))
    return invalid("k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use");
  return {};
}

}  // namespace

struct OidcIssuer::Keys {
  std::vector<Jwk> list;
};

struct OidcIssuer::Rules {
  Mapping username, groups, uid;
  std::vector<std::pair<std::string, cel::Program>> extra;
  std::vector<Rule> claims, users;

  Result<void> read_mappings(const Value& given, const std::string& place) {
    TRY_VOID(check_fields(given, place, {"username", "groups", "uid", "extra"}));
    TRY(username, mapping_of(given["username"], place + ".username", true));
    TRY(groups, mapping_of(given["groups"], place + ".groups", true));
    TRY(uid, mapping_of(given["uid"], place + ".uid", false));
    if (!username.given())
      return bad(place + ".username", "Required value: claim or expression is required");
    for (std::size_t i = 0; i < given["extra"].size(); ++i) {
      const std::string at = place + ".extra[" + std::to_string(i) + "]";
      const std::string key = given["extra"][i]["key"].str();
      const std::string text = given["extra"][i]["valueExpression"].str();
      TRY_VOID(check_fields(given["extra"][i], at, {"key", "valueExpression"}));
      TRY_VOID(check_extra_key(key, at + ".key"));
      for (const auto& [other, program] : extra)
        if (other == key) return bad(at + ".key", "Duplicate value: " + quote(key));
      if (text.empty()) return bad(at + ".valueExpression", "Required value");
      TRY(cel::Program program, compiled(text, "claims", at + ".valueExpression"));
      extra.emplace_back(key, std::move(program));
    }
    return {};
  }
  // An address by which somebody is known must have been verified.
  bool verifies_email(const Value& given) const {
    if (!reads_claim(username.text, "email")) return true;
    bool verified = reads_claim(username.text, "email_verified");
    for (const Value& one : given["extra"].elements())
      verified = verified || reads_claim(one["valueExpression"].str(), "email_verified");
    for (const Rule& rule : claims) verified = verified || reads_claim(rule.text, "email_verified");
    return verified;
  }
};

OidcIssuer::OidcIssuer() : rules_(std::make_unique<Rules>()), keys_(std::make_unique<Keys>()) {}
OidcIssuer::~OidcIssuer() = default;

Result<std::shared_ptr<OidcIssuer>> OidcIssuer::make(const Value& jwt, const std::string& place,
                                                     std::vector<std::string> algorithms) {
  std::shared_ptr<OidcIssuer> out(new OidcIssuer());
  out->algorithms_ = std::move(algorithms);
  TRY_VOID(check_fields(
      jwt, place, {"issuer", "claimValidationRules", "claimMappings", "userValidationRules"}));
  const Value& issuer = jwt["issuer"];
  TRY_VOID(check_issuer(issuer, place + ".issuer"));
  out->url_ = issuer["url"].str();
  out->discovery_url_ = issuer["discoveryURL"].str();
  out->authority_pem_ = issuer["certificateAuthority"].str();
  out->audiences_ = texts_of(issuer["audiences"]);
  const Value& given = jwt["claimMappings"];
  TRY_VOID(out->rules_->read_mappings(given, place + ".claimMappings"));
  TRY(out->rules_->claims,
      rules_of(jwt["claimValidationRules"], "claims", place + ".claimValidationRules"));
  TRY(out->rules_->users,
      rules_of(jwt["userValidationRules"], "user", place + ".userValidationRules"));
  if (!out->rules_->verifies_email(given))
    return bad(place + ".claimMappings.username.expression",
               "claims.email_verified must be used in claimMappings.username.expression or "
               "claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when "
               "claims.email is used in claimMappings.username.expression");
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

std::optional<SignedToken> OidcIssuer::parse(std::string_view token) const {
  auto parsed = SignedToken::parse(token);
  if (parsed && parsed->claims["iss"].as_string() != url_) return std::nullopt;
  return parsed;
}

bool OidcIssuer::is_signed(const SignedToken& token) const {
  const std::string_view id = token.head["kid"].as_string();
  return std::any_of(keys_->list.begin(), keys_->list.end(), [&](const Jwk& key) {
    return (id.empty() || key.id() == id) &&
           key.verifies(token.head["alg"].as_string(), token.text, token.signature);
  });
}

bool OidcIssuer::renew(std::string_view token, std::function<void()> done) const {
  if (!fetch_) return false;
  const auto parsed = parse(token);
  if (!parsed || !allows(algorithms_, parsed->head["alg"].as_string()) || is_signed(*parsed))
    return false;
  fetch_(std::move(done));
  return true;
}

std::optional<Result<Identity>> OidcIssuer::read(std::string_view token, Instant now) const {
  const auto parsed = parse(token);
  if (!parsed) return std::nullopt;
  const std::string method = parsed->head["alg"].str();
  if (!allows(algorithms_, method))
    return Result<Identity>(
        refused("verify token: id token signed with unsupported algorithm, "
                "expected [" +
                join(algorithms_, " ") + "] got " + quote(method)));
  if (keys_->list.empty()) return Result<Identity>(refused("authenticator not initialized"));
  if (!is_signed(*parsed))
    return Result<Identity>(refused("verify token: failed to verify signature"));
  if (auto checked = check(parsed->claims, now); !checked.ok())
    return Result<Identity>(checked.error());
  return identity_of(parsed->claims);
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
    const auto& list = groups.elements();
    if (!groups.is_null() && !groups.is_string() &&
        (!groups.is_array() ||
         !std::all_of(list.begin(), list.end(), [](const Value& one) { return one.is_string(); })))
      return refused("parse groups claim " + quote(rules.groups.claim) +
                     ": neither a string nor a list of strings");
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

Result<AuthenticationConfig> parse_authentication(std::string_view text,
                                                  const std::string& own_issuer) {
  TRY(const codec::YamlDocument document, codec::parse_yaml(text));
  const Value& given = document.value;
  if (model::kind_of(given) != "AuthenticationConfiguration" ||
      !model::api_version_of(given).starts_with("apiserver.config.k8s.io/"))
    return bad("kind", "AuthenticationConfiguration of apiserver.config.k8s.io is expected");
  TRY_VOID(check_fields(given, "", {"apiVersion", "kind", "jwt", "anonymous"}));
  constexpr std::size_t kIssuersMax = 64;
  if (given["jwt"].size() > kIssuersMax)
    return bad("jwt",
               "Too many: " + std::to_string(given["jwt"].size()) + ": must have at most 64 items");
  AuthenticationConfig out;
  for (std::size_t i = 0; i < given["jwt"].size(); ++i) {
    const std::string place = "jwt[" + std::to_string(i) + "]";
    TRY(std::shared_ptr<OidcIssuer> issuer, OidcIssuer::make(given["jwt"][i], place));
    if (issuer->url() == own_issuer)
      return bad(place + ".issuer.url", "Invalid value: " + quote(issuer->url()) +
                                            ": URL must not overlap with disallowed issuers: [" +
                                            own_issuer + "]");
    for (const auto& other : out.issuers)
      if (other->url() == issuer->url())
        return bad(place + ".issuer.url", "Duplicate value: " + quote(issuer->url()));
    out.issuers.push_back(std::move(issuer));
  }
  if (given.has("anonymous")) {
    out.anonymous = given["anonymous"]["enabled"].as_bool();
    if (!out.anonymous && !given["anonymous"]["conditions"].empty())
      return bad("anonymous.conditions",
                 "enabled should be set to true when conditions are defined");
    for (const Value& one : given["anonymous"]["conditions"].elements())
      out.anonymous_paths.insert(one["path"].str());
  }
  return out;
}

}  // namespace keelson::api
