#include "app/left_behind.h"

#include <filesystem>

#include "host/linux/files.h"
#include "host/linux/links.h"
#include "host/linux/linux_host.h"
#include "net/left_behind.h"
#include "node/linux/live_nodes.h"

namespace keelson::app {

Result<bool> end_left_behind(const Instance& instance) {
  namespace fs = std::filesystem;
  std::error_code none;
  if (!fs::exists(instance.directory, none)) return false;
  // No engine starts meanwhile.
  TRY(const InstanceLock lock, InstanceLock::acquire(instance));
  host::LinuxLoop loop;
  const auto files = host::make_linux_files();
  const auto sockets = host::make_linux_sockets(loop);
  const auto processes = host::make_linux_processes(loop);
  const auto links = host::make_linux_links();
  net::LeftBehind network(loop, *processes, *sockets, *files, *links, instance.directory);
  const std::string node = instance.directory + "/node";
  const bool containers = fs::exists(node + "/k.sock", none) ||
                          fs::directory_iterator(node + "/pods", none) != fs::directory_iterator();
  const bool haproxy = fs::exists(instance.directory + "/ingress/admin.sock", none);
  if (!containers && !haproxy && !network.found()) return false;

  node::LeftBehind pods(loop, *sockets, *processes, network.pods(),
                        {.directory = node,
                         .name = instance.name,
                         .hidden_directories = {instance.directory, home_of_instances()}});
  Result<void> outcome;
  const auto then = [&](const Result<std::size_t>& ended) {
    if (!ended.ok()) outcome = ended.error();
    network.end([&] { loop.stop(); });
  };
  if (containers)
    pods.end(then);
  else
    loop.post([&] { then(0); });
  loop.run();
  if (!outcome.ok()) return outcome.error();
  fs::remove(instance.directory + "/ingress/admin.sock", none);
  return true;
}

}  // namespace keelson::app
