// SnapshotWriter: writes everything as of one revision to a file, a slice at a time, so that the
// loop goes on between slices. Whoever owns it keeps that revision from being compacted.
//
// Invariant: the file gets its name only when it is whole and synced.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "host/files.h"
#include "host/loop.h"
#include "store/index.h"

namespace keelson::store {

class SnapshotWriter {
 public:
  SnapshotWriter(host::Loop& loop, host::Files& files, std::string directory, const Index& index,
                 Revision revision, std::shared_ptr<const Sealer> sealer = {});
  ~SnapshotWriter();
  Revision revision() const { return revision_; }
  // `done` is called once, on the loop, unless the writer ends first.
  void start(std::function<void(Result<void>)> done);

 private:
  struct Output;
  void next_slice();
  void finish();
  void run(std::function<Result<void>(Output&)> work, std::function<void()> then);

  host::Loop& loop_;
  const Index& index_;
  std::shared_ptr<const Sealer> sealer_;
  Revision revision_;
  std::string from_;
  std::uint64_t entries_ = 0;
  std::shared_ptr<Output> output_;  // used by the work in flight only
  std::function<void(Result<void>)> done_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace keelson::store
