// What the deletion of a namespace does next. Pure; see namespace.h.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "control/common/templates.h"
#include "control/namespace/namespace.h"
#include "model/conditions.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

constexpr std::string_view kFinalizer = "kubernetes";
// How long what is held by finalizers is left before the next look, should no change wake us.
constexpr Duration kLookAgain = Duration::seconds(15);

struct ConditionText {
  std::string_view type, reason, message;  // when all is well
};
constexpr std::array<ConditionText, 5> kConditions{
    {{"NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered",
      "All resources successfully discovered"},
     {"NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions",
      "All legacy kube types successfully parsed"},
     {"NamespaceDeletionContentFailure", "ContentDeleted",
      "All content successfully deleted, may be waiting on finalization"},
     {"NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"},
     {"NamespaceFinalizersRemaining", "ContentHasNoFinalizers",
      "All content-preserving finalizers finished"}}};

// What the deletion has come to, by condition: reason and message of those that are True.
using Troubles = std::map<std::string, std::pair<std::string, std::string>, std::less<>>;

void add_conditions(Value& status, const Troubles& troubles, Instant now) {
  for (const ConditionText& known : kConditions) {
    const auto trouble = troubles.find(known.type);
    const bool bad = trouble != troubles.end();
    model::put_condition(
        status,
        Value::object({{"type", known.type},
                       {"status", bad ? "True" : "False"},
                       {"reason", bad ? std::string_view(trouble->second.first) : known.reason},
                       {"message", bad ? std::string_view(trouble->second.second) : known.message},
                       {"lastTransitionTime", to_rfc3339(now)}}));
  }
}

// "pods. has 2 resource instances": resource, dot, group.
std::string with_group(const std::string& resource) {
  return resource.find('.') == std::string::npos ? resource + "." : resource;
}

Troubles describe(const std::map<std::string, std::int64_t>& left,
                  const std::map<std::string, std::int64_t>& finalizers,
                  std::vector<std::string> failures) {
  Troubles troubles;
  const auto listed = [](const auto& counts, std::string_view verb, bool is_resource) {
    std::vector<std::string> parts;
    for (const auto& [name, count] : counts)
      parts.push_back((is_resource ? with_group(name) : name) + std::string(verb) +
                      std::to_string(count) + " resource instances");
    std::sort(parts.begin(), parts.end());
    return join(parts, ", ");
  };
  if (!failures.empty()) {
    std::sort(failures.begin(), failures.end());
    troubles["NamespaceDeletionContentFailure"] = {"ContentDeletionFailed",
                                                   "Failed to delete all resource types, " +
                                                       std::to_string(failures.size()) +
                                                       " remaining: " + join(failures, ", ")};
  }
  if (!left.empty())
    troubles["NamespaceContentRemaining"] = {
        "SomeResourcesRemain", "Some resources are remaining: " + listed(left, " has ", true)};
  if (!finalizers.empty())
    troubles["NamespaceFinalizersRemaining"] = {
        "SomeFinalizersRemain", "Some content in the namespace has finalizers remaining: " +
                                    listed(finalizers, " in ", false)};
  return troubles;
}

class Emptying {
 public:
  Emptying(const NamespaceInputs& inputs, Script& script)
      : inputs_(inputs), script_(script), namespace_(inputs.namespace_) {}
  Result<void> run();

 private:
  void remove_all(const std::string& resource, const std::vector<Value>& objects);
  Result<void> write_conditions();
  Result<void> finalize();

  const NamespaceInputs& inputs_;
  Script& script_;
  Value namespace_;
  std::map<std::string, std::int64_t> left_, finalizers_;
  std::vector<std::string> failures_;
};

// Deletes what is not being deleted yet; what stays all the same is counted.
void Emptying::remove_all(const std::string& resource, const std::vector<Value>& objects) {
  std::vector<cluster::Write> writes;
  for (const Value& object : objects) {
    if (model::is_deleting(object)) continue;
    writes.push_back(remove(resource, object));
    writes.back().uid = model::uid_of(object);
    writes.back().propagation = "Background";
  }
  const std::vector<Result<Value>> results = script_.write(std::move(writes));
  const auto count = [&](const Value& object) {
    ++left_[resource];
    for (const Value& finalizer : object["metadata"]["finalizers"].elements())
      ++finalizers_[finalizer.str()];
  };
  std::size_t next = 0;
  for (const Value& object : objects) {
    if (model::is_deleting(object)) {
      count(object);
      continue;
    }
    const Result<Value>& result = results[next++];
    if (result.ok()) {
      // Gone at once, or marked: then it is answered with its deletionTimestamp.
      if (model::is_deleting(*result)) count(*result);
    } else if (result.error().reason != Reason::not_found) {
      failures_.push_back(result.error().message);
      count(object);
    }
  }
}

Result<void> Emptying::write_conditions() {
  const Value before = namespace_["status"];
  add_conditions(namespace_.edit("status"), describe(left_, finalizers_, failures_), inputs_.now);
  if (same_content(before, namespace_["status"])) return {};
  TRY(namespace_, script_.write(update("namespaces", namespace_, "status")));
  return {};
}

Result<void> Emptying::finalize() {
  Value left = Value::array();
  for (const Value& finalizer : namespace_["spec"]["finalizers"].elements())
    if (finalizer.as_string() != kFinalizer) left.push_back(finalizer);
  if (left.empty())
    namespace_.edit("spec").erase("finalizers");
  else
    namespace_.edit("spec").set("finalizers", std::move(left));
  const Result<Value> written = script_.write(update("namespaces", namespace_, "finalize"));
  if (written.ok() || written.error().reason == Reason::not_found) return {};
  return written.error();
}

Result<void> Emptying::run() {
  if (!model::is_deleting(namespace_)) return {};
  if (namespace_.at("status.phase").as_string() != "Terminating") {
    namespace_.edit("status").set("phase", "Terminating");
    TRY(namespace_, script_.write(update("namespaces", namespace_, "status")));
  }
  if (namespace_["spec"]["finalizers"].empty()) return {};

  // Pods first: what they use must not go under them.
  if (const auto pods = inputs_.content.find("pods"); pods != inputs_.content.end())
    remove_all(pods->first, pods->second);
  if (left_.empty())
    for (const auto& [resource, objects] : inputs_.content)
      if (resource != "pods") remove_all(resource, objects);
  if (script_.waiting()) return {};
  TRY_VOID(write_conditions());
  if (!failures_.empty()) return Error{Reason::internal_error, join(failures_, ", ")};
  if (left_.empty()) return finalize();
  script_.wake_at(inputs_.now + kLookAgain);
  return {};
}

}  // namespace

Result<void> empty_namespace(const NamespaceInputs& inputs, Script& script) {
  return Emptying(inputs, script).run();
}

}  // namespace keelson::control
