// VirtualFiles: a disk in memory that behaves as badly as a real one may. What was not synced is
// lost, kept or torn at random by crash(); names created, renamed or removed without
// sync_directory come and go likewise. Faults can be planned for any operation.
//
// Invariant: after crash(), every byte that a successful sync covered is there, under every name
// that a successful sync_directory covered.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "host/files.h"

namespace keelson::host {

class VirtualFiles : public Files {
 public:
  struct Inode;  // opaque: what a name stands for
  struct State;

  VirtualFiles();
  ~VirtualFiles() override;

  Result<std::unique_ptr<File>> open(const std::string& path, bool create) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> make_directories(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  bool exists(const std::string& path) override;

  // The power goes: unsynced sectors of 512 bytes are each kept or lost, files that are open stay
  // unusable, planned faults are forgotten.
  void crash(Prng& rng);

  // The process ends, the machine goes on: nothing is lost, but files that are open stay unusable.
  void kill();

  // Asked before every operation that changes something ("append", "sync", "truncate", "reserve",
  // "open", "rename", "remove", "sync_directory"). An error is what the operation returns. A
  // failing sync behaves as Linux does: part of the data is lost though later syncs succeed.
  using Fault =
      std::function<std::optional<Error>(std::string_view operation, const std::string& path)>;
  void set_fault(Fault fault);
  // The disk is full once its files have this many bytes together; nullopt: never. Survives
  // crash().
  void set_capacity(std::optional<std::uint64_t> bytes);
  // From the n-th changing operation on (0: the next one), all fail, as if the power had just gone.
  void stop_after(std::uint64_t operations);
  std::uint64_t operations() const;  // changing ones, so far

  // For tests of damage: the bytes as they are, and a change behind everybody's back.
  std::string content(const std::string& path) const;
  void damage(const std::string& path, std::uint64_t offset, std::string_view bytes);

 private:
  std::shared_ptr<State> state_;
};

}  // namespace keelson::host
