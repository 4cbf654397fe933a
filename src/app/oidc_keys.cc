#include "app/oidc_keys.h"

#include <cstdio>
#include <utility>

#include "app/client.h"

namespace keelson::app {
namespace {

constexpr Duration kRenewal = Duration::minutes(5), kRetry = Duration::seconds(10);
// Tokens by unknown keys make nobody ask an issuer more often than this.
constexpr Duration kFetchPause = Duration::seconds(1);
constexpr std::size_t kWaitersMax = 1000;

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

  // For a token by a key that is not known: asks the issuer, unless that has just been done.
  void fetch(std::function<void()> done) {
    if (!busy_ && loop_.now() - fetched_ < kFetchPause) return loop_.post(std::move(done));
    if (waiters_.size() >= kWaitersMax) return loop_.post(std::move(done));
    waiters_.push_back(std::move(done));
    begin();
  }

  void begin() {
    if (std::exchange(busy_, true)) return;
    timer_.reset();
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
    busy_ = false;
    fetched_ = loop_.now();
    Result<void> taken = keys.ok() ? issuer_->set_keys(*keys) : Result<void>(keys.error());
    if (!taken.ok())
      std::fprintf(stderr, "no keys from %s: %s\n", issuer_->url().c_str(),
                   taken.error().message.c_str());
    timer_ =
        loop_.call_at(loop_.now() + (taken.ok() ? kRenewal : kRetry), [weak = weak_from_this()] {
          if (const auto self = weak.lock()) self->begin();
        });
    for (const auto& done : std::exchange(waiters_, {})) done();
  }

  host::Loop& loop_;
  std::shared_ptr<api::OidcIssuer> issuer_;
  std::shared_ptr<void> timer_;
  bool busy_ = false;
  Instant fetched_ = Instant::unix_seconds(0);
  std::vector<std::function<void()>> waiters_;
};

}  // namespace

std::shared_ptr<void> follow_oidc_keys(host::Loop& loop,
                                       std::vector<std::shared_ptr<api::OidcIssuer>> issuers) {
  auto all = std::make_shared<std::vector<std::shared_ptr<Follower>>>();
  for (const std::shared_ptr<api::OidcIssuer>& issuer : issuers) {
    auto follower = std::make_shared<Follower>(loop, issuer);
    issuer->fetch_by([weak = std::weak_ptr<Follower>(follower)](std::function<void()> done) {
      if (const auto self = weak.lock()) self->fetch(std::move(done));
    });
    follower->begin();
    all->push_back(std::move(follower));
  }
  return all;
}

}  // namespace keelson::app
