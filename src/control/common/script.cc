// The replay of a body against the results known so far. One run per batch of writes: syncs have
// few, and slow start makes their number logarithmic.
#include "control/common/script.h"

#include <algorithm>

#include "base/check.h"

namespace keelson::control {

cluster::Plan Script::run(Body body) {
  return resume(std::make_shared<const Body>(std::move(body)), std::make_shared<Log>());
}

cluster::Plan Script::resume(std::shared_ptr<const Body> body, std::shared_ptr<Log> log) {
  Script script(*log);
  const Result<void> end = (*body)(script);
  KEELSON_CHECK(script.next_ == log->results.size());

  cluster::Plan plan;
  KEELSON_CHECK(script.events_.size() >= log->events_sent);
  plan.events.assign(
      std::make_move_iterator(script.events_.begin() + std::ptrdiff_t(log->events_sent)),
      std::make_move_iterator(script.events_.end()));
  log->events_sent = script.events_.size();
  if (!script.waiting_) {
    plan.wake_at = script.wake_at_;
    if (!end.ok())
      plan.error = end.error().message.empty() ? "the sync failed" : end.error().message;
    return plan;
  }
  plan.writes = std::move(script.wanted_);
  plan.then = [body = std::move(body), log](std::vector<Result<Value>> results) {
    std::move(results.begin(), results.end(), std::back_inserter(log->results));
    return resume(body, log);
  };
  return plan;
}

std::vector<Result<Value>> Script::write(std::vector<cluster::Write> batch) {
  std::vector<Result<Value>> results;
  if (batch.empty()) return results;
  if (!waiting_ && next_ < log_.results.size()) {
    KEELSON_CHECK(log_.results.size() - next_ >= batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) results.push_back(log_.results[next_++]);
    return results;
  }
  if (!waiting_) wanted_ = batch;
  waiting_ = true;
  results.assign(batch.size(), Error{Reason::internal_error, "the result is not known yet"});
  return results;
}

Result<Value> Script::write(cluster::Write one) {
  return write(std::vector<cluster::Write>{std::move(one)}).front();
}

void Script::event(cluster::EventNote event) {
  if (!waiting_) events_.push_back(std::move(event));
}

void Script::wake_at(Instant when) {
  if (!wake_at_ || when < *wake_at_) wake_at_ = when;
}

std::optional<Error> write_slowly(
    Script& script, std::vector<cluster::Write> writes,
    const std::function<void(const cluster::Write&, const Result<Value>&)>& seen,
    const std::function<bool(const Error&)>& ignorable) {
  std::size_t done = 0;
  for (std::size_t size = 1; done < writes.size(); size *= 2) {
    const std::size_t count = std::min(size, writes.size() - done);
    const auto first = writes.begin() + std::ptrdiff_t(done);
    const std::vector<cluster::Write> batch(first, first + std::ptrdiff_t(count));
    const std::vector<Result<Value>> results = script.write(batch);
    if (script.waiting()) return Error{Reason::internal_error, "the result is not known yet"};
    std::optional<Error> failure;
    for (std::size_t i = 0; i < count; ++i) {
      seen(batch[i], results[i]);
      if (!results[i].ok() && !ignorable(results[i].error()) && !failure)
        failure = results[i].error();
    }
    if (failure) return failure;
    done += count;
  }
  return std::nullopt;
}

bool namespace_is_terminating(const Error& error) {
  return std::any_of(error.causes.begin(), error.causes.end(),
                     [](const Cause& cause) { return cause.type == "NamespaceTerminating"; });
}

}  // namespace keelson::control
