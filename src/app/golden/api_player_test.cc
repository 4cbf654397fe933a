#include "app/golden/api_player.h"

#include <gtest/gtest.h>

#include "app/golden/normalise.h"
#include "app/golden/raw_http.h"
#include "app/golden/webhook_server.h"
#include "app/golden/wire.h"
#include "base/text.h"
#include "codec/json.h"

namespace keelson::app {
namespace {

using codec::Value;

Value json(std::string_view text) {
  auto value = codec::parse_json(text);
  EXPECT_TRUE(value.ok()) << text;
  return value.ok() ? *value : Value();
}

TEST(OrderedJson, KeepsOrderAndNumbers) {
  const auto read = OrderedJson::parse(R"({"b": 1.0, "a": [true, null, "é\n"], "c": {}})");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->dump(), R"({"b": 1.0, "a": [true, null, "\u00e9\n"], "c": {}})");
  EXPECT_EQ(read->value(), json(R"({"a":[true,null,"é\n"],"b":1,"c":{}})"));
  EXPECT_FALSE(OrderedJson::parse("{\"a\":").ok());
}

TEST(Normaliser, ReplacesWhatDiffersBetweenRuns) {
  Normaliser normaliser("gn-12345678", "gi12345678", {{"webhook", "https://127.0.0.1:4711"}});
  const auto text = [&](std::string_view s) { return normaliser.text(s); };
  EXPECT_EQ(text("at 2026-01-02T03:04:05Z in gn-12345678, Gi12345678"),
            "at <time> in ${ns}, ${Id}");
  EXPECT_EQ(text("10.96.12.3, 10.96.0.1, 10.96.12.0/24"), "<ip>, 10.96.0.1, 10.96.12.0/24");
  EXPECT_EQ(text("80:31234/TCP"), "80:<number>/TCP");
  EXPECT_EQ(text("{\"resourceVersion\":\"123\"}"), "{\"resourceVersion\":\"<versions>\"}");
  EXPECT_EQ(text("https://127.0.0.1:4711/x 127.0.0.1:4711"), "${webhook}/x ${webhook}");
  EXPECT_EQ(normaliser.value(json(R"({"resourceVersion":"7","nodePort":31000,"port":80,)"
                                  R"("generateName":"a-","name":"a-x7k2p","cells":["5d","x"],)"
                                  R"("message":"the latest version is 42","clusterIP":"None"})")),
            json(R"({"resourceVersion":"<resourceVersion>","nodePort":"<number>","port":80,)"
                 R"("generateName":"a-","name":"a-<suffix>","cells":["<age>","x"],)"
                 R"("message":"<versions>","clusterIP":"None"})"));
}

TEST(Identifiers, OneIdentifierIsOneStandIn) {
  Identifiers identifiers;
  const std::string a = "aaaaaaaa-0000-4000-8000-000000000001";
  const std::string b = "bbbbbbbb-0000-4000-8000-000000000002";
  const auto labelled = [&](const Value& want, const Value& got) {
    return identifiers.labelled(want, got);
  };
  const Value want = json(R"({"uid":"<uid-1>","owner":"JTI=<uid-2>"})");
  EXPECT_EQ(labelled(want, Value::object({{"uid", a}, {"owner", "JTI=" + b}})), want);
  EXPECT_EQ(labelled(json(R"({"uid":"<uid-2>"})"), Value::object({{"uid", b}}))["uid"].as_string(),
            "<uid-2>");
  EXPECT_EQ(labelled(json(R"({"uid":"<uid-2>"})"), Value::object({{"uid", a}}))["uid"].as_string(),
            "<uid-1>");
}

TEST(Differences, NameTheirPlace) {
  EXPECT_TRUE(differences(json(R"({"a":1})"), json(R"({"a":1.0})")).empty());
  EXPECT_EQ(differences(json(R"({"a":[1,2],"b":1})"), json(R"({"a":[1],"c":true})")),
            (std::vector<std::string>{".a: want 2 items, got 1", ".b: missing, want 1",
                                      ".c: unexpected true"}));
  // The order of managers is not fixed.
  EXPECT_TRUE(differences(json(R"({"managedFields":[{"manager":"a"},{"manager":"b"}]})"),
                          json(R"({"managedFields":[{"manager":"b"},{"manager":"a"}]})"))
                  .empty());
}

TEST(Answers, LessOfThem) {
  EXPECT_EQ(kept(json(R"({"groups":[{"name":"apps"},{"name":"x.example.com"}]})"),
                 json(R"({"groups":"^apps$"})")),
            json(R"({"groups":[{"name":"apps"}]})"));
  const Value status = json(
      R"({"kind":"Status","message":"x: [b, a]","details":{"causes":[{"field":"b"},{"field":"a"}]}})");
  EXPECT_EQ(unordered(status)["message"].as_string(), "a b x:");
  EXPECT_EQ(unordered(status)["details"]["causes"][0]["field"].as_string(), "a");
  EXPECT_EQ(follow(json(R"({"a/b":[{"c":1}]})"), "/a~1b/0/c"), Value(1));
  // As Python's hashlib has it of {"a":1.5}.
  EXPECT_EQ(digested(json(R"({"a":1.5})"), Value::array()).as_string(), "sha1:40511316b245");
}

TEST(Wire, ReadsAndWrites) {
  const auto fields =
      OrderedJson::parse(R"([[1, "text"], [2, [[1, 5]]], [3, {"base64": "gA=="}]])");
  const std::string bytes = write_wire(*fields);
  EXPECT_EQ(codec::to_json(read_wire(bytes)), R"([[1,"text"],[2,[[1,5]]],[3,{"base64":"gA=="}]])");
  EXPECT_EQ(codec::to_json(read_wire("\xff")), R"({"base64":"/w=="})");
}

TEST(WebhookServer, AnswersByPath) {
  const auto answer = [](const char* path, std::string_view request) {
    Value review = json(R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"})");
    review.set("request", json(request));
    return json(webhook_answer(path, review).body)["response"];
  };
  EXPECT_EQ(answer("/deny", R"({"uid":"u"})"),
            json(R"({"uid":"u","allowed":false,"status":{"message":"no, said the test"}})"));
  EXPECT_EQ(answer("/echo", R"({"uid":"u","object":{"b":1,"a":2},"x":true})")["status"]["message"]
                .as_string(),
            R"({"object": ["a", "b"], "x": true})");
  const Value review = json(
      R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","request":{"uid":"u",)"
      R"("desiredAPIVersion":"x.io/v2","objects":[{"apiVersion":"x.io/v1"}]}})");
  EXPECT_EQ(json(webhook_answer("/convert", review).body)["response"]["convertedObjects"],
            json(R"([{"apiVersion":"x.io/v2","spec":{"via":"v1->v2"}}])"));
  EXPECT_EQ(webhook_answer("/404", review).code, 404);
}

TEST(WebhookServer, ServesOverTls) {
  const auto server = WebhookServer::start();
  ASSERT_TRUE(server.ok()) << server.error().message;
  const auto& variables = (*server)->variables();
  const Endpoint endpoint{.server = variables.at("webhook"),
                          .ca_pem = *from_base64(variables.at("webhookCA"))};
  RawHttp http(endpoint);
  for (int i = 0; i < 2; ++i) {
    const auto answer =
        http.request({.method = "POST",
                      .path = "/allow?timeout=10s",
                      .has_body = true,
                      .body = R"({"kind":"AdmissionReview","request":{"uid":"u"}})"});
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    EXPECT_EQ(json(answer->body)["response"], json(R"({"allowed":true,"uid":"u"})"));
  }
}

TEST(ApiPlayer, KnowsItsFiles) {
  EXPECT_TRUE(ApiPlayer::recognises(
      json(R"({"sequences":[{"name":"a/b/c","steps":[{"path":"/x","answer":{"status":200}}]}]})")));
  EXPECT_FALSE(ApiPlayer::recognises(json(R"({"scenarios":[]})")));
}

}  // namespace
}  // namespace keelson::app
