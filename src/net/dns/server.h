// The cluster's DNS server: UDP and TCP, the cluster's zone from the Directory, everything else
// from the host's resolvers. It answers or refuses every well-formed query; a query that no
// resolver answers in time is SERVFAIL.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "host/datagrams.h"
#include "host/loop.h"
#include "host/sockets.h"
#include "net/directory.h"
#include "net/dns/records.h"

namespace keelson::net::dns {

struct ServerOptions {
  Zone zone;
  std::vector<host::DatagramPeer> resolvers;  // tried in order
  Duration resolver_timeout = Duration::seconds(2);
  std::size_t forwarded_max = 2000;  // waiting at once; more are refused with SERVFAIL
  std::size_t connections_max = 256;
};

class Server {
 public:
  Server(host::Loop& loop, host::Sockets& sockets, host::Datagrams& datagrams, Prng& rng,
         const Directory& directory, ServerOptions options);
  ~Server();

  // UDP and TCP on this address; may be called several times. port 0 chooses a free one, which is
  // returned.
  Result<int> listen(const std::string& address, int port);

  struct Counts {
    std::uint64_t queries = 0, forwarded = 0, failed = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  using Respond = std::function<void(std::string)>;
  struct Forward;
  struct Connection;
  void handle(std::string_view bytes, bool stream, Respond respond);
  void forward(std::string query, std::size_t resolver,
               std::function<void(std::optional<std::string>)> done);
  void finish(std::uint64_t number, std::optional<std::string> bytes);
  void next_resolver(std::uint64_t number);
  void chase(const Query& query, Answer answer, const std::string& name, std::size_t size_max,
             Respond respond);
  void accept(std::unique_ptr<host::Stream> stream);

  host::Loop& loop_;
  host::Sockets& sockets_;
  host::Datagrams& datagrams_;
  Prng& rng_;
  const Directory& directory_;
  ServerOptions options_;
  Counts counts_;
  std::vector<std::unique_ptr<host::DatagramSocket>> udp_;
  std::vector<std::unique_ptr<host::Listener>> tcp_;
  std::map<std::uint64_t, std::unique_ptr<Forward>> forwards_;
  std::map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::uint64_t made_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// The nameservers of a resolv.conf, IPv4 only; ours left out, or we would ask ourselves.
std::vector<host::DatagramPeer> resolvers_of(std::string_view resolv_conf,
                                             std::uint32_t own_address);

}  // namespace keelson::net::dns
