#include "control/serviceaccount/serviceaccount.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace keelson::control
