// keelson load: an HTTP load generator with a fixed arrival rate (open loop). Latency counts from
// the moment a request was due, not from when a connection was free, so a stalled server shows in
// the percentiles.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/histogram.h"
#include "base/result.h"
#include "base/time.h"
#include "codec/value.h"

namespace keelson::app {

struct LoadOptions {
  std::string url;
  double requests_per_second = 10;
  Duration duration = Duration::seconds(10);
  Duration timeout = Duration::seconds(10);  // of one request
  int connections_max = 256;  // requests in flight; what is due beyond waits, and its wait counts
  std::vector<std::string> headers = {};  // "Name: value"
  std::vector<std::string> resolve = {};  // "host:port:address", as curl's --resolve
  std::string method = "GET", body = {};
  bool insecure = false;  // accept any certificate
  bool json = false;
  bool quiet = false;  // no live line
};

struct LoadReport {
  std::uint64_t sent = 0, failed = 0;                // failed: no answer, or 5xx
  std::map<int, std::uint64_t> codes = {};           // answers by HTTP code
  std::map<std::string, std::uint64_t> errors = {};  // requests without an answer, by cause
  Histogram latency = {};                            // of answers
  Duration elapsed = {};
  codec::Value to_value() const;
};

// Runs to the end, printing a line a second to stderr unless quiet. Error: bad_request for a URL
// that is none.
Result<LoadReport> run_load(const LoadOptions& options);
void print_load_report(const LoadReport& report);

}  // namespace keelson::app
