// Probes and hooks over the network: HTTP, TCP and gRPC health checks on host::Sockets. Outcomes
// and messages are those of pkg/probe.
#pragma once

#include <functional>

#include "host/loop.h"
#include "host/sockets.h"
#include "node/driver.h"

namespace keelson::node {

// Calls `done` exactly once, at the latest after the probe's timeout. The stream lives until then.
void run_network_probe(host::Loop& loop, host::Sockets& sockets, const NetworkProbe& probe,
                       std::function<void(ProbeOutcome)> done);

}  // namespace keelson::node
