#include "sim/scenario.h"

#include <algorithm>

#include "base/text.h"

namespace keelson::sim {
namespace {

constexpr std::size_t kShownMax = 80;  // of a line that is not understood

struct Line {
  int number = 0;
  std::size_t indent = 0;
  std::string text;  // without indent, comment and trailing blanks
};

// Words are separated by blanks; quotes of either kind keep blanks, and quotes of the other kind,
// together.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  bool any = false;
  for (const char c : text) {
    if (quote == 0 ? c == '"' || c == '\'' : c == quote) {
      quote = quote == 0 ? c : 0;
      any = true;
    } else if ((c == ' ' || c == '\t') && quote == 0) {
      if (any) words.push_back(std::exchange(word, {}));
      any = false;
    } else {
      word += c;
      any = true;
    }
  }
  if (any) words.push_back(word);
  return words;
}

// "rps=300" but not ".status.phase=Running", "app=web", "==" or ">=": an option's name is a plain
// word that is known.
bool is_option(const std::string& word) {
  static const std::vector<std::string> kNames = {
      "rps",    "cost",  "cpu",     "memory",      "pods",  "zone", "region",      "pool",
      "prefix", "label", "taint",   "start",       "ready", "stop", "run",         "exit",
      "crash",  "price", "latency", "concurrency", "for",   "idle", "per-request", "code"};
  const std::size_t at = word.find('=');
  return at != std::string::npos && at > 0 &&
         std::find(kNames.begin(), kNames.end(), word.substr(0, at)) != kNames.end();
}

class Parser {
 public:
  Parser(const std::string& file, const std::string& text) {
    scenario_.file = file;
    int number = 0;
    for (const std::string& raw : split(text, '\n')) {
      ++number;
      lines_.push_back({number, std::min(raw.find_first_not_of(' '), raw.size()), raw});
    }
  }

  Result<Scenario> parse() {
    for (; at_ < lines_.size(); ++at_) {
      const std::string line(trim(without_comment(lines_[at_].text)));
      if (line.empty()) continue;
      if (line == "----") {
        for (++at_; at_ < lines_.size(); ++at_)
          if (const std::string trace(trim(lines_[at_].text)); !trace.empty())
            scenario_.golden.push_back(trace);
        break;
      }
      TRY_VOID(take(line));
    }
    if (scenario_.name.empty()) return fail(1, "a scenario begins with \"scenario NAME\"");
    if (scenario_.expectations.empty() && scenario_.traces.empty())
      return fail(1, "nothing is expected: a \"then\" is missing");
    std::stable_sort(scenario_.events.begin(), scenario_.events.end(),
                     [](const Event& a, const Event& b) { return a.at < b.at; });
    if (scenario_.length == Duration()) {
      for (const Event& e : scenario_.events)
        scenario_.length = std::max({scenario_.length, e.at, e.end.value_or(e.at)});
      for (const Expectation& e : scenario_.expectations)
        scenario_.length = std::max(scenario_.length, e.time);
      scenario_.length += Duration::minutes(1);
    }
    return std::move(scenario_);
  }

 private:
  static std::string without_comment(const std::string& line) {
    const std::size_t at = line.find('#');
    return at == 0 || (at != std::string::npos && line[at - 1] == ' ') ? line.substr(0, at) : line;
  }

  Error fail(int line, const std::string& what) const {
    return {.reason = Reason::bad_request,
            .message = scenario_.file + ":" + std::to_string(line) + ": " + what};
  }

  Result<Duration> time(int line, const std::string& text) const {
    const auto parsed = parse_duration(text);
    if (!parsed || *parsed < Duration())
      return fail(line, "\"" + text + "\" is no time; write 0s, 90s, 3m30s or 2h");
    return *parsed;
  }

  Result<void> take(const std::string& line) {
    const std::vector<std::string> words = words_of(line);
    const int number = lines_[at_].number;
    const std::string& first = words[0];
    if (lines_[at_].indent == 0) {
      if (first == "scenario" && words.size() == 2)
        scenario_.name = words[1];
      else if ((first == "given" || first == "when" || first == "then") && words.size() == 1)
        section_ = first;
      else
        return fail(number, "expected scenario NAME, given, when, then or ----, not " +
                                quote(line.substr(0, kShownMax)));
      return {};
    }
    if (section_.empty()) return take_header(number, words);
    if (section_ == "given") {
      scenario_.given.push_back(phrase(words, line));
      return {};
    }
    return section_ == "when" ? take_event(number, words, line)
                              : take_expectation(number, words, line);
  }

  Result<void> take_header(int number, const std::vector<std::string>& words) {
    if (words[0] == "seed" && words.size() == 2) {
      const auto seed = parse_int(words[1]);
      if (!seed || *seed < 0) return fail(number, "\"" + words[1] + "\" is no seed");
      scenario_.seed = static_cast<std::uint64_t>(*seed);
      return {};
    }
    if (words[0] == "length" && words.size() == 2) {
      TRY(scenario_.length, time(number, words[1]));
      return {};
    }
    if (words[0] == "start" && words.size() == 2) {
      scenario_.start = parse_rfc3339(words[1]);
      if (!scenario_.start) return fail(number, "\"" + words[1] + "\" is no time as in RFC 3339");
      return {};
    }
    return fail(number, "below scenario stand seed N, length DURATION and start TIME, not \"" +
                            words[0] + "\"");
  }

  // The words and options, and the lines that are indented deeper than this one where it ends with
  // "|".
  Phrase phrase(std::vector<std::string> words, const std::string& text) {
    Phrase result{
        .line = lines_[at_].number, .words = {}, .options = {}, .text = text, .block = {}};
    if (!words.empty() && words.back() == "|") {
      words.pop_back();
      const std::size_t outer = lines_[at_].indent;
      std::size_t inner = 0;
      while (at_ + 1 < lines_.size()) {
        const Line& next = lines_[at_ + 1];
        const bool blank = trim(next.text).empty();
        if (!blank && next.indent <= outer) break;
        if (inner == 0 && !blank) inner = next.indent;
        result.block += (blank ? "" : next.text.substr(inner)) + "\n";
        ++at_;
      }
    }
    for (std::string& word : words) {
      if (is_option(word))
        result.options[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
      else
        result.words.push_back(std::move(word));
    }
    return result;
  }

  Result<void> take_event(int number, const std::vector<std::string>& words,
                          const std::string& text) {
    if (words.size() < 3 || (words[0] != "at" && words[0] != "during"))
      return fail(number, "expected \"at TIME ACTION\" or \"during TIME..TIME ACTION\"");
    Event event;
    if (words[0] == "at") {
      TRY(event.at, time(number, words[1]));
    } else {
      const std::size_t dots = words[1].find("..");
      if (dots == std::string::npos)
        return fail(number, "a period is TIME..TIME, not \"" + words[1] + "\"");
      TRY(event.at, time(number, words[1].substr(0, dots)));
      TRY(const Duration end, time(number, words[1].substr(dots + 2)));
      if (end <= event.at) return fail(number, "the period ends before it begins");
      event.end = end;
    }
    event.action = phrase({words.begin() + 2, words.end()}, text);
    scenario_.events.push_back(std::move(event));
    return {};
  }

  Result<void> take_expectation(int number, const std::vector<std::string>& words,
                                const std::string& text) {
    if (words[0] == "trace") {
      if (words.size() != 3) return fail(number, "expected \"trace OBJECT .PATH\"");
      scenario_.traces.emplace_back(number,
                                    std::vector<std::string>(words.begin() + 1, words.end()));
      return {};
    }
    Expectation expectation{.line = number};
    expectation.text = text;
    std::size_t next = 1;
    static const std::map<std::string, When> kWhen = {{"at", When::at},
                                                      {"by", When::by},
                                                      {"until", When::until},
                                                      {"always", When::always},
                                                      {"never", When::never}};
    const auto when = kWhen.find(words[0]);
    if (when == kWhen.end())
      return fail(number,
                  "expected at, by, until, always, never or trace, not \"" + words[0] + "\"");
    expectation.when = when->second;
    if (expectation.when <= When::until) {
      if (words.size() < 2) return fail(number, "a time is missing after \"" + words[0] + "\"");
      TRY(expectation.time, time(number, words[1]));
      next = 2;
    }
    expectation.words.assign(
        words.begin() + static_cast<std::ptrdiff_t>(std::min(next, words.size())), words.end());
    auto& rest = expectation.words;
    if (expectation.when == When::never && rest.size() > 3 && rest[rest.size() - 3] == "for" &&
        rest[rest.size() - 2] == ">") {
      TRY(expectation.hold, time(number, rest.back()));
      rest.resize(rest.size() - 3);
    }
    if (rest.empty()) return fail(number, "what is expected is missing");
    scenario_.expectations.push_back(std::move(expectation));
    return {};
  }

  Scenario scenario_;
  std::vector<Line> lines_;
  std::size_t at_ = 0;
  std::string section_;
};

}  // namespace

Result<Scenario> parse_scenario(const std::string& file, const std::string& text) {
  return Parser(file, text).parse();
}

}  // namespace keelson::sim
