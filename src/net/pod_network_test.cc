// The pod network on the real kernel, where there are privileges; ranges, pool and resolver text
// everywhere.
#include "net/pod_network.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "codec/json.h"
#include "host/linux/files.h"
#include "host/linux/links.h"
#include "host/linux/linux_host.h"
#include "net/test_directory.h"

namespace keelson::net {
namespace {

codec::Value json(const std::string& text) {
  return *codec::parse_json(text);
}

TEST(AddressPlan, RangesKeepClearOfWhatIsInUse) {
  EXPECT_EQ(prefix_text(*choose_pod_range({}, 0)), "10.244.0.0/20");
  EXPECT_EQ(prefix_text(*choose_pod_range({}, 3)), "10.244.48.0/20");
  EXPECT_EQ(prefix_text(*choose_service_range({}, 0)), "10.96.0.0/16");
  EXPECT_EQ(prefix_text(*choose_pod_range({*parse_prefix("10.244.0.0/16")}, 0)), "10.245.0.0/20");
  EXPECT_EQ(prefix_text(*choose_service_range({*parse_prefix("10.96.5.0/24")}, 0)), "10.97.0.0/16");
  EXPECT_FALSE(choose_pod_range({*parse_prefix("10.0.0.0/8")}, 0));
}

TEST(AddressPool, GivesInTurnAndNeverTwice) {
  AddressPool pool(*parse_prefix("10.0.0.0/29"));
  EXPECT_TRUE(pool.reserve(0x0a000004));
  EXPECT_FALSE(pool.reserve(0x0a000001));
  EXPECT_EQ(pool.take(), 0x0a000002u);
  EXPECT_EQ(pool.take(), 0x0a000003u);
  pool.give_back(0x0a000002);
  EXPECT_EQ(pool.take(), 0x0a000005u);
  EXPECT_EQ(pool.take(), 0x0a000006u);
  EXPECT_EQ(pool.take(), 0x0a000002u);
  EXPECT_FALSE(pool.take());
}

TEST(ResolverText, FollowsThePolicy) {
  const ResolverOptions options{"10.96.0.10", "cluster.local",
                                "search corp.example\nnameserver 9.9.9.9\noptions timeout:1\n"};
  const auto text = [&](const std::string& spec) {
    return resolver_text(json(R"({"metadata":{"namespace":"shop"},"spec":)" + spec + "}"), options);
  };
  EXPECT_EQ(text("{}"),
            "search shop.svc.cluster.local svc.cluster.local cluster.local corp.example\n"
            "nameserver 10.96.0.10\noptions ndots:5\n");
  const std::string host = "search corp.example\nnameserver 9.9.9.9\noptions timeout:1\n";
  EXPECT_EQ(text(R"({"dnsPolicy":"Default"})"), host);
  EXPECT_EQ(text(R"({"dnsPolicy":"ClusterFirst","hostNetwork":true})"), host);
  EXPECT_EQ(text(R"({"dnsPolicy":"ClusterFirstWithHostNet","hostNetwork":true})"), text("{}"));
  EXPECT_EQ(text(R"({"dnsPolicy":"None","dnsConfig":{"nameservers":["1.1.1.1"],"searches":["a.b"],
                     "options":[{"name":"ndots","value":"2"},{"name":"edns0"}]}})"),
            "search a.b\nnameserver 1.1.1.1\noptions ndots:2 edns0\n");
  EXPECT_EQ(text(R"({"dnsConfig":{"options":[{"name":"ndots","value":"1"}]}})").substr(75),
            "nameserver 10.96.0.10\noptions ndots:1\n");
}

class LivePodNetwork : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto usable = links->usable(); !usable.ok()) GTEST_SKIP() << usable.error().message;
  }
  TestDirectory directory;
  host::LinuxLoop loop;
  std::unique_ptr<host::Links> links = host::make_linux_links();
  std::unique_ptr<host::Files> files = host::make_linux_files();
};

int shell(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str());
}

TEST_F(LivePodNetwork, PodsAreReachedAdoptedAndRemoved) {
  const AddressPlanOptions options{.directory = directory.path()};
  auto plan = claim_addresses(*links, *files, options);
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  ASSERT_TRUE(plan->live()) << plan->losses.front();
  const BridgePodNetwork::Options network_options{.plan = *plan, .resolver = {}};
  auto network = std::make_unique<BridgePodNetwork>(loop, *links, *files, network_options);
  std::vector<cluster::PodAttachment> pods;
  const auto start = std::chrono::steady_clock::now();
  constexpr int kPods = 20;
  for (int i = 0; i < kPods; ++i)
    network->attach(json("{}"), [&](Result<cluster::PodAttachment> attached) {
      ASSERT_TRUE(attached.ok()) << attached.error().message;
      pods.push_back(*attached);
    });
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  std::printf("attaching one pod: %.2f ms\n", took.count() / kPods);
  ASSERT_EQ(pods.size(), static_cast<std::size_t>(kPods));
  EXPECT_TRUE(links->is_namespace(pods[0].network_namespace));

  // Host to pod and pod to pod.
  auto sockets = host::make_linux_sockets(loop);
  int reached = 0;
  auto listener = sockets->listen(
      pods[1].address, 8080, [&](auto) {}, pods[1].network_namespace);
  ASSERT_TRUE(listener.ok()) << listener.error().message;
  for (const std::string& from : {std::string(), pods[0].network_namespace})
    sockets->connect(
        pods[1].address, 8080,
        [&](auto connected) {
          EXPECT_TRUE(connected.ok());
          if (++reached == 2) loop.stop();
        },
        from);
  auto limit = loop.call_at(loop.now() + Duration::seconds(5), [&] { loop.stop(); });
  loop.run();
  EXPECT_EQ(reached, 2);

  // Another process takes over: what is adopted keeps its address and its namespace.
  network = std::make_unique<BridgePodNetwork>(loop, *links, *files, network_options);
  auto again = claim_addresses(*links, *files, options);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->adopted);
  EXPECT_EQ(again->bridge, plan->bridge);
  EXPECT_EQ(again->pods, plan->pods);
  network->adopt(json("{}"), pods[1]);
  network->attach(json("{}"), [&](Result<cluster::PodAttachment> attached) {
    ASSERT_TRUE(attached.ok());
    for (const cluster::PodAttachment& pod : pods) EXPECT_NE(attached->address, pod.address);
  });
  network->detach(json("{}"), pods[1], [&] { loop.stop(); });
  loop.run();
  EXPECT_FALSE(links->is_namespace(pods[1].network_namespace));
  network->remove_all();
  EXPECT_FALSE(links->is_namespace(pods[0].network_namespace));
  release_addresses(*links, *plan);
  EXPECT_NE(shell("ip link show " + plan->bridge), 0);
}

// The first packets to a pod were lost while the bridge did not forward to it yet.
TEST_F(LivePodNetwork, TheFirstConnectionToAPodDoesNotWait) {
  auto plan = claim_addresses(*links, *files, {.directory = directory.path()});
  ASSERT_TRUE(plan.ok() && plan->live());
  BridgePodNetwork network(loop, *links, *files, {.plan = *plan, .resolver = {}});
  auto sockets = host::make_linux_sockets(loop);
  for (int i = 0; i < 30; ++i) {
    cluster::PodAttachment pod;
    network.attach(json("{}"), [&](Result<cluster::PodAttachment> attached) { pod = *attached; });
    auto listener = sockets->listen(
        pod.address, 8080, [](auto) {}, pod.network_namespace);
    ASSERT_TRUE(listener.ok());
    const auto start = std::chrono::steady_clock::now();
    sockets->connect(pod.address, 8080, [&](auto connected) {
      EXPECT_TRUE(connected.ok());
      loop.stop();
    });
    loop.run();
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(900));
  }
  network.remove_all();
  release_addresses(*links, *plan);
}

TEST_F(LivePodNetwork, EnginesSideBySideShareNothing) {
  TestDirectory other;
  auto a = claim_addresses(*links, *files, {.directory = directory.path()});
  auto b = claim_addresses(*links, *files, {.directory = other.path()});
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_NE(a->bridge, b->bridge);
  EXPECT_FALSE(overlap(a->pods, b->pods));
  EXPECT_FALSE(overlap(a->services, b->services));
  release_addresses(*links, *a);
  // Its service range is kept though it has no bridge now.
  auto again = claim_addresses(*links, *files, {.directory = directory.path()});
  EXPECT_EQ(again->services, a->services);
  release_addresses(*links, *again);
  release_addresses(*links, *b);
}

}  // namespace
}  // namespace keelson::net
