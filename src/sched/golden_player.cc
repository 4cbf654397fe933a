// Expansion of the recordings' shorthand, and comparison of decisions.
#include "sched/golden_player.h"

#include <algorithm>

#include "codec/json.h"
#include "model/meta.h"
#include "sched/decide.h"
#include "sched/memory_view.h"

namespace keelson::sched {
namespace {

constexpr std::size_t kDifferencesMax = 8;
constexpr std::int64_t kFirstStart = 1767225600;  // 2026-01-01T00:00:00Z

Value merged(Value base, const Value& patch) {
  if (!patch.is_object()) return patch;
  if (!base.is_object()) base = Value::object();
  for (const codec::Member& member : patch.members()) {
    if (member.value.is_null())
      base.erase(member.key());
    else
      base.set(member.key(), merged(base[member.key()], member.value));
  }
  return base;
}

bool is_cluster_scoped(std::string_view kind) {
  static constexpr std::string_view kKinds[] = {
      "Node",      "Namespace",        "PersistentVolume", "StorageClass", "CSINode",
      "CSIDriver", "VolumeAttachment", "ResourceSlice",    "DeviceClass"};
  return std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds);
}

// What the recorder filled in on every object alike.
void complete(Value& object, bool namespaced) {
  Value& meta = object.edit("metadata");
  if (namespaced && meta["namespace"].is_null()) meta.set("namespace", "default");
  if (meta["uid"].is_null())
    meta.set("uid", "uid-" + meta["namespace"].str() + "-" + meta["name"].str());
  if (meta["resourceVersion"].is_null()) meta.set("resourceVersion", "1");
}

std::vector<Value> expand(const Value& entries, const Value& templates) {
  std::vector<Value> objects;
  for (const Value& entry : entries.elements()) {
    Value base = entry["use"].is_null() ? Value::object() : templates[entry["use"].as_string()];
    if (entry.has("patch")) base = merged(std::move(base), entry["patch"]);
    for (const Value& name : entry["names"].elements()) {
      Value object = base;
      object.edit("metadata").set("name", name);
      if (entry["noHostname"].as_bool()) object.set("noHostname", true);
      objects.push_back(std::move(object));
    }
    for (const codec::Member& node : entry["on"].members())
      for (const Value& name : node.value.elements()) {
        Value object = base;
        object.edit("metadata").set("name", name);
        object.edit("spec").set("nodeName", node.key_value);
        objects.push_back(std::move(object));
      }
  }
  return objects;
}

// The cluster of one case.
struct Stage {
  MemoryView view;
  Snapshot snapshot;
  Value pod;

  Stage(const Value& file_case, const Value& templates) {
    for (Value node : expand(file_case["nodes"], templates)) add_node(std::move(node));
    for (Value object : file_case["other"].elements()) add_other(std::move(object));
    std::int64_t position = 0;
    for (Value existing : expand(file_case["pods"], templates))
      add_pod(std::move(existing), position++);
    pod = file_case["pod"];
    complete(pod, true);
    add_namespace(pod["metadata"]["namespace"].as_string());
    view.put("pods", pod);
  }

  void add_namespace(std::string_view name) {
    Value ns = view.get("namespaces", {}, name);
    if (ns.is_null()) ns.edit("metadata").set("name", name);
    complete(ns, false);
    ns.edit("metadata").edit("labels").set("kubernetes.io/metadata.name", name);
    view.put("namespaces", std::move(ns));
  }

  void add_node(Value node) {
    complete(node, false);
    Value& meta = node.edit("metadata");
    if (!node.erase("noHostname") && !meta["labels"].has("kubernetes.io/hostname"))
      node.edit("metadata").edit("labels").set("kubernetes.io/hostname", node["metadata"]["name"]);
    snapshot.set_node(node);
    view.put("nodes", std::move(node));
  }

  void add_other(Value object) {
    const std::string kind = object["kind"].str();
    if (kind == "Namespace") {
      view.put("namespaces", object);
      return add_namespace(object["metadata"]["name"].as_string());
    }
    complete(object, !is_cluster_scoped(kind));
    view.put(resource_of_kind(kind), std::move(object));
  }

  void add_pod(Value existing, std::int64_t position) {
    complete(existing, true);
    const std::string_view phase = existing["status"]["phase"].as_string("Running");
    add_namespace(existing["metadata"]["namespace"].as_string());
    if (phase == "Succeeded" || phase == "Failed") return;
    const std::string node = existing["spec"]["nodeName"].str();
    if (!node.empty() && existing["status"]["startTime"].is_null())
      existing.edit("status").set("startTime",
                                  to_rfc3339(Instant::unix_seconds(kFirstStart + position)));
    const PodPointer info = make_pod_info(existing);
    if (!node.empty())
      snapshot.set_pod(info, node);
    else if (!info->nominated_node().empty())
      snapshot.nominate(info, std::string(info->nominated_node()));
    view.put("pods", std::move(existing));
  }
};

Value sorted_strings(std::vector<std::string> texts) {
  std::sort(texts.begin(), texts.end());
  Value list = Value::array();
  for (const std::string& text : texts) list.push_back(text);
  return list;
}

Value to_value(const Status& status) {
  Value value = Value::object({{"fits", false},
                               {"code", to_text(status.code)},
                               {"reasons", sorted_strings(status.reasons())}});
  if (!status.plugin.empty()) value.set("plugin", status.plugin);
  return value;
}

std::string display_name(const PodInfo& pod, const PodInfo& incoming) {
  return pod.namespace_ == incoming.namespace_ ? pod.name : pod.key();
}

Value preemption_value(const Preemption& preemption, const PodInfo& pod) {
  Value value = Value::object({{"eligible", preemption.eligible}});
  if (!preemption.eligible) value.set("why", preemption.why);
  for (const auto& candidate : preemption.candidates) {
    Value victims = Value::array();
    for (const PodPointer& victim : candidate.victims)
      victims.push_back(display_name(*victim, pod));
    Value entry = Value::object({{"victims", victims}});
    if (candidate.violations > 0) entry.set("pdbViolations", candidate.violations);
    value.edit("candidates").set(candidate.node->name(), entry);
  }
  for (const auto& [node, status] : preemption.failed)
    value.edit("failed").set(node->name(), to_value(status));
  if (!preemption.acceptable.empty()) value.set("nominated", sorted_strings(preemption.acceptable));
  return value;
}

Value nodes_value(const Decision& decision, const Snapshot& snapshot) {
  Value nodes = Value::object();
  for (std::size_t i = 0; i < decision.feasible.size(); ++i) {
    Value scores = Value::object();
    for (const auto& plugin : decision.plugin_scores) scores.set(plugin.plugin, plugin.scores[i]);
    nodes.set(decision.feasible[i]->name(),
              Value::object({{"fits", true}, {"scores", scores}, {"total", decision.totals[i]}}));
  }
  for (const auto& [node, status] : decision.verdicts) nodes.set(node->name(), to_value(status));
  if (decision.absent.rejected())
    for (const NodeInfo* node : snapshot.nodes())
      if (!nodes.has(node->name())) nodes.set(node->name(), to_value(decision.absent));
  return nodes;
}

// The decision in the form of a recording's `want`.
Value play(const Stage& stage) {
  const PodPointer pod = make_pod_info(stage.pod);
  if (const Status status = pre_enqueue(stage.view, *pod); !status.ok())
    return Value::object({{"preEnqueue", to_value(status)}});
  Prng rng(1);
  const Decision decision =
      decide(stage.snapshot, stage.view, *pod,
             {.percentage_of_nodes_to_score = 100, .start = 0, .explain = true}, rng);
  if (decision.outcome == Decision::Outcome::error)
    return Value::object({{"error", decision.message}});
  Value result = Value::object();
  if (stage.snapshot.nodes().empty()) return Value::object({{"message", decision.message}});
  result.set("nodes", nodes_value(decision, stage.snapshot));
  if (decision.outcome == Decision::Outcome::placed) {
    const std::int64_t most = *std::max_element(decision.totals.begin(), decision.totals.end());
    std::vector<std::string> best;
    for (std::size_t i = 0; i < decision.totals.size(); ++i)
      if (decision.totals[i] == most) best.push_back(decision.feasible[i]->name());
    result.set("best", sorted_strings(best));
    return result;
  }
  result.set("message", decision.message);
  if (const std::string note = event_note(decision.message); note != decision.message)
    result.set("event", note);
  result.set("unschedulablePlugins", sorted_strings(decision.plugins));
  if (!decision.pre_filter.ok()) result.set("preFilter", to_value(decision.pre_filter));
  if (decision.clears_nomination) result.set("clearsNomination", true);
  result.set("preemption", preemption_value(decision.preemption, *pod));
  return result;
}

void compare(const std::string& path, const Value& want, const Value& got,
             std::vector<std::string>& differences) {
  if (want == got || differences.size() >= kDifferencesMax) return;
  if (!want.is_object() || !got.is_object()) {
    differences.push_back(path + ": want " + codec::to_json(want) + ", got " + codec::to_json(got));
    return;
  }
  const std::string prefix = path.empty() ? "" : path + ".";
  for (const codec::Member& member : want.members())
    compare(prefix + std::string(member.key()), member.value, got[member.key()], differences);
  for (const codec::Member& member : got.members())
    if (!want.has(member.key()))
      compare(prefix + std::string(member.key()), Value(), member.value, differences);
}

GoldenResult judge(std::string name, const Value& want, const Value& got) {
  std::vector<std::string> differences;
  compare("", want, got, differences);
  GoldenResult result{std::move(name), differences.empty(), {}};
  for (const std::string& line : differences) result.difference += line + "\n";
  return result;
}

Value zone_node(const Value& added) {
  Value node = Value::object();
  Value& meta = node.edit("metadata");
  meta.set("name", added[0]);
  if (!added[1].as_string().empty())
    meta.edit("labels").set("topology.kubernetes.io/region", added[1]);
  if (!added[2].as_string().empty())
    meta.edit("labels").set("topology.kubernetes.io/zone", added[2]);
  return node;
}

Value plugin_names(const std::vector<const Plugin*>& plugins) {
  Value names = Value::array();
  for (const Plugin* plugin : plugins) names.push_back(plugin->name());
  return names;
}

// The file of tables: order of nodes and plug-ins, nodes to find.
void play_tables(const Value& file, std::vector<GoldenResult>& results) {
  for (const Value& row : file["feasibleNodesToFind"].elements()) {
    const std::int64_t nodes = row["nodes"].as_int();
    const std::int64_t percent = row["percentageOfNodesToScore"].as_int();
    results.push_back(judge(
        "nodes to find: " + std::to_string(nodes) + " at " + std::to_string(percent) + " percent",
        row["feasibleNodesToFind"],
        nodes_to_find(static_cast<std::size_t>(nodes), static_cast<int>(percent))));
  }
  for (const Value& row : file["nodeOrder"].elements()) {
    Snapshot snapshot;
    for (const Value& added : row["added"].elements()) snapshot.set_node(zone_node(added));
    Value order = Value::array();
    for (const NodeInfo* node : snapshot.nodes()) order.push_back(node->name());
    results.push_back(judge("node order: " + row["about"].str(), row["order"], order));
  }
  const Value& order = file["pluginOrder"];
  if (order.is_null()) return;
  Value scorers = Value::array();
  for (const auto& [plugin, weight] : default_profile().scorers)
    scorers.push_back(std::string(plugin->name()) + "=" + std::to_string(weight));
  results.push_back(judge("plug-in order: score", order["score"], scorers));
  results.push_back(
      judge("plug-in order: filter", order["filter"], plugin_names(default_profile().filters)));
}

}  // namespace

bool is_scheduler_recording(const Value& file) {
  if (file["feasibleNodesToFind"].is_array()) return true;
  const Value& first = file["cases"][0];
  return first["pod"].is_object() && first["nodes"].is_array() && first["want"].is_object();
}

std::vector<GoldenResult> play_scheduler_recording(const Value& file) {
  std::vector<GoldenResult> results;
  for (const Value& file_case : file["cases"].elements())
    results.push_back(judge(file_case["name"].str(), file_case["want"],
                            play(Stage(file_case, file["templates"]))));
  play_tables(file, results);
  return results;
}

}  // namespace keelson::sched
