#include <gtest/gtest.h>

#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"
#include "registry/test_registry.h"

namespace keelson::registry {
namespace {

// Webhooks that answer when the test says so.
class WebhooksTest : public TestRegistry {
 protected:
  WebhooksTest() {
    Environment with = environment();
    with.call_webhook = [this](const WebhookCall& call, std::function<void(WebhookReply)> done) {
      calls.push_back({call, std::move(done)});
    };
    open(std::move(with));
  }

  static Request request(Verb verb, std::string resource, std::string name, Value body) {
    const bool hook = resource.find("webhookconfigurations") != std::string::npos;
    return TestRegistry::request(verb, hook ? "admissionregistration.k8s.io" : "",
                                 std::move(resource), hook ? "" : "default", std::move(name),
                                 std::move(body));
  }
  void configure(const char* kind) {
    Value body = *codec::parse_json(R"({"metadata":{"name":"c"},"webhooks":[{"name":"a.example.com",
        "clientConfig":{"url":"https://127.0.0.1:1/x"},"sideEffects":"None",
        "admissionReviewVersions":["v1"],"rules":[{"apiGroups":[""],"apiVersions":["v1"],
        "operations":["*"],"resources":["configmaps"]}]}]})");
    ASSERT_TRUE(
        registry
            ->execute(request(Verb::create, std::string(kind) + "webhookconfigurations", "", body))
            .ok());
  }
  void start(Verb verb, Value body) {
    registry->execute(request(verb, "configmaps", verb == Verb::create ? "" : "m", std::move(body)),
                      [this](Result<Response> result) { results.push_back(std::move(result)); });
  }
  // The oldest call that is open gets this response.
  void answer(Value response) {
    ASSERT_FALSE(calls.empty());
    auto [call, done] = std::move(calls.front());
    calls.erase(calls.begin());
    const Value review = *codec::parse_json(call.body);
    response.set("uid", review["request"]["uid"]);
    WebhookReply reply{200, "application/json", "", ""};
    reply.body = codec::to_json(Value::object({{"kind", "AdmissionReview"},
                                               {"apiVersion", "admission.k8s.io/v1"},
                                               {"response", std::move(response)}}));
    done(std::move(reply));
  }
  static Value config_map(std::string_view value) {
    return Value::object(
        {{"metadata", Value::object({{"name", "m"}})}, {"data", Value::object({{"k", value}})}});
  }

  std::vector<std::pair<WebhookCall, std::function<void(WebhookReply)>>> calls;
  std::vector<Result<Response>> results;
};

TEST_F(WebhooksTest, ARequestWaitsWhileOthersGoOn) {
  configure("mutating");
  start(Verb::create, config_map("1"));
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_TRUE(results.empty());
  EXPECT_TRUE(registry->get("configmaps", "default", "m").is_null());
  const std::string patch = R"([{"op":"add","path":"/data/hooked","value":"yes"}])";
  answer(
      Value::object({{"allowed", true}, {"patchType", "JSONPatch"}, {"patch", to_base64(patch)}}));
  ASSERT_EQ(results.size(), 1u);
  ASSERT_TRUE(results[0].ok()) << results[0].error().message;
  EXPECT_EQ(registry->get("configmaps", "default", "m")["data"]["hooked"], "yes");
}

TEST_F(WebhooksTest, AnAnswerCountsOnlyForWhatWasAsked) {
  start(Verb::create, config_map("1"));
  ASSERT_EQ(results.size(), 1u);
  configure("validating");
  const Value patch = Value::object({{"data", Value::object({{"mine", "1"}})}});
  start(Verb::patch, patch);
  start(Verb::patch, Value::object({{"data", Value::object({{"theirs", "2"}})}}));
  ASSERT_EQ(calls.size(), 2u);
  answer(Value::object({{"allowed", true}}));
  ASSERT_EQ(results.size(), 2u);
  // The object is another one now: the second is asked again, and keeps what the first wrote.
  answer(Value::object({{"allowed", true}}));
  ASSERT_EQ(results.size(), 2u);
  ASSERT_EQ(calls.size(), 1u);
  answer(Value::object({{"allowed", true}}));
  ASSERT_EQ(results.size(), 3u);
  const Value object = registry->get("configmaps", "default", "m");
  EXPECT_EQ(object["data"]["mine"], "1");
  EXPECT_EQ(object["data"]["theirs"], "2");
}

TEST_F(WebhooksTest, ARefusalIsTheWebhooksOwn) {
  configure("validating");
  start(Verb::create, config_map("1"));
  answer(Value::object(
      {{"allowed", false}, {"status", Value::object({{"message", "no"}, {"code", 403}})}}));
  ASSERT_EQ(results.size(), 1u);
  ASSERT_FALSE(results[0].ok());
  EXPECT_EQ(results[0].error().message,
            "admission webhook \"a.example.com\" denied the request: no");
  EXPECT_EQ(code_of(results[0].error()), 403);
  EXPECT_TRUE(registry->get("configmaps", "default", "m").is_null());
}

}  // namespace
}  // namespace keelson::registry
