// Real containers: the whole node on crun, its keeper and the loopback network. Needs root and
// crun; says so and skips without. Every test leaves nothing behind.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "codec/json.h"
#include "host/linux/linux_host.h"
#include "node/linux/crun_driver.h"
#include "node/linux/disk.h"
#include "node/linux/image_store.h"
#include "node/linux/process_driver.h"
#include "node/loopback_network.h"
#include "node/node_host.h"
#include "node/pod_streams.h"
#include "node/test_cluster.h"

namespace keelson::node {
namespace {

Value parse(std::string_view text) {
  auto value = codec::parse_json(text);
  EXPECT_TRUE(value.ok()) << value.error().message << " in " << text;
  return value.ok() ? *value : Value();
}

class CrunPods : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = CrunDriver::why_not(); !why.empty())
      GTEST_SKIP() << "real containers cannot run here: " << why;
    char path[] = "/tmp/keelson-node-XXXXXX";
    root_ = ::mkdtemp(path);
    cluster_ = std::make_unique<TestCluster>(loop_);
    cluster_->put_object("nodes", parse(R"({"metadata": {"name": "n1",
        "labels": {"keelson.dev/pool": "a"}}, "spec": {}})"));
    cluster_->put_object("platforms.keelson.dev", parse(R"({"metadata": {"name": "p"}, "spec": {
        "standIns": [{"image": "web:*", "builtin": {"cpuPerRequest": "1ms", "memory": "1Mi"}},
                     {"image": "sh", "program": {"command": ["/bin/sh", "-c"]}}]}})"));
    begin();
  }
  void TearDown() override {
    if (!host_) return;
    bool stopped = false;
    host_->stop_everything([&] { stopped = true; });
    EXPECT_TRUE(wait([&] { return stopped; }));
    const std::string socket = driver_->keeper().socket_path();
    bool ended = false;
    driver_->end_keeper([&] { ended = true; });
    EXPECT_TRUE(wait([&] { return ended && ::access(socket.c_str(), F_OK) != 0; }));
    EXPECT_EQ(read_whole("/proc/self/mounts").find(root_), std::string::npos);
    EXPECT_NE(::access(("/sys/fs/cgroup/memory/keelson/" + name()).c_str(), F_OK), 0);
    end();
    remove_tree(root_);
  }
  std::string name() const { return root_.substr(root_.rfind('/') + 1); }

  // A new engine process, as far as the keeper can tell.
  void begin() {
    LinuxDriverOptions options;
    options.root = root_;
    options.name = name();
    driver_ = make_driver(options);
    images_ = std::make_unique<ImageStore>(
        *cluster_, *processes_,
        ImageStore::Options{
            .directory = root_ + "/images", .pods = root_ + "/pods", .from_registries = false});
    host_ = std::make_unique<NodeHost>(*cluster_, *driver_, *images_, NodeHost::Options{});
    bool started = false;
    host_->start([&](Result<void> result) {
      EXPECT_TRUE(result.ok()) << result.error().message;
      started = true;
    });
    ASSERT_TRUE(wait([&] { return started; }));
  }
  void end() {
    host_.reset();
    driver_.reset();
    images_.reset();
  }

  virtual std::unique_ptr<CrunDriver> make_driver(const LinuxDriverOptions& options) {
    return std::make_unique<CrunDriver>(loop_, *sockets_, *processes_, network_, options);
  }

  bool wait(const std::function<bool()>& condition, Duration limit = Duration::seconds(20)) {
    const Instant end = loop_.now() + limit;
    std::shared_ptr<void> timer;
    bool good = condition();
    if (good) return true;
    std::function<void()> look = [&] {
      good = condition();
      if (good || loop_.now() >= end) return loop_.stop();
      timer = loop_.call_at(loop_.now() + Duration::milliseconds(5), look);
    };
    timer = loop_.call_at(loop_.now(), look);
    loop_.run();
    return good;
  }

  void create(std::string_view spec, const std::string& pod_name = "p") {
    Value pod = parse(R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default",
                          "generation": 1, "labels": {"app": "a"}}})");
    pod.edit("metadata").set("name", pod_name);
    pod.set("spec", parse(spec));
    pod.edit("spec").set("nodeName", "n1");
    cluster_->put_object("pods", pod);
  }
  Value pod(const std::string& pod_name = "p") {
    return cluster_->get("pods", "default", pod_name);
  }
  Value container() { return pod()["status"]["containerStatuses"][0]; }
  bool is_ready() { return model::condition_is_true(pod(), "Ready"); }
  std::string id() {
    return container()["containerID"].str().substr(std::string("crun://").size());
  }
  std::string log(int attempt = 0) {
    const Value object = pod();
    ContainerRun run;
    run.container = object["spec"]["containers"][0]["name"].str();
    run.attempt = attempt;
    return read_whole(driver_->log_path(object, run));
  }
  ExecOutcome exec(std::vector<std::string> argv) {
    ExecOutcome outcome{.code = -1, .output = {}};
    bool done = false;
    driver_->exec(id(), std::move(argv), Duration::seconds(10), [&](Result<ExecOutcome> result) {
      if (result.ok()) outcome = *result;
      done = true;
    });
    EXPECT_TRUE(wait([&] { return done; }));
    return outcome;
  }
  std::string failure() {
    std::string text = codec::to_json_indented(pod()["status"]) + "\n" + log();
    for (const std::string& event : cluster_->events()) text += event + "\n";
    return text;
  }

  host::LinuxLoop loop_;
  std::unique_ptr<host::Sockets> sockets_ = host::make_linux_sockets(loop_);
  std::unique_ptr<host::Processes> processes_ = host::make_linux_processes(loop_);
  LoopbackNetwork network_;
  std::string root_;
  std::unique_ptr<TestCluster> cluster_;
  std::unique_ptr<CrunDriver> driver_;
  std::unique_ptr<ImageStore> images_;
  std::unique_ptr<NodeHost> host_;
};

constexpr auto kWeb = R"({"terminationGracePeriodSeconds": 5, "containers": [{"name": "web",
  "image": "web:1", "ports": [{"name": "http", "containerPort": 80}, {"containerPort": 5432}],
  "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}},
  "readinessProbe": {"httpGet": {"port": "http", "path": "/ready"}, "periodSeconds": 1},
  "livenessProbe": {"grpc": {"port": 80}, "periodSeconds": 1},
  "startupProbe": {"tcpSocket": {"port": 5432}, "periodSeconds": 1}}]})";

TEST_F(CrunPods, AStandInAnswersEveryKindOfProbe) {
  const Instant begun = loop_.now();
  create(kWeb);
  ASSERT_TRUE(wait([&] { return is_ready(); })) << failure();
  EXPECT_LT(loop_.now() - begun, Duration::seconds(2));
  // Long enough for a liveness probe over gRPC.
  const Instant later = loop_.now() + Duration::milliseconds(2500);
  wait([&] { return loop_.now() >= later; });
  EXPECT_TRUE(is_ready()) << failure();
  EXPECT_EQ(container()["restartCount"].as_int(), 0) << failure();
  EXPECT_NE(log().find("stand-in: ready"), std::string::npos);
  EXPECT_EQ(host_->stand_ins().size(), 1u);
  const auto samples = host_->samples();
  ASSERT_EQ(samples.size(), 1u);
  EXPECT_GT(samples[0].usage.memory, 500'000);
  EXPECT_GT(samples[0].usage.cpu, Duration());
  EXPECT_TRUE(samples[0].stand_in);
}

TEST_F(CrunPods, ModelsOfStandInsChangeWhileTheyRun) {
  create(R"({"containers": [{"name": "w", "image": "web:1",
    "livenessProbe": {"exec": {"command": ["/app/of/the/image"]}, "periodSeconds": 1},
    "lifecycle": {"postStart": {"exec": {"command": ["/app/of/the/image"]}}}}]})");
  ASSERT_TRUE(wait([&] { return is_ready(); })) << failure();
  const std::string before = id();
  Value changed = pod();
  changed.edit("metadata")
      .edit("annotations")
      .set("keelson.dev/stand-in-model", R"({"memory": "40Mi"})");
  cluster_->put_object("pods", changed);
  ASSERT_TRUE(wait([&] {
    const auto samples = host_->samples();
    return !samples.empty() && samples[0].usage.memory > 40 << 20;
  })) << failure();
  Value platform = cluster_->get("platforms.keelson.dev", "", "p");
  platform.edit("spec").edit("standIns").edit(0).edit("builtin").set("latency", "3ms");
  cluster_->put_object("platforms.keelson.dev", platform);
  ASSERT_TRUE(wait([&] {
    const std::string text = log();
    const std::size_t first = text.find("was replaced");
    return first != std::string::npos && text.find("was replaced", first + 1) != std::string::npos;
  })) << failure();
  EXPECT_EQ(id(), before);
  EXPECT_EQ(container()["restartCount"].as_int(), 0) << failure();
}

TEST_F(CrunPods, ExitCodesMessagesAndLogs) {
  create(R"({"restartPolicy": "Never", "containers": [{"name": "c", "image": "sh", "args":
    ["echo out; echo err >&2; printf why > /dev/termination-log; printf part; exit 3"]}]})");
  ASSERT_TRUE(wait([&] { return pod()["status"]["phase"].as_string() == "Failed"; })) << failure();
  const Value end = container()["state"]["terminated"];
  EXPECT_EQ(end["exitCode"].as_int(), 3);
  EXPECT_EQ(end["reason"].str(), "Error");
  EXPECT_EQ(end["message"].str(), "why");
  const std::string text = log();
  EXPECT_NE(text.find(" stdout F out\n"), std::string::npos) << text;
  EXPECT_NE(text.find(" stderr F err\n"), std::string::npos) << text;
  EXPECT_NE(text.find(" stdout P part\n"), std::string::npos) << text;
}

TEST_F(CrunPods, EnvironmentVolumesAndTheirUpdates) {
  cluster_->put_object("configmaps", parse(R"({"metadata": {"name": "conf", "namespace":
      "default"}, "data": {"key": "one", "other": "x"}})"));
  cluster_->put_object("secrets", parse(R"({"metadata": {"name": "sec", "namespace": "default"},
      "data": {"pass": "c2VjcmV0"}})"));
  create(R"json({"terminationGracePeriodSeconds": 1, "securityContext": {"fsGroup": 2000},
    "volumes": [{"name": "conf", "configMap": {"name": "conf"}},
      {"name": "scratch", "emptyDir": {}}, {"name": "fast", "emptyDir": {"medium": "Memory"}},
      {"name": "all", "projected": {"sources": [{"secret": {"name": "sec"}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath":
          "metadata.labels"}}]}}]}}],
    "containers": [{"name": "c", "image": "sh",
      "args": ["echo $(GREETING) $NAME $IP; id -u; trap 'exit 0' TERM; sleep 1000 & wait"],
      "securityContext": {"runAsUser": 1000, "runAsGroup": 3000, "readOnlyRootFilesystem": true},
      "env": [{"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "pass"}}},
        {"name": "GREETING", "value": "hello-$(WORD)"},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
      "volumeMounts": [{"name": "conf", "mountPath": "/etc/conf"},
        {"name": "conf", "mountPath": "/etc/single", "subPath": "other"},
        {"name": "scratch", "mountPath": "/scratch", "subPath": "inner"},
        {"name": "fast", "mountPath": "/fast"},
        {"name": "fast", "mountPath": "/faster", "subPath": "part"},
        {"name": "all", "mountPath": "/all"}]}]})json");
  ASSERT_TRUE(wait([&] { return is_ready(); })) << failure();
  ASSERT_TRUE(wait([&] { return log().find("F 1000") != std::string::npos; })) << log();
  EXPECT_NE(log().find("hello-secret p 10.254."), std::string::npos) << log();
  EXPECT_EQ(exec({"cat", "/etc/conf/key", "/etc/single", "/all/pass", "/all/labels"}).output,
            "onexsecretapp=\"a\"");
  EXPECT_EQ(exec({"sh", "-c", "echo y > /scratch/f && echo z > /fast/f && cat /scratch/f /fast/f"})
                .output,
            "y\nz\n");
  EXPECT_EQ(exec({"sh", "-c", "echo q > /faster/g && cat /fast/part/g"}).output, "q\n");
  EXPECT_NE(exec({"sh", "-c", "echo y > /etc/conf/new"}).code, 0);
  EXPECT_NE(exec({"sh", "-c", "echo y > /usr/new"}).code, 0);
  EXPECT_EQ(exec({"hostname"}).output, "p\n");
  for (const int code : {124, 137}) {  // what timeout(1) gives
    const ExecOutcome outcome = exec({"sh", "-c", "exit " + std::to_string(code)});
    EXPECT_EQ(outcome.code, code);
    EXPECT_FALSE(outcome.timed_out);
  }
  Value changed = cluster_->get("configmaps", "default", "conf");
  changed.edit("data").set("key", "two");
  cluster_->put_object("configmaps", changed);
  const Instant later = loop_.now() + Duration::milliseconds(300);
  wait([&] { return loop_.now() >= later; });
  EXPECT_EQ(exec({"cat", "/etc/conf/key"}).output, "two");
  EXPECT_EQ(container()["restartCount"].as_int(), 0);
}

TEST_F(CrunPods, StandInsSeeNoSecretsOfTheHost) {
  create(
      R"({"restartPolicy": "Never", "containers": [{"name": "c", "image": "sh",
    "workingDir": "/srv//new-place/", "args": ["pwd; cat /etc/shadow )"
      R"(/etc/gshadow; ls -A /root /home /tmp /var/lib/keelson /etc/ssl/private /etc/ssh | grep -v :; id nobody | head -c 4"]}]})");
  ASSERT_TRUE(wait([&] { return pod()["status"]["phase"].as_string() == "Succeeded"; }))
      << failure();
  std::string seen;
  for (const std::string& line : split(log(), '\n'))
    if (const std::size_t at = line.find(" stdout "); at != std::string::npos)
      if (line.size() > at + 10) seen += line.substr(at + 10) + "|";
  EXPECT_EQ(seen, "/srv/new-place|uid=|");
  EXPECT_NE(::access("/srv/new-place", F_OK), 0);
  create(R"({"containers": [{"name": "c", "image": "sh", "workingDir": "/../../..",
             "args": ["true"]}]})",
         "climber");
  ASSERT_TRUE(wait([&] {
    for (const std::string& event : cluster_->events())
      if (event.find("must be an absolute path") != std::string::npos) return true;
    return false;
  })) << failure();
}

TEST_F(CrunPods, ContainersSurviveTheEngineAndAreAdopted) {
  create(kWeb);
  create(R"({"restartPolicy": "Never", "containers": [{"name": "c", "image": "sh",
             "args": ["sleep 0.7; exit 5"]}]})",
         "job");
  ASSERT_TRUE(wait([&] { return is_ready(); })) << failure();
  ASSERT_TRUE(wait([&] { return pod("job")["status"]["phase"].as_string() == "Running"; }));
  const std::string before = id();
  const Value started = container()["state"]["running"]["startedAt"];
  end();
  ::usleep(1'200'000);  // the job ends while nobody looks
  begin();
  ASSERT_TRUE(wait([&] { return pod("job")["status"]["phase"].as_string() == "Failed"; }));
  EXPECT_EQ(
      pod("job")["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"].as_int(), 5);
  EXPECT_TRUE(is_ready()) << failure();
  EXPECT_EQ(id(), before);
  EXPECT_EQ(container()["restartCount"].as_int(), 0);
  EXPECT_TRUE(container()["state"].has("running"));
  const Instant later = loop_.now() + Duration::milliseconds(1500);
  wait([&] { return loop_.now() >= later; });
  EXPECT_TRUE(is_ready()) << failure();
}

TEST_F(CrunPods, ContainersSurviveTheirKeeper) {
  create(R"json({"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": "sh",
    "args": ["i=0; while true; do i=$((i+1)); echo line $i; sleep 0.1; done"]}]})json");
  ASSERT_TRUE(wait([&] { return is_ready(); })) << failure();
  const std::string before = id();
  const int keeper = driver_->keeper().pid();
  ::kill(keeper, SIGKILL);
  ASSERT_TRUE(wait([&] { return driver_->keeper().pid() != keeper; }));
  const std::size_t lines = log().size();
  ASSERT_TRUE(wait([&] { return log().size() > lines + 100; })) << failure();
  EXPECT_EQ(id(), before);
  EXPECT_EQ(container()["restartCount"].as_int(), 0);
  EXPECT_EQ(exec({"echo", "still here"}).output, "still here\n");
}

TEST_F(CrunPods, DeletionLeavesNothing) {
  create(kWeb);
  ASSERT_TRUE(wait([&] { return is_ready(); })) << failure();
  (void)cluster_->apply({.verb = cluster::Write::Verb::remove,
                         .resource = "pods",
                         .namespace_ = "default",
                         .name = "p",
                         .grace_seconds = {}});
  ASSERT_TRUE(wait([&] { return pod().is_null() && host_->pods() == 0; })) << failure();
  EXPECT_TRUE(names_in(root_ + "/pods").empty());
  EXPECT_TRUE(names_in(root_ + "/logs").empty());
  EXPECT_TRUE(names_in(root_ + "/crun").empty());
  EXPECT_TRUE(wait([&] { return names_in(root_ + "/trash").empty(); }));
  EXPECT_EQ(read_whole("/proc/" + std::to_string(driver_->keeper().pid()) + "/mounts").find(root_),
            std::string::npos);
}

TEST_F(CrunPods, OutOfMemoryIsSeen) {
  create(R"({"restartPolicy": "Never", "containers": [{"name": "c", "image": "sh",
    "resources": {"limits": {"memory": "16Mi"}},
    "args": ["head -c 100m /dev/zero | tail | cat"]}]})");
  ASSERT_TRUE(wait([&] { return !container()["state"]["terminated"].is_null(); })) << failure();
  EXPECT_EQ(container()["state"]["terminated"]["reason"].str(), "OOMKilled") << failure();
}

TEST_F(CrunPods, ACommandThatIsNotThereIsAStartError) {
  create(R"({"containers": [{"name": "c", "image": "sh", "command": ["/no/such/program"]}]})");
  ASSERT_TRUE(wait([&] { return container()["lastState"].has("terminated"); })) << failure();
  EXPECT_EQ(container()["lastState"]["terminated"]["reason"].str(), "StartError");
  EXPECT_NE(container()["lastState"]["terminated"]["message"].str().find("/no/such/program"),
            std::string::npos)
      << failure();
}

TEST_F(CrunPods, AnImageThatIsNotThereSaysWhy) {
  create(R"({"containers": [{"name": "c", "image": "example.com/app:1"}]})");
  ASSERT_TRUE(wait([&] {
    return container()["state"]["waiting"]["reason"].as_string() == "ImagePullBackOff";
  })) << failure();
  EXPECT_NE(container()["state"]["waiting"]["message"].str().find("no stand-in rule"),
            std::string::npos);
}

class TextSink : public cluster::Sink {
 public:
  void write(std::string_view bytes) override { text.append(bytes); }
  void close() override {}
  std::size_t buffered() const override { return 0; }
  void on_drained(std::function<void()>) override {}
  std::string text;
};

TEST_F(CrunPods, ExecSessionsCarryInputOutputAndExitCodes) {
  create(kWeb);
  ASSERT_TRUE(wait([&] { return is_ready(); })) << failure();
  const auto out = std::make_shared<TextSink>(), err = std::make_shared<TextSink>();
  std::optional<int> code;
  cluster::ExecEvents events{out, err,
                             [&](Result<int> result) { code = result.ok() ? *result : -1; }};
  cluster::ExecOptions options;
  options.command = {"sh", "-c", "cat; echo oops >&2; exit 4"};
  options.stdin_ = true;
  auto session = driver_->exec_session(id(), options, events);
  session->input("hello\n");
  session->end_input();
  ASSERT_TRUE(wait([&] { return code.has_value(); }));
  EXPECT_EQ(*code, 4);
  EXPECT_EQ(out->text, "hello\n");
  EXPECT_EQ(err->text, "oops\n");

  out->text.clear();
  code.reset();
  options.command = {"sh", "-c", "tty && stty size"};
  options.terminal = true;
  session = driver_->exec_session(id(), options, events);
  ASSERT_TRUE(wait([&] { return code.has_value(); }));
  EXPECT_NE(out->text.find("/dev/pts/"), std::string::npos) << out->text;
}

TEST_F(CrunPods, AttachJoinsTheContainersOwnStreams) {
  create(R"({"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": "sh",
    "stdin": true, "args": ["while read x; do echo got $x; done; sleep 1000"]}]})");
  ASSERT_TRUE(wait([&] { return is_ready(); })) << failure();
  const auto out = std::make_shared<TextSink>();
  auto session = driver_->attach_session(id(), {}, {out, out, [](Result<int>) {}});
  session->input("one\n");
  ASSERT_TRUE(wait([&] { return out->text == "got one\n"; })) << out->text << failure();
}

// A client that takes nothing until it is told to.
class SlowSink : public TextSink {
 public:
  void write(std::string_view bytes) override {
    text.append(bytes);
    waiting += bytes.size();
  }
  std::size_t buffered() const override { return waiting; }
  void on_drained(std::function<void()> call) override { drained = std::move(call); }
  void take() {
    waiting = 0;
    if (const auto call = std::exchange(drained, nullptr)) call();
  }
  std::size_t waiting = 0;
  std::function<void()> drained;
};

TEST_F(CrunPods, AttachWaitsForASlowClientAndLosesNothing) {
  create(R"({"terminationGracePeriodSeconds": 1, "restartPolicy": "Never", "containers": [{
    "name": "c", "image": "sh", "stdin": true,
    "args": ["read x; head -c 20000000 /dev/zero | tr '\\000' a"]}]})");
  ASSERT_TRUE(wait([&] { return is_ready(); })) << failure();
  const auto out = std::make_shared<SlowSink>();
  bool ended = false;
  auto session = driver_->attach_session(id(), {}, {out, out, [&](Result<int>) { ended = true; }});
  session->input("go\n");
  ASSERT_TRUE(wait([&] { return out->drained != nullptr; })) << failure();
  const Instant later = loop_.now() + Duration::milliseconds(700);
  wait([&] { return loop_.now() >= later; });
  EXPECT_LT(out->text.size(), 1'000'000u);
  EXPECT_TRUE(container()["state"].has("running")) << failure();
  EXPECT_TRUE(wait([&] {
    out->take();
    return ended;
  })) << out->text.size();
  EXPECT_EQ(out->text.size(), 20'000'000u);
}

TEST_F(CrunPods, LogsAreServedWhileTheyGrowAndAfter) {
  create(R"json({"restartPolicy": "Never", "containers": [{"name": "c", "image": "sh",
    "args": ["for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done; echo last >&2"]}]})json");
  NodePodStreams streams(loop_, *sockets_, *cluster_, *host_);
  ASSERT_TRUE(wait([&] { return pod()["status"]["phase"].as_string() == "Running"; }));
  const cluster::PodContainer where{"default", "p", pod()["metadata"]["uid"].str(), "c", "n1"};
  const auto out = std::make_shared<TextSink>();
  bool done = false;
  cluster::LogOptions options;
  options.follow = true;
  auto handle = streams.logs(where, options, out, [&](Result<void> result) {
    EXPECT_TRUE(result.ok()) << result.error().message;
    done = true;
  });
  ASSERT_TRUE(wait([&] { return done; }));
  EXPECT_EQ(out->text, "line 1\nline 2\nline 3\nline 4\nline 5\nlast\n");
  ASSERT_TRUE(wait([&] { return pod()["status"]["phase"].as_string() == "Succeeded"; }));
  const auto read = [&](cluster::LogOptions wanted) {
    const auto sink = std::make_shared<TextSink>();
    std::string error;
    auto own = streams.logs(where, wanted, sink, [&](Result<void> result) {
      if (!result.ok()) error = result.error().message;
    });
    return sink->text + error;
  };
  EXPECT_EQ(read({.tail_lines = 2}), "line 5\nlast\n");
  EXPECT_EQ(read({.limit_bytes = 8}), "line 1\nl");
  EXPECT_EQ(read({.stream = "Stderr"}), "last\n");
  EXPECT_TRUE(read({.timestamps = true}).ends_with("Z last\n"));
  EXPECT_EQ(read({.since = loop_.now() + Duration::seconds(60)}), "");
  EXPECT_EQ(read({.previous = true}), "previous terminated container \"c\" in pod \"p\" not found");
}

TEST_F(CrunPods, PortsAreForwardedIntoThePodsNamespace) {
  create(kWeb);
  ASSERT_TRUE(wait([&] { return is_ready(); })) << failure();
  NodePodStreams streams(loop_, *sockets_, *cluster_, *host_);
  const cluster::PodContainer where{"default", "p", pod()["metadata"]["uid"].str(), "web", "n1"};
  const auto out = std::make_shared<TextSink>();
  auto session = streams.port_forward(where, 80, out, [](Result<void>) {});
  session->input("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(wait([&] { return out->text.find("standIn") != std::string::npos; })) << out->text;
  EXPECT_TRUE(out->text.starts_with("HTTP/1.1 200 OK"));
  std::string error;
  session = streams.port_forward(where, 81, out, [&](Result<void> result) {
    if (!result.ok()) error = result.error().message;
  });
  ASSERT_TRUE(wait([&] { return !error.empty(); }));
  EXPECT_NE(error.find("failed to connect to localhost:81 inside namespace"), std::string::npos);
}

TEST_F(CrunPods, ProbesSpeakTls) {
  if (::access("/usr/bin/openssl", X_OK) != 0) GTEST_SKIP() << "openssl is not installed";
  create(R"json({"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": "sh",
    "env": [{"name": "SUBJECT", "value": "-newkey rsa:2048 -nodes -subj /CN=x -days 1"},
      {"name": "RUN", "value": "exec openssl s_server -www -accept 8443 -key k -cert c"}],
    "command": ["/bin/sh", "-c", "cd /tmp && openssl req -x509 $SUBJECT -keyout k -out c && $RUN"],
    "readinessProbe": {"httpGet": {"port": 8443, "scheme": "HTTPS"}, "periodSeconds": 1}}]})json");
  EXPECT_TRUE(wait([&] { return is_ready(); }, Duration::seconds(40))) << failure();
}

TEST_F(CrunPods, ATerminalOfItsOwn) {
  create(R"json({"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": "sh",
    "stdin": true, "tty": true, "args": ["tty; read x; echo got $x; stty size; sleep 1000"]}]})json");
  ASSERT_TRUE(wait([&] { return is_ready(); })) << failure();
  const auto out = std::make_shared<TextSink>();
  auto session = driver_->attach_session(id(), {}, {out, out, [](Result<int>) {}});
  session->resize(123, 45);
  session->input("one\n");
  ASSERT_TRUE(wait([&] { return out->text.find("45 123") != std::string::npos; }))
      << out->text << failure();
  EXPECT_NE(out->text.find("got one"), std::string::npos);
  EXPECT_NE(log().find("/dev/pts/0"), std::string::npos) << log();
}

TEST_F(CrunPods, ImagesComeFromArchives) {
  if (::access("/usr/bin/umoci", X_OK) != 0 || ::access("/usr/bin/skopeo", X_OK) != 0)
    GTEST_SKIP() << "umoci and skopeo are not installed";
  // An image of one static program: the helper.
  const std::string script =
      "set -e; cd " + root_ +
      "; umoci init --layout l; "
      "umoci new --image l:v1; umoci unpack --image l:v1 b; mkdir b/rootfs/bin; cp " +
      driver_->keeper().helper() +
      " b/rootfs/bin/app; umoci repack --image l:v1 b; "
      "umoci config --image l:v1 --config.entrypoint /bin/app --config.cmd stand-in "
      "--config.env FROM=image --config.user 1234:99 --config.stopsignal SIGINT; rm -rf b";
  bool done = false;
  processes_->run({.argv = {"sh", "-c", script}}, "", [&](Result<host::Processes::Output> output) {
    ASSERT_TRUE(output.ok());
    EXPECT_EQ(output->status.code, 0) << output->err;
    done = true;
  });
  ASSERT_TRUE(wait([&] { return done; }));
  std::string image_id;
  images_->library().load("oci:" + root_ + "/l:v1", "app:1", [&](Result<std::string> result) {
    ASSERT_TRUE(result.ok()) << result.error().message;
    image_id = *result;
  });
  ASSERT_TRUE(wait([&] { return !image_id.empty(); }));
  ASSERT_EQ(images_->library().list().size(), 1u);
  create(R"({"terminationGracePeriodSeconds": 5, "containers": [{"name": "c", "image": "app:1",
    "args": ["stand-in", "--model", "{}", "--port", "80"], "ports": [{"containerPort": 80}],
    "readinessProbe": {"httpGet": {"port": 80}, "periodSeconds": 1}}]})");
  ASSERT_TRUE(wait([&] { return is_ready(); })) << failure();
  EXPECT_EQ(container()["image"].str(), "docker.io/library/app:1");
  EXPECT_EQ(container()["imageID"].str(), image_id);
  EXPECT_TRUE(image_id.starts_with("docker.io/library/app@sha256:"));
  EXPECT_EQ(container()["user"]["linux"]["uid"].as_int(), 1234);
  EXPECT_EQ(container()["user"]["linux"]["gid"].as_int(), 99);
  EXPECT_TRUE(host_->stand_ins().empty());

  // What a container stands on is not removed, and a newer image of the name does not pull it away.
  ImageLibrary& library = images_->library();
  EXPECT_TRUE(library.list()[0].used);
  EXPECT_GT(library.list()[0].bytes, 10'000);
  EXPECT_EQ(library.remove("app:1").error().reason, Reason::conflict);
  const auto entries = [&] {
    const auto names = names_in(root_ + "/images");
    return static_cast<std::size_t>(std::count_if(
        names.begin(), names.end(), [](const std::string& name) { return name != ".trash"; }));
  };
  std::string newer;
  processes_->run({.argv = {"umoci", "config", "--image", root_ + "/l:v1", "--config.env", "A=b"}},
                  "", [&](Result<host::Processes::Output>) {
                    library.load("oci:" + root_ + "/l:v1", "app:1",
                                 [&](Result<std::string> result) { newer = result.value(); });
                  });
  ASSERT_TRUE(wait([&] { return !newer.empty(); }));
  EXPECT_NE(newer, image_id);
  EXPECT_EQ(entries(), 2u);
  EXPECT_FALSE(library.list()[0].used);
  EXPECT_EQ(images_->node_images().size(), 1u);
  EXPECT_TRUE(library.remove("app:1").ok());
  EXPECT_EQ(library.list().size(), 0u);
  EXPECT_EQ(entries(), 1u);
  EXPECT_TRUE(images_->node_images().empty());
  EXPECT_EQ(library.remove("app:1").error().reason, Reason::not_found);
  EXPECT_TRUE(wait([&] { return names_in(root_ + "/images/.trash").empty(); }));
}

// A network whose namespaces come from outside, as the bridge's do.
class OutsideNetwork : public cluster::PodNetwork {
 public:
  explicit OutsideNetwork(host::Processes& processes) : processes_(processes) {}
  void attach(const Value& pod, std::function<void(Result<cluster::PodAttachment>)> done) override {
    const std::string name = "kntest-" + pod["metadata"]["uid"].str().substr(0, 8);
    processes_.run(
        {.argv = {"sh", "-c", "ip netns add " + name + " && ip -n " + name + " link set lo up"}},
        "", [name, done](Result<host::Processes::Output> output) {
          if (!output.ok() || output->status.code != 0)
            return done(Error{Reason::internal_error, "ip netns"});
          done(cluster::PodAttachment{.network_namespace = "/run/netns/" + name,
                                      .address = "127.0.0.1",
                                      .reachable = false,
                                      .resolver = "nameserver 10.96.0.10\n"});
        });
  }
  void adopt(const Value&, const cluster::PodAttachment&) override {}
  void detach(const Value&, const cluster::PodAttachment& attachment,
              std::function<void()> done) override {
    const std::string name = attachment.network_namespace.substr(11);
    processes_.run({.argv = {"ip", "netns", "delete", name}}, "",
                   [done](Result<host::Processes::Output>) { done(); });
  }

 private:
  host::Processes& processes_;
};

class NetworkedPods : public CrunPods {
 protected:
  std::unique_ptr<CrunDriver> make_driver(const LinuxDriverOptions& options) override {
    return std::make_unique<CrunDriver>(loop_, *sockets_, *processes_, outside_, options);
  }
  OutsideNetwork outside_{*processes_};
};

TEST_F(NetworkedPods, NamespacesMadeByTheNetworkAreJoined) {
  create(kWeb);
  ASSERT_TRUE(wait([&] { return is_ready(); })) << failure();
  EXPECT_EQ(exec({"cat", "/etc/resolv.conf"}).output, "nameserver 10.96.0.10\n");
  EXPECT_EQ(exec({"ls", "/sys/class/net"}).output, "lo\n");
  EXPECT_FALSE(names_in("/run/netns").empty());
  (void)cluster_->apply({.verb = cluster::Write::Verb::remove,
                         .resource = "pods",
                         .namespace_ = "default",
                         .name = "p",
                         .grace_seconds = {}});
  ASSERT_TRUE(wait([&] { return pod().is_null() && host_->pods() == 0; })) << failure();
  for (const std::string& name : names_in("/run/netns"))
    EXPECT_FALSE(name.starts_with("kntest-")) << name;
}

// The same node without its privileges.
class ProcessPods : public CrunPods {
 protected:
  std::unique_ptr<CrunDriver> make_driver(const LinuxDriverOptions& options) override {
    return std::make_unique<ProcessDriver>(loop_, *sockets_, *processes_, no_network_, options);
  }
  NoNetwork no_network_;
};

TEST_F(ProcessPods, StandInsRunAsPlainProcesses) {
  create(R"({"containers": [{"name": "web", "image": "web:1", "ports": [{"containerPort": 18080}],
    "readinessProbe": {"httpGet": {"port": 18080}, "periodSeconds": 1}}]})");
  ASSERT_TRUE(wait([&] { return is_ready(); })) << failure();
  EXPECT_TRUE(pod()["status"]["podIP"].as_string().starts_with("127.64."));
  EXPECT_TRUE(container()["containerID"].as_string().starts_with("process://"));
  EXPECT_EQ(host_->samples().size(), 1u);
  create(R"({"restartPolicy": "Never", "containers": [{"name": "c", "image": "sh",
             "args": ["echo $A; exit 7"], "env": [{"name": "A", "value": "b"}]}]})",
         "job");
  ASSERT_TRUE(wait([&] { return pod("job")["status"]["phase"].as_string() == "Failed"; }));
  EXPECT_EQ(
      pod("job")["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"].as_int(), 7);
}

}  // namespace
}  // namespace keelson::node
