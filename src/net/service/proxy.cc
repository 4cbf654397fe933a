#include "net/service/proxy.h"

#include <algorithm>

#include "base/text.h"

namespace keelson::net {
namespace {

const Duration kRetryFirst = Duration::milliseconds(200);
const Duration kRetryMax = Duration::seconds(30);

}  // namespace

ServiceProxy::ServiceProxy(host::Loop& loop, host::Processes& processes, std::string table,
                           Wanted wanted)
    : loop_(loop), processes_(processes), table_(std::move(table)), wanted_(std::move(wanted)) {}

void ServiceProxy::changed() {
  if (posted_ || removed_) return;
  posted_ = true;
  loop_.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    posted_ = false;
    if (running_)
      again_ = true;
    else
      apply();
  });
}

void ServiceProxy::apply() {
  if (removed_) return;
  retry_.reset();
  Ruleset ruleset = wanted_();
  const std::string script =
      known_ ? change_script(table_, current_, ruleset) : whole_script(table_, ruleset);
  if (script.empty()) return;
  running_ = true;
  processes_.run({.argv = {"nft", "-f", "-"}}, script,
                 [this, alive = std::weak_ptr<bool>(alive_),
                  ruleset = std::move(ruleset)](Result<host::Processes::Output> result) {
                   if (!alive.expired()) applied(ruleset, std::move(result));
                 });
}

void ServiceProxy::applied(const Ruleset& ruleset, Result<host::Processes::Output> result) {
  running_ = false;
  if (result.ok() && result->status.code == 0) {
    current_ = ruleset;
    known_ = true;
    failures_ = 0;
    problem_.clear();
    ++changes_made_;
    if (std::exchange(again_, false)) apply();
    return;
  }
  const std::string why = result.ok() ? result->err : result.error().message;
  problem_ = "addresses of Services do not work, those of pods do: nft: " +
             std::string(trim(std::string_view(why).substr(0, why.find('\n'))));
  known_ = false;
  again_ = false;
  const Duration wait =
      std::min(kRetryMax, kRetryFirst * (std::int64_t{1} << std::min(failures_, 8)));
  ++failures_;
  retry_ = loop_.call_at(loop_.now() + wait, [this] { apply(); });
}

void ServiceProxy::remove(std::function<void()> done) {
  removed_ = true;
  retry_.reset();
  processes_.run({.argv = {"nft", "-f", "-"}},
                 "add table ip " + table_ + "\ndelete table ip " + table_ + "\n",
                 [done = std::move(done)](const Result<host::Processes::Output>&) { done(); });
}

}  // namespace keelson::net
