// Byte streams and listeners, asynchronous, on the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace keelson::host {

class Stream {
 public:
  virtual ~Stream() = default;  // closes
  struct Events {
    std::function<void(std::string_view)> on_data;  // bytes arrived
    std::function<void()> on_end;      // the peer closed its side, or an error; nothing comes after
    std::function<void()> on_drained;  // everything written was taken by the kernel
  };
  virtual void start(Events events) = 0;
  virtual void write(
      std::string_view bytes) = 0;  // buffered without limit: callers watch buffered()
  virtual std::size_t buffered() const = 0;
  virtual void pause(bool paused) = 0;   // stops and resumes on_data: back-pressure
  virtual void shutdown_write() = 0;     // after what is buffered
  virtual std::string peer() const = 0;  // "127.0.0.1:4711"
};

class Listener {
 public:
  virtual ~Listener() = default;  // stops accepting
  virtual int port() const = 0;
};

class Sockets {
 public:
  virtual ~Sockets() = default;
  // port 0 chooses a free one. network_namespace: path of the namespace to listen or connect in;
  // empty: our own.
  virtual Result<std::unique_ptr<Listener>> listen(
      const std::string& address, int port, std::function<void(std::unique_ptr<Stream>)> on_accept,
      const std::string& network_namespace = {}) = 0;
  virtual Result<std::unique_ptr<Listener>> listen_unix(
      const std::string& path, std::function<void(std::unique_ptr<Stream>)> on_accept) = 0;
  virtual void connect(const std::string& address, int port,
                       std::function<void(Result<std::unique_ptr<Stream>>)> done,
                       const std::string& network_namespace = {}) = 0;
};

}  // namespace keelson::host
