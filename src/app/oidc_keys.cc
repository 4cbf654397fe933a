#include "app/oidc_keys.h"

#include <cstdio>

#include "app/client.h"

namespace keelson::app {
namespace {

constexpr Duration kRenewal = Duration::minutes(5), kRetry = Duration::seconds(10);

// A GET of a JSON document at an absolute address.
Result<codec::Value> fetch(const std::string& url, const std::string& authority) {
  const std::size_t path = url.find('/', url.find("://") + 3);
  Client client({.server = url.substr(0, path), .ca_pem = authority});
  return client.get(path == std::string::npos ? "/" : url.substr(path));
}

Result<codec::Value> fetch_keys(const std::string& discovery, const std::string& issuer,
                                const std::string& authority) {
  TRY(const codec::Value document, fetch(discovery, authority));
  if (document["issuer"].as_string() != issuer)
    return Error{Reason::bad_request,
                 "its discovery document names the issuer \"" + document["issuer"].str() + "\""};
  return fetch(document["jwks_uri"].str(), authority);
}

class Follower : public std::enable_shared_from_this<Follower> {
 public:
  Follower(host::Loop& loop, std::shared_ptr<api::OidcIssuer> issuer)
      : loop_(loop), issuer_(std::move(issuer)) {}

  void begin() {
    auto keys = std::make_shared<Result<codec::Value>>(codec::Value());
    loop_.offload(
        [keys, discovery = issuer_->discovery_url(), issuer = issuer_->url(),
         authority = issuer_->authority_pem()] {
          *keys = fetch_keys(discovery, issuer, authority);
        },
        [weak = weak_from_this(), keys] {
          if (const auto self = weak.lock()) self->take(*keys);
        });
  }

 private:
  void take(const Result<codec::Value>& keys) {
    Result<void> taken = keys.ok() ? issuer_->set_keys(*keys) : Result<void>(keys.error());
    if (!taken.ok())
      std::fprintf(stderr, "no keys from %s: %s\n", issuer_->url().c_str(),
                   taken.error().message.c_str());
    timer_ =
        loop_.call_at(loop_.now() + (taken.ok() ? kRenewal : kRetry), [weak = weak_from_this()] {
          if (const auto self = weak.lock()) self->begin();
        });
  }

  host::Loop& loop_;
  std::shared_ptr<api::OidcIssuer> issuer_;
  std::shared_ptr<void> timer_;
};

}  // namespace

std::shared_ptr<void> follow_oidc_keys(host::Loop& loop,
                                       std::vector<std::shared_ptr<api::OidcIssuer>> issuers) {
  auto all = std::make_shared<std::vector<std::shared_ptr<Follower>>>();
  for (std::shared_ptr<api::OidcIssuer>& issuer : issuers) {
    all->push_back(std::make_shared<Follower>(loop, std::move(issuer)));
    all->back()->begin();
  }
  return all;
}

}  // namespace keelson::app
