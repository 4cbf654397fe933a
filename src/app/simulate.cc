// keelson simulate: plays a scenario in virtual time, prints which sentences hold, and ends with
// the state's hash.
#include <cstdio>
#include <fstream>
#include <sstream>

#include "app/commands.h"
#include "app/terminal.h"
#include "sim/runner.h"

namespace keelson::app {
namespace {

int fail(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return 2;
}

// Puts the traces of this run below ---- in the file.
bool update_golden(const std::string& path, std::string text,
                   const std::vector<std::string>& traces) {
  if (const std::size_t mark = text.find("\n----"); mark != std::string::npos)
    text.resize(mark + 1);
  if (!traces.empty()) text += "----\n";
  for (const std::string& trace : traces) text += trace + "\n";
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  return static_cast<bool>(file);
}

}  // namespace

int command_simulate(const SimulateOptions& options) {
  std::ifstream file(options.scenario, std::ios::binary);
  if (!file) return fail("keelson: " + options.scenario + ": cannot be read");
  std::stringstream text;
  text << file.rdbuf();
  auto scenario = sim::parse_scenario(options.scenario, text.str());
  if (!scenario.ok()) return fail(scenario.error().message);
  const std::uint64_t seed = options.seed_given ? options.seed : scenario->seed;
  sim::RunOptions run{.seed = seed, .log = {}};
  if (options.verbose) run.log = [](const std::string& line) { std::printf("%s\n", line.c_str()); };
  auto report = sim::run_scenario(*scenario, run);
  if (!report.ok()) return fail(report.error().message);
  if (options.update && !update_golden(options.scenario, text.str(), report->traces))
    return fail("keelson: " + options.scenario + ": cannot be written");

  bool good = true;
  for (const sim::Verdict& verdict : report->verdicts) {
    const bool updated = options.update && verdict.text.starts_with("trace ");
    good = good && (verdict.holds || updated);
    if (verdict.holds || updated)
      std::printf("%s  %s\n", green("holds").c_str(), verdict.text.c_str());
    else
      std::printf("%s  %s:%d: %s\n      %s\n", red("FAILS").c_str(), options.scenario.c_str(),
                  verdict.line, verdict.text.c_str(), verdict.detail.c_str());
  }
  for (const std::string& trace : report->traces) std::printf("trace  %s\n", trace.c_str());
  std::printf("%s: %s after %s of virtual time, %lld revisions, seed %llu\n",
              scenario->name.c_str(), good ? "all holds" : "not all holds",
              to_text(report->length).c_str(), static_cast<long long>(report->revisions),
              static_cast<unsigned long long>(seed));
  if (!good)
    std::printf("again: keelson simulate %s --seed %llu -v\n", options.scenario.c_str(),
                static_cast<unsigned long long>(seed));
  std::printf("state %016llx\n", static_cast<unsigned long long>(report->state_hash));
  return good ? 0 : 1;
}

}  // namespace keelson::app
