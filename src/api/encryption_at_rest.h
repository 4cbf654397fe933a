// Encryption of what the disk holds, by an EncryptionConfiguration as kube-apiserver takes it:
// providers aescbc, aesgcm, secretbox and identity, per resource. What is stored begins with
// "k8s:enc:PROVIDER:v1:KEYNAME:" as it does in etcd. The first provider writes; all of them read.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/store.h"

namespace keelson::api {

// From YAML or JSON of apiserver.config.k8s.io/v1. Error: bad_request, naming the field; a key
// management service (kms) is not supported.
Result<std::shared_ptr<const store::Sealer>> parse_encryption(std::string_view text);

// Another configuration can take its place while the server runs. What was written by the one
// before is then stale: a snapshot writes it anew.
class ReloadableSealer final : public store::Sealer {
 public:
  explicit ReloadableSealer(std::shared_ptr<const store::Sealer> first)
      : sealer_(std::move(first)) {}
  void replace(std::shared_ptr<const store::Sealer> next) { sealer_ = std::move(next); }
  std::string seal(std::string_view key, std::string_view bytes) const override {
    return sealer_.load()->seal(key, bytes);
  }
  Result<std::string> unseal(std::string_view key, std::string_view sealed,
                             bool& stale) const override {
    return sealer_.load()->unseal(key, sealed, stale);
  }

 private:
  std::atomic<std::shared_ptr<const store::Sealer>> sealer_;  // sealing happens on several threads
};

// Error: internal_error if the store, opened without a Sealer, holds what is encrypted.
Result<void> check_unsealed(const store::Store& store);

}  // namespace keelson::api
