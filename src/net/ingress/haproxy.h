// Haproxy: the one HAProxy process of an engine, supervised. A new configuration is taken over by a
// new process, which inherits the listening sockets and lets the old one finish what it has; so no
// connection is refused at any moment, nor when an engine follows one that was killed: the process
// that answers on the admin socket is then the old one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "host/files.h"
#include "host/loop.h"
#include "host/processes.h"
#include "host/sockets.h"

namespace keelson::net {

class Haproxy {
 public:
  // directory: absolute; holds its files and the admin socket. on_lost: the process ended by
  // itself; it is not started again here.
  Haproxy(host::Loop& loop, host::Processes& processes, host::Sockets& sockets, host::Files& files,
          std::string directory, std::function<void()> on_lost);

  // The process that serves now, of whatever engine process; 0: none.
  void find(std::function<void(int pid)> done);
  // Writes the texts and serves with them. One load or commands at a time.
  void load(const std::map<std::string, std::string>& texts,
            std::function<void(Result<void>)> done);
  // Runs admin commands in order. Error: one was not understood, or nobody answers.
  void run(const std::vector<std::string>& commands, std::function<void(Result<void>)> done);
  void stop(std::function<void()> done);
  int pid() const { return pid_; }

 private:
  using Answer = std::function<void(Result<std::string>)>;
  void ask(const std::string& commands, Answer done);
  void spawn(int old, std::function<void(Result<void>)> done);
  void wait_ready(int pid, Instant limit, std::function<void(Result<void>)> done);
  void explain(std::function<void(Result<void>)> done);
  void run_part(std::shared_ptr<std::vector<std::string>> commands, std::size_t from,
                std::function<void(Result<void>)> done);
  void exited(int pid);
  std::string socket_path() const { return directory_ + "/admin.sock"; }

  host::Loop& loop_;
  host::Processes& processes_;
  host::Sockets& sockets_;
  host::Files& files_;
  std::string directory_;
  std::function<void()> on_lost_;
  int pid_ = 0;
  std::set<int> alive_pids_;  // our children, the finishing ones among them
  bool stopping_ = false;
  std::function<void()> on_all_gone_;
  std::vector<std::shared_ptr<void>> timers_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelson::net
