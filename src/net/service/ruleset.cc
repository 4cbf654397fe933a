// The names of chains follow from the service's namespace and name, shortened and with a hash, so
// that the same service has the same chain in every engine process.
#include "net/service/ruleset.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "base/prng.h"
#include "base/text.h"

namespace keelson::net {
namespace {

constexpr std::size_t kNameBytesMax = 40;  // before the hash; nftables allows 128

std::string hex(std::uint64_t number) {
  char text[20];
  std::snprintf(text, sizeof text, "%08x",
                static_cast<unsigned>((number ^ number >> 32) & 0xffffffff));
  return text;
}

std::string chain_name(const Service& service, const ServicePort& port) {
  const std::string whole = service.key.namespace_ + "/" + service.key.name + ":" + port.name +
                            "/" + port.protocol + "/" + std::to_string(port.port);
  std::string name = (service.key.namespace_ + "_" + service.key.name).substr(0, kNameBytesMax);
  for (char& c : name)
    if (c == '-' || c == '.') c = '_';
  return "s_" + name + "_" + hex(hash64(whole));
}

std::string place(const Target& target) {
  return address_text(target.address) + ":" + std::to_string(target.port);
}

class Builder {
 public:
  Builder(const Directory& directory, const RulesetOptions& options)
      : directory_(directory), options_(options) {}

  Ruleset build() {
    add_frame();
    for (const auto& [key, service] : directory_.services())
      if (service.exists()) add_service(service);
    const std::string dns = address_text(options_.plan.dns_address());
    for (const std::string protocol : {"udp", "tcp"}) {
      const std::string chain = "dns_" + protocol;
      out_.chains[chain] = {"meta l4proto " + protocol + " dnat to " +
                            address_text(options_.plan.gateway()) + ":" +
                            std::to_string(options_.dns_port)};
      out_.elements["services"][dns + " . " + protocol + " . 53"] = "goto " + chain;
    }
    if (options_.api_port != 0) {
      out_.chains["api"] = {"meta l4proto tcp dnat to " + address_text(options_.api_address) + ":" +
                            std::to_string(options_.api_port)};
      out_.elements["services"][address_text(api_service()) + " . tcp . 443"] = "goto api";
      out_.elements["services"][address_text(options_.plan.gateway()) + " . tcp . " +
                                std::to_string(options_.api_port)] = "goto api";
    }
    return std::move(out_);
  }

 private:
  std::uint32_t api_service() const { return options_.plan.services.address + 1; }

  // What does not depend on Services.
  void add_frame() {
    const std::string& bridge = options_.plan.bridge;
    const std::string services = prefix_text(options_.plan.services);
    const std::string pods = prefix_text(options_.plan.pods);
    out_.collections["map services"] = "type ipv4_addr . inet_proto . inet_service : verdict;";
    out_.collections["map node_ports"] = "type inet_proto . inet_service : verdict;";
    out_.collections["set hairpin"] = "type ipv4_addr . ipv4_addr;";
    out_.elements["services"], out_.elements["node_ports"], out_.elements["hairpin"];
    const std::vector<std::string> look_up = {
        "ip daddr . meta l4proto . th dport vmap @services",
        "fib daddr type local meta l4proto . th dport vmap @node_ports"};
    std::vector<std::string>& in = out_.chains["nat_prerouting"];
    in = {"type nat hook prerouting priority dstnat; policy accept;"};
    std::vector<std::string>& out = out_.chains["nat_output"];
    out = {"type nat hook output priority -100; policy accept;"};
    // With a service range that two engines share, only what comes from our pods is surely ours.
    const std::string own = options_.plan.services_shared ? "iifname \"" + bridge + "\" " : "";
    in.push_back(own + look_up[0]);
    in.push_back(look_up[1]);
    if (!options_.plan.services_shared) out.push_back(look_up[0]);
    out.push_back(look_up[1]);
    out_.chains["nat_postrouting"] = {
        "type nat hook postrouting priority srcnat; policy accept;",
        // A pod that reaches itself through a service must see the answer come back the same way.
        "ip saddr . ip daddr @hairpin masquerade",
        "oifname \"" + bridge + "\" ip saddr 127.0.0.0/8 masquerade",
        "ip saddr " + pods + " oifname != { \"" + bridge + "\", \"lo\" } masquerade"};
    // The host's loopback is open to what a service turns there, and to nothing else of pods.
    out_.chains["guard"] = {"type filter hook prerouting priority raw; policy accept;",
                            "iifname \"" + bridge + "\" ip daddr 127.0.0.0/8 drop"};
    // What is still addressed to a service here has no endpoint.
    const std::vector<std::string> refuse = {
        "ip daddr " + services + " meta l4proto tcp reject with tcp reset",
        "ip daddr " + services + " reject with icmp type port-unreachable"};
    out_.chains["filter_forward"] = {"type filter hook forward priority filter; policy accept;",
                                     "iifname \"" + bridge + "\" " + refuse[0],
                                     "iifname \"" + bridge + "\" " + refuse[1],
                                     // From outside, pods are reached through services only.
                                     "oifname \"" + bridge + "\" iifname != \"" + bridge +
                                         "\" ct state new ct status ! dnat drop"};
    out_.chains["filter_output"] = {
        "type filter hook output priority filter; policy accept;",
        // All pods share the bridge, and must not be told to talk past it.
        "oifname \"" + bridge + "\" icmp type redirect drop"};
    if (!options_.plan.services_shared)
      out_.chains["filter_output"].insert(out_.chains["filter_output"].end(), refuse.begin(),
                                          refuse.end());
  }

  void add_service(const Service& service) {
    std::set<std::uint32_t> addresses;
    if (const std::uint32_t cluster = service.address(); cluster != 0) addresses.insert(cluster);
    for (const Value& external : service.object["spec"]["externalIPs"].elements())
      if (const auto address = parse_address(external.as_string())) addresses.insert(*address);
    if (const auto at = options_.balancers.find(service.key); at != options_.balancers.end())
      addresses.insert(at->second);
    if (addresses.empty()) return;
    for (const ServicePort& port : service.ports()) {
      if (port.protocol != "TCP" && port.protocol != "UDP") continue;
      if (addresses.count(options_.plan.dns_address()) > 0 && port.port == 53) continue;
      if (options_.api_port != 0 && addresses.count(api_service()) > 0 && port.port == 443)
        continue;
      add_port(service, port, addresses);
    }
  }

  void add_port(const Service& service, const ServicePort& port,
                const std::set<std::uint32_t>& addresses) {
    const std::vector<Target> targets = service.targets(port);
    if (targets.empty()) return;
    const std::string protocol = to_lower(port.protocol);
    const std::string chain = chain_name(service, port);
    if (service.object["spec"]["sessionAffinity"].as_string() == "ClientIP")
      add_sticky_chain(service, protocol, chain, targets);
    else
      add_chain(protocol, chain, targets);
    for (const std::uint32_t address : addresses)
      out_.elements["services"][address_text(address) + " . " + protocol + " . " +
                                std::to_string(port.port)] = "goto " + chain;
    if (port.node_port != 0 && service.type() != "ClusterIP")
      out_.elements["node_ports"][protocol + " . " + std::to_string(port.node_port)] =
          "goto " + chain;
    for (const Target& target : targets) {
      const std::string address = address_text(target.address);
      if (contains(options_.plan.pods, target.address))
        out_.elements["hairpin"][address + " . " + address] = "";
    }
  }

  void add_chain(const std::string& protocol, const std::string& chain,
                 const std::vector<Target>& targets) {
    std::string rule = "meta l4proto " + protocol + " dnat to ";
    if (targets.size() == 1) {
      rule += place(targets[0]);
    } else {
      rule += "numgen random mod " + std::to_string(targets.size()) + " map { ";
      for (std::size_t i = 0; i < targets.size(); ++i)
        rule += (i > 0 ? ", " : "") + std::to_string(i) + " : " + address_text(targets[i].address) +
                " . " + std::to_string(targets[i].port);
      rule += " }";
    }
    out_.chains[chain] = {rule};
  }

  // Each endpoint remembers its clients until they stay away for the timeout.
  void add_sticky_chain(const Service& service, const std::string& protocol,
                        const std::string& chain, const std::vector<Target>& targets) {
    const std::int64_t seconds =
        service.object.at("spec.sessionAffinityConfig.clientIP.timeoutSeconds").as_int(10800);
    std::vector<std::string> lines;
    std::string choice = "numgen random mod " + std::to_string(targets.size()) + " vmap { ";
    for (std::size_t i = 0; i < targets.size(); ++i) {
      // The name says all that the set is made with: a set is never changed.
      const std::string one =
          chain + "_" + hex(hash64(place(targets[i]) + "/" + std::to_string(seconds)));
      out_.collections["set a" + one] =
          "type ipv4_addr; flags dynamic,timeout; timeout " + std::to_string(seconds) + "s;";
      lines.push_back("ip saddr @a" + one + " goto " + one);
      choice += (i > 0 ? ", " : "") + std::to_string(i) + " : goto " + one;
      out_.chains[one] = {"update @a" + one + " { ip saddr }",
                          "meta l4proto " + protocol + " dnat to " + place(targets[i])};
    }
    lines.push_back(choice + " }");
    out_.chains[chain] = std::move(lines);
  }

  const Directory& directory_;
  const RulesetOptions& options_;
  Ruleset out_;
};

bool is_base(const std::vector<std::string>& lines) {
  return !lines.empty() && lines[0].starts_with("type ");
}

std::string element_list(const std::map<std::string, std::string>& elements) {
  std::string out;
  for (const auto& [key, value] : elements) {
    if (!out.empty()) out += ", ";
    out += key + (value.empty() ? "" : " : " + value);
  }
  return out;
}

class Script {
 public:
  explicit Script(const std::string& table) : table_("ip " + table + " ") {}
  void line(const std::string& verb, const std::string& what, const std::string& rest = "") {
    text_ += verb + " " + what.substr(0, what.find(' ')) + " " + table_ +
             (what.find(' ') == std::string::npos ? "" : what.substr(what.find(' ') + 1)) + rest +
             "\n";
  }
  void elements(const std::string& verb, const std::string& name,
                const std::map<std::string, std::string>& list) {
    if (!list.empty()) line(verb, "element " + name, " { " + element_list(list) + " }");
  }
  void rules(const std::string& chain, const std::vector<std::string>& lines) {
    for (std::size_t i = is_base(lines) ? 1 : 0; i < lines.size(); ++i)
      line("add", "rule " + chain, " " + lines[i]);
  }
  void chain(const std::string& name, const std::vector<std::string>& lines) {
    line("add", "chain " + name, is_base(lines) ? " { " + lines[0] + " }" : "");
  }
  std::string text_;

 private:
  std::string table_;
};

template <typename Map>
std::map<std::string, std::string> missing_from(const Map& from, const Map& other) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : from) {
    const auto at = other.find(key);
    if (at == other.end() || at->second != value) out[key] = value;
  }
  return out;
}

}  // namespace

Ruleset build_ruleset(const Directory& directory, const RulesetOptions& options) {
  return Builder(directory, options).build();
}

std::string whole_script(const std::string& table, const Ruleset& ruleset) {
  return "add table ip " + table + "\ndelete table ip " + table + "\nadd table ip " + table + "\n" +
         change_script(table, {}, ruleset);
}

// In an order in which nothing refers to what is not there: collections and chains are made, then
// filled; elements go before the chains that they name.
std::string change_script(const std::string& table, const Ruleset& from, const Ruleset& to) {
  Script script(table);
  for (const auto& [what, header] : to.collections)
    if (from.collections.count(what) == 0) script.line("add", what, " { " + header + " }");
  for (const auto& [name, lines] : to.chains)
    if (from.chains.count(name) == 0) script.chain(name, lines);
  for (const auto& [name, lines] : to.chains) {
    const auto old = from.chains.find(name);
    if (old != from.chains.end() && old->second == lines) continue;
    if (old != from.chains.end()) script.line("flush", "chain " + name);
    script.rules(name, lines);
  }
  static const std::map<std::string, std::string> kNone;
  for (const auto& [name, list] : to.elements) {
    const auto old = from.elements.find(name);
    const auto& before = old == from.elements.end() ? kNone : old->second;
    script.elements("delete", name, missing_from(before, list));
    script.elements("add", name, missing_from(list, before));
  }
  std::vector<std::string> gone;
  for (const auto& [name, lines] : from.chains)
    if (to.chains.count(name) == 0) gone.push_back(name);
  for (const std::string& name : gone) script.line("flush", "chain " + name);
  for (const std::string& name : gone) script.line("delete", "chain " + name);
  for (const auto& [what, header] : from.collections)
    if (to.collections.count(what) == 0) script.line("delete", what);
  return std::move(script.text_);
}

std::uint32_t balancer_address(const std::string& bridge, std::uint32_t n) {
  const auto number =
      parse_int(std::string_view(bridge).substr(std::min<std::size_t>(3, bridge.size())));
  return 127u << 24 | (96 + static_cast<std::uint32_t>(number.value_or(0) & 63)) << 16 |
         (n & 0xffff);
}

}  // namespace keelson::net
