// The facts about a pod on its node: its sandbox and every incarnation of its containers, as a
// driver observed them. Plain data; the pod machine and the status are computed from it. It says
// nothing of how a driver runs anything.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"

namespace keelson::node {

struct Sandbox {
  enum class State : std::uint8_t { none, creating, ready, removing, gone };
  State state = State::none;
  std::string id;
  std::string address;            // the pod's IP; empty before it is ready and for host network
  std::string network_namespace;  // path; empty: the host's
  int attempt = 0;
};

// One incarnation of a container.
struct ContainerRun {
  enum class State : std::uint8_t { created, running, exited, unknown };
  std::string container;  // name in the pod's spec
  std::string id;         // the driver's, without the "crun://" before it
  int attempt = 0;        // restartCount
  int sandbox_attempt = 0;
  State state = State::created;
  std::string image;     // as status.containerStatuses[].image shows it
  std::string image_id;  // imageID
  Instant created_at, started_at, finished_at;
  int exit_code = 0;
  int signal = 0;
  std::string reason;   // "Completed", "Error", "OOMKilled", "ContainerCannotRun" ...
  std::string message;  // the termination message
  std::int64_t user = 0, group = 0;

  bool running() const { return state == State::running; }
  bool exited() const { return state == State::exited; }
};

// Of one container, by age. `latest` is null where it never ran.
struct Runs {
  const ContainerRun* latest = nullptr;
  const ContainerRun* before = nullptr;
};
Runs runs_of(const std::vector<ContainerRun>& runs, std::string_view container);

}  // namespace keelson::node
