#include "runtime/embedded_cluster.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace keelson::runtime {

using cluster::Value;

namespace {

constexpr std::string_view kDefaultComponent = "keelson";
const Value kNull;

std::string key_of(std::string_view resource, std::string_view ns, std::string_view name) {
  std::string key;
  key.reserve(resource.size() + ns.size() + name.size() + 2);
  key.append(resource).append("/").append(ns).append("/").append(name);
  return key;
}

std::string_view resource_of(std::string_view key) {
  return key.substr(0, key.find('/'));
}

const Value& value_of(const store::EntryPtr& entry) {
  return entry ? entry->value() : kNull;
}

// The same cluster under another name.
class Facade : public cluster::Cluster {
 public:
  Facade(EmbeddedCluster& base, std::string component)
      : base_(base), component_(std::move(component)) {}
  Value get(std::string_view resource, std::string_view ns, std::string_view name) const override {
    return base_.get(resource, ns, name);
  }
  std::vector<Value> list(std::string_view resource, std::string_view ns) const override {
    return base_.list(resource, ns);
  }
  std::vector<Value> owned_by(std::string_view resource, std::string_view uid) const override {
    return base_.owned_by(resource, uid);
  }
  void commit(cluster::Write write, std::function<void(Result<Value>)> done) override {
    base_.commit_as(component_, std::move(write), std::move(done));
  }
  std::shared_ptr<void> watch(std::string resource, OnChange on_change) override {
    return base_.watch(std::move(resource), std::move(on_change));
  }
  void note(cluster::EventNote event, std::string reporter) override {
    base_.note(std::move(event), std::move(reporter));
  }
  Instant now() const override { return base_.now(); }
  Prng& rng() override { return base_.rng(); }
  std::shared_ptr<void> call_at(Instant when, std::function<void()> call) override {
    return base_.call_at(when, std::move(call));
  }

 private:
  EmbeddedCluster& base_;
  std::string component_;
};

}  // namespace

struct EmbeddedCluster::Watcher {
  store::Revision after;  // announced as existing up to here
  OnChange on_change;
};

EmbeddedCluster::EmbeddedCluster(host::Loop& loop, store::Store& store, Execute execute,
                                 std::uint64_t seed)
    : loop_(loop),
      store_(store),
      execute_(std::move(execute)),
      rng_(seed),
      delivered_(store.revision()),
      recorder_([this](std::string_view component, const cluster::Write& write) {
        return execute_(write, component);
      }) {
  owners_.seen = delivered_;
  auto wake = store_.subscribe("", delivered_, store::Store::Delivery::at_once,
                               [this](const store::Event& event) {
                                 if (event.revision > delivered_) deliver_changes();
                                 catch_up();  // so that the history may be compacted behind us
                               });
  KEELSON_CHECK(wake.ok());
  wake_ = std::move(wake).value();
}

EmbeddedCluster::~EmbeddedCluster() = default;

std::unique_ptr<cluster::Cluster> EmbeddedCluster::as(std::string component) {
  return std::make_unique<Facade>(*this, std::move(component));
}

Value EmbeddedCluster::get(std::string_view resource, std::string_view ns,
                           std::string_view name) const {
  return value_of(store_.get(key_of(resource, ns, name)));
}

std::vector<Value> EmbeddedCluster::list(std::string_view resource, std::string_view ns) const {
  std::string prefix(resource);
  prefix += '/';
  if (!ns.empty()) prefix.append(ns).append("/");
  std::vector<Value> all;
  store_.each(prefix, [&](const store::EntryPtr& entry) { all.push_back(entry->value()); });
  return all;
}

void EmbeddedCluster::change_owners(std::map<std::string, std::set<std::string>>& owners,
                                    std::string_view key, const Value& before,
                                    const Value& after) const {
  const Value& was = before.at("metadata.ownerReferences");
  const Value& is = after.at("metadata.ownerReferences");
  if (was == is) return;
  for (const Value& reference : was.elements()) {
    auto found = owners.find(reference["uid"].str());
    if (found == owners.end()) continue;
    found->second.erase(std::string(key));
    if (found->second.empty()) owners.erase(found);
  }
  for (const Value& reference : is.elements())
    owners[reference["uid"].str()].insert(std::string(key));
}

void EmbeddedCluster::catch_up() const {
  if (owners_.seen == store_.revision()) return;
  auto done = store_.changes(owners_.seen, [&](const store::Event& event) {
    auto owners = owners_.keys.find(resource_of(event.key()));
    if (owners == owners_.keys.end()) return;
    change_owners(owners->second, event.key(), value_of(event.previous), value_of(event.entry));
  });
  KEELSON_CHECK(done.ok());  // our subscription keeps what we have not seen
  owners_.seen = store_.revision();
}

std::vector<Value> EmbeddedCluster::owned_by(std::string_view resource,
                                             std::string_view uid) const {
  catch_up();
  auto owners = owners_.keys.find(resource);
  if (owners == owners_.keys.end()) {
    owners = owners_.keys.emplace(std::string(resource), decltype(owners->second)()).first;
    store_.each(std::string(resource) + "/", [&](const store::EntryPtr& entry) {
      change_owners(owners->second, entry->key(), kNull, entry->value());
    });
  }
  std::vector<Value> all;
  auto keys = owners->second.find(std::string(uid));
  if (keys == owners->second.end()) return all;
  for (const std::string& key : keys->second)
    if (auto entry = store_.get(key)) all.push_back(entry->value());
  return all;
}

void EmbeddedCluster::commit(cluster::Write write, std::function<void(Result<Value>)> done) {
  commit_as(kDefaultComponent, std::move(write), std::move(done));
}

void EmbeddedCluster::commit_as(std::string_view component, cluster::Write write,
                                std::function<void(Result<Value>)> done) {
  if (!done) done = [](const Result<Value>&) {};
  if (execute_later_) return execute_later_(write, component, std::move(done));
  done(execute_(write, component));
}

std::shared_ptr<void> EmbeddedCluster::watch(std::string resource, OnChange on_change) {
  auto watcher = std::make_shared<Watcher>(Watcher{store_.revision(), std::move(on_change)});
  std::uint64_t id = next_watcher_++;
  watchers_[resource].emplace(id, watcher);
  // Taken first: the callback may write.
  std::vector<Value> existing = list(resource);
  for (const Value& object : existing) watcher->on_change(Value(), object);
  return watcher;
}

void EmbeddedCluster::deliver(const store::Event& event) {
  auto found = watchers_.find(resource_of(event.key()));
  if (found == watchers_.end()) return;
  auto& watchers = found->second;
  for (auto it = watchers.begin(); it != watchers.end();) {
    std::uint64_t id = it->first;
    auto watcher = it->second.lock();
    if (!watcher) {
      it = watchers.erase(it);
      continue;
    }
    if (event.revision > watcher->after)
      watcher->on_change(value_of(event.previous), value_of(event.entry));
    it = watchers.upper_bound(id);
  }
}

void EmbeddedCluster::deliver_changes() {
  // A callback that writes and looks again is told of its own change after this one.
  if (delivering_) return;
  delivering_ = true;
  while (delivered_ < store_.revision()) {
    store::Revision until = store_.revision();
    auto done = store_.changes(delivered_, [this](const store::Event& event) { deliver(event); });
    KEELSON_CHECK(done.ok());
    delivered_ = until;
  }
  delivering_ = false;
}

void EmbeddedCluster::note(cluster::EventNote event, std::string reporter) {
  recorder_.note(event, reporter, now());
  arm_sweep();
}

void EmbeddedCluster::arm_sweep() {
  if (sweep_ || !recorder_.needs_sweep()) return;
  sweep_ = loop_.call_at(now() + EventRecorder::kSweepTime, [this] {
    auto keep = std::move(sweep_);
    recorder_.sweep(now());
    arm_sweep();
  });
}

std::shared_ptr<void> EmbeddedCluster::call_at(Instant when, std::function<void()> call) {
  return loop_.call_at(when, std::move(call));
}

}  // namespace keelson::runtime
