// Addresses of Services as objects, and the ranges that they come from.
#include "registry/address_objects.h"

#include <gtest/gtest.h>

#include "registry/service_ranges.h"
#include "registry/test_registry.h"

namespace keelson::registry {
namespace {

class AddressTest : public TestRegistry {
 protected:
  AddressTest() { restart(); }
  void restart(std::string range = "10.96.0.0/28") {
    Settings settings;
    settings.service_range = std::move(range);
    settings.node_port_first = 30000;
    settings.node_port_last = 30003;
    open(environment(), std::move(settings));
  }
  Result<Response> execute(Verb verb, std::string_view resource, std::string_view name,
                           Value body = {}) {
    const bool is_service = resource == "services";
    return registry->execute(request(verb, is_service ? "" : "networking.k8s.io",
                                     std::string(resource), is_service ? "default" : "",
                                     std::string(name), std::move(body)));
  }
  static Value service(std::string_view name, std::string_view address = {},
                       std::string_view type = "ClusterIP") {
    Value out = Value::object({{"metadata", Value::object({{"name", name}})}});
    out.edit("spec").set("type", type);
    if (!address.empty()) out.edit("spec").set("clusterIP", address);
    out.edit("spec").edit("ports").push_back(Value::object({{"port", 80}}));
    return out;
  }
  Result<Response> make(std::string_view name, std::string_view address = {},
                        std::string_view type = "ClusterIP") {
    return execute(Verb::create, "services", "", service(name, address, type));
  }
  std::string address_of(std::string_view name) {
    return registry->get("services", "default", name)["spec"]["clusterIP"].str();
  }
  std::vector<std::string> objects() {
    std::vector<std::string> out;
    for (const Value& one : registry->list(kIpAddresses))
      out.push_back(one["metadata"]["name"].str());
    return out;
  }
  Result<Response> add_range(std::string_view cidr) {
    Value range = Value::object({{"metadata", Value::object({{"name", "more"}})}});
    range.edit("spec").edit("cidrs").push_back(cidr);
    return execute(Verb::create, "servicecidrs", "", range);
  }
};

TEST_F(AddressTest, EachAddressOfAServiceIsAnObject) {
  EXPECT_EQ(objects(), std::vector<std::string>{"10.96.0.1"});
  ASSERT_TRUE(make("web", "10.96.0.5").ok());
  const Value object = registry->get(kIpAddresses, "", "10.96.0.5");
  EXPECT_EQ(object["spec"]["parentRef"]["name"].as_string(), "web");
  EXPECT_EQ(object["metadata"]["labels"]["ipaddress.kubernetes.io/managed-by"].as_string(),
            "ipallocator.k8s.io");
  EXPECT_EQ(object["metadata"]["managedFields"][0]["manager"].as_string(), "kube-apiserver");
  EXPECT_EQ(object["metadata"]["resourceVersion"],
            registry->get("services", "default", "web")["metadata"]["resourceVersion"]);
  Value external = registry->get("services", "default", "web");
  external.edit("spec").set("type", "ExternalName");
  external.edit("spec").set("externalName", "example.com");
  ASSERT_TRUE(execute(Verb::update, "services", "web", external).ok());
  EXPECT_EQ(objects().size(), 1u);
  ASSERT_TRUE(make("api").ok());
  EXPECT_EQ(objects().size(), 2u);
  ASSERT_TRUE(execute(Verb::remove, "services", "api").ok());
  EXPECT_EQ(objects().size(), 1u);
}

TEST_F(AddressTest, WhatIsTakenAwayComesBack) {
  ASSERT_TRUE(make("web", "10.96.0.5").ok());
  const std::string before = registry->get(kIpAddresses, "", "10.96.0.5")["metadata"]["uid"].str();
  ASSERT_TRUE(execute(Verb::remove, "ipaddresses", "10.96.0.5").ok());
  const Value again = registry->get(kIpAddresses, "", "10.96.0.5");
  EXPECT_FALSE(again.is_null());
  EXPECT_NE(again["metadata"]["uid"].as_string(), before);
}

TEST_F(AddressTest, AStoreFromBeforeIsPutRight) {
  ASSERT_TRUE(make("web", "10.96.0.5").ok());
  store::Transaction transaction;
  transaction.deletes = {std::string(kIpAddresses) + "//10.96.0.5"};
  ASSERT_TRUE(store->commit(std::move(transaction)).ok());
  restart();
  EXPECT_EQ(objects(), (std::vector<std::string>{"10.96.0.1", "10.96.0.5"}));
  transaction = {};
  transaction.deletes = {"services/default/web"};
  ASSERT_TRUE(store->commit(std::move(transaction)).ok());
  restart();
  EXPECT_EQ(objects(), std::vector<std::string>{"10.96.0.1"});
}

TEST_F(AddressTest, TheRangeIsTheOneOfThisStart) {
  restart("10.99.0.0/24");
  const Value range = registry->get("servicecidrs.networking.k8s.io", "", "kubernetes");
  EXPECT_EQ(range["spec"]["cidrs"][0].as_string(), "10.99.0.0/24");
  ASSERT_TRUE(make("web").ok());
  EXPECT_TRUE(address_of("web").starts_with("10.99.0."));
}

TEST_F(AddressTest, AnAddressCanBeReserved) {
  Value reserved = Value::object({{"metadata", Value::object({{"name", "10.96.0.7"}})}});
  reserved.edit("spec").set(
      "parentRef",
      Value::object({{"group", "example.com"}, {"resource", "balancers"}, {"name", "b"}}));
  ASSERT_TRUE(execute(Verb::create, "ipaddresses", "", reserved).ok());
  const auto refused = make("web", "10.96.0.7");
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("provided IP is already allocated"), std::string::npos);
  ASSERT_TRUE(execute(Verb::remove, "ipaddresses", "10.96.0.7").ok());
  EXPECT_TRUE(make("web", "10.96.0.7").ok());
}

TEST_F(AddressTest, AFullRangeIsSaidAndCanBeExtended) {
  for (int i = 0; i < 13; ++i) ASSERT_TRUE(make("s" + std::to_string(i)).ok());
  const auto full = make("late");
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().message,
            "Internal error occurred: failed to allocate a serviceIP: range is full");
  EXPECT_FALSE(make("fixed", "10.97.0.9").ok());
  ASSERT_TRUE(add_range("10.97.0.0/24").ok());
  ASSERT_TRUE(make("late").ok());
  EXPECT_TRUE(address_of("late").starts_with("10.97.0."));
  EXPECT_TRUE(make("fixed", "10.97.0.9").ok());
  // A range that goes gives no more addresses, not even while it waits for its end.
  Value range = registry->get("servicecidrs.networking.k8s.io", "", "more");
  range.edit("metadata").edit("finalizers").push_back("example.com/wait");
  ASSERT_TRUE(execute(Verb::update, "servicecidrs", "more", range).ok());
  ASSERT_TRUE(execute(Verb::remove, "servicecidrs", "more").ok());
  EXPECT_FALSE(make("later").ok());
  restart();
  EXPECT_FALSE(make("later").ok());
}

TEST_F(AddressTest, NodePortsCanRunOut) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(make("n" + std::to_string(i), "", "NodePort").ok());
  const auto full = make("late", "", "NodePort");
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().message,
            "Internal error occurred: failed to allocate a nodePort: range is full");
  EXPECT_EQ(objects().size(), 5u);  // nothing was kept of what failed
}

TEST(ServiceRanges, TheFirstAddressesAreUsedLast) {
  const ServiceRanges ranges("10.96.0.0/24");
  Prng rng(3);
  std::set<std::string> taken;
  const auto is_taken = [&](const std::string& one) { return taken.contains(one); };
  for (int i = 0; i < 254; ++i) {
    const std::string address = ranges.choose(rng, is_taken);
    EXPECT_TRUE(ranges.contains(address)) << address;
    const auto last = parse_address(address).value() & 255;
    EXPECT_EQ(last < 16, i >= 239) << address;
    taken.insert(address);
  }
  EXPECT_EQ(ranges.choose(rng, is_taken), "");
  EXPECT_EQ(taken.size(), 254u);
}

}  // namespace
}  // namespace keelson::registry
