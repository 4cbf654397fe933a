// OpenAPI against the documents that kube-apiserver 1.36.1 serves: digests of every path and every
// schema without descriptions (tests/golden/README.md).
#include "api/documents/openapi.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <map>

#include "api/documents/openapi_descriptions.h"
#include "base/text.h"
#include "codec/json.h"

namespace keelson::api {
namespace {

Value without_descriptions(const Value& value) {
  if (value.is_array()) {
    Value list = Value::array();
    for (const Value& one : value.elements()) list.push_back(without_descriptions(one));
    return list;
  }
  if (!value.is_object()) return value;
  Value object = Value::object();
  for (const codec::Member& member : value.members())
    if (member.key() != "description" || !member.value.is_string())
      object.set(member.key(), without_descriptions(member.value));
  return object;
}

std::string digest(const Value& value) {
  const std::string text = codec::to_json(value);
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned length = 0;
  EVP_Digest(text.data(), text.size(), bytes.data(), &length, EVP_sha256(), nullptr);
  constexpr std::size_t shown = 6;
  return to_hex({reinterpret_cast<const char*>(bytes.data()), shown});
}

// "paths /api/" -> its digest; what is in none of the parts is "rest".
using Digests = std::map<std::string, std::string>;

Digests digests_of(Value document) {
  Digests digests;
  document = without_descriptions(document);
  const auto take = [&](std::string_view part, Value& holder) {
    for (const codec::Member& member : holder[part].members())
      digests[std::string(part) + " " + std::string(member.key())] = digest(member.value);
    holder.erase(part);
  };
  take("paths", document);
  take("definitions", document);
  take("parameters", document);
  if (document.has("components")) take("schemas", document.edit("components"));
  digests["rest"] = digest(document);
  return digests;
}

std::map<std::string, Digests> golden(const std::string& name) {
  std::ifstream file(std::string(KEELSON_SOURCE_DIR) + "/tests/golden/openapi/" + name);
  std::map<std::string, Digests> documents;
  Digests* current = nullptr;
  for (std::string line; std::getline(file, line);) {
    const std::size_t blank = line.find(' ');
    if (line.starts_with("= "))
      current = &documents[line.substr(2)];
    else
      (*current)[line.substr(blank + 1)] = line.substr(0, blank);
  }
  return documents;
}

class OpenapiTest : public testing::Test {
 protected:
  OpenapiSource source() {
    groups_ = discovered_groups(table_.all());
    return {groups_, table_};
  }

  model::TypeTable table_;
  std::vector<DiscoveredGroup> groups_;
};

TEST_F(OpenapiTest, Version3IsThatOfTheOriginal) {
  const std::map<std::string, Digests> wanted = golden("v3.digests");
  std::vector<std::string> names;
  for (const auto& [name, digests] : wanted) {
    names.push_back(name);
    EXPECT_EQ(digests_of(openapi_v3(source(), name)), digests) << name;
  }
  EXPECT_EQ(openapi_v3_names(source()), names);
}

TEST_F(OpenapiTest, Version2IsThatOfTheOriginal) {
  EXPECT_EQ(digests_of(openapi_v2(source())), golden("v2.digests").at("v2"));
}

// Every entry of the descriptions is about something that there is.
TEST_F(OpenapiTest, DescribesWhatThereIs) {
  const Value schemas = openapi_v3(source(), "apis/apps/v1")["components"]["schemas"];
  const Value& deployment = schemas["io.k8s.api.apps.v1.Deployment"];
  EXPECT_FALSE(deployment["description"].as_string().empty());
  for (const codec::Member& field : deployment["properties"].members())
    EXPECT_FALSE(field.value["description"].as_string().empty()) << field.key();
  const Value definitions = openapi_v2(source())["definitions"];
  std::map<std::string, const Value*> by_name;
  for (const codec::Member& one : definitions.members()) {
    const std::vector<std::string> parts = split(one.key(), '.');
    if (parts.size() >= 3)
      by_name[parts[parts.size() - 3] + "." + parts[parts.size() - 2] + "." + parts.back()] =
          &one.value;
  }
  for (const auto& [type, field] : described_names()) {
    if (type == "*") continue;
    const auto found = by_name.find(std::string(type));
    ASSERT_NE(found, by_name.end()) << type;
    EXPECT_TRUE(field.empty() || (*found->second)["properties"].has(field)) << type << " " << field;
  }
}

constexpr std::string_view kDefinition = R"({
  "metadata": {"name": "widgets.shop.example.com", "resourceVersion": "7"},
  "spec": {
    "group": "shop.example.com", "scope": "Namespaced",
    "names": {"plural": "widgets", "singular": "widget", "kind": "Widget",
              "listKind": "WidgetList"},
    "versions": [{"name": "v1", "served": true, "storage": true,
      "selectableFields": [{"jsonPath": ".spec.color"}],
      "subresources": {"status": {}},
      "schema": {"openAPIV3Schema": {"type": "object", "description": "A widget.",
        "properties": {
          "metadata": {"type": "object", "properties": {"name": {"maxLength": 9}}},
          "spec": {"type": "object", "required": ["color", "size"], "properties": {
            "color": {"type": "string", "default": "red", "enum": ["red"]},
            "size": {"type": "object", "nullable": true, "properties": {"a": {"type": "string"}}},
            "port": {"x-kubernetes-int-or-string": true},
            "range": {"x-kubernetes-int-or-string": true, "anyOf": [{"minimum": 1}]},
            "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                    "properties": {"b": {"type": "string"}}},
            "inner": {"type": "object", "x-kubernetes-embedded-resource": true}}}}}}}]}})";

class CustomOpenapiTest : public OpenapiTest {
 protected:
  void SetUp() override {
    const auto parsed = codec::parse_json(kDefinition);
    ASSERT_TRUE(parsed.ok());
    ASSERT_TRUE(table_.add_custom(*parsed).ok());
  }
};

TEST_F(CustomOpenapiTest, Version3ShowsTheSchemaAsWritten) {
  const Value document = openapi_v3(source(), "apis/shop.example.com/v1");
  EXPECT_EQ(document["info"]["title"].as_string(), "Kubernetes CRD Swagger");
  const Value& schemas = document["components"]["schemas"];
  const Value& widget = schemas["com.example.shop.v1.Widget"];
  EXPECT_EQ(widget["description"].as_string(), "A widget.");
  EXPECT_EQ(codec::to_json(widget["properties"]["metadata"]["allOf"]),
            R"([{"$ref":"#/components/schemas/)"
            R"(io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}])");
  EXPECT_EQ(codec::to_json(widget["x-kubernetes-selectable-fields"]),
            R"([{"fieldPath":"spec.color"}])");
  const Value& spec = widget["properties"]["spec"]["properties"];
  EXPECT_EQ(spec["color"]["default"].as_string(), "red");
  EXPECT_EQ(codec::to_json(spec["port"]["anyOf"]), R"([{"type":"integer"},{"type":"string"}])");
  EXPECT_EQ(codec::to_json(spec["range"]),
            R"({"allOf":[{"anyOf":[{"type":"integer"},{"type":"string"}]}],)"
            R"("anyOf":[{"minimum":1}],"x-kubernetes-int-or-string":true})");
  EXPECT_EQ(codec::to_json(spec["inner"]["required"]), R"(["kind","apiVersion"])");
  EXPECT_TRUE(spec["any"]["properties"].has("b"));
  const Value& item =
      document["paths"]["/apis/shop.example.com/v1/namespaces/{namespace}/widgets/{name}"];
  EXPECT_EQ(item["patch"]["operationId"].as_string(), "patchShopExampleComV1NamespacedWidget");
  EXPECT_EQ(item["patch"]["requestBody"]["content"].size(), 3U);  // no strategic merge
}

TEST_F(CustomOpenapiTest, Version2ShowsWhatKubectlCanRead) {
  const Value document = openapi_v2(source());
  const Value& widget = document["definitions"]["com.example.shop.v1.Widget"];
  const Value& spec = widget["properties"]["spec"];
  EXPECT_EQ(codec::to_json(spec["required"]), R"(["color"])");
  EXPECT_EQ(codec::to_json(spec["properties"]["size"]), "{}");
  EXPECT_FALSE(spec["properties"]["color"].has("default"));
  EXPECT_EQ(codec::to_json(spec["properties"]["port"]), R"({"x-kubernetes-int-or-string":true})");
  EXPECT_EQ(codec::to_json(spec["properties"]["any"]),
            R"({"x-kubernetes-preserve-unknown-fields":true})");
  EXPECT_TRUE(document["paths"].has("/apis/shop.example.com/v1/widgets"));
}

}  // namespace
}  // namespace keelson::api
