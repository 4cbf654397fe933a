// Each provider reads what it wrote and nothing that was changed; keys can be exchanged; secretbox
// against NaCl's own vector.
#include "api/encryption_at_rest.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "host/salsa20.h"

namespace keelson::api {
namespace {

std::string config(const std::string& providers) {
  return "kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\nresources:\n"
         "- resources: [secrets, configmaps]\n  providers:\n" +
         providers;
}

std::string keyed(const std::string& method, const std::string& name, char byte,
                  std::size_t size = 32) {
  return "  - " + method + ": {keys: [{name: " + name +
         ", secret: " + to_base64(std::string(size, byte)) + "}]}\n";
}

TEST(EncryptionAtRest, ProvidersReadWhatTheyWrote) {
  for (const std::string method : {"aescbc", "aesgcm", "secretbox"}) {
    const auto sealer = parse_encryption(config(keyed(method, "one", 'k'))).value();
    for (const std::string& text : {std::string(), std::string("x"), std::string(5000, 'y')}) {
      const std::string sealed = sealer->seal("secrets/a/b", text);
      EXPECT_TRUE(sealed.starts_with("k8s:enc:" + method + ":v1:one:"));
      EXPECT_EQ(sealed.find("yyyy"), std::string::npos);
      bool stale = false;
      EXPECT_EQ(sealer->unseal("secrets/a/b", sealed, stale).value(), text);
      EXPECT_FALSE(stale);
    }
    std::string changed = sealer->seal("secrets/a/b", "text");
    changed.back() = static_cast<char>(changed.back() ^ 1);
    bool stale = false;
    const auto read = sealer->unseal("secrets/a/b", changed, stale);
    EXPECT_EQ(read.ok() && *read == "text", false);
    EXPECT_FALSE(sealer->unseal("secrets/a/b", "plain", stale).ok());
    EXPECT_EQ(sealer->seal("pods/a/b", "text"), "text");
  }
}

TEST(EncryptionAtRest, ValuesCannotBeExchanged) {
  const auto sealer = parse_encryption(config(keyed("aesgcm", "one", 'k', 16))).value();
  bool stale = false;
  EXPECT_FALSE(sealer->unseal("secrets/a/c", sealer->seal("secrets/a/b", "text"), stale).ok());
}

TEST(EncryptionAtRest, KeysAreExchangedInSteps) {
  const auto before = parse_encryption(config("  - identity: {}\n")).value();
  const auto after =
      parse_encryption(config(keyed("aescbc", "new", 'n') + "  - identity: {}\n")).value();
  const auto later =
      parse_encryption(config(keyed("secretbox", "last", 'l') + keyed("aescbc", "new", 'n')))
          .value();
  bool stale = false;
  EXPECT_EQ(after->unseal("secrets/a/b", before->seal("secrets/a/b", "t"), stale).value(), "t");
  EXPECT_TRUE(stale);
  stale = false;
  EXPECT_EQ(later->unseal("secrets/a/b", after->seal("secrets/a/b", "t"), stale).value(), "t");
  EXPECT_TRUE(stale);
}

TEST(EncryptionAtRest, EachKeyOfOneNameIsTried) {
  const auto old = parse_encryption(config(keyed("aesgcm", "key1", 'o'))).value();
  const auto both =
      parse_encryption(config(keyed("aesgcm", "key1", 'n') + keyed("aesgcm", "key1", 'o'))).value();
  bool stale = false;
  EXPECT_EQ(both->unseal("secrets/a/b", old->seal("secrets/a/b", "t"), stale).value(), "t");
  EXPECT_TRUE(stale);
  const auto neither = parse_encryption(config(keyed("aesgcm", "key1", 'x'))).value();
  EXPECT_EQ(neither->unseal("secrets/a/b", old->seal("secrets/a/b", "t"), stale).error().message,
            "secrets/a/b cannot be read: its key does not fit, or it was changed");
}

TEST(EncryptionAtRest, TheConfigurationCanBeExchanged) {
  const auto first = parse_encryption(config(keyed("aescbc", "one", '1'))).value();
  const auto second =
      parse_encryption(config(keyed("secretbox", "two", '2') + keyed("aescbc", "one", '1')))
          .value();
  ReloadableSealer sealer(first);
  const std::string before = sealer.seal("secrets/a/b", "t");
  sealer.replace(second);
  bool stale = false;
  EXPECT_EQ(sealer.unseal("secrets/a/b", before, stale).value(), "t");
  EXPECT_TRUE(stale);
  EXPECT_TRUE(sealer.seal("secrets/a/b", "t").starts_with("k8s:enc:secretbox:v1:two:"));
}

TEST(EncryptionAtRest, SaysWhatIsWrong) {
  const auto message = [](const std::string& text) {
    const auto parsed = parse_encryption(text);
    return parsed.ok() ? std::string() : parsed.error().message;
  };
  EXPECT_EQ(message(config(keyed("aescbc", "a", 'k', 5))),
            "resources[0].providers[0].aescbc.keys[0].secret: secret is not of the expected "
            "length, got 5, expected one of [16 24 32]");
  EXPECT_EQ(message(config("  - kms: {apiVersion: v2, name: vault, endpoint: unix:///kms}\n")),
            "resources[0].providers[0]: a key management service (kms) is not supported; aescbc, "
            "aesgcm, secretbox and identity are");
  EXPECT_EQ(message(config("  - identity: {}\n    aescbc: {keys: []}\n")),
            "resources[0].providers[0]: more than one provider specified in a single element, "
            "should split into different list elements");
  EXPECT_EQ(message("kind: Pod\napiVersion: v1\n"),
            "kind: EncryptionConfiguration of apiserver.config.k8s.io/v1 is expected");
}

std::string bytes(std::string_view hex) {
  std::string out;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  return out;
}

// From "Cryptography in NaCl", section 10.
TEST(Secretbox, VectorOfNaCl) {
  const std::string key = bytes("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389");
  const std::string nonce = bytes("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
  const std::string message = bytes(
      "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c"
      "61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f"
      "21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705");
  const std::string box = host::secretbox_seal(key, nonce, message);
  EXPECT_EQ(to_hex(box.substr(0, 16)), "f3ffc7703f9400e52a7dfb4b3d3305d9");
  EXPECT_EQ(to_hex(box.substr(16, 16)), "8e993b9f48681273c29650ba32fc76ce");
  EXPECT_EQ(host::secretbox_open(key, nonce, box), message);
}

}  // namespace
}  // namespace keelson::api
