// UDP over IPv4, on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace keelson::host {

struct DatagramPeer {
  std::uint32_t address = 0;  // host byte order
  std::uint16_t port = 0;
  auto operator<=>(const DatagramPeer&) const = default;
};

class DatagramSocket {
 public:
  virtual ~DatagramSocket() = default;  // closes
  // Dropped silently when the kernel is full, as the network may do anyway.
  virtual void send(std::string_view bytes, DatagramPeer to) = 0;
  virtual int port() const = 0;
};

class Datagrams {
 public:
  virtual ~Datagrams() = default;
  // port 0 chooses a free one. The socket may be dropped inside the call.
  using OnDatagram = std::function<void(std::string_view bytes, DatagramPeer from)>;
  virtual Result<std::unique_ptr<DatagramSocket>> bind(
      const std::string& address, int port, OnDatagram on_datagram,
      const std::string& network_namespace = {}) = 0;
};

}  // namespace keelson::host
