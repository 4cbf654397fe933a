// Secrets of type kubernetes.io/service-account-token: they get a token of the ServiceAccount that
// their annotation names, the certificate of the API server and their namespace; without their
// ServiceAccount they go. Such tokens do not expire; the API server asks for the Secret.
// Behaviour: pkg/controller/serviceaccount/tokens_controller.go.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"

namespace keelson::control {

class TokenSecretController : public cluster::Controller {
 public:
  using Sign = std::function<std::string(const codec::Value& claims)>;
  TokenSecretController(Sign sign, std::string ca_pem)
      : sign_(std::move(sign)), ca_pem_(std::move(ca_pem)) {}
  std::string_view name() const override { return "token-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  Sign sign_;
  std::string ca_pem_;
};

}  // namespace keelson::control
