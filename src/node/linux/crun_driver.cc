// Sandboxes, containers and their end.
#include "node/linux/crun_driver.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"
#include "model/quantity.h"
#include "node/keeper/launch.h"
#include "node/network_probe.h"
#include "node/pod_spec.h"

namespace keelson::node {
namespace {

constexpr std::size_t kExecOutputMax = 10 * 1024;
constexpr std::size_t kTerminationBytesMax = 4096;

std::uint64_t own_capabilities() {
  const std::string text = read_whole("/proc/self/status");
  const std::size_t at = text.find("CapBnd:\t");
  return at == std::string::npos ? ~0ULL : std::strtoull(text.c_str() + at + 8, nullptr, 16);
}

bool is_executable(const std::string& name) {
  for (const std::string_view directory : {"/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/bin/"})
    if (::access((std::string(directory) + name).c_str(), X_OK) == 0) return true;
  return false;
}

// The host name of a pod as the kubelet sets it.
std::string hostname_of(const Value& pod) {
  const std::string declared = pod["spec"]["hostname"].str();
  std::string name = declared.empty() ? std::string(model::name_of(pod)) : declared;
  if (name.size() > 63) name.resize(63);
  while (name.ends_with("-") || name.ends_with(".")) name.pop_back();
  return name;
}

std::string hosts_of(const Value& pod, const std::string& address) {
  std::string out =
      "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost "
      "ip6-loopback\n";
  const std::string host = hostname_of(pod);
  const std::string subdomain = pod["spec"]["subdomain"].str();
  out += address + "\t";
  if (!subdomain.empty())
    out += host + "." + subdomain + "." + std::string(model::namespace_of(pod)) +
           ".svc.cluster.local\t";
  out += host + "\n";
  if (pod["spec"]["hostAliases"].size() > 0) out += "\n# Entries added by HostAliases.\n";
  for (const Value& alias : pod["spec"]["hostAliases"].elements()) {
    out += alias["ip"].str();
    for (const Value& name : alias["hostnames"].elements()) out += "\t" + name.str();
    out += "\n";
  }
  return out;
}

std::int64_t requested_milli(const Value& pod) {
  std::int64_t sum = 0;
  for (const Value& container : pod["spec"]["containers"].elements()) {
    const Value& resources = container["resources"];
    sum += model::Quantity::of(resources["requests"].has("cpu") ? resources["requests"]["cpu"]
                                                                : resources["limits"]["cpu"])
               .milli_value();
  }
  return sum;
}

}  // namespace

CrunDriver::CrunDriver(host::Loop& loop, host::Sockets& sockets, host::Processes& processes,
                       cluster::PodNetwork& network, LinuxDriverOptions options)
    : loop_(loop),
      sockets_(sockets),
      processes_(processes),
      network_(network),
      options_(std::move(options)),
      disk_(options_.root),
      trash_(loop, options_.root + "/trash"),
      keeper_(loop, sockets, processes, options_.root),
      capabilities_mask_(own_capabilities()) {
  keeper_.on_event = [this](const Value& event) { on_event(event); };
  keeper_.on_replaced = [this] { on_replaced(); };
}

CrunDriver::~CrunDriver() {
  *alive_ = false;
}

std::string CrunDriver::why_not() {
  if (::geteuid() != 0) return "containers need root";
  if (!is_executable("crun")) return "crun is missing (apt-get install crun)";
  if (::access("/sys/fs/cgroup", W_OK) != 0)
    return "cgroups are not writable at /sys/fs/cgroup (in a container: run that one privileged)";
  if (const std::string problem = why_no_private_mounts(); !problem.empty())
    return "containers need mounts of their own (in a container: run that one privileged): " +
           problem;
  return {};
}

std::vector<std::string> CrunDriver::crun(std::initializer_list<std::string> words) const {
  std::vector<std::string> argv = {"crun", "--root", disk_.root() + "/crun",
                                   "--cgroup-manager=cgroupfs"};
  argv.insert(argv.end(), words);
  return argv;
}

std::string CrunDriver::cgroup_of_pod(const std::string& uid) const {
  return "/keelson/" + options_.name + "/pod" + uid;
}

void CrunDriver::set_up_volumes(const Value& pod, const std::vector<Volume>& volumes,
                                std::function<void(Result<void>)> done) {
  const std::string uid(model::uid_of(pod));
  const std::int64_t group = pod["spec"]["securityContext"]["fsGroup"].as_int(-1);
  Value mounts = Value::array();
  PodRecord& record = pods_[uid];
  for (const Volume& volume : volumes) {
    const std::string directory = disk_.volume(uid, volume.name);
    if (volume.kind == Volume::Kind::files) {
      if (const auto written = write_volume(directory, volume.files, group); !written.ok())
        return done(Error{Reason::internal_error, "MountVolume.SetUp failed for volume " +
                                                      quote(volume.name) + " : " +
                                                      written.error().message});
    } else if (volume.kind == Volume::Kind::host_path) {
      if (volume.host_path_type == "DirectoryOrCreate") (void)make_directory(volume.host_path);
      const bool must_exist = !volume.host_path_type.empty();
      if (must_exist && ::access(volume.host_path.c_str(), F_OK) != 0)
        return done(Error{Reason::not_found, "MountVolume.SetUp failed for volume " +
                                                 quote(volume.name) + " : hostPath type check " +
                                                 "failed: " + volume.host_path + " is not a " +
                                                 to_lower(volume.host_path_type)});
    } else {
      const bool fresh = ::access(directory.c_str(), F_OK) != 0;
      if (const auto made = make_directory(directory); !made.ok()) return done(made.error());
      ::chmod(directory.c_str(), group >= 0 ? 02777 : 0777);
      if (group >= 0 &&
          ::chown(directory.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(group)) != 0)
        return done(Error{Reason::internal_error, "chown " + directory});
      if (!volume.in_memory || !fresh) continue;
      std::string data = "mode=1777";
      if (volume.bytes_max > 0) data += ",size=" + std::to_string(volume.bytes_max);
      record.memory_mounts.push_back(directory);
      mounts.push_back(Value::object({{"type", "tmpfs"},
                                      {"source", "tmpfs"},
                                      {"target", directory},
                                      {"data", data},
                                      {"flags", MS_NOSUID | MS_NODEV}}));
    }
  }
  if (mounts.size() == 0) return done(Result<void>());
  keeper_.call(Value::object({{"op", "mount"}, {"mounts", std::move(mounts)}}),
               [done = std::move(done)](Result<Value> answer) {
                 if (answer.ok()) return done(Result<void>());
                 done(answer.error());
               });
}

void CrunDriver::create_sandbox(const Value& pod, int attempt,
                                std::function<void(Result<Sandbox>)> done) {
  if (uses_host_network(pod)) {
    cluster::PodAttachment none;
    return sandbox_attached(pod, attempt, none, std::move(done));
  }
  network_.attach(pod, [this, alive = alive_, pod, attempt,
                        done = std::move(done)](Result<cluster::PodAttachment> attached) {
    if (!*alive) return;
    if (!attached.ok())
      return done(Error{Reason::internal_error,
                        "failed to set up the network: " + attached.error().message});
    PodRecord& record = pods_[std::string(model::uid_of(pod))];
    record.attachment = *attached;
    record.attached = true;
    sandbox_attached(pod, attempt, std::move(attached).value(), done);
  });
}

void CrunDriver::sandbox_attached(const Value& pod, int attempt, cluster::PodAttachment attachment,
                                  std::function<void(Result<Sandbox>)> done) {
  const std::string uid(model::uid_of(pod));
  const std::string directory = disk_.pod(uid);
  const bool own_network = !uses_host_network(pod) && attachment.network_namespace.empty();
  if (const auto made = make_directory(directory + "/c"); !made.ok()) return done(made.error());
  cgroups_.make(cgroup_of_pod(uid), cpu_shares(requested_milli(pod), options_.cpu_scale()));
  Sandbox sandbox;
  sandbox.state = Sandbox::State::ready;
  sandbox.id = uid + "-" + std::to_string(attempt);
  sandbox.address = attachment.address;
  sandbox.attempt = attempt;
  if (!uses_host_network(pod) && !attachment.reachable)
    sandbox.network_namespace =
        own_network ? keeper_.seen(directory + "/ns/net") : attachment.network_namespace;
  const std::string resolver =
      attachment.resolver.empty() ? read_whole("/etc/resolv.conf") : attachment.resolver;
  const Value stored = Value::object({{"id", sandbox.id},
                                      {"attempt", attempt},
                                      {"address", sandbox.address},
                                      {"network", attachment.network_namespace},
                                      {"reachable", attachment.reachable},
                                      {"attached", !uses_host_network(pod)},
                                      {"boot", read_whole("/proc/sys/kernel/random/boot_id", 64)}});
  const auto write_all = [&]() -> Result<void> {
    TRY_VOID(write_whole(directory + "/hosts", uses_host_network(pod)
                                                   ? read_whole("/etc/hosts")
                                                   : hosts_of(pod, sandbox.address)));
    TRY_VOID(write_whole(directory + "/resolv.conf", resolver));
    TRY_VOID(write_whole(directory + "/hostname", hostname_of(pod) + "\n"));
    TRY_VOID(write_whole(directory + "/pod.json", codec::to_json(pod), 0600));
    return write_whole(directory + "/sandbox.json", codec::to_json(stored), 0600);
  };
  // A pod without its records would be lost with the engine.
  if (const auto written = write_all(); !written.ok()) return done(written.error());
  PodRecord& record = pods_[uid];
  record.pod = pod;
  record.sandbox = sandbox;
  Value request = Value::object({{"op", "sandbox"},
                                 {"dir", directory + "/ns"},
                                 {"hostname", hostname_of(pod)},
                                 {"own_network", own_network},
                                 {"address", sandbox.address}});
  if (!attachment.network_namespace.empty())
    request.set("network", "host:" + attachment.network_namespace);
  keeper_.call(std::move(request), [done = std::move(done), sandbox](Result<Value> answer) {
    if (!answer.ok()) return done(answer.error());
    done(sandbox);
  });
}

void CrunDriver::start(ContainerRequest request,
                       std::function<void(Result<StartedContainer>)> done) {
  Result<Prepared> prepared = prepare(request);
  if (!prepared.ok()) return done(prepared.error());
  keeper_.call(prepared->launch,
               [done = std::move(done), user = prepared->user](Result<Value> answer) {
                 if (!answer.ok())
                   return done(Error{Reason::internal_error,
                                     "OCI runtime create failed: " + answer.error().message});
                 done(user);
               });
}

void CrunDriver::signal(const std::string& run_id, int signal) {
  // An image may want another signal than SIGTERM; a pod that declares one has the last word.
  if (const auto at = runs_.find(run_id); at != runs_.end() && signal == SIGTERM)
    if (const std::int64_t own = at->second.state["stop_signal"].as_int(); own > 0)
      signal = static_cast<int>(own);
  keeper_.call(Value::object({{"op", "signal"}, {"run", run_id}, {"signal", signal}}),
               [](Result<Value>) {});
}

void CrunDriver::on_event(const Value& event) {
  const std::string run_id = event["run"].str();
  const auto at = runs_.find(run_id);
  if (at == runs_.end() || !on_exit_) return;
  ContainerExit exit;
  exit.code = static_cast<int>(event["code"].as_int());
  exit.signal = static_cast<int>(event["signal"].as_int());
  exit.unknown = event["unknown"].as_bool();
  exit.out_of_memory = event["out_of_memory"].as_bool();
  exit.at = Instant::unix_nanoseconds(event["at"].as_int());
  exit.message = termination_message(at->second, exit.code != 0);
  on_exit_(run_id, exit);
}

std::string CrunDriver::termination_message(const RunRecord& record, bool failed) const {
  std::string message = read_whole(record.directory + "/termination", kTerminationBytesMax);
  if (!message.empty() || !failed || record.fallback_log.empty()) return message;
  // The end of the log, without the times and stream names of its lines.
  const std::string tail = read_end(record.fallback_log, 4096);
  for (const std::string& line : split(tail, '\n')) {
    const std::size_t at = line.find(" F ");
    if (at != std::string::npos) message += line.substr(at + 3) + "\n";
  }
  return message.size() > 2048 ? message.substr(message.size() - 2048) : message;
}

void CrunDriver::remove_container(const Value& pod, const std::string& run_id) {
  const auto at = runs_.find(run_id);
  if (at == runs_.end()) return;
  const Value& state = at->second.state;
  const std::string log =
      disk_.log(pod, state["container"].as_string(), static_cast<int>(state["attempt"].as_int()));
  ::unlink(log.c_str());
  ::unlink((log + ".1").c_str());
  trash_.put(at->second.directory);
  runs_.erase(at);
}

void CrunDriver::tear_down(const Value& pod, const Sandbox&, std::function<void()> done) {
  const std::string uid(model::uid_of(pod));
  auto left = std::make_shared<int>(1);
  const auto one = [this, alive = alive_, uid, left, done = std::move(done)](const Result<Value>&) {
    if (--*left == 0 && *alive) put_away(uid, done);
  };
  for (const auto& [run_id, record] : runs_) {
    if (record.uid != uid) continue;
    ++*left;
    keeper_.call(Value::object({{"op", "remove"}, {"run", run_id}}), one);
  }
  one(Value());
}

// Every container is gone: mounts, namespaces, network, cgroups, files.
void CrunDriver::put_away(const std::string& uid, std::function<void()> done) {
  const std::string directory = disk_.pod(uid);
  Value targets =
      Value::array({directory + "/ns/ipc", directory + "/ns/uts", directory + "/ns/net"});
  const auto at = pods_.find(uid);
  if (at != pods_.end())
    for (const std::string& mount : at->second.memory_mounts) targets.push_back(mount);
  keeper_.call(Value::object({{"op", "unmount"}, {"targets", std::move(targets)}}),
               [this, alive = alive_, uid, directory, done = std::move(done)](Result<Value>) {
                 if (!*alive) return;
                 cgroups_.remove(cgroup_of_pod(uid));
                 trash_.put(directory);
                 std::erase_if(runs_, [&](const auto& entry) { return entry.second.uid == uid; });
                 const auto record = pods_.find(uid);
                 if (record == pods_.end() || !record->second.attached) {
                   pods_.erase(uid);
                   return done();
                 }
                 const Value pod = record->second.pod;
                 const cluster::PodAttachment attachment = record->second.attachment;
                 pods_.erase(record);
                 network_.detach(pod, attachment, done);
               });
}

void CrunDriver::purge(const std::string& pod_uid) {
  for (const std::string& name : names_in(disk_.root() + "/logs"))
    if (name.ends_with("_" + pod_uid)) trash_.put(disk_.root() + "/logs/" + name);
}

std::vector<std::string> CrunDriver::exec_argv(const std::string& run_id, bool terminal,
                                               const std::vector<std::string>& command) const {
  std::vector<std::string> argv = crun({"exec"});
  if (terminal) argv.push_back("--tty");
  argv.push_back(run_id);
  argv.insert(argv.end(), command.begin(), command.end());
  return argv;
}

void CrunDriver::exec(const std::string& run_id, std::vector<std::string> argv, Duration timeout,
                      std::function<void(Result<ExecOutcome>)> done) {
  struct Waiting {
    std::function<void(Result<ExecOutcome>)> done;
    std::shared_ptr<void> timer;
  };
  auto waiting = std::make_shared<Waiting>();
  waiting->done = std::move(done);
  const auto finish = [waiting](Result<ExecOutcome> outcome) {
    if (!waiting->done) return;
    const auto call = std::exchange(waiting->done, nullptr);
    waiting->timer.reset();
    call(std::move(outcome));
  };
  host::SpawnOptions options;
  // timeout(1) of the host ends the command itself, a little after we stop waiting: so a command
  // that ends by itself with the code that timeout(1) would give is not taken for a late one.
  const std::int64_t seconds = std::max<std::int64_t>(1, timeout.count_seconds() + 1);
  options.argv = {"timeout", "-s", "KILL", std::to_string(seconds)};
  for (std::string& word : exec_argv(run_id, false, argv)) options.argv.push_back(std::move(word));
  options.mount_namespace = exec_mounts();
  options.directory = "/";
  waiting->timer = loop_.call_at(loop_.now() + timeout + Duration::milliseconds(100), [finish] {
    finish(ExecOutcome{.code = 137, .output = {}, .timed_out = true});
  });
  processes_.run(options, "", [finish](Result<host::Processes::Output> output) {
    if (!output.ok()) return finish(output.error());
    ExecOutcome outcome;
    outcome.code = output->status.code;
    outcome.output = output->out + output->err;
    if (outcome.output.size() > kExecOutputMax) outcome.output.resize(kExecOutputMax);
    finish(std::move(outcome));
  });
}

void CrunDriver::probe(const NetworkProbe& probe, std::function<void(ProbeOutcome)> done) {
  NetworkProbe plain = probe;
  // A stand-in has no certificate to show.
  if (const auto at = runs_.find(probe.run_id); at != runs_.end() && at->second.stand_in)
    plain.tls = false;
  run_network_probe(loop_, sockets_, plain, std::move(done));
}

std::optional<Usage> CrunDriver::usage(const std::string& run_id) {
  const auto at = runs_.find(run_id);
  if (at == runs_.end()) return std::nullopt;
  return cgroups_.usage(at->second.cgroup);
}

// In place: the file is mounted into the container.
void CrunDriver::set_model(const std::string& run_id, const Value& model) {
  const auto at = runs_.find(run_id);
  if (at == runs_.end() || !at->second.stand_in) return;
  (void)write_whole(at->second.directory + "/model.json", codec::to_json(model));
  signal(run_id, SIGHUP);
}

std::string CrunDriver::network_namespace(const Value& pod, const Sandbox&) const {
  if (uses_host_network(pod)) return {};
  return keeper_.seen(disk_.pod(model::uid_of(pod)) + "/ns/net");
}

std::string CrunDriver::log_path(const Value& pod, const ContainerRun& run) const {
  return disk_.log(pod, run.container, run.attempt);
}

void CrunDriver::end_keeper(std::function<void()> done) {
  keeper_.expect_end();
  keeper_.call(Value::object({{"op", "end"}}), [this, alive = alive_, done](Result<Value>) {
    if (!*alive) return;
    cgroups_.remove("/keelson/" + options_.name);
    done();
  });
}

}  // namespace keelson::node
