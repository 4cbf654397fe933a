// The snapshot stays what it would be if it were built anew, whatever happens in whatever order.
#include "sched/snapshot.h"

#include <gtest/gtest.h>

#include <set>

#include "base/prng.h"
#include "sched/scheduler_harness.h"

namespace keelson::sched {
namespace {

std::string name_of(std::string_view prefix, std::uint64_t number) {
  return std::string(prefix) + std::to_string(number);
}

PodPointer random_pod(const std::string& name, Prng& rng) {
  Value pod = make_pod(name, name_of("", rng.below(900) + 1) + "m", "64Mi");
  pod.edit("metadata").edit("labels").set("app", name_of("a", rng.below(3)));
  if (rng.below(3) == 0) {
    Value term = Value::object({{"topologyKey", "topology.kubernetes.io/zone"}});
    term.edit("labelSelector").edit("matchLabels").set("app", name_of("a", rng.below(3)));
    pod.edit("spec")
        .edit("affinity")
        .edit("podAntiAffinity")
        .set("requiredDuringSchedulingIgnoredDuringExecution", Value::array({term}));
  }
  return make_pod_info(pod);
}

// All that is counted, by names instead of ids.
std::string describe(const Snapshot& snapshot) {
  std::string text;
  const auto counts = [&](const Snapshot::NodeCounts& nodes) {
    std::map<std::string, std::int64_t> named;
    for (const auto& [id, count] : nodes)
      if (const NodeInfo* node = snapshot.node_by_id(id)) named[node->name()] += count;
    for (const auto& [name, count] : named) text += " " + name + "=" + std::to_string(count);
    text += "\n";
  };
  for (const auto& [key, group] : snapshot.pod_groups()) {
    text += key;
    counts(group.nodes);
  }
  for (const auto& [key, group] : snapshot.term_groups(Snapshot::required_anti_affinity)) {
    text += key;
    counts(group.nodes);
  }
  std::set<std::string> nodes;
  for (const NodeInfo* node : snapshot.nodes()) {
    std::set<std::string> pods;
    for (const PodPointer& pod : node->pods()) pods.insert(pod->name);
    std::string line = node->name() + " " + std::to_string(node->requested().milli_cpu) + " " +
                       std::to_string(node->nonzero_memory());
    for (const std::string& pod : pods) line += " " + pod;
    nodes.insert(line);
  }
  for (const std::string& line : nodes) text += line + "\n";
  return text;
}

TEST(Snapshot, FollowsChangesExactly) {
  Prng rng(11);
  Snapshot snapshot;
  std::map<std::string, Value> nodes;
  std::map<std::string, std::pair<PodPointer, std::string>> pods;
  for (int step = 0; step < 3000; ++step) {
    const std::string node = name_of("n", rng.below(12));
    const std::string pod = name_of("p", rng.below(60));
    switch (rng.below(5)) {
      case 0:
        nodes[node] = make_node(node, "4", "8Gi", name_of("z", rng.below(3)));
        snapshot.set_node(nodes[node]);
        break;
      case 1:
        nodes.erase(node);
        snapshot.remove_node(node);
        break;
      case 2:
        snapshot.remove_pod("default/" + pod);
        pods.erase(pod);
        break;
      default: pods[pod] = {random_pod(pod, rng), node}; snapshot.set_pod(pods[pod].first, node);
    }
    if (step % 100 != 0) continue;
    Snapshot anew;
    for (const auto& [name, object] : nodes) anew.set_node(object);
    for (const auto& [name, placed] : pods) anew.set_pod(placed.first, placed.second);
    ASSERT_EQ(describe(snapshot).find("=0"), std::string::npos);
    // Groups only on unknown nodes count nothing; they are in both.
    ASSERT_EQ(describe(snapshot), describe(anew)) << "step " << step;
  }
}

TEST(Snapshot, NumbersTopologiesAnewWhenLabelsChange) {
  Snapshot snapshot;
  snapshot.set_node(make_node("n1", "4", "8Gi", "a"));
  snapshot.set_node(make_node("n2", "4", "8Gi", "b"));
  const std::string key = "topology.kubernetes.io/zone";
  EXPECT_NE(snapshot.topology(key)[*snapshot.node("n1")],
            snapshot.topology(key)[*snapshot.node("n2")]);
  snapshot.set_node(make_node("n2", "4", "8Gi", "a"));
  EXPECT_EQ(snapshot.topology(key)[*snapshot.node("n1")],
            snapshot.topology(key)[*snapshot.node("n2")]);
  EXPECT_EQ(snapshot.topology("none")[*snapshot.node("n1")], 0u);
}

TEST(Snapshot, NominationsMoveAndEnd) {
  Snapshot snapshot;
  const PodPointer pod = make_pod_info(make_pod("p", "1", "1Gi"));
  snapshot.nominate(pod, "n1");
  snapshot.nominate(pod, "n2");
  EXPECT_TRUE(snapshot.nominated("n1").empty());
  EXPECT_EQ(snapshot.nominated("n2").size(), 1u);
  snapshot.clear_nomination(pod->uid);
  EXPECT_TRUE(snapshot.nominated("n2").empty());
  EXPECT_EQ(snapshot.nomination_of(pod->uid), "");
}

TEST(Snapshot, TheFirstNodeSaysHowLargeAnImageIs) {
  Snapshot snapshot;
  const auto with_image = [](std::string_view name, std::int64_t bytes) {
    Value node = make_node(name, "4", "8Gi");
    Value image = Value::object({{"sizeBytes", bytes}});
    image.set("names", Value::array({"app:1"}));
    node.edit("status").set("images", Value::array({image}));
    return node;
  };
  snapshot.set_node(with_image("n1", 100));
  snapshot.set_node(with_image("n2", 200));
  EXPECT_EQ(snapshot.image("app:1").bytes, 100);
  EXPECT_EQ(snapshot.image("app:1").nodes, 2u);
  snapshot.remove_node("n1");
  snapshot.remove_node("n2");
  EXPECT_EQ(snapshot.image("app:1").nodes, 0u);
}

}  // namespace
}  // namespace keelson::sched
