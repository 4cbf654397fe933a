// Framing of netlink: aligned attributes, sequence numbers, acknowledgements and multi-part dumps.
#include "host/linux/netlink.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "host/linux/linux_host.h"

namespace keelson::host {

void NetlinkRequest::put(const void* data, std::size_t length) {
  bytes_.append(static_cast<const char*>(data), length);
  bytes_.resize(NLMSG_ALIGN(bytes_.size()), '\0');
}

void NetlinkRequest::add(std::uint16_t type, std::string_view bytes) {
  nlattr head{static_cast<std::uint16_t>(NLA_HDRLEN + bytes.size()), type};
  put(&head, sizeof head);
  put(bytes.data(), bytes.size());
}

void NetlinkRequest::add_text(std::uint16_t type, std::string_view text) {
  std::string whole(text);
  whole.push_back('\0');
  add(type, whole);
}

std::size_t NetlinkRequest::open(std::uint16_t type) {
  const std::size_t at = bytes_.size();
  nlattr head{NLA_HDRLEN, type};
  put(&head, sizeof head);
  return at;
}

void NetlinkRequest::close(std::size_t opened) {
  const auto length = static_cast<std::uint16_t>(bytes_.size() - opened);
  std::memcpy(bytes_.data() + opened, &length, sizeof length);
}

Result<Netlink> Netlink::connect(int protocol) {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0) return system_error("make netlink socket", errno);
  const int one = 1;
  ::setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
  return Netlink(fd);
}

Netlink::~Netlink() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> Netlink::run(NetlinkRequest request, const std::string& what) {
  auto* head = reinterpret_cast<nlmsghdr*>(request.bytes().data());
  head->nlmsg_flags |= NLM_F_ACK;
  return dump(std::move(request), what, [](const nlmsghdr&) {});
}

Result<void> Netlink::dump(NetlinkRequest request, const std::string& what,
                           const std::function<void(const nlmsghdr&)>& each) {
  std::string& bytes = request.bytes();
  auto* head = reinterpret_cast<nlmsghdr*>(bytes.data());
  head->nlmsg_len = static_cast<std::uint32_t>(bytes.size());
  head->nlmsg_seq = ++sequence_;
  if (::send(fd_, bytes.data(), bytes.size(), 0) < 0) return system_error(what, errno);
  alignas(nlmsghdr) std::array<char, 65536> buffer;
  while (true) {
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(what, errno);
    auto left = static_cast<unsigned>(n);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_seq != sequence_) continue;  // left over from a conversation that failed
      if (message->nlmsg_type == NLMSG_DONE) return {};
      if (message->nlmsg_type != NLMSG_ERROR) {
        each(*message);
        continue;
      }
      int code = 0;
      std::memcpy(&code, NLMSG_DATA(message), sizeof code);
      if (code == 0) return {};
      Error error = system_error(what, -code);
      if (code == -EEXIST) error.reason = Reason::already_exists;
      if (code == -ENODEV || code == -ENOENT || code == -ESRCH) error.reason = Reason::not_found;
      if (code == -EPERM || code == -EACCES) error.reason = Reason::forbidden;
      return error;
    }
  }
}

}  // namespace keelson::host
