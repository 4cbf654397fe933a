// Owners of OpenSSL's objects: freed with their scope. Internal to this room.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>

namespace keelson::api {

template <auto Free>
struct OpensslDeleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslDeleter<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, OpensslDeleter<X509_free>>;
using BioPtr = std::unique_ptr<BIO, OpensslDeleter<BIO_free>>;

}  // namespace keelson::api
