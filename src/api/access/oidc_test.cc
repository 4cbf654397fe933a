// A provider's tokens: good ones, and each way in which one can be bad.
#include "api/access/oidc.h"

#include <gtest/gtest.h>

#include "api/access/pki.h"
#include "api/access/tokens.h"
#include "base/text.h"
#include "host/virtual_files.h"

namespace keelson::api {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;

class OidcTest : public testing::Test {
 protected:
  OidcTest() {
    host::VirtualFiles files;
    const Pki pki =
        open_pki(files, {.directory = "/pki", .dns_names = {}, .addresses = {}}, now()).value();
    signer = TokenSigner::make(pki.token_key_pem, "https://idp.example.com").value();
  }
  static Instant now() { return Instant::unix_seconds(kNow); }
  std::shared_ptr<OidcIssuer> issuer(const std::string& more) {
    auto config = parse_authentication(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n"
        "- issuer: {url: https://idp.example.com, audiences: [kube]}\n" +
        more);
    EXPECT_TRUE(config.ok()) << config.error().message;
    auto one = config->issuers.at(0);
    EXPECT_TRUE(one->set_keys(signer->key_set()).ok());
    return one;
  }
  static Value claims() {
    return Value::object({{"iss", "https://idp.example.com"},
                          {"aud", "kube"},
                          {"sub", "jane"},
                          {"groups", Value::array({"dev", "ops"})},
                          {"exp", kNow + 60}});
  }
  std::string said(const OidcIssuer& by, const Value& of) {
    const auto read = by.read(signer->sign(of), now());
    if (!read) return "not mine";
    if (!read->ok()) return read->error().message;
    return (*read)->user + " [" + join((*read)->groups, " ") + "]";
  }
  std::unique_ptr<TokenSigner> signer;
};

TEST_F(OidcTest, ClaimsBecomeUsers) {
  const auto by = issuer(
      "  claimMappings: {username: {claim: sub, prefix: 'idp:'}, groups: {claim: groups, prefix: "
      "'g:'}}\n");
  EXPECT_EQ(said(*by, claims()), "idp:jane [g:dev g:ops]");
  Value other = claims();
  other.set("aud", "else");
  EXPECT_EQ(said(*by, other), "oidc: verify token: expected audience in [kube] got [else]");
  other = claims();
  other.set("exp", kNow - 1);
  EXPECT_EQ(said(*by, other), "oidc: verify token: token is expired");
  other = claims();
  other.set("iss", "https://other.example.com");
  EXPECT_EQ(said(*by, other), "not mine");
  std::string forged = signer->sign(claims());
  forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
  EXPECT_EQ(by->read(forged, now())->error().message,
            "oidc: verify token: failed to verify signature");
}

TEST_F(OidcTest, Expressions) {
  const auto by = issuer(
      "  claimValidationRules:\n  - {expression: \"claims.sub != 'eve'\", message: no eve}\n"
      "  claimMappings:\n    username: {expression: \"'x:' + claims.sub\"}\n"
      "    groups: {expression: \"claims.groups.filter(g, g != 'ops')\"}\n"
      "  userValidationRules:\n  - {expression: \"!user.username.startsWith('x:system')\", "
      "message: reserved}\n");
  EXPECT_EQ(said(*by, claims()), "x:jane [dev]");
  Value other = claims();
  other.set("sub", "eve");
  EXPECT_EQ(said(*by, other), "oidc: no eve");
  other.set("sub", "system:x");
  EXPECT_EQ(said(*by, other), "oidc: reserved");
}

TEST_F(OidcTest, AsksForKeysWhenATokenHasAnUnknownOne) {
  const auto by = issuer("  claimMappings: {username: {claim: sub, prefix: ''}}\n");
  int asked = 0;
  const std::string good = signer->sign(claims());
  EXPECT_FALSE(by->renew(good, [] {}));  // nobody to ask
  by->fetch_by([&](const std::function<void()>& done) {
    ++asked;
    done();
  });
  EXPECT_FALSE(by->renew(good, [] {}));
  host::VirtualFiles files;
  const Pki other =
      open_pki(files, {.directory = "/other", .dns_names = {}, .addresses = {}}, now()).value();
  const auto stranger = TokenSigner::make(other.token_key_pem, "https://idp.example.com").value();
  const std::string unknown = stranger->sign(claims());
  EXPECT_FALSE(by->read(unknown, now())->ok());
  int told = 0;
  EXPECT_TRUE(by->renew(unknown, [&] { ++told; }));
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(told, 1);
  EXPECT_FALSE(by->renew("no.token", [] {}));
  ASSERT_TRUE(by->set_keys(stranger->key_set()).ok());
  EXPECT_EQ((*by->read(unknown, now()))->user, "jane");
}

TEST_F(OidcTest, SaysWhatIsWrongInAConfiguration) {
  const auto config = parse_authentication(
      "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n"
      "- issuer: {url: http://idp.example.com, audiences: [kube]}\n");
  EXPECT_EQ(config.error().message,
            "jwt[0].issuer.url: Invalid value: \"http://idp.example.com\": URL scheme must be "
            "https");
}

}  // namespace
}  // namespace keelson::api
