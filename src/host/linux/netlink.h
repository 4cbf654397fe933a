// One netlink conversation: requests are built in place and answered synchronously. It knows the
// framing and nothing of what the messages mean.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace keelson::host {

class NetlinkRequest {
 public:
  template <typename Header>
  NetlinkRequest(std::uint16_t type, std::uint16_t flags, const Header& header) {
    nlmsghdr head{};
    head.nlmsg_type = type;
    head.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
    put(&head, sizeof head);
    put(&header, sizeof header);
  }
  void add(std::uint16_t type, std::string_view bytes);
  void add_text(std::uint16_t type, std::string_view text);  // with its final zero
  template <typename T>
  void add_number(std::uint16_t type, T number) {
    add(type, std::string_view(reinterpret_cast<const char*>(&number), sizeof number));
  }
  // Attributes until the matching close() are inside this one.
  std::size_t open(std::uint16_t type);
  template <typename Header>
  std::size_t open_with(std::uint16_t type, const Header& header) {
    const std::size_t at = open(type);
    put(&header, sizeof header);
    return at;
  }
  void close(std::size_t opened);
  std::string& bytes() { return bytes_; }

 private:
  void put(const void* data, std::size_t length);
  std::string bytes_;
};

class Netlink {
 public:
  // A socket in the network namespace of the calling thread.
  static Result<Netlink> connect(int protocol = NETLINK_ROUTE);
  Netlink(Netlink&& other) noexcept : fd_(other.fd_), sequence_(other.sequence_) { other.fd_ = -1; }
  Netlink& operator=(Netlink&&) = delete;
  ~Netlink();

  // Sends and waits for the kernel's word. Error: already_exists, not_found, forbidden or
  // internal_error, with `what` in front.
  Result<void> run(NetlinkRequest request, const std::string& what);
  // A dump: calls for each message's payload.
  Result<void> dump(NetlinkRequest request, const std::string& what,
                    const std::function<void(const nlmsghdr&)>& each);
  int descriptor() const { return fd_; }

 private:
  explicit Netlink(int fd) : fd_(fd) {}
  int fd_;
  std::uint32_t sequence_ = 0;
};

}  // namespace keelson::host
