// Defaults are those of the common runtimes (containerd), so that images find what they expect.
#include "node/linux/oci_spec.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "model/quantity.h"
#include "node/pod_spec.h"

namespace keelson::node {
namespace {

constexpr std::array<std::string_view, 41> kCapabilities = {"CHOWN",
                                                            "DAC_OVERRIDE",
                                                            "DAC_READ_SEARCH",
                                                            "FOWNER",
                                                            "FSETID",
                                                            "KILL",
                                                            "SETGID",
                                                            "SETUID",
                                                            "SETPCAP",
                                                            "LINUX_IMMUTABLE",
                                                            "NET_BIND_SERVICE",
                                                            "NET_BROADCAST",
                                                            "NET_ADMIN",
                                                            "NET_RAW",
                                                            "IPC_LOCK",
                                                            "IPC_OWNER",
                                                            "SYS_MODULE",
                                                            "SYS_RAWIO",
                                                            "SYS_CHROOT",
                                                            "SYS_PTRACE",
                                                            "SYS_PACCT",
                                                            "SYS_ADMIN",
                                                            "SYS_BOOT",
                                                            "SYS_NICE",
                                                            "SYS_RESOURCE",
                                                            "SYS_TIME",
                                                            "SYS_TTY_CONFIG",
                                                            "MKNOD",
                                                            "LEASE",
                                                            "AUDIT_WRITE",
                                                            "AUDIT_CONTROL",
                                                            "SETFCAP",
                                                            "MAC_OVERRIDE",
                                                            "MAC_ADMIN",
                                                            "SYSLOG",
                                                            "WAKE_ALARM",
                                                            "BLOCK_SUSPEND",
                                                            "AUDIT_READ",
                                                            "PERFMON",
                                                            "BPF",
                                                            "CHECKPOINT_RESTORE"};
constexpr std::array<std::string_view, 14> kDefaultCapabilities = {
    "CHOWN",   "DAC_OVERRIDE", "FSETID",           "FOWNER",
    "MKNOD",   "NET_RAW",      "SETGID",           "SETUID",
    "SETFCAP", "SETPCAP",      "NET_BIND_SERVICE", "SYS_CHROOT",
    "KILL",    "AUDIT_WRITE"};

std::string capability_name(std::string_view text) {
  std::string name;
  for (const char c : text) name.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
  return name.starts_with("CAP_") ? name.substr(4) : name;
}

Value capabilities_of(const Value& security, const OciInput& input) {
  std::set<std::string> wanted(kDefaultCapabilities.begin(), kDefaultCapabilities.end());
  const auto all = [&] { wanted = {kCapabilities.begin(), kCapabilities.end()}; };
  if (security["privileged"].as_bool()) all();
  for (const Value& drop : security["capabilities"]["drop"].elements()) {
    const std::string name = capability_name(drop.as_string());
    name == "ALL" ? wanted.clear() : static_cast<void>(wanted.erase(name));
  }
  for (const Value& add : security["capabilities"]["add"].elements()) {
    const std::string name = capability_name(add.as_string());
    name == "ALL" ? all() : static_cast<void>(wanted.insert(name));
  }
  Value names = Value::array();
  for (std::size_t i = 0; i < kCapabilities.size(); i++)
    if (wanted.contains(std::string(kCapabilities[i])) && (input.capabilities_mask >> i & 1) != 0)
      names.push_back("CAP_" + std::string(kCapabilities[i]));
  // For another user than root they are only a bound: the kernel drops them at exec.
  Value out = Value::object({{"bounding", names}});
  if (input.user == 0) {
    out.set("effective", names);
    out.set("permitted", names);
  }
  return out;
}

Value mount(std::string_view target, std::string_view type, std::string_view source,
            std::initializer_list<Value> options) {
  return Value::object({{"destination", target},
                        {"type", type},
                        {"source", source},
                        {"options", Value::array(options)}});
}

Value mounts_of(const OciInput& input) {
  Value mounts = Value::array({
      mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
      mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
      mount("/dev/pts", "devpts", "devpts",
            {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
      mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
      mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
      mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
  });
  // Parents before what is mounted into them.
  std::vector<BindMount> binds = input.mounts;
  std::stable_sort(binds.begin(), binds.end(), [](const BindMount& a, const BindMount& b) {
    return std::count(a.target.begin(), a.target.end(), '/') <
           std::count(b.target.begin(), b.target.end(), '/');
  });
  for (const BindMount& bind : binds) {
    if (bind.empty_tmpfs)
      mounts.push_back(
          mount(bind.target, "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777", "size=256m"}));
    else
      mounts.push_back(mount(bind.target, "bind", bind.source,
                             {"rbind", "rprivate", bind.read_only ? "ro" : "rw"}));
  }
  return mounts;
}

Value resources_of(const OciInput& input) {
  const Value& resources = input.request.container["resources"];
  const auto milli = [&](std::string_view list) {
    return model::Quantity::of(resources[list]["cpu"]).milli_value();
  };
  const std::int64_t limit = milli("limits");
  const std::int64_t request = resources["requests"].has("cpu") ? milli("requests") : limit;
  Value cpu = Value::object({{"shares", cpu_shares(request, input.cpu_scale)}});
  if (const std::int64_t quota = cpu_quota(limit, input.cpu_scale); quota > 0) {
    cpu.set("quota", quota);
    cpu.set("period", 100'000);
  }
  Value out = Value::object({{"cpu", std::move(cpu)}});
  if (const auto memory = model::Quantity::of(resources["limits"]["memory"]).value(); memory > 0)
    out.set("memory", Value::object({{"limit", memory}}));
  out.set("devices", Value::array({Value::object({{"allow", false}, {"access", "rwm"}})}));
  return out;
}

Value linux_of(const OciInput& input, bool privileged) {
  const Value& spec = input.request.pod["spec"];
  // ipc, uts and network are those of the sandbox, which the launcher has joined before.
  Value namespaces = Value::array({Value::object({{"type", "mount"}})});
  if (!spec["hostPID"].as_bool()) namespaces.push_back(Value::object({{"type", "pid"}}));
  Value out = Value::object({{"namespaces", std::move(namespaces)},
                             {"cgroupsPath", input.cgroup},
                             {"resources", resources_of(input)}});
  if (privileged) return out;
  out.set("maskedPaths",
          Value::array({"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys",
                        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
                        "/proc/sched_debug", "/sys/firmware", "/proc/scsi"}));
  out.set("readonlyPaths",
          Value::array({"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}));
  return out;
}

}  // namespace

std::int64_t cpu_shares(std::int64_t milli, std::int64_t scale) {
  return std::clamp<std::int64_t>(milli * 1024 / 1000 / std::max<std::int64_t>(1, scale), 2,
                                  262'144);
}

std::int64_t cpu_quota(std::int64_t milli, std::int64_t scale) {
  if (milli <= 0) return 0;
  // The kernel takes no quota below a millisecond.
  return std::max<std::int64_t>(1000, milli * 100 / std::max<std::int64_t>(1, scale));
}

Value oci_spec(const OciInput& input) {
  const ContainerRequest& request = input.request;
  const Value& security = request.container["securityContext"];
  const bool privileged = security["privileged"].as_bool();
  Value environment = Value::array();
  bool has_path = false;
  std::set<std::string> seen;
  for (const auto& [name, value] : request.environment) {
    environment.push_back(name + "=" + value);
    seen.insert(name);
    has_path = has_path || name == "PATH";
  }
  for (const std::string& entry : request.image.environment) {
    const std::string name = entry.substr(0, entry.find('='));
    if (seen.contains(name)) continue;
    environment.push_back(entry);
    has_path = has_path || name == "PATH";
  }
  if (!has_path)
    environment.push_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  if (!seen.contains("HOSTNAME"))
    environment.push_back("HOSTNAME=" + request.pod["metadata"]["name"].str());
  Value argv = Value::array();
  for (const std::string& word : request.argv) argv.push_back(word);
  Value groups = Value::array();
  for (const std::int64_t group : input.groups) groups.push_back(group);
  Value process =
      Value::object({{"terminal", request.container["tty"].as_bool()},
                     {"user", Value::object({{"uid", input.user},
                                             {"gid", input.group},
                                             {"additionalGids", std::move(groups)}})},
                     {"args", std::move(argv)},
                     {"env", std::move(environment)},
                     {"cwd", request.working_directory.empty() ? "/" : request.working_directory},
                     {"noNewPrivileges", security.has("allowPrivilegeEscalation") &&
                                             !security["allowPrivilegeEscalation"].as_bool()},
                     {"capabilities", capabilities_of(security, input)}});
  // Lowering the score below ours needs a privilege that many hosts withhold; raising never does.
  if (qos_class_of(request.pod) == "BestEffort") process.set("oomScoreAdj", 1000);
  return Value::object(
      {{"ociVersion", "1.0.0"},
       {"process", std::move(process)},
       {"root", Value::object({{"path", "rootfs"},
                               {"readonly", security["readOnlyRootFilesystem"].as_bool()}})},
       {"mounts", mounts_of(input)},
       {"linux", linux_of(input, privileged)}});
}

}  // namespace keelson::node
