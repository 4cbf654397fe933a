#include "control/gc/gc.h"

#include <gtest/gtest.h>

#include "control/common/templates.h"
#include "model/meta.h"
#include "sched/memory_view.h"

namespace keelson::control {
namespace {

using Verb = cluster::Write::Verb;

Value object(std::string_view kind, std::string_view name, std::string_view uid) {
  return Value::object(
      {{"apiVersion", kind == "Pod" ? "v1" : "apps/v1"},
       {"kind", kind},
       {"metadata",
        Value::object(
            {{"name", name}, {"namespace", "default"}, {"uid", uid}, {"resourceVersion", "7"}})}});
}

void own(Value& child, const Value& owner) {
  child.edit("metadata").edit("ownerReferences").push_back(model::controller_reference(owner));
}

void begin_deletion(Value& object, std::string_view finalizer) {
  object.edit("metadata").set("deletionTimestamp", "2026-01-01T00:00:00Z");
  object.edit("metadata").edit("finalizers").push_back(finalizer);
}

// A Deployment, its ReplicaSet and a pod of that, under the collector's watches.
class Gc : public ::testing::Test {
 protected:
  Gc()
      : collector_({{"deployments.apps", "apps", "Deployment", true},
                    {"pods", "", "Pod", true},
                    {"replicasets.apps", "apps", "ReplicaSet", true}}) {
    own(set_, deployment_);
    own(pod_, set_);
    for (const Value* one : {&deployment_, &set_, &pod_}) put(*one);
  }
  static std::string resource_of(const Value& object) {
    const std::string_view kind = model::kind_of(object);
    return kind == "Pod" ? "pods" : kind == "Deployment" ? "deployments.apps" : "replicasets.apps";
  }
  std::vector<std::string> announce(const Value& before, const Value& after) {
    std::vector<std::string> names;
    const std::string resource = resource_of(after.is_null() ? before : after);
    for (const cluster::Watch& watch : collector_.watches())
      if (watch.resource == resource)
        for (const cluster::Key& key : watch.keys(view_, before, after)) names.push_back(key.name);
    return names;
  }
  std::vector<std::string> put(const Value& object) {
    const Value before = view_.get(resource_of(object), "default", model::name_of(object));
    view_.put(resource_of(object), object);
    return announce(before, object);
  }
  std::vector<std::string> remove(const Value& object) {
    view_.remove(resource_of(object), "default", model::name_of(object));
    return announce(object, Value());
  }
  cluster::Plan sync(const std::string& name) {
    const cluster::Key key{"default", name};
    return collector_.reconcile({view_, key, Instant(), rng_});
  }

  GarbageCollector collector_;
  sched::MemoryView view_;
  Prng rng_{1};
  Value deployment_ = object("Deployment", "web", "d1");
  Value set_ = object("ReplicaSet", "web-1", "r1");
  Value pod_ = object("Pod", "web-1-a", "p1");
};

using Names = std::vector<std::string>;

TEST_F(Gc, AnOwnedObjectNeedsNoLook) {
  EXPECT_EQ(put(object("Pod", "lone", "p9")), Names{});
  Value another = object("Pod", "web-1-b", "p2");
  own(another, set_);
  EXPECT_EQ(put(another), Names{});
  EXPECT_TRUE(sync("pods/web-1-b").writes.empty());
}

TEST_F(Gc, WhatHasLostItsOwnerIsDeleted) {
  EXPECT_EQ(remove(set_), Names{"pods/web-1-a"});
  const cluster::Plan plan = sync("pods/web-1-a");
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].verb, Verb::remove);
  EXPECT_EQ(plan.writes[0].uid, "p1");
  EXPECT_EQ(plan.writes[0].propagation, "Background");
}

TEST_F(Gc, AnotherObjectOfTheOwnersNameIsNotTheOwner) {
  remove(set_);
  put(object("ReplicaSet", "web-1", "r2"));
  ASSERT_EQ(sync("pods/web-1-a").writes.size(), 1u);
}

TEST_F(Gc, OfTwoOwnersTheDeadOneIsForgotten) {
  const Value other = object("ReplicaSet", "other", "r3");
  put(other);
  own(pod_, other);
  put(pod_);
  remove(other);
  const cluster::Plan plan = sync("pods/web-1-a");
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].verb, Verb::merge_patch);
  const Value& left = plan.writes[0].object.at("metadata.ownerReferences");
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0]["uid"].as_string(), "r1");
}

TEST_F(Gc, AnOwnerOfAnUnknownKindKeepsItsObjects) {
  Value foreign = Value::object({{"apiVersion", "example.com/v1"},
                                 {"kind", "Widget"},
                                 {"metadata", Value::object({{"name", "w"}, {"uid", "w1"}})}});
  Value pod = object("Pod", "p", "p5");
  own(pod, foreign);
  put(pod);
  EXPECT_TRUE(sync("pods/p").writes.empty());
}

TEST_F(Gc, ForegroundDeletionWaitsForWhatBlocks) {
  begin_deletion(deployment_, "foregroundDeletion");
  EXPECT_EQ(put(deployment_), (Names{"deployments.apps/web", "replicasets.apps/web-1"}));
  EXPECT_TRUE(sync("deployments.apps/web").writes.empty());

  // The set has a pod: it goes in the foreground too.
  cluster::Plan plan = sync("replicasets.apps/web-1");
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].propagation, "Foreground");
  begin_deletion(set_, "foregroundDeletion");
  EXPECT_EQ(put(set_), (Names{"replicasets.apps/web-1", "pods/web-1-a"}));
  EXPECT_EQ(sync("pods/web-1-a").writes[0].propagation, "Background");

  EXPECT_EQ(remove(pod_), Names{"replicasets.apps/web-1"});
  plan = sync("replicasets.apps/web-1");
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].verb, Verb::merge_patch);
  EXPECT_TRUE(plan.writes[0].object["metadata"]["finalizers"].is_null());
  EXPECT_EQ(remove(set_), Names{"deployments.apps/web"});
  EXPECT_EQ(sync("deployments.apps/web").writes.size(), 1u);
}

TEST_F(Gc, OrphaningLetsGoFirst) {
  begin_deletion(set_, "orphan");
  EXPECT_EQ(put(set_), Names{"replicasets.apps/web-1"});
  cluster::Plan plan = sync("replicasets.apps/web-1");
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].name, "web-1-a");
  EXPECT_TRUE(plan.writes[0].object["metadata"].has("ownerReferences"));
  plan = plan.then({pod_});
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].name, "web-1");
  EXPECT_TRUE(plan.writes[0].object["metadata"].has("finalizers"));
}

TEST_F(Gc, ARefusedReleaseKeepsTheFinalizer) {
  begin_deletion(set_, "orphan");
  put(set_);
  cluster::Plan plan = sync("replicasets.apps/web-1");
  plan = plan.then({Error{Reason::conflict, "changed"}});
  EXPECT_TRUE(plan.writes.empty());
  EXPECT_EQ(plan.error, "changed");
}

}  // namespace
}  // namespace keelson::control
