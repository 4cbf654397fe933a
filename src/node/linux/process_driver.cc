// The records on disk are those of the driver with privileges, so recovery is shared.
#include "node/linux/process_driver.h"

#include <unistd.h>

#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"
#include "node/pod_spec.h"

namespace keelson::node {

void ProcessDriver::sandbox_attached(const Value& pod, int attempt, cluster::PodAttachment,
                                     std::function<void(Result<Sandbox>)> done) {
  const std::string uid(model::uid_of(pod));
  const std::string directory = disk_.pod(uid);
  if (const auto made = make_directory(directory + "/c"); !made.ok()) return done(made.error());
  Sandbox sandbox;
  sandbox.state = Sandbox::State::ready;
  sandbox.id = uid + "-" + std::to_string(attempt);
  sandbox.attempt = attempt;
  // Not reused while this process lives; an adopted pod keeps what it has.
  bool taken = true;
  while (taken) {
    const std::uint32_t n = ++addresses_;
    sandbox.address = "127." + std::to_string(64 + (n >> 16 & 63)) + "." +
                      std::to_string(n >> 8 & 255) + "." + std::to_string(n & 255);
    taken = false;
    for (const auto& [other, record] : pods_)
      if (other != uid && record.sandbox.address == sandbox.address) taken = true;
  }
  const Value stored = Value::object({{"id", sandbox.id},
                                      {"attempt", attempt},
                                      {"address", sandbox.address},
                                      {"network", ""},
                                      {"reachable", true},
                                      {"attached", false},
                                      {"boot", read_whole("/proc/sys/kernel/random/boot_id", 64)}});
  for (const auto& [name, value] : {std::pair("/pod.json", &pod), {"/sandbox.json", &stored}})
    if (const auto written = write_whole(directory + name, codec::to_json(*value), 0600);
        !written.ok())
      return done(written.error());
  PodRecord& record = pods_[uid];
  record.pod = pod;
  record.sandbox = sandbox;
  done(std::move(sandbox));
}

Result<CrunDriver::Prepared> ProcessDriver::prepare(const ContainerRequest& request) {
  if (request.image.kind == Image::Kind::stored)
    return Error{
        Reason::forbidden,
        "the image " + request.image.name +
            " needs a root file system of its own, which needs privileges; stand-ins work"};
  const std::string uid(model::uid_of(request.pod));
  const std::string name = request.container["name"].str();
  const bool builtin = request.image.kind == Image::Kind::builtin_stand_in;
  Prepared prepared;
  prepared.directory = disk_.container(uid, request.run_id);
  TRY_VOID(make_directory(prepared.directory));
  const std::string log = disk_.log(request.pod, name, request.attempt);
  TRY_VOID(make_directory(log.substr(0, log.rfind('/'))));
  prepared.user = {static_cast<std::int64_t>(::geteuid()), static_cast<std::int64_t>(::getegid())};

  std::vector<std::string> words = builtin ? stand_in_argv(request) : request.argv;
  if (words.empty()) return Error{Reason::invalid, "no command specified"};
  if (builtin) {
    words[0] = keeper_.helper();
    words[3] = prepared.directory + "/model.json";
    TRY_VOID(write_whole(words[3], model_text(request)));
    words.insert(words.end(), {"--address", request.sandbox.address});
  }
  Value argv = Value::array(), environment = Value::array();
  for (const std::string& word : words) argv.push_back(word);
  bool has_path = false;
  for (const auto& [key, value] : request.environment) {
    environment.push_back(key + "=" + value);
    has_path = has_path || key == "PATH";
  }
  if (!has_path)
    environment.push_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  environment.push_back("HOSTNAME=" + request.pod["metadata"]["name"].str());
  environment.push_back("KEELSON_VOLUMES=" + disk_.pod(uid) + "/volumes");

  RunRecord record;
  record.uid = uid;
  record.directory = prepared.directory;
  record.cgroup = cgroup_of_pod(uid) + "/" + request.run_id.substr(0, 12);
  record.stand_in = builtin;
  record.state = Value::object({{"id", request.run_id},
                                {"container", name},
                                {"attempt", request.attempt},
                                {"sandbox", request.sandbox.attempt},
                                {"image", request.image.name},
                                {"image_id", request.image.id},
                                {"user", prepared.user.user},
                                {"group", prepared.user.group},
                                {"stand_in", builtin},
                                {"started", loop_.now().unix_nanoseconds()}});
  TRY_VOID(write_whole(prepared.directory + "/state.json", codec::to_json(record.state), 0600));
  prepared.launch =
      Value::object({{"op", "run"},
                     {"run", request.run_id},
                     {"dir", prepared.directory},
                     {"log", log},
                     {"argv", std::move(argv)},
                     {"environment", std::move(environment)},
                     {"directory", request.working_directory.empty() ? prepared.directory
                                                                     : request.working_directory},
                     {"pid_file", ""},
                     {"stdin", request.container["stdin"].as_bool()}});
  runs_[request.run_id] = std::move(record);
  return prepared;
}

std::vector<std::string> ProcessDriver::exec_argv(const std::string&, bool,
                                                  const std::vector<std::string>& command) const {
  return command;
}

// Of the process itself and the children that it has waited for.
std::optional<Usage> ProcessDriver::usage(const std::string& run_id) {
  const auto at = runs_.find(run_id);
  if (at == runs_.end()) return std::nullopt;
  const std::string pid(trim(read_whole(at->second.directory + "/pid", 32)));
  const std::string text = read_whole("/proc/" + pid + "/stat", 4096);
  const std::size_t end = text.rfind(") ");
  if (pid.empty() || end == std::string::npos) return std::nullopt;
  const std::vector<std::string> fields = split(std::string_view(text).substr(end + 2), ' ');
  if (fields.size() < 22) return std::nullopt;
  const auto number = [&](std::size_t i) { return parse_int(fields[i]).value_or(0); };
  const std::int64_t ticks = number(11) + number(12) + number(13) + number(14);
  Usage usage;
  usage.cpu = Duration::nanoseconds(ticks * (1'000'000'000 / ::sysconf(_SC_CLK_TCK)));
  usage.memory = number(21) * ::sysconf(_SC_PAGESIZE);
  return usage;
}

}  // namespace keelson::node
