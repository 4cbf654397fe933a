// See stage.h.
#include "sim/golden/stage.h"

namespace keelson::sim::golden {

void Stage::note_made(bool by_hand) {
  for (Change& change : world_.take_changes()) {
    audience_.made(change, by_hand);
    (nodes_last_ && change.resource == "nodes" ? nodes_ : changes_).push_back(std::move(change));
  }
}

void Stage::commit_as(std::string_view, cluster::Write write,
                      std::function<void(Result<Value>)> done) {
  Result<Value> result = world_.commit(write);
  if (!result.ok() && write.verb == cluster::Write::Verb::create)
    audience_.refused(write, result.error().message);
  note_made(false);
  if (!done) return;
  if (!answers_later_) return done(std::move(result));
  loop_.post([done = std::move(done), result = std::move(result)] { done(result); });
}

std::shared_ptr<void> Stage::watch(std::string resource, OnChange on_change) {
  auto held = std::make_shared<OnChange>(std::move(on_change));
  for (const Value& object : world_.list(resource, {})) (*held)(Value(), object);
  watches_.emplace_back(std::move(resource), held);
  return held;
}

void Stage::announce(const Change& change) {
  for (const auto& [resource, weak] : watches_)
    if (resource == change.resource)
      if (const auto on_change = weak.lock()) (*on_change)(change.before, change.after);
}

void Stage::deliver_changes() {
  do {
    note_made(false);
    while (!changes_.empty()) {
      const Change change = std::move(changes_.front());
      changes_.pop_front();
      announce(change);
    }
  } while (audience_.bind());
}

bool Stage::announce_node() {
  if (nodes_.empty()) return false;
  const Change change = std::move(nodes_.front());
  nodes_.pop_front();
  announce(change);
  return true;
}

}  // namespace keelson::sim::golden
