// Files: what the store needs of a disk. host/linux is the real one; sim has one that tears and
// loses writes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace keelson::host {

class File {
 public:
  virtual ~File() = default;
  virtual Result<void> append(
      std::string_view bytes) = 0;  // at the end of what was appended before
  virtual Result<void> sync() = 0;  // durable once this returns; may be called off the loop
  virtual Result<std::string> read(std::uint64_t offset,
                                   std::uint64_t length) = 0;  // shorter at the end
  virtual Result<void> truncate(std::uint64_t length) = 0;
  // Makes the file `length` bytes long with zeros behind what was appended, so that appends within
  // it change no metadata and sync faster. Appends still continue behind the last append; a file
  // opened again begins to append at its whole length.
  virtual Result<void> reserve(std::uint64_t) { return {}; }
  virtual std::uint64_t size() const = 0;
};

class Files {
 public:
  virtual ~Files() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, bool create) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;  // names, sorted
  virtual Result<void> make_directories(const std::string& path) = 0;
  virtual Result<void> rename(const std::string& from,
                              const std::string& to) = 0;  // atomic; durable after sync_directory
  virtual Result<void> remove(const std::string& path) = 0;
  virtual Result<void> sync_directory(const std::string& path) = 0;
  virtual bool exists(const std::string& path) = 0;
  // Takes the path for this process alone until the handle is dropped or the process ends.
  // Error: conflict if another holds it.
  virtual Result<std::shared_ptr<void>> lock(const std::string&) { return std::shared_ptr<void>(); }
};

}  // namespace keelson::host
