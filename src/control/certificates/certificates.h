// CertificateSigningRequests: those that were approved are signed if what they ask for is what
// their signer may give; those that are done with are removed. Client certificates of kubelets are
// approved if whoever asks may have them approved ("nodeclient", "selfnodeclient"); all others are
// left to people.
// Behaviour: pkg/controller/certificates/{approver,signer,cleaner} of Kubernetes 1.36.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/cluster.h"

namespace keelson::control {

// What a request for a certificate says of itself.
struct CertificateClaims {
  std::string common_name;
  std::vector<std::string> organizations;
  bool dns_names = false, addresses = false, emails = false, uris = false;  // any of them
};

// Who holds the key. Requests and certificates are PEM in base64, as the API has them.
class CertificateAuthority {
 public:
  virtual ~CertificateAuthority() = default;
  virtual Result<CertificateClaims> read(std::string_view request) = 0;
  // `usages` in the words of the API.
  virtual Result<std::string> sign(std::string_view request, const std::vector<std::string>& usages,
                                   Duration lifetime, Instant now) = 0;
  // When the certificate ends; the zero Instant if it cannot be read.
  virtual Instant expiry(std::string_view certificate) = 0;
};

// Why the signer may not give this; empty if it may. Pure.
std::string signing_refusal(std::string_view signer, const CertificateClaims& claims,
                            const std::vector<std::string>& usages);

class CertificateSigner : public cluster::Controller {
 public:
  explicit CertificateSigner(CertificateAuthority& authority) : authority_(authority) {}
  std::string_view name() const override { return "certificate-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  CertificateAuthority& authority_;
};

class CertificateApprover : public cluster::Controller {
 public:
  explicit CertificateApprover(CertificateAuthority& authority) : authority_(authority) {}
  std::string_view name() const override { return "certificate-approver"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  CertificateAuthority& authority_;
};

class CertificateCleaner : public cluster::Controller {
 public:
  explicit CertificateCleaner(CertificateAuthority& authority) : authority_(authority) {}
  std::string_view name() const override { return "csrcleaner-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  Instant removal_at(const codec::Value& request) const;

  CertificateAuthority& authority_;
};

}  // namespace keelson::control
