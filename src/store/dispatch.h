// Dispatch: delivers the history to subscriptions, in order, each event once. It reads the index,
// never changes it. One Dispatch serves one kind of delivery (at once, or when durable).
//
// Invariant: delivered() only grows; every joined subscription has seen all its events up to it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "store/index.h"

namespace keelson::store {

class Dispatch {
 public:
  Dispatch(const Index& index, Revision start);

  std::shared_ptr<Subscription> subscribe(std::string scope, Revision after,
                                          Store::OnEvent on_event);
  // Delivers what lies at or below `limit`, at most about `events_max` events; true if there is
  // more to do. Callbacks may subscribe, drop subscriptions and commit.
  bool deliver(Revision limit, std::size_t events_max);
  bool has_work(Revision limit) const;

  Revision delivered() const { return delivered_; }
  // The oldest revision after which events are still to be delivered to somebody.
  Revision needed() const;
  std::size_t subscriptions() const;

 private:
  struct Member;
  struct State;
  void join(Member& member);
  void deliver_event(const Event& event);
  void deliver_scope(std::string_view scope, const Event& event);

  const Index& index_;
  Revision delivered_;
  std::shared_ptr<State> state_;  // shared: handles may outlive us
};

}  // namespace keelson::store
