// Script: a sync written as straight-line code although its writes are asynchronous. The body asks
// for a write and reads its result on the next line; while that result is not known, everything
// the body says is dropped, and the body runs again from its start once it is.
//
// That is sound because a body is pure: it reads only what it captured by value. Whoever needs a
// side effect (memory of the controller) does it after the body's last line, when !waiting().
//
//   return Script::run([inputs](Script& script) -> Result<void> {
//     TRY(Value created, script.write(create_write(...)));
//     script.event({...});              // reported once
//     return script.write(...).ok() ...
//   });
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "cluster/cluster.h"

namespace keelson::control {

using codec::Value;

class Script {
 public:
  using Body = std::function<Result<void>(Script&)>;

  // The plan whose commit runs the body to its end. An Error that the body returns becomes
  // Plan::error: the key is tried again with back-off.
  static cluster::Plan run(Body body);

  // The results of the writes, one each, committed in order. While they are unknown: Errors.
  std::vector<Result<Value>> write(std::vector<cluster::Write> batch);
  Result<Value> write(cluster::Write one);
  // True once a result is unknown; the body may return whatever it likes then.
  bool waiting() const { return waiting_; }
  // Results handed out so far. Each batch costs a run of the body, so what could go on for long
  // should stop at some number and leave the rest to the next sync.
  std::size_t results_seen() const { return next_; }

  void event(cluster::EventNote event);
  // Sync this key again at that time; the earliest stays.
  void wake_at(Instant when);

 private:
  // What is known across the runs of one body.
  struct Log {
    std::vector<Result<Value>> results;
    std::size_t events_sent = 0;
  };
  static cluster::Plan resume(std::shared_ptr<const Body> body, std::shared_ptr<Log> log);

  explicit Script(const Log& log) : log_(log) {}

  const Log& log_;
  std::size_t next_ = 0;  // the next result to hand out
  bool waiting_ = false;
  std::vector<cluster::Write> wanted_;
  std::vector<cluster::EventNote> events_;
  std::optional<Instant> wake_at_;
};

// Slow start: writes in batches of 1, 2, 4 ... so that what is bound to fail (a quota) fails few
// times. A batch is finished even if one of its writes fails; then it ends. `seen` is told of every
// result. Returns the first failure, if any.
// Behaviour: slowStartBatch in pkg/controller/replicaset.
std::optional<Error> write_slowly(
    Script& script, std::vector<cluster::Write> writes,
    const std::function<void(const cluster::Write&, const Result<Value>&)>& seen,
    const std::function<bool(const Error&)>& ignorable);

// The write was refused because its namespace is being deleted: there is nothing to retry.
bool namespace_is_terminating(const Error& error);

}  // namespace keelson::control
