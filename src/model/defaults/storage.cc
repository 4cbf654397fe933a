// pkg/apis/storage/v1/defaults.go.
#include "model/defaults/rules.h"

namespace keelson::model {
namespace {

using codec::Value;

void storage_class(Value& object) {
  default_to(object, "reclaimPolicy", "Delete");
  default_to(object, "volumeBindingMode", "Immediate");
}

void csi_driver(Value& object) {
  Value& spec = object.edit("spec");
  default_to(spec, "attachRequired", true);
  default_to(spec, "podInfoOnMount", false);
  default_to(spec, "storageCapacity", false);
  default_to(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
  default_empty_to(spec, "volumeLifecycleModes", Value::array({"Persistent"}));
  default_to(spec, "requiresRepublish", false);
  default_to(spec, "seLinuxMount", false);
}

}  // namespace

DefaultRules storage_defaults() {
  return {
      {"io.k8s.api.storage.v1.StorageClass", storage_class},
      {"io.k8s.api.storage.v1.CSIDriver", csi_driver},
  };
}

}  // namespace keelson::model
