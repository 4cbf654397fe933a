// The Store: index, log, snapshots and dispatch put together. The order within a commit matters:
// the log's batch takes the record before the index shows it, so that nothing is visible that is
// not on its way to the disk.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/check.h"
#include "store/dispatch.h"
#include "store/log.h"
#include "store/parsed.h"
#include "store/recovery.h"
#include "store/snapshot.h"
#include "store/store.h"

namespace keelson::store {

namespace {

constexpr std::size_t kEventsPerTurn = 2000;

class Engine : public Store {
 public:
  Engine(host::Loop& loop, host::Files* files, Options options, Recovered recovered,
         std::shared_ptr<void> lock, std::shared_ptr<ParsedValues> values)
      : loop_(loop),
        files_(files),
        options_(std::move(options)),
        lock_(std::move(lock)),
        values_(std::move(values)),
        index_(std::move(recovered.index)),
        opened_(index_.revision()),
        at_once_(index_, index_.revision()),
        durably_(index_, recovered.log.durable),
        torn_(std::move(recovered.torn)),
        log_bytes_at_snapshot_(-static_cast<std::int64_t>(recovered.log_bytes)) {
    if (files_ != nullptr)
      log_ = std::make_unique<Log>(
          loop_, *files_, options_, std::move(recovered.log), [this] { on_durable(); },
          [this] { on_failing(); });
  }

  Revision revision() const override { return index_.revision(); }
  Revision durable() const override { return log_ ? log_->durable() : index_.revision(); }
  Revision opened() const override { return opened_; }
  Revision compacted() const override { return index_.compacted(); }

  Result<Revision> commit(Transaction transaction) override;
  void when_durable(Revision revision, std::function<void()> call) override;
  void settle(Revision revision, std::function<void(Result<void>)> call) override;

  EntryPtr get(std::string_view key) const override { return index_.get(key); }
  Result<EntryPtr> get_at(std::string_view key, Revision at) const override {
    if (at == Revision{}) return index_.get(key);
    TRY_VOID(check_kept(at));
    return index_.get_at(key, at);
  }
  Result<Page> range(const Range& range) const override {
    Revision at = range.at == Revision{} ? index_.revision() : range.at;
    TRY_VOID(check_kept(at));
    return index_.range(range, at);
  }
  void each(std::string_view prefix,
            const std::function<void(const EntryPtr&)>& call) const override {
    index_.each(prefix, call);
  }

  Result<std::shared_ptr<Subscription>> subscribe(std::string scope, Revision after,
                                                  Delivery delivery, OnEvent on_event) override {
    TRY_VOID(check_kept(after));
    Dispatch& dispatch = delivery == Delivery::durable ? durably_ : at_once_;
    auto subscription = dispatch.subscribe(std::move(scope), after, std::move(on_event));
    pump_soon();
    return subscription;
  }

  Result<void> changes(Revision after, const OnEvent& on_event) const override {
    TRY_VOID(check_kept(after));
    std::uint64_t end = index_.end();
    for (std::uint64_t n = index_.after(after); n < end; ++n) {
      if (n < index_.first()) return check_kept(after);  // the callback made it expire
      Event event = index_.event(n);
      on_event(event);
    }
    return {};
  }

  void compact(Revision revision) override {
    index_.compact(std::min(revision, compaction_bound()));
  }
  void snapshot(std::function<void(Result<Revision>)> done) override;
  bool failing() const override { return log_ && log_->failing(); }
  Statistics statistics() const override;

 private:
  Result<void> check_kept(Revision at) const {
    if (at < index_.compacted())
      return Error{Reason::expired, "revision " + at.text() +
                                        " has been compacted; the oldest is " +
                                        index_.compacted().text()};
    if (at > index_.revision())
      return Error{Reason::invalid, "revision " + at.text() + " is in the future; the newest is " +
                                        index_.revision().text()};
    return {};
  }
  Result<void> check_expectations(const Transaction& transaction) const;
  Revision compaction_bound() const {
    Revision bound = std::min({at_once_.needed(), durably_.needed(), durable()});
    return snapshot_ ? std::min(bound, snapshot_->revision()) : bound;
  }
  void pump_soon();
  void on_durable();
  void on_failing();
  Error cannot_write() const;
  Revision snapshot_point() const;
  void snapshot_done(Result<void> result);
  void snapshot_failed(const Error& error);
  void remove_obsolete(Revision snapshot);

  host::Loop& loop_;
  host::Files* files_;
  Options options_;
  std::shared_ptr<void> lock_;
  std::shared_ptr<ParsedValues> values_;
  Index index_;
  const Revision opened_;
  Dispatch at_once_, durably_;
  std::unique_ptr<Log> log_;  // null: in memory only
  std::unique_ptr<SnapshotWriter> snapshot_;
  std::vector<std::function<void(Result<Revision>)>> snapshot_waiters_;
  using Waiters = std::multimap<Revision, std::function<void(Result<void>)>>;
  Waiters waiters_, settlers_;  // equal ones in order of asking
  bool pump_posted_ = false;
  std::string torn_;
  std::int64_t log_bytes_at_snapshot_, log_bytes_before_ = 0;
  std::shared_ptr<void> snapshot_retry_;  // after one that failed
  std::uint64_t snapshot_failures_ = 0;
  std::string snapshot_problem_;
  std::uint64_t commits_ = 0, snapshots_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

Result<void> Engine::check_expectations(const Transaction& transaction) const {
  for (const Expect& expect : transaction.expects) {
    EntryPtr entry = index_.get(expect.key);
    Revision is = entry ? entry->modified() : Revision{};
    if (is == expect.modified) continue;
    Error error{Reason::conflict,
                expect.key + " is at revision " + is.text() + ", not at " + expect.modified.text()};
    if (!entry) error = {Reason::not_found, expect.key + " does not exist"};
    if (expect.modified == Revision{})
      error = {Reason::already_exists, expect.key + " exists already"};
    error.name = expect.key;
    return error;
  }
  return {};
}

Result<Revision> Engine::commit(Transaction transaction) {
  if (log_ && log_->failing()) return cannot_write();
  TRY_VOID(check_expectations(transaction));
  std::erase_if(transaction.deletes, [&](const std::string& key) { return !index_.get(key); });
  if (transaction.puts.empty() && transaction.deletes.empty()) return index_.revision();
  if (transaction.puts.size() + transaction.deletes.size() > 1) {
    std::set<std::string_view> keys(transaction.deletes.begin(), transaction.deletes.end());
    for (const Put& put : transaction.puts) keys.insert(put.key);
    KEELSON_CHECK(keys.size() == transaction.puts.size() + transaction.deletes.size());
  }
  Revision revision = next_revision();
  std::vector<EntryPtr> entries;
  entries.reserve(transaction.puts.size());
  for (Put& put : transaction.puts) {
    EntryPtr before = index_.get(put.key);
    if (before) before->supersede();
    entries.push_back(make_entry(put.key, put.bytes, before ? before->created() : revision,
                                 revision, std::move(put.value), values_));
  }
  Instant now = loop_.now();
  if (log_) log_->append(revision, now, entries, transaction.deletes);
  index_.apply(revision, now, std::move(entries), transaction.deletes);
  ++commits_;
  index_.compact(index_.compaction_wanted(now, options_, compaction_bound()));
  pump_soon();
  return revision;
}

void Engine::when_durable(Revision revision, std::function<void()> call) {
  if (revision <= durable()) return call();
  waiters_.emplace(revision, [call = std::move(call)](const Result<void>&) { call(); });
}

void Engine::settle(Revision revision, std::function<void(Result<void>)> call) {
  if (revision <= durable()) return call({});
  if (log_->failing()) return call(cannot_write());
  settlers_.emplace(revision, std::move(call));
}

Error Engine::cannot_write() const {
  Error error{Reason::service_unavailable, "the store cannot write: " + log_->failure().message};
  error.retry_after_seconds = 1;
  return error;
}

void Engine::on_failing() {
  const Error error = cannot_write();
  for (auto& [revision, call] : std::exchange(settlers_, {})) call(error);
}

void Engine::on_durable() {
  for (Waiters* waiters : {&waiters_, &settlers_})
    while (!waiters->empty() && waiters->begin()->first <= durable()) {
      auto node = waiters->extract(waiters->begin());
      node.mapped()({});
    }
  pump_soon();
  const auto written = static_cast<std::int64_t>(log_->bytes_written()) - log_bytes_at_snapshot_;
  const auto due =
      static_cast<std::int64_t>(std::max(options_.snapshot_log_bytes, index_.bytes() / 2));
  if (!snapshot_ && !snapshot_retry_ && written > due) snapshot({});
}

void Engine::pump_soon() {
  if (pump_posted_ || !(at_once_.has_work(revision()) || durably_.has_work(durable()))) return;
  pump_posted_ = true;
  loop_.post([this, alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired()) return;
    pump_posted_ = false;
    at_once_.deliver(revision(), kEventsPerTurn);
    durably_.deliver(durable(), kEventsPerTurn);
    pump_soon();
  });
}

void Engine::snapshot(std::function<void(Result<Revision>)> done) {
  if (!log_) {
    if (done) done(Error{Reason::method_not_allowed, "the store is in memory only"});
    return;
  }
  if (done) snapshot_waiters_.push_back(std::move(done));
  if (snapshot_) return;
  snapshot_retry_.reset();
  log_bytes_before_ =
      std::exchange(log_bytes_at_snapshot_, static_cast<std::int64_t>(log_->bytes_written()));
  snapshot_ = std::make_unique<SnapshotWriter>(loop_, *files_, options_.directory, index_,
                                               snapshot_point(), options_.sealer);
  snapshot_->start([this](Result<void> result) { snapshot_done(std::move(result)); });
}

// What comes after it stays in the log, from which a start gets its history.
Revision Engine::snapshot_point() const {
  std::uint64_t first = index_.end();
  std::uint64_t bytes = 0;
  while (first > index_.first() && index_.end() - first < options_.restart_events_max) {
    const Event& event = index_.event(first - 1);
    bytes += (event.entry ? event.entry : event.previous)->bytes().size();
    if (bytes > options_.restart_bytes_max) break;
    --first;
  }
  if (first == index_.end()) return index_.revision();
  return {index_.event(first).revision.number - 1};
}

void Engine::snapshot_done(Result<void> result) {
  Revision revision = snapshot_->revision();
  // Not at once: we are called from within it.
  loop_.post([writer = std::shared_ptr<SnapshotWriter>(std::move(snapshot_))] {});
  auto waiters = std::exchange(snapshot_waiters_, {});
  if (result.ok()) {
    ++snapshots_;
    snapshot_problem_.clear();
    remove_obsolete(revision);
  } else {
    snapshot_failed(result.error());
  }
  for (auto& waiter : waiters) {
    if (result.ok())
      waiter(revision);
    else
      waiter(result.error());
  }
}

// The log goes on growing until one succeeds: tried again, with a pause, for as long as it is due.
void Engine::snapshot_failed(const Error& error) {
  constexpr Duration kPause = Duration::seconds(30);
  ++snapshot_failures_;
  snapshot_problem_ = error.message;
  log_bytes_at_snapshot_ = log_bytes_before_;
  snapshot_retry_ = loop_.call_at(loop_.now() + kPause, [this] {
    snapshot_retry_.reset();
    snapshot({});
  });
}

void Engine::remove_obsolete(Revision snapshot) {
  auto names = std::make_shared<std::vector<std::string>>(log_->take_segments(snapshot));
  loop_.offload(
      [names, files = files_, directory = options_.directory, snapshot] {
        // What cannot be removed now stays until the next snapshot or start; it does no harm.
        if (auto all = files->list(directory); all.ok())
          for (const std::string& name : *all)
            if (auto revision = snapshot_revision(name); revision && *revision < snapshot)
              (void)files->remove(directory + "/" + name);
        for (const std::string& name : *names) (void)files->remove(directory + "/" + name);
      },
      [] {});
}

Statistics Engine::statistics() const {
  Statistics all;
  all.revision = revision();
  all.durable = durable();
  all.compacted = compacted();
  all.keys = index_.keys();
  all.bytes = index_.bytes();
  all.history_events = index_.history_events();
  all.subscriptions = at_once_.subscriptions() + durably_.subscriptions();
  all.commits = commits_;
  all.snapshots = snapshots_;
  all.torn = torn_;
  all.snapshot_failures = snapshot_failures_;
  all.snapshot_problem = snapshot_problem_;
  if (!log_) return all;
  all.syncs = log_->syncs();
  all.log_bytes = log_->bytes_written();
  all.segments = log_->segments();
  all.write_failures = log_->failures();
  return all;
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(host::Loop& loop, host::Files& files, Options options) {
  TRY_VOID(files.make_directories(options.directory));
  TRY(auto lock, files.lock(options.directory + "/lock"));
  auto values = std::make_shared<ParsedValues>(loop, options.parsed);
  TRY(Recovered recovered, recover(files, options, loop.now(), values));
  return std::unique_ptr<Store>(std::make_unique<Engine>(
      loop, &files, std::move(options), std::move(recovered), std::move(lock), std::move(values)));
}

std::unique_ptr<Store> Store::in_memory(host::Loop& loop, Options options) {
  Recovered empty;
  empty.log.durable = empty.index.revision();
  auto values = std::make_shared<ParsedValues>(loop, options.parsed);
  return std::make_unique<Engine>(loop, nullptr, std::move(options), std::move(empty), nullptr,
                                  std::move(values));
}

}  // namespace keelson::store
