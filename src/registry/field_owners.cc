#include "registry/field_owners.h"

#include "codec/managed_fields.h"
#include "model/meta.h"
#include "model/scheme.h"

namespace keelson::registry {

namespace {

using codec::field_path;
using codec::FieldSet;

// The fields of a write that the strategy takes from the old object.
FieldSet reset_fields(const Strategy& strategy, std::string_view subresource) {
  if (strategy.resource == "certificatesigningrequests.certificates.k8s.io") {
    // A certificate request says nothing that it could change later.
    FieldSet fields{field_path({"spec"})};
    if (subresource.empty()) fields.insert(field_path({"status"}));
    if (subresource == "status") fields.insert(field_path({"status", "conditions"}));
    if (subresource == "approval") fields.insert(field_path({"status", "certificate"}));
    return fields;
  }
  if (subresource == "status") {
    FieldSet fields{field_path({"spec"})};
    switch (strategy.status_meta) {
      case Strategy::StatusMeta::free: break;
      case Strategy::StatusMeta::labels: fields.insert(field_path({"metadata", "labels"})); break;
      case Strategy::StatusMeta::all: fields.insert(field_path({"metadata"})); break;
    }
    if (strategy.resource == "*") fields.insert(field_path({"metadata"}));
    if (strategy.resource == "pods") {
      fields.insert(field_path({"metadata", "deletionTimestamp"}));
      fields.insert(field_path({"metadata", "ownerReferences"}));
    }
    return fields;
  }
  if (strategy.has_status) return FieldSet{field_path({"status"})};
  return {};
}

codec::Ownership ownership_of(const model::TypeTable& types, const model::Resource& resource,
                              const Strategy& strategy, const FieldWriter& writer) {
  codec::Ownership out;
  out.api_version = resource.api_version();
  out.kind = resource.kind;
  out.subresource = writer.subresource;
  out.type = resource.type;
  out.reset = reset_fields(strategy, writer.subresource);
  // Each API group knows its own types alone: who writes an event through the one group takes over
  // what was written through the other.
  std::vector<model::ResourcePointer> versions = types.versions(resource.name());
  std::erase_if(versions, [&](const auto& one) { return one->group != resource.group; });
  if (versions.size() < 2) return out;
  const auto find = [versions](std::string_view api_version) -> const model::Resource* {
    for (const model::ResourcePointer& one : versions)
      if (one->api_version() == api_version) return one.get();
    return nullptr;
  };
  out.type_of = [find](std::string_view api_version) -> const codec::Type* {
    const model::Resource* found = find(api_version);
    return found ? found->type : nullptr;
  };
  out.convert = [find](const Value& object, std::string_view from, std::string_view to) {
    const model::Resource *source = find(from), *target = find(to);
    if (!source || !target || source == target) return object;
    auto converted = model::convert(*source, *target, object);
    return converted.ok() ? *converted : object;
  };
  const FieldSet reset = out.reset;
  out.reset_of = [reset](std::string_view) { return reset; };
  return out;
}

}  // namespace

void track_update(const model::TypeTable& types, const model::Resource& resource,
                  const Strategy& strategy, const Value& live, Value& object,
                  const FieldWriter& writer) {
  object = codec::track_update(ownership_of(types, resource, strategy, writer), live, object,
                               writer.manager, writer.now);
}

Result<Value> apply_configuration(const model::TypeTable& types, const model::Resource& resource,
                                  const Strategy& strategy, const Value& live,
                                  const Value& configuration, const FieldWriter& writer,
                                  bool force) {
  return codec::apply_configuration(ownership_of(types, resource, strategy, writer), live,
                                    configuration, writer.manager, force, writer.now);
}

}  // namespace keelson::registry
