// Text form 0.0.4 of Prometheus. Durations are kept in whole microseconds; quantiles are for
// whoever reads the buckets.
#include "api/server_metrics.h"

#include <algorithm>

#include "base/text.h"

namespace keelson::api {
namespace {

std::string labels_of(const ServerMetrics::Key& key) {
  return "group=" + quote(key.group) + ",resource=" + quote(key.resource) +
         ",subresource=" + quote(key.subresource) + ",verb=" + quote(key.verb) +
         ",version=" + quote(key.version);
}

std::string seconds_text(std::int64_t microseconds) {
  std::string digits = std::to_string(microseconds % 1'000'000);
  digits.insert(0, 6 - digits.size(), '0');
  return std::to_string(microseconds / 1'000'000) + "." + digits;
}

}  // namespace

void ServerMetrics::count(const Key& key, Duration took, bool long_running) {
  ++requests_[key];
  if (long_running) return;
  Key without_code = key;
  without_code.code = 0;
  Histogram& histogram = durations_[without_code];
  const std::int64_t microseconds = took.count_nanoseconds() / 1000;
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), microseconds);
  ++histogram.buckets[static_cast<std::size_t>(bound - kBounds.begin())];
  ++histogram.count;
  histogram.microseconds += microseconds;
}

std::shared_ptr<void> ServerMetrics::begin(bool mutating) {
  std::int64_t InFlight::*const kind = mutating ? &InFlight::mutating : &InFlight::reading;
  ++((*in_flight_).*kind);
  return {nullptr, [counts = in_flight_, kind](void*) { --((*counts).*kind); }};
}

std::string ServerMetrics::text(std::size_t watches, std::size_t connections) const {
  std::string out =
      "# HELP apiserver_request_total Requests answered.\n"
      "# TYPE apiserver_request_total counter\n";
  for (const auto& [key, count] : requests_)
    out += "apiserver_request_total{code=\"" + std::to_string(key.code) + "\"," + labels_of(key) +
           "} " + std::to_string(count) + "\n";
  out +=
      "# HELP apiserver_request_duration_seconds Time to the answer's begin, watches left out.\n"
      "# TYPE apiserver_request_duration_seconds histogram\n";
  for (const auto& [key, histogram] : durations_) {
    const std::string labels = labels_of(key);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kBounds.size(); ++i) {
      sum += histogram.buckets[i];
      out += "apiserver_request_duration_seconds_bucket{" + labels + ",le=\"" +
             seconds_text(kBounds[i]) + "\"} " + std::to_string(sum) + "\n";
    }
    out += "apiserver_request_duration_seconds_bucket{" + labels + ",le=\"+Inf\"} " +
           std::to_string(histogram.count) + "\n";
    out += "apiserver_request_duration_seconds_sum{" + labels + "} " +
           seconds_text(histogram.microseconds) + "\n";
    out += "apiserver_request_duration_seconds_count{" + labels + "} " +
           std::to_string(histogram.count) + "\n";
  }
  out +=
      "# HELP apiserver_current_inflight_requests Requests being answered.\n"
      "# TYPE apiserver_current_inflight_requests gauge\n"
      "apiserver_current_inflight_requests{request_kind=\"mutating\"} " +
      std::to_string(in_flight_->mutating) +
      "\napiserver_current_inflight_requests{request_kind=\"readOnly\"} " +
      std::to_string(in_flight_->reading) +
      "\n# HELP apiserver_longrunning_requests Open watches.\n"
      "# TYPE apiserver_longrunning_requests gauge\n"
      "apiserver_longrunning_requests{verb=\"WATCH\"} " +
      std::to_string(watches) +
      "\n# HELP keelson_api_connections Open client connections.\n"
      "# TYPE keelson_api_connections gauge\n"
      "keelson_api_connections " +
      std::to_string(connections) + "\n";
  return out;
}

}  // namespace keelson::api
