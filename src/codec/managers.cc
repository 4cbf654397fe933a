#include "codec/managers.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "codec/json.h"
#include "codec/managed_fields.h"
#include "codec/typed.h"
#include "codec/typed_shape.h"

namespace keelson::codec {
namespace {

constexpr std::string_view kFieldsType = "FieldsV1";
constexpr std::string_view kScaleVersion = "autoscaling/v1";

FieldPath replicas_in_scale() {
  return field_path({"spec", "replicas"});
}

// Nodes in FieldsV1: {} is a member with nothing below it, "." in a node says that it is one too.
bool is_member(const Value& node) {
  return node.empty() || node.has(".");
}

bool meets_at(const Value& owned, const FieldSet& other) {
  for (const FieldSet::Node& node : other.nodes()) {
    const Value* here = owned.find(node.element.serialized());
    if (here != nullptr && ((node.member && is_member(*here)) || meets_at(*here, node.children)))
      return true;
  }
  return false;
}

bool covers_at(const Value& owned, const FieldSet& other) {
  for (const FieldSet::Node& node : other.nodes()) {
    const Value* here = owned.find(node.element.serialized());
    if (here == nullptr || (node.member && !is_member(*here)) || !covers_at(*here, node.children))
      return false;
  }
  return true;
}

bool fits_at(const Value& owned, const Use& use) {
  for (const Member& m : owned.members()) {
    if (m.value.size() <= (m.value.has(".") ? 1u : 0u)) continue;
    const Use* below = nullptr;
    if (use.type->shape == Shape::list)
      below = &element_use(use);
    else if (m.key().starts_with("f:"))
      below = member_use(use, m.key().substr(2));
    if (below == nullptr || is_free_form(*below)) continue;
    const Form form = form_of(*below, Value());
    if (form == Form::scalar) continue;
    if (is_atomic(*below, form) || !fits_at(m.value, *below)) return false;
  }
  return true;
}

Error bad(std::string message) {
  return Error{.reason = Reason::bad_request, .message = std::move(message)};
}

}  // namespace

OwnedFields OwnedFields::read(Value fields) {
  OwnedFields out;
  out.read_ = std::move(fields);
  out.set_.reset();
  return out;
}

const FieldSet& OwnedFields::set() const {
  if (!set_) {
    auto read = FieldSet::of_json(read_);
    set_ = read.ok() ? std::move(read).value() : FieldSet();
  }
  return *set_;
}

bool OwnedFields::empty() const {
  return set_ ? set_->empty() : read_.empty();
}

bool OwnedFields::meets(const FieldSet& other) const {
  return set_ ? !set_->intersected(other).empty() : meets_at(read_, other);
}

bool OwnedFields::covers(const FieldSet& other) const {
  return set_ ? other.without(*set_).empty() : covers_at(read_, other);
}

bool OwnedFields::fits(const Use& use) const {
  return set_ ? adapted_to_schema(*set_, use) == *set_ : is_free_form(use) || fits_at(read_, use);
}

std::string Manager::identity() const {
  std::string out = "{\"manager\":";
  append_json_string(out, name);
  out += applied ? ",\"operation\":\"Apply\"" : ",\"operation\":\"Update\"";
  if (!applied) {
    out += ",\"apiVersion\":";
    append_json_string(out, api_version);
  }
  if (!subresource.empty()) {
    out += ",\"subresource\":";
    append_json_string(out, subresource);
  }
  return out + '}';
}

std::string Manager::title() const {
  std::string out = quote(name);
  if (!subresource.empty()) out += " with subresource " + quote(subresource);
  if (!applied) out += " using " + api_version;
  return out;
}

Result<Managers> decode_managers(const Value& managed_fields, bool ours) {
  Managers managers;
  for (std::size_t i = 0; i < managed_fields.size(); ++i) {
    const Value& entry = managed_fields[i];
    const std::string_view operation = entry["operation"].as_string();
    if (operation != "Apply" && operation != "Update")
      return bad("operation must be `Apply` or `Update`");
    if (entry["apiVersion"].as_string().empty()) return bad("apiVersion must not be empty");
    const std::string_view type = entry["fieldsType"].as_string();
    if (type.empty()) return bad("missing fieldsType in managed fields entry " + std::to_string(i));
    if (type != kFieldsType)
      return bad("invalid fieldsType " + quote(type) + " in managed fields entry " +
                 std::to_string(i));
    Manager manager{.name = entry["manager"].str(),
                    .applied = operation == "Apply",
                    .api_version = entry["apiVersion"].str(),
                    .subresource = entry["subresource"].str(),
                    .time = parse_rfc3339(entry["time"].as_string()).value_or(Instant()),
                    .fields = {}};
    if (ours && entry["fieldsV1"].is_object()) {
      manager.fields = OwnedFields::read(entry["fieldsV1"]);
    } else {
      TRY(manager.fields, FieldSet::of_json(entry["fieldsV1"]));
    }
    std::string identity = manager.identity();
    managers.insert_or_assign(std::move(identity), std::move(manager));
  }
  return managers;
}

Value encode_managers(const Managers& managers) {
  if (managers.empty()) return {};
  std::vector<const Manager*> sorted;
  for (const auto& [identity, manager] : managers) sorted.push_back(&manager);
  const auto seconds = [](const Manager& m) {
    return m.time.is_zero() ? 0 : m.time.unix_seconds();
  };
  std::stable_sort(sorted.begin(), sorted.end(), [&](const Manager* a, const Manager* b) {
    return std::make_tuple(!a->applied, seconds(*a), std::string_view(a->name),
                           std::string_view(a->api_version), std::string_view(a->subresource)) <
           std::make_tuple(!b->applied, seconds(*b), std::string_view(b->name),
                           std::string_view(b->api_version), std::string_view(b->subresource));
  });
  Array entries;
  for (const Manager* m : sorted) {
    std::vector<Member> entry;
    entry.reserve(7);
    entry.push_back({"apiVersion", m->api_version});
    entry.push_back({"fieldsType", kFieldsType});
    entry.push_back({"fieldsV1", m->fields.to_json()});
    if (!m->name.empty()) entry.push_back({"manager", m->name});
    entry.push_back({"operation", m->applied ? "Apply" : "Update"});
    if (!m->subresource.empty()) entry.push_back({"subresource", m->subresource});
    if (!m->time.is_zero()) entry.push_back({"time", to_rfc3339(m->time)});
    entries.push_back(Value::object_of(std::move(entry)));
  }
  return Value(std::move(entries));
}

Error conflict_error(const std::vector<Conflict>& conflicts) {
  Error error{.reason = Reason::conflict, .details = true};
  for (const Conflict& conflict : conflicts)
    error.causes.push_back(
        {"FieldManagerConflict", to_text(conflict.path), "conflict with " + conflict.title});
  if (conflicts.size() == 1) {
    error.message = "Apply failed with 1 conflict: conflict with " + conflicts[0].title + ": " +
                    to_text(conflicts[0].path);
    return error;
  }
  std::vector<std::string> lines;
  const std::string* manager = nullptr;
  for (const Conflict& conflict : conflicts) {
    if (manager == nullptr || *manager != conflict.manager)
      lines.push_back("conflicts with " + conflict.title + ':');
    manager = &conflict.manager;
    lines.push_back("- " + to_text(conflict.path));
  }
  error.message =
      "Apply failed with " + std::to_string(conflicts.size()) + " conflicts: " + join(lines, "\n");
  return error;
}

std::string managed_fields_problem(const Value& managed_fields) {
  const auto managers = decode_managers(managed_fields);
  return managers.ok() ? std::string() : managers.error().message;
}

Value without_new_times(const Value& live, const Value& object) {
  const Value& before = live["metadata"]["managedFields"];
  const Value& after = object["metadata"]["managedFields"];
  if (before.size() != after.size() || before.same_node(after)) return object;
  Array cleared = after.elements();
  for (std::size_t i = 0; i < cleared.size(); ++i) {
    const Value* time = before[i].find("time");
    if (time != nullptr && cleared[i].is_object()) cleared[i].set("time", *time);
    if (!(cleared[i] == before[i])) return object;
  }
  Value same = object;
  same.edit("metadata").set("managedFields", before);
  return same == live ? same : object;
}

Value scale_managers(const Value& parent_managed_fields, const ReplicasPaths& replicas) {
  const auto parent = decode_managers(parent_managed_fields);
  if (!parent.ok()) return {};
  Managers scale;
  for (const auto& [identity, manager] : *parent) {
    const FieldPath* path = replicas(manager.api_version);
    if (path == nullptr || path->empty() || !manager.fields.set().has(*path)) continue;
    Manager here = manager;
    here.fields = FieldSet{replicas_in_scale()};
    here.api_version = kScaleVersion;
    scale.emplace(identity, std::move(here));
  }
  return encode_managers(scale);
}

// An Update entry has the scale's version here and the parent's there, so that the two never meet:
// what was seen through the scale becomes an entry of its own, without a time, as in the original.
Value parent_managers(const Value& parent_managed_fields, const Value& scale_managed_fields,
                      std::string_view parent_api_version, const ReplicasPaths& replicas) {
  const auto parent = decode_managers(parent_managed_fields);
  const auto scale = decode_managers(scale_managed_fields);
  if (!parent.ok() || !scale.ok()) return parent_managed_fields;
  Managers left = *scale, out;
  for (const auto& [identity, manager] : *parent) {
    const FieldPath* path = replicas(manager.api_version);
    if (path == nullptr) continue;
    Manager kept = manager;
    if (!path->empty() && manager.fields.set().has(*path) && left.erase(identity) == 0) {
      kept.fields = kept.fields.set().without(FieldSet{*path});
      if (kept.fields.empty()) continue;
    }
    out.emplace(identity, std::move(kept));
  }
  const FieldPath* path = replicas(parent_api_version);
  for (auto& [identity, manager] : left) {
    if (path == nullptr || !manager.fields.set().has(replicas_in_scale())) continue;
    manager.fields = FieldSet{*path};
    manager.api_version = parent_api_version;
    const auto before = parent->find(identity);
    manager.time = before == parent->end() ? Instant() : before->second.time;
    out.insert_or_assign(identity, std::move(manager));
  }
  return encode_managers(out);
}

}  // namespace keelson::codec
