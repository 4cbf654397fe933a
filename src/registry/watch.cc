// Watch: the store's events of one resource as a client sees them: selected, in its version and
// form, with an object that enters or leaves the selection added or deleted.
//
// Invariant: events come in order of revision, each once; a bookmark says that everything up to its
// revision has been delivered.
#include <deque>

#include "base/text.h"
#include "model/meta.h"
#include "registry/crds/versions.h"
#include "registry/list_options.h"
#include "registry/selection.h"
#include "registry/state.h"
#include "registry/tables/table.h"

namespace keelson::registry {

namespace {

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
        columns_(request.form.kind == Form::Kind::table ? columns_of(*resource_) : nullptr) {}

  void add_initial(const store::EntryPtr& entry) {
    if (in_scope(*entry)) receive({entry, nullptr, entry->modified().number});
  }

  // Marks the end of the initial events.
  void end_initial(std::int64_t revision) { receive({nullptr, nullptr, revision}); }

  void fail(const Error& error) {
    if (failed_) return;
    failed_ = true;
    WatchEvent event;
    event.type = WatchEvent::Type::error;
    event.object = Object(status_of(error));
    queue_.push_back(std::move(event));
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
    std::vector<WatchEvent> out;
    while (!queue_.empty() && out.size() < max) {
      out.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    if (bookmark_wanted_ && queue_.empty() && out.size() < max && !failed_) {
      bookmark_wanted_ = false;
      const std::int64_t revision = subscription_ ? subscription_->revision().number : 0;
      if (revision > bookmarked_) {
        push_bookmark(revision, false);
        out.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
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

  bool in_scope(const store::Entry& entry) const { return entry.key().starts_with(prefix()); }

  // What the store says, in the order in which it says it. Without entries: the end of what was
  // there at first.
  struct Change {
    store::EntryPtr entry, previous;  // no entry: removed
    std::int64_t revision = 0;
    std::unique_ptr<Exchange> exchange = nullptr;  // with the webhook that converts it
    std::size_t open = 0;                          // questions without an answer
  };

  void on_event(const store::Event& event) {
    const bool removed = event.type == store::Event::Type::remove;
    receive({removed ? nullptr : event.entry, event.previous, event.revision.number});
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
      if (!change.entry && !change.previous) {
        push_bookmark(change.revision, true);
      } else if (!show(change)) {
        return;
      }
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
    const bool is = now.entry && selection_.matches(now.value());
    const bool was = before.entry && selection_.matches(before.value());
    if (is)
      push(was ? WatchEvent::Type::modified : WatchEvent::Type::added, now, before,
           change.revision);
    else if (was)
      push_deleted(before, change.revision);
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
            if (--change.open == 0) work_off();
          });
    }
  }

  void push(WatchEvent::Type type, const Written& now, const Written& before,
            std::int64_t revision) {
    WatchEvent event;
    event.type = type;
    event.revision = revision;
    event.object = formed(now.value(), now.object.is_null() ? now.entry : nullptr);
    if (before.entry)
      event.before = Object(before.entry, before.entry->bytes(), before.entry->value());
    enqueue(std::move(event));
  }

  // The last state, but with the revision at which it went; what left the selection is shown as it
  // was when it still belonged.
  void push_deleted(const Written& before, std::int64_t revision) {
    Value object = before.value();
    object.edit("metadata").set("resourceVersion", std::to_string(revision));
    WatchEvent event;
    event.type = WatchEvent::Type::deleted;
    event.revision = revision;
    event.object = formed(object, nullptr);
    event.before = Object(before.entry, before.entry->bytes(), before.entry->value());
    enqueue(std::move(event));
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
    event.object = formed(object, nullptr);
    enqueue(std::move(event));
  }

  // In the client's version and form. `entry` is given where its bytes may be served as they are.
  Object formed(const Value& stored, const store::EntryPtr& entry) {
    Value object = stored;
    const bool same = resource_ == storage_;
    if (!same)
      if (auto converted = state_.converted(*storage_, *resource_, stored); converted.ok())
        object = std::move(converted).value();
    if (columns_) {
      Value meta = Value::object({{"resourceVersion", model::revision_of(object)}});
      const bool with_columns = !columns_sent_;
      columns_sent_ = true;
      return Object(
          table_of(*columns_, meta, {Object(object)}, request_.form, state_.now(), with_columns));
    }
    if (request_.form.kind == Form::Kind::partial)
      return Object(partial_of(object, request_.form.version));
    if (same && entry) return Object(entry, entry->bytes(), object);
    return Object(std::move(object));
  }

  void enqueue(WatchEvent event) {
    if (request_.form.kind == Form::Kind::partial_list) return;
    queue_.push_back(std::move(event));
    notify();
  }
  void notify() {
    if (ready_ && queue_.size() <= 1) ready_();
  }

  Registry::State& state_;
  const Request request_;
  model::ResourcePointer resource_, storage_;
  Selection selection_;
  const bool converts_;  // a webhook has to
  std::shared_ptr<const Columns> columns_;
  std::deque<Change> changes_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  bool columns_sent_ = false, failed_ = false, bookmark_wanted_ = false;
  std::int64_t bookmarked_ = 0;
  std::deque<WatchEvent> queue_;
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
  const std::int64_t current = store.revision().number;
  auto watcher = std::make_unique<StoreWatcher>(*this, request, call, std::move(selection));
  const bool asked = options.send_initial_events.value_or(false);
  const bool legacy = !options.send_initial_events && (options.revision.empty() || wanted == 0);
  if (asked || legacy) {
    for (const store::EntryPtr& entry :
         entries(call.storage->name(), call.storage->namespaced ? request.namespace_ : ""))
      watcher->add_initial(entry);
    if (options.allow_bookmarks && (asked || !options.watch_path)) watcher->end_initial(current);
    TRY_VOID(watcher->follow(current));
    return std::unique_ptr<Watcher>(std::move(watcher));
  }
  const std::int64_t after = wanted == 0 ? current : std::min(wanted, current);
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
