#include "registry/state.h"

#include "model/meta.h"
#include "registry/address_objects.h"
#include "registry/crds/versions.h"

namespace keelson::registry {

Registry::State::State(store::Store& the_store, Environment the_environment, Settings the_settings)
    : store(the_store),
      environment(std::move(the_environment)),
      settings(std::move(the_settings)),
      addresses(settings.service_range, settings.node_port_first, settings.node_port_last) {}

store::EntryPtr Registry::State::entry(std::string_view resource, std::string_view ns,
                                       std::string_view name) const {
  std::string key(resource);
  key.append("/").append(ns).append("/").append(name);
  return store.get(key);
}

const Value& Registry::State::object(std::string_view resource, std::string_view ns,
                                     std::string_view name) const {
  static const Value none;
  const store::EntryPtr found = entry(resource, ns, name);
  return found ? found->value() : none;
}

std::vector<store::EntryPtr> Registry::State::entries(std::string_view resource,
                                                      std::string_view ns) const {
  std::string prefix(resource);
  prefix += '/';
  if (!ns.empty()) prefix.append(ns).append("/");
  std::vector<store::EntryPtr> out;
  store.each(prefix, [&](const store::EntryPtr& one) { out.push_back(one); });
  return out;
}

Result<Value> Registry::State::converted(const model::Resource& from, const model::Resource& to,
                                         const Value& object) const {
  if (&from == &to || (from.version == to.version && from.group == to.group)) return object;
  return model::convert(from, to, object);
}

Result<Value> Registry::State::live(const Call& call, const store::EntryPtr& entry) {
  if (!call.storage->custom) return entry->value();
  TRY(Value object, crds::view(*this, entry, *call.storage));
  return object.is_null() ? entry->value() : object;
}

Result<Object> Registry::State::served(const Call& call, const store::EntryPtr& entry) {
  if (!call.storage->custom) return served(call, Written{entry, Value()});
  TRY(Value object, crds::view(*this, entry, *call.storage));
  return served(call, Written{entry, std::move(object)});
}

Result<Object> Registry::State::served(const Call& call, const Written& written) {
  const store::EntryPtr& entry = written.entry;
  if (!written.object.is_null()) return served(call, written.object);
  if (call.resource == call.storage) return Object(entry, entry->bytes(), entry->value_at_hand());
  return served(call, entry->value());
}

Result<Object> Registry::State::served(const Call& call, const Value& stored) const {
  TRY(Value object, converted(*call.storage, *call.resource, stored));
  return Object(std::move(object));
}

namespace {

// A Service takes the objects of its addresses along. What is to be observed once it is written.
std::vector<std::pair<Value, Value>> addresses_into(Registry::State& state, const Call& call,
                                                    const Value& before, const Value& after,
                                                    store::Transaction& transaction) {
  if (call.storage->name() != "services") return {};
  AddressChange change = address_change(state, before, after);
  for (store::Put& one : change.puts) transaction.puts.push_back(std::move(one));
  for (std::string& key : change.deletes) transaction.deletes.push_back(std::move(key));
  return std::move(change.changes);
}

}  // namespace

Result<Written> Registry::State::put(Call& call, std::string key, Value object) {
  constexpr std::size_t kObjectBytesMax = 1536 * 1024;
  const Value before = [&] {
    const store::EntryPtr existing = store.get(key);
    return existing ? existing->value() : Value();
  }();
  // Conversions come first: what they ask of webhooks must not find the object half written.
  Value kept = object;
  if (call.storage->custom) {
    TRY(kept, crds::to_storage(*this, *call.storage, object));
    if (!kept.same_node(object)) {
      TRY(object, crds::from_storage(*this, kept, *call.storage));
    }
  }
  const bool one = kept.same_node(object);
  const auto set_revision = [&](const std::string& text) {
    kept.edit("metadata").set("resourceVersion", text);
    if (one)
      object = kept;
    else
      object.edit("metadata").set("resourceVersion", text);
  };
  if (call.request.dry()) {
    // The answer of a dry run has the version that the object had, or came with.
    const std::string bytes = to_object_json(object);
    auto entry = store::make_entry(key, bytes, store.revision(), store.revision(), object);
    return Written{std::move(entry), Value()};
  }
  set_revision(store.next_revision().text());
  std::string bytes = to_object_json(kept);
  if (bytes.size() > kObjectBytesMax)
    return unknown("etcdserver: request is too large");  // 500 without a reason, as the original
  store::Transaction transaction;
  transaction.puts = std::move(call.also);
  call.also.clear();
  transaction.puts.push_back({key, std::move(bytes), kept});
  const auto addresses_changed = addresses_into(*this, call, before, kept, transaction);
  TRY_VOID([&]() -> Result<void> {
    auto done = store.commit(std::move(transaction));
    if (!done.ok()) return done.error();
    return {};
  }());
  observe(call.storage->name(), before, kept);
  for (const auto& [old, now] : addresses_changed) observe(kIpAddresses, old, now);
  return Written{store.get(key), one ? Value() : std::move(object)};
}

Result<std::int64_t> Registry::State::erase(Call& call, const std::string& key) {
  const store::EntryPtr existing = store.get(key);
  if (!existing || call.request.dry()) return store.revision().number;
  store::Transaction transaction;
  transaction.deletes.push_back(key);
  transaction.puts = std::move(call.also);
  call.also.clear();
  const auto addresses_changed =
      addresses_into(*this, call, existing->value(), Value(), transaction);
  TRY(const store::Revision revision, store.commit(std::move(transaction)));
  observe(call.storage->name(), existing->value(), Value());
  for (const auto& [old, now] : addresses_changed) observe(kIpAddresses, old, now);
  return revision.number;
}

void Registry::State::load() {
  for (const store::EntryPtr& one : entries("services")) addresses.observe(Value(), one->value());
  for (const store::EntryPtr& one : entries(kIpAddresses))
    addresses.observe_address(Value(), one->value());
  for (const store::EntryPtr& one : entries("servicecidrs.networking.k8s.io"))
    addresses.observe_range(Value(), one->value());
  for (const store::EntryPtr& one : entries("customresourcedefinitions.apiextensions.k8s.io"))
    serve_definition(Value(), one->value());
  mark_all_unsettled();
}

}  // namespace keelson::registry
