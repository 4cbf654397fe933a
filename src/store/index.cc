// See index.h. Compaction walks the events that leave the history: each tells which key has
// versions that nobody may ask for any more, so its cost is that of the changes, not of the keys.
#include "store/index.h"

#include <algorithm>

#include "base/check.h"

namespace keelson::store {

namespace {
const EntryPtr kNone;
constexpr std::size_t kCountsKept = 64;
constexpr std::uint64_t kHistoryBytesMin = 16u << 20;  // also where the current versions have less
std::uint64_t cost_of(const EntryPtr& entry) {
  return entry ? entry->key().size() + entry->bytes().size() : 0;
}
}  // namespace

void Index::restore(EntryPtr entry) {
  bytes_ += cost_of(entry);
  ++keys_;
  Slot slot{entry->modified(), entry};
  slots_.emplace_hint(slots_.end(), std::string(entry->key()), std::move(slot));
}

void Index::restore_revision(Revision revision) {
  KEELSON_CHECK(history_.empty());
  revision_ = compacted_ = revision;
}

const EntryPtr& Index::Slot::at(Revision revision) const {
  if (changed <= revision) return current;
  if (!older) return kNone;
  for (auto it = older->rbegin(); it != older->rend(); ++it)
    if (it->at <= revision) return it->entry;
  return kNone;
}

void Index::change(std::string_view key, Revision revision, EntryPtr entry) {
  auto it = slots_.lower_bound(key);
  bool known = it != slots_.end() && it->first == key;
  if (!known) {
    if (!entry) return;
    it = slots_.emplace_hint(it, std::string(key), Slot{});
  }
  Slot& slot = it->second;
  if (!entry && !slot.current) return;
  EntryPtr previous = slot.current;
  if (known) {
    if (!slot.older) slot.older = std::make_unique<std::vector<Version>>();
    slot.older->push_back({slot.changed, std::move(slot.current)});
  }
  bytes_ += cost_of(entry);
  bytes_ -= cost_of(previous);
  if (entry && !previous) ++keys_;
  if (!entry) --keys_;
  history_bytes_ += cost_of(previous);
  slot.changed = revision;
  slot.current = entry;
  history_.push_back({entry ? Event::Type::put : Event::Type::remove, revision, std::move(entry),
                      std::move(previous)});
}

void Index::apply(Revision revision, Instant time, std::vector<EntryPtr> puts,
                  const std::vector<std::string>& deletes) {
  KEELSON_CHECK(revision == revision_.next());
  for (EntryPtr& entry : puts) {
    std::string key(entry->key());
    change(key, revision, std::move(entry));
  }
  for (const std::string& key : deletes) change(key, revision, nullptr);
  revision_ = revision;
  times_.push_back({revision, time});
}

EntryPtr Index::get(std::string_view key) const {
  auto it = slots_.find(key);
  return it == slots_.end() ? nullptr : it->second.current;
}

EntryPtr Index::get_at(std::string_view key, Revision at) const {
  auto it = slots_.find(key);
  return it == slots_.end() ? nullptr : it->second.at(at);
}

Page Index::range(const Range& range, Revision at) const {
  Page page;
  page.revision = at;
  const std::string& begin = std::max(range.prefix, range.from);
  for (auto it = slots_.lower_bound(begin); it != slots_.end(); ++it) {
    if (it->first.compare(0, range.prefix.size(), range.prefix) != 0) break;
    const EntryPtr& entry = it->second.at(at);
    if (!entry) continue;
    if (range.limit != 0 && page.entries.size() == range.limit) {
      page.more = true;
      page.next = it->first;
      break;
    }
    page.entries.push_back(entry);
  }
  if (page.more && range.count_rest)
    page.rest = count_rest(range, at, page.next, page.entries.size());
  return page;
}

std::size_t Index::count_rest(const Range& range, Revision at, std::string next,
                              std::size_t returned) const {
  std::size_t keys = 0;
  auto known = std::find_if(counts_.begin(), counts_.end(), [&](const Count& count) {
    return count.at == at && count.from == range.from && count.prefix == range.prefix;
  });
  if (known != counts_.end()) {
    keys = known->keys - returned;
    counts_.erase(known);
  } else {
    for (auto it = slots_.lower_bound(next); it != slots_.end(); ++it) {
      if (it->first.compare(0, range.prefix.size(), range.prefix) != 0) break;
      if (it->second.at(at)) ++keys;
    }
  }
  counts_.push_back({range.prefix, std::move(next), at, keys});
  if (counts_.size() > kCountsKept) counts_.pop_front();
  return keys;
}

void Index::each(std::string_view prefix, const std::function<void(const EntryPtr&)>& call) const {
  for (auto it = slots_.lower_bound(prefix); it != slots_.end(); ++it) {
    if (std::string_view(it->first).substr(0, prefix.size()) != prefix) break;
    if (it->second.current) call(it->second.current);
  }
}

std::uint64_t Index::after(Revision revision) const {
  auto it = std::upper_bound(history_.begin(), history_.end(), revision,
                             [](Revision r, const Event& event) { return r < event.revision; });
  return first_ + static_cast<std::uint64_t>(it - history_.begin());
}

void Index::forget(const Event& event) {
  history_bytes_ -= cost_of(event.previous);
  auto it = slots_.find(event.key());
  if (it == slots_.end()) return;
  Slot& slot = it->second;
  if (slot.older) {
    auto keep = std::find_if(slot.older->begin(), slot.older->end(),
                             [&](const Version& version) { return version.at >= event.revision; });
    // A removal at the front hides nothing: before it the key is absent anyway.
    if (keep != slot.older->end() && !keep->entry) ++keep;
    slot.older->erase(slot.older->begin(), keep);
    if (slot.older->empty()) slot.older.reset();
  }
  if (!slot.current && slot.changed == event.revision) slots_.erase(it);
}

void Index::compact(Revision revision) {
  KEELSON_CHECK(revision <= revision_);
  if (revision <= compacted_) return;
  while (!history_.empty() && history_.front().revision <= revision) {
    forget(history_.front());
    history_.pop_front();
    ++first_;
  }
  while (!times_.empty() && times_.front().revision <= revision) times_.pop_front();
  compacted_ = revision;
}

Revision Index::compaction_wanted(Instant now, const Options& options, Revision bound) const {
  Revision wanted = compacted_;
  std::size_t events = 0;
  std::uint64_t freed = 0;
  const std::uint64_t bytes_max =
      std::min(options.history_bytes_max, std::max(kHistoryBytesMin, bytes_ / 2));
  auto next = history_.begin();
  for (const Time& time : times_) {
    if (time.revision > bound) break;
    bool old = time.time < now - options.history_time;  // a damaged time may be far away
    bool many = history_.size() - events > options.history_events_max;
    bool large = history_bytes_ - freed > bytes_max;
    if (!old && !many && !large) break;
    for (; next != history_.end() && next->revision <= time.revision; ++next) {
      ++events;
      freed += cost_of(next->previous);
    }
    wanted = time.revision;
  }
  return wanted;
}

}  // namespace keelson::store
