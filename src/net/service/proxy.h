// ServiceProxy: keeps the host's nftables equal to what the Services say. One change of the rules
// is under way at a time; what happens meanwhile is in the next one. If the kernel refuses a
// change, the whole table is written anew, and tried again with back-off.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "host/loop.h"
#include "host/processes.h"
#include "net/service/ruleset.h"

namespace keelson::net {

class ServiceProxy {
 public:
  using Wanted = std::function<Ruleset()>;
  ServiceProxy(host::Loop& loop, host::Processes& processes, std::string table, Wanted wanted);

  // Something may have changed. Applied at once when nothing is under way; changes of one turn of
  // the loop go together.
  void changed();
  // Removes the table.
  void remove(std::function<void()> done);

  // Empty while the rules are as they should be.
  const std::string& problem() const { return problem_; }
  std::uint64_t changes_made() const { return changes_made_; }

 private:
  void apply();
  void applied(const Ruleset& ruleset, Result<host::Processes::Output> result);

  host::Loop& loop_;
  host::Processes& processes_;
  std::string table_;
  Wanted wanted_;
  Ruleset current_;
  bool known_ = false;  // the kernel's table is current_
  bool posted_ = false, running_ = false, again_ = false, removed_ = false;
  int failures_ = 0;
  std::uint64_t changes_made_ = 0;
  std::string problem_;
  std::shared_ptr<void> retry_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelson::net
