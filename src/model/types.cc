// The table holds shared resources: replacing a custom one leaves its holders with the old.
#include "model/types.h"

#include <algorithm>

#include "model/structural_schema.h"
#include "model/types_parse.h"

namespace keelson::model {

std::string Resource::list_kind() const {
  const std::string_view named = definition["names"]["listKind"].as_string();
  return named.empty() ? kind + "List" : std::string(named);
}

const Subresource* Resource::subresource(std::string_view subresource_name) const {
  for (const Subresource& s : subresources)
    if (s.name == subresource_name) return &s;
  return nullptr;
}

bool Resource::has_verb(std::string_view verb) const {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

TypeTable::TypeTable() {
  static const std::vector<ResourcePointer> builtin = [] {
    std::vector<ResourcePointer> all;
    for (const Resource& r : builtin_types().resources)
      all.push_back(std::make_shared<const Resource>(r));
    return all;
  }();
  for (const ResourcePointer& r : builtin)
    resources_.emplace(Key{r->group, r->version, r->plural}, r);
  index();
}

void TypeTable::index() {
  storage_.clear();
  for (const auto& [key, r] : resources_)
    if (r->storage) storage_.emplace(r->name(), r);
  for (const auto& [key, r] : kept_)
    if (r->storage) storage_.emplace(r->name(), r);
  for (const auto& [key, r] : resources_)
    if (const auto kept = storage_.find(r->stored_as); kept != storage_.end())
      storage_.emplace(r->name(), kept->second);
  // The original keeps some kinds in a version that it no longer serves: the one there is.
  for (const auto& [key, r] : resources_) storage_.emplace(r->name(), r);
}

ResourcePointer TypeTable::find(std::string_view group, std::string_view version,
                                std::string_view plural) const {
  const auto found =
      resources_.find(Key{std::string(group), std::string(version), std::string(plural)});
  return found == resources_.end() ? nullptr : found->second;
}

ResourcePointer TypeTable::find_kind(std::string_view group, std::string_view version,
                                     std::string_view kind) const {
  for (auto at = resources_.lower_bound(Key{std::string(group), std::string(version), {}});
       at != resources_.end() && at->first.group == group && at->first.version == version; ++at)
    if (at->second->kind == kind) return at->second;
  return nullptr;
}

ResourcePointer TypeTable::storage(std::string_view resource_name) const {
  const auto found = storage_.find(resource_name);
  return found == storage_.end() ? nullptr : found->second;
}

ResourcePointer TypeTable::storage_kind(std::string_view group, std::string_view kind) const {
  for (auto at = resources_.lower_bound(Key{std::string(group), {}, {}});
       at != resources_.end() && at->first.group == group; ++at)
    if (at->second->kind == kind) return storage(at->second->name());
  return nullptr;
}

ResourcePointer TypeTable::served(std::string_view resource_name) const {
  const ResourcePointer kept = storage(resource_name);
  if (kept == nullptr || kept->served) return kept;
  const std::vector<ResourcePointer> all = versions(resource_name);
  return all.empty() ? nullptr : all.front();
}

ResourcePointer TypeTable::version(std::string_view resource_name, std::string_view version) const {
  const ResourcePointer kept = storage(resource_name);
  if (kept == nullptr) return nullptr;
  if (ResourcePointer found = find(kept->group, version, kept->plural)) return found;
  const auto found = kept_.find(Key{kept->group, std::string(version), kept->plural});
  return found == kept_.end() ? nullptr : found->second;
}

std::vector<ResourcePointer> TypeTable::versions(std::string_view resource_name) const {
  std::vector<ResourcePointer> all;
  const ResourcePointer kept = storage(resource_name);
  if (kept == nullptr) return all;
  if (kept->served) all.push_back(kept);
  for (const auto& [key, r] : resources_)
    if (r->stored_as == kept->stored_as && r != kept) all.push_back(r);
  return all;
}

std::vector<ResourcePointer> TypeTable::all() const {
  std::vector<ResourcePointer> all;
  for (const auto& [key, r] : resources_) all.push_back(r);
  return all;
}

const codec::Type* TypeTable::type(std::string_view name) const {
  const auto found = types().find(name);
  return found == types().end() ? nullptr : found->second;
}

const std::map<std::string, const codec::Type*, std::less<>>& TypeTable::types() const {
  return builtin_types().types;
}

Result<void> TypeTable::add_custom(const codec::Value& definition) {
  TRY(std::vector<Resource> versions, custom_resources(definition));
  if (versions.empty()) return {};
  // A version whose schema is as before goes on from where it began.
  for (Resource& r : versions)
    if (const ResourcePointer before = version(r.name(), r.version);
        before != nullptr && before->schema == r.schema)
      r.schema_since = before->schema_since;
  remove_custom(versions.front().name());
  for (Resource& r : versions) {
    Key key{r.group, r.version, r.plural};
    auto& map = r.served ? resources_ : kept_;
    map[std::move(key)] = std::make_shared<const Resource>(std::move(r));
  }
  index();
  return {};
}

void TypeTable::remove_custom(std::string_view resource_name) {
  for (auto* map : {&resources_, &kept_})
    std::erase_if(*map, [&](const auto& one) {
      return one.second->custom && one.second->name() == resource_name;
    });
  index();
}

}  // namespace keelson::model
