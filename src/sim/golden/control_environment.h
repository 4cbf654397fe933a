// ControlEnvironment: the kubelets of a recording in tests/golden/controllers. They renew the
// leases of their nodes, run pods by the scenario's rules, end those that are asked to go, and are
// away while a node is lost. They change nothing between the moments that are due.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/golden/world.h"

namespace keelson::sim::golden {

class ControlEnvironment {
 public:
  // Renews the leases of all nodes that are there and not lost, if the scenario runs the node
  // controllers. The scenario outlives it.
  ControlEnvironment(World& world, const Value& scenario, Instant start);

  // When something changes by itself next; nullopt: never.
  std::optional<Instant> next_due() const;
  // Brings all up to the present.
  void advance();

 private:
  struct Kubelet {
    std::string node;
    Instant renewal;    // the next one
    bool gone = false;  // its node was deleted: it does not register again
    Instant back = {};  // the last return that has been played
  };
  // Where a pod stands in its rule.
  struct Life {
    Instant made;                // exact; the pod's own creation time has whole seconds
    std::optional<Instant> due;  // its next step; nullopt: none
    enum class Step : std::uint8_t { start, get_ready, end_run, restart } step = Step::start;
    std::size_t run = 0;  // of the rule's runs
    std::int64_t restarts = 0;
  };
  void live(const Value& pod);
  void step(Value pod, Life& life);
  void begin_run(const Value& rule, Life& life) const;
  void end_run(Value& pod, Life& life);
  std::optional<Instant> loss_end(const std::string& node, Instant at) const;  // max: never
  std::optional<Instant> end_of(const Value& pod) const;
  const Value& rule_of(const Value& pod) const;
  void renew(const std::string& node);
  void come_back(const std::string& node);
  void end(const Value& pod);
  Instant at(const Value& seconds) const;

  World& world_;
  const Value& scenario_;
  Instant start_;
  std::vector<Kubelet> kubelets_;
  std::map<std::string, Life, std::less<>> lives_;     // by uid
  std::map<std::string, Instant, std::less<>> asked_;  // when pods were first seen to end, by uid
};

// Glob of one pattern: '*' stands for anything, '?' for one character, "[a-c7]" and "[^x]" for one
// of these and of all others.
bool glob_fits(std::string_view pattern, std::string_view text);

}  // namespace keelson::sim::golden
