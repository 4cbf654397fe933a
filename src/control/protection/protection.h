// Protection of storage in use: a claim that is deleted stays until no pod uses it, a volume until
// no claim is bound to it. Admission puts the finalizers on; these controllers take them off, and
// put them on what was made before there was admission.
// Behaviour: pkg/controller/volume/pvcprotection and pvprotection.
#pragma once

#include <string_view>
#include <vector>

#include "cluster/cluster.h"

namespace keelson::control {

class ClaimProtection : public cluster::Controller {
 public:
  std::string_view name() const override { return "persistentvolumeclaim-protection-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;
};

class VolumeProtection : public cluster::Controller {
 public:
  std::string_view name() const override { return "persistentvolume-protection-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;
};

}  // namespace keelson::control
