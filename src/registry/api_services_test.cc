// APIServices: those of definitions, those of other servers; the way to a Service; what servers
// that extend this one are told.
#include "registry/api_services.h"

#include <gtest/gtest.h>

#include "codec/json.h"
#include "model/meta.h"
#include "registry/authentication_map.h"
#include "registry/service_route.h"
#include "registry/test_registry.h"

namespace keelson::registry {
namespace {

constexpr std::string_view kServices = "apiservices.apiregistration.k8s.io";

Value json(std::string_view text) {
  auto value = codec::parse_json(text);
  EXPECT_TRUE(value.ok()) << text;
  return value.ok() ? *value : Value();
}

class ApiServicesTest : public TestRegistry {
 protected:
  ApiServicesTest() {
    open(environment(),
         {.authentication = {{"requestheader-allowed-names", R"(["front-proxy-client"])"}}});
    registry->follow_remote_apis([this](const std::string& name) { asked.push_back(name); });
  }
  Result<Response> run(Verb verb, std::string group, std::string resource, std::string ns,
                       std::string name, Value body = {}) {
    return registry->execute(request(verb, std::move(group), std::move(resource), std::move(ns),
                                     std::move(name), std::move(body)));
  }
  std::string reason(const std::string& name) {
    return model::condition_of(registry->get(kServices, "", name), "Available")["reason"].str();
  }

  std::vector<std::string> asked;
};

TEST_F(ApiServicesTest, ComeAndGoWithTheVersionsOfADefinition) {
  const std::string group = "apiextensions.k8s.io", all = "customresourcedefinitions";
  Value definition = json(R"({
      "metadata": {"name": "things.example.com"},
      "spec": {"group": "example.com", "scope": "Namespaced",
               "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
               "versions": [
                 {"name": "v1", "served": true, "storage": true,
                  "schema": {"openAPIV3Schema": {"type": "object"}}},
                 {"name": "v2", "served": true, "storage": false,
                  "schema": {"openAPIV3Schema": {"type": "object"}}}]}})");
  ASSERT_TRUE(run(Verb::create, group, all, "", "", definition).ok());
  const Value made = registry->get(kServices, "", "v2.example.com");
  EXPECT_EQ(model::label_of(made, "kube-aggregator.kubernetes.io/automanaged"), "true");
  EXPECT_EQ(made["spec"]["groupPriorityMinimum"].as_int(), 1000);
  EXPECT_EQ(reason("v2.example.com"), "Local");
  // Whoever removes it or changes it finds it put right.
  ASSERT_TRUE(
      run(Verb::remove, "apiregistration.k8s.io", "apiservices", "", "v1.example.com").ok());
  EXPECT_FALSE(registry->get(kServices, "", "v1.example.com").is_null());
  Value changed = made;
  changed.edit("spec").set("versionPriority", 5);
  ASSERT_TRUE(
      run(Verb::update, "apiregistration.k8s.io", "apiservices", "", "v2.example.com", changed)
          .ok());
  EXPECT_EQ(registry->get(kServices, "", "v2.example.com")["spec"]["versionPriority"].as_int(),
            100);
  Value fewer =
      registry->get("customresourcedefinitions.apiextensions.k8s.io", "", "things.example.com");
  fewer.edit("spec").edit("versions").edit(1).set("served", false);
  ASSERT_TRUE(run(Verb::update, group, all, "", "things.example.com", fewer).ok());
  EXPECT_TRUE(registry->get(kServices, "", "v2.example.com").is_null());
  ASSERT_TRUE(run(Verb::remove, group, all, "", "things.example.com").ok());
  EXPECT_TRUE(registry->get(kServices, "", "v1.example.com").is_null());
}

TEST_F(ApiServicesTest, OfAnotherServerSayWhetherItCanBeReached) {
  const std::string name = "v1.other.example.com";
  ASSERT_TRUE(run(Verb::create, "apiregistration.k8s.io", "apiservices", "", "", json(R"({
      "metadata": {"name": "v1.other.example.com"},
      "spec": {"group": "other.example.com", "version": "v1", "groupPriorityMinimum": 100,
               "versionPriority": 100, "insecureSkipTLSVerify": true,
               "service": {"namespace": "default", "name": "other"}}})"))
                  .ok());
  EXPECT_EQ(reason(name), "ServiceNotFound");
  ASSERT_TRUE(run(Verb::create, "", "services", "default", "", json(R"({
      "metadata": {"name": "other"}, "spec": {"ports": [{"name": "web", "port": 80}]}})"))
                  .ok());
  EXPECT_EQ(reason(name), "ServicePortError");
  Value service = registry->get("services", "default", "other");
  service.edit("spec").edit("ports").edit(0).set("port", 443);
  ASSERT_TRUE(run(Verb::update, "", "services", "default", "other", service).ok());
  EXPECT_EQ(reason(name), "EndpointsNotFound");
  Value slice = json(R"({
      "metadata": {"name": "other-1", "labels": {"kubernetes.io/service-name": "other"}},
      "addressType": "IPv4", "ports": [{"name": "web", "port": 8443}],
      "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": false}}]})");
  ASSERT_TRUE(run(Verb::create, "discovery.k8s.io", "endpointslices", "default", "", slice).ok());
  EXPECT_EQ(reason(name), "MissingEndpoints");
  EXPECT_TRUE(asked.empty());
  slice = registry->get("endpointslices.discovery.k8s.io", "default", "other-1");
  slice.edit("endpoints").edit(0).edit("conditions").set("ready", true);
  ASSERT_TRUE(
      run(Verb::update, "discovery.k8s.io", "endpointslices", "default", "other-1", slice).ok());
  EXPECT_EQ(asked, std::vector<std::string>{name});
  registry->report_remote_api(name, Error{Reason::service_unavailable, "no answer"});
  EXPECT_EQ(reason(name), "FailedDiscoveryCheck");
  registry->report_remote_api(name, {});
  EXPECT_EQ(reason(name), "Passed");
  EXPECT_EQ(asked.size(), 1U) << "its own status is no reason to ask again";
  // What came of a question is of no interest once the endpoints are gone.
  ASSERT_TRUE(run(Verb::remove, "discovery.k8s.io", "endpointslices", "default", "other-1").ok());
  registry->report_remote_api(name, {});
  EXPECT_EQ(reason(name), "EndpointsNotFound");
}

TEST_F(ApiServicesTest, TheMapForOtherServersStays) {
  const auto data = [&] {
    return registry->get("configmaps", "kube-system", kAuthenticationMap)["data"];
  };
  EXPECT_EQ(data()["requestheader-allowed-names"].as_string(), R"(["front-proxy-client"])");
  ASSERT_TRUE(
      run(Verb::remove, "", "configmaps", "kube-system", std::string(kAuthenticationMap)).ok());
  EXPECT_FALSE(data().is_null());
  Value map = registry->get("configmaps", "kube-system", kAuthenticationMap);
  map.edit("data").set("requestheader-allowed-names", R"(["mine"])");
  ASSERT_TRUE(
      run(Verb::update, "", "configmaps", "kube-system", std::string(kAuthenticationMap), map)
          .ok());
  EXPECT_EQ(data()["requestheader-allowed-names"].as_string(), R"(["mine","front-proxy-client"])");
}

TEST(AuthenticationMap, KeepsCertificatesOnce) {
  const std::string a = "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n",
                    b = "-----BEGIN CERTIFICATE-----\nBB\n-----END CERTIFICATE-----\n";
  const auto merged =
      merged_authentication({{"client-ca-file", a}, {"other", "x"}}, {{"client-ca-file", b + a}});
  EXPECT_EQ(merged.at("client-ca-file"), a + b);
  EXPECT_EQ(merged.at("other"), "x");
}

TEST(ServiceRoute, FindsReadyEndpointsOfThePort) {
  const Value service = json(R"({"metadata": {"name": "web"}, "spec": {"ports": [
      {"name": "http", "port": 80}, {"name": "https", "port": 443}]}})");
  const std::vector<Value> slices = {
      json(R"({"metadata": {"labels": {"kubernetes.io/service-name": "another"}},
               "ports": [{"name": "https", "port": 1}], "endpoints": [{"addresses": ["10.0.0.9"]}]})"),
      json(R"({"metadata": {"labels": {"kubernetes.io/service-name": "web"}},
               "ports": [{"name": "http", "port": 8080}, {"name": "https", "port": 8443}],
               "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": false}},
                             {"addresses": ["10.0.0.2"], "targetRef": {"kind": "Pod", "name": "p"}},
                             {"addresses": ["10.0.0.3"]}]})")};
  for (std::uint64_t choice = 0; choice < 6; ++choice) {
    const auto route = route_to("web", 443, service, slices, choice);
    ASSERT_TRUE(route.ok());
    EXPECT_EQ(route->address, choice % 3 == 2 ? "10.0.0.3" : "10.0.0.2");
    EXPECT_EQ(route->port, 8443);
  }
  EXPECT_EQ(route_of(service, service_port(service, "http"), slices, 1)->pod, "p");
  EXPECT_EQ(route_to("web", 81, service, slices, 0).error().message,
            "no service port 81 found for service \"web\"");
  EXPECT_EQ(route_to("web", 80, service, {}, 0).error().message,
            "no endpoints available for service \"web\"");
  EXPECT_EQ(route_to("web", 80, Value(), {}, 0).error().message, "service \"web\" not found");
}

}  // namespace
}  // namespace keelson::registry
