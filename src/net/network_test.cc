// The whole network of an engine on the real kernel and the real HAProxy. Pods are small servers in
// namespaces of the pod network; the engine is killed by dropping it without stop().
#include "net/network.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <set>

#include "base/text.h"
#include "host/linux/datagrams.h"
#include "host/linux/files.h"
#include "host/linux/links.h"
#include "host/linux/linux_host.h"
#include "net/dns/message.h"
#include "net/test_cluster.h"
#include "net/test_directory.h"
#include "net/test_objects.h"

namespace keelson::net {
namespace {

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<std::size_t>(length));
  BIO_free(bio);
  return out;
}

// Self-signed; enough for what is tested here.
Result<Certificate> issue(const std::vector<std::string>& hosts) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* x509 = X509_new();
  X509_set_version(x509, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509), -60);
  X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
  X509_set_pubkey(x509, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(hosts[0].c_str()), -1, -1, 0);
  X509_set_issuer_name(x509, X509_get_subject_name(x509));
  X509_sign(x509, key, EVP_sha256());
  Certificate out;
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, x509);
  out.certificate_pem = text_of(bio);
  bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  out.key_pem = text_of(bio);
  X509_free(x509);
  EVP_PKEY_free(key);
  return out;
}

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

class LiveNetwork : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto usable = links->usable(); !usable.ok()) GTEST_SKIP() << usable.error().message;
    if (::access("/usr/sbin/haproxy", X_OK) != 0) GTEST_SKIP() << "haproxy is not installed";
    for (const char* name : {"shop", "default", "kube-system"})
      cluster.put("namespaces", json(std::string(R"({"metadata":{"name":")") + name + R"("}})"));
    cluster.put(
        "ingressclasses.networking.k8s.io",
        json(R"({"metadata":{"name":"nginx"},"spec":{"controller":"k8s.io/ingress-nginx"}})"));
    start();
  }
  void TearDown() override {
    if (!network) return;
    bool stopped = false;
    network->stop([&] { stopped = true; });
    EXPECT_TRUE(wait([&] { return stopped; }));
    network.reset();
  }
  void start() {
    auto claimed = claim_addresses(*links, *files, {.directory = directory_path.path()});
    ASSERT_TRUE(claimed.ok()) << claimed.error().message;
    ASSERT_TRUE(claimed->live()) << claimed->losses.front();
    plan = *claimed;
    network = std::make_unique<Network>(
        NetworkParts{cluster, loop, *processes, *sockets, *datagrams, *links, *files},
        NetworkOptions{.name = "test",
                       .directory = directory_path.path(),
                       .plan = plan,
                       .loopback_only = true,
                       .issue = issue});
    network->start("127.0.0.1", 6443);
  }
  bool wait(const std::function<bool()>& condition, Duration limit = Duration::seconds(10)) {
    const Instant end = loop.now() + limit;
    while (!condition() && loop.now() < end) {
      auto soon = loop.call_at(loop.now() + Duration::milliseconds(2), [&] { loop.stop(); });
      loop.run();
    }
    return condition();
  }
  std::string run(const std::vector<std::string>& argv) {
    std::string out;
    bool done = false;
    processes->run({.argv = argv}, "", [&](Result<host::Processes::Output> output) {
      if (output.ok()) out = output->out;
      done = true;
    });
    wait([&] { return done; });
    return out;
  }
  // A pod with an HTTP server that answers each request with its address.
  struct Pod {
    cluster::PodAttachment attachment;
    std::unique_ptr<host::Listener> listener;
  };
  Pod add_pod() {
    Pod pod;
    network->pods()->attach(json("{}"), [&](Result<cluster::PodAttachment> attached) {
      ASSERT_TRUE(attached.ok()) << attached.error().message;
      pod.attachment = *attached;
    });
    auto listener = sockets->listen(
        pod.attachment.address, 8080,
        [this, address = pod.attachment.address](std::unique_ptr<host::Stream> stream) {
          serve(std::move(stream), address);
        },
        pod.attachment.network_namespace);
    EXPECT_TRUE(listener.ok());
    pod.listener = std::move(*listener);
    return pod;
  }
  void serve(std::unique_ptr<host::Stream> stream, const std::string& address) {
    auto shared = std::shared_ptr<host::Stream>(std::move(stream));
    auto input = std::make_shared<std::string>();
    served.emplace_back(address, shared);
    shared->start(
        {.on_data =
             [weak = std::weak_ptr(shared), input, address](std::string_view bytes) {
               *input += bytes;
               std::size_t end;
               while ((end = input->find("\r\n\r\n")) != std::string::npos) {
                 const std::string head = to_lower(input->substr(0, end));
                 input->erase(0, end + 4);
                 std::string body = address;
                 for (const std::string& line : split(head, '\n'))
                   if (line.starts_with("x-forwarded-proto")) body += " " + std::string(trim(line));
                 if (const auto s = weak.lock())
                   s->write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                            "\r\n\r\n" + body);
               }
             },
         .on_end =
             [this, weak = std::weak_ptr(shared)] {
               loop.post([this, weak] {
                 std::erase_if(served, [&](const auto& one) { return one.second == weak.lock(); });
               });
             },
         .on_drained = {}});
  }
  void put_service(const std::vector<TestEndpoint>& endpoints, const std::string& more = "") {
    cluster.put("services", service("shop", "web",
                                    R"("clusterIP":")" + address_text(plan.services.address + 20) +
                                        R"(","ports":[{"name":"http","port":80}])" + more));
    put_endpoints(endpoints);
  }
  void put_endpoints(const std::vector<TestEndpoint>& endpoints) {
    cluster.put("endpointslices.discovery.k8s.io",
                slice("shop", "web", R"([{"name":"http","port":8080}])", endpoints));
  }
  void put_ingress(const std::string& annotations) {
    cluster.put("ingresses.networking.k8s.io",
                json(R"({"metadata":{"namespace":"shop","name":"site","annotations":{)" +
                     annotations + R"(}},"spec":{"ingressClassName":"nginx",
          "tls":[{"hosts":["secure.example"],"secretName":"shop-tls"}],
          "rules":[{"host":"secure.example","http":{"paths":[{"path":"/","pathType":"Prefix",
            "backend":{"service":{"name":"web","port":{"name":"http"}}}}]}},
          {"host":"plain.example","http":{"paths":[{"path":"/","pathType":"Prefix",
            "backend":{"service":{"name":"web","port":{"number":80}}}}]}}]}})"));
  }
  int port_shown(int index) {
    return static_cast<int>(cluster.get("ingresses.networking.k8s.io", "shop", "site")
                                .at("status.loadBalancer.ingress")[0]["ports"][index]["port"]
                                .as_int());
  }
  std::string curl(const std::string& host, int port, bool tls, const std::string& show) {
    const std::string name = host + ":" + std::to_string(port);
    return run({"curl", "-sk", "-m", "5", "--resolve", name + ":127.0.0.1", "-o", "-", "-w", show,
                (tls ? "https://" : "http://") + name + "/x?y=1"});
  }

  TestDirectory directory_path;
  host::LinuxLoop loop;
  std::unique_ptr<host::Links> links = host::make_linux_links();
  std::unique_ptr<host::Files> files = host::make_linux_files();
  std::unique_ptr<host::Sockets> sockets = host::make_linux_sockets(loop);
  std::unique_ptr<host::Datagrams> datagrams = host::make_linux_datagrams(loop);
  std::unique_ptr<host::Processes> processes = host::make_linux_processes(loop);
  TestCluster cluster{loop};
  AddressPlan plan;
  // By the pod's address.
  std::vector<std::pair<std::string, std::shared_ptr<host::Stream>>> served;
  std::unique_ptr<Network> network;
};

TEST_F(LiveNetwork, IngressServesTlsRedirectsAndLimits) {
  const Pod pod = add_pod();
  const std::string& address = pod.attachment.address;
  put_service({{address}});
  const auto start = Clock::now();
  put_ingress("");
  ASSERT_TRUE(wait([&] { return port_shown(1) != 0; })) << join(network->problems(), "; ");
  std::printf("Ingress made to serving: %.1f ms\n", milliseconds_since(start));
  const int http = port_shown(0), https = port_shown(1);
  EXPECT_EQ(curl("plain.example", http, false, " %{http_code}"),
            address + " x-forwarded-proto: http 200");
  EXPECT_EQ(curl("secure.example", https, true, " %{http_code}"),
            address + " x-forwarded-proto: https 200");
  const std::string redirect = curl("secure.example", http, false, "%{http_code} %{redirect_url}");
  EXPECT_EQ(redirect, "308 https://secure.example" +
                          (https == 443 ? "" : ":" + std::to_string(https)) + "/x?y=1");
  EXPECT_EQ(curl("other.example", http, false, " %{http_code}"), "default backend - 404 404");
  const Value secret = cluster.get("secrets", "shop", "shop-tls");
  EXPECT_EQ(secret["type"].as_string(), "kubernetes.io/tls");
  EXPECT_NE(from_base64(secret["data"]["tls.crt"].as_string())->find("BEGIN CERTIFICATE"),
            std::string::npos);

  put_ingress(R"("nginx.ingress.kubernetes.io/limit-rps":"2")");
  std::string code;
  EXPECT_TRUE(wait([&] {
    code = curl("plain.example", http, false, "%{http_code}");
    return code.ends_with("429");
  })) << code;
}

TEST_F(LiveNetwork, ServicesAndDnsFromAPod) {
  const Pod pod = add_pod();
  put_service({{pod.attachment.address}});
  const std::string address = address_text(plan.services.address + 20);
  std::string got;
  auto query = [&] {
    auto socket = datagrams->bind(
        "0.0.0.0", 0, [&](std::string_view bytes, host::DatagramPeer) { got = bytes; },
        pod.attachment.network_namespace);
    (*socket)->send(dns::encode_query(1, "web.shop.svc.cluster.local", dns::Type::a),
                    {plan.dns_address(), 53});
    return wait([&] { return !got.empty(); }, Duration::milliseconds(200));
  };
  EXPECT_TRUE(wait(query));
  const auto response = dns::parse_response(got);
  ASSERT_TRUE(response);
  ASSERT_EQ(response->answers.size(), 1u);
  EXPECT_EQ(cluster.get("services", "kube-system", "kube-dns")["spec"]["clusterIP"].as_string(),
            address_text(plan.dns_address()));
  EXPECT_EQ(run({"curl", "-s", "-m", "5", "http://" + address}), pod.attachment.address);
  put_service({{pod.attachment.address}}, R"(,"type":"LoadBalancer")");
  std::string balancer;
  EXPECT_TRUE(wait([&] {
    balancer =
        cluster.get("services", "shop", "web").at("status.loadBalancer.ingress")[0]["ip"].str();
    return !balancer.empty();
  }));
  EXPECT_TRUE(wait([&] {
    return run({"curl", "-s", "-m", "5", "http://" + balancer}) == pod.attachment.address;
  }));
}

// Requests one after the other on kept connections, each of which must succeed.
class Load {
 public:
  Load(host::Loop& loop, host::Sockets& sockets, int port)
      : loop_(loop), sockets_(sockets), port_(port) {}
  void add_client() {
    if (stop) return;
    const std::uint64_t number = ++made_;
    sockets_.connect("127.0.0.1", port_, [this, number](Result<std::unique_ptr<host::Stream>> c) {
      if (!c.ok()) {
        ++bad;
        return;
      }
      Client& client = clients_[number];
      client.stream = std::move(*c);
      client.stream->start(
          {.on_data = [this, number](std::string_view bytes) { received(number, bytes); },
           .on_end = [this] { ++bad; },
           .on_drained = {}});
      client.stream->write(kRequest);
    });
  }
  int good = 0, bad = 0;
  bool stop = false;
  std::set<std::string> answered_by;

 private:
  static constexpr const char* kRequest = "GET / HTTP/1.1\r\nHost: plain.example\r\n\r\n";
  struct Client {
    std::unique_ptr<host::Stream> stream;
    std::string input;
    int sent = 1;
  };
  void received(std::uint64_t number, std::string_view bytes) {
    Client& client = clients_[number];
    client.input += bytes;
    const std::size_t end = client.input.find("\r\n\r\n");
    if (end == std::string::npos || client.input.size() == end + 4) return;
    ++(client.input.starts_with("HTTP/1.1 200") ? good : bad);
    answered_by.insert(client.input.substr(end + 4));
    const bool closing = to_lower(client.input).find("connection: close") != std::string::npos;
    client.input.clear();
    // A new connection now and then.
    if (++client.sent < 50 && !stop && !closing) return client.stream->write(kRequest);
    loop_.post([this, number] { clients_.erase(number); });
    add_client();
  }
  host::Loop& loop_;
  host::Sockets& sockets_;
  int port_;
  std::uint64_t made_ = 0;
  std::map<std::uint64_t, Client> clients_;
};

TEST_F(LiveNetwork, ARollingUpdateAKillAndAReloadLoseNoRequest) {
  std::vector<Pod> pods;
  for (int i = 0; i < 2; ++i) pods.push_back(add_pod());
  put_service({{pods[0].attachment.address}, {pods[1].attachment.address}});
  put_ingress("");
  ASSERT_TRUE(wait([&] { return port_shown(1) != 0; })) << join(network->problems(), "; ");
  const int http = port_shown(0);
  Load load(loop, *sockets, http);
  for (int i = 0; i < 8; ++i) load.add_client();
  const auto pass = [&](int milliseconds) {
    wait([] { return false; }, Duration::milliseconds(milliseconds));
  };
  pass(100);
  // One pod after the other is replaced: the new one becomes ready, the old one drains and ends.
  for (int i = 0; i < 6; ++i) {
    pods.push_back(add_pod());
    Pod old = std::move(pods.front());
    pods.erase(pods.begin());
    std::vector<TestEndpoint> endpoints{{old.attachment.address, "", false, true, true}};
    for (const Pod& pod : pods) endpoints.push_back({pod.attachment.address});
    put_endpoints(endpoints);
    pass(60);
    old.listener.reset();  // refuses from now on, as a process that got SIGTERM
    pass(20);
    endpoints.erase(endpoints.begin());
    put_endpoints(endpoints);
    // The process is gone, its connections with it; then the pod's network.
    std::erase_if(served, [&](const auto& one) { return one.first == old.attachment.address; });
    network->pods()->detach(json("{}"), old.attachment, [] {});
    pass(20);
  }
  EXPECT_GE(load.answered_by.size(), 8u);
  EXPECT_EQ(load.bad, 0);
  // A reload, for the structure changes.
  put_ingress(R"("nginx.ingress.kubernetes.io/proxy-read-timeout":"7")");
  pass(300);
  EXPECT_EQ(load.bad, 0);
  // The engine is killed and another one takes over.
  const int before = load.good;
  network.reset();
  pass(100);
  EXPECT_GT(load.good, before);
  start();
  EXPECT_TRUE(plan.adopted);
  for (const Pod& pod : pods) network->pods()->adopt(json("{}"), pod.attachment);
  pass(500);
  EXPECT_EQ(load.bad, 0);
  EXPECT_EQ(port_shown(0), http);
  load.stop = true;
  pass(50);
  std::printf("%d requests through roll-out, reload and kill, %d lost\n", load.good, load.bad);
}

}  // namespace
}  // namespace keelson::net
