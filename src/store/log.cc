// See log.h and, for the bytes, format.h. A segment gets its name only after its first batch is
// synced under another one, so a segment that is there has at least begun well.
#include "store/log.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/check.h"

namespace keelson::store {

namespace {
constexpr std::uint64_t kFirstSegmentBytes = 1u << 20;  // small: an idle engine starts fast
constexpr Duration kRetryTime = Duration::seconds(1);
// How long nothing is written before the log counts as at rest: a mark costs a sync of its own.
constexpr Duration kRestTime = Duration::seconds(1);
}  // namespace

struct Log::Writer {
  Writer(host::Files& f, std::string d, std::uint64_t bytes, std::uint64_t n, std::uint64_t r)
      : files(f), directory(std::move(d)), segment_bytes(bytes), number(n), room(r) {}
  host::Files& files;
  std::string directory;
  std::uint64_t segment_bytes;
  std::uint64_t number;  // of the segment in use, or of the next one
  std::uint64_t room;    // of the next segment
  std::unique_ptr<host::File> segment = nullptr;
  std::uint64_t used = 0, capacity = 0;
  std::atomic<bool> closed = false;  // work that begins after the log has ended does nothing

  std::string path(std::string_view name) const { return directory + "/" + std::string(name); }
  Result<void> write(Job& job);
  Result<void> begin_segment(Job& job);
  void write_newest();
  // Room for at least `least` bytes. Where a disk is nearly full, less than usual will do.
  Result<std::unique_ptr<host::File>> make_spare(const std::string& name,
                                                 std::uint64_t least) const {
    TRY(auto file, files.open(path(name), true));
    for (std::uint64_t wanted = std::max(room, least);; wanted = std::max(wanted / 4, least)) {
      const Result<void> reserved = file->reserve(wanted);
      if (reserved.ok()) break;
      if (wanted == least) return reserved.error();
      TRY_VOID(file->truncate(0));
    }
    TRY_VOID(file->sync());
    return file;
  }
};

struct Log::Job {
  std::string bytes;
  Revision last;
  Revision synced;
  std::unique_ptr<host::File> spare = nullptr;
  std::string spare_name = {};
  bool has_spare = false;  // it was given one
  Result<void> result = {};
  bool began_segment = false;
  bool mark = false;
};

Result<void> Log::Writer::write(Job& job) {
  if (closed) return Error{Reason::service_unavailable, "the store is closed"};
  seal_batch(job.bytes, job.synced);
  if (job.mark && !segment) return {};
  if (segment && !job.mark && used + job.bytes.size() > capacity) {
    segment.reset();
    ++number;
  }
  Result<void> result = segment ? segment->append(job.bytes) : begin_segment(job);
  if (result.ok() && !job.began_segment) result = segment->sync();
  if (!result.ok()) {
    // What was to become a segment did not; best effort, as recovery removes it as well.
    if (!segment) (void)files.remove(path(job.spare_name));
    // Whatever the file holds now, it is not written to again.
    if (segment || job.began_segment) ++number;
    segment.reset();
    return result;
  }
  used += job.bytes.size();
  return result;
}

Result<void> Log::Writer::begin_segment(Job& job) {
  std::unique_ptr<host::File> file = std::move(job.spare);
  if (!file) {
    TRY(file, make_spare(job.spare_name, kHeaderSize + job.bytes.size()));
  }
  TRY_VOID(file->append(encode_segment_header(number, file->size())));
  TRY_VOID(file->append(job.bytes));
  TRY_VOID(file->sync());
  job.began_segment = true;
  TRY_VOID(files.rename(path(job.spare_name), path(segment_name(number))));
  TRY_VOID(files.sync_directory(directory));
  used = kHeaderSize;
  write_newest();
  capacity = file->size();
  segment = std::move(file);
  room = std::min(std::max(room * 4, kFirstSegmentBytes), segment_bytes);
  return {};
}

// Best effort: an older number hides a loss, it does not cause one.
void Log::Writer::write_newest() {
  const std::string fresh = path(kNewestPartialName);
  (void)files.remove(fresh);
  const auto file = files.open(fresh, true);
  if (file.ok() && (*file)->append(std::to_string(number) + "\n").ok() && (*file)->sync().ok())
    (void)files.rename(fresh, path(kNewestName));
}

Log::Log(host::Loop& loop, host::Files& files, const Options& options, Start start,
         std::function<void()> on_durable, std::function<void()> on_failing)
    : loop_(loop),
      files_(files),
      options_(options),
      on_durable_(std::move(on_durable)),
      on_failing_(std::move(on_failing)),
      writer_(std::make_shared<Writer>(files, options.directory, options.segment_bytes,
                                       start.next_number,
                                       std::min(kFirstSegmentBytes, options.segment_bytes))),
      segments_(std::move(start.segments)),
      batch_(std::move(start.tail)),
      batch_last_(start.tail_last),
      durable_(start.durable) {
  if (!batch_.empty()) flush_soon();
}

Log::~Log() {
  writer_->closed = true;
  if (marked_ || in_flight_ || !batch_.empty() || !writer_->segment) return;
  std::string mark;
  append_record(mark, durable_, loop_.now(), {}, {});
  seal_batch(mark, durable_);
  // Best effort: without it the last batch could be lost unnoticed.
  if (writer_->segment->append(mark).ok()) (void)writer_->segment->sync();
}

void Log::append(Revision revision, Instant time, const std::vector<EntryPtr>& puts,
                 const std::vector<std::string>& deletes) {
  append_record(batch_, revision, time, puts, deletes, options_.sealer.get());
  batch_last_ = revision;
  flush_soon();
}

void Log::flush_soon() {
  if (in_flight_ || flush_posted_) return;
  flush_posted_ = true;
  loop_.post([this, alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired()) return;
    flush_posted_ = false;
    flush();
  });
}

void Log::flush() {
  if (in_flight_ || batch_.empty()) return;
  write(std::exchange(batch_, {}), batch_last_);
}

void Log::write(std::string bytes, Revision last) {
  in_flight_ = true;
  marked_ = false;
  auto job = std::make_shared<Job>(Job{std::move(bytes), last, durable_});
  if (spare_state_ == Spare::ready) {
    job->has_spare = true;
    job->spare = std::move(spare_);
    job->spare_name = spare_name_;
  } else {
    job->spare_name = "spare-" + std::to_string(spares_++) + ".log";
  }
  loop_.offload([writer = writer_, job] { job->result = writer->write(*job); },
                [this, job, alive = std::weak_ptr<int>(alive_)] {
                  if (!alive.expired()) written(*job);
                });
}

void Log::written(Job& job) {
  ++syncs_;
  // One that came to be ready meanwhile is not this job's.
  if (job.has_spare) {
    spare_ = std::move(job.spare);  // still there if it was not needed this time
    spare_state_ = spare_ ? Spare::ready : Spare::none;
  }
  if (!job.result.ok()) {
    ++failures_;
    failure_ = job.result.error();
    retry_ = loop_.call_at(loop_.now() + kRetryTime,
                           [this, bytes = std::move(job.bytes), last = job.last]() mutable {
                             auto keep = std::move(retry_);
                             write(std::move(bytes), last);
                           });
    on_failing_();
    return;
  }
  in_flight_ = false;
  failure_.reset();
  if (job.began_segment) segments_.push_back({writer_->number, {}});
  segments_.back().last = job.last;
  bytes_written_ += job.bytes.size();
  durable_ = job.last;
  if (spare_state_ == Spare::none && writer_->used > writer_->capacity / 2) prepare_spare();
  flush();  // what came meanwhile goes out before anyone is told, so that the disk never waits
  written_at_ = loop_.now();
  if (!in_flight_ && !mark_timer_) wait_for_rest();
  on_durable_();
}

void Log::wait_for_rest() {
  mark_timer_ = loop_.call_at(written_at_ + kRestTime, [this] {
    auto keep = std::move(mark_timer_);
    if (in_flight_ || marked_) return;  // written() comes here again
    if (loop_.now() - written_at_ < kRestTime) return wait_for_rest();
    write_mark();
  });
}

// An empty record behind what is durable, which says so.
void Log::write_mark() {
  in_flight_ = true;
  auto job = std::make_shared<Job>(Job{{}, durable_, durable_});
  append_record(job->bytes, durable_, loop_.now(), {}, {});
  job->mark = true;
  loop_.offload([writer = writer_, job] { job->result = writer->write(*job); },
                [this, job, alive = std::weak_ptr<int>(alive_)] {
                  if (alive.expired()) return;
                  in_flight_ = false;
                  // One that failed is not tried again: the next batch begins a segment, which
                  // says the same.
                  marked_ = true;
                  if (!job->result.ok()) ++failures_;
                  flush();
                });
}

void Log::prepare_spare() {
  spare_state_ = Spare::preparing;
  spare_name_ = "spare-" + std::to_string(spares_++) + ".log";
  struct Made {
    Result<std::unique_ptr<host::File>> file = std::unique_ptr<host::File>();
  };
  auto made = std::make_shared<Made>();
  // Its own copy: the writer belongs to the job in flight.
  auto maker = std::make_shared<Writer>(files_, writer_->directory, writer_->segment_bytes, 0,
                                        writer_->room);
  loop_.offload(
      [maker, owner = writer_, made, name = spare_name_] {
        if (owner->closed) return;
        made->file = maker->make_spare(name, std::min(maker->room, kFirstSegmentBytes));
        if (!made->file.ok()) (void)maker->files.remove(maker->path(name));  // recovery does too
      },
      [this, made, alive = std::weak_ptr<int>(alive_)] {
        if (alive.expired()) return;
        spare_ = made->file.ok() ? std::move(made->file).value() : nullptr;
        spare_state_ = spare_ ? Spare::ready : Spare::none;
      });
}

std::vector<std::string> Log::take_segments(Revision through) {
  std::vector<std::string> names;
  while (segments_.size() > 1 && segments_.front().last <= through) {
    names.push_back(segment_name(segments_.front().number));
    segments_.erase(segments_.begin());
  }
  return names;
}

}  // namespace keelson::store
