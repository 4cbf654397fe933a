// The judgement about a history: one named guarantee for each thing that a client may rely on, as
// etcd promises them (https://etcd.io/docs/v3.6/learning/api_guarantees/) and Kubernetes hands them
// on.
//
// The server puts all writes in one order by itself, the revisions. So linearizability need not be
// searched for: it holds if that order explains every answer, and fits the time at which each
// operation began and ended.
#pragma once

#include <string>
#include <vector>

#include "history.h"

namespace keelson::history {

enum class Guarantee {
  one_order,     // a revision means one thing, for everybody and for ever; none is missing
  durable,       // a write that was acknowledged is in the order
  exactly_once,  // a write takes effect once, or never if it was refused
  real_time,     // what began after an answer comes after it
  conditional,   // a write takes effect only where its condition holds, and is refused only if not
  fresh_read,    // a read gives what held at one moment between its begin and its end
  consistent_list,  // a list is the state at its one revision
  ordered,          // events come in order of revision
  unique,           // each once
  atomic,           // all of a revision, or nothing
  reliable,         // without a gap
  resumable,        // a watch goes on right behind the revision that it is given
  bookmarkable,     // nothing comes after a bookmark that is not younger
  filtered,         // an object enters as added, leaves as removed, and shows what was written
  expiring,         // a watch ends as expired if, and only if, what it asks for is compacted
};
std::string_view to_text(Guarantee guarantee);

struct Violation {
  Guarantee guarantee;
  std::string text;               // what is wrong, in one line
  std::vector<std::string> keys;  // that it is about
  int watch = -1;                 // number of the watch that it is about
};

// Empty if all is well. The first of each kind that is found.
std::vector<Violation> check(const History& history);

// The part of the history that concerns the violation, for a reader.
std::string explain(const Violation& violation, const History& history);

}  // namespace keelson::history
