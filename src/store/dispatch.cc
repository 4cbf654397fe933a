// See dispatch.h. An event with key a/b/c concerns at most the scopes "", "a/", "a/b/" and "a/b/c",
// so delivery costs a few look-ups however many subscriptions there are for other scopes.
#include "store/dispatch.h"

#include <algorithm>
#include <utility>

namespace keelson::store {

struct Dispatch::State {
  using Members = std::map<std::uint64_t, std::weak_ptr<Member>>;  // by order of subscription
  std::map<std::string, Members, std::less<>> scopes;
  std::vector<std::weak_ptr<Member>> joining;
  std::uint64_t next_id = 0;
  std::size_t count = 0;
  Revision delivered;
  bool delivering = false;
  bool emptied = false;  // some scope lost its last member meanwhile
};

struct Dispatch::Member : Subscription {
  ~Member() override {
    auto held = state.lock();
    if (!held) return;
    --held->count;
    auto scope_it = held->scopes.find(scope);
    if (scope_it == held->scopes.end()) return;
    scope_it->second.erase(id);
    if (!scope_it->second.empty()) return;
    if (held->delivering)
      held->emptied = true;
    else
      held->scopes.erase(scope_it);
  }
  Revision revision() const override {
    auto held = state.lock();
    return joined && held ? std::max(after, held->delivered) : after;
  }

  std::weak_ptr<State> state;
  std::uint64_t id = 0;
  std::string scope;
  Revision after;  // events up to here are not wanted
  bool joined = false;
  Store::OnEvent on_event;
};

Dispatch::Dispatch(const Index& index, Revision start)
    : index_(index), delivered_(start), state_(std::make_shared<State>()) {
  state_->delivered = start;
}

std::shared_ptr<Subscription> Dispatch::subscribe(std::string scope, Revision after,
                                                  Store::OnEvent on_event) {
  auto member = std::make_shared<Member>();
  member->state = state_;
  member->id = state_->next_id++;
  member->scope = std::move(scope);
  member->after = after;
  member->on_event = std::move(on_event);
  ++state_->count;
  state_->joining.push_back(member);
  return member;
}

std::size_t Dispatch::subscriptions() const {
  return state_->count;
}

bool Dispatch::has_work(Revision limit) const {
  return !state_->joining.empty() || delivered_ < limit;
}

Revision Dispatch::needed() const {
  Revision needed = delivered_;
  for (const auto& weak : state_->joining)
    if (auto member = weak.lock()) needed = std::min(needed, member->after);
  return needed;
}

// The backlog: what happened between the revision asked for and what the others have seen.
void Dispatch::join(Member& member) {
  std::uint64_t number = index_.after(member.after);
  for (; number < index_.end(); ++number) {
    // By value: the callback may commit, and a compaction may follow.
    Event event = index_.event(number);
    if (event.revision > delivered_) break;
    std::string_view key = event.key();
    bool below = member.scope.empty() || member.scope.back() == '/';
    if (below ? key.substr(0, member.scope.size()) == member.scope : key == member.scope)
      member.on_event(event);
  }
  member.after = std::max(member.after, delivered_);
}

void Dispatch::deliver_scope(std::string_view scope, const Event& event) {
  auto found = state_->scopes.find(scope);
  if (found == state_->scopes.end()) return;
  State::Members& members = found->second;  // stays: see `delivering`
  for (auto it = members.begin(); it != members.end();) {
    std::uint64_t id = it->first;
    auto member = it->second.lock();
    if (member && event.revision > member->after) member->on_event(event);
    it = members.upper_bound(id);
  }
}

void Dispatch::deliver_event(const Event& event) {
  std::string_view key = event.key();
  deliver_scope("", event);
  for (std::size_t slash = key.find('/'); slash != std::string_view::npos;
       slash = key.find('/', slash + 1))
    if (slash + 1 < key.size()) deliver_scope(key.substr(0, slash + 1), event);
  deliver_scope(key, event);
}

bool Dispatch::deliver(Revision limit, std::size_t events_max) {
  auto held = state_;
  held->delivering = true;
  while (!held->joining.empty()) {
    auto member = held->joining.front().lock();
    if (member) {
      join(*member);
      member->joined = true;
      held->scopes[member->scope].emplace(member->id, member);
    }
    held->joining.erase(held->joining.begin());
  }
  std::uint64_t number = index_.after(delivered_);
  std::size_t done = 0;
  while (number < index_.end() && index_.event(number).revision <= limit) {
    Event event = index_.event(number);
    deliver_event(event);
    ++number;
    ++done;
    bool last = number == index_.end() || index_.event(number).revision > event.revision;
    if (last) {
      delivered_ = held->delivered = event.revision;
      if (done >= events_max) break;
    }
  }
  if (done < events_max) delivered_ = held->delivered = std::max(delivered_, limit);
  held->delivering = false;
  if (std::exchange(held->emptied, false))
    std::erase_if(held->scopes, [](const auto& scope) { return scope.second.empty(); });
  return has_work(limit);
}

}  // namespace keelson::store
