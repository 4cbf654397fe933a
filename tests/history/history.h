// What clients saw of a server, as a record that can be judged afterwards: operations with their
// begin and end, and watches with their events. Nothing here knows how the server works; the
// judgement is check.h.
//
// A key is "namespace/name" (or whatever a client calls it), a value a text that no two writes
// share and that begins with its group and '#': "g1#c3.17". Moments are numbers that grow with
// every entry of the record.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keelson::history {

using Moment = std::int64_t;
inline constexpr Moment kNever = INT64_MAX;
using Revision = std::int64_t;

struct Item {
  std::string key, value;
  Revision revision = 0;  // at which it was written
  bool operator==(const Item&) const = default;
};

struct Operation {
  enum class Kind : std::uint8_t { create, update, write, remove, pair, get, list };
  enum class Outcome : std::uint8_t {
    ok,
    absent,    // refused or answered: there is no such key
    exists,    // refused: the key exists
    conflict,  // refused: the key is not at the revision expected
    refused,   // certainly without effect, for a reason that says nothing about keys
    unknown,   // no answer, or one that leaves it open
  };
  int client = 0;
  Kind kind = Kind::get;
  std::vector<std::string> keys = {};  // of list: the prefix
  std::string group = {};              // of list: only this group; empty: all
  std::string value = {};              // written, by `pair` to every key
  Revision expected = 0;               // 0: any
  bool if_present = false;             // of write: refused where there is no such key
  Moment begun = 0, ended = kNever;
  Outcome outcome = Outcome::unknown;
  Revision revision = 0;         // ok: of the write or the list; 0: was not told (removals)
  std::vector<Item> items = {};  // ok: of get and list
};

struct WatchEvent {
  enum class Type : std::uint8_t { added, modified, removed, bookmark, initial_end, expired };
  Type type = Type::added;
  Item item = {};  // of removed: the value before, with the revision of the removal
  Moment at = 0;
  Revision revision() const { return item.revision; }
};

struct Watch {
  int client = 0;
  std::string prefix, group = {};
  Revision from = 0;     // the events after it are wanted
  bool initial = false;  // what there is comes first, ended by initial_end; `from` is meaningless
  Moment begun = 0;
  Revision compacted_begun = 0;  // what the server had compacted when it began
  bool excused = false;          // may expire, as its client did not read
  Revision complete_to = 0;      // read until nothing came although all up to here had happened
  std::vector<WatchEvent> events = {};
};

// What a witness inside saw: every change of every revision.
struct Change {
  Revision revision = 0;
  std::string key;
  std::optional<std::string> value = {};  // none: removed
};

struct History {
  std::vector<Operation> operations;
  std::vector<Watch> watches;
  std::vector<std::string> failures;                  // of the server to start
  std::vector<Change> witnessed;                      // ascending
  Revision witnessed_from = 1, witnessed_to = 1;      // exclusive, inclusive
  std::vector<std::pair<Moment, std::string>> notes;  // crashes and the like, for the reader
  std::map<Moment, std::string> clock = {};           // how a moment is written; else its number
};

bool in_group(std::string_view value, std::string_view group);
std::string describe(const Operation& operation, const History& history);

}  // namespace keelson::history
