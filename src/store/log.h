// Log: the write-ahead log's writing side. Commits of one turn of the loop are gathered, written
// and synced together off the loop, one batch at a time.
//
// Invariant: durable() covers only what a successful sync covered. A batch whose write failed is
// kept and written again, whole, to a new segment; meanwhile failing() is true. A log at rest ends
// with a mark, so that the loss of its last batch can be told from a torn write.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/files.h"
#include "host/loop.h"
#include "store/format.h"
#include "store/store.h"

namespace keelson::store {

struct Segment {
  std::uint64_t number = 0;
  Revision last;  // highest revision in it
};

class Log {
 public:
  struct Start {
    Revision durable;
    std::uint64_t next_number = 1;
    std::vector<Segment> segments = {};
    std::string tail = {};  // records that must be written again first
    Revision tail_last = {};
  };
  Log(host::Loop& loop, host::Files& files, const Options& options, Start start,
      std::function<void()> on_durable, std::function<void()> on_failing);
  ~Log();

  void append(Revision revision, Instant time, const std::vector<EntryPtr>& puts,
              const std::vector<std::string>& deletes);
  Revision durable() const { return durable_; }
  bool failing() const { return failure_.has_value(); }
  const Error& failure() const { return *failure_; }

  // Names of the closed segments that hold nothing above this revision; they leave the list.
  std::vector<std::string> take_segments(Revision through);

  std::uint64_t bytes_written() const { return bytes_written_; }
  std::uint64_t syncs() const { return syncs_; }
  std::uint64_t failures() const { return failures_; }
  std::size_t segments() const { return segments_.size(); }

 private:
  struct Writer;
  struct Job;
  void flush_soon();
  void flush();
  void write(std::string bytes, Revision last);
  void written(Job& job);
  void wait_for_rest();
  void write_mark();
  void prepare_spare();

  host::Loop& loop_;
  host::Files& files_;
  Options options_;
  std::function<void()> on_durable_, on_failing_;
  std::shared_ptr<Writer> writer_;  // used by the job in flight only
  std::vector<Segment> segments_;   // the last one may still be written to
  std::string batch_;
  Revision batch_last_, durable_;
  bool in_flight_ = false, flush_posted_ = false;
  enum class Spare : std::uint8_t { none, preparing, ready };
  Spare spare_state_ = Spare::none;
  std::unique_ptr<host::File> spare_;
  std::string spare_name_;
  std::uint64_t spares_ = 0;
  std::optional<Error> failure_;
  std::shared_ptr<void> retry_;
  bool marked_ = true;  // the log ends with a mark, or has nothing to mark
  Instant written_at_;
  std::shared_ptr<void> mark_timer_;
  std::uint64_t bytes_written_ = 0, syncs_ = 0, failures_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace keelson::store
