// kill_soak: a process with the store on a real disk, clients in it that write, read and watch at
// once, and a kill -9 at any moment: at work, in the middle of a snapshot, while it starts. Again
// and again; then the judge says whether anything was lost. The same history as in world.cc, of a
// real kernel and a real disk.
//
// The child tells each step before it takes it and each answer as it gets it, a line at a time, in
// a pipe: what stands in it has happened, whatever becomes of the child.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "base/check.h"
#include "base/prng.h"
#include "base/text.h"
#include "check.h"
#include "host/linux/files.h"
#include "host/linux/loop.h"
#include "store/store.h"

namespace keelson::history {

namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;
constexpr int kWriters = 8;
constexpr std::string_view kGroups[] = {"", "n0/", "n1/"};  // what the three watches watch

store::Options options_in(const std::string& directory) {
  return {.directory = directory,
          .history_time = Duration::hours(24),
          .history_events_max = 20'000,
          .restart_events_max = 500,
          .segment_bytes = 1u << 17,
          .snapshot_log_bytes = 1u << 20};
}

struct Plan {
  std::string directory;
  std::uint64_t seed = 1;
  int life = 0;
  store::Revision watched[3] = {{1}, {1}, {1}};
};

class Child {
 public:
  Child(const Plan& plan, int pipe) : plan_(plan), pipe_(pipe), rng_(plan.seed) {}

  [[noreturn]] void run() {
    auto opened = store::Store::open(loop_, *files_, options_in(plan_.directory));
    if (!opened.ok()) {
      say("F " + opened.error().message);
      ::_exit(1);
    }
    store_ = std::move(*opened);
    say("S " + store_->revision().text());
    for (int i = 0; i < 3; ++i) {
      auto watch = store_->subscribe(std::string(kGroups[i]), plan_.watched[i],
                                     store::Store::Delivery::durable,
                                     [this, i](const store::Event& event) { on_event(i, event); });
      if (!watch.ok()) {
        say("F watch: " + watch.error().message);
        ::_exit(1);
      }
      watches_[i] = std::move(*watch);
    }
    for (int i = 0; i < kWriters; ++i) loop_.post([this, i] { act(i); });
    loop_.run();
    ::_exit(2);
  }

 private:
  void say(std::string line) {
    line += '\n';
    KEELSON_CHECK(::write(pipe_, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  }
  // "E WATCH REVISION KEY VALUE BEFORE", "-" for none.
  void on_event(int watch, const store::Event& event) {
    const auto tag = [](const store::EntryPtr& entry) {
      return entry ? std::string(entry->bytes().substr(0, entry->bytes().find(' '))) : "-";
    };
    say("E " + std::to_string(watch) + " " + event.revision.text() + " " +
        std::string(event.key()) + " " + tag(event.entry) + " " + tag(event.previous));
  }

  // "B NUMBER KIND KEY EXPECTED VALUE", then "A NUMBER OUTCOME REVISION ITEMS...".
  void act(int client) {
    const std::uint64_t what = rng_.below(12);
    const std::string key = "n" + std::to_string(rng_.below(2)) + "/" +
                            std::string(1, static_cast<char>('a' + rng_.below(20)));
    const Kind kind = what < 3    ? Kind::create
                      : what < 6  ? Kind::update
                      : what < 7  ? Kind::write
                      : what < 9  ? Kind::remove
                      : what < 11 ? Kind::get
                                  : Kind::list;
    const store::EntryPtr entry = store_->get(key);
    const int number = ++made_;
    std::string value = "-";
    Revision expected = 0;
    if (kind == Kind::create || kind == Kind::update || kind == Kind::write)
      value = "g0#" + std::to_string(plan_.life) + "." + std::to_string(number);
    if (kind == Kind::update && entry) expected = entry->modified().number;
    say("B " + std::to_string(number) + " " + std::to_string(client) + " " +
        std::to_string(static_cast<int>(kind)) + " " + (kind == Kind::list ? "n0/" : key) + " " +
        std::to_string(expected) + " " + value);
    if (rng_.below(300) == 0) {
      say("N");
      store_->snapshot({});
    }
    store::Transaction change;
    Outcome outcome = Outcome::ok;
    store::Revision revision = store_->revision();
    std::string items;
    if (kind == Kind::get && !entry) outcome = Outcome::absent;
    if (kind == Kind::get && entry) items = item(entry);
    if (kind == Kind::list)
      store_->each("n0/", [&](const store::EntryPtr& one) { items += item(one); });
    if (kind == Kind::create) change.expects.push_back({key, {}});
    if (kind == Kind::update || kind == Kind::remove)
      change.expects.push_back({key, entry ? entry->modified() : store::Revision{INT64_MAX}});
    if (kind == Kind::remove) change.deletes.push_back(key);
    if (value != "-")
      change.puts.push_back({key, value + " " + std::string(rng_.below(4000), 'x')});
    if (!change.puts.empty() || !change.deletes.empty()) {
      const auto done = store_->commit(std::move(change));
      if (done.ok())
        revision = *done;
      else
        outcome = done.error().reason == Reason::already_exists ? Outcome::exists
                  : done.error().reason == Reason::not_found    ? Outcome::absent
                                                                : Outcome::conflict;
    }
    const bool told = outcome == Outcome::ok && kind != Kind::remove && kind != Kind::get;
    store_->when_durable(store_->revision(), [this, client,
                                              text = "A " + std::to_string(number) + " " +
                                                     std::to_string(static_cast<int>(outcome)) +
                                                     " " + (told ? revision.text() : "0") + items] {
      say(text);
      loop_.post([this, client] { act(client); });
    });
  }
  static std::string item(const store::EntryPtr& entry) {
    return " " + std::string(entry->key()) + " " +
           std::string(entry->bytes().substr(0, entry->bytes().find(' '))) + " " +
           entry->modified().text();
  }

  const Plan& plan_;
  int pipe_;
  Prng rng_;
  host::LinuxLoop loop_;
  std::unique_ptr<host::Files> files_ = host::make_linux_files();
  std::unique_ptr<store::Store> store_;
  std::shared_ptr<store::Subscription> watches_[3];
  int made_ = 0;
};

// What the children tell becomes one history.
class Parent {
 public:
  Parent(std::string directory, std::uint64_t seed) : rng_(seed) {
    plan_.directory = std::move(directory);
    for (int i = 0; i < 3; ++i)
      history_.watches.push_back(
          {.client = kWriters + i, .prefix = std::string(kGroups[i]), .from = 1});
  }

  // False: the child could not start.
  bool one_life(bool last) {
    ++plan_.life;
    plan_.seed = rng_.next();
    int ends[2];
    KEELSON_CHECK(::pipe(ends) == 0);
    const pid_t child = ::fork();
    KEELSON_CHECK(child >= 0);
    if (child == 0) {
      ::close(ends[0]);
      Child(plan_, ends[1]).run();
    }
    ::close(ends[1]);
    numbers_.clear();
    killed_ = false;
    // Some die while they start, most at work, some in the middle of a snapshot.
    if (!last && rng_.below(10) == 0) {
      ::usleep(static_cast<useconds_t>(rng_.below(4000)));
      kill(child);
    }
    lines_left_ = last ? 3000 : 5 + rng_.below(600);
    std::string text;
    char buffer[1 << 16];
    for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(n));
      std::size_t from = 0;
      for (std::size_t end = text.find('\n'); end != std::string::npos;
           end = text.find('\n', from)) {
        take(text.substr(from, end - from), child, last);
        from = end + 1;
      }
      text.erase(0, from);
    }
    ::close(ends[0]);
    int status = 0;
    KEELSON_CHECK(::waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && history_.failures.empty();
  }

  void finish() {
    host::LinuxLoop loop;
    const auto files = host::make_linux_files();
    auto opened = store::Store::open(loop, *files, options_in(plan_.directory));
    if (!opened.ok()) {
      history_.failures.push_back(opened.error().message);
      return;
    }
    store::Store& store = **opened;
    const auto seen = store.changes({history_.witnessed_to}, [this](const store::Event& event) {
      std::optional<std::string> value;
      if (event.entry)
        value = std::string(event.entry->bytes().substr(0, event.entry->bytes().find(' ')));
      witness({event.revision.number, std::string(event.key()), std::move(value)});
    });
    if (!seen.ok()) history_.failures.push_back(seen.error().message);
    Operation all{.client = 99, .kind = Kind::list, .keys = {""}, .begun = ++moment_};
    store.each("", [&](const store::EntryPtr& entry) {
      all.items.push_back({std::string(entry->key()),
                           std::string(entry->bytes().substr(0, entry->bytes().find(' '))),
                           entry->modified().number});
    });
    all.outcome = Outcome::ok;
    all.revision = store.revision().number;
    all.ended = ++moment_;
    history_.operations.push_back(std::move(all));
  }

  const History& history() const { return history_; }
  int snapshots_hit() const { return snapshots_hit_; }

 private:
  void kill(pid_t child) {
    if (!std::exchange(killed_, true)) ::kill(child, SIGKILL);
  }

  void take(const std::string& line, pid_t child, bool last) {
    const std::vector<std::string> words = split(line, ' ');
    switch (words[0][0]) {
      case 'S': history_.notes.emplace_back(++moment_, "started at revision " + words[1]); break;
      case 'F': history_.failures.push_back("it does not start: " + line.substr(2)); break;
      case 'N':
        if (!last && rng_.below(2) == 0) {
          ::usleep(static_cast<useconds_t>(rng_.below(3000)));
          ++snapshots_hit_;
          kill(child);
        }
        break;
      case 'B': begin(words); break;
      case 'A': answer(words); break;
      case 'E': event(words); break;
      default: KEELSON_CHECK(false);
    }
    if (lines_left_-- == 0) kill(child);
  }

  static std::int64_t number(const std::string& text) { return parse_int(text).value_or(-1); }

  void begin(const std::vector<std::string>& w) {
    Operation op{.client = static_cast<int>(number(w[2])),
                 .kind = static_cast<Kind>(number(w[3])),
                 .keys = {w[4]}};
    op.expected = number(w[5]);
    if (w[6] != "-") op.value = w[6];
    op.begun = ++moment_;
    numbers_[w[1]] = history_.operations.size();
    history_.operations.push_back(std::move(op));
  }
  void answer(const std::vector<std::string>& w) {
    Operation& op = history_.operations[numbers_.at(w[1])];
    op.outcome = static_cast<Outcome>(number(w[2]));
    op.revision = number(w[3]);
    for (std::size_t i = 4; i + 2 < w.size(); i += 3)
      op.items.push_back({w[i], w[i + 1], number(w[i + 2])});
    op.ended = ++moment_;
  }
  void event(const std::vector<std::string>& w) {
    const auto watch = static_cast<std::size_t>(number(w[1]));
    using Type = WatchEvent::Type;
    WatchEvent event{.item = {w[3], w[4] == "-" ? w[5] : w[4], number(w[2])}, .at = ++moment_};
    event.type = w[4] == "-" ? Type::removed : w[5] == "-" ? Type::added : Type::modified;
    plan_.watched[watch] = {event.revision()};
    if (watch == 0)
      witness(
          {event.revision(), w[3], w[4] == "-" ? std::nullopt : std::optional<std::string>(w[4])});
    history_.watches[watch].events.push_back(std::move(event));
  }
  void witness(Change change) {
    history_.witnessed_to = std::max(history_.witnessed_to, change.revision);
    history_.witnessed.push_back(std::move(change));
  }

  Plan plan_;
  Prng rng_;
  History history_;
  std::map<std::string, std::size_t> numbers_;  // of operations of this life
  Moment moment_ = 0;
  std::uint64_t lines_left_ = 0;
  int snapshots_hit_ = 0;
  bool killed_ = false;
};

int explain_use() {
  std::fprintf(stderr, "kill_soak [--kills N] [--seed N]: N from 1 on\n");
  return 2;
}

int main_of(const std::vector<std::string>& words) {
  if (words.size() % 2 != 0) return explain_use();
  long kills = 30, seed = 1;
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    const auto value = parse_int(words[i + 1]);
    if (words[i] == "--kills" && value) kills = *value;
    if (words[i] == "--seed" && value) seed = *value;
    if ((words[i] != "--kills" && words[i] != "--seed") || !value) return explain_use();
  }
  if (kills < 1) return explain_use();
  std::string directory = "/tmp/keelson-soak-XXXXXX";
  KEELSON_CHECK(::mkdtemp(directory.data()) != nullptr);
  const auto start = std::chrono::steady_clock::now();
  Parent parent(directory, static_cast<std::uint64_t>(seed));
  bool alive = true;
  for (long i = 0; i <= kills && alive; ++i) alive = parent.one_life(i == kills);
  parent.finish();
  const std::vector<Violation> violations = check(parent.history());
  if (!violations.empty()) {
    std::printf("%s(the directory is %s)\n", explain(violations.front(), parent.history()).c_str(),
                directory.c_str());
    return 1;
  }
  std::filesystem::remove_all(directory);
  std::size_t answered = 0, open = 0;
  for (const Operation& op : parent.history().operations) ++(op.ended == kNever ? open : answered);
  std::printf(
      "%ld kills in %.1f s, %d of them in a snapshot; %zu operations answered, %zu not; "
      "revision %lld: nothing was lost\n",
      kills, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
      parent.snapshots_hit(), answered, open,
      static_cast<long long>(parent.history().witnessed_to));
  return 0;
}

}  // namespace

}  // namespace keelson::history

int main(int count, char** values) {
  return keelson::history::main_of({values + 1, values + count});
}
