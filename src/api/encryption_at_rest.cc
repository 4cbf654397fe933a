// Source of the forms: apiserver/pkg/storage/value/encrypt and apis/apiserver/v1.
#include "api/encryption_at_rest.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <string>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "codec/yaml.h"
#include "host/salsa20.h"
#include "model/meta.h"

namespace keelson::api {
namespace {

using codec::Value;

constexpr std::string_view kPrefix = "k8s:enc:";
constexpr std::size_t kBlock = 16, kGcmNonce = 12, kGcmTag = 16;

enum class Method : std::uint8_t { identity, aescbc, aesgcm, secretbox };

struct Provider {
  Method method = Method::identity;
  std::string prefix;  // with the key's name
  std::string key;
};

std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  KEELSON_CHECK(
      RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size)) == 1);
  return bytes;
}

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

const EVP_CIPHER* cipher_of(Method method, std::size_t key_size) {
  if (method == Method::aescbc)
    return key_size == 16   ? EVP_aes_128_cbc()
           : key_size == 24 ? EVP_aes_192_cbc()
                            : EVP_aes_256_cbc();
  return key_size == 16   ? EVP_aes_128_gcm()
         : key_size == 24 ? EVP_aes_192_gcm()
                          : EVP_aes_256_gcm();
}

struct CipherContext {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  ~CipherContext() { EVP_CIPHER_CTX_free(context); }
};

// The key of the entry is authenticated with its value: values cannot be exchanged on the disk.
std::string encrypt(const Provider& with, std::string_view name, std::string_view text) {
  if (with.method == Method::secretbox) {
    const std::string nonce = random_bytes(host::kSecretboxNonceSize);
    return nonce + host::secretbox_seal(with.key, nonce, text);
  }
  const bool gcm = with.method == Method::aesgcm;
  const std::string nonce = random_bytes(gcm ? kGcmNonce : kBlock);
  std::string out(text.size() + kBlock, '\0');
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  int size = 0, more = 0, ignored = 0;
  const CipherContext c;
  bool ok = EVP_EncryptInit_ex(c.context, cipher_of(with.method, with.key.size()), nullptr,
                               raw(with.key), raw(nonce)) == 1;
  if (gcm)
    ok = ok && EVP_EncryptUpdate(c.context, nullptr, &ignored, raw(name),
                                 static_cast<int>(name.size())) == 1;
  ok = ok && EVP_EncryptUpdate(c.context, to, &size, raw(text), static_cast<int>(text.size())) == 1;
  ok = ok && EVP_EncryptFinal_ex(c.context, to + size, &more) == 1;
  out.resize(static_cast<std::size_t>(size + more));
  if (gcm) {
    std::string tag(kGcmTag, '\0');
    ok = ok && EVP_CIPHER_CTX_ctrl(c.context, EVP_CTRL_GCM_GET_TAG, kGcmTag, tag.data()) == 1;
    out += tag;
  }
  KEELSON_CHECK(ok);
  return nonce + out;
}

std::optional<std::string> decrypt(const Provider& with, std::string_view name,
                                   std::string_view data) {
  if (with.method == Method::secretbox) {
    if (data.size() < host::kSecretboxNonceSize) return std::nullopt;
    return host::secretbox_open(with.key, data.substr(0, host::kSecretboxNonceSize),
                                data.substr(host::kSecretboxNonceSize));
  }
  const bool gcm = with.method == Method::aesgcm;
  const std::size_t nonce_size = gcm ? kGcmNonce : kBlock, tag_size = gcm ? kGcmTag : 0;
  if (data.size() < nonce_size + tag_size) return std::nullopt;
  const std::string_view nonce = data.substr(0, nonce_size);
  std::string tag(data.substr(data.size() - tag_size));
  const std::string_view body = data.substr(nonce_size, data.size() - nonce_size - tag_size);
  std::string out(body.size() + kBlock, '\0');
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  int size = 0, more = 0, ignored = 0;
  const CipherContext c;
  bool ok = EVP_DecryptInit_ex(c.context, cipher_of(with.method, with.key.size()), nullptr,
                               raw(with.key), raw(nonce)) == 1;
  if (gcm)
    ok = ok &&
         EVP_DecryptUpdate(c.context, nullptr, &ignored, raw(name),
                           static_cast<int>(name.size())) == 1 &&
         EVP_CIPHER_CTX_ctrl(c.context, EVP_CTRL_GCM_SET_TAG, static_cast<int>(tag_size),
                             tag.data()) == 1;
  ok = ok && EVP_DecryptUpdate(c.context, to, &size, raw(body), static_cast<int>(body.size())) == 1;
  ok = ok && EVP_DecryptFinal_ex(c.context, to + size, &more) == 1;
  if (!ok) return std::nullopt;
  out.resize(static_cast<std::size_t>(size + more));
  return out;
}

struct Rule {
  std::vector<std::string> resources;
  std::vector<Provider> providers;
};

// "secrets", "deployments.apps", "*.apps", "*." (the core group), "*.*".
bool covers(const std::string& pattern, std::string_view resource) {
  if (pattern == resource || pattern == "*.*") return true;
  if (!pattern.starts_with("*.")) return false;
  const std::size_t dot = resource.find('.');
  const std::string_view group = dot == std::string_view::npos ? "" : resource.substr(dot + 1);
  return pattern.substr(2) == group;
}

class ConfiguredSealer final : public store::Sealer {
 public:
  explicit ConfiguredSealer(std::vector<Rule> rules) : rules_(std::move(rules)) {}

  std::string seal(std::string_view key, std::string_view bytes) const override {
    const Rule* rule = rule_of(key);
    if (rule == nullptr || rule->providers.front().method == Method::identity)
      return std::string(bytes);
    const Provider& first = rule->providers.front();
    return first.prefix + encrypt(first, key, bytes);
  }

  Result<std::string> unseal(std::string_view key, std::string_view sealed,
                             bool& stale) const override {
    const Rule* rule = rule_of(key);
    const auto unreadable = [&](const std::string& why) {
      return Error{Reason::internal_error, std::string(key) + " cannot be read: " + why};
    };
    if (rule == nullptr) {
      if (sealed.starts_with(kPrefix))
        return unreadable("it is encrypted, and the encryption configuration does not name it");
      return std::string(sealed);
    }
    bool named = false;  // a key of that name is there
    for (const Provider& one : rule->providers) {
      const bool first = &one == &rule->providers.front();
      if (one.method == Method::identity) {
        if (sealed.starts_with(kPrefix)) continue;
        stale = stale || !first;
        return std::string(sealed);
      }
      if (!sealed.starts_with(one.prefix)) continue;
      auto text = decrypt(one, key, sealed.substr(one.prefix.size()));
      named = true;
      if (!text) continue;  // another key may have the same name
      stale = stale || !first;
      return std::move(*text);
    }
    return unreadable(named ? "its key does not fit, or it was changed"
                            : "no provider of the encryption configuration fits it");
  }

 private:
  const Rule* rule_of(std::string_view key) const {
    const std::string_view resource = key.substr(0, key.find('/'));
    for (const Rule& rule : rules_)
      for (const std::string& pattern : rule.resources)
        if (covers(pattern, resource)) return &rule;
    return nullptr;
  }

  std::vector<Rule> rules_;
};

Error bad(const std::string& place, const std::string& why) {
  return {Reason::bad_request, place + ": " + why};
}

Result<void> add_providers(const Value& given, const std::string& place,
                           std::vector<Provider>& out) {
  constexpr std::pair<std::string_view, Method> kMethods[] = {
      {"aescbc", Method::aescbc}, {"aesgcm", Method::aesgcm}, {"secretbox", Method::secretbox}};
  if (given.has("kms"))
    return bad(place,
               "a key management service (kms) is not supported; aescbc, aesgcm, secretbox and "
               "identity are");
  if (given.size() > 1)
    return bad(place,
               "more than one provider specified in a single element, should split into different "
               "list elements");
  if (given.has("identity")) {
    out.push_back({});
    return {};
  }
  for (const auto& [name, method] : kMethods) {
    if (!given.has(name)) continue;
    const Value& keys = given[name]["keys"];
    const std::string at = place + "." + std::string(name) + ".keys";
    if (keys.empty()) return bad(at, "Required value: at least one key is required");
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const std::string one = at + "[" + std::to_string(i) + "]";
      if (keys[i]["name"].as_string().empty()) return bad(one + ".name", "Required value");
      const auto secret = from_base64(keys[i]["secret"].as_string());
      if (!secret) return bad(one + ".secret", "secret must be base64 encoded");
      const bool fits = method == Method::secretbox
                            ? secret->size() == host::kSecretboxKeySize
                            : secret->size() == 16 || secret->size() == 24 || secret->size() == 32;
      if (!fits)
        return bad(one + ".secret", method == Method::secretbox
                                        ? "secret is not of the expected length, got " +
                                              std::to_string(secret->size()) + ", expected 32"
                                        : "secret is not of the expected length, got " +
                                              std::to_string(secret->size()) +
                                              ", expected one of [16 24 32]");
      out.push_back(
          {method, std::string(kPrefix) + std::string(name) + ":v1:" + keys[i]["name"].str() + ":",
           *secret});
    }
    return {};
  }
  return bad(place, "aescbc, aesgcm, secretbox or identity is expected");
}

}  // namespace

Result<std::shared_ptr<const store::Sealer>> parse_encryption(std::string_view text) {
  TRY(const codec::YamlDocument document, codec::parse_yaml(text));
  const Value& given = document.value;
  if (model::kind_of(given) != "EncryptionConfiguration" ||
      !model::api_version_of(given).starts_with("apiserver.config.k8s.io/"))
    return bad("kind", "EncryptionConfiguration of apiserver.config.k8s.io/v1 is expected");
  std::vector<Rule> rules;
  for (std::size_t i = 0; i < given["resources"].size(); ++i) {
    const Value& one = given["resources"][i];
    const std::string place = "resources[" + std::to_string(i) + "]";
    Rule rule;
    for (const Value& resource : one["resources"].elements())
      rule.resources.push_back(resource.str());
    if (rule.resources.empty()) return bad(place + ".resources", "Required value");
    for (std::size_t p = 0; p < one["providers"].size(); ++p)
      TRY_VOID(add_providers(one["providers"][p], place + ".providers[" + std::to_string(p) + "]",
                             rule.providers));
    if (rule.providers.empty()) return bad(place + ".providers", "Required value");
    rules.push_back(std::move(rule));
  }
  if (rules.empty()) return bad("resources", "Required value");
  return std::shared_ptr<const store::Sealer>(std::make_shared<ConfiguredSealer>(std::move(rules)));
}

Result<void> check_unsealed(const store::Store& store) {
  std::string sealed;
  store.each("", [&](const store::EntryPtr& entry) {
    if (sealed.empty() && entry->bytes().starts_with(kPrefix)) sealed = entry->key();
  });
  if (sealed.empty()) return {};
  return Error{Reason::internal_error, "the state is encrypted (" + sealed +
                                           "): give --encryption-provider-config as before"};
}

}  // namespace keelson::api
