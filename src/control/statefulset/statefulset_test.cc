#include "control/statefulset/statefulset.h"

#include <gtest/gtest.h>

#include <set>

#include "model/meta.h"

namespace keelson::control {
namespace {

using Verb = cluster::Write::Verb;

Value stateful_set(int replicas, const char* policy) {
  const Value labels = Value::object({{"app", "db"}});
  return Value::object(
      {{"apiVersion", "apps/v1"},
       {"kind", "StatefulSet"},
       {"metadata",
        Value::object({{"name", "db"}, {"namespace", "shop"}, {"uid", "s1"}, {"generation", 1}})},
       {"spec", Value::object(
                    {{"replicas", replicas},
                     {"podManagementPolicy", policy},
                     {"updateStrategy", Value::object({{"type", "RollingUpdate"}})},
                     {"selector", Value::object({{"matchLabels", labels}})},
                     {"template", Value::object({{"metadata", Value::object({{"labels", labels}})},
                                                 {"spec", Value::object({})}})}})}});
}

// Commits the plan to its end, every write as if it succeeded; the names of the pods made.
std::set<std::string> made_by(const StatefulSetInputs& inputs, std::size_t& stages) {
  std::set<std::string> pods;
  cluster::Plan plan =
      Script::run([inputs](Script& script) { return sync_stateful_set(inputs, script); });
  for (stages = 0; plan.then; ++stages) {
    std::vector<Result<Value>> results;
    for (const cluster::Write& write : plan.writes) {
      if (write.verb == Verb::create && write.resource == "pods") pods.insert(write.name);
      results.push_back(write.object);
    }
    plan = plan.then(std::move(results));
  }
  EXPECT_EQ(plan.error, "");
  return pods;
}

TEST(StatefulSet, OrderedMakesOnePodASync) {
  StatefulSetInputs inputs;
  inputs.set = stateful_set(3, "OrderedReady");
  std::size_t stages = 0;
  EXPECT_EQ(made_by(inputs, stages), std::set<std::string>{"db-0"});
}

TEST(StatefulSet, ALargeParallelSetIsMadeInBoundedSyncs) {
  StatefulSetInputs inputs;
  inputs.set = stateful_set(500, "Parallel");
  std::size_t stages = 0;
  const std::set<std::string> first = made_by(inputs, stages);
  EXPECT_GE(first.size(), 100u);
  EXPECT_LT(first.size(), 500u);
  EXPECT_LT(stages, 500u);
}

TEST(StatefulSet, AnotherSetsPodsAreNotAdopted) {
  StatefulSetInputs inputs;
  inputs.set = stateful_set(1, "OrderedReady");
  // Its labels match, its name does not.
  inputs.pods = {
      Value::object({{"kind", "Pod"},
                     {"metadata", Value::object({{"name", "cache-0"},
                                                 {"namespace", "shop"},
                                                 {"labels", Value::object({{"app", "db"}})}})}})};
  std::size_t stages = 0;
  EXPECT_EQ(made_by(inputs, stages), std::set<std::string>{"db-0"});
}

}  // namespace
}  // namespace keelson::control
