// Encryption of what the disk holds, by an EncryptionConfiguration as kube-apiserver takes it:
// providers aescbc, aesgcm, secretbox and identity, per resource. What is stored begins with
// "k8s:enc:PROVIDER:v1:KEYNAME:" as it does in etcd. The first provider writes; all of them read.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "store/store.h"

namespace keelson::app {

// From YAML or JSON of apiserver.config.k8s.io/v1. Error: bad_request, naming the field; a key
// management service (kms) is not supported.
Result<std::shared_ptr<const store::Sealer>> parse_encryption(std::string_view text);

// Error: internal_error if the store, opened without a Sealer, holds what is encrypted.
Result<void> check_unsealed(const store::Store& store);

}  // namespace keelson::app
