// Processes: starting and ending programs of the host.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace keelson::host {

struct SpawnOptions {
  std::vector<std::string> argv;              // argv[0] is looked up in PATH
  std::vector<std::string> environment = {};  // "NAME=value"; empty: inherit
  bool clear_environment = false;
  std::string directory = {};
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;  // -1: /dev/null; not closed in the parent
  std::map<int, int> extra_fds = {};                  // number in the child -> descriptor here
  std::string network_namespace = {};                 // path, joined before exec
  std::string mount_namespace = {};
  bool new_session = false;
  bool terminal = false;  // stdin_fd is a pty slave; make it the controlling terminal
  bool die_with_parent = false;
};

struct ExitStatus {
  int code = 0;    // 128 + signal if a signal ended it
  int signal = 0;  // 0: it exited by itself
};

class Processes {
 public:
  virtual ~Processes() = default;
  // on_exit is called once, on the loop.
  virtual Result<int> spawn(const SpawnOptions& options,
                            std::function<void(ExitStatus)> on_exit) = 0;
  virtual Result<void> signal(int pid, int signal) = 0;
  // Runs to the end and collects stdout and stderr (each 1 MiB at most).
  struct Output {
    ExitStatus status;
    std::string out, err;
  };
  virtual void run(const SpawnOptions& options, std::string input,
                   std::function<void(Result<Output>)> done) = 0;
  // Watches a process that is no child (adopted after a restart); the handle ends the watch.
  virtual Result<std::shared_ptr<void>> watch_exit(int pid, std::function<void()> on_exit) = 0;
};

}  // namespace keelson::host
