// Store: keys to opaque bytes under one global revision, in memory, made durable by a write-ahead
// log with group commit. It knows no Kubernetes. Everything here runs on the loop's thread; an
// Entry's bytes may be read on any thread.
//
// Invariant: a commit is visible at once and whole, and is either whole or absent after a crash.
// What durable() covers survives a crash; whoever answers a client waits for that (when_durable).
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "codec/value.h"
#include "host/files.h"
#include "host/loop.h"

namespace keelson::store {

// Counts transactions. 0 means "none"; an empty store is at 1, as etcd is.
struct Revision {
  std::int64_t number = 0;
  constexpr auto operator<=>(const Revision&) const = default;
  constexpr Revision next() const { return {number + 1}; }
  std::string text() const { return std::to_string(number); }
};

class ParsedValues;

// One version of one key; immutable. Shared by lists, watches and caches, never copied.
class Entry : public std::enable_shared_from_this<Entry> {
 public:
  // Made by make_entry(). With `values`, these decide how long the parsed form is kept.
  Entry(std::string_view key, std::string_view bytes, Revision created, Revision modified,
        codec::Value value, std::shared_ptr<ParsedValues> values);
  std::string_view key() const { return std::string_view(text_).substr(0, key_size_); }
  std::string_view bytes() const { return std::string_view(text_).substr(key_size_); }
  Revision created() const { return created_; }
  Revision modified() const { return modified_; }
  // The bytes parsed as JSON; null if they are none. Loop thread only. The reference is good for
  // this turn of the loop; copies are cheap.
  const codec::Value& value() const;
  // The parsed form where there is one at hand, else null.
  const codec::Value& value_at_hand() const { return value_; }

  // --- for the store ---
  void remember() const;                          // that there is a parsed form
  void supersede() const { superseded_ = true; }  // there is a newer version
  bool take_used() const;  // value() was called in a later turn than the one that parsed
  void drop_parsed() const;

 private:
  std::string text_;  // key, then bytes
  std::uint32_t key_size_;
  mutable std::uint32_t turn_ = 0;
  mutable bool parsed_, used_ = false, superseded_ = false;
  mutable codec::Value value_;
  Revision created_, modified_;
  std::shared_ptr<ParsedValues> values_;
};
using EntryPtr = std::shared_ptr<const Entry>;
// `value`: the bytes parsed, if that is at hand.
EntryPtr make_entry(std::string_view key, std::string_view bytes, Revision created,
                    Revision modified, codec::Value value = {},
                    std::shared_ptr<ParsedValues> values = nullptr);

struct Put {
  std::string key;
  std::string bytes;
  codec::Value value = {};  // the parsed form of bytes if the caller has it; else parsed on demand
};
// The key's current version must have this revision; Revision{0}: the key must be absent.
struct Expect {
  std::string key;
  Revision modified = {};
};
// Applied whole or not at all, at one revision: next_revision(), which the caller may write into
// the bytes. A key stands at most once among puts and deletes; deleting an absent key does nothing.
struct Transaction {
  std::vector<Put> puts = {};
  std::vector<std::string> deletes = {};
  std::vector<Expect> expects = {};
};

struct Event {
  enum class Type : std::uint8_t { put, remove };
  Type type = Type::put;
  Revision revision;
  EntryPtr entry;     // put: the new version; remove: null
  EntryPtr previous;  // the version before; null if the key is new
  std::string_view key() const { return entry ? entry->key() : previous->key(); }
};

struct Range {
  std::string prefix;
  std::string from = {};    // first key wanted, for the next page; empty: from the prefix on
  Revision at = {};         // 0: the current revision
  std::size_t limit = 0;    // 0: no limit
  bool count_rest = false;  // also count what lies behind the limit
};
struct Page {
  Revision revision;              // the revision that was read
  std::vector<EntryPtr> entries;  // in order of key bytes
  bool more = false;
  std::string next = {};  // with more: `from` of the next page (read it at `revision`)
  std::size_t rest = 0;   // with count_rest: how many lie behind the limit
};

struct Statistics {
  Revision revision, durable, compacted;
  std::size_t keys = 0, history_events = 0, subscriptions = 0;
  std::uint64_t bytes = 0;  // keys and bytes of the current versions
  std::uint64_t commits = 0, syncs = 0, log_bytes = 0, segments = 0, snapshots = 0;
  std::uint64_t write_failures = 0, snapshot_failures = 0;
  std::string snapshot_problem = {};  // why the last snapshot failed; empty: it did not
  std::string torn = {};  // a segment that was found to end in a batch which is not whole
};

// How much stays parsed, in bytes of text (parsed.h).
struct ParsedLimits {
  std::uint64_t fresh = 2u << 20, used = 16u << 20;
};

// What the disk holds of an entry's bytes instead of the bytes themselves, where they are secret.
// In memory they are as they are. Called on several threads at once.
class Sealer {
 public:
  virtual ~Sealer() = default;
  virtual std::string seal(std::string_view key, std::string_view bytes) const = 0;
  // `stale` is set if seal() would write them in another way today. Error: internal_error if they
  // cannot be read, such as for a key that is not known.
  virtual Result<std::string> unseal(std::string_view key, std::string_view sealed,
                                     bool& stale) const = 0;
};

struct Options {
  std::string directory;  // unused without files
  Duration history_time = Duration::minutes(5);
  std::size_t history_events_max = 200'000;      // older history goes first
  std::uint64_t history_bytes_max = 128u << 20;  // of versions that only the history holds
  // So much of it, at most, outlives a restart even if a snapshot was written just before: watches
  // that are no further behind go on.
  std::size_t restart_events_max = 1000;
  std::uint64_t restart_bytes_max = 16u << 20;
  std::uint64_t segment_bytes = 64u << 20;
  std::uint64_t snapshot_log_bytes = 256u << 20;  // log written since the last snapshot starts one
  // Null: the disk holds the bytes as they are. Stale ones are written anew by a snapshot soon
  // after the store was opened.
  std::shared_ptr<const Sealer> sealer = {};
  ParsedLimits parsed = {};
};

class Subscription {  // ends when the last handle is dropped
 public:
  virtual ~Subscription() = default;
  // Every event of the scope up to this revision has been delivered: what a bookmark may say.
  virtual Revision revision() const = 0;
};

class Store {
 public:
  // Recovers what the directory holds. Errors: internal_error when the log or the snapshot is
  // damaged where it had been acknowledged; nothing is changed then.
  static Result<std::unique_ptr<Store>> open(host::Loop& loop, host::Files& files, Options options);
  // Without a disk: every commit counts as durable at once. For tests and `--data none`.
  static std::unique_ptr<Store> in_memory(host::Loop& loop, Options options = {});

  virtual ~Store() = default;

  virtual Revision revision() const = 0;
  Revision next_revision() const { return revision().next(); }
  virtual Revision durable() const = 0;
  // What was there when the store was opened. All of it may have been acknowledged in an earlier
  // life, though durable() is sure of its end only once that has been written again.
  virtual Revision opened() const = 0;
  // Reads at, and watches from, older revisions end with Reason::expired.
  virtual Revision compacted() const = 0;

  // Errors: already_exists, not_found, conflict for the first expectation that does not hold (the
  // key is Error::name); service_unavailable while the disk takes no writes. A transaction without
  // puts and effective deletes changes nothing and returns the current revision.
  virtual Result<Revision> commit(Transaction transaction) = 0;

  // Calls once durable() >= revision: at once if it is already; otherwise later on the loop, in
  // order of revision. Never called if the store ends first.
  virtual void when_durable(Revision revision, std::function<void()> call) = 0;

  // As when_durable, but a disk that takes no writes keeps nobody waiting: the call then gets that
  // error (service_unavailable) once instead, while the commit itself is still tried again.
  virtual void settle(Revision revision, std::function<void(Result<void>)> call) = 0;

  // Null if absent.
  virtual EntryPtr get(std::string_view key) const = 0;
  // Errors: expired below compacted(); invalid above revision().
  virtual Result<EntryPtr> get_at(std::string_view key, Revision at) const = 0;
  virtual Result<Page> range(const Range& range) const = 0;
  // Calls for each current entry of the prefix, in order; the call must not commit.
  virtual void each(std::string_view prefix,
                    const std::function<void(const EntryPtr&)>& call) const = 0;

  // Delivers every event of the scope with revision > after, in order, from the loop and never from
  // within commit or subscribe. A scope is empty (all), ends with '/' (all keys below), or is one
  // whole key. `durable` holds events back until a crash cannot take them back.
  // Errors: expired when `after` < compacted(); invalid when it lies above revision().
  enum class Delivery : std::uint8_t { at_once, durable };
  using OnEvent = std::function<void(const Event&)>;
  virtual Result<std::shared_ptr<Subscription>> subscribe(std::string scope, Revision after,
                                                          Delivery delivery, OnEvent on_event) = 0;

  // Calls for each event with revision > after up to the present one, in order, within this call.
  // Errors as subscribe.
  virtual Result<void> changes(Revision after, const OnEvent& on_event) const = 0;

  // Forgets history up to this revision (at most the delivered one); also happens by itself.
  virtual void compact(Revision revision) = 0;
  // Writes a snapshot without stopping the loop; `done` gets its revision, which lies behind the
  // present one by what of the history is to outlive a restart. One at a time: a second
  // call while one is being written joins it.
  virtual void snapshot(std::function<void(Result<Revision>)> done) = 0;
  virtual bool failing() const = 0;  // the disk takes no writes at present
  virtual Statistics statistics() const = 0;
};

}  // namespace keelson::store
