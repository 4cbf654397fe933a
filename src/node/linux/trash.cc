// One removal at a time: the loop has few workers, and the store writes through them too.
#include "node/linux/trash.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "node/linux/disk.h"

namespace keelson::node {

Trash::Trash(host::Loop& loop, std::string directory)
    : loop_(loop), directory_(std::move(directory)) {}

Trash::~Trash() {
  *alive_ = false;
}

void Trash::put(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) return;
  (void)make_directory(directory_, 0700);
  std::string name;
  do {
    name = directory_ + "/" + std::to_string(::getpid()) + "-" + std::to_string(++put_);
  } while (::access(name.c_str(), F_OK) == 0);
  // Something is mounted there, or the disk is full: then it takes its time.
  if (::rename(path.c_str(), name.c_str()) != 0) return remove_tree(path);
  empty();
}

void Trash::empty() {
  again_ = true;
  if (busy_) return;
  busy_ = true;
  again_ = false;
  loop_.offload(
      [directory = directory_] {
        for (const std::string& name : names_in(directory)) remove_tree(directory + "/" + name);
      },
      [this, alive = alive_] {
        if (!*alive) return;
        busy_ = false;
        if (again_) empty();
      });
}

}  // namespace keelson::node
