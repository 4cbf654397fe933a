// What a request is expected to cost, in seats. A list costs by the bytes it brings together, as
// far as they are known from earlier answers; a write by the watches that it will wake.
// Source: Kubernetes' apiserver/pkg/util/flowcontrol/request. Its numbers are kept for lists; a
// watch costs us some microseconds to serve where the original reckons with half a millisecond.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "api/access/request_info.h"
#include "api/fairness/fair_queues.h"

namespace keelson::api {

class WorkEstimates {
 public:
  struct Estimate {
    FairQueues::Work work;
    bool slow = false;  // it takes longer than others should be kept waiting for, often
  };
  // `seats_max`: of one request in its level. `streamed`: the answer is made while it is sent.
  Estimate of(const RequestInfo& info, const Query& query, int seats_max, bool streamed) const;
  // What a list turned out to bring: those without limit and selectors are worth remembering.
  void learn(const RequestInfo& info, const Query& query, std::size_t objects, std::size_t bytes);
  // A watch is open until the handle is dropped. The handle may outlive this object.
  std::shared_ptr<void> begin_watch(const RequestInfo& info);

 private:
  struct Known {
    std::size_t objects = 0, bytes = 0;
  };
  // By resource, and by resource and namespace.
  std::map<std::string, Known> lists_;
  struct Watches {
    std::map<std::string, int> open;
  };
  std::shared_ptr<Watches> watches_ = std::make_shared<Watches>();
};

}  // namespace keelson::api
