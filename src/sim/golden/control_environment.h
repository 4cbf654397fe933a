// ControlEnvironment: the kubelets of a recording in tests/golden/controllers. They renew the
// leases of their nodes, end pods that are asked to go, and are away while a node is lost. They
// change nothing between the moments that are due.
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
  std::map<std::string, Instant, std::less<>> asked_;  // when pods were first seen to end, by uid
};

// Glob of one pattern: '*' stands for anything, '?' for one character.
bool glob_fits(std::string_view pattern, std::string_view text);

}  // namespace keelson::sim::golden
