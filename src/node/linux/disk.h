// Files on the node's disk: where everything of a pod lies, and the few operations on it. Layout
// below the node directory:
//   k.sock  helper-HASH  crun/                    keeper and runtime
//   trash/                                        on its way out (node/linux/trash.h)
//   images/                                       local image store
//   pods/UID/pod.json sandbox.json hosts resolv.conf ns/{ipc,uts,net} volumes/NAME/
//   pods/UID/c/ID12/state.json config.json rootfs/ upper/ work/ out err in pid exit termination
//   logs/NAMESPACE_NAME_UID/CONTAINER/ATTEMPT.log
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"
#include "node/runtime_state.h"
#include "node/volumes.h"

namespace keelson::node {

class Disk {
 public:
  explicit Disk(std::string root) : root_(std::move(root)) {}
  const std::string& root() const { return root_; }
  std::string pod(std::string_view uid) const { return root_ + "/pods/" + std::string(uid); }
  std::string container(std::string_view uid, std::string_view run_id) const {
    return pod(uid) + "/c/" + std::string(run_id.substr(0, 12));
  }
  std::string volume(std::string_view uid, std::string_view name) const {
    return pod(uid) + "/volumes/" + std::string(name);
  }
  std::string logs(const Value& pod) const;
  std::string log(const Value& pod, std::string_view container, int attempt) const;

 private:
  std::string root_;
};

Result<void> make_directory(const std::string& path, int mode = 0755);  // with parents
Result<void> write_whole(const std::string& path, std::string_view bytes, int mode = 0644);
std::string read_whole(const std::string& path, std::size_t bytes_max = 1024 * 1024);
std::string read_end(const std::string& path, std::size_t bytes_max);  // the last of a file
void remove_tree(const std::string& path);
std::vector<std::string> names_in(const std::string& path);  // sorted

// Has the path an element ".."? "a..b" has none.
bool climbs(std::string_view path);
// A path without ".", ".." and doubled or trailing slashes; nullopt if it is relative or climbs.
std::optional<std::string> plain_path(std::string_view path);

// The directory or file `inner` of a volume at `base`, as a path that has no links left. Links are
// followed as long as they stay below base. make: what is missing is made as directories with the
// mode of base, for `group` if that is not -1. Error: invalid if it leads out of base.
Result<std::string> path_within(const std::string& base, const std::string& inner, bool make,
                                std::int64_t group);

// Puts the files of a volume into its directory the way the kubelet does: a new hidden directory,
// then one rename of the link "..data". Readers see all of the old or all of the new. Writes
// nothing if nothing changed. group: owner of the files, -1: ours.
Result<void> write_volume(const std::string& directory,
                          const std::map<std::string, VolumeFile>& files, std::int64_t group);

// The first match of `name` in a passwd or group file: fields by position.
std::vector<std::string> account(const std::string& file, std::string_view name);

}  // namespace keelson::node
