// `keelson test golden`: finds recordings, gives each to the player of its kind, counts.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "app/commands.h"
#include "app/golden/api_player.h"
#include "app/golden/control_player.h"
#include "app/golden/hpa_player.h"
#include "app/golden/player.h"
#include "app/golden/scheduler_player.h"
#include "app/golden/webhook_server.h"
#include "app/golden/workload_player.h"
#include "app/instance.h"
#include "app/kubeconfig.h"
#include "base/text.h"
#include "codec/json.h"

namespace keelson::app {
namespace {

namespace fs = std::filesystem;

constexpr int kConnections = 12;
const Duration kStartLimit = Duration::seconds(60);

std::vector<Player> players() {
  return {hpa_player(), scheduler_player(), workload_player(), control_player()};
}

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The JSON files at and below the paths, sorted. A path that is not there is an error.
Result<std::vector<std::string>> files_of(const std::vector<std::string>& paths) {
  std::set<std::string> files;
  for (const std::string& path : paths) {
    std::error_code failure;
    if (fs::is_regular_file(path, failure)) {
      files.insert(path);
      continue;
    }
    fs::recursive_directory_iterator at(path, failure), end;
    if (failure)
      return Error{.reason = Reason::not_found, .message = path + ": " + failure.message()};
    for (; at != end; at.increment(failure))
      if (at->is_regular_file() && at->path().extension() == ".json")
        files.insert(at->path().string());
  }
  return std::vector<std::string>(files.begin(), files.end());
}

// A bare API server of our own for the time of one run.
class Engine {
 public:
  Result<Endpoint> start() {
    remove_left_behind();
    directory_ = (fs::temp_directory_path() / ("keelson-golden-" + std::to_string(getpid())));
    instance_ = Instance{.name = "golden-" + std::to_string(getpid()), .directory = directory_};
    started_ = true;
    TRY([[maybe_unused]] const int process,
        start_engine(instance_,
                     {"--controllers", "none", "--listen", "127.0.0.1:0", "--kubeconfig",
                      directory_ + "/golden.kubeconfig"},
                     kStartLimit, Lifetime::as_ours));
    return read_kubeconfig(directory_ + "/golden.kubeconfig");
  }
  ~Engine() {
    if (!started_) return;
    if (const auto stopped = stop_engine(instance_, Duration::seconds(20)); !stopped.ok()) {
      std::cerr << stopped.error().message << '\n';
      return;
    }
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }

 private:
  // Of players that were killed.
  static void remove_left_behind() {
    constexpr std::string_view kPrefix = "keelson-golden-";
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(fs::temp_directory_path(), ignored)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with(kPrefix)) continue;
      const auto process = parse_int(std::string_view(name).substr(kPrefix.size()));
      if (process && *process > 0 && kill(static_cast<pid_t>(*process), 0) != 0 && errno == ESRCH)
        fs::remove_all(entry.path(), ignored);
    }
  }

  std::string directory_;
  Instance instance_;
  bool started_ = false;
};

std::vector<PlayResult> play_conversations(const ApiPlayer& player, const GoldenOptions& options) {
  Engine engine;
  Result<Endpoint> server =
      options.kubeconfig.empty() ? engine.start() : read_kubeconfig(options.kubeconfig);
  if (!server.ok()) return player.failed(server.error().message);
  if (!player.needs_webhook()) return player.run(*server, kConnections, {});
  const auto webhook = WebhookServer::start();
  if (!webhook.ok()) return player.failed(webhook.error().message);
  return player.run(*server, kConnections, (*webhook)->variables());
}

struct Count {
  int passed = 0, failed = 0, skipped = 0;
};

class Tally {
 public:
  explicit Tally(int show) : show_(show) {}

  void add(const std::vector<PlayResult>& results) {
    for (const PlayResult& result : results) {
      Count& count = counts_[result.category];
      ++(result.skipped ? count.skipped : result.passed ? count.passed : count.failed);
      if (result.passed || result.skipped || shown_++ >= show_) continue;
      std::cout << result.name << '\n';
      for (const std::string& line : split(result.difference, '\n'))
        std::cout << "    " << line.substr(0, 700) << '\n';
    }
  }

  // Prints the counts; whether everything passed.
  bool print() const {
    Count sum;
    for (const auto& [category, count] : counts_) {
      std::cout << category << ": " << count.passed << " of " << count.passed + count.failed
                << " equal";
      if (count.skipped > 0) std::cout << ", " << count.skipped << " skipped";
      std::cout << '\n';
      sum.passed += count.passed;
      sum.failed += count.failed;
    }
    total_ = sum;
    return sum.failed == 0;
  }
  void print_total() const {
    std::cout << total_.passed << " passed, " << total_.failed << " failed" << std::endl;
  }

  // Categories in which fewer are equal than the file of floors says ("CATEGORY LEAST" lines, #
  // for comments), and those with failures that it does not name.
  std::vector<std::string> below(const std::string& floors_path) const {
    std::vector<std::string> low;
    std::ifstream file(floors_path);
    if (!file) return {floors_path + " cannot be read"};
    std::set<std::string> named;
    std::string line;
    while (std::getline(file, line)) {
      std::istringstream words(line.substr(0, line.find('#')));
      std::string category;
      int least = 0;
      if (!(words >> category >> least)) continue;
      named.insert(category);
      const auto found = counts_.find(category);
      const int passed = found == counts_.end() ? 0 : found->second.passed;
      if (passed < least)
        low.push_back(category + ": " + std::to_string(passed) + " equal, the floor is " +
                      std::to_string(least));
    }
    for (const auto& [category, count] : counts_)
      if (count.failed > 0 && !named.contains(category))
        low.push_back(category + ": " + std::to_string(count.failed) + " failed, and no floor");
    return low;
  }

 private:
  int show_, shown_ = 0;
  std::map<std::string, Count> counts_;
  mutable Count total_;
};

}  // namespace

int command_test_golden(const GoldenOptions& options) {
  const auto files = files_of(options.paths);
  if (!files.ok()) {
    std::cerr << files.error().message << '\n';
    return 2;
  }
  const std::vector<Player> all = players();
  ApiPlayer conversations;
  Tally tally(options.show);
  for (const std::string& path : *files) {
    const std::string text = content_of(path);
    const auto parsed = codec::parse_json(text);
    if (!parsed.ok()) {
      tally.add({{.category = "unreadable",
                  .name = path,
                  .passed = false,
                  .difference = parsed.error().message}});
      continue;
    }
    if (ApiPlayer::recognises(*parsed)) {
      conversations.add(text, options.only);
      continue;
    }
    const auto player = std::find_if(all.begin(), all.end(), [&](const Player& candidate) {
      return candidate.recognises(*parsed);
    });
    if (player == all.end()) {
      tally.add({{.category = "without player", .name = path, .skipped = true}});
      continue;
    }
    std::vector<PlayResult> results = player->play(*parsed, path);
    std::erase_if(results, [&](const PlayResult& result) {
      return result.name.substr(0, options.only.size()) != options.only;
    });
    tally.add(results);
  }
  if (!conversations.empty()) tally.add(play_conversations(conversations, options));
  bool good = tally.print();
  if (!options.floors.empty()) {
    const std::vector<std::string> low = tally.below(options.floors);
    for (const std::string& line : low) std::cout << line << '\n';
    good = low.empty();
  }
  tally.print_total();
  return good ? 0 : 1;
}

}  // namespace keelson::app
