// The commands that are short: status, down, delete, logs, kubeconfig, load, version.
#include "app/commands.h"

#include <poll.h>
#include <sys/stat.h>

#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>

#include "app/instance.h"
#include "app/kubeconfig.h"
#include "app/left_behind.h"
#include "app/status.h"
#include "app/version.h"
#include "base/text.h"
#include "codec/json.h"

namespace keelson::app {
namespace {

int fail(const std::string& message) {
  std::fprintf(stderr, "keelson: %s\n", message.c_str());
  return 1;
}

struct Running {
  Instance instance;
  Client client;
};

// " --name blue", as a command has to be written for this engine.
std::string name_option(const std::string& name) {
  return name == CommonOptions().name ? "" : " --name " + name;
}

Error has_no_state(const Instance& instance) {
  std::vector<std::string> others = all_instances();
  return {.reason = Reason::not_found,
          .message = "engine \"" + instance.name + "\" has no state in " + instance.directory +
                     (others.empty() ? "" : "; there are: " + join(others, ", ")) +
                     "; keelson up PATH" + name_option(instance.name) + " makes it"};
}

Result<Running> find_running(const std::string& name) {
  TRY(Instance instance, find_instance(name));
  if (!std::filesystem::exists(instance.directory)) return has_no_state(instance);
  if (!running_pid(instance))
    return Error{.reason = Reason::service_unavailable,
                 .message = "engine \"" + name + "\" does not run; keelson up PATH" +
                            name_option(name) + " starts it"};
  TRY(Endpoint endpoint, read_kubeconfig(instance.kubeconfig()));
  return Running{std::move(instance), Client(std::move(endpoint))};
}

// The pod that "[NAMESPACE/]POD" or "[NAMESPACE/]KIND/NAME" names: itself, or the first pod of the
// workload.
Result<std::pair<std::string, std::string>> find_pod(Client& client, const std::string& target) {
  std::vector<std::string> parts = split(target, '/');
  static const std::pair<const char*, const char*> kKinds[] = {
      {"deployment", "deployments"}, {"deploy", "deployments"},   {"statefulset", "statefulsets"},
      {"sts", "statefulsets"},       {"daemonset", "daemonsets"}, {"ds", "daemonsets"},
      {"replicaset", "replicasets"}, {"rs", "replicasets"}};
  const auto plural_of = [&](const std::string& word) -> std::string {
    for (const auto& [kind, plural] : kKinds)
      if (word == kind || word == plural) return plural;
    return {};
  };
  std::string ns = "default";
  if (parts.size() == 3 ||
      (parts.size() == 2 && plural_of(parts[0]).empty() && parts[0] != "pod")) {
    ns = parts[0];
    parts.erase(parts.begin());
  }
  if (parts.size() == 1) return std::make_pair(ns, parts[0]);
  if (parts[0] == "pod" || parts[0] == "pods") return std::make_pair(ns, parts[1]);
  const std::string plural = plural_of(parts[0]);
  if (plural.empty())
    return Error{.reason = Reason::bad_request,
                 .message = "\"" + target + "\": use [NAMESPACE/]POD or [NAMESPACE/]deploy/NAME"};
  TRY(const codec::Value workload,
      client.get("/apis/apps/v1/namespaces/" + ns + "/" + plural + "/" + parts[1]));
  std::vector<std::string> terms;
  for (const codec::Member& m : workload.at("spec.selector.matchLabels").members())
    terms.push_back(std::string(m.key()) + "%3D" + m.value.str());
  TRY(const codec::Value pods,
      client.get("/api/v1/namespaces/" + ns + "/pods?labelSelector=" + join(terms, ",")));
  if (pods["items"].empty())
    return Error{.reason = Reason::not_found, .message = target + " has no pods"};
  return std::make_pair(ns, pods["items"][0].at("metadata.name").str());
}

ino_t inode_of(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

// The last lines of a log (all: -1), the older file of it first, and what is added to it until the
// reader goes away; a log that is begun anew meanwhile is followed.
bool print_log(const std::string& path, int tail, bool follow) {
  std::deque<std::string> lines;
  ino_t inode = inode_of(path);
  std::ifstream file(path);
  std::ifstream older(path + ".1");
  for (std::ifstream* part : {&older, &file})
    for (std::string line; std::getline(*part, line);) {
      lines.push_back(std::move(line));
      if (tail >= 0 && lines.size() > static_cast<std::size_t>(tail)) lines.pop_front();
    }
  for (const std::string& line : lines) std::printf("%s\n", line.c_str());
  while (std::fflush(stdout) == 0) {
    if (!follow) return true;
    poll(nullptr, 0, 200);
    const ino_t now = inode_of(path);
    file.clear();
    for (std::string line; std::getline(file, line);) std::printf("%s\n", line.c_str());
    if (now == inode || now == 0) continue;
    inode = now;
    file = std::ifstream(path);
  }
  return false;
}

}  // namespace

int command_status(const CommonOptions& options) {
  auto running = find_running(options.name);
  if (!running.ok()) {
    if (options.json) {
      std::printf("%s\n",
                  codec::to_json_indented(
                      codec::Value::object({{"well", false}, {"error", running.error().message}}))
                      .c_str());
      return 1;
    }
    return fail(running.error().message);
  }
  auto status = collect_status(running->client, running->instance);
  if (!status.ok()) return fail(status.error().message);
  if (auto added = add_not_acted_on(running->client, *status); !added.ok())
    return fail(added.error().message);
  if (options.json)
    std::printf("%s\n", codec::to_json_indented(*status).c_str());
  else
    print_status(*status);
  return (*status)["well"].as_bool() ? 0 : 1;
}

int command_down(const CommonOptions& options) {
  auto instance = find_instance(options.name);
  if (!instance.ok()) return fail(instance.error().message);
  if (!running_pid(*instance)) {
    const auto ended = end_left_behind(*instance);
    if (!ended.ok()) return fail(ended.error().message);
    std::printf("engine %s does not run%s\n", instance->name.c_str(),
                *ended ? "; what it had left running has ended" : "");
    return 0;
  }
  if (auto stopped = stop_engine(*instance, Duration::seconds(60)); !stopped.ok())
    return fail(stopped.error().message);
  std::printf("engine %s stopped; its state is kept in %s\n", instance->name.c_str(),
              instance->directory.c_str());
  return 0;
}

int command_delete(const CommonOptions& options, bool force) {
  auto instance = find_instance(options.name);
  if (!instance.ok()) return fail(instance.error().message);
  auto stopped = stop_engine(*instance, Duration::seconds(60));
  if (!stopped.ok() && force) stopped = kill_engine(*instance);
  if (!stopped.ok()) return fail(stopped.error().message);
  // Without its records nobody would find what a killed engine left running.
  if (const auto ended = end_left_behind(*instance); !ended.ok() && !force)
    return fail(ended.error().message + "; --force removes the state all the same");
  if (!std::filesystem::exists(instance->directory)) {
    std::printf("engine %s has no state\n", instance->name.c_str());
  } else {
    std::error_code failure;
    std::filesystem::remove_all(instance->directory, failure);
    if (failure) return fail(instance->directory + ": " + failure.message());
    std::printf("engine %s and its state are gone\n", instance->name.c_str());
  }
  if (auto removed = remove_context(user_kubeconfig_path(), instance->context()); !removed.ok())
    return fail(removed.error().message);
  return 0;
}

int command_logs(const LogsOptions& options) {
  if (options.target.empty()) {
    auto instance = find_instance(options.common.name);
    if (!instance.ok()) return fail(instance.error().message);
    if (!std::filesystem::exists(instance->log())) return fail(has_no_state(*instance).message);
    if (!options.container.empty()) return fail("--container: the engine has none; name a pod");
    return print_log(instance->log(), options.tail, options.follow) ? 0 : 1;
  }
  auto running = find_running(options.common.name);
  if (!running.ok()) return fail(running.error().message);
  auto pod = find_pod(running->client, options.target);
  if (!pod.ok()) return fail(pod.error().message);
  std::string path = "/api/v1/namespaces/" + pod->first + "/pods/" + pod->second +
                     "/log?follow=" + (options.follow ? "true" : "false");
  if (options.previous) path += "&previous=true";
  if (!options.container.empty()) path += "&container=" + options.container;
  if (options.tail >= 0) path += "&tailLines=" + std::to_string(options.tail);
  const auto code = running->client.stream(path, [](std::string_view bytes) {
    return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() &&
           std::fflush(stdout) == 0;
  });
  if (code.ok()) return 0;
  const bool bare = options.target.find('/') == std::string::npos;
  return fail(code.error().message +
              (code.error().reason == Reason::not_found && bare
                   ? " in namespace default; others: keelson logs NAMESPACE/" + options.target
                   : ""));
}

int command_kubeconfig(const CommonOptions& options) {
  auto instance = find_instance(options.name);
  if (!instance.ok()) return fail(instance.error().message);
  if (!std::filesystem::exists(instance->kubeconfig()))
    return fail(has_no_state(*instance).message);
  auto endpoint = read_kubeconfig(instance->kubeconfig());
  if (!endpoint.ok()) return fail(endpoint.error().message);
  std::printf("%s", kubeconfig_text(instance->context(), *endpoint).c_str());
  return 0;
}

int command_load(const LoadOptions& options) {
  auto report = run_load(options);
  if (!report.ok()) return fail(report.error().message);
  if (options.json)
    std::printf("%s\n", codec::to_json_indented(report->to_value()).c_str());
  else
    print_load_report(*report);
  return report->failed == 0 ? 0 : 1;
}

int command_version(const CommonOptions& options) {
  if (options.json)
    std::printf("%s\n",
                codec::to_json_indented(codec::Value::object({{"keelson", kVersion},
                                                              {"kubernetes", kKubernetesVersion}}))
                    .c_str());
  else
    std::printf("keelson %s (Kubernetes %s)\n", kVersion, kKubernetesVersion);
  return 0;
}

}  // namespace keelson::app
