#include "registry/service_addresses.h"

#include <algorithm>

#include "base/text.h"
#include "model/meta.h"
#include "model/scheme.h"
#include "registry/errors.h"

namespace keelson::registry {

using codec::Value;

namespace {

bool is_external_name(const Value& spec) {
  return spec["type"].as_string() == "ExternalName";
}
bool is_headless(const Value& spec) {
  return spec["clusterIP"].as_string() == "None" || spec["clusterIPs"][0].as_string() == "None";
}
bool wants_node_ports(const Value& spec) {
  const std::string_view type = spec["type"].as_string();
  return type == "NodePort" ||
         (type == "LoadBalancer" && spec["allocateLoadBalancerNodePorts"].as_bool(true));
}
bool may_have_node_ports(const Value& spec) {
  const std::string_view type = spec["type"].as_string();
  return type == "NodePort" || type == "LoadBalancer";
}
bool wants_health_port(const Value& spec) {
  return spec["type"].as_string() == "LoadBalancer" &&
         spec["externalTrafficPolicy"].as_string() == "Local";
}

// Each port once: two protocols may share one.
std::set<int> ports_of(const Value& service) {
  std::set<int> out;
  const Value& spec = service["spec"];
  for (const Value& port : spec["ports"].elements())
    if (port["nodePort"].as_int() > 0) out.insert(static_cast<int>(port["nodePort"].as_int()));
  if (spec["healthCheckNodePort"].as_int() > 0)
    out.insert(static_cast<int>(spec["healthCheckNodePort"].as_int()));
  return out;
}

template <typename K>
void release(std::map<K, int>& counts, const K& key) {
  const auto found = counts.find(key);
  if (found != counts.end() && --found->second == 0) counts.erase(found);
}

void erase_if_same(Value& spec, const Value& old, std::string_view key) {
  if (spec[key] == old[key]) spec.erase(key);
}

// Old clients know only clusterIP, new ones both; what the client meant is made of what it changed.
void normalise_addresses(Value& spec, const Value& old) {
  const std::string now = spec["clusterIP"].str(), before = old["clusterIP"].str();
  if (old.is_null()) {
    if (!now.empty() && spec["clusterIPs"].empty())
      spec.set("clusterIPs", Value::array({Value(now)}));
    return;
  }
  if (!old["clusterIPs"].empty() && spec["clusterIPs"].empty() && now == before)
    spec.set("clusterIPs", old["clusterIPs"]);
  if (now == before || !(spec["clusterIPs"] == old["clusterIPs"])) return;
  if (!before.empty() && now.empty())
    spec.erase("clusterIPs");
  else
    spec.set("clusterIPs", Value::array({Value(now)}));
}

// What was allocated and the client left out.
void keep_allocated(Value& spec, const Value& old) {
  if (!is_external_name(spec) && !is_external_name(old)) {
    if (spec["clusterIP"].as_string().empty() && old.has("clusterIP"))
      spec.set("clusterIP", old["clusterIP"]);
    if (spec["clusterIPs"].empty() && !old["clusterIPs"].empty())
      spec.set("clusterIPs", old["clusterIPs"]);
  }
  if (wants_node_ports(spec) && wants_node_ports(old)) {
    std::map<std::string, std::int64_t> known;
    for (const Value& port : old["ports"].elements())
      known[port["name"].str()] = port["nodePort"].as_int();
    std::set<std::int64_t> used;
    for (const Value& port : spec["ports"].elements()) used.insert(port["nodePort"].as_int());
    for (std::size_t i = 0; i < spec["ports"].size(); ++i) {
      if (spec["ports"][i]["nodePort"].as_int() != 0) continue;
      const auto found = known.find(spec["ports"][i]["name"].str());
      if (found != known.end() && found->second != 0 && !used.contains(found->second))
        spec.edit("ports").edit(i).set("nodePort", found->second);
    }
  }
  if (wants_health_port(spec) && wants_health_port(old) &&
      spec["healthCheckNodePort"].as_int() == 0 && old.has("healthCheckNodePort"))
    spec.set("healthCheckNodePort", old["healthCheckNodePort"]);
}

// A change of type takes along what the new type has no use for, unless the client touched it.
void drop_unused_fields(Value& spec, const Value& old) {
  if (!is_external_name(old) && is_external_name(spec)) {
    if (spec["clusterIPs"] == old["clusterIPs"]) {
      spec.erase("clusterIP");
      spec.erase("clusterIPs");
    }
    erase_if_same(spec, old, "ipFamilies");
    erase_if_same(spec, old, "ipFamilyPolicy");
    erase_if_same(spec, old, "internalTrafficPolicy");
  }
  if (may_have_node_ports(old) && !may_have_node_ports(spec)) {
    bool same = spec["ports"].size() == old["ports"].size();
    std::set<std::int64_t> before, after;
    for (const Value& port : old["ports"].elements()) before.insert(port["nodePort"].as_int());
    for (const Value& port : spec["ports"].elements()) after.insert(port["nodePort"].as_int());
    same = same && before == after;
    for (std::size_t i = 0; same && i < spec["ports"].size(); ++i)
      spec.edit("ports").edit(i).erase("nodePort");
  }
  if (wants_health_port(old) && !wants_health_port(spec))
    erase_if_same(spec, old, "healthCheckNodePort");
  const bool was_balancer = old["type"].as_string() == "LoadBalancer";
  if (was_balancer && spec["type"].as_string() != "LoadBalancer") {
    erase_if_same(spec, old, "allocateLoadBalancerNodePorts");
    erase_if_same(spec, old, "loadBalancerClass");
  }
  const auto reachable = [](const Value& s) {
    return may_have_node_ports(s) ||
           (s["type"].as_string() == "ClusterIP" && !s["externalIPs"].empty());
  };
  if (reachable(old) && !reachable(spec)) erase_if_same(spec, old, "externalTrafficPolicy");
}

// --- families; this cluster has IPv4 alone ---

bool is_open(const Value& spec) {
  return spec["clusterIP"].as_string() == "None" && spec["selector"].empty();
}

// A service may lose its second address or family only by saying so.
void release_second(Value& spec, const Value& old, std::vector<Cause>& causes) {
  const std::string policy = spec["ipFamilyPolicy"].str();
  constexpr std::pair<const char*, const char*> kLists[] = {{"clusterIPs", "secondary cluster IP"},
                                                            {"ipFamilies", "secondary IP family"}};
  for (const auto& [list, what] : kLists) {
    if (policy == "SingleStack") {
      if (spec[list] == old[list] && spec[list].size() > 1)
        spec.set(list, Value::array({spec[list][0]}));
    } else if (old[list].size() > spec[list].size() && !spec[list].empty()) {
      causes.push_back(cause_invalid("spec.ipFamilyPolicy", Value(policy),
                                     std::string("must be 'SingleStack' to release the ") + what));
    }
  }
}

void check_policy(const Value& spec, std::vector<Cause>& causes) {
  if (spec["ipFamilyPolicy"].as_string() != "SingleStack") return;
  const auto refuse = [&](std::string_view what) {
    causes.push_back(
        cause_invalid("spec.ipFamilyPolicy", spec["ipFamilyPolicy"],
                      "must be 'RequireDualStack' or 'PreferDualStack' when multiple " +
                          std::string(what) + " are specified"));
  };
  if (spec["clusterIPs"].size() == 2) refuse("cluster IPs");
  if (spec["ipFamilies"].size() == 2) refuse("IP families");
}

void infer_families(Value& spec, std::vector<Cause>& causes) {
  for (std::size_t i = 0; i < spec["clusterIPs"].size(); ++i) {
    const std::string_view address = spec["clusterIPs"][i].as_string();
    if (address == "None") return;
    if (i < spec["ipFamilies"].size()) continue;
    if (address.find(':') != std::string_view::npos)
      causes.push_back(cause_invalid("spec.clusterIPs[" + std::to_string(i) + "]",
                                     spec["clusterIPs"], "IPv6 is not configured on this cluster"));
    else
      spec.edit("ipFamilies").push_back("IPv4");
  }
}

// What nobody selects pods for may name families that the cluster does not have.
void complete_open_families(Value& spec) {
  if (spec["ipFamilies"].empty()) spec.edit("ipFamilies").push_back("IPv4");
  if (spec["ipFamilies"].size() < 2 && spec["ipFamilyPolicy"].as_string() != "SingleStack")
    spec.edit("ipFamilies")
        .push_back(spec["ipFamilies"][0].as_string() == "IPv4" ? "IPv6" : "IPv4");
}

void complete_families(Value& service, const Value& old, std::vector<Cause>& causes) {
  Value& spec = service.edit("spec");
  if (is_external_name(spec)) return;
  if (!spec.has("ipFamilyPolicy")) {
    if (old.has("ipFamilyPolicy"))
      spec.set("ipFamilyPolicy", old["ipFamilyPolicy"]);
    else
      spec.set("ipFamilyPolicy", is_open(spec) ? "RequireDualStack" : "SingleStack");
  }
  const model::FieldErrors errors = model::validate_service_addresses(service);
  if (!errors.empty()) {
    causes = errors.to_error("", "Service", model::name_of(service)).causes;
    return;
  }
  if (!old.is_null()) release_second(spec, old, causes);
  check_policy(spec, causes);
  infer_families(spec, causes);
  if (!causes.empty()) return;
  if (is_open(spec)) {
    complete_open_families(spec);
    return;
  }
  if (spec["ipFamilyPolicy"].as_string() == "RequireDualStack")
    causes.push_back(cause_invalid("spec.ipFamilyPolicy", spec["ipFamilyPolicy"],
                                   "this cluster is not configured for dual-stack services"));
  for (std::size_t i = 0; i < spec["ipFamilies"].size(); ++i)
    if (spec["ipFamilies"][i].as_string() != "IPv4")
      causes.push_back(cause_invalid("spec.ipFamilies[" + std::to_string(i) + "]",
                                     spec["ipFamilies"][i], "not configured on this cluster"));
  if (spec["ipFamilies"].empty() && causes.empty()) spec.edit("ipFamilies").push_back("IPv4");
}

}  // namespace

std::vector<std::string> service_addresses(const Value& service) {
  std::vector<std::string> out;
  const Value& spec = service["spec"];
  if (spec.is_null() || is_external_name(spec) || is_headless(spec)) return out;
  for (const Value& one : spec["clusterIPs"].elements())
    if (!one.as_string().empty()) out.push_back(one.str());
  return out;
}

ServiceAddresses::ServiceAddresses(std::string_view range, int port_first, int port_last)
    : ranges_(range), port_first_(port_first), port_last_(port_last) {}

void ServiceAddresses::observe_address(const Value& before, const Value& after) {
  if (after.is_null())
    reserved_.erase(std::string(model::name_of(before)));
  else
    reserved_.insert(std::string(model::name_of(after)));
}

void ServiceAddresses::observe(const Value& before, const Value& after) {
  for (const std::string& one : service_addresses(before)) release(addresses_, one);
  for (int one : ports_of(before)) release(ports_, one);
  for (const std::string& one : service_addresses(after)) ++addresses_[one];
  for (int one : ports_of(after)) ++ports_[one];
}

namespace {

// What is left to do is up to the administrator, so the original calls it an internal error.
Error range_is_full(const std::string& what) {
  const std::string text = "failed to allocate a " + what + ": range is full";
  return {.reason = Reason::internal_error,
          .message = "Internal error occurred: " + text,
          .causes = {Cause{"", "", text}}};
}

}  // namespace

int ServiceAddresses::allocate_port(Prng& rng, const std::set<int>& now_taken) const {
  const int count = port_last_ - port_first_ + 1;
  const int reserved = std::min(std::max(16, count / 32), 128);
  const auto scan = [&](int first, int size) {
    const int start = static_cast<int>(rng.below(static_cast<std::uint64_t>(size)));
    for (int i = 0; i < size; ++i) {
      const int port = first + (start + i) % size;
      if (!ports_.contains(port) && !now_taken.contains(port)) return port;
    }
    return 0;
  };
  if (count <= reserved) return scan(port_first_, count);
  const int port = scan(port_first_ + reserved, count - reserved);
  return port ? port : scan(port_first_, reserved);
}

Result<void> ServiceAddresses::complete_addresses(Value& spec, const Value& old, bool dry,
                                                  Prng& rng, std::vector<Cause>& causes) const {
  if (is_external_name(spec) || is_headless(spec)) return {};
  if (!old.is_null() && !is_external_name(old) && !old["clusterIPs"].empty()) return {};
  const std::string wanted = spec["clusterIPs"][0].str();
  if (!wanted.empty()) {
    if (!parse_address(wanted)) return {};
    std::string why;
    if (!ranges_.contains(wanted))
      why = dry ? "the provided IP (" + wanted +
                      ") is not in the valid range. The range of valid IPs is " + ranges_.own()
                : "the provided network does not match the current range";
    else if (!dry && is_taken(wanted))
      why = "provided IP is already allocated";
    if (!why.empty())
      causes.push_back(cause_invalid("spec.clusterIPs", spec["clusterIPs"],
                                     "failed to allocate IP " + wanted + ": " + why));
    return {};
  }
  const std::string address =
      ranges_.choose(rng, [this](const std::string& one) { return is_taken(one); });
  if (address.empty()) return range_is_full("serviceIP");
  spec.set("clusterIP", address);
  spec.set("clusterIPs", Value::array({Value(address)}));
  return {};
}

std::string ServiceAddresses::port_problem(int port) const {
  if (port < port_first_ || port > port_last_)
    return "provided port is not in the valid range. The range of valid ports is " +
           std::to_string(port_first_) + "-" + std::to_string(port_last_);
  return ports_.contains(port) ? "provided port is already allocated" : "";
}

Result<void> ServiceAddresses::complete_ports(Value& service, const Value& old, bool dry, Prng& rng,
                                              std::vector<Cause>& causes) const {
  const std::set<int> before = ports_of(old);
  std::set<int> taken;
  Value& spec = service.edit("spec");
  if (may_have_node_ports(spec)) {
    std::map<std::int64_t, int> by_port;  // two protocols of one port share a node port
    std::map<int, std::set<std::string_view>> protocols;
    for (const Value& port : spec["ports"].elements())
      if (port["nodePort"].as_int() > 0)
        by_port.emplace(port["port"].as_int(), static_cast<int>(port["nodePort"].as_int()));
    for (std::size_t i = 0; i < spec["ports"].size(); ++i) {
      const Value port = spec["ports"][i];
      int number = static_cast<int>(port["nodePort"].as_int());
      if (number != 0) {
        const std::string field = "spec.ports[" + std::to_string(i) + "].nodePort";
        // Of one service too, only another protocol may use a port again.
        const bool again = !protocols[number].insert(port["protocol"].as_string()).second;
        std::string why;
        if (again && old.is_null())
          why = "provided port is already allocated";
        else if (!dry && !before.contains(number) && !taken.contains(number))
          why = port_problem(number);
        if (!why.empty()) causes.push_back(cause_invalid(field, Value(number), why));
      } else if (wants_node_ports(spec)) {
        const auto shared = by_port.find(port["port"].as_int());
        number =
            shared != by_port.end() && old.is_null() ? shared->second : allocate_port(rng, taken);
        if (number == 0) return range_is_full("nodePort");
        spec.edit("ports").edit(i).set("nodePort", number);
        by_port.emplace(port["port"].as_int(), number);
      }
      taken.insert(number);
    }
  }
  if (!causes.empty() || !wants_health_port(spec) || wants_health_port(old["spec"])) return {};
  const int number = static_cast<int>(spec["healthCheckNodePort"].as_int());
  if (number == 0) {
    const int chosen = allocate_port(rng, taken);
    if (chosen == 0) return range_is_full("HealthCheck NodePort");
    spec.set("healthCheckNodePort", chosen);
    return {};
  }
  const std::string why = dry ? "" : port_problem(number);
  if (why.empty()) return {};
  const std::string text =
      "failed to allocate requested HealthCheck NodePort " + std::to_string(number) + ": " + why;
  return Error{.reason = Reason::internal_error,
               .message = "Internal error occurred: " + text,
               .causes = {Cause{"", "", text}}};
}

Result<void> ServiceAddresses::complete(Value& service, const Value& old, bool dry, Prng& rng) {
  std::vector<Cause> causes;
  Value& spec = service.edit("spec");
  const Value& old_spec = old["spec"];
  if (!old.is_null()) keep_allocated(spec, old_spec);
  normalise_addresses(spec, old_spec);
  complete_families(service, old_spec, causes);
  if (causes.empty())
    TRY_VOID(complete_addresses(service.edit("spec"), old_spec, dry, rng, causes));
  if (causes.empty()) {
    TRY_VOID(complete_ports(service, old, dry, rng, causes));
  }
  if (causes.empty()) return {};
  return invalid({"", "Service"}, model::name_of(service), std::move(causes));
}

void ServiceAddresses::drop_unused(Value& service, const Value& old) {
  drop_unused_fields(service.edit("spec"), old["spec"]);
  if (service["spec"]["type"].as_string() != "LoadBalancer" &&
      service["status"].has("loadBalancer"))
    service.edit("status").set("loadBalancer", Value::object());
}

}  // namespace keelson::registry
