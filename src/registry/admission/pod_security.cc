// The Pod Security Standards. One check is one small function that says what a pod does that its
// level forbids; the checks of a level are listed in the order of their reports.
#include "registry/admission/pod_security.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "model/meta.h"

namespace keelson::registry::admission {

namespace {

using codec::Value;
using Finding = PodFinding;

struct Subject {
  const Value& meta;
  const Value& spec;
  int version;
};

using Names = std::vector<std::string>;

std::string quoted_list(const Names& names) {
  std::vector<std::string> parts;
  for (const std::string& name : names) parts.push_back(quote(name));
  return join(parts, ", ");
}
std::string containers_text(const Names& names) {
  return (names.size() == 1 ? "container " : "containers ") + quoted_list(names);
}

// Init containers first, then the others, as the original visits them.
std::vector<Value> containers_of(const Value& spec) {
  std::vector<Value> out;
  for (const char* list : {"initContainers", "containers", "ephemeralContainers"})
    for (const Value& one : spec[list].elements()) out.push_back(one);
  return out;
}

template <typename Predicate>
Names containers_where(const Value& spec, Predicate predicate) {
  Names out;
  for (const Value& one : containers_of(spec))
    if (predicate(one)) out.push_back(one["name"].str());
  return out;
}

bool is_windows(const Subject& pod) {
  return pod.version >= 25 && pod.spec["os"]["name"].as_string() == "windows";
}

// --- baseline ---

Finding host_namespaces(const Subject& pod) {
  Names used;
  for (const char* field : {"hostNetwork", "hostPID", "hostIPC"})
    if (pod.spec[field].as_bool()) used.push_back(std::string(field) + "=true");
  return used.empty() ? Finding{} : Finding{"host namespaces", join(used, ", ")};
}

Finding host_path_volumes(const Subject& pod) {
  Names names;
  for (const Value& volume : pod.spec["volumes"].elements())
    if (volume.has("hostPath")) names.push_back(volume["name"].str());
  if (names.empty()) return {};
  return {"hostPath volumes", (names.size() == 1 ? "volume " : "volumes ") + quoted_list(names)};
}

Finding host_ports(const Subject& pod) {
  std::set<std::string> ports;
  const Names names = containers_where(pod.spec, [&](const Value& container) {
    bool uses = false;
    for (const Value& port : container["ports"].elements())
      if (port["hostPort"].as_int() != 0) {
        ports.insert(std::to_string(port["hostPort"].as_int()));
        uses = true;
      }
    return uses;
  });
  if (names.empty()) return {};
  return {"hostPort", containers_text(names) + (names.size() == 1 ? " uses " : " use ") +
                          (ports.size() == 1 ? "hostPort " : "hostPorts ") +
                          join({ports.begin(), ports.end()}, ", ")};
}

Finding privileged(const Subject& pod) {
  const Names names = containers_where(pod.spec, [](const Value& container) {
    return container["securityContext"]["privileged"].as_bool();
  });
  if (names.empty()) return {};
  return {"privileged", containers_text(names) + " must not set securityContext.privileged=true"};
}

Finding capabilities_baseline(const Subject& pod) {
  static const std::set<std::string_view> allowed = {
      "AUDIT_WRITE",      "CHOWN",   "DAC_OVERRIDE", "FOWNER",  "FSETID", "KILL",      "MKNOD",
      "NET_BIND_SERVICE", "SETFCAP", "SETGID",       "SETPCAP", "SETUID", "SYS_CHROOT"};
  std::set<std::string> extra;
  const Names names = containers_where(pod.spec, [&](const Value& container) {
    bool bad = false;
    for (const Value& one : container["securityContext"]["capabilities"]["add"].elements())
      if (!allowed.contains(one.as_string())) {
        extra.insert(one.str());
        bad = true;
      }
    return bad;
  });
  if (names.empty()) return {};
  return {"non-default capabilities", containers_text(names) + " must not include " +
                                          quoted_list({extra.begin(), extra.end()}) +
                                          " in securityContext.capabilities.add"};
}

Finding proc_mount(const Subject& pod) {
  std::set<std::string> types;
  const Names names = containers_where(pod.spec, [&](const Value& container) {
    const std::string type = container["securityContext"]["procMount"].str();
    if (type.empty() || type == "Default") return false;
    types.insert(type);
    return true;
  });
  if (names.empty()) return {};
  if (pod.version >= 35 && pod.spec["hostUsers"].is_bool() && !pod.spec["hostUsers"].as_bool())
    return {};
  return {"procMount", containers_text(names) + " must not set securityContext.procMount to " +
                           quoted_list({types.begin(), types.end()})};
}

Finding selinux(const Subject& pod) {
  std::set<std::string> kinds, types;
  bool user = false, role = false;
  const auto bad = [&](const Value& context) {
    const Value& options = context["seLinuxOptions"];
    static const std::set<std::string_view> allowed = {"", "container_t", "container_init_t",
                                                       "container_kvm_t"};
    const std::string type = options["type"].str();
    const bool engine = pod.version >= 31 && type == "container_engine_t";
    bool found = false;
    if (!allowed.contains(type) && !engine) {
      types.insert(type);
      found = true;
    }
    if (!options["user"].as_string().empty()) user = found = true;
    if (!options["role"].as_string().empty()) role = found = true;
    return found;
  };
  const bool pod_bad = bad(pod.spec["securityContext"]);
  const Names names = containers_where(
      pod.spec, [&](const Value& container) { return bad(container["securityContext"]); });
  if (!pod_bad && names.empty()) return {};
  Names who, what;
  if (pod_bad) who.emplace_back("pod");
  if (!names.empty()) who.push_back(containers_text(names));
  if (!types.empty())
    what.push_back((types.size() == 1 ? "type " : "types ") +
                   quoted_list({types.begin(), types.end()}));
  if (user) what.emplace_back("user may not be set");
  if (role) what.emplace_back("role may not be set");
  return {"seLinuxOptions", join(who, " and ") + " set forbidden securityContext.seLinuxOptions: " +
                                join(what, "; ")};
}

Finding sysctls(const Subject& pod) {
  static const std::map<std::string_view, int> since = {{"kernel.shm_rmid_forced", 0},
                                                        {"net.ipv4.ip_local_port_range", 0},
                                                        {"net.ipv4.tcp_syncookies", 0},
                                                        {"net.ipv4.ping_group_range", 0},
                                                        {"net.ipv4.ip_unprivileged_port_start", 0},
                                                        {"net.ipv4.ip_local_reserved_ports", 27},
                                                        {"net.ipv4.tcp_keepalive_time", 29},
                                                        {"net.ipv4.tcp_fin_timeout", 29},
                                                        {"net.ipv4.tcp_keepalive_intvl", 29},
                                                        {"net.ipv4.tcp_keepalive_probes", 29},
                                                        {"net.ipv4.tcp_rmem", 32},
                                                        {"net.ipv4.tcp_wmem", 32}};
  Names bad;
  for (const Value& one : pod.spec["securityContext"]["sysctls"].elements()) {
    const auto found = since.find(one["name"].as_string());
    if (found == since.end() || pod.version < found->second) bad.push_back(one["name"].str());
  }
  return bad.empty() ? Finding{} : Finding{"forbidden sysctls", join(bad, ", ")};
}

Finding host_process(const Subject& pod) {
  const auto uses = [](const Value& context) {
    return context["windowsOptions"]["hostProcess"].as_bool();
  };
  const bool whole = uses(pod.spec["securityContext"]);
  const Names names = containers_where(
      pod.spec, [&](const Value& container) { return uses(container["securityContext"]); });
  if (!whole && names.empty()) return {};
  Names who;
  if (whole) who.emplace_back("pod");
  if (!names.empty()) who.push_back(containers_text(names));
  return {"hostProcess",
          join(who, " and ") + " must not set securityContext.windowsOptions.hostProcess=true"};
}

Finding probe_hosts(const Subject& pod) {
  if (pod.version < 34) return {};
  std::set<std::string> hosts;
  const auto look = [&](const Value& action) {
    bool found = false;
    for (const char* kind : {"httpGet", "tcpSocket"}) {
      const std::string host = action[kind]["host"].str();
      if (host.empty() || host == "127.0.0.1" || host == "::1") continue;
      hosts.insert(host);
      found = true;
    }
    return found;
  };
  const Names names = containers_where(pod.spec, [&](const Value& container) {
    bool found = false;
    for (const char* probe : {"livenessProbe", "readinessProbe", "startupProbe"})
      found = look(container[probe]) || found;
    for (const char* hook : {"postStart", "preStop"})
      found = look(container["lifecycle"][hook]) || found;
    return found;
  });
  if (names.empty()) return {};
  return {"probe or lifecycle host",
          containers_text(names) + (names.size() == 1 ? " uses" : " use") + " probe or lifecycle " +
              (hosts.size() == 1 ? "host " : "hosts ") + quoted_list({hosts.begin(), hosts.end()})};
}

Finding seccomp_baseline(const Subject& pod) {
  if (pod.version < 19) return {};
  const auto unconfined = [](const Value& context) {
    return context["seccompProfile"]["type"].as_string() == "Unconfined";
  };
  const bool whole = unconfined(pod.spec["securityContext"]);
  const Names names = containers_where(
      pod.spec, [&](const Value& container) { return unconfined(container["securityContext"]); });
  if (!whole && names.empty()) return {};
  Names who;
  if (whole) who.emplace_back("pod");
  if (!names.empty()) who.push_back(containers_text(names));
  return {"seccompProfile", join(who, " and ") +
                                " must not set securityContext.seccompProfile.type to "
                                "\"Unconfined\""};
}

// --- restricted ---

Finding escalation(const Subject& pod) {
  if (pod.version < 8 || is_windows(pod)) return {};
  const Names names = containers_where(pod.spec, [](const Value& container) {
    const Value& allowed = container["securityContext"]["allowPrivilegeEscalation"];
    return !allowed.is_bool() || allowed.as_bool();
  });
  if (names.empty()) return {};
  return {"allowPrivilegeEscalation != false",
          containers_text(names) + " must set securityContext.allowPrivilegeEscalation=false"};
}

Finding capabilities_restricted(const Subject& pod) {
  if (pod.version < 22 || is_windows(pod)) return {};
  std::set<std::string> extra;
  const Names keeping = containers_where(pod.spec, [](const Value& container) {
    for (const Value& one : container["securityContext"]["capabilities"]["drop"].elements())
      if (one.as_string() == "ALL") return false;
    return true;
  });
  const Names adding = containers_where(pod.spec, [&](const Value& container) {
    bool bad = false;
    for (const Value& one : container["securityContext"]["capabilities"]["add"].elements())
      if (one.as_string() != "NET_BIND_SERVICE") {
        extra.insert(one.str());
        bad = true;
      }
    return bad;
  });
  Names parts;
  if (!keeping.empty())
    parts.push_back(containers_text(keeping) +
                    " must set securityContext.capabilities.drop=[\"ALL\"]");
  if (!adding.empty())
    parts.push_back(containers_text(adding) + " must not include " +
                    quoted_list({extra.begin(), extra.end()}) +
                    " in securityContext.capabilities.add");
  return parts.empty() ? Finding{} : Finding{"unrestricted capabilities", join(parts, "; ")};
}

bool own_users(const Subject& pod) {
  return pod.version >= 35 && pod.spec["hostUsers"].is_bool() && !pod.spec["hostUsers"].as_bool();
}

Finding non_root(const Subject& pod) {
  if (own_users(pod)) return {};
  const Value& whole = pod.spec["securityContext"]["runAsNonRoot"];
  const Names refusing = containers_where(pod.spec, [](const Value& container) {
    const Value& own = container["securityContext"]["runAsNonRoot"];
    return own.is_bool() && !own.as_bool();
  });
  const Names silent = containers_where(pod.spec, [](const Value& container) {
    return !container["securityContext"]["runAsNonRoot"].is_bool();
  });
  Names bad;
  if (whole.is_bool() && !whole.as_bool()) bad.emplace_back("pod");
  if (!refusing.empty()) bad.push_back(containers_text(refusing));
  if (!bad.empty())
    return {"runAsNonRoot != true",
            join(bad, " and ") + " must not set securityContext.runAsNonRoot=false"};
  if (silent.empty() || whole.as_bool()) return {};
  return {"runAsNonRoot != true",
          "pod or " + containers_text(silent) + " must set securityContext.runAsNonRoot=true"};
}

Finding not_user_zero(const Subject& pod) {
  if (pod.version < 23 || own_users(pod)) return {};
  const auto zero = [](const Value& context) {
    return context["runAsUser"].is_integer() && context["runAsUser"].as_int() == 0;
  };
  const Names names = containers_where(
      pod.spec, [&](const Value& container) { return zero(container["securityContext"]); });
  Names who;
  if (zero(pod.spec["securityContext"])) who.emplace_back("pod");
  if (!names.empty()) who.push_back(containers_text(names));
  return who.empty() ? Finding{}
                     : Finding{"runAsUser=0", join(who, " and ") + " must not set runAsUser=0"};
}

Finding seccomp_restricted(const Subject& pod) {
  if (pod.version < 19 || is_windows(pod)) return {};
  const auto type_of = [](const Value& context) {
    return context["seccompProfile"]["type"].as_string();
  };
  const auto fine = [](std::string_view type) {
    return type == "RuntimeDefault" || type == "Localhost";
  };
  const std::string_view whole = type_of(pod.spec["securityContext"]);
  std::set<std::string> types;
  Names who;
  if (!whole.empty() && !fine(whole)) {
    who.emplace_back("pod");
    types.emplace(whole);
  }
  const Names bad = containers_where(pod.spec, [&](const Value& container) {
    const std::string_view type = type_of(container["securityContext"]);
    if (type.empty() || fine(type)) return false;
    types.emplace(type);
    return true;
  });
  if (!bad.empty()) who.push_back(containers_text(bad));
  if (!who.empty())
    return {"seccompProfile", join(who, " and ") +
                                  " must not set securityContext.seccompProfile.type to " +
                                  quoted_list({types.begin(), types.end()})};
  const Names silent = containers_where(pod.spec, [&](const Value& container) {
    return type_of(container["securityContext"]).empty();
  });
  if (silent.empty() || fine(whole)) return {};
  return {"seccompProfile", "pod or " + containers_text(silent) +
                                " must set securityContext.seccompProfile.type to "
                                "\"RuntimeDefault\" or \"Localhost\""};
}

Finding restricted_volumes(const Subject& pod) {
  static const std::set<std::string_view> allowed = {
      "configMap", "csi",    "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
      "projected", "secret", "image"};
  Names names;
  std::set<std::string> types;
  for (const Value& volume : pod.spec["volumes"].elements())
    for (const codec::Member& member : volume.members())
      if (member.key() != "name" && !allowed.contains(member.key())) {
        names.push_back(volume["name"].str());
        types.emplace(member.key());
      }
  if (names.empty()) return {};
  const bool one = names.size() == 1;
  return {"restricted volume types",
          std::string(one ? "volume " : "volumes ") + quoted_list(names) +
              (one ? " uses restricted volume type " : " use restricted volume ") +
              (one                 ? ""
               : types.size() == 1 ? "type "
                                   : "types ") +
              quoted_list({types.begin(), types.end()})};
}

using Check = Finding (*)(const Subject&);

// The restricted level replaces some checks of the baseline by its own.
std::vector<Finding> findings(const Subject& pod, std::string_view level) {
  const bool restricted = level == "restricted";
  std::vector<Check> checks;
  if (!restricted) checks.push_back(capabilities_baseline);
  checks.insert(checks.end(), {host_namespaces});
  if (!restricted) checks.push_back(host_path_volumes);
  checks.insert(checks.end(), {host_ports, probe_hosts, privileged, proc_mount, selinux});
  if (!restricted) checks.push_back(seccomp_baseline);
  checks.insert(checks.end(), {sysctls, host_process});
  if (restricted)
    checks.insert(checks.end(), {escalation, capabilities_restricted, restricted_volumes, non_root,
                                 not_user_zero, seccomp_restricted});
  std::vector<Finding> out;
  for (Check check : checks)
    if (Finding finding = check(pod); !finding.reason.empty()) out.push_back(std::move(finding));
  return out;
}

}  // namespace

std::vector<PodFinding> pod_findings(const Value& meta, const Value& spec, std::string_view level,
                                     int version) {
  if (level != "baseline" && level != "restricted") return {};
  return findings({meta, spec, version}, level);
}

}  // namespace keelson::registry::admission
