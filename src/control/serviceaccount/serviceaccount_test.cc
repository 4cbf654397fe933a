#include "control/serviceaccount/serviceaccount.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "control/serviceaccount/tokens.h"
#include "sched/memory_view.h"

namespace keelson::control {
namespace {

using codec::Value;

Value named(std::string_view kind, std::string_view ns, std::string_view name) {
  Value meta = Value::object({{"name", name}});
  if (!ns.empty()) meta.set("namespace", ns);
  return Value::object({{"apiVersion", "v1"}, {"kind", kind}, {"metadata", meta}});
}

cluster::Plan sync(cluster::Controller& controller, const cluster::View& view) {
  Prng rng(1);
  const cluster::Key key{"", "shop"};
  return controller.reconcile({view, key, Instant(), rng});
}

TEST(ServiceAccount, EveryActiveNamespaceHasTheDefault) {
  sched::MemoryView view;
  ServiceAccountController controller;
  EXPECT_TRUE(sync(controller, view).writes.empty());
  view.put("namespaces", named("Namespace", "", "shop"));
  const cluster::Plan plan = sync(controller, view);
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].resource, "serviceaccounts");
  EXPECT_EQ(plan.writes[0].name, "default");
  view.put("serviceaccounts", named("ServiceAccount", "shop", "default"));
  EXPECT_TRUE(sync(controller, view).writes.empty());
}

TEST(ServiceAccount, NothingIsMadeInANamespaceThatGoes) {
  sched::MemoryView view;
  ServiceAccountController controller;
  Value ns = named("Namespace", "", "shop");
  ns.edit("status").set("phase", "Terminating");
  view.put("namespaces", ns);
  EXPECT_TRUE(sync(controller, view).writes.empty());
}

TEST(RootCa, IsPublishedAndPutRight) {
  sched::MemoryView view;
  RootCaPublisher publisher("PEM");
  view.put("namespaces", named("Namespace", "", "shop"));
  cluster::Plan plan = sync(publisher, view);
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].object["data"]["ca.crt"].as_string(), "PEM");
  view.put("configmaps", plan.writes[0].object);
  EXPECT_TRUE(sync(publisher, view).writes.empty());

  Value changed = plan.writes[0].object;
  changed.edit("data").set("ca.crt", "forged");
  view.put("configmaps", changed);
  plan = sync(publisher, view);
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].verb, cluster::Write::Verb::update);
}

TEST(TokenSecret, IsFilledAndGoesWithItsAccount) {
  sched::MemoryView view;
  TokenSecretController controller(
      [](const Value& claims) { return "signed for " + claims["sub"].str(); }, "PEM");
  Prng rng(1);
  const cluster::Key key{"shop", "robot-token"};
  const auto look = [&] { return controller.reconcile({view, key, Instant(), rng}); };
  Value secret = named("Secret", "shop", "robot-token");
  secret.set("type", "kubernetes.io/service-account-token");
  secret.edit("metadata").edit("annotations").set("kubernetes.io/service-account.name", "robot");
  view.put("secrets", secret);
  cluster::Plan plan = look();
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].verb, cluster::Write::Verb::remove);

  Value account = named("ServiceAccount", "shop", "robot");
  account.edit("metadata").set("uid", "u1");
  view.put("serviceaccounts", account);
  plan = look();
  ASSERT_EQ(plan.writes.size(), 1u);
  const Value filled = plan.writes[0].object;
  EXPECT_EQ(from_base64(filled["data"]["token"].as_string()).value_or(""),
            "signed for system:serviceaccount:shop:robot");
  EXPECT_EQ(from_base64(filled["data"]["ca.crt"].as_string()).value_or(""), "PEM");
  EXPECT_EQ(from_base64(filled["data"]["namespace"].as_string()).value_or(""), "shop");
  view.put("secrets", filled);
  EXPECT_TRUE(look().writes.empty());

  // Another account of the same name is not the one that the token was given to.
  account.edit("metadata").set("uid", "u2");
  view.put("serviceaccounts", account);
  plan = look();
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].verb, cluster::Write::Verb::remove);
  std::vector<cluster::Key> keys;
  for (const cluster::Watch& watch : controller.watches())
    if (watch.resource == "serviceaccounts") keys = watch.keys(view, account, Value());
  EXPECT_EQ(keys, std::vector<cluster::Key>{key});
}

}  // namespace
}  // namespace keelson::control
