// Pods through their whole life on the simulated driver, in virtual time.
#include <gtest/gtest.h>

#include <algorithm>

#include "codec/json.h"
#include "host/virtual_loop.h"
#include "node/node_host.h"
#include "node/simulated_driver.h"
#include "node/test_cluster.h"

namespace keelson::node {
namespace {

Value parse(std::string_view text) {
  auto value = codec::parse_json(text);
  EXPECT_TRUE(value.ok()) << value.error().message;
  return *value;
}

class SimulatedPods : public testing::Test {
 protected:
  SimulatedPods()
      : cluster_(loop_),
        driver_(cluster_,
                [this](const Value&, const Value& c) {
                  const auto at = models_.find(c["name"].str());
                  return at == models_.end() ? PodModel() : at->second;
                }),
        host_(cluster_, driver_, images_, {}) {
    cluster_.put_object("nodes", parse(R"({"metadata": {"name": "n1",
        "labels": {"keelson.dev/pool": "a"},
        "annotations": {"keelson.dev/capacity": "{\"cpu\":\"4\",\"memory\":\"8Gi\"}"}}})"));
    host_.start([](Result<void> result) { ASSERT_TRUE(result.ok()); });
    loop_.run_for(Duration::seconds(1));
    cluster_.notes.clear();
  }

  void create(std::string_view spec, std::string_view annotations = "{}") {
    Value pod = parse(R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p",
        "namespace": "default", "generation": 1, "uid": "u1"}})");
    pod.set("spec", parse(spec));
    pod.edit("spec").set("nodeName", "n1");
    pod.edit("metadata").set("annotations", parse(annotations));
    cluster_.put_object("pods", pod);
  }
  Value pod() { return cluster_.get("pods", "default", "p"); }
  Value status() { return pod()["status"]; }
  Value container(int index = 0) { return status()["containerStatuses"][index]; }
  std::string condition(std::string_view type) {
    return model::condition_of(pod(), type)["status"].str();
  }
  void remove(std::optional<std::int64_t> grace = {}) {
    (void)cluster_.apply({.verb = cluster::Write::Verb::remove,
                          .resource = "pods",
                          .namespace_ = "default",
                          .name = "p",
                          .grace_seconds = grace});
  }
  bool has_event(const std::string& text) {
    const auto events = cluster_.events();
    return std::find(events.begin(), events.end(), text) != events.end();
  }
  std::string id(int index = 0) {
    return container(index)["containerID"].str().substr(std::string("simulated://").size());
  }
  void run(Duration time) { loop_.run_for(time); }

  host::VirtualLoop loop_;
  TestCluster cluster_;
  std::map<std::string, PodModel> models_;
  SimulatedDriver driver_;
  SimulatedImages images_;
  NodeHost host_;
};

constexpr auto kWeb = R"({"containers": [{"name": "web", "image": "web:1",
  "ports": [{"name": "http", "containerPort": 8080}],
  "readinessProbe": {"httpGet": {"port": "http", "path": "/ready"}, "periodSeconds": 5}}]})";

TEST(RecoveredPods, EndWithTheirObjectsEvenIfTheirNodeIsNotHosted) {
  host::VirtualLoop loop;
  TestCluster cluster(loop);
  SimulatedDriver driver(cluster, [](const Value&, const Value&) { return PodModel(); });
  SimulatedImages images;
  auto host = std::make_unique<NodeHost>(cluster, driver, images, NodeHost::Options{});
  cluster.put_object("nodes", parse(R"({"metadata": {"name": "n1",
      "labels": {"keelson.dev/pool": "a"}}})"));
  host->start([](Result<void>) {});
  cluster.put_object("pods", parse(R"({"metadata": {"name": "p", "namespace": "default",
      "uid": "u1"}, "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}})"));
  loop.run_for(Duration::seconds(5));
  const auto running = [&] {
    std::size_t count = 99;
    driver.recover([&](Result<std::vector<RecoveredPod>> found) { count = found->size(); });
    loop.run_for(Duration::seconds(1));
    return count;
  };
  EXPECT_EQ(running(), 1u);
  host.reset();
  Value node = cluster.get("nodes", "", "n1");
  node.edit("metadata").erase("labels");
  cluster.put_object("nodes", node);
  host = std::make_unique<NodeHost>(cluster, driver, images, NodeHost::Options{});
  host->start([](Result<void>) {});
  loop.run_for(Duration::seconds(10));
  EXPECT_EQ(running(), 1u);
  (void)cluster.apply({.verb = cluster::Write::Verb::remove,
                       .resource = "pods",
                       .namespace_ = "default",
                       .name = "p",
                       .grace_seconds = 0});
  loop.run_for(Duration::seconds(10));
  EXPECT_EQ(running(), 0u);
}

// A cluster that refuses what nodes write of pods while it is told to.
class RefusingCluster : public TestCluster {
 public:
  using TestCluster::TestCluster;
  void commit(cluster::Write write, std::function<void(Result<codec::Value>)> done) override {
    if (!refusing || write.resource != "pods") return TestCluster::commit(write, std::move(done));
    ++refused;
    answers_.push_back(call_at(now(), [done = std::move(done)] {
      done(Error{Reason::invalid, "no such field"});
    }));
  }
  bool refusing = true;
  int refused = 0;

 private:
  std::vector<std::shared_ptr<void>> answers_;
};

TEST(RefusedStatuses, AreWrittenLessAndLessOftenAndTold) {
  host::VirtualLoop loop;
  RefusingCluster cluster(loop);
  SimulatedDriver driver(cluster, [](const Value&, const Value&) { return PodModel(); });
  SimulatedImages images;
  NodeHost host(cluster, driver, images, {});
  cluster.put_object("nodes", parse(R"({"metadata": {"name": "n1",
      "labels": {"keelson.dev/pool": "a"}}})"));
  host.start([](Result<void>) {});
  cluster.put_object("pods", parse(R"({"metadata": {"name": "p", "namespace": "default",
      "uid": "u1"}, "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}})"));
  loop.run_for(Duration::minutes(10));
  EXPECT_GT(cluster.refused, 10);
  EXPECT_LT(cluster.refused, 40);  // 0.2 s, 0.4 s, ... 30 s
  ASSERT_EQ(host.problems().size(), 1u);
  EXPECT_NE(host.problems()[0].find("no such field"), std::string::npos) << host.problems()[0];
  cluster.refusing = false;
  loop.run_for(Duration::seconds(31));
  EXPECT_TRUE(host.problems().empty());
  EXPECT_EQ(cluster.get("pods", "default", "p")["status"]["phase"].str(), "Running");
}

TEST_F(SimulatedPods, NodeReportsItself) {
  const Value node = cluster_.get("nodes", "", "n1");
  EXPECT_TRUE(model::condition_is_true(node, "Ready"));
  EXPECT_EQ(node["status"]["allocatable"]["cpu"].str(), "4");
  const Value lease = cluster_.get("leases.coordination.k8s.io", "kube-node-lease", "n1");
  EXPECT_EQ(lease["spec"]["holderIdentity"].str(), "n1");
  const int before = cluster_.writes("leases.coordination.k8s.io/");
  run(Duration::seconds(100));
  EXPECT_EQ(cluster_.writes("leases.coordination.k8s.io/") - before, 10);
  EXPECT_EQ(cluster_.writes("nodes/status"), 1);
}

TEST_F(SimulatedPods, RunsAndBecomesReady) {
  models_["web"].warm_up = Duration::milliseconds(300);
  create(kWeb);
  run(Duration::milliseconds(150));
  EXPECT_EQ(status()["phase"].str(), "Pending");
  EXPECT_EQ(container()["state"]["waiting"]["reason"].str(), "ContainerCreating");
  EXPECT_EQ(condition("PodReadyToStartContainers"), "True");
  run(Duration::milliseconds(150));
  EXPECT_EQ(status()["phase"].str(), "Running");
  EXPECT_EQ(condition("Ready"), "False");
  EXPECT_EQ(model::condition_of(pod(), "Ready")["message"].str(),
            "containers with unready status: [web]");
  run(Duration::seconds(1));
  EXPECT_EQ(condition("Ready"), "True");
  EXPECT_TRUE(container()["ready"].as_bool());
  EXPECT_TRUE(container()["started"].as_bool());
  EXPECT_EQ(container()["restartCount"].as_int(), 0);
  EXPECT_EQ(status()["podIP"].str(), "10.128.0.1");
  EXPECT_EQ(status()["qosClass"].str(), "BestEffort");
  const std::vector<std::string> expected = {
      "Pulled Container image \"web:1\" already present on machine and can be accessed by the pod",
      "Created Container created", "Started Container started"};
  EXPECT_EQ(cluster_.events(), expected);
  EXPECT_EQ(cluster_.notes[2].field_path, "spec.containers{web}");
}

TEST_F(SimulatedPods, AnIdlePodWritesNothing) {
  create(kWeb);
  run(Duration::seconds(5));
  const int before = cluster_.writes("pods/status");
  run(Duration::hours(1));
  EXPECT_EQ(cluster_.writes("pods/status"), before);
}

TEST_F(SimulatedPods, CrashLoopBacksOffFromTenSecondsToFiveMinutes) {
  models_["web"].run_time = Duration::seconds(1);
  models_["web"].exit_code = 3;
  create(R"({"containers": [{"name": "web", "image": "web:1"}]})");
  run(Duration::milliseconds(2500));
  // The first restart is at once, the second after ten seconds.
  EXPECT_EQ(container()["restartCount"].as_int(), 1);
  EXPECT_EQ(container()["state"]["waiting"]["reason"].str(), "CrashLoopBackOff");
  EXPECT_EQ(container()["state"]["waiting"]["message"].str(),
            "back-off 10s restarting failed container=web pod=p_default(u1)");
  EXPECT_EQ(container()["lastState"]["terminated"]["exitCode"].as_int(), 3);
  EXPECT_EQ(container()["lastState"]["terminated"]["reason"].str(), "Error");
  EXPECT_EQ(status()["phase"].str(), "Running");
  EXPECT_TRUE(has_event("BackOff Back-off restarting failed container web in pod p_default(u1)"));
  run(Duration::seconds(10));
  EXPECT_EQ(container()["restartCount"].as_int(), 2);
  run(Duration::minutes(60));
  // 10, 20, 40, 80, 160, then 300 s each.
  EXPECT_NEAR(static_cast<double>(container()["restartCount"].as_int()), 17, 1);
  EXPECT_TRUE(container()["state"]["waiting"]["message"].as_string().starts_with("back-off 5m0s"));
}

TEST_F(SimulatedPods, DeletionIsGraceful) {
  models_["web"].stop_time = Duration::seconds(4);
  create(kWeb);
  run(Duration::seconds(3));
  remove();
  run(Duration::seconds(3));
  EXPECT_TRUE(has_event("Killing Stopping container web"));
  EXPECT_EQ(status()["phase"].str(), "Running");
  run(Duration::seconds(2));
  EXPECT_TRUE(pod().is_null());
  EXPECT_EQ(host_.pods(), 0u);
}

TEST_F(SimulatedPods, AStubbornContainerIsKilledAfterItsGrace) {
  models_["web"].stop_time = Duration::max();
  create(R"({"terminationGracePeriodSeconds": 7, "containers": [{"name": "web", "image": "w"}]})");
  run(Duration::seconds(3));
  remove();
  run(Duration::milliseconds(6900));
  EXPECT_FALSE(pod().is_null());
  run(Duration::milliseconds(200));
  EXPECT_TRUE(pod().is_null());
}

TEST_F(SimulatedPods, AForcedDeletionStillEndsTheContainers) {
  create(kWeb);
  run(Duration::seconds(3));
  remove(0);
  EXPECT_TRUE(pod().is_null());
  run(Duration::seconds(3));
  EXPECT_EQ(host_.pods(), 0u);
  EXPECT_TRUE(host_.samples().empty());
}

TEST_F(SimulatedPods, PreStopRunsWithinTheGrace) {
  create(R"({"terminationGracePeriodSeconds": 30, "containers": [{"name": "web", "image": "w",
             "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}]})");
  run(Duration::seconds(3));
  remove();
  run(Duration::milliseconds(4900));
  EXPECT_TRUE(container()["state"].has("running"));
  run(Duration::milliseconds(500));
  EXPECT_TRUE(pod().is_null());
}

TEST_F(SimulatedPods, InitContainersRunInOrderAndSidecarsStay) {
  models_["first"].run_time = Duration::seconds(2);
  create(R"({"initContainers": [{"name": "first", "image": "i"},
              {"name": "proxy", "image": "s", "restartPolicy": "Always"}],
             "containers": [{"name": "web", "image": "w"}]})");
  run(Duration::seconds(1));
  EXPECT_EQ(container()["state"]["waiting"]["reason"].str(), "PodInitializing");
  EXPECT_EQ(model::condition_of(pod(), "Initialized")["message"].str(),
            "containers with incomplete status: [first proxy]");
  run(Duration::seconds(3));
  EXPECT_EQ(status()["phase"].str(), "Running");
  EXPECT_EQ(condition("Initialized"), "True");
  EXPECT_EQ(condition("Ready"), "True");
  const Value init = status()["initContainerStatuses"];
  EXPECT_EQ(init[0]["state"]["terminated"]["reason"].str(), "Completed");
  EXPECT_TRUE(init[0]["ready"].as_bool());
  EXPECT_TRUE(init[1]["state"].has("running"));
  EXPECT_TRUE(init[1]["started"].as_bool());
  EXPECT_EQ(condition("PodReadyToStartContainers"), "True");
}

TEST_F(SimulatedPods, AFailedInitContainerFailsAPodThatNeverRestarts) {
  models_["first"].run_time = Duration::seconds(1);
  models_["first"].exit_code = 1;
  create(R"({"restartPolicy": "Never", "initContainers": [{"name": "first", "image": "i"}],
             "containers": [{"name": "web", "image": "w"}]})");
  run(Duration::seconds(5));
  EXPECT_EQ(status()["phase"].str(), "Failed");
  EXPECT_EQ(model::condition_of(pod(), "Ready")["reason"].str(), "PodFailed");
}

TEST_F(SimulatedPods, AJobPodSucceeds) {
  models_["job"].run_time = Duration::seconds(2);
  create(R"({"restartPolicy": "OnFailure", "containers": [{"name": "job", "image": "j"}]})");
  run(Duration::seconds(5));
  EXPECT_EQ(status()["phase"].str(), "Succeeded");
  EXPECT_EQ(model::condition_of(pod(), "Ready")["reason"].str(), "PodCompleted");
  EXPECT_EQ(container()["state"]["terminated"]["exitCode"].as_int(), 0);
  EXPECT_EQ(condition("PodReadyToStartContainers"), "False");
  EXPECT_EQ(status()["podIP"].str(), "10.128.0.1");
}

TEST_F(SimulatedPods, ASidecarDoesNotKeepAJobAlive) {
  models_["job"].run_time = Duration::seconds(2);
  create(R"({"restartPolicy": "Never",
             "initContainers": [{"name": "proxy", "image": "s", "restartPolicy": "Always"}],
             "containers": [{"name": "job", "image": "j"}]})");
  run(Duration::seconds(8));
  EXPECT_EQ(status()["phase"].str(), "Succeeded");
}

TEST_F(SimulatedPods, LivenessRestartsAndSaysWhy) {
  create(R"({"containers": [{"name": "web", "image": "w", "livenessProbe":
             {"httpGet": {"port": 80}, "periodSeconds": 2, "failureThreshold": 3}}]})");
  run(Duration::seconds(5));
  driver_.set_failing(id(), true);
  run(Duration::seconds(8));
  EXPECT_TRUE(has_event("Unhealthy Liveness probe failed: HTTP probe failed with statuscode: 503"));
  EXPECT_TRUE(has_event("Killing Container web failed liveness probe, will be restarted"));
  EXPECT_EQ(container()["restartCount"].as_int(), 1);
  EXPECT_TRUE(container()["state"].has("running"));
}

TEST_F(SimulatedPods, StartupProbeHoldsTheOthersBack) {
  models_["web"].warm_up = Duration::seconds(12);
  create(R"({"containers": [{"name": "web", "image": "w",
             "startupProbe": {"httpGet": {"port": 80}, "periodSeconds": 5, "failureThreshold": 5},
             "livenessProbe": {"httpGet": {"port": 80}, "periodSeconds": 1, "failureThreshold": 1},
             "readinessProbe": {"httpGet": {"port": 80}, "periodSeconds": 1}}]})");
  run(Duration::seconds(10));
  EXPECT_FALSE(container()["started"].as_bool());
  EXPECT_EQ(container()["restartCount"].as_int(), 0);
  run(Duration::seconds(10));
  EXPECT_TRUE(container()["started"].as_bool());
  EXPECT_TRUE(container()["ready"].as_bool());
  EXPECT_EQ(container()["restartCount"].as_int(), 0);
}

TEST_F(SimulatedPods, ReadinessComesAndGoes) {
  create(kWeb);
  run(Duration::seconds(3));
  EXPECT_EQ(condition("Ready"), "True");
  driver_.set_failing(id(), true);
  run(Duration::seconds(16));
  EXPECT_EQ(condition("Ready"), "False");
  driver_.set_failing(id(), false);
  run(Duration::seconds(6));
  EXPECT_EQ(condition("Ready"), "True");
  EXPECT_EQ(container()["restartCount"].as_int(), 0);
}

TEST_F(SimulatedPods, ReadinessGatesWaitForTheirConditions) {
  create(R"({"readinessGates": [{"conditionType": "example.com/lb"}],
             "containers": [{"name": "web", "image": "w"}]})");
  run(Duration::seconds(3));
  EXPECT_EQ(model::condition_of(pod(), "Ready")["reason"].str(), "ReadinessGatesNotReady");
  Value changed = pod();
  changed.edit("status")
      .edit("conditions")
      .push_back(parse(R"({"type": "example.com/lb", "status": "True"})"));
  cluster_.put_object("pods", changed);
  run(Duration::seconds(1));
  EXPECT_EQ(condition("Ready"), "True");
  EXPECT_EQ(condition("example.com/lb"), "True");
}

TEST_F(SimulatedPods, TheActiveDeadlineEndsThePod) {
  create(R"({"activeDeadlineSeconds": 10, "containers": [{"name": "web", "image": "w"}]})");
  run(Duration::seconds(9));
  EXPECT_EQ(status()["phase"].str(), "Running");
  run(Duration::seconds(3));
  EXPECT_EQ(status()["phase"].str(), "Failed");
  EXPECT_EQ(status()["reason"].str(), "DeadlineExceeded");
  EXPECT_EQ(status()["message"].str(),
            "Pod was active on the node longer than the specified deadline");
}

TEST_F(SimulatedPods, AMissingConfigMapIsMountedOnceItIsThere) {
  create(R"({"volumes": [{"name": "c", "configMap": {"name": "conf"}}],
             "containers": [{"name": "web", "image": "w"}]})");
  run(Duration::seconds(30));
  EXPECT_EQ(container()["state"]["waiting"]["reason"].str(), "ContainerCreating");
  EXPECT_TRUE(has_event(
      "FailedMount MountVolume.SetUp failed for volume \"c\" : configmap \"conf\" not found"));
  cluster_.put_object("configmaps", parse(R"({"metadata": {"name": "conf", "namespace": "default"},
                                              "data": {"a": "b"}})"));
  run(Duration::seconds(1));
  EXPECT_EQ(status()["phase"].str(), "Running");
}

TEST_F(SimulatedPods, AMissingEnvironmentSourceIsAConfigError) {
  create(R"({"containers": [{"name": "web", "image": "w", "env": [{"name": "A", "valueFrom":
             {"secretKeyRef": {"name": "s", "key": "k"}}}]}]})");
  run(Duration::seconds(3));
  EXPECT_EQ(container()["state"]["waiting"]["reason"].str(), "CreateContainerConfigError");
  EXPECT_EQ(container()["state"]["waiting"]["message"].str(), "secret \"s\" not found");
  EXPECT_TRUE(has_event("Failed Error: secret \"s\" not found"));
}

TEST_F(SimulatedPods, APostStartHookThatFailsRestartsTheContainer) {
  models_["web"].warm_up = Duration::seconds(1000);
  create(R"({"containers": [{"name": "web", "image": "w",
             "lifecycle": {"postStart": {"exec": {"command": ["false"]}}}}]})");
  run(Duration::seconds(2));
  EXPECT_TRUE(has_event("FailedPostStartHook PostStartHook failed"));
  EXPECT_TRUE(has_event("Killing FailedPostStartHook"));
  EXPECT_GE(container()["restartCount"].as_int(), 1);
}

TEST_F(SimulatedPods, PowerLossKillsAndStopsTheHeartbeat) {
  create(kWeb);
  run(Duration::seconds(3));
  const int before = cluster_.writes("leases.coordination.k8s.io/");
  host_.set_power("n1", false);
  run(Duration::minutes(2));
  EXPECT_EQ(cluster_.writes("leases.coordination.k8s.io/"), before);
  EXPECT_TRUE(host_.samples().empty());
  // Nobody is there to report it.
  EXPECT_EQ(condition("Ready"), "True");
  host_.set_power("n1", true);
  run(Duration::seconds(5));
  EXPECT_EQ(condition("Ready"), "True");
  EXPECT_EQ(container()["restartCount"].as_int(), 1);
  EXPECT_EQ(host_.samples().size(), 1u);
}

TEST_F(SimulatedPods, ANodeThatIsRemovedTakesItsPodsDown) {
  create(kWeb);
  run(Duration::seconds(3));
  (void)cluster_.apply(
      {.verb = cluster::Write::Verb::remove, .resource = "nodes", .namespace_ = "", .name = "n1"});
  run(Duration::seconds(5));
  EXPECT_EQ(host_.pods(), 0u);
  EXPECT_TRUE(host_.nodes().empty());
  run(Duration::minutes(5));  // probes and status of what is gone stay quiet
  EXPECT_FALSE(pod().is_null());
}

TEST_F(SimulatedPods, SidecarsEndAfterTheContainersTheyServe) {
  models_["web"].stop_time = Duration::seconds(5);
  create(R"({"initContainers": [{"name": "proxy", "image": "s", "restartPolicy": "Always"}],
             "containers": [{"name": "web", "image": "w"}]})");
  run(Duration::seconds(3));
  remove();
  run(Duration::milliseconds(4500));
  EXPECT_EQ(host_.samples().size(), 2u);
  run(Duration::seconds(2));
  EXPECT_TRUE(pod().is_null());
}

TEST_F(SimulatedPods, TheSameRunTwiceGivesTheSameStatus) {
  create(kWeb);
  run(Duration::seconds(5));
  const std::string first = codec::to_json(status());
  host::VirtualLoop loop;
  TestCluster cluster(loop);
  SimulatedDriver driver(cluster, [](const Value&, const Value&) { return PodModel(); });
  SimulatedImages images;
  NodeHost host(cluster, driver, images, {});
  cluster.put_object("nodes", parse(R"({"metadata": {"name": "n1",
        "labels": {"keelson.dev/pool": "a"}}})"));
  host.start([](Result<void>) {});
  loop.run_for(Duration::seconds(1));
  Value again = pod();
  again.erase("status");
  cluster.put_object("pods", again);
  loop.run_for(Duration::seconds(5));
  EXPECT_EQ(codec::to_json(cluster.get("pods", "default", "p")["status"]), first);
}

}  // namespace
}  // namespace keelson::node
