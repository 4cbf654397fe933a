// Pods take a /20 of 10.244.0.0/14, Services a /16 of 10.96.0.0/12; the bridge of the lowest free
// number is ours. Two engines that start at once both try to make the same bridge, and the kernel
// lets one of them.
#include "net/address_plan.h"

#include <algorithm>

#include "codec/json.h"

namespace keelson::net {
namespace {

using codec::Value;

constexpr int kEnginesMax = 64;
constexpr std::string_view kBridgePrefix = "kls";

bool is_free(const std::vector<Prefix>& used, Prefix wanted) {
  return std::none_of(used.begin(), used.end(), [&](Prefix p) { return overlap(p, wanted); });
}

// Where the bits of a range stand that tell candidates apart.
std::optional<Prefix> choose(const std::vector<Prefix>& used, Prefix whole, int length,
                             int number) {
  const int count = 1 << (length - whole.length);
  for (int tried = 0; tried < count; ++tried) {
    const auto at = static_cast<std::uint32_t>((number + tried) % count);
    const Prefix wanted{whole.address + (at << (32 - length)), length};
    if (is_free(used, wanted)) return wanted;
  }
  return std::nullopt;
}

struct Wanted {
  std::optional<Prefix> pods, services;  // given or kept
  bool services_kept = false;
};

Result<std::optional<Prefix>> given(const std::string& text, std::string_view option) {
  if (text.empty()) return std::optional<Prefix>();
  const auto prefix = parse_prefix(text);
  if (!prefix || prefix->length > 28)
    return Error{Reason::bad_request,
                 std::string(option) + " \"" + text + "\": write an IPv4 range, as 10.96.0.0/16"};
  return prefix;
}

Result<void> make_bridge(host::Links& links, AddressPlan& plan, const Wanted& wanted,
                         const std::string& alias) {
  TRY(const std::vector<host::Link> present, links.links());
  TRY(const host::Link uplink, links.uplink());
  for (int number = 0; number < kEnginesMax; ++number) {
    const std::string name = std::string(kBridgePrefix) + std::to_string(number);
    if (std::any_of(present.begin(), present.end(),
                    [&](const host::Link& link) { return link.name == name; }))
      continue;
    TRY(const std::vector<Prefix> used, links.prefixes_in_use());
    const auto pods =
        wanted.pods && is_free(used, *wanted.pods) ? wanted.pods : choose_pod_range(used, number);
    const auto services = wanted.services ? wanted.services : choose_service_range(used, number);
    if (!pods || !services)
      return Error{Reason::internal_error, "pod network: no range of addresses is free"};
    auto made = links.add_bridge(name, alias, uplink.mtu);
    if (!made.ok() && made.error().reason == Reason::already_exists) continue;
    if (!made.ok()) return made;
    plan.bridge = name;
    plan.pods = *pods;
    plan.services = *services;
    plan.services_shared = !is_free(used, *services);
    return {};
  }
  return Error{Reason::internal_error, "pod network: no bridge name is free"};
}

Result<void> configure_bridge(host::Links& links, AddressPlan& plan) {
  TRY_VOID(links.add_address(plan.bridge, {plan.gateway(), plan.pods.length}));
  if (!plan.services_shared) {
    auto routed = links.add_route(plan.bridge, plan.services, plan.gateway());
    if (!routed.ok()) return routed;
  }
  // Packets of pods are forwarded, and may be turned to a listener on this host's loopback.
  for (const std::string name : {"forwarding", "route_localnet"})
    if (auto on = links.switch_on(plan.bridge, name); !on.ok())
      plan.losses.push_back("pods do not reach services: " + on.error().message);
  TRY(const host::Link uplink, links.uplink());
  if (!uplink.name.empty())
    if (auto on = links.switch_on(uplink.name, "forwarding"); !on.ok())
      plan.losses.push_back("pods do not reach the outside: " + on.error().message);
  return {};
}

// A bridge of this data directory that is still there.
Result<std::string> find_bridge(host::Links& links, const std::string& alias) {
  TRY(const std::vector<host::Link> present, links.links());
  for (const host::Link& link : present)
    if (link.alias == alias && link.name.starts_with(kBridgePrefix)) return link.name;
  return std::string();
}

Result<void> claim(host::Links& links, AddressPlan& plan, const Wanted& wanted,
                   const std::string& alias) {
  TRY_VOID(links.usable());
  TRY(const std::string there, find_bridge(links, alias));
  if (!there.empty() && wanted.pods && wanted.services) {
    plan.bridge = there;
    plan.adopted = true;
  } else {
    // Without its ranges a bridge tells nothing: its data directory was removed.
    if (!there.empty()) TRY_VOID(links.remove_link(there));
    TRY_VOID(make_bridge(links, plan, wanted, alias));
  }
  auto configured = configure_bridge(links, plan);
  if (!configured.ok()) {
    if (!plan.adopted) (void)links.remove_link(plan.bridge);
    plan.bridge.clear();
  }
  return configured;
}

}  // namespace

std::optional<Prefix> choose_pod_range(const std::vector<Prefix>& used, int number) {
  return choose(used, kPodSpace, 20, number);
}

std::optional<Prefix> choose_service_range(const std::vector<Prefix>& used, int number) {
  return choose(used, kServiceSpace, 16, number);
}

Result<codec::Value> read_state(host::Files& files, const std::string& path) {
  if (!files.exists(path)) return codec::Value();
  TRY(const std::unique_ptr<host::File> file, files.open(path, false));
  TRY(const std::string text, file->read(0, file->size()));
  auto value = codec::parse_json(text);
  if (!value.ok()) return Error{Reason::internal_error, path + ": " + value.error().message};
  return value;
}

Result<void> write_state(host::Files& files, const std::string& path, const codec::Value& state) {
  const std::string fresh = path + ".new";
  if (files.exists(fresh)) TRY_VOID(files.remove(fresh));
  {
    TRY(const std::unique_ptr<host::File> file, files.open(fresh, true));
    TRY_VOID(file->append(codec::to_json_indented(state) + "\n"));
    TRY_VOID(file->sync());
  }
  return files.rename(fresh, path);
}

Result<AddressPlan> claim_addresses(host::Links& links, host::Files& files,
                                    const AddressPlanOptions& options) {
  const std::string path = options.directory + "/network.json";
  TRY(const Value kept, read_state(files, path));
  AddressPlan plan;
  Wanted wanted;
  TRY(wanted.pods, given(options.pod_range, "pod range"));
  TRY(wanted.services, given(options.service_range, "service range"));
  if (!wanted.pods) wanted.pods = parse_prefix(kept["pods"].as_string());
  if (const auto services = parse_prefix(kept["services"].as_string())) {
    if (wanted.services && *wanted.services != *services)
      return Error{Reason::bad_request, "the service range of this engine is " +
                                            prefix_text(*services) + " and cannot change"};
    wanted.services = services;
  }
  if (wanted.pods) plan.pods = *wanted.pods;
  if (wanted.services) plan.services = *wanted.services;
  plan.services_shared = kept["servicesShared"].as_bool();
  if (options.enabled) {
    if (auto claimed = claim(links, plan, wanted, "keelson " + options.directory); !claimed.ok())
      plan.losses.push_back(
          "pods have no network of their own, services and ingresses reach none of them: " +
          claimed.error().message);
  }
  if (plan.services_shared)
    plan.losses.push_back("the service range " + prefix_text(plan.services) +
                          " is in use on this host: service addresses work in pods only");
  Value state = kept.is_object() ? kept : Value::object();
  state.set("bridge", plan.bridge);
  state.set("pods", prefix_text(plan.pods));
  state.set("services", prefix_text(plan.services));
  state.set("servicesShared", plan.services_shared);
  if (!(state == kept)) TRY_VOID(write_state(files, path, state));
  return plan;
}

AddressPlan claimed_addresses(host::Links& links, host::Files& files,
                              const std::string& directory) {
  AddressPlan plan;
  const auto there = find_bridge(links, "keelson " + directory);
  if (!there.ok() || there->empty()) return plan;
  plan.bridge = *there;
  plan.adopted = true;
  const auto kept = read_state(files, directory + "/network.json");
  if (!kept.ok()) return plan;
  plan.pods = parse_prefix((*kept)["pods"].as_string()).value_or(plan.pods);
  plan.services = parse_prefix((*kept)["services"].as_string()).value_or(plan.services);
  return plan;
}

void release_addresses(host::Links& links, const AddressPlan& plan) {
  if (plan.live()) (void)links.remove_link(plan.bridge);
}

}  // namespace keelson::net
