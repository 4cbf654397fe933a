// Controllers over the embedded cluster in virtual time, with a registry that stores whatever it
// is given.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "codec/json.h"
#include "host/virtual_loop.h"
#include "model/meta.h"
#include "runtime/embedded_cluster.h"
#include "runtime/manager.h"
#include "runtime/work_queue.h"

namespace keelson::runtime {
namespace {

using cluster::Plan;
using cluster::Sync;
using cluster::Value;
using cluster::View;
using cluster::Write;

Value object(std::string_view kind, std::string_view ns, std::string_view name) {
  return Value::object(
      {{"apiVersion", "v1"},
       {"kind", kind},
       {"metadata", Value::object({{"name", name},
                                   {"namespace", ns},
                                   {"uid", std::string("uid-") + std::string(name)}})}});
}

void merge(Value& into, const Value& patch) {
  for (const auto& member : patch.members()) {
    if (member.value.is_null())
      into.erase(member.key());
    else if (member.value.is_object())
      merge(into.edit(member.key()), member.value);
    else
      into.set(member.key(), member.value);
  }
}

// Stores without a question; fails on demand.
class FakeRegistry {
 public:
  explicit FakeRegistry(store::Store& store) : store_(store) {}
  std::function<std::optional<Error>(const Write&)> fault;
  std::vector<std::string> writers;

  Result<Value> execute(const Write& write, std::string_view component) {
    writers.emplace_back(component);
    if (fault)
      if (auto error = fault(write)) return *error;
    std::string name = write.name.empty() ? std::string(model::name_of(write.object)) : write.name;
    std::string key = write.resource + "/" + write.namespace_ + "/" + name;
    auto entry = store_.get(key);
    if (write.verb == Write::Verb::create && entry)
      return Error{Reason::already_exists, key + " already exists"};
    if (write.verb != Write::Verb::create && !entry)
      return Error{Reason::not_found, key + " not found"};
    if (write.verb == Write::Verb::remove) {
      TRY_VOID(drop(store_.commit({.deletes = {key}})));
      return Value();
    }
    Value value = write.object;
    if (write.verb == Write::Verb::merge_patch) {
      value = entry->value();
      merge(value, write.object);
    }
    value.edit("metadata").set("resourceVersion", store_.next_revision().text());
    TRY_VOID(drop(store_.commit({.puts = {{key, codec::to_json(value), value}}})));
    return value;
  }

 private:
  static Result<void> drop(Result<store::Revision> result) {
    if (!result.ok()) return result.error();
    return {};
  }
  store::Store& store_;
};

// A controller made of functions.
class Scripted : public cluster::Controller {
 public:
  Scripted(std::string name, std::vector<cluster::Watch> watches,
           std::function<Plan(const Sync&)> reconcile)
      : name_(std::move(name)), watches_(std::move(watches)), reconcile_(std::move(reconcile)) {}
  std::string_view name() const override { return name_; }
  std::vector<cluster::Watch> watches() const override { return watches_; }
  Plan reconcile(const Sync& sync) override { return reconcile_(sync); }

 private:
  std::string name_;
  std::vector<cluster::Watch> watches_;
  std::function<Plan(const Sync&)> reconcile_;
};

class RuntimeTest : public testing::Test {
 protected:
  host::VirtualLoop loop;
  std::unique_ptr<store::Store> store = store::Store::in_memory(loop);
  FakeRegistry registry{*store};
  EmbeddedCluster cluster{
      loop, *store,
      [this](const Write& write, std::string_view who) { return registry.execute(write, who); }, 1};
  Manager manager{loop, cluster, 1};

  void create(std::string resource, Value value) {
    std::string ns(model::namespace_of(value));
    cluster.commit({.resource = std::move(resource), .namespace_ = ns, .object = std::move(value)},
                   [](Result<Value> r) { EXPECT_TRUE(r.ok()); });
  }
  void run(std::string name, std::vector<cluster::Watch> watches,
           std::function<Plan(const Sync&)> reconcile) {
    manager.add(
        std::make_unique<Scripted>(std::move(name), std::move(watches), std::move(reconcile)));
  }
  std::int64_t elapsed_ms(Instant since) const { return (loop.now() - since).count_milliseconds(); }
};

TEST(WorkQueue, BacksOffAsClientGoDoes) {
  EXPECT_EQ(backoff_after(0), Duration::milliseconds(5));
  EXPECT_EQ(backoff_after(1), Duration::milliseconds(10));
  EXPECT_EQ(backoff_after(17), Duration::milliseconds(655'360));
  EXPECT_EQ(backoff_after(18), Duration::seconds(1000));
  EXPECT_EQ(backoff_after(1000), Duration::seconds(1000));
}

TEST(WorkQueue, KeepsEachKeyOnceAndNeverTwiceInWork) {
  WorkQueue queue;
  Key a{"x", "a"}, b{"x", "b"};
  queue.add(a);
  queue.add(b);
  queue.add(a);
  EXPECT_EQ(queue.depth(), 2u);
  EXPECT_EQ(queue.take(), a);
  queue.add(a);
  EXPECT_EQ(queue.depth(), 1u) << "a waits until it is done";
  EXPECT_EQ(queue.take(), b);
  EXPECT_EQ(queue.take(), std::nullopt);
  queue.done(a);
  EXPECT_EQ(queue.take(), a);
}

TEST(WorkQueue, OfSeveralTimesTheEarliestCounts) {
  WorkQueue queue;
  Key a{"x", "a"};
  Instant t = Instant::unix_seconds(100);
  queue.add_at(a, t + Duration::seconds(5));
  queue.add_at(a, t + Duration::seconds(2));
  queue.add_at(a, t + Duration::seconds(9));
  EXPECT_EQ(queue.next_release(), t + Duration::seconds(2));
  queue.release(t + Duration::seconds(2));
  EXPECT_EQ(queue.take(), a);
  EXPECT_EQ(queue.next_release(), std::nullopt);
}

TEST_F(RuntimeTest, AnnouncesWhatExistsAndThenWhatChanges) {
  create("pods", object("Pod", "x", "a"));
  std::vector<std::string> seen;
  run("one", {cluster::watch_self("pods")}, [&](const Sync& sync) {
    bool exists = !sync.view.get("pods", sync.key.namespace_, sync.key.name).is_null();
    seen.push_back(sync.key.name + (exists ? "" : " gone"));
    return Plan{};
  });
  loop.run_ready();
  create("pods", object("Pod", "x", "b"));
  create("nodes", object("Node", "", "n"));
  loop.run_ready();
  cluster.commit({.verb = Write::Verb::remove, .resource = "pods", .namespace_ = "x", .name = "a"},
                 {});
  loop.run_ready();
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "b", "a gone"}));
  EXPECT_TRUE(manager.idle());
}

TEST_F(RuntimeTest, SeesAllChangesBeforeEachItemAndKeepsTheOrderOfRegistration) {
  std::vector<std::string> trace;
  run("first", {cluster::watch_self("replicasets.apps")}, [&](const Sync& sync) {
    trace.push_back("first " + sync.key.name);
    return Plan{};
  });
  run("second", {cluster::watch_self("deployments.apps")}, [&](const Sync& sync) {
    trace.push_back("second " + sync.key.name);
    Plan plan;
    plan.writes.push_back({.resource = "replicasets.apps",
                           .namespace_ = "x",
                           .object = object("ReplicaSet", "x", sync.key.name + "-rs")});
    return plan;
  });
  create("deployments.apps", object("Deployment", "x", "a"));
  create("deployments.apps", object("Deployment", "x", "b"));
  loop.run_ready();
  EXPECT_EQ(trace, (std::vector<std::string>{"second a", "first a-rs", "second b", "first b-rs"}));
}

TEST_F(RuntimeTest, ContinuesWithResultsAndWritesInItsOwnName) {
  std::vector<std::string> results;
  registry.fault = [](const Write& write) -> std::optional<Error> {
    if (write.object.at("metadata.name") == Value("p1")) return Error{Reason::forbidden, "quota"};
    return std::nullopt;
  };
  run("rs", {cluster::watch_self("replicasets.apps")}, [&](const Sync&) {
    Plan plan;
    for (const char* name : {"p0", "p1", "p2"})
      plan.writes.push_back(
          {.resource = "pods", .namespace_ = "x", .object = object("Pod", "x", name)});
    plan.then = [&](std::vector<Result<Value>> answers) {
      for (auto& answer : answers)
        results.push_back(answer.ok() ? answer->at("metadata.name").str() : answer.error().message);
      return Plan{.error = "some failed"};
    };
    return plan;
  });
  create("replicasets.apps", object("ReplicaSet", "x", "r"));
  loop.run_ready();
  EXPECT_EQ(results, (std::vector<std::string>{"p0", "quota", "p2"}));
  EXPECT_EQ(registry.writers, (std::vector<std::string>{"keelson", "rs", "rs", "rs"}));
  auto queues = manager.queues();
  ASSERT_EQ(queues.size(), 1u);
  EXPECT_EQ(queues[0].last_error, "x/r: some failed");
  EXPECT_EQ(queues[0].failing, 1u);
  EXPECT_EQ(queues[0].delayed, 1u);
}

TEST_F(RuntimeTest, BacksOffPerKeyAndForgetsAfterSuccess) {
  Instant start = loop.now();
  std::vector<std::int64_t> times;
  run("c", {cluster::watch_self("pods")}, [&](const Sync&) {
    times.push_back(elapsed_ms(start));
    Plan plan;
    if (times.size() != 4)
      plan.writes.push_back({.verb = Write::Verb::update,
                             .resource = "pods",
                             .namespace_ = "x",
                             .name = "absent",
                             .object = object("Pod", "x", "absent")});
    else
      plan.wake_at = loop.now() + Duration::milliseconds(100);
    return plan;
  });
  create("pods", object("Pod", "x", "a"));
  loop.run_for(Duration::milliseconds(145));
  EXPECT_EQ(times, (std::vector<std::int64_t>{0, 5, 15, 35, 135, 140}));
}

TEST_F(RuntimeTest, AStoppedControllerIsLeftAlone) {
  int syncs = 0;
  auto count = [&](const Sync&) {
    ++syncs;
    return Plan{.wake_at = loop.now() + Duration::seconds(1)};
  };
  run("c", {cluster::watch_self("pods")}, count);
  create("pods", object("Pod", "x", "a"));
  loop.run_for(Duration::milliseconds(2500));
  EXPECT_EQ(syncs, 3);
  EXPECT_TRUE(manager.remove("c"));
  EXPECT_FALSE(manager.remove("c"));
  loop.run_for(Duration::seconds(5));
  EXPECT_EQ(syncs, 3);
  run("c", {cluster::watch_self("pods")}, count);
  loop.run_ready();
  EXPECT_EQ(syncs, 4);
}

TEST_F(RuntimeTest, FindsOwnedObjectsAtOnce) {
  auto owned = [](std::string_view name, std::string_view uid) {
    Value pod = object("Pod", "x", name);
    pod.edit("metadata")
        .set("ownerReferences",
             Value::array({Value::object({{"uid", uid}, {"kind", "ReplicaSet"}})}));
    return pod;
  };
  create("pods", owned("b", "u1"));
  create("pods", owned("a", "u1"));
  create("pods", owned("c", "u2"));
  auto names = [&](std::string_view uid) {
    std::string all;
    for (const Value& pod : cluster.owned_by("pods", uid)) all += model::name_of(pod);
    return all;
  };
  EXPECT_EQ(names("u1"), "ab");
  cluster.commit({.verb = Write::Verb::update,
                  .resource = "pods",
                  .namespace_ = "x",
                  .name = "b",
                  .object = owned("b", "u2")},
                 {});
  EXPECT_EQ(names("u1"), "a");
  EXPECT_EQ(names("u2"), "bc");
  cluster.commit({.verb = Write::Verb::remove, .resource = "pods", .namespace_ = "x", .name = "c"},
                 {});
  EXPECT_EQ(names("u2"), "b");
}

TEST_F(RuntimeTest, WatchesEndWithTheirHandle) {
  std::string seen;
  auto trace = [&](const Value& before, const Value& after) {
    seen += before.is_null() ? '+' : after.is_null() ? '-' : '~';
  };
  create("pods", object("Pod", "x", "a"));
  auto handle = cluster.as("kubelet/n1")->watch("pods", trace);
  EXPECT_EQ(seen, "+");
  create("pods", object("Pod", "x", "b"));
  loop.run_ready();
  cluster.commit({.verb = Write::Verb::merge_patch,
                  .resource = "pods",
                  .namespace_ = "x",
                  .name = "b",
                  .object = Value::object({{"spec", Value::object({{"nodeName", "n"}})}})},
                 {});
  loop.run_ready();
  EXPECT_EQ(seen, "++~");
  handle.reset();
  create("pods", object("Pod", "x", "c"));
  loop.run_ready();
  EXPECT_EQ(seen, "++~");
}

class EventsTest : public RuntimeTest {
 protected:
  Value pod = object("Pod", "x", "a");
  void note(std::string reason, std::string message, std::string action = {}) {
    cluster.note({pod, false, std::move(reason), std::move(message), std::move(action)},
                 "tester/n");
  }
  std::vector<Value> events() { return cluster.list("events"); }
};

TEST_F(EventsTest, CountsRepeats) {
  note("Pulled", "image there");
  loop.run_for(Duration::seconds(5));
  note("Pulled", "image there");
  ASSERT_EQ(events().size(), 1u);
  Value event = events()[0];
  EXPECT_EQ(event["count"].as_int(), 2);
  EXPECT_EQ(event["firstTimestamp"].str(), "2026-01-01T00:00:00Z");
  EXPECT_EQ(event["lastTimestamp"].str(), "2026-01-01T00:00:05Z");
  EXPECT_EQ(event.at("involvedObject.name").str(), "a");
  EXPECT_EQ(event.at("source.host").str(), "n");
  // Once the event itself has expired, it is created again.
  cluster.commit({.verb = Write::Verb::remove,
                  .resource = "events",
                  .namespace_ = "x",
                  .name = event.at("metadata.name").str()},
                 {});
  note("Pulled", "image there");
  EXPECT_EQ(events().size(), 1u);
}

TEST_F(EventsTest, CombinesSimilarOnes) {
  for (int i = 0; i < 15; ++i) note("Failed", "message " + std::to_string(i));
  auto all = events();
  ASSERT_EQ(all.size(), 10u);
  int combined = 0;
  for (const Value& event : all)
    if (event["message"].as_string().starts_with("(combined from similar events): ")) {
      ++combined;
      EXPECT_EQ(event["count"].as_int(), 6);
    }
  EXPECT_EQ(combined, 1);
}

TEST_F(EventsTest, StopsSpam) {
  for (int i = 0; i < 60; ++i) note("Reason" + std::to_string(i), "m");
  EXPECT_EQ(events().size(), 25u);
  loop.run_for(Duration::seconds(301));
  note("Later", "m");
  note("Later2", "m");
  EXPECT_EQ(events().size(), 26u);
}

TEST_F(EventsTest, RepeatsWithAnActionBecomeASeries) {
  for (int i = 0; i < 4; ++i) {
    note("FailedScheduling", "0/1 nodes", "Scheduling");
    loop.run_for(Duration::seconds(1));
  }
  ASSERT_EQ(events().size(), 1u);
  EXPECT_EQ(events()[0].at("series.count").as_int(), 2);
  EXPECT_EQ(events()[0]["eventTime"].str(), "2026-01-01T00:00:00.000000Z");
  loop.run_for(Duration::minutes(13));
  EXPECT_EQ(events()[0].at("series.count").as_int(), 4) << "the last count is written at the end";
  note("FailedScheduling", "0/1 nodes", "Scheduling");
  EXPECT_EQ(events().size(), 2u);
}

}  // namespace
}  // namespace keelson::runtime
