// Evicting pods under a disruption budget.
#include <gtest/gtest.h>

#include "host/virtual_loop.h"
#include "model/meta.h"
#include "registry/registry.h"
#include "store/store.h"

namespace keelson::registry {
namespace {

class Eviction : public ::testing::Test {
 protected:
  Eviction() {
    Environment environment;
    environment.now = [this] { return loop_.now(); };
    environment.rng = &rng_;
    registry_ = std::make_unique<Registry>(*store_, environment);
    EXPECT_TRUE(registry_->start().ok());
    Value account = Value::object({{"metadata", Value::object({{"name", "default"}})}});
    EXPECT_TRUE(
        write(cluster::Write::Verb::create, "serviceaccounts", "default", std::move(account)).ok());
  }

  Result<Value> write(cluster::Write::Verb verb, std::string resource, std::string name,
                      Value object, std::string subresource = {}) {
    return registry_->commit({.verb = verb,
                              .resource = std::move(resource),
                              .namespace_ = "default",
                              .name = std::move(name),
                              .subresource = std::move(subresource),
                              .object = std::move(object)},
                             {"admin", "", {"system:masters", "system:authenticated"}, {}});
  }

  // A running pod, and a budget that selects it.
  void make(bool ready, const char* policy, std::int64_t healthy, std::int64_t allowed) {
    using Verb = cluster::Write::Verb;
    Value pod = Value::object(
        {{"metadata", Value::object({{"name", "p"}, {"labels", Value::object({{"a", "b"}})}})}});
    pod.edit("spec").set("nodeName", "n1");
    pod.edit("spec").edit("containers").push_back(Value::object({{"name", "c"}, {"image", "i"}}));
    ASSERT_TRUE(write(Verb::create, "pods", "p", pod).ok());
    const Value condition =
        Value::object({{"type", "Ready"}, {"status", ready ? "True" : "False"}});
    ASSERT_TRUE(write(Verb::merge_patch, "pods", "p",
                      Value::object(
                          {{"status", Value::object({{"phase", "Running"},
                                                     {"conditions", Value::array({condition})}})}}),
                      "status")
                    .ok());
    Value budget = Value::object({{"metadata", Value::object({{"name", "b"}})}});
    budget.edit("spec").set("minAvailable", 1);
    budget.edit("spec").edit("selector").edit("matchLabels").set("a", "b");
    if (policy != nullptr) budget.edit("spec").set("unhealthyPodEvictionPolicy", policy);
    ASSERT_TRUE(write(Verb::create, "poddisruptionbudgets.policy", "b", budget).ok());
    ASSERT_TRUE(write(Verb::merge_patch, "poddisruptionbudgets.policy", "b",
                      Value::object({{"status", Value::object({{"currentHealthy", healthy},
                                                               {"desiredHealthy", 1},
                                                               {"expectedPods", 2},
                                                               {"disruptionsAllowed", allowed},
                                                               {"observedGeneration", 1}})}}),
                      "status")
                    .ok());
  }
  Result<Value> evict() {
    return write(cluster::Write::Verb::create, "pods", "p",
                 Value::object({{"metadata", Value::object({{"name", "p"}})}}), "eviction");
  }

  host::VirtualLoop loop_;
  Prng rng_{1};
  std::unique_ptr<store::Store> store_ = store::Store::in_memory(loop_);
  std::unique_ptr<Registry> registry_;
};

TEST_F(Eviction, TakesADisruptionAndSaysWhyThePodGoes) {
  make(true, nullptr, 2, 1);
  ASSERT_TRUE(evict().ok());
  const Value pod = registry_->get("pods", "default", "p");
  EXPECT_TRUE(model::is_deleting(pod));
  EXPECT_EQ(model::condition_of(pod, "DisruptionTarget")["reason"].as_string(),
            "EvictionByEvictionAPI");
  const Value budget = registry_->get("poddisruptionbudgets.policy", "default", "b");
  EXPECT_EQ(budget["status"]["disruptionsAllowed"].as_int(), 0);
  EXPECT_TRUE(budget["status"]["disruptedPods"].has("p"));
  EXPECT_EQ(model::condition_of(budget, "DisruptionAllowed")["reason"].as_string(),
            "InsufficientPods");
}

TEST_F(Eviction, IsRefusedWithoutADisruption) {
  make(true, nullptr, 1, 0);
  const auto refused = evict();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::too_many_requests);
  const Value pod = registry_->get("pods", "default", "p");
  EXPECT_TRUE(model::condition_of(pod, "DisruptionTarget").is_null());
}

TEST_F(Eviction, UnhealthyPodsGoIfTheBudgetIsHealthyOrSaysSo) {
  make(false, nullptr, 1, 0);
  EXPECT_TRUE(evict().ok());
}

TEST_F(Eviction, UnhealthyPodsStayWhileTooFewAreHealthy) {
  make(false, "IfHealthyBudget", 0, 0);
  EXPECT_FALSE(evict().ok());
}

TEST_F(Eviction, UnhealthyPodsAlwaysGoIfAllowed) {
  make(false, "AlwaysAllow", 0, 0);
  EXPECT_TRUE(evict().ok());
}

}  // namespace
}  // namespace keelson::registry
