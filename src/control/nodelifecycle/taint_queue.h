// The nodes of one zone that are to get a NoExecute taint, in order, slowly: a token bucket of one
// token lets so many a second through as the state of the zone allows. Pure; time is an argument.
// Behaviour: pkg/controller/nodelifecycle/scheduler/rate_limited_queue.go.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"

namespace keelson::control {

class TaintQueue {
 public:
  // Nodes a second. With 0 the one token that is there at first is all there ever is.
  explicit TaintQueue(double rate) : rate_(static_cast<float>(rate)) {}
  // False if it is in the queue, or was taken from it and not removed since.
  bool add(const std::string& node, Instant now);
  // Forgets it, so that it can be added again. True if it was known.
  bool remove(const std::string& node);
  // 0: none at all from now on.
  void set_rate(double rate, Instant now);
  // Offers the first node while the bucket lets it; `taint` returns false to be asked again next
  // time.
  void run(Instant now, const std::function<bool(const std::string&)>& taint);
  bool empty() const { return queue_.empty(); }

 private:
  bool take_token(Instant now);
  struct Entry {
    std::string node;
    Instant due;
  };
  std::vector<Entry> queue_;
  std::set<std::string> known_;
  // In single precision, as the original: a hundredth a second is a little less than one in 100 s.
  float rate_;
  double tokens_ = 1;
  bool never_ = false;
  Instant filled_;
};

}  // namespace keelson::control
