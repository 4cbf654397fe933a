// The rules as text, their changes, and connections through them on the real kernel.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <set>

#include "base/text.h"
#include "host/linux/files.h"
#include "host/linux/links.h"
#include "host/linux/linux_host.h"
#include "net/pod_network.h"
#include "net/service/proxy.h"
#include "net/service/ruleset.h"
#include "net/test_directory.h"
#include "net/test_objects.h"

namespace keelson::net {
namespace {

RulesetOptions test_options() {
  RulesetOptions options;
  options.plan.bridge = options.table = "kls0";
  return options;
}

Directory web(const std::vector<TestEndpoint>& endpoints, const std::string& more = "") {
  Directory directory;
  directory.service_changed({}, service("shop", "web",
                                        R"("type":"NodePort","clusterIP":"10.96.0.20","ports":[
                     {"name":"http","protocol":"TCP","port":80,"nodePort":30080}])" +
                                            more));
  directory.slice_changed({}, slice("shop", "web", R"([{"name":"http","port":8080}])", endpoints));
  return directory;
}

std::string chain_of(const Ruleset& ruleset) {
  for (const auto& [name, lines] : ruleset.chains)
    if (name.starts_with("s_shop_web")) return lines.front();
  return "none";
}

TEST(Ruleset, SpreadsOverReadyEndpointsAndKeepsTerminatingOnesAsTheLastResort) {
  EXPECT_EQ(chain_of(build_ruleset(web({{"10.244.0.5"}}), test_options())),
            "meta l4proto tcp dnat to 10.244.0.5:8080");
  EXPECT_EQ(chain_of(build_ruleset(web({{"10.244.0.6"}, {"10.244.0.5"}}), test_options())),
            "meta l4proto tcp dnat to numgen random mod 2 map { 0 : 10.244.0.5 . 8080, "
            "1 : 10.244.0.6 . 8080 }");
  const TestEndpoint ending{"10.244.0.7", "", false, true, true};
  EXPECT_EQ(chain_of(build_ruleset(web({{"10.244.0.5"}, ending}), test_options())),
            "meta l4proto tcp dnat to 10.244.0.5:8080");
  EXPECT_EQ(chain_of(build_ruleset(web({ending}), test_options())),
            "meta l4proto tcp dnat to 10.244.0.7:8080");
  const TestEndpoint unready{"10.244.0.8", "", false, false, false};
  EXPECT_EQ(chain_of(build_ruleset(web({unready}), test_options())), "none");
}

TEST(Ruleset, AChangeTouchesOnlyWhatDiffers) {
  const Ruleset one = build_ruleset(web({{"10.244.0.5"}}), test_options());
  EXPECT_EQ(change_script("kls0", one, one), "");
  const Ruleset two = build_ruleset(web({{"10.244.0.5"}, {"10.244.0.6"}}), test_options());
  const std::string script = change_script("kls0", one, two);
  EXPECT_EQ(split(script, '\n').size(), 4u) << script;  // flush, rule, hairpin, the end
  const Ruleset none = build_ruleset(web({}), test_options());
  const std::string removal = change_script("kls0", two, none);
  EXPECT_NE(removal.find("delete element ip kls0 node_ports { tcp . 30080 : goto s_shop_web"),
            std::string::npos)
      << removal;
  EXPECT_NE(removal.find("delete chain ip kls0 s_shop_web"), std::string::npos);
}

class LiveServices : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto usable = links->usable(); !usable.ok()) GTEST_SKIP() << usable.error().message;
    auto claimed = claim_addresses(*links, *files, {.directory = directory_path.path()});
    ASSERT_TRUE(claimed.ok()) << claimed.error().message;
    ASSERT_TRUE(claimed->live()) << claimed->losses.front();
    plan = *claimed;
    network = std::make_unique<BridgePodNetwork>(
        loop, *links, *files, BridgePodNetwork::Options{.plan = plan, .resolver = {}});
    proxy = std::make_unique<ServiceProxy>(loop, *processes, plan.bridge, [this] {
      RulesetOptions options;
      options.plan = plan;
      options.table = plan.bridge;
      options.api_port = api_port;
      return build_ruleset(services, options);
    });
  }
  void TearDown() override {
    if (!network) return;
    proxy->remove([this] { loop.stop(); });
    run();
    network->remove_all();
    release_addresses(*links, plan);
  }
  void run() {
    auto limit = loop.call_at(loop.now() + Duration::seconds(5), [&] {
      ADD_FAILURE() << "time is over";
      loop.stop();
    });
    loop.run();
  }
  // A pod whose port answers with its address.
  cluster::PodAttachment add_pod(int port) {
    cluster::PodAttachment out;
    network->attach(json("{}"), [&](Result<cluster::PodAttachment> attached) {
      ASSERT_TRUE(attached.ok()) << attached.error().message;
      out = *attached;
    });
    answer_at(out.address, port, out.network_namespace, out.address);
    return out;
  }
  void answer_at(const std::string& address, int port, const std::string& ns,
                 const std::string& text) {
    auto listener = sockets->listen(
        address, port,
        [this, text](std::unique_ptr<host::Stream> stream) {
          stream->start({});
          stream->write(text);
          stream->shutdown_write();
          kept.push_back(std::move(stream));
        },
        ns);
    ASSERT_TRUE(listener.ok()) << listener.error().message;
    listeners.push_back(std::move(*listener));
  }
  // What answers there; "refused" or another error's text.
  std::string ask(const std::string& address, int port, const std::string& ns = {}) {
    std::string got = "nothing";
    std::unique_ptr<host::Stream> stream;
    sockets->connect(
        address, port,
        [&](Result<std::unique_ptr<host::Stream>> connected) {
          if (!connected.ok()) {
            got = connected.error().message.ends_with("connection refused")
                      ? "refused"
                      : connected.error().message;
            return loop.stop();
          }
          got.clear();
          stream = std::move(*connected);
          stream->start({.on_data = [&](std::string_view bytes) { got += bytes; },
                         .on_end = [&] { loop.stop(); },
                         .on_drained = {}});
        },
        ns);
    run();
    return got;
  }
  void apply() {
    const std::uint64_t before = proxy->changes_made();
    proxy->changed();
    for (int i = 0; i < 500 && proxy->changes_made() == before; ++i) {
      auto soon = loop.call_at(loop.now() + Duration::milliseconds(5), [&] { loop.stop(); });
      loop.run();
    }
    EXPECT_EQ(proxy->problem(), "");
  }

  TestDirectory directory_path;
  host::LinuxLoop loop;
  std::unique_ptr<host::Links> links = host::make_linux_links();
  std::unique_ptr<host::Files> files = host::make_linux_files();
  std::unique_ptr<host::Sockets> sockets = host::make_linux_sockets(loop);
  std::unique_ptr<host::Processes> processes = host::make_linux_processes(loop);
  AddressPlan plan;
  int api_port = 0;
  Directory services;
  std::unique_ptr<BridgePodNetwork> network;
  std::unique_ptr<ServiceProxy> proxy;
  std::vector<std::unique_ptr<host::Listener>> listeners;
  std::vector<std::unique_ptr<host::Stream>> kept;
};

TEST_F(LiveServices, AddressesReachPodsFromEverywhere) {
  const cluster::PodAttachment a = add_pod(8080), b = add_pod(8080);
  const std::string address = address_text(plan.services.address + 20);
  const int node_port = 31000 + static_cast<int>(plan.pods.address >> 12 & 255);
  const auto web_service = [&](const std::string& more) {
    return service("shop", "web",
                   R"("type":"NodePort","clusterIP":")" + address +
                       R"(","ports":[{"name":"http","port":80,"nodePort":)" +
                       std::to_string(node_port) + "}]" + more);
  };
  const std::string ports = R"([{"name":"http","port":8080}])";
  services.service_changed({}, web_service(""));
  apply();
  EXPECT_EQ(ask(address, 80), "refused");
  EXPECT_EQ(ask(address, 80, a.network_namespace), "refused");

  services.slice_changed({}, slice("shop", "web", ports, {{a.address}, {b.address}}));
  apply();
  std::set<std::string> seen;
  for (int i = 0; i < 40; ++i) seen.insert(ask(address, 80));
  EXPECT_EQ(seen, (std::set<std::string>{a.address, b.address}));
  // From a pod, itself among the endpoints (hairpin).
  seen.clear();
  for (int i = 0; i < 40; ++i) seen.insert(ask(address, 80, a.network_namespace));
  EXPECT_EQ(seen, (std::set<std::string>{a.address, b.address}));
  EXPECT_EQ(ask(address, 81), "refused");
  seen = {ask("127.0.0.1", node_port)};
  EXPECT_TRUE(seen.count(a.address) + seen.count(b.address)) << *seen.begin();

  // Affinity.
  services.service_changed({}, web_service(R"(,"sessionAffinity":"ClientIP")"));
  apply();
  seen.clear();
  for (int i = 0; i < 20; ++i) seen.insert(ask(address, 80, a.network_namespace));
  EXPECT_EQ(seen.size(), 1u);

  // One that ends gets nothing new.
  services.service_changed({}, web_service(""));
  services.slice_changed(
      {}, slice("shop", "web", ports, {{a.address, "", false, true, true}, {b.address}}));
  apply();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask(address, 80), b.address);
}

TEST_F(LiveServices, PodsReachAListenerOnTheHostsLoopbackOnlyThroughAService) {
  const cluster::PodAttachment pod = add_pod(8080);
  auto probe = sockets->listen("127.0.0.1", 0, [](auto) {});
  auto probe2 = sockets->listen("127.0.0.1", 0, [](auto) {});
  const int port = (*probe)->port(), other = (*probe2)->port();
  probe->reset();
  probe2->reset();
  answer_at("127.0.0.1", port, "", "api");
  const std::string address = address_text(plan.services.address + 1);
  api_port = port;
  apply();
  EXPECT_EQ(ask(address, 443, pod.network_namespace), "api");
  EXPECT_EQ(ask(address, 443), "api");
  EXPECT_EQ(ask(address_text(plan.gateway()), port, pod.network_namespace), "api");
  answer_at("127.0.0.1", other, "", "secret");
  EXPECT_EQ(ask(address_text(plan.gateway()), other, pod.network_namespace), "refused");
}

TEST_F(LiveServices, ARefusedChangeHealsItself) {
  apply();
  bool removed = false;
  processes->run({.argv = {"nft", "delete", "table", "ip", plan.bridge}}, "", [&](const auto&) {
    removed = true;
    loop.stop();
  });
  run();
  ASSERT_TRUE(removed);
  const cluster::PodAttachment pod = add_pod(8080);
  const std::string address = address_text(plan.services.address + 20);
  services.service_changed(
      {}, service("shop", "web",
                  R"("clusterIP":")" + address + R"(","ports":[{"name":"http","port":80}])"));
  services.slice_changed({},
                         slice("shop", "web", R"([{"name":"http","port":8080}])", {{pod.address}}));
  apply();
  EXPECT_EQ(ask(address, 80), pod.address);
}

}  // namespace
}  // namespace keelson::net
