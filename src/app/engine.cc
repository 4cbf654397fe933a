#include "app/engine.h"

#include <algorithm>
#include <fstream>

#include "api/access/access_control.h"
#include "api/access/pki.h"
#include "api/access/tokens.h"
#include "api/http/tls.h"
#include "api/outgoing/webhook_client.h"
#include "api/server.h"
#include "app/api_files.h"
#include "app/certificate_authority.h"
#include "app/engine_metrics.h"
#include "app/engine_report.h"
#include "app/instance.h"
#include "app/node_tokens.h"
#include "app/oidc_keys.h"
#include "app/version.h"
#include "base/text.h"
#include "control/controllers.h"
#include "host/linux/datagrams.h"
#include "host/linux/files.h"
#include "host/linux/links.h"
#include "host/linux/linux_host.h"
#include "net/network.h"
#include "node/linux/live_nodes.h"
#include "registry/registry.h"
#include "runtime/embedded_cluster.h"
#include "runtime/identity.h"
#include "runtime/kind_follower.h"
#include "runtime/manager.h"
#include "store/store.h"

namespace keelson::app {
namespace {

using codec::Value;

int saved_port(const std::string& directory) {
  std::ifstream file(directory + "/port");
  std::string text;
  std::getline(file, text);
  return static_cast<int>(parse_int(trim(text)).value_or(0));
}

void save_port(const std::string& directory, int port) {
  std::ofstream(directory + "/port", std::ios::trunc) << port << "\n";
}

// Of clients. The rest of the descriptors is for pods, the network and the store.
std::size_t connections_max() {
  return std::min(api::HttpLimits().connections_max, host::descriptors_max() * 3 / 5);
}

}  // namespace

// What API servers that extend this one are told: who its clients are, and that requests which it
// or a front proxy sends on speak for others.
std::map<std::string, std::string> authentication_of(const api::Pki& pki, const FileParts& given) {
  const api::FrontProxyOptions& proxy = given.authentication.front_proxy;
  const auto list = [&](std::string own, const auto& more) {
    Value names = Value::array({Value(own)});
    for (const std::string& one : more)
      if (proxy.on && to_lower(one) != to_lower(own)) names.push_back(one);
    return codec::to_json(names);
  };
  return {{"client-ca-file", pki.ca.certificate_pem},
          {"requestheader-client-ca-file", pki.proxy_ca.certificate_pem + given.proxy_ca_pem},
          {"requestheader-allowed-names", list(std::string(api::kFrontProxyName), proxy.names)},
          {"requestheader-username-headers", list("X-Remote-User", proxy.user_headers)},
          {"requestheader-group-headers", list("X-Remote-Group", proxy.group_headers)},
          {"requestheader-extra-headers-prefix", list("X-Remote-Extra-", proxy.extra_prefixes)}};
}

struct Engine::Parts {
  Parts(host::LinuxLoop& the_loop, EngineOptions the_options)
      : loop(the_loop), options(std::move(the_options)), rng(host::system_seed()) {}

  Result<void> open();
  void make_nodes();
  Result<void> serve();
  Result<void> run_controllers();
  Result<net::Certificate> issue(const std::vector<std::string>& hosts);
  EngineReport report() const;

  host::LinuxLoop& loop;
  EngineOptions options;
  Prng rng;
  std::unique_ptr<host::Files> files = host::make_linux_files();
  std::unique_ptr<host::Sockets> sockets = host::make_linux_sockets(loop);
  std::unique_ptr<host::Processes> processes = host::make_linux_processes(loop);
  std::unique_ptr<host::Datagrams> datagrams = host::make_linux_datagrams(loop);
  std::unique_ptr<host::Links> links = host::make_linux_links();
  api::Pki pki;
  std::shared_ptr<const api::AuditLog> audit;
  std::string proxy_ca_pem;
  std::shared_ptr<void> oidc_keys, encryption;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<api::AccessControl> access;
  std::unique_ptr<api::WebhookClient> webhooks;
  std::unique_ptr<registry::Registry> registry;
  std::unique_ptr<runtime::EmbeddedCluster> cluster;
  std::unique_ptr<api::Server> server;
  std::unique_ptr<EngineAuthority> authority;
  std::unique_ptr<runtime::Manager> manager;
  std::unique_ptr<runtime::KindFollower> kinds;
  std::unique_ptr<cluster::Cluster> kubelet, proxy;  // the cluster as nodes and network see it
  net::AddressPlan addresses;
  std::unique_ptr<net::Network> network;
  std::unique_ptr<node::LiveNodes> nodes;
  std::unique_ptr<EngineMetrics> metrics;
  std::vector<std::string> problems;  // met at the start
  std::string address;
  int port = 0;  // that the API listens on
};

Result<void> Engine::Parts::open() {
  registry::Settings settings;
  settings.own_kinds = options.controllers;
  if (options.controllers) {
    TRY(addresses, net::claim_addresses(*links, *files, {.directory = options.directory}));
    settings.service_range = net::prefix_text(addresses.services);
  }
  // Pods know the API by the first address of the service range.
  std::vector<std::string> names = {options.address};
  if (options.controllers) names.push_back(net::address_text(addresses.services.address + 1));
  TRY(pki,
      api::open_pki(*files,
                    {.directory = options.directory + "/pki", .dns_names = {}, .addresses = names},
                    loop.now()));
  TRY(const FileParts given, read_api_files(loop, *files, options.files));
  audit = given.audit;
  proxy_ca_pem = given.proxy_ca_pem;
  settings.authentication = authentication_of(pki, given);
  if (!given.issuers.empty()) oidc_keys = follow_oidc_keys(loop, given.issuers);
  store::Options store_options{.directory = options.directory + "/store"};
  store_options.sealer = given.sealer;
  TRY(store, store::Store::open(loop, *files, store_options));
  if (!given.sealer) TRY_VOID(api::check_unsealed(*store));
  if (given.sealer && options.files.encryption_reload)
    encryption = follow_encryption(loop, *files, options.files.encryption, given.sealer, [this] {
      store->snapshot([](const Result<store::Revision>& written) {
        if (!written.ok())
          std::fprintf(stderr, "not all is encrypted anew: %s\n", written.error().message.c_str());
      });
    });
  if (const std::string torn = store->statistics().torn; !torn.empty())
    std::fprintf(stderr,
                 "%s ends in the middle of a write, as after a crash; that write is dropped. It "
                 "was not acknowledged, unless the disk lost it afterwards\n",
                 torn.c_str());
  TRY(std::unique_ptr<api::TokenSigner> signer,
      api::TokenSigner::make(pki.token_key_pem, kServiceAccountIssuer));
  access = std::make_unique<api::AccessControl>(
      std::move(signer), [this] { return loop.now(); }, rng, given.authentication);
  webhooks = std::make_unique<api::WebhookClient>(loop, *sockets);
  registry::Environment environment = access->environment();
  environment.post = [this](std::function<void()> call) { loop.post(std::move(call)); };
  environment.call_webhook = [this](registry::WebhookCall call,
                                    std::function<void(registry::WebhookReply)> done) {
    webhooks->post(std::move(call), std::move(done));
  };
  registry = std::make_unique<registry::Registry>(*store, std::move(environment), settings);
  TRY_VOID(registry->start());
  access->attach(*registry);
  cluster = std::make_unique<runtime::EmbeddedCluster>(
      loop, *store, runtime::execute_through(*registry), rng.next());
  cluster->commit_through(runtime::execute_later_through(*registry));
  return {};
}

// A certificate of the engine's own CA for the hosts of an Ingress.
Result<net::Certificate> Engine::Parts::issue(const std::vector<std::string>& hosts) {
  TRY(api::KeyPair pair,
      api::issue_certificate(
          pki.ca,
          {.common_name = hosts.empty() ? "ingress" : hosts[0], .dns_names = hosts, .server = true},
          loop.now()));
  return net::Certificate{pair.certificate_pem + pki.ca.certificate_pem, pair.key_pem};
}

// Before the API server, which reaches into containers through them.
void Engine::Parts::make_nodes() {
  proxy = cluster->as("keelson-network");
  network = std::make_unique<net::Network>(
      net::NetworkParts{*proxy, loop, *processes, *sockets, *datagrams, *links, *files},
      net::NetworkOptions{
          .name = options.name,
          .directory = options.directory,
          .plan = addresses,
          .issue = [this](const std::vector<std::string>& hosts) { return issue(hosts); }});
  kubelet = cluster->as("kubelet");
  nodes = std::make_unique<node::LiveNodes>(
      loop, *sockets, *processes, *kubelet, network->pods(),
      node::LiveNodesOptions{.directory = options.directory + "/node",
                             .name = options.name,
                             .hidden_directories = {options.directory, home_of_instances()},
                             .tokens = tokens_through(*registry)});
  metrics = std::make_unique<EngineMetrics>(loop, *cluster, nodes->host());
  for (const std::string& loss : report().losses) std::fprintf(stderr, "%s\n", loss.c_str());
}

EngineReport Engine::Parts::report() const {
  EngineReport out;
  if (!nodes->lost().empty())
    out.losses.push_back(
        "pods with a stand-in are plain processes with loopback addresses, which Services and "
        "Ingresses do not reach, without limits, mounts and namespaces; other images do not run: " +
        nodes->lost());
  out.losses.insert(out.losses.end(), addresses.losses.begin(), addresses.losses.end());
  out.problems = problems;
  for (std::string& problem : nodes->problems()) out.problems.push_back(std::move(problem));
  if (const std::string problem = store->statistics().snapshot_problem; !problem.empty())
    out.problems.push_back("the store cannot write a snapshot, so that its log grows: " + problem +
                           "; it is tried again every half minute");
  for (const std::string& problem : network->problems())
    if (std::find(out.losses.begin(), out.losses.end(), problem) == out.losses.end())
      out.problems.push_back(problem);
  return out;
}

Result<void> Engine::Parts::serve() {
  server = std::make_unique<api::Server>(api::ServerParts{
      .loop = loop,
      .sockets = *sockets,
      .registry = *registry,
      .access = *access,
      .rng = rng,
      .settle =
          [this](std::int64_t revision, std::function<void(Result<void>)> call) {
            store->settle({revision}, std::move(call));
          },
      .pod_streams = nodes ? &nodes->streams() : nullptr,
      .not_ready =
          [this] {
            const bool failing = store->failing();
            return failing ? std::vector<std::string>{"etcd"} : std::vector<std::string>();
          },
      .flow = {.requests_max = options.files.reads_max + options.files.writes_max},
      .audit = audit,
      .connections_max = connections_max(),
      .version_text = kKubernetesVersion,
      .proxy_identity = {pki.proxy_client.certificate_pem, pki.proxy_client.key_pem}});
  if (metrics) {
    server->add_group(metrics->group());
    server->add_group(report_group(options.name, [this] { return report(); }));
  }
  TRY(auto context, api::TlsContext::make({.certificate_pem = pki.serving.certificate_pem,
                                           .key_pem = pki.serving.key_pem,
                                           .client_ca_pem = pki.ca.certificate_pem,
                                           .proxy_ca_pem = proxy_ca_pem}));
  const int wanted = options.port != 0 ? options.port : saved_port(options.directory);
  auto listening = server->listen(options.address, wanted, context);
  // The port of last time may be somebody else's by now; a given one must be had.
  if (!listening.ok() && options.port == 0 && wanted != 0) {
    std::fprintf(stderr, "%s: another port is taken\n", listening.error().message.c_str());
    listening = server->listen(options.address, 0, context);
  }
  if (!listening.ok()) return listening.error();
  port = *listening;
  save_port(options.directory, port);
  const std::string public_address = options.address == "0.0.0.0" ? "127.0.0.1" : options.address;
  server->set_public_address(public_address + ":" + std::to_string(port));
  address = "https://" + public_address + ":" + std::to_string(port);
  return {};
}

Result<void> Engine::Parts::run_controllers() {
  if (nodes) {
    network->start(options.address, port);
    nodes->start([this](Result<void> started) {
      if (started.ok()) return;
      problems.push_back("no pod starts: " + started.error().message);
      std::fprintf(stderr, "%s\n", problems.back().c_str());
    });
    metrics->start();
  }
  manager = std::make_unique<runtime::Manager>(loop, *cluster, rng.next());
  manager->on_error(
      [](std::string_view controller, const runtime::Key& key, const std::string& error) {
        std::fprintf(stderr, "%.*s %s/%s: %s\n", static_cast<int>(controller.size()),
                     controller.data(), key.namespace_.c_str(), key.name.c_str(), error.c_str());
      });
  control::ControllerNeeds needs;
  needs.metrics = metrics.get();
  needs.machine.capacity = node::machine_capacity();
  needs.ca_pem = pki.ca.certificate_pem;
  authority = std::make_unique<EngineAuthority>(pki.ca);
  needs.authority = authority.get();
  needs.sign_token = [this](const Value& claims) { return access->signer().sign(claims); };
  std::vector<std::string> names;
  for (auto& controller : control::all_controllers(needs)) {
    names.emplace_back(controller->name());
    if (options.only.empty() ||
        std::find(options.only.begin(), options.only.end(), names.back()) != options.only.end())
      manager->add(std::move(controller));
  }
  for (const auto& controller : control::controllers_of_all_kinds(registry->types()))
    names.emplace_back(controller->name());
  std::sort(names.begin(), names.end());
  for (const std::string& name : options.only)
    if (std::find(names.begin(), names.end(), name) == names.end())
      return Error{.reason = Reason::bad_request,
                   .message = "no controller \"" + name + "\"; there are: " + join(names, ", ")};
  kinds = std::make_unique<runtime::KindFollower>(
      loop, *cluster, *manager, [this] { return registry->served_generation(); },
      [this] {
        auto all = control::controllers_of_all_kinds(registry->types());
        std::erase_if(all, [this](const auto& controller) {
          return !options.only.empty() && std::find(options.only.begin(), options.only.end(),
                                                    controller->name()) == options.only.end();
        });
        return all;
      });
  return {};
}

Engine::Engine(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Engine::~Engine() {
  // Whoever refers to another part ends before it.
  parts_->kinds.reset();
  parts_->manager.reset();
  parts_->server.reset();
  parts_->metrics.reset();
  parts_->nodes.reset();
  parts_->network.reset();
  parts_->kubelet.reset();
  parts_->proxy.reset();
  parts_->cluster.reset();
}

Result<std::unique_ptr<Engine>> Engine::start(host::LinuxLoop& loop, EngineOptions options) {
  std::unique_ptr<Engine> engine(new Engine(std::make_unique<Parts>(loop, std::move(options))));
  Parts& parts = *engine->parts_;
  const auto start_all = [&parts]() -> Result<void> {
    TRY_VOID(parts.open());
    if (parts.options.controllers) parts.make_nodes();
    TRY_VOID(parts.serve());
    if (parts.options.controllers) TRY_VOID(parts.run_controllers());
    return {};
  };
  if (const auto started = start_all(); !started.ok()) {
    // Nothing stays on the host of an engine that did not start; an earlier one's pods may run on.
    if (!parts.addresses.adopted) net::release_addresses(*parts.links, parts.addresses);
    return started.error();
  }
  return engine;
}

const std::string& Engine::server() const {
  return parts_->address;
}

std::string Engine::kubeconfig(const std::string& context) const {
  return api::kubeconfig_text(parts_->pki, context, parts_->address);
}

void Engine::stop(std::function<void()> done) {
  parts_->kinds.reset();
  parts_->manager.reset();
  const auto stop_server = [this, done = std::move(done)] {
    parts_->server->stop(Duration::seconds(5), done);
  };
  if (parts_->nodes)
    parts_->nodes->stop([this, stop_server] { parts_->network->stop(stop_server); });
  else
    stop_server();
}

}  // namespace keelson::app
