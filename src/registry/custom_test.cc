// Definitions of custom resources over crashes, full disks and many objects.
#include <gtest/gtest.h>

#include "codec/json.h"
#include "model/meta.h"
#include "registry/test_registry.h"

namespace keelson::registry {
namespace {

constexpr std::string_view kDefinitions = "customresourcedefinitions.apiextensions.k8s.io";

class CustomTest : public TestRegistry {
 protected:
  CustomTest() { restart(); }
  void restart() {
    Environment with = environment();
    with.post = [this](std::function<void()> call) {
      ++turns;
      loop.post(std::move(call));
    };
    open(std::move(with));
  }
  void define() {
    Value definition = *codec::parse_json(R"({
        "metadata": {"name": "things.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced",
                 "names": {"plural": "things", "singular": "thing", "kind": "Thing",
                           "listKind": "ThingList"},
                 "versions": [{"name": "v1", "served": true, "storage": true,
                               "schema": {"openAPIV3Schema": {"type": "object"}}}]}})");
    EXPECT_TRUE(registry
                    ->execute(request(Verb::create, "apiextensions.k8s.io",
                                      "customresourcedefinitions", "", "", definition))
                    .ok());
  }
  bool make(const std::string& name) {
    return registry
        ->execute(request(Verb::create, "example.com", "things", "default", "",
                          Value::object({{"apiVersion", "example.com/v1"},
                                         {"kind", "Thing"},
                                         {"metadata", Value::object({{"name", name}})}})))
        .ok();
  }
  void undefine() {
    EXPECT_TRUE(registry
                    ->execute(request(Verb::remove, "apiextensions.k8s.io",
                                      "customresourcedefinitions", "", "things.example.com"))
                    .ok());
  }
  Value definition() { return registry->get(kDefinitions, "", "things.example.com"); }
  // As if the process had ended between the write of the definition and this later one.
  void forget_status() {
    Value bare = definition();
    bare.erase("status");
    store::Transaction transaction;
    transaction.puts.push_back(
        {std::string(kDefinitions) + "//things.example.com", codec::to_json(bare), bare});
    EXPECT_TRUE(store->commit(std::move(transaction)).ok());
  }

  int turns = 0;
};

TEST_F(CustomTest, ADefinitionWhoseStatusWasLostIsServedAfterARestart) {
  define();
  forget_status();
  restart();
  EXPECT_TRUE(model::condition_is_true(definition(), "Established"));
  EXPECT_TRUE(make("a"));
}

TEST_F(CustomTest, ItsObjectsEndASliceInATurn) {
  define();
  for (int i = 0; i < 350; ++i) ASSERT_TRUE(make("a" + std::to_string(i)));
  undefine();
  EXPECT_EQ(registry->list("things.example.com").size(), 250u);
  EXPECT_FALSE(definition().is_null());
  loop.run_ready();
  EXPECT_TRUE(definition().is_null());
  EXPECT_TRUE(store->range({.prefix = "things.example.com/"})->entries.empty());
  EXPECT_EQ(turns, 3);
}

TEST_F(CustomTest, AnEndThatACrashCutShortGoesOn) {
  define();
  for (int i = 0; i < 350; ++i) ASSERT_TRUE(make("a" + std::to_string(i)));
  undefine();
  restart();
  loop.run_ready();
  EXPECT_TRUE(definition().is_null());
  EXPECT_TRUE(store->range({.prefix = "things.example.com/"})->entries.empty());
}

}  // namespace
}  // namespace keelson::registry
