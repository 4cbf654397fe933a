// Rates from counters: windows, restarts, scales.
#include "observe/resource_metrics.h"

#include <gtest/gtest.h>

namespace keelson::observe {
namespace {

const Instant kStart = Instant::unix_seconds(1'767'225'600);

ContainerReading reading(std::int64_t cpu_milliseconds, std::string run = "r1") {
  return {.namespace_ = "default",
          .pod = "web",
          .container = "c",
          .node = "n1",
          .run_id = std::move(run),
          .cpu = Duration::milliseconds(cpu_milliseconds),
          .memory = 10 << 20,
          .scaled_memory = true};
}

TEST(ResourceMetrics, ARateNeedsTwoSamples) {
  ResourceMetrics metrics;
  metrics.sample({reading(0)}, {}, kStart);
  EXPECT_TRUE(metrics.pod_metrics("").empty());
  metrics.sample({reading(1000)}, {}, kStart + Duration::seconds(5));
  const Value pod = metrics.pod_metrics("default", "web");
  EXPECT_EQ(pod["containers"][0]["usage"]["cpu"].str(), "200000000n");
  EXPECT_EQ(pod["containers"][0]["usage"]["memory"].str(), "10240Ki");
  EXPECT_EQ(pod["window"].str(), "5s");
  EXPECT_EQ(pod["timestamp"].str(), "2026-01-01T00:00:05Z");
}

TEST(ResourceMetrics, TheWindowSlidesOverTenSeconds) {
  ResourceMetrics metrics;
  // Idle for a minute, then one core.
  for (int i = 0; i <= 12; i++) metrics.sample({reading(0)}, {}, kStart + Duration::seconds(5 * i));
  for (int i = 1; i <= 3; i++)
    metrics.sample({reading(5000 * i)}, {}, kStart + Duration::seconds(60 + 5 * i));
  EXPECT_EQ(metrics.pod_metrics("default", "web")["containers"][0]["usage"]["cpu"].str(),
            "1000000000n");
  EXPECT_EQ(metrics.pod_metrics("default", "web")["window"].str(), "10s");
}

TEST(ResourceMetrics, ScalesTurnMeasuredIntoDeclared) {
  ResourceMetrics metrics;
  metrics.sample({reading(0)}, {20, 16}, kStart);
  metrics.sample({reading(100)}, {20, 16}, kStart + Duration::seconds(5));
  const Value node = metrics.node_metrics().at(0);
  EXPECT_EQ(node["usage"]["cpu"].str(), "400000000n");
  EXPECT_EQ(node["usage"]["memory"].str(), "163840Ki");
}

TEST(ResourceMetrics, ARestartedContainerBeginsAgain) {
  ResourceMetrics metrics;
  metrics.sample({reading(9000)}, {}, kStart);
  metrics.sample({reading(100, "r2")}, {}, kStart + Duration::seconds(5));
  EXPECT_TRUE(metrics.pod_metrics("").empty());
  metrics.sample({reading(600, "r2")}, {}, kStart + Duration::seconds(10));
  EXPECT_EQ(metrics.pod_metrics("default", "web")["containers"][0]["usage"]["cpu"].str(),
            "100000000n");
  metrics.sample({}, {}, kStart + Duration::seconds(15));
  EXPECT_TRUE(metrics.pod_metrics("").empty());
}

}  // namespace
}  // namespace keelson::observe
