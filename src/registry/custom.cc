// Custom resource definitions: which names they get, when they are served, and how they end. The
// names of a group are given to whoever asked first; a definition is served once it has all of its
// names, and no longer once it is gone.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "model/conditions.h"
#include "model/finalizers.h"
#include "model/meta.h"
#include "registry/follow_up.h"
#include "registry/state.h"

namespace keelson::registry {

namespace {

constexpr std::string_view kDefinitions = "customresourcedefinitions.apiextensions.k8s.io";
constexpr std::string_view kCleanup = "customresourcecleanup.apiextensions.k8s.io";

struct TakenNames {
  std::set<std::string, std::less<>> resources, kinds;
};

// What the other definitions of the group have been given.
TakenNames taken_names(Registry::State& state, const Value& definition) {
  TakenNames taken;
  for (const store::EntryPtr& entry : state.entries(kDefinitions)) {
    const Value& other = entry->value();
    if (!(other["spec"]["group"] == definition["spec"]["group"]) ||
        model::name_of(other) == model::name_of(definition))
      continue;
    const Value& names = other["status"]["acceptedNames"];
    const auto add = [](auto& to, const Value& name) {
      if (!name.as_string().empty()) to.insert(name.str());
    };
    add(taken.resources, names["plural"]);
    add(taken.resources, names["singular"]);
    for (const Value& one : names["shortNames"].elements()) add(taken.resources, one);
    add(taken.kinds, names["kind"]);
    add(taken.kinds, names["listKind"]);
  }
  return taken;
}

struct Naming {
  Value accepted;
  std::string reason, message;  // of the conflict; empty: none
};

Naming name_definition(const Value& definition, const TakenNames& taken) {
  const Value& wanted = definition["spec"]["names"];
  Naming out{definition["status"]["acceptedNames"], "", ""};
  if (!out.accepted.is_object()) out.accepted = Value::object();
  const Value before = out.accepted;
  const auto conflict_of = [&](std::string_view name, std::string_view mine, const auto& others) {
    return !name.empty() && name != mine && others.contains(name)
               ? quote(name) + " is already in use"
               : std::string();
  };
  const auto claim = [&](const char* member, const char* reason, const auto& others) {
    const std::string name = wanted[member].str();
    const std::string problem = conflict_of(name, before[member].as_string(), others);
    if (problem.empty()) {
      if (name.empty())
        out.accepted.erase(member);
      else
        out.accepted.set(member, name);
    } else {
      out.reason = reason;
      out.message = problem;
    }
  };
  claim("plural", "PluralConflict", taken.resources);
  claim("singular", "SingularConflict", taken.resources);
  std::vector<std::string> problems;
  for (const Value& one : wanted["shortNames"].elements()) {
    const auto& mine = before["shortNames"].elements();
    if (std::find(mine.begin(), mine.end(), one) != mine.end()) continue;
    const std::string problem = conflict_of(one.as_string(), "", taken.resources);
    if (!problem.empty()) problems.push_back(problem);
  }
  if (problems.empty()) {
    if (wanted["shortNames"].empty())
      out.accepted.erase("shortNames");
    else
      out.accepted.set("shortNames", wanted["shortNames"]);
  } else {
    out.reason = "ShortNamesConflict";
    out.message = problems.size() == 1 ? problems.front() : "[" + join(problems, ", ") + "]";
  }
  claim("kind", "KindConflict", taken.kinds);
  claim("listKind", "ListKindConflict", taken.kinds);
  if (wanted["categories"].empty())
    out.accepted.erase("categories");
  else
    out.accepted.set("categories", wanted["categories"]);
  for (const char* member : {"plural", "kind"})
    if (!out.accepted.has(member)) out.accepted.set(member, "");
  return out;
}

void set_condition(Value& status, const char* type, bool holds, std::string_view reason,
                   std::string_view message, Instant now) {
  model::put_condition(status, Value::object({{"type", type},
                                              {"status", holds ? "True" : "False"},
                                              {"lastTransitionTime", to_rfc3339(now)},
                                              {"reason", reason},
                                              {"message", message}}));
}

}  // namespace

// Deletes what is left of a definition's objects, so many in a turn of the loop; the definition
// goes with the last of them. Objects that hold themselves back (finalizers) keep it.
Result<void> Registry::State::end_definition(const std::string& name, Ending ending) {
  constexpr std::size_t kObjectsPerTurn = 100;
  TRY(const store::Page page, store.range({.prefix = name + "/",
                                           .from = ending.from,
                                           .limit = environment.post ? kObjectsPerTurn : 0}));
  for (const store::EntryPtr& entry : page.entries) {
    if (model::is_deleting(entry->value())) continue;
    const Request request = system_request(*this, name, model::namespace_of(entry->value()),
                                           model::name_of(entry->value()));
    auto call = open(request);  // refers to the request
    const bool removed = call.ok() && remove_as_stored(*this, *call, entry).ok();
    (removed ? ending.removed : ending.failed) = true;
  }
  if (page.more) {
    ending.from = page.next;
    ending_.insert_or_assign(name, ending);
    environment.post([this, name, alive = std::weak_ptr<int>(alive_)] {
      if (alive.expired()) return;
      const auto node = ending_.extract(name);
      if (auto done = end_definition(name, node.mapped()); !done.ok())
        retry({std::string(kDefinitions), name});
      settle();
    });
    return {};
  }
  if (ending.failed) return internal_error("not all objects of " + name + " could be removed");
  if (store.range({.prefix = name + "/", .limit = 1})->entries.empty())
    return free_definition(object(kDefinitions, "", name));
  // Some may have come behind us.
  if (ending.removed) unsettled_.emplace(kDefinitions, name);
  return {};
}

Result<void> Registry::State::free_definition(const Value& definition) {
  if (!model::is_deleting(definition) || !model::has_finalizer(definition, kCleanup)) return {};
  Value freed = definition;
  const Value finalizers = model::finalizers_without(definition, kCleanup);
  model::set_finalizers(freed, finalizers);
  const Request request = system_request(*this, kDefinitions, "", model::name_of(definition));
  TRY(Call call, open(request));
  if (finalizers.empty()) {
    TRY_VOID(erase(call, call.key()));
  } else {
    TRY_VOID(put(call, call.key(), std::move(freed)));
  }
  return {};
}

Result<void> Registry::State::settle_definition(const std::string& name) {
  const Value definition = object(kDefinitions, "", name);
  if (definition.is_null()) {
    types.remove_custom(name);
    ++served_generation;
    return {};
  }
  const Naming naming = name_definition(definition, taken_names(*this, definition));
  Value status = definition["status"];
  if (!status.is_object()) status = Value::object();
  status.set("acceptedNames", naming.accepted);
  const bool accepted = naming.reason.empty();
  set_condition(status, "NamesAccepted", accepted, accepted ? "NoConflicts" : naming.reason,
                accepted ? "no conflicts found" : naming.message, now());
  const bool established = accepted || model::condition_is_true(definition, "Established");
  set_condition(
      status, "Established", established, established ? "InitialNamesAccepted" : "NotAccepted",
      established ? "the initial names have been accepted" : "not all names are accepted", now());
  Value& stored = status.edit("storedVersions");
  for (const Value& version : definition["spec"]["versions"].elements()) {
    const auto& known = stored.elements();
    if (version["storage"].as_bool() &&
        std::find(known.begin(), known.end(), version["name"]) == known.end())
      stored.push_back(version["name"]);
  }
  if (!(status == definition["status"]))
    TRY_VOID(write_status(*this, kDefinitions, name, status, "kube-apiserver", false));
  const Value& now_served = object(kDefinitions, "", name);
  if (established) {
    if (!types.add_custom(now_served).ok()) types.remove_custom(name);
    ++served_generation;
  }
  // What is left for other turns of the loop is done there, whatever asks meanwhile.
  if (model::is_deleting(now_served) && model::has_finalizer(now_served, kCleanup) &&
      !ending_.contains(name))
    return end_definition(name, {});
  return {};
}

void Registry::State::serve_definition(const Value& before, const Value& after) {
  const Value& definition = after.is_null() ? before : after;
  if (after.is_null() || !model::condition_is_true(after, "Established")) return;
  if (!types.add_custom(after).ok()) types.remove_custom(model::name_of(definition));
  ++served_generation;
}

}  // namespace keelson::registry
