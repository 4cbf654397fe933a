// Each inode keeps its content as seen and as on the platter; the ranges between them that differ
// are what a crash decides about. Names are kept twice too, with the list of changes between.
#include "host/virtual_files.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"

namespace keelson::host {

namespace {
constexpr std::size_t kSector = 512;
Error not_found(const std::string& path) {
  return {Reason::not_found, path + ": no such file or directory"};
}
std::string directory_of(const std::string& path) {
  auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string(".") : path.substr(0, slash);
}
}  // namespace

struct VirtualFiles::Inode {
  std::string seen;             // what reads return
  std::string platter;          // what is sure to survive
  std::set<std::size_t> dirty;  // sectors that a sync still has to write
  std::uint64_t end = 0;        // where appends continue

  void touch(std::size_t from, std::size_t to) {
    for (std::size_t s = from / kSector; s * kSector < to; ++s) dirty.insert(s);
  }
  void write_sector(std::size_t sector) {
    std::size_t from = sector * kSector, to = std::min(from + kSector, seen.size());
    if (from >= to) return;
    if (platter.size() < to) platter.resize(to, '\0');
    std::copy(seen.begin() + static_cast<std::ptrdiff_t>(from),
              seen.begin() + static_cast<std::ptrdiff_t>(to),
              platter.begin() + static_cast<std::ptrdiff_t>(from));
  }
};

struct VirtualFiles::State {
  struct Change {
    std::string directory;                                              // whose sync makes it last
    std::vector<std::pair<std::string, std::shared_ptr<Inode>>> names;  // null: the name goes
  };
  std::map<std::string, std::shared_ptr<Inode>> seen, platter;
  std::vector<Change> changes;  // not yet synced, in order
  Fault fault;
  std::optional<std::uint64_t> stop_at, capacity;
  std::uint64_t operations = 0;
  std::uint64_t epoch = 0;  // counts crashes: handles of an older one are dead
  std::uint64_t random = 0x9e3779b97f4a7c15ULL;

  std::optional<Error> check(std::string_view operation, const std::string& path) {
    std::uint64_t index = operations++;
    if (stop_at && index >= *stop_at) return Error{Reason::internal_error, "the power is gone"};
    if (fault) return fault(operation, path);
    return std::nullopt;
  }
  // A file is about to become longer.
  std::optional<Error> check_room(const Inode& inode, std::uint64_t length,
                                  const std::string& path) const {
    if (!capacity || length <= inode.seen.size()) return std::nullopt;
    std::uint64_t used = length - inode.seen.size();
    for (const auto& [name, other] : seen) used += other->seen.size();
    if (used <= *capacity) return std::nullopt;
    return Error{Reason::service_unavailable, "write " + path + ": No space left on device"};
  }
  void change_names(Change change) {
    apply(seen, change);
    changes.push_back(std::move(change));
  }
  static void apply(std::map<std::string, std::shared_ptr<Inode>>& names, const Change& change) {
    for (const auto& [name, inode] : change.names) {
      if (inode)
        names[name] = inode;
      else
        names.erase(name);
    }
  }
};

namespace {

class VirtualFile : public File {
 public:
  VirtualFile(std::shared_ptr<VirtualFiles::State> state,
              std::shared_ptr<VirtualFiles::Inode> inode, std::string path)
      : state_(std::move(state)),
        inode_(std::move(inode)),
        path_(std::move(path)),
        epoch_(state_->epoch) {
    inode_->end = inode_->seen.size();
  }

  Result<void> append(std::string_view bytes) override {
    TRY_VOID(ready("append"));
    std::uint64_t to = inode_->end + bytes.size();
    if (auto full = state_->check_room(*inode_, to, path_)) return *full;
    if (inode_->seen.size() < to) inode_->seen.resize(to);
    std::copy(bytes.begin(), bytes.end(),
              inode_->seen.begin() + static_cast<std::ptrdiff_t>(inode_->end));
    inode_->touch(inode_->end, to);
    inode_->end = to;
    return {};
  }
  Result<void> sync() override {
    if (auto failed = ready("sync"); !failed.ok()) {
      // Linux marks the pages clean although they never reached the disk.
      if (epoch_ == state_->epoch) lose_some();
      return failed;
    }
    for (std::size_t sector : inode_->dirty) inode_->write_sector(sector);
    inode_->dirty.clear();
    inode_->platter.resize(inode_->seen.size(), '\0');
    return {};
  }
  Result<std::string> read(std::uint64_t offset, std::uint64_t length) override {
    if (epoch_ != state_->epoch) return Error{Reason::internal_error, path_ + ": file is gone"};
    if (offset >= inode_->seen.size()) return std::string();
    return inode_->seen.substr(offset, length);
  }
  Result<void> truncate(std::uint64_t length) override {
    TRY_VOID(ready("truncate"));
    inode_->seen.resize(length, '\0');
    inode_->end = std::min(inode_->end, length);
    return {};
  }
  Result<void> reserve(std::uint64_t length) override {
    TRY_VOID(ready("reserve"));
    if (auto full = state_->check_room(*inode_, length, path_)) return *full;
    if (inode_->seen.size() < length) {
      inode_->touch(inode_->seen.size(), length);
      inode_->seen.resize(length, '\0');
    }
    return {};
  }
  std::uint64_t size() const override { return inode_->seen.size(); }

 private:
  Result<void> ready(std::string_view operation) {
    if (epoch_ != state_->epoch) return Error{Reason::internal_error, path_ + ": file is gone"};
    if (auto error = state_->check(operation, path_)) return *error;
    return {};
  }
  void lose_some() {
    if (state_->stop_at && state_->operations > *state_->stop_at) return;  // power: see crash()
    Prng rng(state_->random++);
    for (std::size_t sector : inode_->dirty)
      if (rng.below(2) == 0) inode_->write_sector(sector);
    inode_->dirty.clear();
  }

  std::shared_ptr<VirtualFiles::State> state_;
  std::shared_ptr<VirtualFiles::Inode> inode_;
  std::string path_;
  std::uint64_t epoch_;
};

}  // namespace

VirtualFiles::VirtualFiles() : state_(std::make_shared<State>()) {}
VirtualFiles::~VirtualFiles() = default;

Result<std::unique_ptr<File>> VirtualFiles::open(const std::string& path, bool create) {
  auto found = state_->seen.find(path);
  if (found == state_->seen.end()) {
    if (!create) return not_found(path);
    if (auto error = state_->check("open", path)) return *error;
    state_->change_names({directory_of(path), {{path, std::make_shared<Inode>()}}});
    found = state_->seen.find(path);
  }
  return std::unique_ptr<File>(new VirtualFile(state_, found->second, path));
}

Result<std::vector<std::string>> VirtualFiles::list(const std::string& directory) {
  std::vector<std::string> names;
  std::string prefix = directory + "/";
  for (auto it = state_->seen.lower_bound(prefix); it != state_->seen.end(); ++it) {
    if (it->first.compare(0, prefix.size(), prefix) != 0) break;
    std::string rest = it->first.substr(prefix.size());
    if (rest.find('/') == std::string::npos) names.push_back(std::move(rest));
  }
  return names;
}

// Directories have no life of their own here.
Result<void> VirtualFiles::make_directories(const std::string&) {
  return {};
}

Result<void> VirtualFiles::rename(const std::string& from, const std::string& to) {
  auto found = state_->seen.find(from);
  if (found == state_->seen.end()) return not_found(from);
  if (auto error = state_->check("rename", from)) return *error;
  auto inode = found->second;
  state_->change_names({directory_of(to), {{from, nullptr}, {to, std::move(inode)}}});
  return {};
}

Result<void> VirtualFiles::remove(const std::string& path) {
  if (state_->seen.count(path) == 0) return not_found(path);
  if (auto error = state_->check("remove", path)) return *error;
  state_->change_names({directory_of(path), {{path, nullptr}}});
  return {};
}

Result<void> VirtualFiles::sync_directory(const std::string& path) {
  if (auto error = state_->check("sync_directory", path)) return *error;
  std::vector<State::Change> rest;
  for (auto& change : state_->changes) {
    if (change.directory == path)
      State::apply(state_->platter, change);
    else
      rest.push_back(std::move(change));
  }
  state_->changes = std::move(rest);
  return {};
}

bool VirtualFiles::exists(const std::string& path) {
  return state_->seen.count(path) != 0;
}

void VirtualFiles::kill() {
  ++state_->epoch;
  state_->fault = nullptr;
  state_->stop_at.reset();
}

void VirtualFiles::crash(Prng& rng) {
  kill();
  // A journaling file system keeps a prefix of the changes of names.
  std::size_t kept = rng.below(state_->changes.size() + 1);
  for (std::size_t i = 0; i < kept; ++i) State::apply(state_->platter, state_->changes[i]);
  state_->changes.clear();
  std::set<Inode*> done;  // looked up only, never walked
  for (auto& [name, inode] : state_->platter) {
    if (!done.insert(inode.get()).second) continue;
    for (std::size_t sector : inode->dirty)
      if (rng.below(2) == 0) inode->write_sector(sector);
    inode->dirty.clear();
    if (inode->seen.size() < inode->platter.size() && rng.below(2) == 0)
      inode->platter.resize(inode->seen.size());  // a truncation may have come through
    inode->seen = inode->platter;
    inode->end = inode->seen.size();
  }
  state_->seen = state_->platter;
}

void VirtualFiles::set_fault(Fault fault) {
  state_->fault = std::move(fault);
}
void VirtualFiles::set_capacity(std::optional<std::uint64_t> bytes) {
  state_->capacity = bytes;
}
void VirtualFiles::stop_after(std::uint64_t operations) {
  state_->stop_at = state_->operations + operations;
}
std::uint64_t VirtualFiles::operations() const {
  return state_->operations;
}

std::string VirtualFiles::content(const std::string& path) const {
  auto found = state_->seen.find(path);
  return found == state_->seen.end() ? std::string() : found->second->seen;
}

void VirtualFiles::damage(const std::string& path, std::uint64_t offset, std::string_view bytes) {
  auto found = state_->seen.find(path);
  KEELSON_CHECK(found != state_->seen.end());
  for (std::string* content : {&found->second->seen, &found->second->platter}) {
    if (content->size() < offset + bytes.size()) content->resize(offset + bytes.size());
    std::copy(bytes.begin(), bytes.end(), content->begin() + static_cast<std::ptrdiff_t>(offset));
  }
}

}  // namespace keelson::host
