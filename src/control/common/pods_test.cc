#include "control/common/pods.h"

#include <gtest/gtest.h>

#include "model/meta.h"

namespace keelson::control {
namespace {

const Instant kNow = Instant::unix_seconds(1'800'000'000);

struct PodSpec {
  std::string name;
  bool bound = true, ready = true;
  std::string phase = "Running", node = "n1", cost = "", uid = "";
  Duration age = Duration::hours(1), ready_for = Duration::minutes(50);
  int restarts = 0;
};

Value make(const PodSpec& spec) {
  Value pod = Value::object(
      {{"metadata", Value::object({{"name", spec.name},
                                   {"uid", spec.uid.empty() ? spec.name : spec.uid},
                                   {"creationTimestamp", to_rfc3339(kNow - spec.age)}})},
       {"spec", Value::object({})},
       {"status",
        Value::object(
            {{"phase", spec.phase},
             {"conditions", Value::array({Value::object(
                                {{"type", "Ready"},
                                 {"status", spec.ready ? "True" : "False"},
                                 {"lastTransitionTime", to_rfc3339(kNow - spec.ready_for)}})})},
             {"containerStatuses",
              Value::array({Value::object({{"restartCount", spec.restarts}})})}})}});
  if (spec.bound) pod.edit("spec").set("nodeName", spec.node);
  if (!spec.cost.empty())
    pod.edit("metadata")
        .edit("annotations")
        .set("controller.kubernetes.io/pod-deletion-cost", spec.cost);
  return pod;
}

std::vector<std::string> ranked(const std::vector<PodSpec>& specs,
                                const std::vector<PodSpec>& others = {}) {
  Pods pods, related;
  for (const PodSpec& spec : specs) pods.push_back(make(spec));
  related = pods;
  for (const PodSpec& spec : others) related.push_back(make(spec));
  rank_for_deletion(pods, related, kNow);
  std::vector<std::string> names;
  for (const Value& pod : pods) names.emplace_back(model::name_of(pod));
  return names;
}

using Names = std::vector<std::string>;

TEST(PodRanking, EachRuleInItsOrder) {
  EXPECT_EQ(ranked({{.name = "kept"}, {.name = "goes", .bound = false}}), (Names{"goes", "kept"}));
  EXPECT_EQ(ranked({{.name = "kept"}, {.name = "goes", .phase = "Pending"}}),
            (Names{"goes", "kept"}));
  EXPECT_EQ(ranked({{.name = "kept"}, {.name = "goes", .ready = false}}), (Names{"goes", "kept"}));
  EXPECT_EQ(ranked({{.name = "kept"}, {.name = "goes", .cost = "-1"}}), (Names{"goes", "kept"}));
  EXPECT_EQ(
      ranked({{.name = "kept"}, {.name = "goes", .node = "n2"}}, {{.name = "other", .node = "n2"}}),
      (Names{"goes", "kept"}));
  EXPECT_EQ(ranked({{.name = "kept"}, {.name = "goes", .ready_for = Duration::minutes(1)}}),
            (Names{"goes", "kept"}));
  EXPECT_EQ(ranked({{.name = "kept"}, {.name = "goes", .restarts = 3}}), (Names{"goes", "kept"}));
  EXPECT_EQ(ranked({{.name = "kept"}, {.name = "goes", .age = Duration::minutes(5)}}),
            (Names{"goes", "kept"}));
}

TEST(PodRanking, AnEarlierRuleWins) {
  EXPECT_EQ(ranked({{.name = "unbound", .bound = false, .cost = "100"},
                    {.name = "cheap", .cost = "-100"}}),
            (Names{"unbound", "cheap"}));
}

TEST(PodRanking, AgesOfOneMagnitudeAreDrawnByUid) {
  EXPECT_EQ(ranked({{.name = "a", .uid = "2", .age = Duration::minutes(50)},
                    {.name = "b", .uid = "1", .age = Duration::minutes(55)}}),
            (Names{"b", "a"}));
}

TEST(PodRanking, MalformedCostsCountAsNone) {
  EXPECT_EQ(ranked({{.name = "a", .cost = "+5", .restarts = 1}, {.name = "b", .cost = "x"}}),
            (Names{"a", "b"}));
}

TEST(PodRanking, AgeRankIsTheBinaryLogarithm) {
  EXPECT_EQ(age_rank(Duration::nanoseconds(0)), -1);
  EXPECT_EQ(age_rank(Duration::nanoseconds(1)), 0);
  EXPECT_EQ(age_rank(Duration::nanoseconds(1023)), 9);
  EXPECT_EQ(age_rank(Duration::nanoseconds(1024)), 10);
}

TEST(PodAvailability, TheVeryMomentCounts) {
  const Value pod = make({.name = "p", .ready_for = Duration::seconds(10)});
  EXPECT_TRUE(pod_is_available(pod, Duration::seconds(10), kNow));
  EXPECT_FALSE(pod_is_available(pod, Duration::seconds(11), kNow));
  EXPECT_EQ(next_availability({pod}, Duration::seconds(11), kNow), kNow + Duration::seconds(1));
  EXPECT_EQ(next_availability({pod}, Duration::seconds(10), kNow), std::nullopt);
}

TEST(PodFromTemplate, TakesWhatTheTemplateSaysAndItsOwner) {
  const Value owner = Value::object(
      {{"apiVersion", "apps/v1"},
       {"kind", "ReplicaSet"},
       {"metadata", Value::object({{"name", "web"}, {"namespace", "shop"}, {"uid", "u"}})}});
  const Value pod_template =
      Value::object({{"metadata", Value::object({{"labels", Value::object({{"app", "web"}})}})},
                     {"spec", Value::object({{"nodeName", "n1"}})}});
  const Value pod = pod_from_template(pod_template, owner);
  EXPECT_EQ(pod.at("metadata.generateName").as_string(), "web-");
  EXPECT_EQ(model::label_of(pod, "app"), "web");
  EXPECT_TRUE(model::is_controlled_by(pod, "u"));
  EXPECT_EQ(pod["spec"], pod_template["spec"]);
}

}  // namespace
}  // namespace keelson::control
