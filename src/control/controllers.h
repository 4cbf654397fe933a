// The controllers of a platform, in the order in which they run. One list for all worlds: the live
// engine, the simulation and a remote cluster start the same ones.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "control/autoscale/metrics_source.h"
#include "control/certificates/certificates.h"
#include "control/nodepool/nodepool.h"
#include "model/types.h"

namespace keelson::control {

struct ControllerNeeds {
  MetricsSource* metrics = nullptr;  // outlives the controllers
  LocalMachine machine;              // what the node "local" offers; null capacity: there is none
  CertificateAuthority* authority = nullptr;  // outlives the controllers; null: nothing is signed
  std::string ca_pem;  // published to every namespace as kube-root-ca.crt; empty: not published
  // A signed token (JWT) with these claims; empty: Secrets get no tokens.
  std::function<std::string(const codec::Value& claims)> sign_token = {};
};

// Those that walk objects of every kind (garbage, namespaces), for the kinds of this table. When
// definitions of custom resources come or go, they are to be replaced (runtime/kind_follower.h).
std::vector<std::unique_ptr<cluster::Controller>> controllers_of_all_kinds(
    const model::TypeTable& types);

std::vector<std::unique_ptr<cluster::Controller>> all_controllers(const ControllerNeeds& needs);

}  // namespace keelson::control
