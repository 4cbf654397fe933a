// ControlPicture: what is watched of a World, in the words of tests/golden/controllers (its README
// has them all): one value for each object, times in seconds since the start.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/golden/world.h"

namespace keelson::sim::golden {

class ControlPicture {
 public:
  // `controllers`: the names that the recording gives them; what is watched follows from them.
  ControlPicture(const World& world, Instant start, std::set<std::string> controllers)
      : world_(world), start_(start), controllers_(std::move(controllers)) {}

  void event(const cluster::EventNote& event);
  // What changed since the last call, as an entry of `want`; null if nothing did.
  Value take();

 private:
  bool runs(const char* controller) const { return controllers_.contains(controller); }
  std::map<std::string, Value> watched() const;
  Value node(const Value& object) const;
  Value pod(const Value& object) const;
  Value slice(const Value& object) const;
  Value budget(const Value& object) const;
  Value job(const Value& object) const;
  Value cron_job(const Value& object) const;
  Value conditions(const Value& list, bool with_generation) const;
  Value seconds(const Value& time) const;

  const World& world_;
  Instant start_;
  std::set<std::string> controllers_;
  std::map<std::string, Value> before_;
  std::vector<std::string> events_;
};

}  // namespace keelson::sim::golden
