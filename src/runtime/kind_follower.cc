// See kind_follower.h.
#include "runtime/kind_follower.h"

#include <utility>

namespace keelson::runtime {
namespace {
// Long enough for an installation to bring its definitions, short for whoever deletes by owner.
constexpr Duration kSettle = Duration::seconds(1);
}  // namespace

KindFollower::KindFollower(host::Loop& loop, cluster::Cluster& cluster, Manager& manager,
                           std::function<std::int64_t()> generation, Make make)
    : loop_(loop), manager_(manager), generation_(std::move(generation)), make_(std::move(make)) {
  replace();
  watch_ = cluster.watch("customresourcedefinitions.apiextensions.k8s.io",
                         [this](const cluster::Value&, const cluster::Value&) { look_soon(); });
}

void KindFollower::look_soon() {
  if (timer_) return;
  timer_ = loop_.call_at(loop_.now() + kSettle, [this] {
    timer_.reset();
    if (generation_() != seen_) replace();
  });
}

void KindFollower::replace() {
  seen_ = generation_();
  for (std::unique_ptr<cluster::Controller>& controller : make_()) {
    manager_.remove(controller->name());
    manager_.add(std::move(controller));
  }
}

}  // namespace keelson::runtime
