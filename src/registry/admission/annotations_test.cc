// What policies leave for the audit log.
#include <gtest/gtest.h>

#include "codec/json.h"
#include "host/virtual_loop.h"
#include "registry/registry.h"
#include "store/store.h"

namespace keelson::registry {
namespace {

class AnnotationsTest : public ::testing::Test {
 protected:
  AnnotationsTest() {
    Environment environment;
    environment.now = [this] { return loop.now(); };
    environment.rng = &rng;
    registry = std::make_unique<Registry>(*store, environment);
    EXPECT_TRUE(registry->start().ok());
  }
  Result<Response> run(Verb verb, std::string group, std::string resource, std::string ns,
                       std::string_view body) {
    Request request;
    request.verb = verb;
    request.group = std::move(group);
    request.version = "v1";
    request.resource = std::move(resource);
    request.namespace_ = std::move(ns);
    request.body = codec::JsonDocument{*codec::parse_json(body), {}};
    request.identity = {"admin", "", {"system:masters", "system:authenticated"}, {}};
    request.name = name;
    request.subresource = subresource;
    request.annotations = notes;
    return registry->execute(request);
  }
  void policy(std::string_view rule) {
    ASSERT_TRUE(run(Verb::create, "admissionregistration.k8s.io", "validatingadmissionpolicies", "",
                    R"({"metadata": {"name": "small"}, "spec": {
        "matchConstraints": {"resourceRules": [)" +
                        std::string(rule) + R"(]},
        "validations": [{"expression": "true"}, {"expression": "request.operation == 'x'",
                         "message": "not so"}],
        "auditAnnotations": [{"key": "who", "valueExpression": "'by ' + request.name"},
                             {"key": "none", "valueExpression": "null"}]}})")
                    .ok());
  }
  void bind(std::string_view action) {
    ASSERT_TRUE(run(Verb::create, "admissionregistration.k8s.io",
                    "validatingadmissionpolicybindings", "",
                    R"({"metadata": {"name": "b"}, "spec": {"policyName": "small",
                        "validationActions": [")" +
                        std::string(action) + R"("]}})")
                    .ok());
  }

  host::VirtualLoop loop;
  Prng rng{7};
  std::unique_ptr<store::Store> store = store::Store::in_memory(loop);
  std::unique_ptr<Registry> registry;
  std::string name, subresource;
  std::shared_ptr<std::map<std::string, std::string>> notes;
};

TEST_F(AnnotationsTest, AuditedFailuresAndValuesAreNoted) {
  policy(R"({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
             "resources": ["configmaps"]})");
  bind("Audit");
  notes = std::make_shared<std::map<std::string, std::string>>();
  ASSERT_TRUE(
      run(Verb::create, "", "configmaps", "default", R"({"metadata": {"name": "c"}})").ok());
  EXPECT_EQ(notes->at("small/who"), "by c");
  EXPECT_FALSE(notes->contains("small/none"));
  EXPECT_EQ(notes->at("validation.policy.admission.k8s.io/validation_failure"),
            R"([{"binding":"b","expressionIndex":1,"message":"not so","policy":"small",)"
            R"("validationActions":["Audit"]}])");
}

TEST_F(AnnotationsTest, PoliciesSeeConnections) {
  policy(R"({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CONNECT"],
             "resources": ["pods/exec"]})");
  bind("Deny");
  name = "p";
  subresource = "attach";
  EXPECT_TRUE(run(Verb::connect, "", "pods", "default", R"({"stdout": true})").ok());
  subresource = "exec";
  const auto refused = run(Verb::connect, "", "pods", "default", R"({"command": ["ls"]})");
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("denied request: not so"), std::string::npos);
}

}  // namespace
}  // namespace keelson::registry
