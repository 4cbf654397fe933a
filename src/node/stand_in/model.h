// The model of a stand-in: what one request costs, and what the process costs without any. All in
// declared units; the scales turn them into this machine's.
#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"
#include "codec/value.h"

namespace keelson::node {

struct StandInModel {
  Duration cpu_per_request;  // of one declared core
  Duration latency, jitter;  // waiting besides computing; jitter is uniform in [0, jitter)
  Duration start_up;
  std::int64_t memory = 0;  // bytes, always held
  std::int64_t memory_per_request = 0;
  double error_rate = 0;       // share of requests answered with 500
  std::int64_t cpu_milli = 0;  // burnt all the time, thousandths of a declared core
};

// {"cpuPerRequest":"60ms","latency":"15ms","jitter":"5ms","startUp":"2s","memory":"400Mi",
//  "memoryPerRequest":"64Ki","errorRate":"0.01","cpu":"150m"}; all optional.
// Error: names the member and what is wrong with it.
Result<StandInModel> parse_model(const codec::Value& value);

}  // namespace keelson::node
