// Network: all of the network of one engine behind one object: pods, service addresses, cluster DNS
// and the Ingress data plane. It reads and writes Kubernetes objects and owns what it made on the
// host; an engine that was killed is followed by one that finds all of it again.
//
//   auto links = host::make_linux_links();  // and the other parts of the host
//   TRY(net::AddressPlan plan, net::claim_addresses(*links, *files, {.directory = data}));
//   registry::Settings{.service_range = net::prefix_text(plan.services)} ...
//   net::Network network({cluster, loop, processes, sockets, datagrams, *links, *files}, options);
//   PodNetwork& pods = network.pods() ? *network.pods() : loopback;  // for the nodes
//   network.start("127.0.0.1", port);                               // once the API listens
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "cluster/pod_network.h"
#include "host/datagrams.h"
#include "host/files.h"
#include "host/links.h"
#include "host/loop.h"
#include "host/processes.h"
#include "host/sockets.h"
#include "net/address_plan.h"
#include "net/directory.h"
#include "net/ingress/certificate.h"

namespace keelson::net {

namespace dns {
class Server;
}
class BridgePodNetwork;
class ServiceProxy;
class IngressController;

struct NetworkParts {
  cluster::Cluster& cluster;
  host::Loop& loop;
  host::Processes& processes;
  host::Sockets& sockets;
  host::Datagrams& datagrams;
  host::Links& links;
  host::Files& files;
};

struct NetworkOptions {
  std::string name;  // of the instance
  std::string
      directory;  // its data directory; what is ours in it begins with "network" or "ingress"
  AddressPlan plan;
  bool loopback_only = false;  // Ingresses listen on 127.0.0.1 alone
  IssueCertificate issue;  // by the engine's CA; not set: Ingress TLS needs a Secret of the user's
};

class Network {
 public:
  Network(NetworkParts parts, NetworkOptions options);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // Where the API server listens is the endpoint of default/kubernetes. What does not work is a
  // problem, never an error: the engine is useful without.
  void start(const std::string& api_address, int api_port);
  // Null on loopback only. Usable from construction on, before start().
  cluster::PodNetwork* pods();
  // Ends everything on the host: to be called when the pods have ended.
  void stop(std::function<void()> done);

  // Lines for `keelson status`; empty when all is well.
  std::vector<std::string> problems() const;
  int dns_port() const { return dns_port_; }  // on 127.0.0.1; 0: none
  const Directory& directory() const { return services_; }

 private:
  void start_dns();
  void watch_services();
  void service_changed(const Value& before, const Value& after);
  void publish_own_services(int api_port);
  void publish_own_ingress_class();
  void publish(const std::string& resource, Value object);
  void update_balancer(const Service& service);
  void endpoints_changed(const Key& service);

  NetworkParts parts_;
  NetworkOptions options_;
  Directory services_;
  std::map<Key, std::uint32_t> balancers_;
  int dns_port_ = 0;
  int dns_service_port_ = 53;
  std::vector<std::string> problems_;
  std::unique_ptr<BridgePodNetwork> pods_;
  std::unique_ptr<ServiceProxy> proxy_;
  std::unique_ptr<dns::Server> dns_;
  std::unique_ptr<IngressController> ingress_;
  std::vector<std::shared_ptr<void>> watches_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelson::net
