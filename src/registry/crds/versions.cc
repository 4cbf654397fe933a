#include "registry/crds/versions.h"

#include "model/custom/metadata.h"
#include "model/meta.h"
#include "model/structural_schema.h"
#include "registry/crds/conversion.h"

namespace keelson::registry::crds {

namespace {

// The version that an object says it is in.
model::ResourcePointer version_of(const Registry::State& state, const model::Resource& resource,
                                  const Value& object) {
  const std::string_view api = model::api_version_of(object);
  if (api == resource.api_version()) return state.types.version(resource.name(), resource.version);
  return state.types.version(resource.name(), model::group_version_of(api).version);
}

void fit_to_schema(const model::Resource& resource, Value& object) {
  model::prune_custom(resource.schema, object, nullptr);
  model::drop_nulls_custom(resource.schema, object);
  (void)model::coerce_embedded(resource.schema, object, true, nullptr);
}

// The bytes begin with the version in which they were written.
bool is_written_in(const store::Entry& entry, const model::Resource& resource) {
  const std::string_view head = R"({"apiVersion":")";
  std::string_view text = entry.bytes();
  if (!text.starts_with(head)) return false;
  text.remove_prefix(head.size());
  const std::string api = resource.api_version();
  return text.starts_with(api) && text.substr(api.size(), 1) == "\"";
}

// As the version in which it is kept has it now; null if that is as it was written.
Value refreshed(const model::Resource& resource, const store::EntryPtr& entry) {
  if (entry->modified().number > resource.schema_since) return Value();
  Value object = entry->value();
  fit_to_schema(resource, object);
  model::default_custom(resource.schema, object);
  return object == entry->value() ? Value() : object;
}

}  // namespace

Result<std::vector<Value>> view_all(Registry::State& state,
                                    const std::vector<store::EntryPtr>& entries,
                                    const model::Resource& resource) {
  std::vector<Value> out;
  out.reserve(entries.size());
  std::vector<Value> others;  // in other versions
  std::vector<std::size_t> places;
  for (const store::EntryPtr& entry : entries) {
    if (is_written_in(*entry, resource)) {
      out.push_back(refreshed(resource, entry));
      continue;
    }
    const model::ResourcePointer from = version_of(state, resource, entry->value());
    out.push_back(from ? refreshed(*from, entry) : Value());
    if (!from || from->version == resource.version) continue;
    places.push_back(out.size() - 1);
    others.push_back(out.back().is_null() ? entry->value() : out.back());
  }
  if (others.empty()) return out;
  TRY(std::vector<Value> converted, convert_objects(state, resource, std::move(others)));
  for (std::size_t i = 0; i < places.size(); ++i) {
    fit_to_schema(resource, converted[i]);
    out[places[i]] = std::move(converted[i]);
  }
  return out;
}

Result<Value> view(Registry::State& state, const store::EntryPtr& entry,
                   const model::Resource& resource) {
  TRY(std::vector<Value> one, view_all(state, {entry}, resource));
  return std::move(one.front());
}

Result<Value> convert(Registry::State& state, const model::Resource& from,
                      const model::Resource& to, const Value& object) {
  if (from.version == to.version) return object;
  TRY(std::vector<Value> one, convert_objects(state, to, {object}));
  fit_to_schema(to, one.front());
  return std::move(one.front());
}

Result<Value> to_storage(Registry::State& state, const model::Resource& from, const Value& object) {
  const model::ResourcePointer kept = state.types.storage(from.name());
  if (!kept) return object;
  return convert(state, from, *kept, object);
}

Result<Value> from_storage(Registry::State& state, const Value& kept, const model::Resource& to) {
  const model::ResourcePointer from = version_of(state, to, kept);
  if (!from) return kept;
  return convert(state, *from, to, kept);
}

}  // namespace keelson::registry::crds
