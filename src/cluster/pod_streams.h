// PodStreams: how the API server reaches into running containers, implemented by the node room.
// Callback-based byte channels with back-pressure in both directions; everything on the loop's
// thread. The API server has checked before that the pod and the container exist, that the pod is
// bound to a node, and has chosen the container; the node answers for what only it knows ("is
// waiting to start", "previous terminated container not found").
//
// The sides own each other like this: the API holds the returned Session (or log handle) and drops
// it when the client goes away; the node then ends the work and calls nothing more. The node holds
// the Sinks until it has finished; a Sink whose client is gone swallows what is written.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace keelson::cluster {

// Bytes from a container to a client.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void write(std::string_view bytes) = 0;
  virtual void close() = 0;  // nothing follows on this channel
  // What the client has not yet taken. A writer that can wait stops above kBufferedMax and goes on
  // when the call of on_drained comes (below the mark again); one that cannot may go on writing.
  static constexpr std::size_t kBufferedMax = 256 * 1024;
  virtual std::size_t buffered() const = 0;
  virtual void on_drained(std::function<void()> call) = 0;
};

// A client's side of exec, attach or one forwarded connection. Dropping it ends the session: exec
// kills the process (as SIGHUP on a terminal, SIGKILL else), attach only detaches, port-forward
// closes the connection.
class Session {
 public:
  virtual ~Session() = default;
  virtual void input(std::string_view bytes) = 0;  // stdin, or bytes to the port
  virtual void end_input() = 0;
  // Bytes of input not yet taken by the container; the API stops reading from the client above
  // Sink::kBufferedMax and goes on when on_input_drained calls.
  virtual std::size_t input_buffered() const = 0;
  virtual void on_input_drained(std::function<void()> call) = 0;
  virtual void resize(int columns, int rows) = 0;  // of a terminal; else nothing
};

struct PodContainer {
  std::string namespace_, pod, uid, container, node;
};

// core/v1 PodLogOptions.
struct LogOptions {
  bool follow = false;
  bool previous = false;
  bool timestamps = false;  // each line begins with an RFC 3339 time of nine fractional digits
  std::optional<Instant> since;
  std::optional<std::int64_t> tail_lines;
  std::optional<std::int64_t> limit_bytes;
  std::string stream = "All";  // or "Stdout", "Stderr"
};

struct ExecOptions {
  std::vector<std::string> command;  // empty: attach
  bool stdin_ = false, stdout_ = true, stderr_ = true;
  bool terminal = false;  // then stderr is not used
};

struct ExecEvents {
  std::shared_ptr<Sink> out, err;  // null where not wanted
  // Once, last, after all output was written. The process's exit code; an Error if it could not be
  // started or was lost. Errors before the first byte are answered as the request's Status.
  std::function<void(Result<int>)> on_exit;
};

class PodStreams {
 public:
  virtual ~PodStreams() = default;

  // Writes the log, closes nothing; `done` is called once when all was written (follow: when the
  // container ended and everything is out). An Error before the first byte becomes the answer:
  // bad_request `container "a" in pod "b" is waiting to start: ContainerCreating`, not found, ...
  // Dropping the handle ends it.
  virtual std::shared_ptr<void> logs(const PodContainer& where, const LogOptions& options,
                                     std::shared_ptr<Sink> sink,
                                     std::function<void(Result<void>)> done) = 0;

  // Starts the command in the container, with stdin, stdout, stderr as asked.
  virtual std::shared_ptr<Session> exec(const PodContainer& where, const ExecOptions& options,
                                        ExecEvents events) = 0;
  // Joins the container's own first process; options.command is empty. on_exit when it ends.
  virtual std::shared_ptr<Session> attach(const PodContainer& where, const ExecOptions& options,
                                          ExecEvents events) = 0;
  // One TCP connection to a port inside the pod's network namespace (its loopback). `out` gets what
  // the port sends and is closed at its end. `done` is called once: at the end, or with an Error
  // (`failed to connect to localhost:81 inside namespace ...: connection refused`).
  virtual std::shared_ptr<Session> port_forward(const PodContainer& where, int port,
                                                std::shared_ptr<Sink> out,
                                                std::function<void(Result<void>)> done) = 0;
};

}  // namespace keelson::cluster
