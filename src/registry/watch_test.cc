// Watches beyond the plain case: clients that do not read, long beginnings, revisions to come.
#include <gtest/gtest.h>

#include "model/meta.h"
#include "registry/test_registry.h"

namespace keelson::registry {
namespace {

class WatchTest : public TestRegistry {
 protected:
  WatchTest() { open(environment()); }
  static Request request(Verb verb, std::string name = "", Value body = {}) {
    return TestRegistry::request(verb, "", "configmaps", "default", std::move(name),
                                 std::move(body));
  }
  Value make(const std::string& name, const std::string& text = "v") {
    auto made =
        registry->execute(request(Verb::create, "",
                                  Value::object({{"metadata", Value::object({{"name", name}})},
                                                 {"data", Value::object({{"k", text}})}})));
    EXPECT_TRUE(made.ok());
    return made.ok() ? made->object.value() : Value();
  }
  std::unique_ptr<Watcher> watch(const Request& what) {
    auto watcher = registry->watch(what);
    EXPECT_TRUE(watcher.ok());
    return watcher.ok() ? std::move(*watcher) : nullptr;
  }
};

TEST_F(WatchTest, AClientThatDoesNotReadIsToldToBeginAnew) {
  const auto watcher = watch(request(Verb::watch));
  const std::string text(1'000'000, 'x');
  for (int i = 0; i < 40; ++i) make("a" + std::to_string(i), text);
  loop.run_ready();
  const std::vector<WatchEvent> events = watcher->take(100);
  ASSERT_EQ(events.size(), 1u) << "nothing of what it missed is kept";
  EXPECT_EQ(events[0].type, WatchEvent::Type::error);
  EXPECT_EQ(events[0].object.value()["code"], 410);
  EXPECT_EQ(events[0].object.value()["reason"], "Expired");
  make("b");
  loop.run_ready();
  EXPECT_TRUE(watcher->take(100).empty()) << "an error is the last event";
}

TEST_F(WatchTest, AClientThatReadsMayGoOnForEver) {
  const auto watcher = watch(request(Verb::watch));
  loop.run_ready();
  (void)watcher->take(100);
  const std::string text(1'000'000, 'x');
  for (int i = 0; i < 60; ++i) {
    make("a" + std::to_string(i), text);
    loop.run_ready();
    const std::vector<WatchEvent> events = watcher->take(100);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].type, WatchEvent::Type::added);
  }
}

TEST_F(WatchTest, ALongBeginningComesWholeAndBeforeWhatChangesMeanwhile) {
  constexpr int kCount = 700;  // some pages
  for (int i = 0; i < kCount; ++i) make("a" + std::to_string(1000 + i));
  Request what = request(Verb::watch);
  what.options.send_initial_events = true;
  what.options.allow_bookmarks = true;
  what.options.revision_match = "NotOlderThan";
  const auto watcher = watch(what);
  std::vector<WatchEvent> events = watcher->take(10);
  ASSERT_EQ(events.size(), 10u);
  EXPECT_TRUE(registry->execute(request(Verb::remove, "a1699")).ok());
  make("a2000");
  loop.run_ready();
  for (;;) {
    std::vector<WatchEvent> more = watcher->take(64);
    if (more.empty()) break;
    for (WatchEvent& one : more) events.push_back(std::move(one));
  }
  ASSERT_EQ(events.size(), kCount + 3u);
  for (int i = 0; i < kCount; ++i) {
    ASSERT_EQ(events[static_cast<std::size_t>(i)].type, WatchEvent::Type::added);
    ASSERT_EQ(model::name_of(events[static_cast<std::size_t>(i)].object.value()),
              "a" + std::to_string(1000 + i));
  }
  EXPECT_EQ(events[kCount].type, WatchEvent::Type::bookmark);
  EXPECT_EQ(events[kCount + 1].type, WatchEvent::Type::deleted);
  EXPECT_EQ(events[kCount + 2].type, WatchEvent::Type::added);
}

TEST_F(WatchTest, FromARevisionToComeItIsSilentUntilThen) {
  Request what = request(Verb::watch);
  what.options.revision = std::to_string(registry->revision() + 2);
  const auto watcher = watch(what);
  for (const char* name : {"a", "b", "c"}) make(name);
  loop.run_ready();
  const std::vector<WatchEvent> events = watcher->take(10);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(model::name_of(events[0].object.value()), "c");
}

// etcd 15220, 20221: progress was announced ahead of events, or of a revision to come.
TEST_F(WatchTest, ABookmarkComesBehindWhatItSpeaksOfAndNotBeforeTheWatchBegins) {
  Request what = request(Verb::watch);
  what.options.allow_bookmarks = true;
  const std::int64_t begun = registry->revision();
  what.options.revision = std::to_string(begun);
  const auto watcher = watch(what);
  what.options.revision = std::to_string(begun + 4);
  const auto future = watch(what);
  for (const char* name : {"a", "b", "c"}) make(name);
  for (const auto* one : {&watcher, &future}) (*one)->request_bookmark();
  std::vector<WatchEvent> events = watcher->take(2);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].revision, begun) << "nothing more has been delivered yet";
  loop.run_ready();
  watcher->request_bookmark();
  events = watcher->take(2);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].type, WatchEvent::Type::added);
  events = watcher->take(10);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(model::name_of(events[0].object.value()), "c");
  EXPECT_EQ(events[1].type, WatchEvent::Type::bookmark);
  EXPECT_EQ(events[1].revision, registry->revision());
  EXPECT_TRUE(future->take(10).empty());
}

TEST_F(WatchTest, WhatThereIsAtARevisionToComeCannotBeSaid) {
  Request what = request(Verb::watch);
  what.options.send_initial_events = true;
  what.options.allow_bookmarks = true;
  what.options.revision_match = "NotOlderThan";
  what.options.revision = "1000000";
  const std::vector<WatchEvent> events = watch(what)->take(10);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].type, WatchEvent::Type::error);
  EXPECT_EQ(events[0].object.value()["code"], 504);
}

}  // namespace
}  // namespace keelson::registry
