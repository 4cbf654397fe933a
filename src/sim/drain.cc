// "drain node/NAME", as kubectl drain does it: the node is cordoned, then every pod on it that no
// DaemonSet owns is evicted. An eviction that a disruption budget refuses is tried again after five
// seconds, until the node is empty. Pods are not waited for.
#include <algorithm>

#include "model/meta.h"
#include "sim/check.h"
#include "sim/engine.h"

namespace keelson::sim {
namespace {

using cluster::Write;
using codec::Value;

constexpr Duration kRetry = Duration::seconds(5);

bool is_to_go(const Value& pod, std::string_view node) {
  return pod["spec"]["nodeName"].as_string() == node && !model::is_deleting(pod) &&
         model::controller_of(pod)["kind"].as_string() != "DaemonSet" &&
         model::annotation_of(pod, "kubernetes.io/config.mirror").empty();
}

}  // namespace

Result<void> World::drain(const Phrase& phrase) {
  const auto bad = [](std::string message) {
    return Error{.reason = Reason::bad_request, .message = std::move(message)};
  };
  if (phrase.words.size() != 2) return bad("expected: drain node/NAME");
  TRY(const ObjectName name, parse_object_name(phrase.words[1]));
  if (name.resource != "nodes") return bad("only a node can be drained: drain node/NAME");
  const auto cordoned =
      write({.verb = Write::Verb::merge_patch,
             .resource = "nodes",
             .namespace_ = {},
             .name = name.name,
             .object = Value::object({{"spec", Value::object({{"unschedulable", true}})}})});
  if (!cordoned.ok()) return cordoned.error();
  evict_from(name.name);
  return {};
}

void World::evict_from(const std::string& node) {
  bool left = !engine_;
  if (engine_) {
    for (const Value& pod : view().list("pods")) {
      if (!is_to_go(pod, node)) continue;
      const std::string name(model::name_of(pod)), ns(model::namespace_of(pod));
      Value eviction =
          Value::object({{"apiVersion", "policy/v1"},
                         {"kind", "Eviction"},
                         {"metadata", Value::object({{"name", name}, {"namespace", ns}})}});
      const auto evicted = write({.verb = Write::Verb::create,
                                  .resource = "pods",
                                  .namespace_ = ns,
                                  .name = name,
                                  .subresource = "eviction",
                                  .object = std::move(eviction)});
      left = left || (!evicted.ok() && evicted.error().reason != Reason::not_found);
    }
  }
  if (!left) {
    drains_.erase(node);
    return;
  }
  drains_[node] = loop_.call_at(loop_.now() + kRetry, [this, node] { evict_from(node); });
}

}  // namespace keelson::sim
