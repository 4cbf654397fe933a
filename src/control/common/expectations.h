// Expectations: what a controller has written about pods and its view does not show yet. A view
// may lag behind (a remote cluster's does); a controller that counted again too early would create
// or delete twice. On a view that never lags nothing is ever expected.
//
// Creations are known by uid; they are seen once the view has the pod, or a later revision of any
// pod was announced. Deletions are seen once the view has the pod terminating or gone. After five
// minutes an expectation is given up.
// Behaviour: ControllerExpectations in pkg/controller/controller_utils.go.
#pragma once

#include <map>
#include <string>

#include "cluster/cluster.h"

namespace keelson::control {

using codec::Value;

class Expectations {
 public:
  // From the watch of pods: the newest revision that was announced.
  void observe(const Value& after);
  void created(const cluster::Key& owner, const Value& pod, Instant now);
  void deleted(const cluster::Key& owner, const Value& pod, Instant now);
  void forget(const cluster::Key& owner) { waiting_.erase(owner); }
  // True if the view shows all that was written for this owner.
  bool satisfied(const cluster::Key& owner, const cluster::View& view, Instant now);

 private:
  struct Expected {
    std::string namespace_, name;
    std::int64_t revision = 0;
    bool creation = false;
    Instant since;
  };
  std::map<cluster::Key, std::map<std::string, Expected>> waiting_;  // by owner, then by pod's uid
  std::int64_t revision_seen_ = 0;
};

}  // namespace keelson::control
