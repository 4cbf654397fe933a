// Wiring, and what belongs to no part: the Services of the engine itself and the addresses of load
// balancers.
#include "net/network.h"

#include <algorithm>
#include <set>

#include "model/meta.h"
#include "net/dns/server.h"
#include "net/ingress/controller.h"
#include "net/ingress/routes.h"
#include "net/pod_network.h"
#include "net/service/proxy.h"

namespace keelson::net {
namespace {

constexpr int kDnsHostPort = 10053;

std::string read_text(host::Files& files, const std::string& path) {
  auto file = files.open(path, false);
  if (!file.ok()) return {};
  auto text = (*file)->read(0, 64 * 1024);  // size() of some files in /etc is of a link
  return text.ok() ? *text : std::string();
}

Value own_slice(const std::string& ns, const std::string& name, const std::string& service,
                const std::string& address, Value ports) {
  Value slice = Value::object(
      {{"apiVersion", "discovery.k8s.io/v1"}, {"kind", "EndpointSlice"}, {"addressType", "IPv4"}});
  slice.set("metadata",
            Value::object({{"name", name},
                           {"namespace", ns},
                           {"labels", Value::object({{"kubernetes.io/service-name", service}})}}));
  slice.edit("endpoints")
      .push_back(Value::object({{"addresses", Value::array({Value(address)})},
                                {"conditions", Value::object({{"ready", true}})}}));
  slice.set("ports", std::move(ports));
  return slice;
}

Value port_of(const char* name, const char* protocol, int port) {
  return Value::object({{"name", name}, {"protocol", protocol}, {"port", port}});
}

// True if everything in `wanted` stands in `there` too.
bool includes(const Value& there, const Value& wanted) {
  if (!wanted.is_object()) return there == wanted;
  return std::all_of(
      wanted.members().begin(), wanted.members().end(),
      [&](const codec::Member& member) { return includes(there[member.key()], member.value); });
}

// The host's first address of its own; a bridge of an engine is none.
std::vector<std::string> listen_addresses(host::Links& links, const NetworkOptions& options) {
  if (options.loopback_only) return {};
  for (const std::string& address : links.host_addresses()) {
    const auto number = parse_address(address);
    if (number && !contains(kPodSpace, *number)) return {address};
  }
  return {};
}

}  // namespace

Network::Network(NetworkParts parts, NetworkOptions options)
    : parts_(parts), options_(std::move(options)) {
  const AddressPlan& plan = options_.plan;
  if (!plan.live()) return;
  const auto uplink = parts_.links.uplink();
  pods_ = std::make_unique<BridgePodNetwork>(
      parts_.loop, parts_.links, parts_.files,
      BridgePodNetwork::Options{
          .plan = plan,
          .resolver = {.cluster_address = address_text(plan.dns_address()),
                       .domain = "cluster.local",
                       .host_text = read_text(parts_.files, "/etc/resolv.conf")},
          .mtu = uplink.ok() ? uplink->mtu : 1500});
}

Network::~Network() = default;

cluster::PodNetwork* Network::pods() {
  return pods_.get();
}

void Network::start(const std::string& api_address, int api_port) {
  start_dns();
  if (options_.plan.live())
    proxy_ = std::make_unique<ServiceProxy>(
        parts_.loop, parts_.processes, options_.plan.bridge, [this, api_address, api_port] {
          RulesetOptions rules;
          rules.plan = options_.plan;
          rules.table = options_.plan.bridge;
          rules.dns_port = dns_service_port_;
          rules.api_address = parse_address(api_address).value_or(0x7f000001);
          rules.api_port = api_port;
          rules.balancers = balancers_;
          return build_ruleset(services_, rules);
        });
  ingress_ = std::make_unique<IngressController>(
      IngressParts{parts_.cluster, parts_.loop, parts_.processes, parts_.sockets, parts_.files,
                   services_},
      IngressOptions{.directory = options_.directory,
                     .addresses = listen_addresses(parts_.links, options_),
                     .issue = options_.issue});
  watch_services();
  publish_own_services(api_port);
  publish_own_ingress_class();
  if (proxy_) proxy_->changed();
  ingress_->start();
}

void Network::start_dns() {
  dns::ServerOptions options;
  options.zone.dns_address = options_.plan.dns_address();
  options.resolvers =
      dns::resolvers_of(read_text(parts_.files, "/etc/resolv.conf"), options_.plan.dns_address());
  dns_ = std::make_unique<dns::Server>(parts_.loop, parts_.sockets, parts_.datagrams,
                                       parts_.cluster.rng(), services_, std::move(options));
  for (const int port : {kDnsHostPort, 0}) {
    const auto bound = dns_->listen("127.0.0.1", port);
    if (!bound.ok()) continue;
    dns_port_ = *bound;
    break;
  }
  if (!options_.plan.live()) return;
  for (const int port : {53, kDnsHostPort, 0}) {
    const auto bound = dns_->listen(address_text(options_.plan.gateway()), port);
    if (bound.ok()) {
      dns_service_port_ = *bound;
      return;
    }
    if (port == 0) problems_.push_back("pods have no DNS: " + bound.error().message);
  }
}

void Network::watch_services() {
  cluster::Cluster& cluster = parts_.cluster;
  // All at once first: rules of an earlier process are replaced by whole ones, never by a part.
  for (const Value& ns : cluster.list("namespaces")) services_.namespace_changed({}, ns);
  for (const Value& service : cluster.list("services")) service_changed({}, service);
  for (const Value& slice : cluster.list("endpointslices.discovery.k8s.io"))
    services_.slice_changed({}, slice);
  watches_.push_back(cluster.watch("namespaces", [this](const Value& before, const Value& after) {
    services_.namespace_changed(before, after);
  }));
  watches_.push_back(cluster.watch("services", [this](const Value& before, const Value& after) {
    service_changed(before, after);
  }));
  watches_.push_back(cluster.watch("endpointslices.discovery.k8s.io",
                                   [this](const Value& before, const Value& after) {
                                     endpoints_changed(services_.slice_changed(before, after));
                                   }));
}

void Network::service_changed(const Value& before, const Value& after) {
  const Key key = services_.service_changed(before, after);
  const Service* service = services_.find(key.namespace_, key.name);
  if (service != nullptr && service->exists())
    update_balancer(*service);
  else
    balancers_.erase(key);
  endpoints_changed(key);
}

void Network::endpoints_changed(const Key& service) {
  if (proxy_) proxy_->changed();
  if (ingress_) ingress_->endpoints_changed(service);
}

// Keeps the address that the status shows if it is one of ours, else takes the lowest free one.
void Network::update_balancer(const Service& service) {
  if (!options_.plan.live()) return;
  const Value& shown = service.object.at("status.loadBalancer.ingress");
  if (service.type() != "LoadBalancer" ||
      !service.object["spec"]["loadBalancerClass"].as_string().empty()) {
    if (balancers_.erase(service.key) == 0 || shown.empty()) return;
  } else {
    std::set<std::uint32_t> taken;
    for (const auto& [key, address] : balancers_)
      if (key != service.key) taken.insert(address);
    std::uint32_t n = 1;
    const auto kept = parse_address(shown[0]["ip"].as_string());
    const std::uint32_t first = balancer_address(options_.plan.bridge, 0);
    if (kept && (*kept & 0xffff0000) == first && taken.count(*kept) == 0)
      n = *kept & 0xffff;
    else
      while (taken.count(first + n) > 0) ++n;
    balancers_[service.key] = first + n;
  }
  Value status = Value::object();
  const auto at = balancers_.find(service.key);
  if (at != balancers_.end()) {
    const std::string ip = address_text(at->second);
    if (shown.size() == 1 && shown[0]["ip"].as_string() == ip) return;
    status.edit("ingress").push_back(Value::object({{"ip", ip}, {"ipMode", "VIP"}}));
  } else {
    status.set("ingress", Value());  // a merge patch: remove it
  }
  parts_.cluster.commit(
      {.verb = cluster::Write::Verb::merge_patch,
       .resource = "services",
       .namespace_ = service.key.namespace_,
       .name = service.key.name,
       .subresource = "status",
       .object = Value::object({{"status", Value::object({{"loadBalancer", status}})}})},
      {});
}

void Network::publish_own_services(int api_port) {
  if (!options_.plan.live()) return;
  const std::string gateway = address_text(options_.plan.gateway());
  publish("endpointslices.discovery.k8s.io",
          own_slice("default", "kubernetes", "kubernetes", gateway,
                    Value::array({port_of("https", "TCP", api_port)})));
  const std::string address = address_text(options_.plan.dns_address());
  Value service = Value::object({{"apiVersion", "v1"}, {"kind", "Service"}});
  service.set("metadata",
              Value::object({{"name", "kube-dns"},
                             {"namespace", "kube-system"},
                             {"labels", Value::object({{"k8s-app", "kube-dns"},
                                                       {"kubernetes.io/cluster-service", "true"},
                                                       {"kubernetes.io/name", "CoreDNS"}})}}));
  service.set("spec", Value::object({{"type", "ClusterIP"},
                                     {"clusterIP", address},
                                     {"ports", Value::array({port_of("dns", "UDP", 53),
                                                             port_of("dns-tcp", "TCP", 53)})}}));
  const Value there = parts_.cluster.get("services", "kube-system", "kube-dns");
  if (there.is_null())
    parts_.cluster.commit({.verb = cluster::Write::Verb::create,
                           .resource = "services",
                           .namespace_ = "kube-system",
                           .name = "kube-dns",
                           .object = std::move(service)},
                          [this, alive = std::weak_ptr<bool>(alive_)](const Result<Value>& made) {
                            if (!alive.expired() && !made.ok())
                              problems_.push_back("Service kube-dns: " + made.error().message);
                          });
  publish("endpointslices.discovery.k8s.io",
          own_slice("kube-system", "kube-dns", "kube-dns", address_text(options_.plan.gateway()),
                    Value::array({port_of("dns", "UDP", dns_service_port_),
                                  port_of("dns-tcp", "TCP", dns_service_port_)})));
}

// An engine without any class gets a default one, so that an Ingress that names none is served.
// Who brings classes of their own decides with them alone.
void Network::publish_own_ingress_class() {
  const std::string resource = "ingressclasses.networking.k8s.io";
  if (parts_.cluster.list(resource).empty()) publish(resource, own_ingress_class());
}

// Makes the object, or what differs in the one that is there, ours again.
void Network::publish(const std::string& resource, Value object) {
  const std::string ns(model::namespace_of(object)), name(model::name_of(object));
  const Value there = parts_.cluster.get(resource, ns, name);
  if (!there.is_null() && includes(there, object)) return;
  cluster::Write write{
      .verb = there.is_null() ? cluster::Write::Verb::create : cluster::Write::Verb::merge_patch,
      .resource = resource,
      .namespace_ = ns,
      .name = name,
      .object = std::move(object)};
  parts_.cluster.commit(std::move(write), [this, alive = std::weak_ptr<bool>(alive_), resource,
                                           name](const Result<Value>& made) {
    if (!alive.expired() && !made.ok())
      problems_.push_back(resource + " " + name + ": " + made.error().message);
  });
}

std::vector<std::string> Network::problems() const {
  std::vector<std::string> out = options_.plan.losses;
  out.insert(out.end(), problems_.begin(), problems_.end());
  if (proxy_ && !proxy_->problem().empty()) out.push_back(proxy_->problem());
  if (ingress_)
    for (const std::string& problem : ingress_->problems()) out.push_back(problem);
  return out;
}

void Network::stop(std::function<void()> done) {
  watches_.clear();
  dns_.reset();
  const auto finish = [this, alive = std::weak_ptr<bool>(alive_), done = std::move(done)] {
    if (!alive.expired()) {
      if (pods_) pods_->remove_all();
      release_addresses(parts_.links, options_.plan);
    }
    done();
  };
  const auto remove_rules = [this, alive = std::weak_ptr<bool>(alive_), finish] {
    if (alive.expired() || !proxy_) return finish();
    proxy_->remove(finish);
  };
  if (ingress_)
    ingress_->stop(remove_rules);
  else
    remove_rules();
}

}  // namespace keelson::net
