// Starting one process of a container from the keeper: namespaces joined, descriptors placed,
// everything else closed. What runs in the child between fork and exec is kept to system calls.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace keelson::node {

struct LaunchPlan {
  std::vector<std::string> argv, environment;
  std::string directory;
  std::vector<std::string> namespaces;                // files, joined in order
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;  // -1: /dev/null
  std::vector<std::string> cgroup_procs;  // cgroup.procs files that the child writes itself into
  int user = -1, group = -1;              // -1: as the keeper
  bool kill_with_keeper = false;
};

// The pid, or -1 with the reason in `error`.
pid_t launch(const LaunchPlan& plan, std::string& error);

// Makes ipc, uts (and a network with loopback only) namespaces and keeps them as files in
// `directory`. `network`: a namespace file to keep instead of a new one; empty: see own_network.
// Returns what went wrong, or nothing.
// address: IPv4, added to the loopback device of an own network; empty: none.
std::string make_sandbox(const std::string& directory, const std::string& hostname,
                         const std::string& network, bool own_network, const std::string& address);
// The same from a process that still lives in them (an earlier keeper made them).
std::string keep_sandbox(const std::string& directory, pid_t pid, bool with_network);

struct MountPlan {
  std::string type, source, target, data;
  unsigned long flags = 0;
};
std::string make_mount(const MountPlan& plan);

// The mount namespace of the keeper: changes in it do not reach the host's. On hybrid hosts the
// unified hierarchy is unmounted, because crun refuses a machine with both.
std::string enter_private_mounts();
// Why that would fail (its message), asked of a child that ends at once; empty: it works.
std::string why_no_private_mounts();

}  // namespace keelson::node
