// Trash: trees of files that nobody needs any more. They are out of the way at once, by a rename,
// and are removed off the loop, one after another, so that a big one holds up neither the loop nor
// the other work that is done off it. What an engine did not get to, the next one removes.
#pragma once

#include <memory>
#include <string>

#include "host/loop.h"

namespace keelson::node {

class Trash {
 public:
  // directory: of its own, on the file system of what is thrown away; made when needed.
  Trash(host::Loop& loop, std::string directory);
  ~Trash();

  void put(const std::string& path);  // nothing if there is no such path
  void empty();

 private:
  host::Loop& loop_;
  std::string directory_;
  std::uint64_t put_ = 0;
  bool busy_ = false, again_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelson::node
