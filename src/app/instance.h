// Instance: where an engine of a given name lives on this machine, and whether it runs. One data
// directory holds one engine: the lock file in it is held for as long as the engine runs and names
// its process.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace keelson::app {

struct Instance {
  std::string name;       // "default", or what --name says: lower-case letters, digits and "-"
  std::string directory;  // all its state
  std::string kubeconfig() const { return directory + "/admin.kubeconfig"; }
  std::string log() const { return directory + "/engine.log"; }
  std::string lock() const { return directory + "/engine.lock"; }
  // The context that kubectl knows it by: "keelson", or "keelson-NAME" for another name than
  // "default".
  std::string context() const { return name == "default" ? "keelson" : "keelson-" + name; }
};

// Where instances live unless told otherwise.
std::string home_of_instances();

// directory: empty for the usual place (KEELSON_HOME, else /var/lib/keelson for root, else
// ~/.local/share/keelson). Error: bad_request for a name that is none.
Result<Instance> find_instance(const std::string& name, const std::string& directory = {});
// Names of the instances that have state in the usual place, sorted.
std::vector<std::string> all_instances();

// The process id of the running engine; nullopt if none runs.
std::optional<int> running_pid(const Instance& instance);

// A file with keys: whole or not at all (somebody may wait for it to appear), on disk once this
// returns, and for its owner alone whatever the umask.
Result<void> write_secret_file(const std::string& path, const std::string& text);

// The instance's directory. A new one is its owner's alone; one that is there keeps its mode.
// Error: conflict for a directory that has files and none of an engine's: it is somebody else's.
Result<void> prepare_directory(const Instance& instance);

// Held by a running engine. Error: conflict if another one runs there.
class InstanceLock {
 public:
  static Result<InstanceLock> acquire(const Instance& instance);
  InstanceLock(InstanceLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  InstanceLock& operator=(InstanceLock&&) = delete;
  ~InstanceLock();

 private:
  explicit InstanceLock(int fd) : fd_(fd) {}
  int fd_;
};

// Starts `keelson serve` for it as a process of its own and waits until its API is ready, or
// `limit` has passed. Error: unavailable with the end of its log. arguments are added to the
// command line of serve. It goes on when we end, unless it is to live as long as we do: then it
// stops, too, when the thread that started it is killed.
enum class Lifetime { its_own, as_ours };
Result<int> start_engine(const Instance& instance, const std::vector<std::string>& arguments,
                         Duration limit, Lifetime lifetime = Lifetime::its_own);
// SIGTERM, then waits until it is gone. Error: timeout.
Result<void> stop_engine(const Instance& instance, Duration limit);
// SIGKILL, then waits until it is gone: for an engine that does not stop. Error: timeout.
Result<void> kill_engine(const Instance& instance);

// What serve calls once it is ready, so that start_engine returns at once (a descriptor named in
// KEELSON_READY_FD).
void announce_ready();

}  // namespace keelson::app
