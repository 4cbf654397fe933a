// Choices made once at the start; the rest is delegation.
#include "node/linux/live_nodes.h"

#include <sys/utsname.h>
#include <unistd.h>

#include "base/text.h"
#include "node/loopback_network.h"

namespace keelson::node {
namespace {

constexpr std::string_view kPlatforms = "platforms.keelson.dev";

std::string os_name() {
  for (const std::string& line : split(read_whole("/etc/os-release"), '\n'))
    if (line.starts_with("PRETTY_NAME=\"")) return line.substr(13, line.size() - 14);
  return "Linux";
}

LinuxDriverOptions driver_options(const LiveNodesOptions& options) {
  LinuxDriverOptions wanted;
  wanted.root = options.directory;
  wanted.name = options.name;
  for (const std::string& directory : options.hidden_directories)
    if (!directory.empty() && directory != "/") wanted.hidden.push_back(directory);
  return wanted;
}

// network: null for loopback only, which own_network then holds.
std::unique_ptr<CrunDriver> make_driver(host::Loop& loop, host::Sockets& sockets,
                                        host::Processes& processes, cluster::PodNetwork* network,
                                        LinuxDriverOptions options,
                                        std::unique_ptr<cluster::PodNetwork>& own_network) {
  if (!CrunDriver::why_not().empty()) {
    own_network = std::make_unique<NoNetwork>();
    return std::make_unique<ProcessDriver>(loop, sockets, processes, *own_network,
                                           std::move(options));
  }
  if (network == nullptr) {
    own_network = std::make_unique<LoopbackNetwork>();
    network = own_network.get();
  }
  return std::make_unique<CrunDriver>(loop, sockets, processes, *network, std::move(options));
}

}  // namespace

Value machine_capacity() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  return Value::object({{"cpu", std::to_string(::sysconf(_SC_NPROCESSORS_ONLN))},
                        {"memory", std::to_string(pages / 1024 * page) + "Ki"},
                        {"pods", "110"}});
}

Value machine_info(std::string_view kubelet_version) {
  utsname system{};
  ::uname(&system);
  const std::string machine = system.machine;
  const std::string id(trim(read_whole("/etc/machine-id", 64)));
  return Value::object({{"architecture", machine == "x86_64"    ? "amd64"
                                         : machine == "aarch64" ? "arm64"
                                                                : machine},
                        {"bootID", trim(read_whole("/proc/sys/kernel/random/boot_id", 64))},
                        {"containerRuntimeVersion", "crun://1.8"},
                        {"kernelVersion", system.release},
                        {"kubeProxyVersion", ""},
                        {"kubeletVersion", kubelet_version},
                        {"machineID", id},
                        {"operatingSystem", "linux"},
                        {"osImage", os_name()},
                        {"systemUUID", id}});
}

LiveNodes::LiveNodes(host::Loop& loop, host::Sockets& sockets, host::Processes& processes,
                     cluster::Cluster& cluster, cluster::PodNetwork* network,
                     LiveNodesOptions options)
    : cluster_(cluster), lost_(CrunDriver::why_not()) {
  (void)make_directory(options.directory + "/images", 0755);
  LinuxDriverOptions wanted = driver_options(options);
  wanted.cpu_scale = [this] { return scale().cpu; };
  wanted.memory_scale = [this] { return scale().memory; };
  driver_ = make_driver(loop, sockets, processes, network, std::move(wanted), own_network_);
  images_ =
      std::make_unique<ImageStore>(cluster, processes,
                                   ImageStore::Options{.directory = options.directory + "/images",
                                                       .pods = options.directory + "/pods",
                                                       .from_registries = options.from_registries});
  NodeHost::Options host;
  host.host_address = options.host_address;
  host.node_info = machine_info();
  host.machine_capacity = machine_capacity();
  host.tokens = std::move(options.tokens);
  host.images = [this] { return images_->node_images(); };
  host_ = std::make_unique<NodeHost>(cluster, *driver_, *images_, std::move(host));
  streams_ = std::make_unique<NodePodStreams>(loop, sockets, cluster, *host_);
}

void LiveNodes::start(std::function<void(Result<void>)> done) {
  host_->start(std::move(done));
}

std::vector<std::string> LiveNodes::problems() const {
  std::vector<std::string> out = host_->problems();
  if (!driver_->problem().empty()) out.insert(out.begin(), driver_->problem());
  return out;
}

void LiveNodes::stop(std::function<void()> done) {
  host_->stop_everything([this, done = std::move(done)] { driver_->end_keeper(done); });
}

LeftBehind::LeftBehind(host::Loop& loop, host::Sockets& sockets, host::Processes& processes,
                       cluster::PodNetwork* network, LiveNodesOptions options)
    : driver_(
          make_driver(loop, sockets, processes, network, driver_options(options), own_network_)) {}

void LeftBehind::end(std::function<void(Result<std::size_t>)> done) {
  driver_->recover([this, done = std::move(done)](Result<std::vector<RecoveredPod>> found) {
    if (!found.ok()) return done(found.error());
    const std::size_t count = found->size();
    auto left = std::make_shared<std::size_t>(count + 1);
    const auto one_done = [this, left, count, done] {
      if (--*left == 0) driver_->end_keeper([done, count] { done(count); });
    };
    for (const RecoveredPod& pod : *found) driver_->tear_down(pod.pod, pod.sandbox, one_done);
    one_done();
  });
}

Scale LiveNodes::scale() const {
  return scale_of(cluster_.list(kPlatforms));
}

}  // namespace keelson::node
