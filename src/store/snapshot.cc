#include "store/snapshot.h"

#include <atomic>
#include <utility>

#include "store/format.h"

namespace keelson::store {

namespace {
// Of some hundred KiB at most times: what reads it takes a slice at a time into memory, too.
constexpr std::size_t kSliceEntries = 50;
}  // namespace

struct SnapshotWriter::Output {
  host::Files& files;
  std::string directory;
  std::unique_ptr<host::File> file = nullptr;
  Result<void> result = {};
  std::atomic<bool> closed = false;  // work that begins after the writer has ended does nothing
  Output(host::Files& f, std::string d) : files(f), directory(std::move(d)) {}
  std::string path(std::string_view name) const { return directory + "/" + std::string(name); }
};

SnapshotWriter::SnapshotWriter(host::Loop& loop, host::Files& files, std::string directory,
                               const Index& index, Revision revision,
                               std::shared_ptr<const Sealer> sealer)
    : loop_(loop),
      index_(index),
      sealer_(std::move(sealer)),
      revision_(revision),
      output_(std::make_shared<Output>(files, std::move(directory))) {}

SnapshotWriter::~SnapshotWriter() {
  output_->closed = true;
}

void SnapshotWriter::run(std::function<Result<void>(Output&)> work, std::function<void()> then) {
  loop_.offload(
      [output = output_, work = std::move(work)] {
        if (!output->closed) output->result = work(*output);
      },
      [this, alive = std::weak_ptr<int>(alive_), then = std::move(then)] {
        if (alive.expired()) return;
        if (output_->result.ok())
          then();
        else
          done_(output_->result);
      });
}

void SnapshotWriter::start(std::function<void(Result<void>)> done) {
  done_ = std::move(done);
  run(
      [header = encode_snapshot_header(revision_, loop_.now())](Output& output) -> Result<void> {
        TRY(output.file, output.files.open(output.path(kPartialName), true));
        TRY_VOID(output.file->truncate(0));
        return output.file->append(header);
      },
      [this] { next_slice(); });
}

void SnapshotWriter::next_slice() {
  Page page = index_.range({.from = from_, .limit = kSliceEntries}, revision_);
  entries_ += page.entries.size();
  from_ = page.next;
  bool more = page.more;
  auto entries = std::make_shared<std::vector<EntryPtr>>(std::move(page.entries));
  run(
      [entries, sealer = sealer_](Output& output) -> Result<void> {
        if (entries->empty()) return {};
        return output.file->append(encode_block(*entries, sealer.get()));
      },
      [this, more, entries] {
        entries->clear();  // let go on this thread: parsed forms belong to it
        if (more)
          next_slice();
        else
          finish();
      });
}

void SnapshotWriter::finish() {
  run(
      [entries = entries_, revision = revision_](Output& output) -> Result<void> {
        TRY_VOID(output.file->append(encode_last_block(entries)));
        TRY_VOID(output.file->sync());
        TRY_VOID(
            output.files.rename(output.path(kPartialName), output.path(snapshot_name(revision))));
        return output.files.sync_directory(output.directory);
      },
      [this] { done_(Result<void>()); });
}

}  // namespace keelson::store
