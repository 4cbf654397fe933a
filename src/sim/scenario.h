// Scenario: the test language of this project, read from a file. given: topology, manifests,
// models, load; when: what happens at which virtual time; then: what must hold. docs/scenarios.md
// is the reference.
//
//   scenario web/survives-a-node
//     seed 7
//   given
//     nodes 3 cpu=4 memory=16Gi zone=a,b
//     apply web.yaml
//     load svc/web rps=300 cost=2m
//   when
//     at 1m   kill node/n2
//   then
//     by 7m   deploy/web .status.readyReplicas == 4
//     always  pods app=web ready >= 2
//     trace   deploy/web .spec.replicas
//   ----
//   0s 3 | 1m15s 6
//
// This file only reads; it knows no cluster. Every line keeps its number for messages.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace keelson::sim {

// "kill node/n2 for=30s" : words without "=", and options.
struct Phrase {
  int line = 0;
  std::vector<std::string> words;
  std::map<std::string, std::string> options;
  std::string text;   // as written
  std::string block;  // the indented lines below it (a manifest), unindented
};

struct Event {
  Duration at;
  std::optional<Duration> end;  // of "during A..B"
  Phrase action;
};

enum class When { at, by, until, always, never };

struct Expectation {
  When when = When::always;
  Duration time;  // of at, by, until
  Duration hold;  // never ... for > 60s: it must have held so long to count
  std::vector<std::string> words;
  std::string text;
  int line = 0;
};

struct Scenario {
  std::string file, name;
  std::uint64_t seed = 1;
  Duration length;  // "length 30m"; zero: until the last time that is named, and a minute more
  std::optional<Instant> start;  // "start 2026-10-25T00:00:00Z": the date at time 0
  std::vector<Phrase> given;
  std::vector<Event> events;  // in order of time
  std::vector<Expectation> expectations;
  std::vector<std::pair<int, std::vector<std::string>>> traces;  // line, words after "trace"
  std::vector<std::string> golden;                               // lines below ----, one per trace
};

// Error: bad_request "FILE:LINE: what is wrong".
Result<Scenario> parse_scenario(const std::string& file, const std::string& text);

}  // namespace keelson::sim
