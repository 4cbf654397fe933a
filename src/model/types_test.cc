#include "model/types.h"

#include <gtest/gtest.h>

#include "codec/json.h"
#include "model/structural_schema.h"
#include "model/types_parse.h"

namespace keelson::model {
namespace {

codec::Value json(std::string_view text) {
  return codec::parse_json(text).value();
}

TEST(TypeTable, FindsResources) {
  const TypeTable table;
  const auto pods = table.find("", "v1", "pods");
  ASSERT_NE(pods, nullptr);
  EXPECT_EQ(pods->kind, "Pod");
  EXPECT_TRUE(pods->namespaced);
  EXPECT_EQ(pods->name(), "pods");
  EXPECT_EQ(pods->subresource("eviction")->kind, "Eviction");
  EXPECT_NE(pods->subresource("eviction")->type, nullptr);
  EXPECT_EQ(pods->subresource("exec")->type, nullptr);
  EXPECT_EQ(table.find_kind("apps", "v1", "Deployment")->name(), "deployments.apps");
  EXPECT_EQ(table.find("apps", "v2", "deployments"), nullptr);
  EXPECT_EQ(table.storage("horizontalpodautoscalers.autoscaling")->version, "v2");
  EXPECT_EQ(table.versions("horizontalpodautoscalers.autoscaling").size(), 2u);
  EXPECT_EQ(table.storage("events.events.k8s.io")->name(), "events");
  EXPECT_FALSE(table.find("authentication.k8s.io", "v1", "tokenreviews")->stored);
}

TEST(TypeTable, KnowsFields) {
  const TypeTable table;
  const codec::Type* spec = table.type("io.k8s.api.core.v1.PodSpec");
  ASSERT_NE(spec, nullptr);
  EXPECT_EQ(spec->fields.front().name, "volumes");
  const codec::Field* containers = spec->field("containers");
  EXPECT_EQ(containers->merge_key, "name");
  EXPECT_EQ(containers->number, 2);
  EXPECT_EQ(containers->list_keys, std::vector<std::string>{"name"});
  EXPECT_EQ(containers->type->element.type->name, "io.k8s.api.core.v1.Container");
  EXPECT_TRUE(table.type("io.k8s.api.apps.v1.DeploymentSpec")->field("selector")->atomic);
  EXPECT_EQ(table.type("io.k8s.api.core.v1.Volume")->field("emptyDir")->embedded_number, 2);
  const codec::Type* list = table.type("io.k8s.api.core.v1.PodList");
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(list->field("items")->type->element.type, table.type("io.k8s.api.core.v1.Pod"));
}

// A type that is mentioned but nowhere described would decode as nothing.
TEST(TypeTable, SaysWhereAPatchReplacesAndApplyLooksInside) {
  const TypeTable table;
  EXPECT_TRUE(
      table.type("io.k8s.api.policy.v1.PodDisruptionBudgetSpec")->field("selector")->patch_replace);
  EXPECT_TRUE(
      table.type("io.k8s.api.core.v1.PersistentVolumeClaimSpec")->field("dataSource")->atomic);
  EXPECT_FALSE(table.type("io.k8s.api.core.v1.PersistentVolumeSpec")->field("claimRef")->atomic);
}

TEST(TypeTable, EveryTypeIsDescribed) {
  for (const codec::Type& type : builtin_types().arena) {
    EXPECT_TRUE(type.shape != codec::Shape::any || type.preserve_unknown) << type.name;
    for (const codec::Field& field : type.fields) EXPECT_NE(field.type, nullptr) << type.name;
  }
}

TEST(TypeTable, TakesCustomResources) {
  TypeTable table;
  const auto definition = json(R"({"spec":{"group":"example.com","scope":"Namespaced",
    "names":{"plural":"widgets","singular":"widget","kind":"Widget"},
    "versions":[{"name":"v1","served":true,"storage":true,"subresources":{"status":{}},
      "schema":{"openAPIV3Schema":{"type":"object","properties":{
        "spec":{"type":"object","properties":{
          "size":{"type":"integer","default":3},
          "parts":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["n"],
                   "items":{"type":"object","properties":{"n":{"type":"string"}}}}}}}}}}]}})");
  ASSERT_TRUE(table.add_custom(definition).ok());
  const auto widgets = table.find("example.com", "v1", "widgets");
  ASSERT_NE(widgets, nullptr);
  const codec::Type* spec = widgets->type->field("spec")->type;
  EXPECT_EQ(spec->field("parts")->list_keys, std::vector<std::string>{"n"});
  auto object = json(R"({"kind":"Widget","x":1,"spec":{"parts":[{"n":"a","m":1}]}})");
  std::vector<std::string> dropped;
  prune_custom(widgets->schema, object, &dropped);
  EXPECT_EQ(dropped, (std::vector<std::string>{"spec.parts[0].m", "x"}));
  default_custom(widgets->schema, object);
  EXPECT_EQ(object["spec"]["size"].as_int(), 3);
  table.remove_custom("widgets.example.com");
  EXPECT_EQ(table.find("example.com", "v1", "widgets"), nullptr);
  EXPECT_EQ(widgets->kind, "Widget");
}

}  // namespace
}  // namespace keelson::model
