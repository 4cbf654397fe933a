#include "control/common/claims.h"

#include <gtest/gtest.h>

#include "control/common/expectations.h"
#include "model/meta.h"
#include "sched/memory_view.h"

namespace keelson::control {
namespace {

Value object(std::string_view kind, std::string_view name, std::string_view app) {
  return Value::object({{"apiVersion", "apps/v1"},
                        {"kind", kind},
                        {"metadata", Value::object({{"name", name},
                                                    {"namespace", "shop"},
                                                    {"uid", std::string(name) + "-uid"},
                                                    {"resourceVersion", "5"},
                                                    {"labels", Value::object({{"app", app}})}})}});
}

Value owned(Value child, const Value& owner) {
  child.edit("metadata").set("ownerReferences", Value::array({model::controller_reference(owner)}));
  return child;
}

struct Outcome {
  std::vector<std::string> written, claimed;
  std::string error;
};

Outcome claim_with(const Value& owner, const std::vector<Value>& candidates,
                   const std::vector<Result<Value>>& answers = {}) {
  Outcome outcome;
  const auto selector = model::LabelSelector::of_map(Value::object({{"app", "web"}}));
  cluster::Plan plan = Script::run([&](Script& script) -> Result<void> {
    TRY(const std::vector<Value> mine, claim(script, "pods", owner, selector, candidates));
    if (!script.waiting())
      for (const Value& one : mine) outcome.claimed.emplace_back(model::name_of(one));
    return {};
  });
  for (const cluster::Write& write : plan.writes) outcome.written.push_back(write.name);
  if (plan.then) {
    std::vector<Result<Value>> results = answers;
    while (results.size() < plan.writes.size()) results.push_back(Value::object());
    plan = plan.then(results);
  }
  outcome.error = plan.error;
  return outcome;
}

using Names = std::vector<std::string>;
const Value kOwner = object("ReplicaSet", "web", "web");

TEST(Claims, AdoptsReleasesAndLeavesOthersAlone) {
  const Outcome outcome = claim_with(
      kOwner, {owned(object("Pod", "mine", "web"), kOwner), object("Pod", "lone", "web"),
               owned(object("Pod", "strayed", "other"), kOwner), object("Pod", "foreign", "other"),
               owned(object("Pod", "theirs", "web"), object("ReplicaSet", "x", "x"))});
  EXPECT_EQ(outcome.written, (Names{"lone", "strayed"}));
  ASSERT_EQ(outcome.claimed.size(), 2u);
  EXPECT_EQ(outcome.claimed[0], "mine");
}

TEST(Claims, AnOwnerThatGoesChangesNothing) {
  Value going = kOwner;
  going.edit("metadata").set("deletionTimestamp", "2026-01-01T00:00:00Z");
  const Outcome outcome =
      claim_with(going, {owned(object("Pod", "mine", "web"), kOwner), object("Pod", "lone", "web"),
                         owned(object("Pod", "strayed", "other"), kOwner)});
  EXPECT_TRUE(outcome.written.empty());
  EXPECT_EQ(outcome.claimed, Names{"mine"});
}

TEST(Claims, WhatIsGoneIsNoError) {
  const Outcome outcome =
      claim_with(kOwner, {object("Pod", "lone", "web")}, {Error{Reason::not_found, "gone"}});
  EXPECT_EQ(outcome.error, "");
  EXPECT_TRUE(outcome.claimed.empty());
}

TEST(Claims, ARefusedAdoptionEndsTheSync) {
  const Outcome outcome =
      claim_with(kOwner, {object("Pod", "a", "web"), object("Pod", "b", "web")},
                 {Error{Reason::conflict, "changed a"}, Error{Reason::conflict, "changed b"}});
  EXPECT_EQ(outcome.error, "[changed a, changed b]");
}

TEST(Orphans, AreThoseWithoutAController) {
  sched::MemoryView view;
  Orphans orphans("pods");
  const Value lone = object("Pod", "lone", "web");
  view.put("pods", lone);
  orphans.observe({}, lone);
  ASSERT_EQ(orphans.list(view, "shop").size(), 1u);
  EXPECT_TRUE(orphans.list(view, "elsewhere").empty());
  const Value adopted = owned(lone, kOwner);
  view.put("pods", adopted);
  orphans.observe(lone, adopted);
  EXPECT_TRUE(orphans.list(view, "shop").empty());
}

TEST(Expectations, WaitForAViewThatIsBehind) {
  sched::MemoryView view;
  Expectations expectations;
  const cluster::Key owner{"shop", "web"};
  const Instant now = Instant::unix_seconds(1000);
  const Value made = object("Pod", "web-1", "web");
  expectations.created(owner, made, now);
  EXPECT_FALSE(expectations.satisfied(owner, view, now));
  view.put("pods", made);
  EXPECT_TRUE(expectations.satisfied(owner, view, now));

  expectations.deleted(owner, made, now);
  EXPECT_FALSE(expectations.satisfied(owner, view, now)) << "the view still has it";
  Value going = made;
  going.edit("metadata").set("deletionTimestamp", "2026-01-01T00:00:00Z");
  view.put("pods", going);
  EXPECT_TRUE(expectations.satisfied(owner, view, now));
}

TEST(Expectations, ALaterRevisionShowsThatTheCreationWasSeen) {
  sched::MemoryView view;
  Expectations expectations;
  const cluster::Key owner{"shop", "web"};
  const Instant now = Instant::unix_seconds(1000);
  expectations.created(owner, object("Pod", "web-1", "web"), now);
  Value later = object("Pod", "else", "web");
  later.edit("metadata").set("resourceVersion", "6");
  expectations.observe(later);
  EXPECT_TRUE(expectations.satisfied(owner, view, now)) << "made, seen and gone again";
}

TEST(Expectations, AreGivenUpInTheEnd) {
  sched::MemoryView view;
  Expectations expectations;
  const cluster::Key owner{"shop", "web"};
  const Instant now = Instant::unix_seconds(1000);
  expectations.created(owner, object("Pod", "web-1", "web"), now);
  EXPECT_FALSE(expectations.satisfied(owner, view, now + Duration::minutes(5)));
  EXPECT_TRUE(expectations.satisfied(owner, view, now + Duration::seconds(301)));
}

TEST(Claims, WhatIsOwnedHasTheFinalizerAndWhatIsReleasedHasNot) {
  const Value owner = Value::object(
      {{"apiVersion", "batch/v1"},
       {"kind", "Job"},
       {"metadata", Value::object({{"name", "j"}, {"namespace", "default"}, {"uid", "u-j"}})}});
  Value pod =
      Value::object({{"metadata", Value::object({{"name", "p"},
                                                 {"namespace", "default"},
                                                 {"uid", "u-p"},
                                                 {"resourceVersion", "7"},
                                                 {"finalizers", Value::array({"other"})}})}});
  const cluster::Write adopt = adoption("pods", owner, pod, "mine");
  EXPECT_EQ(adopt.revision, "7");
  EXPECT_EQ(adopt.object["metadata"]["finalizers"], Value::array({"other", "mine"}));
  pod.edit("metadata").set("finalizers", adopt.object["metadata"]["finalizers"]);
  const cluster::Write let_go = release("pods", owner, pod, "mine");
  EXPECT_EQ(let_go.object["metadata"]["finalizers"], Value::array({"other"}));
  EXPECT_EQ(finalizer_removal("pods", pod, "mine").object["metadata"]["finalizers"],
            Value::array({"other"}));
}

}  // namespace
}  // namespace keelson::control
