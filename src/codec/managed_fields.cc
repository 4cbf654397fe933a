// The two operations on ownership. They follow the original's chain of managers from the outside
// in: version check, last-applied annotation of kubectl, objects never applied before, the limit of
// update managers, times, metadata that is nobody's, and at the core structured-merge-diff's
// Updater.
#include "codec/managed_fields.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "codec/json.h"
#include "codec/managers.h"
#include "codec/typed.h"

namespace keelson::codec {
namespace {

constexpr std::size_t kUpdateManagersMax = 10;
constexpr std::string_view kAncient = "ancient-changes";
constexpr std::string_view kBeforeFirstApply = "before-first-apply";
constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
// Kubernetes' limit on the size of all annotations of an object.
constexpr std::size_t kAnnotationsMax = 256 * 1024;
// Stands for the manager of a running update until it is known whether anything changed.
constexpr const char* kCurrentOperation = "current-operation";

Error plain(std::string message) {
  return Error{.reason = Reason::unknown, .message = std::move(message)};
}
Error bad_request(std::string message) {
  return Error{.reason = Reason::bad_request, .message = std::move(message)};
}

// Fields of every object that nobody owns.
const FieldSet& metadata_of_nobody() {
  static const FieldSet set = {
      field_path({"apiVersion"}),
      field_path({"kind"}),
      field_path({"metadata"}),
      field_path({"metadata", "name"}),
      field_path({"metadata", "namespace"}),
      field_path({"metadata", "creationTimestamp"}),
      field_path({"metadata", "selfLink"}),
      field_path({"metadata", "uid"}),
      field_path({"metadata", "clusterName"}),
      field_path({"metadata", "generation"}),
      field_path({"metadata", "managedFields"}),
      field_path({"metadata", "resourceVersion"}),
  };
  return set;
}

Value without_managers(Value object) {
  if (object["metadata"].has("managedFields")) object.edit("metadata").erase("managedFields");
  return object;
}

Value with_managers(Value object, const Managers& managers) {
  Value encoded = encode_managers(managers);
  if (encoded.is_null()) return without_managers(std::move(object));
  object.edit("metadata").set("managedFields", std::move(encoded));
  return object;
}

// "ns/name; apps/v1, Kind=Deployment", as errors about an object name it.
std::string title_of(const Value& object) {
  std::string version = object["apiVersion"].str();
  if (!version.empty() && version.find('/') == std::string::npos) version.insert(0, "/");
  if (version.empty()) version = "/";
  const Value& metadata = object["metadata"];
  return metadata["namespace"].str() + '/' + metadata["name"].str() + "; " + version +
         ", Kind=" + object["kind"].str();
}

// A kind in the versions that its managers use; objects are given in the request's version.
class Versions {
 public:
  explicit Versions(const Ownership& ownership) : ownership_(ownership) {}

  // Null: not served any more.
  const Use* use(std::string_view version) const {
    const auto known = uses_.find(version);
    if (known != uses_.end()) return known->second.type == nullptr ? nullptr : &known->second;
    const Type* type = nullptr;
    if (version == ownership_.api_version)
      type = ownership_.type;
    else if (ownership_.type_of)
      type = ownership_.type_of(version);
    const auto place = uses_.emplace(std::string(version), Use{.type = type}).first;
    return type == nullptr ? nullptr : &place->second;
  }
  const Use& here() const { return *use(ownership_.api_version); }

  Value convert(const Value& object, std::string_view from, std::string_view to) const {
    if (from == to || !ownership_.convert) return object;
    return ownership_.convert(object, from, to);
  }
  FieldSet reset(std::string_view version) const {
    if (version == ownership_.api_version) return ownership_.reset;
    return ownership_.reset_of ? ownership_.reset_of(version) : FieldSet();
  }

 private:
  const Ownership& ownership_;
  mutable std::map<std::string, Use, std::less<>> uses_;
};

// structured-merge-diff's Updater.
class Updater {
 public:
  explicit Updater(const Ownership& ownership) : ownership_(ownership), versions_(ownership) {}

  // The managers after the one of this identity changed `live` to `object`.
  void update(const Value& live, const Value& object, Managers& managers,
              const std::string& identity) {
    adapt(managers);
    Comparison changes;
    const std::vector<Conflict> none =
        take_over(live, object, managers, kCurrentOperation, &changes, identity);
    FieldSet fields = changes.modified.united(changes.added)
                          .without_trees(ownership_.reset)
                          .without(metadata_of_nobody());
    if (fields.empty()) return;
    managers[kCurrentOperation] = Manager{
        .applied = false, .api_version = ownership_.api_version, .fields = std::move(fields)};
  }

  // The merged object; or its conflicts, if there are any that are not forced.
  Value apply(const Value& live, const Value& configuration, Managers& managers,
              const Manager& manager, bool force, std::vector<Conflict>& conflicts) {
    adapt(managers);
    const std::string identity = manager.identity();
    Value object = merge_typed(live, configuration, versions_.here());
    const auto known = managers.find(identity);
    const Manager last = known == managers.end() ? Manager{} : known->second;
    Manager& self = managers[identity];
    const Instant time = self.time;
    self = manager;
    self.time = time;
    self.fields = fields_of(configuration, versions_.here()).without_trees(ownership_.reset);
    object = prune(object, managers, last);
    conflicts = take_over(live, object, managers, identity, nullptr);
    if (!conflicts.empty() && !force) return {};
    const auto mine = managers.find(identity);
    if (mine != managers.end()) {
      mine->second.fields = mine->second.fields.set().without(metadata_of_nobody());
      if (mine->second.fields.empty()) managers.erase(mine);
    }
    return object;
  }

 private:
  // Ownership of lists and maps that have become atomic since it was written.
  void adapt(Managers& managers) const {
    for (auto& [identity, manager] : managers)
      if (const Use* use = versions_.use(manager.api_version))
        if (!manager.fields.fits(*use))
          manager.fields = adapted_to_schema(manager.fields.set(), *use);
  }

  // But for what nobody comes to own.
  static bool is_owned(const FieldSet& changed, const OwnedFields& fields) {
    return fields.covers(changed.without(metadata_of_nobody())) &&
           !fields.meets(changed.intersected(metadata_of_nobody()));
  }

  // Takes what changed away from all managers but `workflow`, and returns what was taken although
  // it is still there. `changes` gets the difference in the request's version. The `receiver` is
  // given all that changed afterwards: if that is what it owns already, it keeps it.
  std::vector<Conflict> take_over(const Value& live, const Value& object, Managers& managers,
                                  std::string_view workflow, Comparison* changes,
                                  std::string_view receiver = {}) const {
    const std::string& here = ownership_.api_version;
    struct Change {
      Comparison comparison;
      FieldSet set;  // modified or added
    };
    std::map<std::string, Change, std::less<>> compared;
    const auto change_in = [&](const std::string& version) -> const Change& {
      const auto found = compared.find(version);
      if (found != compared.end()) return found->second;
      Comparison comparison =
          compare(versions_.convert(live, here, version), versions_.convert(object, here, version),
                  *versions_.use(version))
              .without_trees(versions_.reset(version));
      FieldSet set = comparison.modified.united(comparison.added);
      return compared.emplace(version, Change{std::move(comparison), std::move(set)}).first->second;
    };
    if (changes != nullptr) *changes = change_in(here).comparison;
    std::vector<Conflict> conflicts;
    std::vector<std::pair<std::string, FieldSet>> left;
    for (const auto& [identity, manager] : managers) {
      if (identity == workflow) continue;
      if (versions_.use(manager.api_version) == nullptr || manager.fields.empty()) {
        left.emplace_back(identity, FieldSet());
        continue;
      }
      const Change& change = change_in(manager.api_version);
      const FieldSet& removed = change.comparison.removed;
      if (!manager.fields.meets(removed) &&
          (!manager.fields.meets(change.set) ||
           (identity == receiver && is_owned(change.set, manager.fields))))
        continue;
      const FieldSet taken = manager.fields.set().intersected(change.set);
      taken.each([&](const FieldPath& path) {
        conflicts.push_back({identity, manager.title(), path});
      });
      left.emplace_back(identity, manager.fields.set().without(taken).without(removed));
    }
    for (auto& [identity, fields] : left) {
      if (fields.empty())
        managers.erase(identity);
      else
        managers[identity].fields = std::move(fields);
    }
    return conflicts;
  }

  // Removes what the manager applied last time and not this time, unless another manager owns it.
  Value prune(const Value& merged_here, const Managers& managers, const Manager& last) const {
    if (last.fields.empty()) return merged_here;
    const std::string& here = ownership_.api_version;
    const Use* use = versions_.use(last.api_version);
    if (use == nullptr) return merged_here;
    const Value merged = versions_.convert(merged_here, here, last.api_version);
    const FieldSet last_named = with_named_fields(last.fields.set(), *use);
    Value pruned = without_fields(merged, last_named, *use);
    pruned = add_back_owned(merged, std::move(pruned), last.api_version, managers);
    // And what is gone although it was not in the last configuration: it belongs to nobody.
    const FieldSet before = with_named_fields(fields_of(merged, *use), *use);
    const FieldSet after = with_named_fields(fields_of(pruned, *use), *use);
    pruned = without_fields(merged, before.without(after).intersected(last_named), *use);
    return versions_.convert(pruned, last.api_version, here);
  }

  Value add_back_owned(const Value& merged, Value pruned, const std::string& pruned_version,
                       const Managers& managers) const {
    std::map<std::string, FieldSet> owned;
    for (const auto& [identity, manager] : managers)
      owned[manager.api_version] = owned[manager.api_version].united(manager.fields.set());
    // The version in which was pruned comes first: others might need what it adds to convert.
    std::vector<std::string> order;
    if (owned.count(pruned_version) != 0) order.push_back(pruned_version);
    for (const auto& [version, fields] : owned)
      if (version != pruned_version) order.push_back(version);
    for (const std::string& version : order) {
      const Use* use = versions_.use(version);
      if (use == nullptr) continue;
      const Value whole = versions_.convert(merged, pruned_version, version);
      const Value rest = versions_.convert(pruned, pruned_version, version);
      const FieldSet all = with_named_fields(fields_of(whole, *use), *use);
      const FieldSet kept = with_named_fields(fields_of(rest, *use), *use)
                                .united(with_named_fields(owned[version], *use));
      pruned = versions_.convert(without_fields(whole, all.without(kept), *use), version,
                                 pruned_version);
    }
    return pruned;
  }

  const Ownership& ownership_;
  Versions versions_;
};

// Above the limit, the oldest update managers of each version become one.
void limit_update_managers(Managers& managers) {
  std::vector<std::string> updaters;
  for (const auto& [identity, manager] : managers)
    if (!manager.applied) updaters.push_back(identity);
  if (updaters.size() <= kUpdateManagersMax) return;
  const auto seconds = [&](const std::string& identity) {
    const Instant time = managers.at(identity).time;
    return time.is_zero() ? 0 : time.unix_seconds();
  };
  std::stable_sort(updaters.begin(), updaters.end(),
                   [&](const auto& a, const auto& b) { return seconds(a) < seconds(b); });
  std::map<std::string, std::string> first_of_version;
  std::size_t count = updaters.size();
  for (std::size_t i = 0; i < updaters.size() && count > kUpdateManagersMax; ++i) {
    const Manager manager = managers.at(updaters[i]);
    const auto [first, is_new] = first_of_version.emplace(manager.api_version, updaters[i]);
    if (is_new) continue;
    Manager bucket{
        .name = std::string(kAncient), .applied = false, .api_version = manager.api_version};
    const std::string identity = bucket.identity();
    const auto known = managers.find(identity);
    if (known != managers.end()) {
      bucket.fields = known->second.fields;
    } else {
      bucket.fields = managers.at(first->second).fields;
      managers.erase(first->second);
    }
    bucket.fields = manager.fields.set().united(bucket.fields.set());
    bucket.time = manager.time;
    managers.erase(updaters[i]);
    managers[identity] = std::move(bucket);
    --count;
  }
}

// Gives what changed between the objects to `manager`.
void track(const Ownership& ownership, const Value& live, const Value& object, Managers& managers,
           std::string_view manager, Instant now) {
  Manager self{.name = std::string(manager.empty() ? "unknown" : manager),
               .applied = false,
               .api_version = ownership.api_version,
               .subresource = ownership.subresource,
               .time = now};
  const std::string identity = self.identity();
  Updater(ownership).update(live, object, managers, identity);
  const auto current = managers.find(kCurrentOperation);
  if (current != managers.end()) {
    self.fields = std::move(current->second.fields);
    managers.erase(current);
    const auto before = managers.find(identity);
    if (before != managers.end())
      self.fields = before->second.fields.covers(self.fields.set())
                        ? before->second.fields
                        : self.fields.set().united(before->second.fields.set());
    managers[identity] = std::move(self);
  }
  limit_update_managers(managers);
}

Value empty_live(const Ownership& ownership) {
  Value object = empty_object(*ownership.type);
  if (object.is_null()) object = Value::object();
  object.set("apiVersion", ownership.api_version);
  object.set("kind", ownership.kind);
  return object;
}

// What kubectl's client-side apply last wrote and is still so: its server-side apply may take it.
FieldSet allowed_conflicts(const Ownership& ownership, const Value& live) {
  const Value& annotation = live["metadata"]["annotations"][kLastApplied];
  if (annotation.as_string().empty()) return {};
  const auto last = parse_json(annotation.as_string());
  const Use use{.type = ownership.type};
  if (!last.ok() || (*last)["apiVersion"].as_string() != ownership.api_version ||
      !typed_problem(*last, use, ListDuplicates::refuse).empty())
    return {};
  const Comparison changes = compare(*last, live, use);
  return fields_of(*last, use)
      .without(changes.modified)
      .without(changes.added)
      .without(changes.removed);
}

// Keeps the annotation of client-side apply true while server-side apply is used.
void refresh_last_applied(Value& object, const Value& configuration) {
  if (object["metadata"]["annotations"][kLastApplied].as_string().empty()) return;
  Value applied = configuration;
  if (applied["metadata"]["annotations"].has(kLastApplied)) {
    Value& metadata = applied.edit("metadata");
    metadata.edit("annotations").erase(kLastApplied);
    if (metadata["annotations"].empty()) metadata.erase("annotations");
  }
  Value& annotations = object.edit("metadata").edit("annotations");
  annotations.set(kLastApplied, to_json(applied) + '\n');
  std::size_t size = 0;
  for (const Member& m : annotations.members()) size += m.key().size() + m.value.as_string().size();
  if (size > kAnnotationsMax) annotations.erase(kLastApplied);
}

Result<void> check_configuration(const Ownership& ownership, const Value& configuration) {
  if (configuration["apiVersion"].as_string() != ownership.api_version ||
      configuration["kind"].as_string() != ownership.kind) {
    std::string version = configuration["apiVersion"].str();
    if (version.find('/') == std::string::npos) version.insert(0, "/");
    return bad_request("invalid object type: " + version + ", Kind=" + configuration["kind"].str());
  }
  const Value* managed = configuration["metadata"].find("managedFields");
  if (managed != nullptr && !managed->is_null())
    return bad_request("metadata.managedFields must be nil");
  const Use use{.type = ownership.type};
  const std::string problem = typed_problem(configuration, use, ListDuplicates::refuse);
  if (!problem.empty())
    return plain("failed to create typed patch object (" + title_of(configuration) +
                 "): " + problem);
  return {};
}

}  // namespace

Result<Value> apply_configuration(const Ownership& ownership, const Value& live_or_null,
                                  const Value& configuration, std::string_view manager, bool force,
                                  Instant now) {
  TRY_VOID(check_configuration(ownership, configuration));
  const Value stored = live_or_null.is_null() ? empty_live(ownership) : live_or_null;
  auto decoded = decode_managers(stored["metadata"]["managedFields"], true);
  if (!decoded.ok()) return plain("failed to decode managed fields: " + decoded.error().message);
  const Value live = without_managers(stored);
  const Use use{.type = ownership.type};
  if (const std::string problem = typed_problem(live, use, ListDuplicates::allow); !problem.empty())
    return plain("failed to create typed live object (" + title_of(live) + "): " + problem);
  Managers managers = std::move(*decoded);
  if (managers.empty())
    track(ownership, empty_live(ownership), live, managers, kBeforeFirstApply, now);

  Manager self{.name = std::string(manager.empty() ? "unknown" : manager),
               .applied = true,
               .api_version = ownership.api_version,
               .subresource = ownership.subresource};
  Managers after = managers;
  std::vector<Conflict> conflicts;
  Value object = Updater(ownership).apply(live, configuration, after, self, force, conflicts);
  if (!conflicts.empty() && !force) {
    if (manager != "kubectl") return conflict_error(conflicts);
    const FieldSet allowed = allowed_conflicts(ownership, live);
    std::vector<Conflict> rest;
    for (const Conflict& conflict : conflicts)
      if (!allowed.has(conflict.path)) rest.push_back(conflict);
    if (!rest.empty()) return conflict_error(rest);
    after = managers;
    object = Updater(ownership).apply(live, configuration, after, self, true, conflicts);
  }
  if (object == live) {
    object = live;
  } else if (const auto mine = after.find(self.identity()); mine != after.end()) {
    mine->second.time = now;
  }
  if (manager == "kubectl") refresh_last_applied(object, configuration);
  return with_managers(std::move(object), after);
}

Value track_update(const Ownership& ownership, const Value& live, const Value& object,
                   std::string_view manager, Instant now) {
  const Value& sent = object["metadata"]["managedFields"];
  const Value& stored = live["metadata"]["managedFields"];
  Managers managers;
  const bool reset = sent.is_array() && (sent.empty() || (sent.size() == 1 && sent[0].empty()));
  if (!ownership.subresource.empty() || !reset) {
    const Value& given = ownership.subresource.empty() ? sent : stored;
    auto decoded = decode_managers(given, given == stored);
    if (!decoded.ok() || decoded->empty()) decoded = decode_managers(stored, true);
    if (decoded.ok()) managers = std::move(*decoded);
  }
  Value next = without_managers(object);
  const bool creating = live["metadata"]["uid"].as_string().empty();
  if (managers.empty() && !creating) return next;
  const Value before = live.is_null() ? empty_live(ownership) : without_managers(live);
  track(ownership, before, next, managers, manager, now);
  return with_managers(std::move(next), managers);
}

}  // namespace keelson::codec
