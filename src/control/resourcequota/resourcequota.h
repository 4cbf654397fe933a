// ResourceQuotas: status.used of every quota is what its namespace uses of what it limits.
// Admission adds to it; this controller counts anew when something is gone or ended, when the
// limits change, and every five minutes. Behaviour: pkg/controller/resourcequota of
// Kubernetes 1.36.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "codec/value.h"
#include "control/common/kinds.h"

namespace keelson::control {

using codec::Value;

struct QuotaInputs {
  Value quota;
  // The objects of its namespace, by resource; of kinds that the quota does not limit none.
  std::map<std::string, std::vector<Value>> objects;
  Instant now;
};
// The status that the quota should have. What no known kind uses keeps its old figure.
Value quota_status(const QuotaInputs& inputs);
// Equal in all amounts, whatever their text.
bool same_quota_status(const Value& a, const Value& b);

struct ResourceQuotaOptions {
  Duration resync = Duration::minutes(5);
};

class ResourceQuotaController : public cluster::Controller {
 public:
  explicit ResourceQuotaController(std::vector<ObjectKind> kinds,
                                   ResourceQuotaOptions options = {});
  std::string_view name() const override { return "resourcequota-controller"; }
  std::vector<cluster::Watch> watches() const override;
  std::vector<cluster::Key> start(const cluster::View&) override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  std::vector<ObjectKind> kinds_;  // those in namespaces, without events
  ResourceQuotaOptions options_;
  Instant started_;  // resyncs count from here
};

}  // namespace keelson::control
