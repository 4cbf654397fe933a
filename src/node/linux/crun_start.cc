// From a container request to a bundle on disk and a launch request for the keeper.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"
#include "node/environment.h"
#include "node/linux/crun_driver.h"
#include "node/pod_spec.h"
#include "node/stand_in_rules.h"

namespace keelson::node {
namespace {

constexpr std::string_view kHelperInside = "/.keelson/stand-in";
constexpr std::string_view kModelInside = "/.keelson/model.json";
constexpr std::int64_t kNobody = 65532;

struct User {
  std::int64_t user = 0, group = 0;
  std::vector<std::int64_t> groups;
};

// securityContext first, then the image's "user[:group]", looked up in the image's own files.
Result<User> user_of(const ContainerRequest& request, const std::string& rootfs) {
  const Value& own = request.container["securityContext"];
  const Value& shared = request.pod["spec"]["securityContext"];
  const auto setting = [&](std::string_view name) -> const Value& {
    return own.has(name) ? own[name] : shared[name];
  };
  User out;
  const bool must_not_be_root = setting("runAsNonRoot").as_bool();
  if (setting("runAsUser").is_integer()) {
    out.user = setting("runAsUser").as_int();
  } else if (!request.image.user.empty()) {
    const auto parts = split(request.image.user, ':');
    if (const auto number = parse_int(parts[0])) {
      out.user = *number;
    } else {
      const auto entry = account(rootfs + "/etc/passwd", parts[0]);
      if (entry.size() < 4)
        return Error{Reason::invalid,
                     "unable to find user " + parts[0] + ": no matching entries in passwd file"};
      out.user = parse_int(entry[2]).value_or(0);
      out.group = parse_int(entry[3]).value_or(0);
    }
    if (parts.size() > 1) {
      const auto entry = account(rootfs + "/etc/group", parts[1]);
      out.group = parse_int(entry.size() >= 3 ? entry[2] : parts[1]).value_or(0);
    }
  } else if (must_not_be_root && request.image.kind != Image::Kind::stored) {
    out.user = out.group = kNobody;  // nobody knows the user of an image that is not there
  }
  if (setting("runAsGroup").is_integer()) out.group = setting("runAsGroup").as_int();
  if (must_not_be_root && out.user == 0)
    return Error{Reason::invalid, "container has runAsNonRoot and image will run as root (pod: " +
                                      quote(pod_text(request.pod)) +
                                      ", container: " + request.container["name"].str() + ")"};
  for (const Value& group : shared["supplementalGroups"].elements())
    out.groups.push_back(group.as_int());
  if (shared["fsGroup"].is_integer()) out.groups.push_back(shared["fsGroup"].as_int());
  return out;
}

bool is_http_port(const Value& port) {
  // Well-known ports of protocols that are not HTTP.
  constexpr std::int64_t kOthers[] = {22,   25,   53,   1433,  1521,  1883,  2181, 2379, 2380,
                                      3306, 4222, 5432, 5671,  5672,  6379,  6432, 7000, 7001,
                                      9042, 9092, 9093, 11211, 26379, 27017, 27018};
  return std::find(std::begin(kOthers), std::end(kOthers), port["containerPort"].as_int()) ==
         std::end(kOthers);
}

}  // namespace

// The stand-in serves every declared TCP port and every port that a probe asks.
std::vector<std::string> CrunDriver::stand_in_argv(const ContainerRequest& request) const {
  const Value& container = request.container;
  std::vector<std::string> argv = {std::string(kHelperInside),
                                   "stand-in",
                                   "--model-file",
                                   std::string(kModelInside),
                                   "--cpu-scale",
                                   std::to_string(options_.cpu_scale()),
                                   "--memory-scale",
                                   std::to_string(options_.memory_scale())};
  std::map<std::int64_t, bool> ports;  // HTTP?
  for (const Value& port : container["ports"].elements())
    if (port["protocol"].is_null() || port["protocol"].as_string() == "TCP")
      ports[port["containerPort"].as_int()] = is_http_port(port);
  for (const std::string_view kind : {"livenessProbe", "readinessProbe", "startupProbe"}) {
    const Value& probe = container[kind];
    if (const Value& get = probe["httpGet"]; get.is_object()) {
      ports[resolve_port(get["port"], container)] = true;
      const std::string path = get["path"].str();
      argv.insert(argv.end(), {"--probe", path.substr(0, path.find('?'))});
    }
    if (probe["grpc"].is_object()) ports[probe["grpc"]["port"].as_int()] = true;
    if (const Value& tcp = probe["tcpSocket"]; tcp.is_object())
      ports.try_emplace(resolve_port(tcp["port"], container), false);
  }
  for (const auto& [port, http] : ports)
    if (port > 0) argv.insert(argv.end(), {http ? "--port" : "--tcp", std::to_string(port)});
  return argv;
}

std::string CrunDriver::model_text(const ContainerRequest& request) {
  return codec::to_json(effective_model(request.pod, request.image.model));
}

// The root file system: what the image (or the host, for stand-ins) has, below a private layer.
Value CrunDriver::root_mount(const ContainerRequest& request, const std::string& directory) const {
  const bool stored = request.image.kind == Image::Kind::stored;
  const std::string lower = stored ? request.image.rootfs : "/";
  return Value::object({{"type", "overlay"},
                        {"source", "overlay"},
                        {"target", directory + "/rootfs"},
                        {"data", "lowerdir=" + lower + ",upperdir=" + directory +
                                     "/upper,workdir=" + directory + "/work"}});
}

Result<std::vector<BindMount>> CrunDriver::mounts_of(const ContainerRequest& request,
                                                     const std::string& directory,
                                                     std::int64_t group) const {
  const std::string uid(model::uid_of(request.pod));
  const std::string pod_directory = disk_.pod(uid);
  std::vector<BindMount> mounts;
  if (request.image.kind != Image::Kind::stored) {
    // The host's files are there for its programs, not for its secrets.
    std::set<std::string> hidden(options_.hidden.begin(), options_.hidden.end());
    hidden.insert(disk_.root());
    // The engine's own directory, which holds keys.
    const std::string parent = disk_.root().substr(0, disk_.root().rfind('/'));
    if (!parent.empty()) hidden.insert(parent);
    std::string last = "//";
    for (const std::string& path : hidden) {  // sorted: what lies below comes later
      struct stat info {};
      if (path.starts_with(last + "/") || ::stat(path.c_str(), &info) != 0) continue;
      if (S_ISDIR(info.st_mode)) {
        mounts.push_back({"", path, false, true});
        last = path;
      } else {
        mounts.push_back({"/dev/null", path, true});
      }
    }
  }
  if (request.image.kind == Image::Kind::builtin_stand_in) {
    mounts.push_back({keeper_.helper(), std::string(kHelperInside), true});
    mounts.push_back({directory + "/model.json", std::string(kModelInside), true});
  }
  for (const std::string_view name : {"hosts", "resolv.conf", "hostname"})
    mounts.push_back({pod_directory + "/" + std::string(name), "/etc/" + std::string(name)});
  const std::string message = request.container.has("terminationMessagePath")
                                  ? request.container["terminationMessagePath"].str()
                                  : "/dev/termination-log";
  mounts.push_back({directory + "/termination", message});
  std::map<std::string, std::string> variables;
  for (const auto& [name, value] : request.environment) variables[name] = value;
  for (const Value& declared : request.container["volumeMounts"].elements()) {
    const auto volume =
        std::find_if(request.volumes.begin(), request.volumes.end(),
                     [&](const Volume& each) { return each.name == declared["name"].as_string(); });
    if (volume == request.volumes.end())
      return Error{Reason::invalid, "volume " + declared["name"].str() + " is not defined"};
    BindMount mount;
    mount.source = volume->kind == Volume::Kind::host_path ? volume->host_path
                                                           : disk_.volume(uid, volume->name);
    mount.target = declared["mountPath"].str();
    mount.read_only = declared["readOnly"].as_bool() || volume->kind == Volume::Kind::files;
    std::string inner = declared["subPath"].str();
    if (declared.has("subPathExpr")) inner = expand(declared["subPathExpr"].as_string(), variables);
    if (!inner.empty()) {
      // As the keeper sees it: a volume in memory is mounted there alone.
      auto real = path_within(volume->in_memory ? keeper_.seen(mount.source) : mount.source, inner,
                              volume->kind != Volume::Kind::files, group);
      if (!real.ok())
        return Error{Reason::invalid, "failed to prepare subPath for volumeMount " +
                                          quote(volume->name) + " of container " +
                                          quote(request.container["name"].as_string()) + ": " +
                                          real.error().message};
      mount.source = std::move(real).value();
    }
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Result<CrunDriver::Prepared> CrunDriver::prepare(const ContainerRequest& request) {
  const std::string uid(model::uid_of(request.pod));
  const std::string name = request.container["name"].str();
  const bool builtin = request.image.kind == Image::Kind::builtin_stand_in;
  const bool stored = request.image.kind == Image::Kind::stored;
  Prepared prepared;
  prepared.directory = disk_.container(uid, request.run_id);
  const std::string& directory = prepared.directory;
  for (const std::string_view part : {"/rootfs", "/upper", "/work"})
    TRY_VOID(make_directory(directory + std::string(part)));
  const std::string log = disk_.log(request.pod, name, request.attempt);
  TRY_VOID(make_directory(log.substr(0, log.rfind('/'))));
  TRY_VOID(write_whole(directory + "/termination", "", 0666));
  TRY(const User user, user_of(request, stored ? request.image.rootfs : ""));
  prepared.user = {user.user, user.group};

  ContainerRequest complete = request;
  if (builtin) {
    complete.argv = stand_in_argv(request);
    TRY_VOID(write_whole(directory + "/model.json", model_text(request)));
  }
  if (complete.argv.empty()) return Error{Reason::invalid, "no command specified"};
  if (!request.working_directory.empty()) {
    const auto plain = plain_path(request.working_directory);
    if (!plain)
      return Error{Reason::invalid, "the working directory " + quote(request.working_directory) +
                                        " must be an absolute path without \"..\""};
    complete.working_directory = *plain;
    if (!stored && ::access(plain->c_str(), F_OK) != 0)
      TRY_VOID(make_directory(directory + "/upper" + *plain));
  }
  const std::int64_t group = request.pod["spec"]["securityContext"]["fsGroup"].as_int(-1);
  OciInput input{.request = complete,
                 .user = user.user,
                 .group = user.group,
                 .groups = user.groups,
                 .mounts = {},
                 .cgroup = cgroup_of_pod(uid) + "/" + request.run_id.substr(0, 12),
                 .cpu_scale = options_.cpu_scale(),
                 .capabilities_mask = capabilities_mask_};
  TRY(input.mounts, mounts_of(complete, directory, group));
  TRY_VOID(write_whole(directory + "/config.json", codec::to_json(oci_spec(input)), 0600));

  RunRecord record;
  record.uid = uid;
  record.directory = directory;
  record.cgroup = input.cgroup;
  record.terminal = request.container["tty"].as_bool();
  record.stand_in = builtin;
  if (request.container["terminationMessagePolicy"].as_string() == "FallbackToLogsOnError")
    record.fallback_log = log;
  record.state = Value::object({{"id", request.run_id},
                                {"container", name},
                                {"attempt", request.attempt},
                                {"sandbox", request.sandbox.attempt},
                                {"image", request.image.name},
                                {"image_id", request.image.id},
                                {"user", user.user},
                                {"group", user.group},
                                {"terminal", record.terminal},
                                {"stand_in", builtin},
                                {"stop_signal", request.image.stop_signal},
                                {"fallback_log", record.fallback_log},
                                {"started", loop_.now().unix_nanoseconds()}});
  TRY_VOID(write_whole(directory + "/state.json", codec::to_json(record.state), 0600));

  const std::string id = request.run_id;
  Value argv = Value::array();
  const auto add = [&](const std::vector<std::string>& words) {
    for (const std::string& word : words) argv.push_back(word);
  };
  add(crun({"--log", directory + "/launch.log", "--log-format", "json", "run", "--detach",
            "--bundle", directory, "--pid-file", directory + "/launched"}));
  const std::string console = disk_.root() + "/" + id.substr(0, 12) + ".sock";
  if (record.terminal) add({"--console-socket", console});
  add({id});
  Value cleanup = Value::array();
  for (const std::string& word : crun({"delete", "--force", id})) cleanup.push_back(word);
  Value namespaces = Value::array({disk_.pod(uid) + "/ns/ipc", disk_.pod(uid) + "/ns/uts"});
  if (!uses_host_network(request.pod)) namespaces.push_back(disk_.pod(uid) + "/ns/net");
  prepared.launch = Value::object(
      {{"op", "run"},
       {"run", id},
       {"dir", directory},
       {"log", log},
       {"argv", std::move(argv)},
       {"environment", Value::array({"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                                     "/sbin:/bin"})},
       {"directory", directory},
       {"pid_file", directory + "/launched"},
       {"oom_file", cgroups_.oom_file(input.cgroup)},
       {"namespaces", std::move(namespaces)},
       {"mounts", Value::array({root_mount(request, directory)})},
       {"stdin", request.container["stdin"].as_bool()},
       {"terminal", record.terminal},
       {"console", console},
       {"cleanup", std::move(cleanup)}});
  runs_[id] = std::move(record);
  return prepared;
}

}  // namespace keelson::node
