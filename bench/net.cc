// Measures the network's own parts: attaching a pod, answering DNS, building and changing the rules
// of many Services. Needs root for the first; prints one line each.
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "base/text.h"
#include "codec/json.h"
#include "host/linux/datagrams.h"
#include "host/linux/files.h"
#include "host/linux/links.h"
#include "host/linux/linux_host.h"
#include "net/dns/server.h"
#include "net/pod_network.h"
#include "net/service/ruleset.h"

namespace keelson {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

codec::Value json(const std::string& text) {
  return *codec::parse_json(text);
}

net::Directory services(int count, int endpoints) {
  net::Directory directory;
  directory.namespace_changed({}, json(R"({"metadata":{"name":"shop"}})"));
  for (int i = 0; i < count; ++i) {
    const std::string name = "s" + std::to_string(i);
    directory.service_changed(
        {},
        json(R"({"metadata":{"namespace":"shop","name":")" + name + R"("},"spec":{"clusterIP":")" +
             net::address_text(0x0a600100u + i) + R"(","ports":[{"name":"http","port":80}]}})"));
    codec::Value slice = json(R"({"metadata":{"namespace":"shop","name":")" + name +
                              R"(","labels":{"kubernetes.io/service-name":")" + name +
                              R"("}},"ports":[{"name":"http","port":8080}]})");
    for (int k = 0; k < endpoints; ++k)
      slice.edit("endpoints")
          .push_back(json(R"({"addresses":[")" +
                          net::address_text(0x0af40100u + i * endpoints + k) + R"("]})"));
    directory.slice_changed({}, slice);
  }
  return directory;
}

void attach() {
  host::LinuxLoop loop;
  const auto links = host::make_linux_links();
  const auto files = host::make_linux_files();
  if (const auto usable = links->usable(); !usable.ok()) {
    std::printf("attach one pod: skipped (%s)\n", usable.error().message.c_str());
    return;
  }
  char name[] = "/tmp/keelson-bench-XXXXXX";
  if (::mkdtemp(name) == nullptr) return;
  const auto plan = net::claim_addresses(*links, *files, {.directory = name});
  if (plan.ok() && plan->live()) {
    net::BridgePodNetwork network(loop, *links, *files, {.plan = *plan, .resolver = {}});
    constexpr int kPods = 100;
    const auto start = Clock::now();
    for (int i = 0; i < kPods; ++i) network.attach({}, [](const auto&) {});
    std::printf("attach one pod: %.2f ms\n", seconds_since(start) * 1000 / kPods);
    network.remove_all();
    net::release_addresses(*links, *plan);
  }
  std::filesystem::remove_all(name);
}

void answer_dns() {
  host::LinuxLoop loop;
  const auto sockets = host::make_linux_sockets(loop);
  const auto datagrams = host::make_linux_datagrams(loop);
  const net::Directory directory = services(1000, 2);
  Prng rng(1);
  net::dns::Server server(loop, *sockets, *datagrams, rng, directory, {});
  const int port = *server.listen("127.0.0.1", 0);
  std::vector<std::string> queries;
  for (int i = 0; i < 1000; ++i)
    queries.push_back(net::dns::encode_query(static_cast<std::uint16_t>(i),
                                             "s" + std::to_string(i) + ".shop.svc.cluster.local",
                                             net::dns::Type::a));
  constexpr int kInFlight = 32, kAnswers = 100'000;
  int got = 0, sent = 0;
  std::unique_ptr<host::DatagramSocket> socket;
  const host::DatagramPeer to{0x7f000001, static_cast<std::uint16_t>(port)};
  auto bound = datagrams->bind("127.0.0.1", 0, [&](std::string_view, host::DatagramPeer) {
    if (++got == kAnswers) return loop.stop();
    socket->send(queries[static_cast<std::size_t>(sent++ % 1000)], to);
  });
  if (!bound.ok()) return;
  socket = std::move(*bound);
  const auto start = Clock::now();
  for (int i = 0; i < kInFlight; ++i) socket->send(queries[static_cast<std::size_t>(sent++)], to);
  const auto limit = loop.call_at(loop.now() + Duration::seconds(20), [&] { loop.stop(); });
  loop.run();
  std::printf("DNS answers: %.0f a second (asker and server on one thread)\n",
              got / seconds_since(start));
}

void change_rules() {
  const net::Directory before = services(1000, 5), after = services(1000, 6);
  net::RulesetOptions options;
  options.plan.bridge = options.table = "kls0";
  auto start = Clock::now();
  const net::Ruleset old = net::build_ruleset(before, options);
  std::printf("rules of 1,000 Services with 5,000 endpoints: %.1f ms\n",
              seconds_since(start) * 1000);
  const net::Ruleset fresh = net::build_ruleset(after, options);
  start = Clock::now();
  const std::size_t bytes = net::change_script("kls0", old, fresh).size();
  std::printf("the change of all of them: %.1f ms, %zu KiB\n", seconds_since(start) * 1000,
              bytes / 1024);
}

}  // namespace

void measure_network() {
  attach();
  answer_dns();
  change_rules();
}

}  // namespace keelson

int main() {
  keelson::measure_network();
}
