// Tokens of other issuers: JWTs of OIDC providers, checked against their published keys and mapped
// to users as an AuthenticationConfiguration says, claims, prefixes and CEL expressions alike.
// Source: Kubernetes' apiserver/plugin/pkg/authenticator/token/oidc and apis/apiserver/v1.
//
// Fetches nothing: whoever holds the issuer brings its keys and renews them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/access/authentication.h"
#include "api/access/jwk.h"

namespace keelson::api {

class OidcIssuer final : public TokenReader {
 public:
  // One entry of AuthenticationConfiguration.jwt. Error: bad_request, naming the field.
  // `algorithms`: those that signatures may use; empty: all that are known.
  static Result<std::shared_ptr<OidcIssuer>> make(const Value& jwt, const std::string& place,
                                                  std::vector<std::string> algorithms = {});
  ~OidcIssuer() override;

  const std::string& url() const { return url_; }
  // Where the provider says where its keys are.
  std::string discovery_url() const;
  const std::string& authority_pem() const { return authority_pem_; }  // empty: the system's
  // A JSON Web Key Set (RFC 7517). Keys of unknown kinds are left out. Error: bad_request if none
  // is left.
  Result<void> set_keys(const Value& key_set);

  // How the keys are fetched anew; `done` is called once that has worked or failed.
  void fetch_by(std::function<void(std::function<void()> done)> fetch) {
    fetch_ = std::move(fetch);
  }

  std::optional<Result<Identity>> read(std::string_view token, Instant now) const override;
  bool renew(std::string_view token, std::function<void()> done) const override;

 private:
  struct Keys;
  struct Rules;
  OidcIssuer();
  std::optional<SignedToken> parse(std::string_view token) const;
  bool is_signed(const SignedToken& token) const;
  Result<void> check(const Value& claims, Instant now) const;
  Result<Identity> identity_of(const Value& claims) const;

  std::string url_, discovery_url_, authority_pem_;
  std::vector<std::string> audiences_, algorithms_;
  std::function<void(std::function<void()>)> fetch_;
  std::unique_ptr<Rules> rules_;
  std::unique_ptr<Keys> keys_;
};

// A whole AuthenticationConfiguration (apiserver.config.k8s.io) in YAML or JSON: issuers, and what
// anonymous requests may do.
struct AuthenticationConfig {
  std::vector<std::shared_ptr<OidcIssuer>> issuers;
  bool anonymous = true;
  std::set<std::string, std::less<>> anonymous_paths = {};
};
// `own_issuer`: of service accounts; nobody else may issue in its name. Error: bad_request, naming
// the field.
Result<AuthenticationConfig> parse_authentication(std::string_view text,
                                                  const std::string& own_issuer = {});

}  // namespace keelson::api
