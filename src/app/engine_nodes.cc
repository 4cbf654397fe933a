#include "app/engine_nodes.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "app/version.h"
#include "model/meta.h"
#include "node/stand_in_rules.h"

namespace keelson::app {
namespace {

using codec::Value;

Value node_info() {
  utsname kernel{};
  uname(&kernel);
  return Value::object({{"kernelVersion", kernel.release},
                        {"osImage", "Keelson"},
                        {"operatingSystem", "linux"},
                        {"architecture", "amd64"},
                        {"containerRuntimeVersion", "crun://1"},
                        {"kubeletVersion", kKubernetesVersion},
                        {"kubeProxyVersion", ""}});
}

// A token of the pod's service account, bound to the pod, as the kubelet asks for one.
Result<node::Token> request_token(registry::Registry& registry, const node::TokenRequest& wanted) {
  registry::Request request;
  request.verb = registry::Verb::create;
  request.version = "v1";
  request.resource = "serviceaccounts";
  request.namespace_ = wanted.namespace_;
  request.name = wanted.service_account;
  request.subresource = "token";
  request.identity.user = "system:kubelet";
  request.identity.groups = {"system:masters", "system:authenticated"};
  Value spec = Value::object({{"expirationSeconds", wanted.expiration_seconds}});
  if (!wanted.audience.empty()) spec.set("audiences", Value::array({wanted.audience}));
  spec.set("boundObjectRef", Value::object({{"apiVersion", "v1"},
                                            {"kind", "Pod"},
                                            {"name", model::name_of(wanted.pod)},
                                            {"uid", model::uid_of(wanted.pod)}}));
  request.body = codec::JsonDocument{Value::object(
      {{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenRequest"}, {"spec", spec}})};
  TRY(const registry::Response response, registry.execute(request));
  const Value& status = response.object.value()["status"];
  return node::Token{status["token"].str(), model::time_of(status["expirationTimestamp"])};
}

}  // namespace

Value machine_capacity() {
  const long cores = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES),
             page = sysconf(_SC_PAGE_SIZE);
  return Value::object(
      {{"cpu", std::to_string(cores)},
       {"memory", std::to_string(static_cast<long long>(pages) * page / 1024) + "Ki"},
       {"pods", "110"}});
}

EngineNodes::EngineNodes(const NodeParts& parts) : kubelet_(parts.cluster.as("kubelet")) {
  std::error_code ignored;
  std::filesystem::create_directories(parts.directory + "/node", ignored);
  std::filesystem::create_directories(parts.directory + "/images", ignored);
  const auto scale = [cluster = &parts.cluster] {
    return node::scale_of(cluster->list("platforms.keelson.dev"));
  };
  driver_ = std::make_unique<node::CrunDriver>(
      parts.loop, parts.sockets, parts.processes, parts.network,
      node::LinuxDriverOptions{.root = parts.directory + "/node",
                               .name = parts.name,
                               .cpu_scale = [scale] { return scale().cpu; },
                               .memory_scale = [scale] { return scale().memory; }});
  images_ = std::make_unique<node::ImageStore>(
      *kubelet_, parts.processes,
      node::ImageStore::Options{.directory = parts.directory + "/images"});
  host_ = std::make_unique<node::NodeHost>(
      *kubelet_, *driver_, *images_,
      node::NodeHost::Options{.node_info = node_info(),
                              .machine_capacity = machine_capacity(),
                              .tokens =
                                  [registry = &parts.registry](const node::TokenRequest& wanted) {
                                    return request_token(*registry, wanted);
                                  },
                              .images = [this] { return images_->node_images(); }});
  streams_ = std::make_unique<node::NodePodStreams>(parts.loop, parts.sockets, *kubelet_, *host_);
}

void EngineNodes::start() {
  host_->start([](Result<void> started) {
    if (!started.ok()) std::fprintf(stderr, "nodes: %s\n", started.error().message.c_str());
  });
}

void EngineNodes::stop(std::function<void()> done) {
  host_->stop_everything([this, done = std::move(done)] { driver_->end_keeper(done); });
}

}  // namespace keelson::app
