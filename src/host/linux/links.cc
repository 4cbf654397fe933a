// Links over rtnetlink. A namespace is made and configured by the calling thread, which steps into
// it and back; nothing else of the process is touched.
#include "host/linux/links.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/check.h"
#include "host/linux/linux_host.h"
#include "host/linux/netlink.h"

namespace keelson::host {
namespace {

constexpr std::uint16_t kCreate = NLM_F_CREATE | NLM_F_EXCL;
constexpr int kInterfacesMax = 65536;

template <typename T>
T read_as(const rtattr* attribute) {
  T out{};
  std::memcpy(&out, RTA_DATA(attribute), std::min<std::size_t>(sizeof out, RTA_PAYLOAD(attribute)));
  return out;
}

std::string text_of(const rtattr* attribute) {
  const char* data = static_cast<const char*>(RTA_DATA(attribute));
  return std::string(data, ::strnlen(data, RTA_PAYLOAD(attribute)));
}

template <typename Header, typename Call>
void for_attributes(const nlmsghdr& message, const Call& call) {
  const auto* header = static_cast<const Header*>(NLMSG_DATA(&message));
  auto left = static_cast<int>(message.nlmsg_len - NLMSG_SPACE(sizeof(Header)));
  const auto* attribute = reinterpret_cast<const rtattr*>(reinterpret_cast<const char*>(header) +
                                                          NLMSG_ALIGN(sizeof(Header)));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) call(*attribute);
}

// Steps into a fresh network namespace, kept by a file, for as long as it lives.
class FreshNamespace {
 public:
  static Result<FreshNamespace> make(const std::string& path) {
    const int own = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (own < 0) return system_error("open network namespace", errno);
    const int file = ::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0444);
    if (file < 0) {
      ::close(own);
      return system_error("make " + path, errno);
    }
    ::close(file);
    FreshNamespace fresh(own);
    if (::unshare(CLONE_NEWNET) != 0) return system_error("make network namespace", errno);
    if (::mount("/proc/thread-self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
      const int number = errno;
      ::unlink(path.c_str());
      return system_error("keep network namespace " + path, number);
    }
    return fresh;
  }
  FreshNamespace(FreshNamespace&& other) noexcept : own_(std::exchange(other.own_, -1)) {}
  FreshNamespace& operator=(FreshNamespace&&) = delete;
  ~FreshNamespace() { leave(); }
  int home() const { return own_; }
  void leave() {
    if (own_ < 0) return;
    // Going on in the pod's namespace would be far worse than ending.
    KEELSON_CHECK(::setns(own_, CLONE_NEWNET) == 0);
    ::close(std::exchange(own_, -1));
  }

 private:
  explicit FreshNamespace(int own) : own_(own) {}
  int own_;
};

// Derived from the address, so that neighbours' caches stay true when an address is used again.
std::string hardware_address(std::uint32_t address) {
  std::string mac = "\x0a\x58";
  for (int shift = 24; shift >= 0; shift -= 8) mac.push_back(static_cast<char>(address >> shift));
  return mac;
}

int index_of(const std::string& name) {
  return static_cast<int>(::if_nametoindex(name.c_str()));
}

Result<int> known_index(const std::string& name) {
  const int index = index_of(name);
  if (index == 0) return Error{Reason::not_found, "network link " + name + " is not there"};
  return index;
}

Result<void> set_up(Netlink& netlink, int index, const std::string& name) {
  ifinfomsg header{};
  header.ifi_index = index;
  header.ifi_flags = header.ifi_change = IFF_UP;
  return netlink.run(NetlinkRequest(RTM_NEWLINK, 0, header), "set " + name + " up");
}

Result<void> put_address(Netlink& netlink, int index, Prefix address) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = static_cast<std::uint8_t>(address.length);
  header.ifa_index = static_cast<std::uint32_t>(index);
  NetlinkRequest request(RTM_NEWADDR, kCreate, header);
  request.add_number(IFA_LOCAL, htonl(address.address));
  request.add_number(IFA_ADDRESS, htonl(address.address));
  return netlink.run(std::move(request), "add address");
}

struct Route {
  Prefix to;
  int index = 0;
  std::uint32_t gateway = 0, source = 0;  // 0: none
};

Result<void> put_route(Netlink& netlink, const Route& route) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = static_cast<std::uint8_t>(route.to.length);
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = route.gateway != 0 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  header.rtm_type = RTN_UNICAST;
  NetlinkRequest request(RTM_NEWROUTE, kCreate, header);
  if (route.to.length > 0) request.add_number(RTA_DST, htonl(route.to.address));
  request.add_number(RTA_OIF, route.index);
  if (route.gateway != 0) request.add_number(RTA_GATEWAY, htonl(route.gateway));
  if (route.source != 0) request.add_number(RTA_PREFSRC, htonl(route.source));
  return netlink.run(std::move(request), "add route");
}

Result<void> add_veth(Netlink& netlink, const PodLink& pod, int bridge, int namespace_fd) {
  ifinfomsg header{}, peer_header{};
  header.ifi_flags = header.ifi_change = IFF_UP;
  NetlinkRequest request(RTM_NEWLINK, kCreate, header);
  request.add_text(IFLA_IFNAME, pod.host_name);
  request.add_number(IFLA_MTU, pod.mtu);
  request.add_number(IFLA_MASTER, bridge);
  const std::size_t info = request.open(IFLA_LINKINFO);
  request.add_text(IFLA_INFO_KIND, "veth");
  const std::size_t data = request.open(IFLA_INFO_DATA);
  const std::size_t peer = request.open_with(VETH_INFO_PEER, peer_header);
  request.add_text(IFLA_IFNAME, "eth0");
  request.add_number(IFLA_MTU, pod.mtu);
  request.add(IFLA_ADDRESS, hardware_address(pod.address));
  request.add_number(IFLA_NET_NS_FD, namespace_fd);
  request.close(peer);
  request.close(data);
  request.close(info);
  return netlink.run(std::move(request), "make veth " + pod.host_name);
}

// A packet that was turned around before routing (a pod reaching itself through a service) leaves
// by the port on which it came.
Result<void> allow_hairpin(Netlink& netlink, int index) {
  ifinfomsg header{};
  header.ifi_family = AF_BRIDGE;
  header.ifi_index = index;
  NetlinkRequest request(RTM_SETLINK, 0, header);
  const std::size_t port = request.open(IFLA_PROTINFO | NLA_F_NESTED);
  request.add_number(IFLA_BRPORT_MODE, std::uint8_t{1});
  request.close(port);
  return netlink.run(std::move(request), "set hairpin");
}

// The bridge forwards through a port only once the kernel's link watch has seen its carrier, which
// it does some time later; packets before that are lost, and the first connection to a new pod
// would wait a second for the repetition. Asking for the link's state makes it look now.
void settle_carrier(const std::string& name) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  ethtool_value value{};
  value.cmd = ETHTOOL_GLINK;
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&value);
  (void)::ioctl(fd, SIOCETHTOOL, &request);
  ::close(fd);
}

Result<void> configure_inside(const PodLink& pod) {
  TRY(Netlink netlink, Netlink::connect());
  TRY_VOID(set_up(netlink, 1, "lo"));
  TRY(const int index, known_index("eth0"));
  TRY_VOID(put_address(netlink, index, {pod.address, 32}));
  TRY_VOID(set_up(netlink, index, "eth0"));
  TRY_VOID(put_route(netlink, {{pod.gateway, 32}, index}));
  return put_route(netlink, {{0, 0}, index, pod.gateway});
}

class LinuxLinks final : public Links {
 public:
  Result<void> usable() override {
    if (::geteuid() != 0) return Error{Reason::forbidden, "pod network: needs root"};
    TRY(Netlink * netlink, session());
    // A request that changes nothing, but is refused without the privilege.
    return set_up(*netlink, 1, "lo");
  }

  Result<std::vector<Link>> links() override {
    TRY(Netlink * netlink, session());
    std::vector<Link> out;
    TRY_VOID(netlink->dump(NetlinkRequest(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{}), "list links",
                           [&](const nlmsghdr& message) {
                             Link link;
                             link.index =
                                 static_cast<const ifinfomsg*>(NLMSG_DATA(&message))->ifi_index;
                             for_attributes<ifinfomsg>(message, [&](const rtattr& a) {
                               if (a.rta_type == IFLA_IFNAME) link.name = text_of(&a);
                               if (a.rta_type == IFLA_IFALIAS) link.alias = text_of(&a);
                               if (a.rta_type == IFLA_MTU) link.mtu = read_as<int>(&a);
                             });
                             if (out.size() < kInterfacesMax) out.push_back(std::move(link));
                           }));
    return out;
  }

  Result<std::vector<Prefix>> prefixes_in_use() override {
    std::vector<Prefix> out;
    TRY_VOID(each_route([&](const Route& route) {
      if (route.to.length > 0) out.push_back(route.to);
    }));
    TRY_VOID(each_address([&](int, Prefix subnet) { out.push_back(subnet); }));
    return out;
  }

  Result<Link> uplink() override {
    int index = 0;
    TRY_VOID(each_route([&](const Route& route) {
      if (route.to.length == 0 && index == 0) index = route.index;
    }));
    TRY(const std::vector<Link> all, links());
    for (const Link& link : all)
      if (link.index == index && index != 0) return link;
    return Link{};
  }

  Result<void> add_bridge(const std::string& name, const std::string& alias, int mtu) override {
    TRY(Netlink * netlink, session());
    ifinfomsg header{};
    NetlinkRequest request(RTM_NEWLINK, kCreate, header);
    request.add_text(IFLA_IFNAME, name);
    request.add_number(IFLA_MTU, mtu);
    // Fixed, or it would follow the ports and leave the pods' neighbour caches wrong.
    std::string mac = "\x0a\x58";
    for (const char c : name.substr(name.size() - std::min<std::size_t>(4, name.size())))
      mac.push_back(c);
    mac.resize(6, '\x01');
    request.add(IFLA_ADDRESS, mac);
    const std::size_t info = request.open(IFLA_LINKINFO);
    request.add_text(IFLA_INFO_KIND, "bridge");
    request.close(info);
    TRY_VOID(netlink->run(std::move(request), "make bridge " + name));
    TRY(const int index, known_index(name));
    ifinfomsg change{};
    change.ifi_index = index;
    change.ifi_flags = change.ifi_change = IFF_UP;
    NetlinkRequest described(RTM_NEWLINK, 0, change);
    described.add(IFLA_IFALIAS, alias);
    return netlink->run(std::move(described), "set bridge " + name + " up");
  }

  Result<void> add_address(const std::string& link, Prefix address) override {
    TRY(Netlink * netlink, session());
    TRY(const int index, known_index(link));
    return unless_there(put_address(*netlink, index, address));
  }

  Result<void> add_route(const std::string& link, Prefix to, std::uint32_t source) override {
    TRY(Netlink * netlink, session());
    TRY(const int index, known_index(link));
    return unless_there(put_route(*netlink, {to, index, 0, source}));
  }

  Result<void> remove_link(const std::string& name) override {
    TRY(Netlink * netlink, session());
    return remove_with(*netlink, name);
  }

  Result<void> switch_on(const std::string& link, const std::string& name) override {
    const std::string path = "/proc/sys/net/ipv4/conf/" + link + "/" + name;
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return system_error("open " + path, errno);
    char now = '0';
    // Left alone where it is on already: the file may be read-only in effect.
    const bool on = ::read(fd, &now, 1) == 1 && now != '0';
    const bool written = on || ::pwrite(fd, "1", 1, 0) == 1;
    const int number = errno;
    ::close(fd);
    if (!written) return system_error("write " + path, number);
    return {};
  }

  Result<void> attach_pod(const PodLink& pod) override {
    TRY(Netlink * netlink, session());
    TRY(const int bridge, known_index(pod.bridge));
    detach_pod(pod.host_name, pod.namespace_path);
    auto attached = attach_fresh(*netlink, pod, bridge);
    if (!attached.ok()) detach_pod(pod.host_name, pod.namespace_path);
    return attached;
  }

  void detach_pod(const std::string& host_name, const std::string& namespace_path) override {
    // A process that still holds the namespace must not keep the address: the pair goes first.
    if (auto netlink = Netlink::connect(); netlink.ok()) (void)remove_with(*netlink, host_name);
    if (namespace_path.empty()) return;
    ::umount2(namespace_path.c_str(), MNT_DETACH);
    ::unlink(namespace_path.c_str());
  }

  bool is_namespace(const std::string& path) override {
    struct statfs info {};
    return ::statfs(path.c_str(), &info) == 0 && info.f_type == NSFS_MAGIC;
  }

  std::vector<std::string> host_addresses() override {
    const auto up = uplink();
    const int first = up.ok() ? up->index : 0;
    std::vector<std::pair<bool, std::uint32_t>> found;
    (void)each_address(
        [&](int index, Prefix address) { found.emplace_back(index != first, address.address); });
    std::stable_sort(found.begin(), found.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::string> out;
    for (const auto& [later, address] : found) {
      in_addr number{htonl(address)};
      std::array<char, INET_ADDRSTRLEN> text{};
      out.emplace_back(::inet_ntop(AF_INET, &number, text.data(), text.size()));
    }
    return out;
  }

 private:
  static Result<void> remove_with(Netlink& netlink, const std::string& name) {
    ifinfomsg header{};
    header.ifi_index = index_of(name);
    if (header.ifi_index == 0) return {};
    auto removed = netlink.run(NetlinkRequest(RTM_DELLINK, 0, header), "remove " + name);
    if (!removed.ok() && removed.error().reason == Reason::not_found) return {};
    return removed;
  }

  static Result<void> unless_there(Result<void> result) {
    if (!result.ok() && result.error().reason == Reason::already_exists) return {};
    return result;
  }

  Result<Netlink*> session() {
    if (!netlink_) {
      TRY(Netlink made, Netlink::connect());
      netlink_.emplace(std::move(made));
    }
    return &*netlink_;
  }

  static Result<void> attach_fresh(Netlink& netlink, const PodLink& pod, int bridge) {
    TRY(FreshNamespace inside, FreshNamespace::make(pod.namespace_path));
    const int fd = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return system_error("open network namespace", errno);
    // The session belongs to the host's namespace, wherever this thread is.
    auto made = add_veth(netlink, pod, bridge, fd);
    ::close(fd);
    if (!made.ok()) return made;
    TRY_VOID(configure_inside(pod));
    inside.leave();
    settle_carrier(pod.host_name);
    return allow_hairpin(netlink, index_of(pod.host_name));
  }

  Result<void> each_route(const std::function<void(const Route&)>& call) {
    TRY(Netlink * netlink, session());
    rtmsg header{};
    header.rtm_family = AF_INET;
    return netlink->dump(NetlinkRequest(RTM_GETROUTE, NLM_F_DUMP, header), "list routes",
                         [&](const nlmsghdr& m) {
                           const auto* read = static_cast<const rtmsg*>(NLMSG_DATA(&m));
                           if (read->rtm_family != AF_INET || read->rtm_type != RTN_UNICAST) return;
                           Route route;
                           route.to.length = read->rtm_dst_len;
                           for_attributes<rtmsg>(m, [&](const rtattr& a) {
                             if (a.rta_type == RTA_DST)
                               route.to.address = ntohl(read_as<std::uint32_t>(&a));
                             if (a.rta_type == RTA_OIF) route.index = read_as<int>(&a);
                           });
                           call(route);
                         });
  }

  // The address with the length of its subnet, loopback's left out.
  Result<void> each_address(const std::function<void(int index, Prefix)>& call) {
    TRY(Netlink * netlink, session());
    ifaddrmsg header{};
    header.ifa_family = AF_INET;
    return netlink->dump(NetlinkRequest(RTM_GETADDR, NLM_F_DUMP, header), "list addresses",
                         [&](const nlmsghdr& m) {
                           const auto* read = static_cast<const ifaddrmsg*>(NLMSG_DATA(&m));
                           Prefix address{0, read->ifa_prefixlen};
                           for_attributes<ifaddrmsg>(m, [&](const rtattr& a) {
                             if (a.rta_type == IFA_LOCAL)
                               address.address = ntohl(read_as<std::uint32_t>(&a));
                           });
                           if (address.address >> 24 != 127)
                             call(static_cast<int>(read->ifa_index), address);
                         });
  }

  std::optional<Netlink> netlink_;
};

}  // namespace

std::unique_ptr<Links> make_linux_links() {
  return std::make_unique<LinuxLinks>();
}

}  // namespace keelson::host
