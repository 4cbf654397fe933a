// Who asks: client certificates, service-account tokens, bootstrap tokens, static tokens,
// anonymous; then impersonation. As kube-apiserver: a credential that is wrong is refused (401),
// none at all is anonymous.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/access/authorizer.h"
#include "api/access/tokens.h"
#include "api/http/http.h"
#include "base/time.h"

namespace keelson::api {

// A proxy in front of the server that says in headers whom it lets through; believed only with a
// certificate of its own authority (kube-apiserver's --requestheader-* options).
struct FrontProxyOptions {
  bool on = false;
  std::set<std::string, std::less<>> names = {};  // common names; empty: all
  std::vector<std::string> user_headers = {"x-remote-user"};
  std::vector<std::string> uid_headers = {"x-remote-uid"};
  std::vector<std::string> group_headers = {"x-remote-group"};
  std::vector<std::string> extra_prefixes = {"x-remote-extra-"};
};

// Another issuer of tokens, such as an OIDC provider.
class TokenReader {
 public:
  virtual ~TokenReader() = default;
  // nullopt: not a token of this issuer. Error: unauthorized, with the reason.
  virtual std::optional<Result<Identity>> read(std::string_view token, Instant now) const = 0;
  // Whether the token may be good after all, by a key that is not known yet: then `done` is called,
  // later, once the keys have been asked for.
  virtual bool renew(std::string_view token, std::function<void()> done) const {
    (void)token, (void)done;
    return false;
  }
};

struct AuthenticationOptions {
  std::map<std::string, Identity> static_tokens = {};  // groups as given; the usual ones are added
  bool anonymous = true;
  // Where anonymous requests may go ("/healthz"); empty: everywhere.
  std::set<std::string, std::less<>> anonymous_paths = {};
  FrontProxyOptions front_proxy = {};
  std::vector<std::shared_ptr<const TokenReader>> token_readers = {};
};

class Authenticator {
 public:
  Authenticator(ObjectSource source, std::shared_ptr<const TokenSigner> signer,
                std::function<Instant()> now, AuthenticationOptions options);

  // Error: unauthorized.
  Result<Identity> authenticate(const HttpRequest& request) const;
  // A request that was refused: true if it is worth another try once `done` is called.
  bool renew(const HttpRequest& request, std::function<void()> done) const;
  // What TokenReview wants to know of a token. An Error's message is its text.
  struct Reviewed {
    Identity identity;
    std::vector<std::string> audiences;
  };
  Result<Reviewed> review(std::string_view token, const std::vector<std::string>& audiences) const;

  // The identity that the request asks to act as; the asker's own if it asks for none. `access` is
  // what the request wants to do. Error: forbidden, or bad_request.
  Result<Identity> impersonate(const HttpRequest& request, const Identity& asker,
                               const Access& access, const Authorizer& authorizer) const;

 private:
  std::optional<Identity> by_front_proxy(const HttpRequest& request) const;
  std::optional<Identity> by_certificate(const ClientCertificate& certificate) const;
  Result<Identity> by_token(std::string_view token) const;
  std::optional<Identity> by_bootstrap_token(std::string_view token) const;
  Result<Identity> by_claims(const Value& claims) const;
  // Of a token that stands in a Secret; it is good as long as it stands there.
  Result<Identity> by_secret_claims(const Value& claims, std::string_view token) const;
  std::optional<Value> claims_of(std::string_view token) const;

  ObjectSource source_;
  std::shared_ptr<const TokenSigner> signer_;
  std::function<Instant()> now_;
  AuthenticationOptions options_;
  // Signatures that have been verified; checking one costs more than all the rest of a request.
  mutable std::map<std::string, Value, std::less<>> verified_;
  // Who has impersonated somebody with the plain verb: a later refusal names that verb to them, and
  // the newer constrained form to others, as in the original.
  mutable std::set<std::string, std::less<>> impersonators_;
};

// The user that Kubernetes gives a service account, without groups.
std::string account_user(std::string_view ns, std::string_view name);
// {"username", "uid", "groups", "extra"} as in reviews.
Value user_info(const Identity& identity);

}  // namespace keelson::api
