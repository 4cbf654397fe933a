// Index: the keys with all versions that are still kept, and the history of changes. Purely in
// memory; knows no disk, no loop and no subscribers.
//
// Invariant: for every revision R with compacted() <= R <= revision(), what each key held at R can
// be read, and every change after compacted() stands in the history. Example: after
//   2: put a=1   3: put a=2   4: delete a        the slot of a is  {2: "1", 3: "2"} 4: nothing
// and compacting to 3 leaves {3: "2"} 4: nothing; compacting to 4 leaves no slot at all.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace keelson::store {

class Index {
 public:
  Revision revision() const { return revision_; }
  Revision compacted() const { return compacted_; }

  // Begins at a snapshot: only before the first apply.
  void restore(EntryPtr entry);
  void restore_revision(Revision revision);

  // `revision` is the next one. Entries replace, keys of `deletes` that are absent are skipped.
  void apply(Revision revision, Instant time, std::vector<EntryPtr> puts,
             const std::vector<std::string>& deletes);

  EntryPtr get(std::string_view key) const;
  EntryPtr get_at(std::string_view key, Revision at) const;  // compacted() <= at <= revision()
  Page range(const Range& range, Revision at) const;
  void each(std::string_view prefix, const std::function<void(const EntryPtr&)>& call) const;

  // The history: events are numbered without gaps; first() is the oldest kept.
  std::uint64_t first() const { return first_; }
  std::uint64_t end() const { return first_ + history_.size(); }
  const Event& event(std::uint64_t number) const { return history_[number - first_]; }
  // The number of the first event with a revision above this one.
  std::uint64_t after(Revision revision) const;

  void compact(Revision revision);
  // The revision to compact to so that the limits hold, at most `bound`.
  Revision compaction_wanted(Instant now, const Options& options, Revision bound) const;

  std::size_t keys() const { return keys_; }
  std::uint64_t bytes() const { return bytes_; }
  std::size_t history_events() const { return history_.size(); }

 private:
  struct Version {
    Revision at;
    EntryPtr entry;  // null: the key was absent from here on
  };
  struct Slot {
    Revision changed;
    EntryPtr current;                               // null: removed, kept for older readers
    std::unique_ptr<std::vector<Version>> older{};  // ascending; mostly absent
    const EntryPtr& at(Revision revision) const;
  };
  struct Time {
    Revision revision;
    Instant time;
  };
  // How many keys lie at and behind `from`: found out for one page, it holds for the next ones.
  struct Count {
    std::string prefix, from;
    Revision at;
    std::size_t keys = 0;
  };
  std::size_t count_rest(const Range& range, Revision at, std::string next,
                         std::size_t returned) const;
  void change(std::string_view key, Revision revision, EntryPtr entry);
  void forget(const Event& event);

  std::map<std::string, Slot, std::less<>> slots_;
  std::deque<Event> history_;
  std::deque<Time> times_;  // one for each revision in the history
  std::uint64_t first_ = 0;
  Revision revision_{1}, compacted_{1};
  std::size_t keys_ = 0;
  std::uint64_t bytes_ = 0, history_bytes_ = 0;
  mutable std::deque<Count> counts_;  // of the pages read last
};

}  // namespace keelson::store
