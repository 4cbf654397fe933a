// history: runs worlds with one seed after another and judges what their clients saw. Of a history
// that breaks a guarantee it looks for a smaller one that breaks it too, and prints what concerns
// it. See README.md.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "check.h"
#include "world.h"

namespace keelson::history {

namespace {

struct Failure {
  Parameters parameters;
  History history;
  Violation violation;
};

std::optional<Failure> judge(const Parameters& parameters, const History& history) {
  const std::vector<Violation> violations = check(history);
  if (violations.empty()) return std::nullopt;
  return Failure{parameters, history, violations.front()};
}
std::optional<Failure> attempt(const Parameters& parameters) {
  return judge(parameters, run_world(parameters));
}

// Less of everything as long as something is still broken.
Failure smaller(Failure failure) {
  const auto better = [&](const auto& change) {
    Parameters less = failure.parameters;
    change(less);
    auto again = attempt(less);
    if (again) failure = std::move(*again);
    return again.has_value();
  };
  for (bool Parameters::*what :
       {&Parameters::faults, &Parameters::jumps, &Parameters::compactions, &Parameters::crashes})
    better([&](Parameters& p) { p.*what = false; });
  for (int Parameters::*what : {&Parameters::watchers, &Parameters::clients, &Parameters::keys})
    while (failure.parameters.*what > 1 && better([&](Parameters& p) { p.*what /= 2; })) {}
  while (failure.parameters.operations > 1 &&
         better([](Parameters& p) { p.operations = p.operations * 2 / 3; })) {}
  return failure;
}

int usage() {
  std::fputs(
      "history [--seconds N | --seeds N] [--seed FIRST] [--operations N] [--clients N]\n"
      "        [--watchers N] [--keys N] [--no-crashes] [--no-faults] [--no-jumps]\n"
      "        [--no-compactions] [--print]\n",
      stderr);
  return 2;
}

int main_of(const std::vector<std::string>& words) {
  Parameters parameters;
  long seconds = 0, seeds = 1;
  bool print = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--no-crashes")
      parameters.crashes = false;
    else if (word == "--no-faults")
      parameters.faults = false;
    else if (word == "--no-jumps")
      parameters.jumps = false;
    else if (word == "--no-compactions")
      parameters.compactions = false;
    else if (word == "--print")
      print = true;
    else if (i + 1 == words.size())
      return usage();
    else {
      const long number = std::strtol(words[++i].c_str(), nullptr, 10);
      if (word == "--seconds")
        seconds = number;
      else if (word == "--seeds")
        seeds = number;
      else if (word == "--seed")
        parameters.seed = static_cast<std::uint64_t>(number);
      else if (word == "--operations")
        parameters.operations = static_cast<int>(number);
      else if (word == "--clients")
        parameters.clients = static_cast<int>(number);
      else if (word == "--watchers")
        parameters.watchers = static_cast<int>(number);
      else if (word == "--keys")
        parameters.keys = static_cast<int>(number);
      else
        return usage();
    }
  }
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + std::chrono::seconds(seconds);
  std::size_t operations = 0, unknown = 0, events = 0, expired = 0, lives = 0;
  long done = 0;
  for (; seconds > 0 ? Clock::now() < end : done < seeds; ++done, ++parameters.seed) {
    const History history = run_world(parameters);
    if (auto failure = judge(parameters, history)) {
      std::printf("seed %llu breaks a guarantee; looking for a smaller history\n",
                  static_cast<unsigned long long>(parameters.seed));
      const Failure least = smaller(std::move(*failure));
      std::printf("again: history %s\n%s", to_text(least.parameters).c_str(),
                  explain(least.violation, least.history).c_str());
      return 1;
    }
    for (const Operation& op : history.operations) {
      ++operations;
      if (op.outcome == Operation::Outcome::unknown) ++unknown;
      if (print) std::printf("%s\n", describe(op, history).c_str());
    }
    for (const Watch& watch : history.watches)
      for (const WatchEvent& event : watch.events) {
        ++events;
        if (event.type == WatchEvent::Type::expired) ++expired;
      }
    for (const auto& [at, text] : history.notes)
      if (text.starts_with("started")) ++lives;
  }
  std::printf(
      "%ld histories: %zu operations (%zu without an answer), %zu events of watches (%zu "
      "expired), %zu starts of the server: every guarantee held\n",
      done, operations, unknown, events, expired, lives);
  return 0;
}

}  // namespace

}  // namespace keelson::history

int main(int count, char** values) {
  return keelson::history::main_of({values + 1, values + count});
}
