// MetricsSource: where the autoscaler's figures come from: the resource, custom and external
// metrics APIs. Live it is the engine's own sampling, in a simulation the workload model, in tests
// a recording. Errors carry the API's own text.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "codec/value.h"
#include "model/quantity.h"
#include "model/selector.h"

namespace keelson::control {

// Thousandths of a quantity, rounded up. Beyond 64 bits it gives what the original gives: what has
// more than 18 digits wraps, anything else reads as 0.
std::int64_t metric_milli(const model::Quantity& quantity);

struct ContainerUsage {
  std::string name;
  std::vector<std::pair<std::string, model::Quantity>> usage;  // by resource; absent: unknown
};
struct PodUsage {
  std::string pod;
  Instant timestamp;  // end of the window
  Duration window;
  std::vector<ContainerUsage> containers;
};
struct PodSample {
  std::string pod;
  Instant timestamp;
  Duration window;
  std::int64_t milli = 0;  // thousandths of the metric's unit
};

class MetricsSource {
 public:
  virtual ~MetricsSource() = default;
  virtual Result<std::vector<PodUsage>> resource(std::string_view ns,
                                                 const model::LabelSelector& pods) = 0;
  virtual Result<std::vector<PodSample>> pods(std::string_view ns, const model::LabelSelector& pods,
                                              std::string_view metric,
                                              const model::LabelSelector& selector) = 0;
  // described: {"apiVersion", "kind", "name"}. In thousandths.
  virtual Result<std::int64_t> object(std::string_view ns, const codec::Value& described,
                                      std::string_view metric,
                                      const model::LabelSelector& selector) = 0;
  virtual Result<std::vector<std::int64_t>> external(std::string_view ns, std::string_view metric,
                                                     const model::LabelSelector& selector) = 0;
};

}  // namespace keelson::control
