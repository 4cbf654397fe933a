// Watch: the store's events of one resource as a client sees them: selected, in its version and
// form, with an object that enters or leaves the selection added or deleted.
//
// Invariant: events come in order of revision, each once; a bookmark says that everything up to its
// revision has been delivered. What a watcher holds for a client that does not read is bounded: the
// objects that were there at first are read from the store as they are taken, and a client that
// falls too far behind the changes is told to begin anew.
#include <deque>
#include <optional>

#include "base/text.h"
#include "model/meta.h"
#include "registry/crds/versions.h"
#include "registry/list_options.h"
#include "registry/selection.h"
#include "registry/state.h"
#include "registry/tables/table.h"

namespace keelson::registry {

namespace {

// Of changes that a client has not taken yet. More than one turn of the store's dispatch brings.
constexpr std::size_t kHeldEventsMax = 50'000;
constexpr std::size_t kHeldBytesMax = 32 * 1024 * 1024;
constexpr std::size_t kInitialPage = 256;

class StoreWatcher : public Watcher {
 public:
  StoreWatcher(Registry::State& state, const Request& request, Call call, Selection selection)
      : state_(state),
        request_(request),
        resource_(call.resource),
        storage_(call.storage),
        selection_(std::move(selection)),
        converts_(state.environment.call_webhook && storage_->custom &&
                  storage_->definition["conversion"]["strategy"].as_string() == "Webhook"),
        serves_stored_(resource_ == storage_ && request.form.kind == Form::Kind::object),
        columns_(request.form.kind == Form::Kind::table ? columns_of(*resource_) : nullptr) {}

  // Begins with what there is at `revision`, with a bookmark at its end if that is `marked`.
  void begin_with_objects(std::int64_t revision, bool marked) {
    initial_ = Initial{{prefix(), {}, {revision}, kInitialPage}, marked};
  }

  // Nothing up to this revision is wanted.
  void begin_after(std::int64_t revision) { bookmarked_ = floor_ = revision; }

  void fail(const Error& error) {
    if (failed_) return;
    failed_ = true;
    initial_.reset();
    WatchEvent event;
    event.type = WatchEvent::Type::error;
    event.object = Object(status_of(error));
    queue_.push_back({std::move(event)});
    notify();
  }

  Result<void> follow(std::int64_t after) {
    auto subscription =
        state_.store.subscribe(prefix(), store::Revision{after}, store::Store::Delivery::durable,
                               [this](const store::Event& event) { on_event(event); });
    if (!subscription.ok()) return subscription.error();
    subscription_ = std::move(subscription).value();
    return {};
  }

  // --- Watcher ---
  std::vector<WatchEvent> take(std::size_t max) override {
    taking_ = true;
    std::vector<WatchEvent> out;
    while (out.size() < max) {
      if (queue_.empty() && changes_.empty() && initial_) read_initial();
      if (queue_.empty() && bookmark_wanted_ && changes_.empty() && !failed_) {
        bookmark_wanted_ = false;
        const std::int64_t revision = subscription_ ? subscription_->revision().number : 0;
        if (revision > bookmarked_) push_bookmark(revision, false);
      }
      if (queue_.empty()) {
        if (initial_ && changes_.empty()) continue;  // a page of which nothing was selected
        break;
      }
      Queued next = std::move(queue_.front());
      queue_.pop_front();
      release(next.cost);
      complete(next);
      out.push_back(std::move(next.event));
    }
    taking_ = false;
    return out;
  }
  void on_ready(std::function<void()> call) override { ready_ = std::move(call); }
  void request_bookmark() override {
    if (!request_.options.allow_bookmarks) return;
    bookmark_wanted_ = true;
    if (queue_.empty()) notify();
  }

 private:
  std::string prefix() const {
    std::string out = storage_->name() + "/";
    if (!storage_->namespaced) out += "/";
    if (storage_->namespaced && !request_.namespace_.empty()) out += request_.namespace_ + "/";
    return out;
  }

  // What the store says, in the order in which it says it. Without entries: the end of what was
  // there at first.
  struct Change {
    store::EntryPtr entry, previous;  // no entry: removed
    std::int64_t revision = 0;
    std::unique_ptr<Exchange> exchange = nullptr;  // with the webhook that converts it
    std::size_t open = 0;                          // questions without an answer
    std::size_t cost = 0;                          // bytes held until the client takes it
  };
  // An event in the making: its object takes its form when it is taken.
  struct Queued {
    WatchEvent event;
    Written now = {}, before = {};
    std::size_t cost = 0;
    Value mark = {};  // the object of a bookmark
  };
  // The objects at the beginning that have not been read yet.
  struct Initial {
    store::Range next;
    bool marked = false;
    std::deque<Change> later = {};  // what has changed since
  };

  // One page, or the end of it all.
  void read_initial() {
    const auto page = state_.store.range(initial_->next);
    if (!page.ok()) return fail(page.error());
    for (const store::EntryPtr& entry : page->entries)
      receive({entry, nullptr, entry->modified().number});
    if (!initial_) return;  // an object could not be shown
    initial_->next.from = page->next;
    if (page->more) return;
    Initial ended = std::move(*initial_);
    initial_.reset();
    if (ended.marked) receive({nullptr, nullptr, ended.next.at.number});
    for (Change& change : ended.later) receive(std::move(change));
  }

  void hold(std::size_t cost) {
    held_bytes_ += cost;
    if (cost > 0) ++held_events_;
  }
  void release(std::size_t cost) {
    held_bytes_ -= cost;
    if (cost > 0) --held_events_;
  }

  void on_event(const store::Event& event) {
    if (failed_ || event.revision.number <= floor_) return;
    const bool removed = event.type == store::Event::Type::remove;
    Change change{removed ? nullptr : event.entry, event.previous, event.revision.number};
    change.cost = sizeof(Change) + (change.entry ? change.entry : change.previous)->bytes().size();
    if (held_bytes_ + change.cost > kHeldBytesMax || held_events_ >= kHeldEventsMax)
      return fall_behind(event.revision.number);
    hold(change.cost);
    if (initial_)
      initial_->later.push_back(std::move(change));
    else
      receive(std::move(change));
  }

  // What has not been taken is dropped: the client has to list again anyway.
  void fall_behind(std::int64_t revision) {
    queue_.clear();
    // The first one may be waiting for an answer, which will refer to it.
    while (changes_.size() > 1) changes_.pop_back();
    fail(expired("too old resource version: the watch was closed at revision " +
                 std::to_string(revision) + ", as its client did not read " +
                 std::to_string(held_events_) + " events"));
    held_bytes_ = held_events_ = 0;
  }

  void receive(Change change) {
    if (failed_) return;
    changes_.push_back(std::move(change));
    // Asked for here, answered below.
    if (changes_.size() == 1) work_off();
  }

  void work_off() {
    while (!changes_.empty() && !failed_) {
      Change& change = changes_.front();
      if (change.open > 0) return;
      const std::size_t before = queue_.size();
      if (!change.entry && !change.previous) {
        push_bookmark(change.revision, true);
      } else if (!show(change)) {
        return;
      }
      // Held as the event that became of it, if one did.
      if (queue_.size() > before)
        queue_.back().cost = change.cost;
      else
        release(change.cost);
      changes_.pop_front();
    }
  }

  // False if a webhook has to convert the object first.
  bool show(Change& change) {
    Written now{change.entry}, before{change.previous};
    if (storage_->custom) {
      if (converts_ && !change.exchange)
        change.exchange = std::make_unique<Exchange>(state_.environment.rng->next(), state_.now());
      for (Written* one : {&now, &before}) {
        if (!one->entry) continue;
        state_.exchange = change.exchange.get();
        auto view = crds::view(state_, one->entry, *resource_);
        state_.exchange = nullptr;
        if (view.ok())
          one->object = std::move(*view);
        else if (!change.exchange || !change.exchange->has_wanted())
          return fail(view.error()), false;
      }
      if (change.exchange && change.exchange->has_wanted()) return ask(change), false;
    }
    const bool is = now.entry && selection_.takes(*now.entry, now.object);
    const bool was = before.entry && selection_.takes(*before.entry, before.object);
    if (!is && !was) return true;
    WatchEvent event;
    event.type = !is   ? WatchEvent::Type::deleted
                 : was ? WatchEvent::Type::modified
                       : WatchEvent::Type::added;
    event.revision = change.revision;
    enqueue({std::move(event), std::move(now), std::move(before)});
    return true;
  }

  void ask(Change& change) {
    std::vector<Exchange::Wanted> wanted = change.exchange->take_wanted();
    change.open = wanted.size();
    for (Exchange::Wanted& one : wanted) {
      WebhookCall call = std::move(one.call);
      state_.environment.call_webhook(
          std::move(call),
          [this, &change, one, alive = std::weak_ptr<int>(alive_)](WebhookReply reply) {
            if (alive.expired()) return;
            change.exchange->settle(one, std::move(reply));
            if (--change.open > 0) return;
            work_off();
            // The next page of what was there at first is read by whoever takes it.
            if (queue_.empty() && initial_ && ready_) ready_();
          });
    }
  }

  void complete(Queued& one) {
    WatchEvent& event = one.event;
    if (!one.mark.is_null()) event.object = formed(one.mark);
    if (event.type == WatchEvent::Type::deleted) {
      // The last state, but with the revision at which it went; what left the selection is shown
      // as it was when it still belonged.
      Value object = one.before.value();
      object.edit("metadata").set("resourceVersion", std::to_string(event.revision));
      event.object = formed(object);
    } else if (one.now.entry) {
      const store::EntryPtr& entry = one.now.entry;
      if (one.now.object.is_null() && serves_stored_) {
        event.object = Object(entry, entry->bytes(), entry->value_at_hand());
      } else {
        event.object = formed(one.now.value());
      }
    }
  }

  void push_bookmark(std::int64_t revision, bool initial_end) {
    Value object =
        Value::object({{"apiVersion", resource_->api_version()}, {"kind", resource_->kind}});
    Value& meta = object.edit("metadata");
    meta.set("resourceVersion", std::to_string(revision));
    if (initial_end)
      meta.set("annotations", Value::object({{"k8s.io/initial-events-end", "true"}}));
    WatchEvent event;
    event.type = WatchEvent::Type::bookmark;
    event.revision = bookmarked_ = revision;
    Queued bookmark{std::move(event)};
    bookmark.mark = std::move(object);
    enqueue(std::move(bookmark));
  }

  // In the client's version and form.
  Object formed(const Value& stored) {
    Value object = stored;
    if (resource_ != storage_)
      if (auto converted = state_.converted(*storage_, *resource_, stored); converted.ok())
        object = std::move(converted).value();
    if (columns_) {
      Value meta = Value::object({{"resourceVersion", model::revision_of(object)}});
      const bool with_columns = !columns_sent_;
      columns_sent_ = true;
      return Object(table_of(*columns_, {*resource_, *storage_}, meta, {Object(object)},
                             request_.form, state_.now(), with_columns));
    }
    if (request_.form.kind == Form::Kind::partial)
      return Object(partial_of({*resource_, *storage_}, object, request_.form.version));
    return Object(std::move(object));
  }

  void enqueue(Queued one) {
    if (request_.form.kind == Form::Kind::partial_list) return;
    queue_.push_back(std::move(one));
    notify();
  }
  void notify() {
    if (ready_ && !taking_ && queue_.size() <= 1) ready_();
  }

  Registry::State& state_;
  const Request request_;
  model::ResourcePointer resource_, storage_;
  Selection selection_;
  const bool converts_;       // a webhook has to
  const bool serves_stored_;  // the store's bytes are what the client gets
  std::shared_ptr<const Columns> columns_;
  std::deque<Change> changes_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  bool columns_sent_ = false, failed_ = false, bookmark_wanted_ = false, taking_ = false;
  std::int64_t bookmarked_ = 0, floor_ = 0;
  std::optional<Initial> initial_;
  std::deque<Queued> queue_;
  std::size_t held_bytes_ = 0, held_events_ = 0;
  std::function<void()> ready_;
  std::shared_ptr<store::Subscription> subscription_;
};

}  // namespace

Result<std::unique_ptr<Watcher>> Registry::State::watch(const Request& request) {
  TRY(Call call, open(request));
  const Options& options = request.options;
  if (!call.resource->has_verb("watch") && !call.resource->custom)
    return method_not_supported(call.group_resource(), "watch");
  TRY_VOID(check_list_options(options, true));
  TRY(Selection selection, Selection::of(*call.resource, options));
  if (!request.name.empty()) selection.require_name(request.name);
  TRY(const std::int64_t wanted, parse_revision(options.revision));
  // What is not durable yet comes as an event once it is.
  const std::int64_t current = store.durable().number;
  auto watcher = std::make_unique<StoreWatcher>(*this, request, call, std::move(selection));
  const bool asked = options.send_initial_events.value_or(false);
  const bool legacy = !options.send_initial_events && (options.revision.empty() || wanted == 0);
  if (asked && wanted > current) {
    watcher->fail(too_large_revision(wanted, current));
    return std::unique_ptr<Watcher>(std::move(watcher));
  }
  if (asked || legacy) {
    watcher->begin_with_objects(current, options.allow_bookmarks && (asked || !options.watch_path));
    TRY_VOID(watcher->follow(current));
    return std::unique_ptr<Watcher>(std::move(watcher));
  }
  // From a revision in the future: silence until it has passed, as in the original
  // (storage/cacher/cache_watcher.go, process).
  if (wanted > current) watcher->begin_after(wanted);
  const std::int64_t after =
      wanted == 0 ? std::max(current, history_start) : std::min(wanted, current);
  const auto too_old = [&] {
    const std::int64_t oldest = std::max(history_start, store.compacted().number);
    watcher->fail(expired("too old resource version: " + std::to_string(wanted) + " (" +
                          std::to_string(oldest) + ")"));
  };
  if (after < history_start) {
    too_old();
  } else if (auto followed = watcher->follow(after); !followed.ok()) {
    if (followed.error().reason != Reason::expired) return followed.error();
    too_old();
  }
  return std::unique_ptr<Watcher>(std::move(watcher));
}

}  // namespace keelson::registry
