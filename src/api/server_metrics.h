// Counters of the API server, named as kube-apiserver names its own so that existing dashboards
// work. Plain numbers on the loop's thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/time.h"

namespace keelson::api {

class ServerMetrics {
 public:
  struct Key {
    std::string verb, group, version, resource, subresource;
    int code = 0;
    auto operator<=>(const Key&) const = default;
  };
  void count(const Key& key, Duration took, bool long_running);
  // A request that is being answered, until the handle is dropped. Long-running ones are counted
  // apart.
  std::shared_ptr<void> begin(bool mutating);
  std::string text(std::size_t watches, std::size_t connections) const;

 private:
  // Upper bounds in microseconds.
  static constexpr std::array<std::int64_t, 12> kBounds = {
      500,    1'000,   2'500,   5'000,     10'000,    25'000,
      50'000, 100'000, 250'000, 1'000'000, 5'000'000, 30'000'000};
  struct Histogram {
    std::array<std::uint64_t, kBounds.size() + 1> buckets{};
    std::uint64_t count = 0;
    std::int64_t microseconds = 0;
  };
  std::map<Key, std::uint64_t> requests_;
  std::map<Key, Histogram> durations_;  // code 0
  struct InFlight {
    std::int64_t mutating = 0, reading = 0;
  };
  std::shared_ptr<InFlight> in_flight_ = std::make_shared<InFlight>();
};

}  // namespace keelson::api
