// Writes what a fresh server contains; on a used store only what is missing. All of it goes to the
// disk with one sync, so that the API is ready within milliseconds; yet each object has a revision
// of its own, as if a client had written it.
#include "model/meta.h"
#include "registry/address_objects.h"
#include "registry/bootstrap/content.h"
#include "registry/crds/definitions.h"
#include "registry/field_owners.h"
#include "registry/state.h"

namespace keelson::registry {

namespace {

Result<void> change_spec(Registry::State& state, const store::EntryPtr& known, const Value& spec) {
  const std::string key(known->key());
  Value object = known->value();
  const Value before = object;
  object.set("spec", spec);
  object.edit("metadata").set("resourceVersion", state.store.next_revision().text());
  store::Transaction transaction;
  transaction.puts.push_back({key, to_object_json(object), object});
  auto committed = state.store.commit(std::move(transaction));
  if (!committed.ok()) return committed.error();
  state.observe(key.substr(0, key.find('/')), before, object);
  return {};
}

}  // namespace

Result<void> Registry::State::bootstrap() {
  const Instant moment = now();
  const Identity server{"system:apiserver", "", {"system:masters"}, {}};
  bool fresh = false;
  std::vector<Seed> seeds = bootstrap_content(settings, moment);
  for (Value& definition : settings.own_kinds ? shipped_definitions() : std::vector<Value>())
    seeds.push_back(
        {"apiextensions.k8s.io", "v1", "customresourcedefinitions", std::move(definition), {}});
  for (Seed& seed : seeds) {
    const model::ResourcePointer resource = types.find(seed.group, seed.version, seed.resource);
    KEELSON_CHECK(resource != nullptr);
    const std::string key = resource->name() + "/" + std::string(model::namespace_of(seed.object)) +
                            "/" + std::string(model::name_of(seed.object));
    if (const store::EntryPtr known = store.get(key)) {
      // The range of services is what this server was started with.
      if (seed.resource == "servicecidrs" && known->value()["spec"] != seed.object["spec"])
        TRY_VOID(change_spec(*this, known, seed.object["spec"]));
      continue;
    }
    auto decoded = model::decode(*resource, codec::JsonDocument{std::move(seed.object), {}},
                                 model::FieldValidation::ignore);
    KEELSON_CHECK(decoded.ok());
    Value object = std::move(decoded->object);
    model::apply_defaults(*resource, object);
    const Strategy& strategy = strategy_of(resource->name());
    FieldWriter writer{std::string(seed.manager), "", moment};
    // What the server allocates has no owner.
    const Value spec = object["spec"];
    const bool is_service = resource->name() == "services";
    if (is_service)
      for (const std::string_view field : {"clusterIPs", "ipFamilies"})
        object.edit("spec").erase(field);
    track_update(types, *resource, strategy, Value(), object, writer);
    if (is_service) object.set("spec", spec);
    object.edit("metadata").set("creationTimestamp", to_rfc3339(moment));
    object.edit("metadata").set("uid", rng().uuid());
    Change change{*resource, object, Value(), server, moment, rng()};
    prepare_create(strategy, change);
    if (!seed.status.is_null()) {
      const Value before = object;
      object.set("status", std::move(seed.status));
      if (!seed.status_manager.empty()) {
        FieldWriter status_writer{std::string(seed.status_manager), "status", moment};
        Value wanted = Value::object({{"apiVersion", resource->api_version()},
                                      {"kind", resource->kind},
                                      {"status", object["status"]}});
        wanted.edit("metadata").set("name", model::name_of(object));
        // A condition without a reason was applied without one.
        const Value status = object["status"];
        for (std::size_t i = 0; i < status["conditions"].size(); ++i)
          if (status["conditions"][i]["reason"].as_string().empty())
            wanted.edit("status").edit("conditions").edit(i).erase("reason");
        auto applied =
            apply_configuration(types, *resource, strategy, before, wanted, status_writer, true);
        if (applied.ok()) object = std::move(applied).value();
        object.set("status", status);
      }
    }
    model::apply_defaults(*resource, object);
    object.edit("metadata").set("resourceVersion", store.next_revision().text());
    store::Transaction transaction;
    transaction.puts.push_back({key, to_object_json(object), object});
    TRY_VOID(store.commit(std::move(transaction)));
    observe(resource->name(), Value(), object);
    fresh = true;
  }
  TRY_VOID(repair_addresses(*this));
  // Watches start behind the bootstrap: nobody can have seen less.
  if (fresh) history_start = store.revision().number;
  return {};
}

}  // namespace keelson::registry
