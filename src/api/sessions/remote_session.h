// A client's exec, attach or port-forward: the client's protocol on one side (WebSocket channels,
// SPDY streams, or SPDY inside a WebSocket), the node's PodStreams on the other. Keeps itself alive
// until the client or the node ends it, or its registry of sessions is cleared.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/http/http.h"
#include "cluster/pod_streams.h"
#include "host/sockets.h"

namespace keelson::api {

// The open sessions of a server; dropping it ends them.
class SessionKeeper {
 public:
  std::uint64_t add(std::shared_ptr<void> session);
  void remove(std::uint64_t id) { sessions_.erase(id); }
  void clear();
  std::size_t size() const { return sessions_.size(); }

 private:
  std::map<std::uint64_t, std::shared_ptr<void>> sessions_;
  std::uint64_t made_ = 0;
};

// Starts the command or attaches, with these events.
using StartExec = std::function<std::shared_ptr<cluster::Session>(cluster::ExecEvents)>;
// Opens one connection to a port of the pod.
using StartForward = std::function<std::shared_ptr<cluster::Session>(
    int port, std::shared_ptr<cluster::Sink> out, std::function<void(Result<void>)> done)>;

// The sub-protocol of exec chosen from what a client offers; nullopt if it offers only unknown
// ones. WebSocket: v5 down to v1 and "" (no sub-protocol); SPDY: v4 down to v1.
std::optional<std::string> choose_exec_protocol(const std::vector<std::string>& offered,
                                                bool websocket);

void run_exec_websocket(const std::shared_ptr<SessionKeeper>& keeper,
                        std::unique_ptr<host::Stream> stream, const std::string& protocol,
                        const cluster::ExecOptions& options, const StartExec& start);
void run_exec_spdy(const std::shared_ptr<SessionKeeper>& keeper,
                   std::unique_ptr<host::Stream> stream, const std::string& protocol,
                   const cluster::ExecOptions& options, const StartExec& start);
void run_port_forward(const std::shared_ptr<SessionKeeper>& keeper,
                      std::unique_ptr<host::Stream> stream, StartForward start);
// The values of the query parameter `ports` ("80", "80,443"): 1 to 65535, at most 100 of them.
Result<std::vector<int>> parse_forwarded_ports(const std::vector<std::string>& values);
// protocol: "", "v4.channel.k8s.io" or "v4.base64.channel.k8s.io".
void run_port_forward_channels(const std::shared_ptr<SessionKeeper>& keeper,
                               std::unique_ptr<host::Stream> stream, std::string_view protocol,
                               const std::vector<int>& ports, const StartForward& start);

// What the error channel of protocol v4 and v5 says at the end: a Status.
std::string exec_status(const Result<int>& exit);

}  // namespace keelson::api
