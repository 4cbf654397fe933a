// keelson up: an engine that runs, the manifests in it, and everything ready; or what is not, and
// where it stands.
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>

#include "app/apply.h"
#include "app/commands.h"
#include "app/engine_report.h"
#include "app/instance.h"
#include "app/kubeconfig.h"
#include "app/status.h"
#include "app/terminal.h"

namespace keelson::app {
namespace {

using Clock = std::chrono::steady_clock;

int fail(const std::string& message) {
  std::fprintf(stderr, "keelson: %s\n", message.c_str());
  return 1;
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string stamp(Clock::time_point start) {
  char text[32];
  std::snprintf(text, sizeof text, "%6.1fs ", seconds_since(start));
  return text;
}

// Applies all; a part that fails because its kind or namespace is still on its way is tried once
// more at the end.
std::vector<std::string> apply_all(Client& client, const Manifests& manifests) {
  Applier applier(client);
  std::vector<std::string> problems;
  std::vector<const Manifest*> again;
  std::size_t created = 0, good = 0;
  for (const Manifest& manifest : manifests.parts) {
    const Applied applied = applier.apply(manifest);
    if (!applied.good) again.push_back(&manifest);
    good += applied.good ? 1 : 0;
    created += applied.created ? 1 : 0;
  }
  for (const Manifest* manifest : again) {
    const Applied applied = applier.apply(*manifest);
    good += applied.good ? 1 : 0;
    created += applied.created ? 1 : 0;
    problems.insert(problems.end(), applied.problems.begin(), applied.problems.end());
  }
  std::fprintf(stderr, "applied %zu of %zu manifests, %zu of them new\n", good,
               manifests.parts.size(), created);
  return problems;
}

std::vector<std::string> progress_lines(const codec::Value& status) {
  std::size_t well = 0;
  std::vector<std::string> lines;
  for (const codec::Value& w : status["workloads"].elements()) {
    if (w["well"].as_bool()) {
      ++well;
      continue;
    }
    lines.push_back("        " + w["namespace"].str() + "/" + w["name"].str() + "  " +
                    std::to_string(w["ready"].as_int()) + "/" +
                    std::to_string(w["wanted"].as_int()) + " ready, " + w["reason"].str());
  }
  lines.insert(lines.begin(),
               std::to_string(well) + " of " + std::to_string(status["workloads"].size()) +
                   " workloads ready, " + std::to_string(status["pods"]["ready"].as_int()) +
                   " of " + std::to_string(status["pods"]["total"].as_int()) + " pods");
  // Of what is not well only the engine itself: all else stands behind a workload.
  for (const codec::Value& trouble : status["notWell"].elements())
    if (trouble["object"].as_string().starts_with("Engine "))
      lines.insert(lines.begin() + 1,
                   "        " + trouble["object"].str() + ": " + trouble["reason"].str());
  if (lines.size() > 15) lines.resize(15);
  return lines;
}

Result<codec::Value> look_once(Client& client, const Instance& instance) {
  TRY(codec::Value status, collect_status(client, instance));
  TRY_VOID(add_not_acted_on(client, status));
  return status;
}

// Waits until everything is well in two looks in a row: a controller may not have begun at the
// first.
Result<codec::Value> wait_until_well(Client& client, const Instance& instance,
                                     const UpOptions& options, Clock::time_point start) {
  LiveLines live;
  int well = 0;
  while (true) {
    TRY(codec::Value status, collect_status(client, instance));
    live.show(stamp(start), progress_lines(status));
    well = status["well"].as_bool() ? well + 1 : 0;
    if (well >= 2 || seconds_since(start) > options.timeout.to_seconds()) {
      TRY_VOID(add_not_acted_on(client, status));
      return status;
    }
    poll(nullptr, 0, well > 0 ? 20 : 150);
  }
}

// An engine that answers. One that holds its lock and does not answer is starting, or dying after a
// kill: whichever it turns out to be, it is waited for.
Result<Endpoint> ensure_running(const Instance& instance, const UpOptions& options,
                                Clock::time_point start) {
  constexpr double kLimit = 30;
  while (true) {
    if (!running_pid(instance)) {
      std::vector<std::string> arguments = options.api_options;
      if (!options.listen.empty()) arguments.insert(arguments.end(), {"--listen", options.listen});
      const auto pid = start_engine(instance, arguments, Duration::seconds(30));
      // Another up was quicker: its engine is as good.
      if (!pid.ok() && running_pid(instance) && seconds_since(start) < kLimit) continue;
      if (!pid.ok()) return pid.error();
      std::fprintf(stderr, "%sengine %s started (process %d)\n", stamp(start).c_str(),
                   instance.name.c_str(), *pid);
      return read_kubeconfig(instance.kubeconfig());
    }
    auto endpoint = read_kubeconfig(instance.kubeconfig());
    if (endpoint.ok() && Client(*endpoint).get("/version").ok()) {
      if (!options.listen.empty() && !endpoint->server.ends_with(options.listen))
        std::fprintf(stderr,
                     "keelson: the engine already runs at %s; --listen needs a keelson down\n",
                     endpoint->server.c_str());
      if (!options.api_options.empty())
        std::fprintf(stderr,
                     "keelson: the engine already runs; options of its API server need a keelson "
                     "down\n");
      return endpoint;
    }
    if (seconds_since(start) > kLimit)
      return Error{.reason = Reason::timeout,
                   .message = "engine " + instance.name + " runs (process " +
                              std::to_string(running_pid(instance).value_or(0)) +
                              ") and does not answer; see " + instance.log()};
    poll(nullptr, 0, 10);
  }
}

// Before the wait for what may never be ready because of them.
void tell_losses(Client& client) {
  const auto engines = client.get(kEnginePath);
  if (!engines.ok()) return;  // a bare API server
  for (const codec::Value& engine : (*engines)["items"].elements())
    for (const codec::Value& loss : engine.at("status.losses").elements())
      std::fprintf(stderr, "not available on this machine: %s\n", loss.str().c_str());
}

// An engine that was told to stop closes its connections before it is gone.
bool ends_soon(const Instance& instance) {
  for (int i = 0; i < 120 && running_pid(instance); ++i) poll(nullptr, 0, 50);
  return !running_pid(instance);
}

}  // namespace

int command_up(const UpOptions& options) {
  const auto start = Clock::now();
  auto manifests = read_manifests(options.paths);
  if (!manifests.ok()) return fail(manifests.error().message);
  auto instance = find_instance(options.common.name);
  if (!instance.ok()) return fail(instance.error().message);

  if (manifests->parts.empty()) {
    for (const std::string& problem : manifests->problems)
      std::fprintf(stderr, "%s\n", red(problem).c_str());
    return fail("there is nothing to apply");
  }

  auto endpoint = ensure_running(*instance, options, start);
  if (!endpoint.ok()) return fail(endpoint.error().message);
  if (auto added = add_context(user_kubeconfig_path(), instance->context(), *endpoint); !added.ok())
    std::fprintf(stderr, "keelson: %s; use --kubeconfig %s\n", added.error().message.c_str(),
                 instance->kubeconfig().c_str());

  Client client(*endpoint);
  tell_losses(client);
  std::vector<std::string> problems = manifests->problems;
  const auto refused = apply_all(client, *manifests);
  problems.insert(problems.end(), refused.begin(), refused.end());
  for (const std::string& problem : problems) std::fprintf(stderr, "%s\n", red(problem).c_str());

  auto status = options.wait ? wait_until_well(client, *instance, options, start)
                             : look_once(client, *instance);
  if (!status.ok() && ends_soon(*instance))
    return fail("engine " + instance->name + " was stopped before all was ready");
  if (!status.ok()) return fail(status.error().message);
  std::printf("\n");
  print_status(*status);
  const bool well = problems.empty() && (!options.wait || (*status)["well"].as_bool());
  std::string outcome =
      well ? green(options.wait ? "All is ready" : "Applied") : red("Not all is well");
  std::printf("\n%s after %.1f s", outcome.c_str(), seconds_since(start));
  if (!problems.empty()) std::printf("; %zu problems with manifests, named above", problems.size());
  std::printf(". kubectl --context %s get pods -A\n", instance->context().c_str());
  return well ? 0 : 1;
}

}  // namespace keelson::app
