// AccessControl: everything that decides who asks and what they may do, as one object that the
// registry and the HTTP server share: authentication, authorization, and the kinds of the API that
// are questions about both (reviews, token requests).
//
//   api::AccessControl access(signer, now, rng, {});
//   registry::Registry registry(store, access.environment());
//   access.attach(registry);   // after registry.start()
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "api/access/authentication.h"
#include "api/access/authorizer.h"
#include "api/access/tokens.h"
#include "base/prng.h"
#include "base/time.h"
#include "registry/registry.h"

namespace keelson::api {

class AccessControl {
 public:
  AccessControl(std::shared_ptr<const TokenSigner> signer, std::function<Instant()> now, Prng& rng,
                AuthenticationOptions options);
  ~AccessControl();
  AccessControl(const AccessControl&) = delete;
  AccessControl& operator=(const AccessControl&) = delete;

  // What the registry needs of us; refers to this object.
  registry::Environment environment();
  // From now on roles, accounts and secrets are read from it, and changes of roles are followed.
  void attach(registry::Registry& registry);

  Result<Identity> identify(const HttpRequest& request) const {
    return authenticator_.authenticate(request);
  }
  // After a refusal: true if the request is worth another try once `done` is called.
  bool renew(const HttpRequest& request, std::function<void()> done) const {
    return authenticator_.renew(request, std::move(done));
  }
  Result<Identity> impersonate(const HttpRequest& request, const Identity& asker,
                               const Access& access) const {
    return authenticator_.impersonate(request, asker, access, authorizer_);
  }
  Verdict authorize(const Identity& identity, const Access& access) const {
    return authorizer_.authorize(identity, access);
  }
  const TokenSigner& signer() const { return *signer_; }

  // The object of a review or TokenRequest with its answer.
  Result<Value> compute(const registry::Request& request, const Value& object);

 private:
  ObjectSource source();
  Result<Value> subject_access_review(const registry::Request& request, Value object);
  Result<Value> rules_review(const registry::Request& request, Value object);
  Result<Value> token_review(Value object);
  Result<Value> token_request(const registry::Request& request, Value object);
  Result<void> check_token_request(const registry::Request& request, const Value& account,
                                   const Value& object) const;
  Result<void> bind_token(const registry::Request& request, const Value& reference,
                          Value& own) const;

  std::shared_ptr<const TokenSigner> signer_;
  std::function<Instant()> now_;
  Prng& rng_;
  registry::Registry* registry_ = nullptr;
  Authorizer authorizer_;
  Authenticator authenticator_;
  std::vector<std::unique_ptr<registry::Watcher>> role_watchers_;
};

}  // namespace keelson::api
