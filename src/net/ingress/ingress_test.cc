// Routes and HAProxy's configuration as goldens (UPDATE_GOLDEN=1 writes them anew), slots and their
// commands.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "net/address.h"
#include "net/ingress/haproxy_config.h"
#include "net/ingress/routes.h"
#include "net/test_objects.h"

namespace keelson::net {
namespace {

std::vector<Value> nginx_class() {
  return {json(R"({"metadata":{"name":"nginx"},"spec":{"controller":"k8s.io/ingress-nginx"}})"),
          json(R"({"metadata":{"name":"other"},"spec":{"controller":"example.com/x"}})")};
}

Value ingress(const std::string& name, const std::string& annotations, const std::string& spec,
              const std::string& created = "2026-01-01T00:00:00Z") {
  return json(R"({"metadata":{"namespace":"shop","name":")" + name + R"(","creationTimestamp":")" +
              created + R"(","annotations":{)" + annotations +
              R"(}},"spec":{"ingressClassName":"nginx",)" + spec + "}}");
}

std::string path(const std::string& text, const std::string& type, const std::string& to) {
  return R"({"path":")" + text + R"(","pathType":")" + type +
         R"(","backend":{"service":{"name":")" + to + R"(","port":{"number":80}}}})";
}

Directory shop(const std::vector<TestEndpoint>& endpoints) {
  Directory directory;
  for (const std::string name : {"web", "api"}) {
    directory.service_changed(
        {},
        service("shop", name, R"("clusterIP":"10.96.0.20","ports":[{"name":"http","port":80}])"));
    directory.slice_changed({}, slice("shop", name, R"([{"name":"http","port":8080}])", endpoints));
  }
  return directory;
}

std::vector<Value> example() {
  return {
      ingress("site",
              R"("nginx.ingress.kubernetes.io/limit-rps":"100",
                 "nginx.ingress.kubernetes.io/limit-connections":"20",
                 "nginx.ingress.kubernetes.io/affinity":"cookie",
                 "nginx.ingress.kubernetes.io/proxy-body-size":"8m",
                 "nginx.ingress.kubernetes.io/proxy-read-timeout":"120",
                 "nginx.ingress.kubernetes.io/rewrite-target":"/")",
              R"("tls":[{"hosts":["shop.example"],"secretName":"shop-tls"}],"rules":[
                 {"host":"Shop.example","http":{"paths":[)" +
                  path("/", "Prefix", "web") + "," + path("/api/", "Prefix", "api") + "," +
                  path("/api/health", "Exact", "web") + R"(]}},
                 {"host":"*.shop.example","http":{"paths":[)" +
                  path("/", "ImplementationSpecific", "web") + "]}}]"),
      ingress("late", "",
              R"("rules":[{"host":"shop.example","http":{"paths":[)" + path("/", "Prefix", "api") +
                  "," + path("/late", "Prefix", "api") + R"(]}},{"http":{"paths":[)" +
                  path("/any", "Prefix", "gone") + "]}}]",
              "2026-02-01T00:00:00Z"),
  };
}

void expect_golden(const std::string& name, const std::string& text) {
  const std::string file = std::string(KEELSON_SOURCE_DIR) + "/src/net/ingress/golden/" + name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(file) << text;
  std::ifstream in(file);
  std::stringstream wanted;
  wanted << in.rdbuf();
  EXPECT_EQ(wanted.str(), text) << file;
}

TEST(Routes, OlderIngressesWinAndUnknownAnnotationsAreNamed) {
  const RoutePlan plan = plan_routes(example(), nginx_class(), shop({{"10.244.0.5"}}));
  EXPECT_EQ(plan.prefix.at("shop.example|/"), "shop_site_web_80");
  EXPECT_EQ(plan.prefix.at("shop.example|/late/"), "shop_late_api_80");
  EXPECT_EQ(plan.prefix.at("shop.example|/api/"), "shop_site_api_80");
  EXPECT_EQ(plan.prefix.at("*.shop.example|/"), "shop_site_web_80");
  EXPECT_EQ(plan.prefix.at("*|/any/"), "shop_late_gone_80");
  EXPECT_EQ(plan.exact.at("shop.example|/api/health"), "shop_site_web_80");
  EXPECT_FALSE(plan.backends.at("shop_late_gone_80").port);
  ASSERT_EQ(plan.certificates.size(), 1u);
  EXPECT_EQ(plan.certificates[0].secret.name, "shop-tls");
  EXPECT_EQ(plan.complaints.at({"shop", "site"}),
            std::vector<std::string>{
                "annotation nginx.ingress.kubernetes.io/rewrite-target is not acted on"});
}

TEST(Routes, TheOwnClassServesWhoeverNamesNoOther) {
  const std::vector<Value> own = {own_ingress_class()};
  EXPECT_TRUE(is_served(json(R"({"spec":{}})"), own));
  EXPECT_TRUE(is_served(json(R"({"spec":{"ingressClassName":"keelson"}})"), own));
  EXPECT_FALSE(is_served(json(R"({"spec":{"ingressClassName":"nginx"}})"), own));
}

TEST(Routes, OnlyOurClassesAreServed) {
  const auto served = [](const std::string& text) { return is_served(json(text), nginx_class()); };
  EXPECT_TRUE(served(R"({"spec":{"ingressClassName":"nginx"}})"));
  EXPECT_FALSE(served(R"({"spec":{"ingressClassName":"other"}})"));
  EXPECT_FALSE(served(R"({"spec":{}})"));
  EXPECT_TRUE(served(R"({"metadata":{"annotations":{"kubernetes.io/ingress.class":"nginx"}}})"));
}

TEST(HaproxyConfig, Golden) {
  const Directory directory = shop({{"10.244.0.5"}, {"10.244.0.6"}});
  const RoutePlan plan = plan_routes(example(), nginx_class(), directory);
  const Slots slots = assign_slots({}, plan, directory);
  const HaproxySettings settings{.directory = "/data/ingress",
                                 .addresses = {"127.0.0.1", "192.0.2.2"},
                                 .http_port = 8080,
                                 .https_port = 8443};
  const HaproxyFiles files =
      haproxy_files(plan, slots, {{"default.pem", {}}, {"shop.pem", {"shop.example"}}}, settings);
  for (const auto& [name, text] : files.texts) expect_golden(name, text);
  EXPECT_EQ(
      haproxy_files(plan, emptied(slots), {}, settings),
      haproxy_files(plan, emptied(assign_slots({}, plan, shop({{"10.244.0.9"}}))), {}, settings));
}

TEST(Slots, EndpointsKeepTheirsAndDrain) {
  RoutePlan plan;
  plan.backends["web"] = {{"shop", "site"}, {"shop", "web"}, ServicePort{"http", "TCP", 80, 0}};
  const Slots none = assign_slots({}, plan, shop({}));
  const Slots two = assign_slots(none, plan, shop({{"10.244.0.5"}, {"10.244.0.6"}}));
  EXPECT_EQ(slot_commands(none, two),
            (std::vector<std::string>{
                "set server web/s1 addr 10.244.0.5 port 8080", "set server web/s1 state ready",
                "set server web/s2 addr 10.244.0.6 port 8080", "set server web/s2 state ready"}));
  const Slots rolled = assign_slots(
      two, plan, shop({{"10.244.0.5", "", false, true, true}, {"10.244.0.6"}, {"10.244.0.7"}}));
  EXPECT_EQ(slot_commands(two, rolled),
            (std::vector<std::string>{"set server web/s1 state drain",
                                      "set server web/s3 addr 10.244.0.7 port 8080",
                                      "set server web/s3 state ready"}));
  const Slots done = assign_slots(rolled, plan, shop({{"10.244.0.6"}, {"10.244.0.7"}}));
  EXPECT_EQ(slot_commands(rolled, done), std::vector<std::string>{"set server web/s1 state maint"});
  std::vector<TestEndpoint> many;
  for (int i = 0; i < 9; ++i) many.push_back({"10.244.1." + std::to_string(i + 1)});
  EXPECT_EQ(assign_slots(done, plan, shop(many)).at("web").size(), 16u);
}

}  // namespace
}  // namespace keelson::net
