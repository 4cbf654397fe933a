// What every namespace is given: the ServiceAccount "default", and the ConfigMap kube-root-ca.crt
// with the certificate by which pods trust the API server. Both are made anew when they vanish, and
// the ConfigMap is put right when it was changed.
// Behaviour: pkg/controller/serviceaccount and pkg/controller/certificates/rootcacertpublisher.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"

namespace keelson::control {

class ServiceAccountController : public cluster::Controller {
 public:
  std::string_view name() const override { return "serviceaccount-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;
};

class RootCaPublisher : public cluster::Controller {
 public:
  // The PEM text of one or more certificates.
  explicit RootCaPublisher(std::string ca_pem) : ca_pem_(std::move(ca_pem)) {}
  std::string_view name() const override { return "root-ca-certificate-publisher"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  std::string ca_pem_;
};

}  // namespace keelson::control
