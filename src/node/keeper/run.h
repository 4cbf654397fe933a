// One container as the keeper knows it: its process, the pipes it writes to, its log, and what is
// to be cleaned up after it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "codec/value.h"
#include "node/keeper/launch.h"
#include "node/keeper/log_writer.h"

namespace keelson::node {

struct Run {
  enum class State : unsigned char { starting, running, cleaning, gone };
  std::string id, directory;
  State state = State::starting;
  bool paused = false;  // its output is not read: somebody attached is behind
  pid_t launcher = -1, pid = -1, cleaner = -1;
  std::string pid_file;
  std::string oom_file;              // has "oom_kill N"
  std::vector<std::string> cleanup;  // argv of what removes it from the runtime
  std::vector<std::string> unmounts;
  std::unique_ptr<LogWriter> log;
  int out_fd = -1, err_fd = -1;  // what it writes
  int in_fd = -1;                // what it reads; -1: nothing
  int terminal_fd = -1;          // instead of all three
  int console_listener = -1;     // the runtime hands us the terminal there
  int pid_fd = -1;               // of an adopted one, which is no child
  // The answer that the engine waits for.
  int reply_connection = -1;
  std::int64_t reply_id = 0;
  std::vector<std::pair<int, std::int64_t>> removals;

  ~Run();
  void close_fds();
};

// Makes the pipes in the run's directory. They are named pipes opened for reading and writing by
// the container, so that a container survives its keeper: writing blocks, it does not fail.
std::string open_pipes(Run& run, bool with_stdin, int child_fds[3]);
// The log that a failed launcher left behind, as one line.
std::string launcher_message(const std::string& directory);
bool was_out_of_memory(const std::string& file);
// Replaces the file as a whole, durable enough to survive us.
void write_file(const std::string& path, const std::string& text);
std::string read_file(const std::string& path, std::size_t bytes_max);

}  // namespace keelson::node
