// KeeperClient: the engine's end of the keeper's socket (node/keeper/keeper.h). Finds the keeper
// that runs, or starts one that will outlive us; carries requests and exits. When the keeper is
// lost it starts another and says so once it is connected again.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "codec/value.h"
#include "host/loop.h"
#include "host/processes.h"
#include "host/sockets.h"

namespace keelson::node {

using codec::Value;

class KeeperClient {
 public:
  // directory: where socket and helper program live; exists.
  KeeperClient(host::Loop& loop, host::Sockets& sockets, host::Processes& processes,
               std::string directory);
  ~KeeperClient();

  void start(std::function<void(Result<void>)> done);
  // One answer per call; an Error if the keeper refused, was lost, or took longer than two minutes
  // (what it does takes milliseconds; a machine that swaps takes longer).
  void call(Value request, std::function<void(Result<Value>)> done);
  // From now on its end is no loss: no other keeper is started.
  void expect_end() { ending_ = true; }

  std::function<void(const Value& event)> on_event;  // exits
  std::function<void()> on_replaced;                 // a new keeper, which knows no container

  // Empty, or why there is no keeper at present; connecting is tried again and again.
  const std::string& problem() const { return problem_; }
  int pid() const { return pid_; }
  // Why it cannot mount for containers; empty: it can.
  const std::string& unprivileged() const { return unprivileged_; }
  // Of the keeper, as the engine's processes can join it.
  std::string mount_namespace() const { return "/proc/" + std::to_string(pid_) + "/ns/mnt"; }
  // A path of the keeper's mount namespace, as the engine sees it.
  std::string seen(const std::string& path) const {
    return "/proc/" + std::to_string(pid_) + "/root" + path;
  }
  std::string socket_path() const { return directory_ + "/k.sock"; }
  const std::string& helper() const { return helper_; }

 private:
  using Done = std::function<void(Result<void>)>;
  Result<void> install_helper();
  void connect(int attempt, bool started, Done done);
  Result<void> spawn();
  void connected(std::unique_ptr<host::Stream> stream, Done done);
  void receive(std::string_view bytes);
  void lost();
  void connect_again();
  void give_up(std::int64_t id);

  host::Loop& loop_;
  host::Sockets& sockets_;
  host::Processes& processes_;
  std::string directory_, helper_;
  std::unique_ptr<host::Stream> stream_;
  std::string buffer_;
  struct Waiting {
    std::function<void(Result<Value>)> done;
    std::shared_ptr<void> timer;
  };
  std::map<std::int64_t, Waiting> waiting_;
  std::int64_t next_id_ = 1;
  int pid_ = -1;
  std::string unprivileged_, problem_;
  Duration pause_;  // before the next try to connect
  bool ending_ = false, reconnecting_ = false;
  std::shared_ptr<void> timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelson::node
