// State: what the parts of the registry share, and Call: one request on its way through them.
// Internal to this room.
//
// Invariant: State::put and State::erase are the only ways into the store.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/scheme.h"
#include "model/types.h"
#include "registry/errors.h"
#include "registry/registry.h"
#include "registry/service_addresses.h"
#include "registry/strategy.h"
#include "store/store.h"

namespace keelson::registry {

// One request. `resource` is the version asked for; `storage` the one in which the object is worked
// on: that in which it is kept, but for custom resources, whose schemas differ, the one asked for.
struct Call {
  const Request& request;
  model::ResourcePointer resource, storage;
  const Strategy& strategy;
  const model::Subresource* subresource = nullptr;
  Instant now;
  std::vector<std::string> warnings = {};
  std::vector<store::Put> also = {};  // written in the same transaction
  bool asks_nobody = false;           // a part of another request, which webhooks have allowed

  std::string resource_name() const { return resource->name(); }
  GroupName group_resource() const { return {resource->group, resource->plural}; }
  GroupName group_kind() const { return {resource->group, resource->kind}; }
  std::string key() const { return key_of(request.name); }
  std::string key_of(std::string_view name) const;
  std::string manager() const;
  void warn(std::string text);
};

// An entry, and its object in the call's storage version; null where that is as the entry has it.
struct Written {
  store::EntryPtr entry;
  Value object = {};
  const Value& value() const { return object.is_null() ? entry->value() : object; }
};

struct Registry::State {
  State(store::Store& the_store, Environment the_environment, Settings the_settings);

  store::Store& store;
  Environment environment;
  Settings settings;
  model::TypeTable types;
  ServiceAddresses addresses;
  std::int64_t served_generation = 1;
  std::shared_ptr<class PolicyPrograms> policy_programs;  // made when first needed
  // APIServices that stand for other servers, with their Services (namespace, name).
  std::map<std::string, std::pair<std::string, std::string>> remote_apis;
  std::function<void(const std::string&)> ask_remote_api;  // empty: nobody asks
  std::int64_t history_start = 0;  // watches from before are told to list first

  // What the request that runs now asks of webhooks; null: it cannot.
  Exchange* exchange = nullptr;
  bool is_waiting() const { return exchange != nullptr && exchange->has_wanted(); }
  // Whether a request may have to ask: there are webhooks for it.
  bool may_ask(const Request& request) const;

  Instant now() const { return exchange != nullptr ? exchange->start() : environment.now(); }
  Prng& rng() { return exchange != nullptr ? exchange->rng() : *environment.rng; }

  // --- reading ---
  // What get and list answer from: all there is, but while the disk takes no writes only what it
  // holds, as no answer may say what a crash could take back.
  store::Revision read_revision() const {
    const bool held = store.failing() && store.durable() >= store.opened();
    return held ? store.durable() : store.revision();
  }
  // By the storage resource's name. Null if absent.
  store::EntryPtr entry(std::string_view resource, std::string_view ns,
                        std::string_view name) const;
  const Value& object(std::string_view resource, std::string_view ns, std::string_view name) const;
  std::vector<store::EntryPtr> entries(std::string_view resource, std::string_view ns = {}) const;
  Result<Value> converted(const model::Resource& from, const model::Resource& to,
                          const Value& object) const;
  // The object of an entry in the call's storage version.
  Result<Value> live(const Call& call, const store::EntryPtr& entry);
  // The object of an entry as the call's version serves it.
  Result<Object> served(const Call& call, const store::EntryPtr& entry);
  Result<Object> served(const Call& call, const Written& written);
  Result<Object> served(const Call& call, const Value& stored) const;

  // --- writing ---
  // Writes an object (storage version) at the next revision, which goes into its metadata. Honours
  // dry run: then nothing is written and the entry is a private one.
  Result<Written> put(Call& call, std::string key, Value object);
  Result<std::int64_t> erase(Call& call, const std::string& key);
  // After something was stored or removed: allocations, custom definitions, caches.
  void observe(std::string_view resource, const Value& before, const Value& after);

  // --- verbs ---
  Result<Call> open(const Request& request);
  // What the verb and the subresource ask for.
  Result<Response> perform(Call& call);
  Result<Response> create(Call& call);
  Result<Response> update(Call& call);
  Result<Response> patch(Call& call);
  Result<Response> remove(Call& call);
  Result<Response> remove_collection(Call& call);
  Result<Response> get(Call& call);
  Result<Response> list(Call& call);
  Result<std::unique_ptr<Watcher>> watch(const Request& request);

  // --- steps ---
  // The body as an object of `resource`, defaulted; warnings go to the call.
  Result<Value> decode(Call& call);
  Result<Value> decode_as(Call& call, const model::Resource& resource,
                          const codec::JsonDocument& document);
  // Stores a new object that is decoded and defaulted in the call's version.
  Result<Response> create_object(Call& call, Value object);
  // Creation from the point where fields are tracked and admission has changed the object.
  Result<Response> store_new(Call& call, Value stored);
  // Brings `object` (call's version, fields tracked) to the store in place of `entry`, which is
  // `old` in the storage version.
  Result<Response> store_update(Call& call, const store::EntryPtr& entry, const Value& old,
                                Value object);
  Result<Response> answer(Call& call, const Object& object, int code);
  Result<Value> apply_patch(Call& call, const Value& current);

  // --- subresources ---
  // Handles a subresource that is no plain view of its object; nullopt if it is one (status).
  std::optional<Result<Response>> special(Call& call);

  // --- bootstrap and custom resources ---
  Result<void> bootstrap();
  void load();
  void serve_definition(const Value& before, const Value& after);
  // Brings up to date what the server itself writes after a write (follow_up.h). What fails, such
  // as for a disk that takes no writes, is tried again with a later request.
  void settle();
  Result<void> settle_one(const std::string& resource, const std::string& name);
  Result<void> settle_definition(const std::string& name);
  struct Ending {
    std::string from;  // the key of the first object that has not been looked at
    bool removed = false, failed = false;
  };
  Result<void> end_definition(const std::string& name, Ending ending);
  Result<void> free_definition(const Value& definition);
  // A crash may have come between a write and what follows it.
  void mark_all_unsettled();
  void require_settling(const std::string& api_service);

 private:
  // Resource and name.
  std::set<std::pair<std::string, std::string>> unsettled_, failed_;
  Instant retry_at_;
  void retry(std::pair<std::string, std::string> key);
  std::map<std::string, Ending> ending_;  // definitions whose objects are being removed
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  bool settling_ = false;
};

// metadata.namespace of the object agrees with the request's, or is set from it.
Result<void> match_namespace(const Call& call, Value& object);
// An update names another object than the one that is there.
Error uid_conflict(const Call& call, std::string_view wanted, std::string_view actual);
// Duplicate ownerReferences are dropped with a warning.
void drop_duplicate_owners(Call& call, Value& object, bool after_admission);

// What conversion to the internal version adds to a decoded object.
void complete_decoded(const model::TypeTable& types, const model::Resource& resource,
                      Value& object);

// CreateOptions and so on: an Error of kind `KIND.meta.k8s.io "" is invalid`.
Result<void> check_options(const Call& call, std::string_view kind);

}  // namespace keelson::registry
