// The scheduler as a controller: what it writes, when it tries again, what it remembers.
#include "sched/scheduler.h"

#include <gtest/gtest.h>

#include "model/meta.h"
#include "sched/scheduler_harness.h"

namespace keelson::sched {
namespace {

std::vector<std::string> reasons(const Harness& harness) {
  std::vector<std::string> list;
  for (const auto& event : harness.events) list.push_back(event.reason);
  return list;
}

TEST(Scheduler, BindsAndSaysSo) {
  Harness harness;
  harness.apply("nodes", make_node("n1", "4", "8Gi"));
  harness.apply("pods", make_pod("web", "1", "1Gi"));
  harness.run();
  EXPECT_EQ(harness.node_of("web"), "n1");
  ASSERT_EQ(harness.events.size(), 1u);
  EXPECT_EQ(harness.events[0].message, "Successfully assigned default/web to n1");
  EXPECT_EQ(harness.scheduler.pending(), 0u);
}

TEST(Scheduler, TellsWhyAndTriesAgainWhenAChangeMayHelp) {
  Harness harness;
  harness.apply("nodes", make_node("n1", "1", "8Gi"));
  harness.apply("pods", make_pod("web", "2", "1Gi"));
  harness.run();
  const Value condition = model::condition_of(harness.pod("web"), "PodScheduled");
  EXPECT_EQ(condition["reason"].as_string(), "Unschedulable");
  EXPECT_EQ(condition["message"].as_string(),
            "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: "
            "0/1 nodes are available: 1 Preemption is not helpful for scheduling.");
  const std::size_t before = harness.reconciles;
  // A heartbeat, a pod elsewhere, an hour's fraction: none helps.
  Value node = harness.view.get("nodes", "", "n1");
  node.edit("status").set("heartbeat", 1);
  harness.apply("nodes", node);
  harness.advance(Duration::minutes(2));
  EXPECT_LE(harness.reconciles, before + 2);
  EXPECT_EQ(reasons(harness), (std::vector<std::string>{"FailedScheduling"}));
  harness.apply("nodes", make_node("n2", "4", "8Gi"));
  harness.run();
  EXPECT_EQ(harness.node_of("web"), "n2");
}

TEST(Scheduler, TriesAgainAfterFiveMinutes) {
  Harness harness;
  harness.apply("nodes", make_node("n1", "1", "8Gi"));
  harness.apply("pods", make_pod("web", "2", "1Gi"));
  harness.advance(Duration::minutes(4));
  EXPECT_EQ(reasons(harness).size(), 1u);
  harness.advance(Duration::minutes(2));
  EXPECT_EQ(reasons(harness).size(), 2u);
}

TEST(Scheduler, MoreImportantFirst) {
  Harness harness;
  harness.apply("pods", make_pod("low", "3", "1Gi", 1));
  harness.apply("pods", make_pod("high", "3", "1Gi", 100));
  harness.apply("nodes", make_node("n1", "4", "8Gi"));
  harness.run();
  EXPECT_EQ(harness.node_of("high"), "n1");
  EXPECT_EQ(harness.node_of("low"), "");
}

TEST(Scheduler, EvictsLessImportantPodsAndTakesTheirPlace) {
  Harness harness;
  harness.graceful = true;
  harness.apply("nodes", make_node("n1", "4", "8Gi"));
  harness.apply("pods", make_pod("low", "3", "1Gi", 1));
  harness.run();
  harness.apply("pods", make_pod("high", "3", "1Gi", 100));
  harness.run();
  EXPECT_TRUE(model::is_deleting(harness.pod("low")));
  EXPECT_EQ(model::condition_of(harness.pod("low"), "DisruptionTarget")["message"].as_string(),
            "default-scheduler: preempting to accommodate a higher priority pod");
  EXPECT_EQ(harness.pod("high").at("status.nominatedNodeName").as_string(), "n1");
  EXPECT_EQ(reasons(harness),
            (std::vector<std::string>{"Scheduled", "FailedScheduling", "Preempted"}));
  // The room is promised: a less important pod does not slip in while the victim goes.
  harness.apply("pods", make_pod("thief", "2", "1Gi", 5));
  harness.run();
  harness.remove("pods", "default", "low");
  harness.advance(Duration::seconds(2));
  EXPECT_EQ(harness.node_of("high"), "n1");
  EXPECT_EQ(harness.node_of("thief"), "");
}

TEST(Scheduler, WaitsForItsVictimsInsteadOfEvictingMore) {
  Harness harness;
  harness.graceful = true;
  harness.apply("nodes", make_node("n1", "4", "8Gi"));
  harness.apply("nodes", make_node("n2", "4", "8Gi"));
  harness.apply("pods", make_pod("a", "3", "1Gi", 1));
  harness.apply("pods", make_pod("b", "3", "1Gi", 1));
  harness.run();
  harness.apply("pods", make_pod("high", "3", "1Gi", 100));
  harness.advance(Duration::minutes(12));  // tried again at least twice
  EXPECT_NE(model::is_deleting(harness.pod("a")), model::is_deleting(harness.pod("b")));
}

TEST(Scheduler, AFailedBindingFreesTheRoom) {
  Harness harness;
  harness.apply("nodes", make_node("n1", "4", "8Gi"));
  harness.apply("pods", make_pod("web", "3", "1Gi"));
  harness.binding_error = Error{.message = "the disk is on fire"};
  harness.run();
  EXPECT_EQ(harness.node_of("web"), "");
  EXPECT_EQ(harness.scheduler.snapshot().node("n1")->pods().size(), 0u);
  harness.advance(Duration::seconds(1));
  EXPECT_EQ(harness.node_of("web"), "n1");
}

TEST(Scheduler, GatesHoldAPod) {
  Harness harness;
  harness.apply("nodes", make_node("n1", "4", "8Gi"));
  Value pod = make_pod("web", "1", "1Gi");
  pod.edit("spec").set("schedulingGates", Value::array({Value::object({{"name", "x.io/y"}})}));
  harness.apply("pods", pod);
  harness.advance(Duration::minutes(6));
  EXPECT_EQ(harness.node_of("web"), "");
  pod.edit("spec").erase("schedulingGates");
  harness.apply("pods", pod);
  harness.run();
  EXPECT_EQ(harness.node_of("web"), "n1");
}

TEST(Scheduler, FinishedPodsTakeNoRoom) {
  Harness harness;
  harness.apply("nodes", make_node("n1", "4", "8Gi"));
  harness.apply("pods", make_pod("job", "3", "1Gi"));
  harness.apply("pods", make_pod("web", "3", "1Gi"));
  harness.run();
  const std::string first = harness.node_of("job").empty() ? "web" : "job";
  const std::string second = first == "web" ? "job" : "web";
  EXPECT_EQ(harness.node_of(second), "");
  Value done = harness.pod(first);
  done.edit("status").set("phase", "Succeeded");
  harness.apply("pods", done);
  harness.run();
  EXPECT_EQ(harness.node_of(second), "n1");
}

TEST(Scheduler, LeavesPodsOfOtherSchedulersAlone) {
  Harness harness;
  harness.apply("nodes", make_node("n1", "4", "8Gi"));
  Value pod = make_pod("web", "1", "1Gi");
  pod.edit("spec").set("schedulerName", "mine");
  harness.apply("pods", pod);
  harness.run();
  EXPECT_EQ(harness.node_of("web"), "");
}

TEST(Scheduler, LateBindingSelectsTheNodeAndWaitsForTheVolume) {
  Harness harness;
  harness.apply("nodes", make_node("n1", "4", "8Gi"));
  Value storage =
      Value::object({{"provisioner", "csi.x.io"}, {"volumeBindingMode", "WaitForFirstConsumer"}});
  storage.edit("metadata").set("name", "late");
  harness.apply("storageclasses.storage.k8s.io", storage);
  Value claim = Value::object();
  claim.edit("metadata").set("name", "data");
  claim.edit("metadata").set("namespace", "default");
  claim.edit("spec").set("storageClassName", "late");
  harness.apply("persistentvolumeclaims", claim);
  Value pod = make_pod("db", "1", "1Gi");
  Value volume = Value::object({{"name", "d"}});
  volume.edit("persistentVolumeClaim").set("claimName", "data");
  pod.edit("spec").set("volumes", Value::array({volume}));
  harness.apply("pods", pod);
  harness.run();
  EXPECT_EQ(harness.node_of("db"), "");
  claim = harness.view.get("persistentvolumeclaims", "default", "data");
  EXPECT_EQ(model::annotation_of(claim, "volume.kubernetes.io/selected-node"), "n1");
  claim.edit("spec").set("volumeName", "pv1");
  claim.edit("metadata").edit("annotations").set("pv.kubernetes.io/bind-completed", "yes");
  Value bound = Value::object();
  bound.edit("metadata").set("name", "pv1");
  harness.apply("persistentvolumes", bound);
  harness.apply("persistentvolumeclaims", claim);
  harness.run();
  EXPECT_EQ(harness.node_of("db"), "n1");
}

TEST(Scheduler, DevicesAreAllocatedBeforeTheBindingAndNeverTwice) {
  Harness harness;
  harness.apply("nodes", make_node("n1", "4", "8Gi"));
  const auto named = [](std::string_view name) {
    Value object = Value::object();
    object.edit("metadata").set("name", name);
    return object;
  };
  Value device_class = named("gpu");
  Value selector = Value::object();
  selector.edit("cel").set("expression", "device.driver == 'x.io' && device.attributes['x.io'].ok");
  device_class.edit("spec").set("selectors", Value::array({selector}));
  harness.apply("deviceclasses.resource.k8s.io", device_class);
  Value slice = named("s");
  Value& spec = slice.edit("spec");
  spec.set("driver", "x.io");
  spec.set("nodeName", "n1");
  spec.set("pool", Value::object({{"name", "p"}, {"generation", 1}, {"resourceSliceCount", 1}}));
  Value good = Value::object({{"name", "good"}}), bad = Value::object({{"name", "bad"}});
  good.edit("attributes").edit("ok").set("bool", true);
  bad.edit("attributes").edit("ok").set("bool", false);
  spec.set("devices", Value::array({bad, good}));
  harness.apply("resourceslices.resource.k8s.io", slice);
  for (const char* name : {"a", "b"}) {
    Value claim = named(name);
    claim.edit("metadata").set("namespace", "default");
    Value request = Value::object({{"name", "r"}});
    request.edit("exactly").set("deviceClassName", "gpu");
    claim.edit("spec").edit("devices").set("requests", Value::array({request}));
    harness.apply("resourceclaims.resource.k8s.io", claim);
    Value pod = make_pod(std::string("pod-") + name, "1", "1Gi");
    pod.edit("spec").set(
        "resourceClaims",
        Value::array({Value::object({{"name", "c"}, {"resourceClaimName", name}})}));
    harness.apply("pods", pod);
  }
  harness.run();
  EXPECT_EQ(harness.node_of("pod-a"), "n1");
  EXPECT_EQ(harness.node_of("pod-b"), "");
  const Value claim = harness.view.get("resourceclaims.resource.k8s.io", "default", "a");
  EXPECT_EQ(claim.at("status.allocation.devices.results")[0]["device"].as_string(), "good");
  EXPECT_EQ(claim.at("status.reservedFor")[0]["name"].as_string(), "pod-a");
  EXPECT_EQ(model::condition_of(harness.pod("pod-b"), "PodScheduled")["message"].as_string(),
            "0/1 nodes are available: 1 cannot allocate all claims. still not schedulable, "
            "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.");
}

TEST(Scheduler, StartsFromWhatExists) {
  // A new scheduler is told of everything as if it were new, in any order of resources.
  Harness harness;
  Value bound = make_pod("old", "3", "1Gi");
  bound.edit("spec").set("nodeName", "n1");
  harness.apply("pods", bound);
  harness.apply("nodes", make_node("n1", "4", "8Gi"));
  harness.apply("pods", make_pod("new", "2", "1Gi"));
  harness.run();
  EXPECT_EQ(harness.node_of("new"), "");
}

TEST(Scheduler, EqualNodesShareFairly) {
  Harness harness;
  for (const char* name : {"a", "b", "c", "d"})
    harness.apply("nodes", make_node(name, "100", "100Gi"));
  for (int i = 0; i < 40; ++i) harness.apply("pods", make_pod("p" + std::to_string(i), "1", "1Gi"));
  harness.run();
  for (const char* name : {"a", "b", "c", "d"})
    EXPECT_EQ(harness.scheduler.snapshot().node(name)->pods().size(), 10u);
}

}  // namespace
}  // namespace keelson::sched
