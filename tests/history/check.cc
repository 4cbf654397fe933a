// First the order is put together from all who saw a part of it, then the operations are checked
// against it in order of their ends. `floor` is what was known before a moment: the highest
// revision in any answer until then. Whatever begins later comes after it.
#include "check.h"

#include <algorithm>
#include <set>

namespace keelson::history {

namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;
using State = std::map<std::string, Item>;

// What a key held from `from` until before `to`.
struct Span {
  Revision from = 0, to = INT64_MAX;
  std::optional<std::string> value;
};

class Checker {
 public:
  explicit Checker(const History& history) : h_(history) {}

  std::vector<Violation> run() {
    for (const std::string& failure : h_.failures) fail(Guarantee::durable, failure, {});
    gather();
    if (found_.empty()) check_order();
    if (found_.empty()) replay();
    if (found_.empty()) check_operations();
    for (std::size_t i = 0; i < h_.watches.size(); ++i) check_watch(static_cast<int>(i));
    return std::move(found_);
  }

 private:
  void fail(Guarantee guarantee, std::string text, std::vector<std::string> keys, int watch = -1) {
    found_.push_back({guarantee, std::move(text), std::move(keys), watch});
  }

  // --- the order ---
  void learn(const Change& change, const std::string& who) {
    auto& changes = order_[change.revision];
    const auto [place, fresh] = changes.emplace(change.key, change.value);
    if (fresh && (change.revision > h_.witnessed_from && change.revision <= h_.witnessed_to) &&
        gathered_witness_) {
      fail(Guarantee::one_order,
           who + " saw revision " + std::to_string(change.revision) + " write " + change.key +
               ", but it is not in the order",
           {change.key});
      changes.erase(place);
    } else if (place->second != change.value) {
      fail(Guarantee::one_order,
           "revision " + std::to_string(change.revision) + " of " + change.key + " is " +
               text(place->second) + " for some and " + text(change.value) + " for " + who,
           {change.key});
    }
  }
  static std::string text(const std::optional<std::string>& value) {
    return value ? "\"" + *value + "\"" : "its removal";
  }

  void gather() {
    for (const Change& change : h_.witnessed) learn(change, "the witness");
    gathered_witness_ = true;
    for (const Operation& op : h_.operations) {
      const std::string who = "client " + std::to_string(op.client);
      if (op.outcome != Outcome::ok) continue;
      for (const Item& item : op.items) learn({item.revision, item.key, item.value}, who);
      if (op.revision == 0) continue;
      const bool writes = op.kind == Kind::create || op.kind == Kind::update ||
                          op.kind == Kind::write || op.kind == Kind::pair;
      if (!writes) continue;
      for (const std::string& key : op.keys) {
        const auto found = order_.find(op.revision);
        const bool there = found != order_.end() && found->second.count(key) != 0 &&
                           found->second.at(key) == op.value;
        if (!there && op.revision <= h_.witnessed_to && op.revision > h_.witnessed_from)
          fail(Guarantee::durable, "an acknowledged write is lost: " + describe(op, h_), {key});
        else if (!there)
          learn({op.revision, key, op.value}, who);
      }
    }
    for (const Watch& watch : h_.watches) {
      for (const WatchEvent& event : watch.events)
        if (event.type == WatchEvent::Type::added && !watch.initial)
          learn({event.revision(), event.item.key, event.item.value},
                "a watch of client " + std::to_string(watch.client));
    }
  }

  void check_order() {
    for (Revision r = h_.witnessed_from + 1; r <= h_.witnessed_to; ++r)
      if (order_.count(r) == 0)
        return fail(Guarantee::one_order, "revision " + std::to_string(r) + " is missing", {});
    std::map<std::pair<std::string, std::string>, Revision> seen;  // key, value
    for (const auto& [revision, changes] : order_)
      for (const auto& [key, value] : changes) {
        if (!value) continue;
        const auto [place, fresh] = seen.emplace(std::pair(key, *value), revision);
        if (!fresh)
          fail(Guarantee::exactly_once,
               "\"" + *value + "\" was written to " + key + " at revision " +
                   std::to_string(place->second) + " and again at " + std::to_string(revision),
               {key});
      }
    written_ = std::move(seen);
  }

  // --- what each key held when, and whether each write could be ---
  void replay() {
    replayed_ = true;
    std::map<std::pair<std::string, std::string>, const Operation*> by_value;
    for (const Operation& op : h_.operations)
      if (!op.value.empty())
        for (const std::string& key : op.keys) by_value[{key, op.value}] = &op;
    for (const auto& [revision, changes] : order_)
      for (const auto& [key, value] : changes) {
        auto& spans = spans_[key];
        if (spans.empty()) spans.push_back({0, INT64_MAX, std::nullopt});
        const Span before = spans.back();
        spans.back().to = revision;
        spans.push_back({revision, INT64_MAX, value});
        if (!value) {
          if (!before.value)
            fail(Guarantee::conditional,
                 key + " was removed at revision " + std::to_string(revision) +
                     " though it was not there",
                 {key});
          continue;
        }
        const auto found = by_value.find({key, *value});
        if (found == by_value.end()) continue;
        check_condition(*found->second, key, revision, before);
      }
  }

  void check_condition(const Operation& op, const std::string& key, Revision revision,
                       const Span& before) {
    const std::string where = " at revision " + std::to_string(revision) + ": " + describe(op, h_);
    if (op.outcome == Outcome::refused || op.outcome == Outcome::absent ||
        op.outcome == Outcome::exists || op.outcome == Outcome::conflict)
      return fail(Guarantee::exactly_once, "a refused write took effect" + where, {key});
    if (op.kind == Kind::create && before.value)
      return fail(Guarantee::conditional, "a creation replaced an object" + where, {key});
    if ((op.kind == Kind::update || op.if_present) && !before.value)
      return fail(Guarantee::conditional, "an update created an object" + where, {key});
    if (op.expected != 0 && before.from != op.expected)
      return fail(Guarantee::conditional,
                  "an update replaced revision " + std::to_string(before.from) + where, {key});
    if (op.kind == Kind::pair && order_[revision].size() < op.keys.size())
      fail(Guarantee::atomic, "a write of two keys took effect on one" + where, op.keys);
  }

  const std::vector<Span>& spans_of(const std::string& key) {
    auto& spans = spans_[key];
    if (spans.empty()) spans.push_back({0, INT64_MAX, std::nullopt});
    return spans;
  }

  // What holds at this revision.
  static std::vector<Span>::const_iterator span_at(const std::vector<Span>& spans,
                                                   Revision revision) {
    return std::partition_point(spans.begin(), spans.end(),
                                [&](const Span& span) { return span.to <= revision; });
  }

  // --- operations in time ---
  struct Known {
    Moment at;
    Revision revision;
  };
  // What was known before this moment.
  Revision floor_at(Moment moment) const {
    const auto behind = std::lower_bound(known_.begin(), known_.end(), moment,
                                         [](const Known& k, Moment m) { return k.at < m; });
    return behind == known_.begin() ? 0 : std::prev(behind)->revision;
  }
  void know(Moment at, Revision revision) {
    const Revision before = known_.empty() ? 0 : known_.back().revision;
    known_.push_back({at, std::max(before, revision)});
  }
  // The highest revision that can have happened by this moment: what began later lies above it.
  Revision ceiling_at(Moment moment) const {
    const auto behind = std::upper_bound(starts_.begin(), starts_.end(), moment,
                                         [](Moment m, const Known& k) { return m < k.at; });
    return behind == starts_.end() ? INT64_MAX : behind->revision - 1;
  }

  Revision revision_of(const Operation& op) const {
    if (op.value.empty()) return 0;
    const auto found = written_.find({op.keys.front(), op.value});
    return found == written_.end() ? 0 : found->second;
  }

  void check_operations() {
    struct End {
      Moment at;
      const Operation* operation;
      Revision seen;
    };
    std::vector<End> ends;
    for (const Operation& op : h_.operations) {
      if (op.ended != kNever) ends.push_back({op.ended, &op, 0});
      if (const Revision r = revision_of(op); r != 0) starts_.push_back({op.begun, r});
    }
    for (const Watch& watch : h_.watches)
      for (const WatchEvent& event : watch.events)
        if (event.type != WatchEvent::Type::expired)
          ends.push_back({event.at, nullptr, event.revision()});
    std::sort(ends.begin(), ends.end(), [](const End& a, const End& b) { return a.at < b.at; });
    std::sort(starts_.begin(), starts_.end(),
              [](const Known& a, const Known& b) { return a.at < b.at; });
    for (std::size_t i = starts_.size(); i-- > 1;)
      starts_[i - 1].revision = std::min(starts_[i - 1].revision, starts_[i].revision);
    for (const End& end : ends) {
      if (end.operation == nullptr)
        know(end.at, end.seen);
      else
        check_operation(*end.operation);
    }
    for (const Operation& op : h_.operations)
      if (op.ended == kNever) check_time(op);
    check_removals();
  }

  void check_time(const Operation& op) {
    const Revision revision = revision_of(op), floor = floor_at(op.begun);
    if (revision != 0 && revision <= floor)
      fail(Guarantee::real_time,
           "a write came before what was known when it began, revision " + std::to_string(floor) +
               ": " + describe(op, h_),
           op.keys);
  }

  void check_operation(const Operation& op) {
    check_time(op);
    switch (op.outcome) {
      case Outcome::unknown:
      case Outcome::refused: return;
      case Outcome::ok:
        if (op.kind == Kind::list) return check_list(op);
        if (op.kind == Kind::get) {
          const Item& item = op.items.front();
          return check_seen(
              op, [&](const Span& s) { return s.from == item.revision && s.value == item.value; });
        }
        return know(op.ended, op.kind == Kind::remove ? removal_of(op) : op.revision);
      case Outcome::absent: return check_seen(op, [](const Span& s) { return !s.value; });
      case Outcome::exists:
        return check_seen(op, [](const Span& s) { return s.value.has_value(); });
      case Outcome::conflict:
        return check_seen(op, [&](const Span& s) { return s.value && s.from != op.expected; });
    }
  }

  // The earliest that it can be.
  Revision removal_of(const Operation& op) {
    const Revision floor = floor_at(op.begun);
    const auto& spans = spans_of(op.keys.front());
    for (auto span = span_at(spans, floor); span != spans.end(); ++span)
      if (!span->value && span->from > floor) return span->from;
    return floor;  // check_removals() says so
  }

  // Somewhere between begin and end the key was as the answer says.
  template <typename Fits>
  void check_seen(const Operation& op, Fits fits) {
    const Revision floor = floor_at(op.begun), ceiling = ceiling_at(op.ended);
    const auto& spans = spans_of(op.keys.front());
    for (auto span = span_at(spans, floor); span != spans.end() && span->from <= ceiling; ++span)
      if (fits(*span)) return know(op.ended, std::max(floor, span->from));
    const bool reads = op.kind == Kind::get;
    fail(reads ? Guarantee::fresh_read : Guarantee::conditional,
         "no moment between revisions " + std::to_string(floor) + " and " +
             (ceiling == INT64_MAX ? "the end" : std::to_string(ceiling)) +
             " explains: " + describe(op, h_),
         op.keys);
  }

  State state_at(Revision revision, const std::string& prefix, const std::string& group) const {
    State out;
    for (const auto& [key, spans] : spans_) {
      if (!key.starts_with(prefix)) continue;
      const auto span = span_at(spans, revision);
      if (span != spans.end() && span->value && in_group(*span->value, group))
        out[key] = {key, *span->value, span->from};
    }
    return out;
  }

  void check_list(const Operation& op) {
    const Revision floor = floor_at(op.begun), ceiling = ceiling_at(op.ended);
    if (op.revision < floor || op.revision > ceiling)
      fail(Guarantee::fresh_read,
           "revision " + std::to_string(floor) + " was known: " + describe(op, h_), {});
    know(op.ended, op.revision);
    compare(op.items, state_at(op.revision, op.keys.front(), op.group), op.revision,
            describe(op, h_), -1);
  }

  void compare(const std::vector<Item>& got, const State& wanted, Revision revision,
               const std::string& who, int watch) {
    State left = wanted;
    for (const Item& item : got) {
      const auto found = left.find(item.key);
      if (found == left.end() || !(found->second == item))
        return fail(Guarantee::consistent_list,
                    "at revision " + std::to_string(revision) + " there is no " + item.key +
                        " = \"" + item.value + "\" of " + std::to_string(item.revision) + ": " +
                        who,
                    {item.key}, watch);
      left.erase(found);
    }
    if (!left.empty())
      fail(Guarantee::consistent_list,
           left.begin()->first + " of revision " + std::to_string(left.begin()->second.revision) +
               " is not in the state at " + std::to_string(revision) + ": " + who,
           {left.begin()->first}, watch);
  }

  // Each removal that was acknowledged is one in the order, in its time, and nobody else's. No
  // answer says which: so the one that has to be had first takes the earliest that will do.
  void check_removals() {
    std::map<std::string, std::vector<const Operation*>> removals;
    for (const Operation& op : h_.operations)
      if (op.kind == Kind::remove && op.outcome == Outcome::ok)
        removals[op.keys.front()].push_back(&op);
    for (auto& [key, operations] : removals) {
      std::sort(operations.begin(), operations.end(),
                [&](const Operation* a, const Operation* b) { return a->begun < b->begun; });
      std::multimap<Revision, const Operation*> open;  // by their ceilings
      auto next = operations.begin();
      for (const Span& span : spans_of(key)) {
        if (span.value || span.from == 0) continue;
        while (next != operations.end() && floor_at((*next)->begun) < span.from) {
          open.emplace(ceiling_at((*next)->ended), *next);
          ++next;
        }
        if (!open.empty() && open.begin()->first >= span.from) open.erase(open.begin());
      }
      for (; next != operations.end(); ++next) open.emplace(INT64_MAX, *next);
      if (!open.empty())
        return fail(
            Guarantee::durable,
            "an acknowledged removal is not in the order: " + describe(*open.begin()->second, h_),
            {key});
    }
  }

  // --- watches ---
  struct Expected {
    WatchEvent::Type type;
    Item item;
  };
  std::vector<Expected> expected(const Watch& watch, Revision from, Revision to) const {
    std::vector<Expected> out;
    for (auto it = order_.upper_bound(from); it != order_.end() && it->first <= to; ++it)
      for (const auto& [key, value] : it->second) {
        if (!key.starts_with(watch.prefix)) continue;
        std::optional<std::string> before;
        const auto& spans = spans_.at(key);
        if (const auto span = span_at(spans, it->first - 1); span != spans.end())
          before = span->value;
        const bool was = before && in_group(*before, watch.group);
        const bool is = value && in_group(*value, watch.group);
        using Type = WatchEvent::Type;
        if (is) out.push_back({was ? Type::modified : Type::added, {key, *value, it->first}});
        if (was && !is) out.push_back({Type::removed, {key, *before, it->first}});
      }
    return out;
  }

  void check_watch(int number) {
    const Watch& watch = h_.watches[static_cast<std::size_t>(number)];
    const std::string who = "watch " + std::to_string(number);
    Revision from = watch.from, last = watch.from, bookmark = 0;
    std::vector<Item> beginning;
    std::vector<const WatchEvent*> events;
    Places seen;
    bool initial = watch.initial, expired = false;
    for (const WatchEvent& event : watch.events) {
      using Type = WatchEvent::Type;
      if (event.type == Type::expired) {
        expired = true;
      } else if (event.type == Type::initial_end) {
        initial = false;
        from = last = bookmark = event.revision();
        if (replayed_)
          compare(beginning, state_at(from, watch.prefix, watch.group), from, who, number);
        if (from < floor_at(watch.begun))
          fail(Guarantee::fresh_read,
               who + " begins at " + std::to_string(from) +
                   ", before what "
                   "was known",
               {}, number);
      } else if (initial) {
        beginning.push_back(event.item);
      } else if (event.type == Type::bookmark) {
        if (event.revision() < last)
          fail(Guarantee::bookmarkable,
               who + " got a bookmark of " + std::to_string(event.revision()) + " after " +
                   std::to_string(last),
               {}, number);
        last = bookmark = std::max(last, event.revision());
      } else {
        if (!check_place(event, seen, last, bookmark, who, number)) return;
        events.push_back(&event);
        last = event.revision();
      }
    }
    if (expired && watch.from >= watch.compacted_begun && !watch.excused && !watch.initial)
      fail(Guarantee::expiring, who + " expired though nothing of it was compacted", {}, number);
    if (!expired && !watch.initial && watch.from < watch.compacted_begun)
      fail(Guarantee::expiring,
           who + " began at " + std::to_string(watch.from) + " though " +
               std::to_string(watch.compacted_begun) + " was compacted",
           {}, number);
    if (initial || expired || !replayed_) return;
    compare_events(watch, events, from, std::max(last, watch.complete_to), bookmark, who, number);
  }

  using Places = std::set<std::pair<Revision, std::string_view>>;
  bool check_place(const WatchEvent& event, Places& seen, Revision last, Revision bookmark,
                   const std::string& who, int number) {
    const auto broken = [&](Guarantee guarantee, const std::string& how) {
      fail(guarantee,
           who + " got revision " + std::to_string(event.revision()) + " of " + event.item.key +
               " " + how,
           {event.item.key}, number);
      return false;
    };
    if (!seen.emplace(event.revision(), event.item.key).second)
      return broken(Guarantee::unique, "twice");
    if (event.revision() <= bookmark)
      return broken(Guarantee::bookmarkable, "after a bookmark of " + std::to_string(bookmark));
    if (event.revision() < last) return broken(Guarantee::ordered, "after " + std::to_string(last));
    return true;
  }

  void compare_events(const Watch& watch, const std::vector<const WatchEvent*>& events,
                      Revision from, Revision to, Revision bookmark, const std::string& who,
                      int number) {
    const std::vector<Expected> wanted = expected(watch, from, to);
    // Within a revision the order of keys is open.
    std::vector<WatchEvent> got;
    for (const WatchEvent* event : events) got.push_back(*event);
    std::stable_sort(got.begin(), got.end(), [](const WatchEvent& a, const WatchEvent& b) {
      return std::pair(a.revision(), a.item.key) < std::pair(b.revision(), b.item.key);
    });
    for (std::size_t i = 0; i < std::max(wanted.size(), got.size()); ++i) {
      const bool missing =
          i < wanted.size() &&
          (i >= got.size() || std::pair(got[i].revision(), got[i].item.key) >
                                  std::pair(wanted[i].item.revision, wanted[i].item.key));
      if (missing) {
        const Item& item = wanted[i].item;
        const bool half = (i > 0 && wanted[i - 1].item.revision == item.revision) ||
                          (i < got.size() && got[i].revision() == item.revision);
        Guarantee broken = Guarantee::reliable;
        if (half)
          broken = Guarantee::atomic;
        else if (item.revision <= bookmark)
          broken = Guarantee::bookmarkable;
        else if (i == 0 && !got.empty())
          broken = Guarantee::resumable;
        return fail(
            broken,
            who + " did not get revision " + std::to_string(item.revision) + " of " + item.key,
            {item.key}, number);
      }
      const WatchEvent& event = got[i];
      if (i >= wanted.size() || event.revision() != wanted[i].item.revision ||
          event.item.key != wanted[i].item.key)
        return fail(Guarantee::filtered,
                    who + " got revision " + std::to_string(event.revision()) + " of " +
                        event.item.key + ", which is not for it",
                    {event.item.key}, number);
      if (event.type != wanted[i].type || !(event.item == wanted[i].item))
        return fail(Guarantee::filtered,
                    who + " got revision " + std::to_string(event.revision()) + " of " +
                        event.item.key + " as \"" + event.item.value + "\", not as \"" +
                        wanted[i].item.value + "\", or as another kind of event",
                    {event.item.key}, number);
    }
  }

  const History& h_;
  std::vector<Violation> found_;
  bool gathered_witness_ = false, replayed_ = false;
  std::map<Revision, std::map<std::string, std::optional<std::string>>> order_;
  std::map<std::pair<std::string, std::string>, Revision> written_;  // key and value: when
  std::map<std::string, std::vector<Span>> spans_;
  std::vector<Known> known_;   // in order of moments; the revision only grows
  std::vector<Known> starts_;  // of writes; the lowest revision from there on
};

}  // namespace

bool in_group(std::string_view value, std::string_view group) {
  return group.empty() ||
         (value.size() > group.size() && value.starts_with(group) && value[group.size()] == '#');
}

std::vector<Violation> check(const History& history) {
  return Checker(history).run();
}

}  // namespace keelson::history
