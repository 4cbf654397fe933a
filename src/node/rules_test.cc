// The pure parts of the node: names, globs, expansion, environments, volumes, OCI configuration,
// the stand-in's model and its HTTP.
#include <gtest/gtest.h>

#include "codec/json.h"
#include "host/virtual_loop.h"
#include "node/environment.h"
#include "node/linux/oci_spec.h"
#include "node/log_reader.h"
#include "node/pod_spec.h"
#include "node/stand_in/http.h"
#include "node/stand_in/model.h"
#include "node/stand_in_rules.h"
#include "node/test_cluster.h"
#include "node/volumes.h"

namespace keelson::node {
namespace {

Value parse(std::string_view text) {
  auto value = codec::parse_json(text);
  EXPECT_TRUE(value.ok()) << value.error().message;
  return *value;
}

TEST(StandInRules, NamesAndGlobs) {
  EXPECT_EQ(full_image_name("nginx"), "docker.io/library/nginx:latest");
  EXPECT_EQ(full_image_name("mrm/api:1"), "docker.io/mrm/api:1");
  EXPECT_EQ(full_image_name("localhost:5000/a@sha256:0"), "localhost:5000/a@sha256:0");
  EXPECT_FALSE(full_image_name("Bad Name"));
  EXPECT_FALSE(full_image_name("nginx/Upper"));
  EXPECT_TRUE(matches_glob("mrm-ai/*:*", "mrm-ai/api:v1"));
  EXPECT_TRUE(matches_glob("*", ""));
  EXPECT_FALSE(matches_glob("redis:*", "redis"));
  EXPECT_TRUE(matches_glob("a*b*c", "a-b-b-c"));
}

TEST(StandInRules, TheFirstRuleWins) {
  const Value platform = parse(R"({"spec": {"scale": {"cpu": 20, "memory": "16"}, "standIns": [
      {"image": "redis:*", "program": {"command": ["redis-server"], "args": ["--save", ""]}},
      {"image": "*", "builtin": {"cpu": "20m"}}]}})");
  const auto redis = stand_in_for({platform}, "redis:7");
  ASSERT_TRUE(redis);
  EXPECT_EQ(redis->kind, Image::Kind::program_stand_in);
  EXPECT_EQ(redis->id, "stand-in:program:redis:*");
  EXPECT_EQ(redis->command, (std::vector<std::string>{"--save", ""}));
  EXPECT_EQ(stand_in_notice(*redis),
            "Image \"redis:7\" is not run: the program \"redis-server\" of this machine stands in "
            "for it (rule \"redis:*\")");
  EXPECT_EQ(stand_in_for({platform}, "x")->model["cpu"].str(), "20m");
  EXPECT_FALSE(stand_in_for({}, "x"));
  EXPECT_EQ(scale_of({platform}).cpu, 20);
  EXPECT_EQ(scale_of({platform}).memory, 16);
  EXPECT_EQ(scale_of({}).cpu, 1);
}

TEST(Expansion, FollowsKubernetes) {
  const std::map<std::string, std::string> known = {{"A", "x"}, {"B", "$(A)"}};
  EXPECT_EQ(expand("$(A)-$(B)", known), "x-$(A)");
  EXPECT_EQ(expand("$$(A) $(C) $A $", known), "$(A) $(C) $A $");
  EXPECT_EQ(expand("$(A", known), "$(A");
}

class Sources : public testing::Test {
 protected:
  host::VirtualLoop loop_;
  TestCluster cluster_{loop_};
  const Value pod_ = parse(R"({"metadata": {"name": "p", "namespace": "default", "uid": "u",
      "labels": {"app": "a"}, "annotations": {"k": "v"}}, "spec": {"serviceAccountName": "sa"}})");
};

TEST_F(Sources, EnvironmentFromEverywhere) {
  cluster_.put_object("services", parse(R"({"metadata": {"name": "my-db", "namespace": "default"},
      "spec": {"clusterIP": "10.96.0.9", "ports": [{"name": "pg", "port": 5432}]}})"));
  cluster_.put_object("configmaps", parse(R"({"metadata": {"name": "c", "namespace": "default"},
      "data": {"one": "1"}})"));
  const Value container = parse(R"json({"name": "c", "resources": {"limits": {"memory": "64Mi"}},
      "envFrom": [{"prefix": "P_", "configMapRef": {"name": "c"}},
                  {"secretRef": {"name": "none", "optional": true}}],
      "env": [{"name": "URL", "value": "$(MY_DB_SERVICE_HOST):$(P_one)"},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory",
          "divisor": "1Mi"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]})json");
  PodFacts facts;
  facts.allocatable = parse(R"({"cpu": "3500m"})");
  const auto environment = environment_of(cluster_, pod_, container, facts);
  ASSERT_TRUE(environment.ok()) << environment.error().message;
  const std::map<std::string, std::string> map(environment->begin(), environment->end());
  EXPECT_EQ(map.at("URL"), "10.96.0.9:1");
  EXPECT_EQ(map.at("LABEL"), "a");
  EXPECT_EQ(map.at("MEM"), "64");
  EXPECT_EQ(map.at("CPU"), "4");
  EXPECT_EQ(map.at("MY_DB_SERVICE_PORT_PG"), "5432");
  EXPECT_EQ(map.at("MY_DB_PORT_5432_TCP_ADDR"), "10.96.0.9");
  EXPECT_EQ(map.at("MY_DB_PORT"), "tcp://10.96.0.9:5432");
  const auto missing = environment_of(cluster_, pod_, parse(R"({"env": [{"name": "A", "valueFrom":
      {"configMapKeyRef": {"name": "c", "key": "two"}}}]})"),
                                      facts);
  EXPECT_EQ(missing.error().message, "couldn't find key two in ConfigMap default/c");
}

TEST_F(Sources, ProjectedTokensAreRenewedInTime) {
  Value pod = pod_;
  pod.edit("spec").set("volumes", parse(R"([{"name": "t", "projected": {"sources": [
      {"serviceAccountToken": {"path": "token", "expirationSeconds": 1000}}]}}])"));
  const Instant now = loop_.now();
  const TokenSource tokens = [&](const TokenRequest& request) -> Result<Token> {
    EXPECT_EQ(request.service_account, "sa");
    return Token{"jwt", now + Duration::seconds(request.expiration_seconds)};
  };
  const auto volumes = volumes_of(pod, {cluster_, tokens, "n", "h", now});
  ASSERT_TRUE(volumes.ok());
  EXPECT_EQ(volumes->at(0).files.at("token").bytes, "jwt");
  EXPECT_EQ(volumes->at(0).renew_at, now + Duration::seconds(800));
}

TEST(OciSpec, ResourcesCapabilitiesAndScale) {
  EXPECT_EQ(cpu_shares(1000, 1), 1024);
  EXPECT_EQ(cpu_shares(1000, 20), 51);
  EXPECT_EQ(cpu_shares(0, 1), 2);
  EXPECT_EQ(cpu_quota(500, 1), 50'000);
  EXPECT_EQ(cpu_quota(500, 20), 2'500);
  EXPECT_EQ(cpu_quota(0, 20), 0);
  ContainerRequest request;
  request.pod = parse(R"({"metadata": {"name": "p"}, "spec": {"containers": []}})");
  request.container = parse(R"({"name": "c", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
      "securityContext": {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false}})");
  request.argv = {"a"};
  request.image.environment = {"A=image", "B=image"};
  request.environment = {{"A", "own"}};
  const Value spec = oci_spec({.request = request, .groups = {}, .mounts = {}, .cgroup = "/k"});
  EXPECT_EQ(codec::to_json(spec["process"]["capabilities"]["bounding"]),
            R"(["CAP_NET_BIND_SERVICE"])");
  EXPECT_TRUE(spec["process"]["noNewPrivileges"].as_bool());
  EXPECT_TRUE(spec["root"]["readonly"].as_bool());
  EXPECT_EQ(spec["linux"]["resources"]["cpu"]["quota"].as_int(), 100'000);
  EXPECT_EQ(spec["linux"]["resources"]["memory"]["limit"].as_int(), 1 << 30);
  EXPECT_EQ(
      codec::to_json(spec["process"]["env"]),
      R"(["A=own","B=image","PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","HOSTNAME=p"])");
}

TEST(StandInModel, RefusesWhatItDoesNotKnow) {
  const auto model = parse_model(parse(R"({"cpuPerRequest": "60ms", "latency": "15ms",
      "memory": "400Mi", "errorRate": "0.01", "cpu": "150m", "startUp": "2s"})"));
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->cpu_per_request, Duration::milliseconds(60));
  EXPECT_EQ(model->memory, 400 << 20);
  EXPECT_EQ(model->cpu_milli, 150);
  EXPECT_DOUBLE_EQ(model->error_rate, 0.01);
  EXPECT_EQ(parse_model(parse(R"({"latencyy": "1s"})")).error().message,
            "latencyy: unknown member of a stand-in's model");
  EXPECT_FALSE(parse_model(parse(R"({"latency": "-1s"})")).ok());
  EXPECT_FALSE(parse_model(parse(R"({"errorRate": "2"})")).ok());
}

TEST(StandInHttp, TakesWholeRequestsOnly) {
  std::string buffer = "POST /a?b=c HTTP/1.1\r\nContent-Length: 3\r\n\r\nab";
  HttpRequest request;
  EXPECT_EQ(take_request(buffer, request), HttpStep::incomplete);
  buffer += "cGET / HTTP/1.0\r\n\r\n";
  ASSERT_EQ(take_request(buffer, request), HttpStep::request);
  EXPECT_EQ(request.path, "/a");
  EXPECT_EQ(request.body, "abc");
  EXPECT_TRUE(request.keep_alive);
  ASSERT_EQ(take_request(buffer, request), HttpStep::request);
  EXPECT_FALSE(request.keep_alive);
  buffer = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  ASSERT_EQ(take_request(buffer, request), HttpStep::request);
  EXPECT_EQ(request.body, "abc");
  EXPECT_TRUE(buffer.empty());
  for (const std::string_view bad :
       {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n"}) {
    buffer = bad;
    EXPECT_EQ(take_request(buffer, request), HttpStep::bad) << bad;
  }
}

TEST(LogLines, AreShownAsAsked) {
  cluster::LogOptions options;
  EXPECT_EQ(shown_line("2026-01-01T00:00:00.5Z stdout F hi", options), "hi\n");
  EXPECT_EQ(shown_line("2026-01-01T00:00:00.5Z stdout P hi", options), "hi");
  EXPECT_EQ(shown_line("2026-01-01T00:00:00.5Z stdout F ", options), "\n");
  options.timestamps = true;
  EXPECT_EQ(shown_line("2026-01-01T00:00:00.5Z stderr F hi", options),
            "2026-01-01T00:00:00.5Z hi\n");
  options.stream = "Stdout";
  EXPECT_EQ(shown_line("2026-01-01T00:00:00.5Z stderr F hi", options), "");
}

TEST(PodSpec, RestartRules) {
  const Value pod = parse(R"({"spec": {"restartPolicy": "Never"}})");
  EXPECT_FALSE(should_restart(pod, parse("{}"), 1));
  const Value ruled = parse(R"({"restartPolicy": "Never", "restartPolicyRules": [
      {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]})");
  EXPECT_TRUE(should_restart(pod, ruled, 42));
  EXPECT_FALSE(should_restart(pod, ruled, 1));
  EXPECT_EQ(qos_class_of(parse(R"({"spec": {"containers": [{"resources": {"limits":
      {"cpu": "1", "memory": "1Gi"}}}]}})")),
            "Guaranteed");
  EXPECT_EQ(qos_class_of(parse(R"({"spec": {"containers": [{"resources": {"limits":
      {"cpu": "1", "memory": "1Gi"}}}, {}]}})")),
            "Burstable");
}

}  // namespace
}  // namespace keelson::node
