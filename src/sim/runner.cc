#include "sim/runner.h"

#include <algorithm>
#include <set>

#include "sim/check.h"
#include "sim/world.h"

namespace keelson::sim {
namespace {

// Where a sentence stands while the scenario runs.
struct Standing {
  const Expectation* expectation;
  bool decided = false, holds = false;
  bool begun = false;  // until, always: it has held once; from then on it must
  std::string detail;
  Instant since;  // never ... for: when it began to hold
};

class Run {
 public:
  Run(const Scenario& scenario, const RunOptions& options)
      : scenario_(scenario), world_(options.seed, scenario.start) {
    if (options.log)
      world_.on_change = [this, log = options.log](const std::string& what) {
        log(to_text(world_.elapsed()) + "  " + what);
      };
    directory_ = scenario.file.substr(0, std::min(scenario.file.rfind('/'), scenario.file.size()));
    if (scenario.file.find('/') == std::string::npos) directory_ = ".";
  }

  Result<RunReport> play() {
    TRY_VOID(world_.start());
    origin_ = world_.loop().now();
    for (const Phrase& phrase : scenario_.given) TRY_VOID(act(phrase));
    for (const Expectation& e : scenario_.expectations) {
      standings_.push_back({.expectation = &e});
      TRY_VOID(try_sentence(e));
    }
    traces_.resize(scenario_.traces.size());
    plan();
    const Instant end = origin_ + scenario_.length;
    while (true) {
      const Instant next = std::min(world_.loop().next(), times_.empty() ? end : *times_.begin());
      if (next > end) break;
      world_.loop().run_until(next);
      TRY_VOID(act_now());
      world_.loop().run_until(next);
      look();
      while (!times_.empty() && *times_.begin() <= next) times_.erase(times_.begin());
      if (next == end) break;
    }
    world_.loop().run_until(end);
    look();
    return report();
  }

 private:
  Error at_line(int line, const Error& error) const {
    return {.reason = Reason::bad_request,
            .message = scenario_.file + ":" + std::to_string(line) + ": " + error.message};
  }
  Result<void> act(const Phrase& phrase) {
    auto result = world_.act(phrase, directory_);
    if (!result.ok()) return at_line(phrase.line, result.error());
    return {};
  }
  // A sentence that is none is told before anything has happened.
  Result<void> try_sentence(const Expectation& e) {
    auto outcome = check(e);
    if (!outcome.ok()) return at_line(e.line, outcome.error());
    return {};
  }

  // The moments at which something is to happen or to be looked at besides the world's own.
  void plan() {
    for (const Event& e : scenario_.events) {
      times_.insert(origin_ + e.at);
      if (e.end) times_.insert(origin_ + *e.end);
    }
    for (const Expectation& e : scenario_.expectations)
      if (e.when <= When::until) times_.insert(origin_ + e.time);
  }

  Result<void> act_now() {
    const Instant now = world_.loop().now();
    while (next_event_ < scenario_.events.size() &&
           origin_ + scenario_.events[next_event_].at <= now) {
      const Event& event = scenario_.events[next_event_++];
      TRY_VOID(act(event.action));
      if (event.end) ending_.emplace_back(origin_ + *event.end, reverse(event.action));
    }
    for (std::size_t i = 0; i < ending_.size();) {
      if (ending_[i].first > now) {
        ++i;
        continue;
      }
      const Phrase phrase = ending_[i].second;
      ending_.erase(ending_.begin() + static_cast<std::ptrdiff_t>(i));
      TRY_VOID(act(phrase));
    }
    return {};
  }

  // What ends a "during": the opposite of what began it.
  static Phrase reverse(Phrase phrase) {
    std::string& verb = phrase.words[0];
    if (verb == "kill")
      verb = "power";
    else if (verb == "fail")
      verb = "heal";
    else if (verb == "cordon")
      verb = "uncordon";
    else if (verb == "crash")
      verb = "start";
    else if (verb == "load")
      phrase.options["rps"] = "0";
    return phrase;
  }

  Result<CheckOutcome> check(const Expectation& e) const {
    return evaluate(e.words, world_.view(),
                    [this](const std::string& target, const std::string& figure) {
                      return world_.traffic()->figure(target, figure);
                    });
  }

  void look() {
    if (!world_.running()) return;
    const Instant now = world_.loop().now();
    const Duration time = now - origin_;
    const store::Revision revision = world_.revision();
    const bool changed = revision != seen_;
    seen_ = revision;
    for (Standing& s : standings_) look_at(s, time, changed);
    if (!changed && !traces_.empty() && !traces_[0].empty()) return;
    for (std::size_t i = 0; i < traces_.size(); ++i) {
      const auto& words = scenario_.traces[i].second;
      const auto name = parse_object_name(words[0]);
      const std::string text = name.ok() ? field_text(*name, words[1], world_.view()) : "?";
      if (text == last_[i]) continue;
      last_[i] = text;
      traces_[i] += (traces_[i].empty() ? "" : " | ") + to_text(time) + " " + text;
    }
  }

  void look_at(Standing& s, Duration time, bool changed) {
    const Expectation& e = *s.expectation;
    if (s.decided) return;
    const bool timed = e.when == When::at || e.when == When::by || e.when == When::until;
    const bool due = timed && time >= e.time;
    if (e.when == When::at && !due) return;
    // Between changes only a deadline, a figure of a load or a length of time can decide anything.
    if (!changed && !due && e.words[0] != "load" && e.hold == Duration()) return;
    const auto outcome = check(e);
    const bool holds = outcome.ok() && outcome->holds;
    const auto decide = [&](bool good) {
      s.decided = true;
      s.holds = good;
      s.detail =
          "at " + to_text(time) + ": " + (outcome.ok() ? outcome->actual : outcome.error().message);
    };
    switch (e.when) {
      case When::at: decide(holds); return;
      case When::by:
        if (holds)
          decide(true);
        else if (due)
          decide(false);
        return;
      case When::until:
      case When::always:
        s.begun = s.begun || holds;
        if ((s.begun && !holds) || (due && !s.begun))
          decide(false);
        else if (due)
          decide(true);
        return;
      case When::never:
        if (!holds)
          s.since = Instant();
        else if (s.since.is_zero())
          s.since = world_.loop().now();
        if (holds && world_.loop().now() - s.since >= e.hold) decide(false);
        return;
    }
  }

  RunReport report() {
    RunReport result{.verdicts = {},
                     .traces = traces_,
                     .state_hash = world_.state_hash(),
                     .length = scenario_.length,
                     .revisions = world_.revision().number};
    for (const Standing& s : standings_) {
      const bool forever =
          s.expectation->when == When::never || (s.expectation->when == When::always && s.begun);
      result.verdicts.push_back(
          {s.expectation->line, s.expectation->text, s.decided ? s.holds : forever, s.detail});
    }
    for (std::size_t i = 0; i < traces_.size(); ++i) {
      const std::string wanted = i < scenario_.golden.size() ? scenario_.golden[i] : "";
      result.verdicts.push_back(
          {scenario_.traces[i].first,
           "trace " + scenario_.traces[i].second[0] + " " + scenario_.traces[i].second[1],
           wanted == traces_[i], "want " + wanted + "\n      got  " + traces_[i]});
    }
    return result;
  }

  const Scenario& scenario_;
  World world_;
  std::string directory_;
  Instant origin_;
  std::multiset<Instant> times_;
  std::size_t next_event_ = 0;
  std::vector<std::pair<Instant, Phrase>> ending_;
  std::vector<Standing> standings_;
  std::vector<std::string> traces_;
  std::map<std::size_t, std::string> last_;
  store::Revision seen_;
};

}  // namespace

bool RunReport::good() const {
  return std::all_of(verdicts.begin(), verdicts.end(), [](const Verdict& v) { return v.holds; });
}

Result<RunReport> run_scenario(const Scenario& scenario, const RunOptions& options) {
  return Run(scenario, options).play();
}

}  // namespace keelson::sim
