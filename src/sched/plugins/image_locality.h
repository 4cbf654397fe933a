// ImageLocality: prefers nodes that have the pod's images already, scaled by how many nodes do, so
// that one node does not attract everything.
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

class ImageLocality : public Plugin {
 public:
  std::string_view name() const override { return "ImageLocality"; }
  Status pre_score(const Cycle& cycle, std::span<const NodeInfo* const> nodes,
                   std::shared_ptr<State>& state) const override;
  std::int64_t score(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
};

}  // namespace keelson::sched
