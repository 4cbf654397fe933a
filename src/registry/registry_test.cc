#include "registry/registry.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "model/meta.h"
#include "registry/errors.h"
#include "registry/test_registry.h"

namespace keelson::registry {
namespace {

class RegistryTest : public TestRegistry {
 protected:
  RegistryTest() { open(environment()); }

  Request request(Verb verb, std::string resource, std::string name = "", Value body = {}) {
    const bool scoped = resource != "namespaces" && resource != "nodes";
    return TestRegistry::request(verb, "", std::move(resource), scoped ? "default" : "",
                                 std::move(name), std::move(body));
  }
  Response run(const Request& what) {
    auto result = registry->execute(what);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.ok() ? std::move(result).value() : Response();
  }
  Error fail(const Request& what) {
    auto result = registry->execute(what);
    EXPECT_FALSE(result.ok());
    return result.ok() ? Error() : result.error();
  }
  static Value config_map(std::string_view name, std::string_view value = "v") {
    return Value::object(
        {{"metadata", Value::object({{"name", name}})}, {"data", Value::object({{"k", value}})}});
  }
  static Value pod(std::string_view name) {
    Value out = Value::object({{"metadata", Value::object({{"name", name}})}});
    out.edit("spec").set("automountServiceAccountToken", false);
    out.edit("spec")
        .edit("containers")
        .push_back(Value::object({{"name", "c"}, {"image", "example.com/i:1"}}));
    return out;
  }
};

TEST_F(RegistryTest, AFreshServerHasItsNamespacesRolesAndService) {
  EXPECT_EQ(registry->list("namespaces").size(), 4u);
  EXPECT_GT(registry->list("clusterroles.rbac.authorization.k8s.io").size(), 50u);
  EXPECT_EQ(registry->get("services", "default", "kubernetes")["spec"]["clusterIP"], "10.96.0.1");
  EXPECT_FALSE(
      registry->get("customresourcedefinitions.apiextensions.k8s.io", "", "platforms.keelson.dev")
          .is_null());
}

TEST_F(RegistryTest, ADryRunKeepsTheVersionThatAWriteIsRefusedFor) {
  Value object = config_map("a");
  object.edit("metadata").set("resourceVersion", "5");
  Request asked = request(Verb::create, "configmaps", "", object);
  EXPECT_EQ(fail(asked).message, "resourceVersion should not be set on objects to be created");
  asked.options.dry_run = {"All"};
  EXPECT_EQ(model::revision_of(run(asked).object.value()), "5");
}

TEST_F(RegistryTest, BareMetadataIsThatOfTheKeptForm) {
  const Value labels = Value::object({{"a", "b"}});
  Value set = Value::object({{"metadata", Value::object({{"name", "d"}})}});
  Value& spec = set.edit("spec");
  spec.edit("selector").set("matchLabels", labels);
  spec.edit("template").edit("metadata").set("labels", labels);
  spec.edit("template")
      .edit("spec")
      .edit("containers")
      .push_back(Value::object({{"name", "c"}, {"image", "example.com/i:1"}}));
  Request create = request(Verb::create, "daemonsets", "", set);
  create.group = "apps";
  EXPECT_EQ(run(create).object.value()["metadata"]["annotations"].size(), 1u);
  Request get = request(Verb::get, "daemonsets", "d");
  get.group = "apps";
  get.form.kind = Form::Kind::partial;
  EXPECT_TRUE(run(get).object.value()["metadata"]["annotations"].is_null());
}

TEST_F(RegistryTest, StartingAgainWritesNothing) {
  const std::int64_t before = registry->revision();
  Environment environment;
  environment.now = [this] { return loop.now(); };
  environment.rng = &rng;
  Registry again(*store, environment);
  ASSERT_TRUE(again.start().ok());
  EXPECT_EQ(again.revision(), before);
}

TEST_F(RegistryTest, CreateGetUpdateAndConflict) {
  const Response created = run(request(Verb::create, "configmaps", "", config_map("a")));
  EXPECT_EQ(created.code, 201);
  const Value object = created.object.value();
  EXPECT_EQ(model::namespace_of(object), "default");
  EXPECT_FALSE(model::uid_of(object).empty());
  Value changed = object;
  changed.edit("data").set("k", "w");
  run(request(Verb::update, "configmaps", "a", changed));
  const Error error = fail(request(Verb::update, "configmaps", "a", changed));
  EXPECT_EQ(code_of(error), 409);
  EXPECT_EQ(error.message,
            "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; "
            "please apply your changes to the latest version and try again");
}

TEST_F(RegistryTest, AWriteThatChangesNothingKeepsTheVersion) {
  const Value object = run(request(Verb::create, "configmaps", "", config_map("a"))).object.value();
  const std::int64_t before = registry->revision();
  const Response same = run(request(Verb::update, "configmaps", "a", object));
  EXPECT_EQ(model::revision_of(same.object.value()), model::revision_of(object));
  EXPECT_EQ(registry->revision(), before);
}

TEST_F(RegistryTest, ADryRunIsAnsweredAndForgotten) {
  Request create = request(Verb::create, "configmaps", "", config_map("a"));
  create.options.dry_run = {"All"};
  const Response response = run(create);
  EXPECT_EQ(model::name_of(response.object.value()), "a");
  EXPECT_TRUE(model::revision_of(response.object.value()).empty());
  EXPECT_EQ(fail(request(Verb::get, "configmaps", "a")).message, "configmaps \"a\" not found");
}

TEST_F(RegistryTest, AListWhoseRevisionIsGoneGoesOnInThePresent) {
  for (const char* name : {"a", "b", "c", "d"})
    run(request(Verb::create, "configmaps", "", config_map(name)));
  Request page = request(Verb::list, "configmaps");
  page.options.limit = 1;
  page.options.continue_token = run(page).object.value()["metadata"]["continue"].str();
  run(request(Verb::remove, "configmaps", "c"));
  loop.run_ready();
  store->compact(store->revision());
  const Error gone = fail(page);
  EXPECT_EQ(gone.reason, Reason::expired);
  page.options.continue_token = gone.continue_token;
  EXPECT_EQ(status_of(gone)["metadata"]["continue"].as_string(), gone.continue_token);
  const Response second = run(page);
  ASSERT_EQ(second.items.size(), 1u);
  EXPECT_EQ(model::name_of(second.items[0].value()), "b");
  EXPECT_EQ(second.object.value()["metadata"]["remainingItemCount"], 1);
}

TEST_F(RegistryTest, ApplyTellsOfKeysThatStandTwice) {
  Value body = config_map("a");
  body.set("apiVersion", "v1");
  body.set("kind", "ConfigMap");
  Request apply = request(Verb::patch, "configmaps", "a", body);
  apply.patch_type = PatchType::apply;
  apply.options.field_manager = "me";
  apply.body->duplicates = {"line 6: key \"a\" already set in map"};
  apply.options.field_validation = "Strict";
  EXPECT_EQ(fail(apply).message,
            "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  "
            "line 6: key \"a\" already set in map");
  apply.options.field_validation = "Warn";
  EXPECT_EQ(run(apply).warnings, apply.body->duplicates);
}

TEST_F(RegistryTest, ListsInPages) {
  for (const char* name : {"a", "b", "c"})
    run(request(Verb::create, "configmaps", "", config_map(name)));
  Request page = request(Verb::list, "configmaps");
  page.options.limit = 2;
  const Response first = run(page);
  ASSERT_EQ(first.items.size(), 2u);
  const Value meta = first.object.value()["metadata"];
  EXPECT_EQ(meta["remainingItemCount"], 1);
  run(request(Verb::remove, "configmaps", "c"));
  page.options.continue_token = meta["continue"].str();
  const Response second = run(page);
  ASSERT_EQ(second.items.size(), 1u);
  EXPECT_EQ(model::name_of(second.items[0].value()), "c") << "a list is of one revision";
  EXPECT_FALSE(second.object.value()["metadata"].has("continue"));
}

TEST_F(RegistryTest, WatchSeesWhatEntersAndLeavesItsSelection) {
  Request watch = request(Verb::watch, "configmaps");
  watch.options.label_selector = "app=x";
  watch.options.allow_bookmarks = true;
  auto watcher = registry->watch(watch);
  ASSERT_TRUE(watcher.ok());
  Value object = config_map("a");
  object.edit("metadata").edit("labels").set("app", "x");
  object = run(request(Verb::create, "configmaps", "", object)).object.value();
  object.edit("metadata").edit("labels").set("app", "y");
  run(request(Verb::update, "configmaps", "a", object));
  run(request(Verb::remove, "configmaps", "a"));
  loop.run_ready();
  const std::vector<WatchEvent> events = (*watcher)->take(10);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].type, WatchEvent::Type::bookmark);
  EXPECT_EQ(events[1].type, WatchEvent::Type::added);
  EXPECT_EQ(events[2].type, WatchEvent::Type::deleted);
  EXPECT_EQ(events[2].object.value()["metadata"]["labels"]["app"], "x");
}

TEST_F(RegistryTest, APodOnANodeIsGivenItsGrace) {
  Value object = pod("p");
  object.edit("spec").set("nodeName", "n");
  run(request(Verb::create, "serviceaccounts", "",
              Value::object({{"metadata", Value::object({{"name", "default"}})}})));
  run(request(Verb::create, "pods", "", object));
  const Response waiting = run(request(Verb::remove, "pods", "p"));
  EXPECT_EQ(waiting.object.value()["metadata"]["deletionGracePeriodSeconds"], 30);
  Request now = request(Verb::remove, "pods", "p");
  now.options.grace_seconds = 0;
  run(now);
  EXPECT_EQ(code_of(fail(request(Verb::get, "pods", "p"))), 404);
}

TEST_F(RegistryTest, FinalizersHoldAnObject) {
  Value object = config_map("a");
  object.edit("metadata").edit("finalizers").push_back("example.com/hold");
  run(request(Verb::create, "configmaps", "", object));
  const Response held = run(request(Verb::remove, "configmaps", "a"));
  EXPECT_TRUE(model::is_deleting(held.object.value()));
  Value freed = held.object.value();
  freed.edit("metadata").erase("finalizers");
  run(request(Verb::update, "configmaps", "a", freed));
  EXPECT_EQ(code_of(fail(request(Verb::get, "configmaps", "a"))), 404);
}

TEST_F(RegistryTest, ServicesGetAddressesAndGiveThemBack) {
  Value service = Value::object({{"metadata", Value::object({{"name", "s"}})}});
  service.edit("spec").set("type", "NodePort");
  service.edit("spec").edit("ports").push_back(Value::object({{"port", 80}}));
  const Value first = run(request(Verb::create, "services", "", service)).object.value();
  EXPECT_TRUE(first["spec"]["clusterIP"].as_string().starts_with("10.96."));
  const std::int64_t port = first["spec"]["ports"][0]["nodePort"].as_int();
  EXPECT_GE(port, 30000);
  Value other = service;
  other.edit("metadata").set("name", "t");
  other.edit("spec").edit("ports").edit(0).set("nodePort", port);
  EXPECT_EQ(fail(request(Verb::create, "services", "", other)).message,
            "Service \"t\" is invalid: spec.ports[0].nodePort: Invalid value: " +
                std::to_string(port) + ": provided port is already allocated");
  run(request(Verb::remove, "services", "s"));
  run(request(Verb::create, "services", "", other));
}

TEST_F(RegistryTest, ControllersCommitThroughTheSamePath) {
  cluster::Write write;
  write.resource = "configmaps";
  write.namespace_ = "default";
  write.object = config_map("a");
  const Identity identity{"system:kube-controller-manager", "", {}, {}};
  auto created = registry->commit(write, identity);
  ASSERT_TRUE(created.ok()) << created.error().message;
  write.verb = cluster::Write::Verb::merge_patch;
  write.name = "a";
  write.object = Value::object({{"data", Value::object({{"k", "w"}})}});
  write.revision = "1";
  EXPECT_EQ(code_of(registry->commit(write, identity).error()), 409);
  write.revision.clear();
  EXPECT_EQ((*registry->commit(write, identity))["data"]["k"], "w");
}

}  // namespace
}  // namespace keelson::registry
