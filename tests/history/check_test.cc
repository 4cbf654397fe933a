// The judge must condemn: for each guarantee a small history that breaks it, and the same history
// without the fault, which must pass.
#include "check.h"

#include <gtest/gtest.h>

namespace keelson::history {
namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;
using Type = WatchEvent::Type;

// a is created (2), changed (3) and removed (5), b created (4) and put into group g1 (6); a pair
// is written (7). Every operation ends before the next one begins; a watch sees it all.
class Judge : public testing::Test {
 protected:
  History h;
  Moment now = 0;

  Judge() {
    h.witnessed = {{2, "n/a", "g0#1"}, {3, "n/a", "g0#2"}, {4, "n/b", "g0#3"}, {5, "n/a", {}},
                   {6, "n/b", "g1#4"}, {7, "p/a", "g0#5"}, {7, "p/b", "g0#5"}};
    h.witnessed_to = 7;
    write(Kind::create, "n/a", "g0#1", 2);
    write(Kind::update, "n/a", "g0#2", 3).expected = 2;
    write(Kind::create, "n/b", "g0#3", 4);
    write(Kind::remove, "n/a", "", 0);
    write(Kind::write, "n/b", "g1#4", 6);
    write(Kind::pair, "p/a", "g0#5", 7).keys.push_back("p/b");
    Watch watch{.prefix = "n/", .from = 1};
    watch.events = {{Type::added, {"n/a", "g0#1", 2}},   {Type::modified, {"n/a", "g0#2", 3}},
                    {Type::added, {"n/b", "g0#3", 4}},   {Type::bookmark, {"", "", 4}},
                    {Type::removed, {"n/a", "g0#2", 5}}, {Type::modified, {"n/b", "g1#4", 6}}};
    add(watch);
    watch.group = "g0";
    watch.events = {{Type::added, {"n/a", "g0#1", 2}},
                    {Type::modified, {"n/a", "g0#2", 3}},
                    {Type::added, {"n/b", "g0#3", 4}},
                    {Type::removed, {"n/a", "g0#2", 5}},
                    {Type::removed, {"n/b", "g0#3", 6}}};
    add(watch);
    add({.prefix = "p/",
         .from = 1,
         .events = {{Type::added, {"p/a", "g0#5", 7}}, {Type::added, {"p/b", "g0#5", 7}}}});
  }

  Operation& write(Kind kind, std::string key, std::string value, Revision revision) {
    h.operations.push_back({.kind = kind, .keys = {std::move(key)}, .value = std::move(value)});
    return end(Outcome::ok, revision);
  }
  Operation& read(std::string key, Outcome outcome, std::vector<Item> items = {}) {
    h.operations.push_back({.kind = Kind::get, .keys = {std::move(key)}});
    h.operations.back().items = std::move(items);
    return end(outcome, 0);
  }
  Operation& list(std::string prefix, Revision revision, std::vector<Item> items) {
    h.operations.push_back({.kind = Kind::list, .keys = {std::move(prefix)}});
    h.operations.back().items = std::move(items);
    return end(Outcome::ok, revision);
  }
  Operation& end(Outcome outcome, Revision revision) {
    Operation& op = h.operations.back();
    op.begun = ++now;
    op.ended = ++now;
    op.outcome = outcome;
    op.revision = revision;
    return op;
  }
  void add(Watch watch) {
    watch.begun = ++now;
    for (WatchEvent& event : watch.events) event.at = ++now;
    watch.complete_to = 7;
    h.watches.push_back(std::move(watch));
  }
  std::vector<WatchEvent>& events(std::size_t watch = 0) { return h.watches[watch].events; }
  // What is said first; "" if all is well.
  std::string verdict() const {
    const auto violations = check(h);
    if (violations.empty()) return "";
    EXPECT_FALSE(explain(violations.front(), h).empty());
    return std::string(to_text(violations.front().guarantee));
  }
};

TEST_F(Judge, AcquitsWhatIsRight) {
  EXPECT_EQ(verdict(), "");
  read("n/b", Outcome::ok, {{"n/b", "g1#4", 6}});
  read("n/a", Outcome::absent);
  list("n/", 7, {{"n/b", "g1#4", 6}});
  list("n/", 7, {}).group = "g0";
  EXPECT_EQ(verdict(), "");
}

TEST_F(Judge, SeesALostWrite) {
  h.witnessed[1].value = "g0#other";
  EXPECT_EQ(verdict(), "durable");
}

TEST_F(Judge, SeesALostWriteAtTheEnd) {
  write(Kind::create, "n/c", "g0#6", 8);
  EXPECT_EQ(verdict(), "");  // the witness has not come so far
  h.witnessed.push_back({8, "n/d", "g0#7"});
  h.witnessed_to = 8;
  EXPECT_EQ(verdict(), "durable");
}

TEST_F(Judge, SeesALostRemoval) {
  write(Kind::remove, "n/b", "", 0);
  EXPECT_EQ(verdict(), "durable");
}

TEST_F(Judge, SeesTwoRemovalsForOne) {
  h.operations[3].ended = 100;
  h.operations.push_back(h.operations[3]);
  EXPECT_EQ(verdict(), "durable");
}

TEST_F(Judge, SeesThatTheServerDoesNotStart) {
  h.failures.push_back("it does not start");
  EXPECT_EQ(verdict(), "durable");
}

TEST_F(Judge, SeesOneRevisionWithTwoMeanings) {
  read("n/b", Outcome::ok, {{"n/b", "g1#never", 6}});
  EXPECT_EQ(verdict(), "one order");
}

TEST_F(Judge, SeesARevisionThatIsMissing) {
  h.witnessed.erase(h.witnessed.begin() + 4);
  h.operations[4].outcome = Outcome::unknown;
  EXPECT_EQ(verdict(), "one order");
}

TEST_F(Judge, SeesAWriteThatTookEffectTwice) {
  h.witnessed.push_back({8, "n/a", "g0#1"});
  h.witnessed_to = 8;
  EXPECT_EQ(verdict(), "exactly once");
}

TEST_F(Judge, SeesARefusedWriteThatTookEffect) {
  h.operations[4].outcome = Outcome::refused;
  EXPECT_EQ(verdict(), "exactly once");
}

TEST_F(Judge, AWriteWithoutAnAnswerMayHaveTakenEffectOrNot) {
  h.operations[4].outcome = Outcome::unknown;
  h.operations[4].ended = kNever;
  EXPECT_EQ(verdict(), "");
  write(Kind::create, "n/z", "g0#9", 0).outcome = Outcome::unknown;
  EXPECT_EQ(verdict(), "");
}

TEST_F(Judge, SeesAWriteBeforeWhatWasKnownWhenItBegan) {
  std::swap(h.operations[2].begun, h.operations[4].begun);
  std::swap(h.operations[2].ended, h.operations[4].ended);
  EXPECT_EQ(verdict(), "real time");
}

TEST_F(Judge, SeesACreationOverAnObject) {
  h.operations[1].kind = Kind::create;
  EXPECT_EQ(verdict(), "conditional");
}

TEST_F(Judge, SeesAnUpdateOfAnotherRevision) {
  h.operations[1].expected = 1;
  EXPECT_EQ(verdict(), "conditional");
}

TEST_F(Judge, SeesARefusalWithoutReason) {
  write(Kind::create, "n/a", "g0#8", 0).outcome = Outcome::exists;
  EXPECT_EQ(verdict(), "conditional");
}

TEST_F(Judge, SeesAStaleRead) {
  read("n/b", Outcome::ok, {{"n/b", "g0#3", 4}});
  EXPECT_EQ(verdict(), "fresh read");
}

TEST_F(Judge, AnOldValueIsRightWhileTheReadOverlapsTheWrite) {
  read("n/b", Outcome::ok, {{"n/b", "g0#3", 4}}).begun = h.operations[4].begun;
  h.watches.clear();  // nobody else has told
  EXPECT_EQ(verdict(), "");
}

TEST_F(Judge, SeesAReadThatGoesBackBehindAnotherRead) {
  h.operations[4].ended = 1000;  // the write is under way for long
  h.watches.clear();
  read("n/b", Outcome::ok, {{"n/b", "g1#4", 6}});
  EXPECT_EQ(verdict(), "");
  read("n/b", Outcome::ok, {{"n/b", "g0#3", 4}});
  EXPECT_EQ(verdict(), "fresh read");
}

TEST_F(Judge, SeesAnObjectThatCameBackAfterItsRemoval) {
  read("n/a", Outcome::ok, {{"n/a", "g0#2", 3}});
  EXPECT_EQ(verdict(), "fresh read");
}

TEST_F(Judge, SeesAnAbsenceThatNeverWas) {
  read("n/b", Outcome::absent);
  EXPECT_EQ(verdict(), "fresh read");
}

TEST_F(Judge, SeesAStaleList) {
  list("n/", 5, {{"n/b", "g0#3", 4}});
  EXPECT_EQ(verdict(), "fresh read");
}

TEST_F(Judge, SeesAListOfTwoRevisions) {
  list("n/", 7, {{"n/b", "g0#3", 4}});
  EXPECT_EQ(verdict(), "consistent list");
}

TEST_F(Judge, SeesAListThatLacksAnObject) {
  list("n/", 7, {});
  EXPECT_EQ(verdict(), "consistent list");
}

TEST_F(Judge, SeesHalfOfAPair) {
  h.witnessed.pop_back();
  h.operations[5].outcome = Outcome::unknown;
  h.watches.clear();
  EXPECT_EQ(verdict(), "atomic");
}

TEST_F(Judge, SeesHalfOfARevisionInAWatch) {
  events(2).pop_back();
  EXPECT_EQ(verdict(), "atomic");
}

TEST_F(Judge, SeesEventsInAnotherOrder) {
  std::swap(events(1)[2], events(1)[3]);
  EXPECT_EQ(verdict(), "ordered");
}

TEST_F(Judge, SeesAnEventTwice) {
  events(1).insert(events(1).begin() + 2, events(1)[1]);
  EXPECT_EQ(verdict(), "unique");
}

TEST_F(Judge, SeesAMissingEvent) {
  events(1).erase(events(1).begin() + 2);
  EXPECT_EQ(verdict(), "reliable");
}

TEST_F(Judge, SeesThatTheEndIsMissing) {
  events(1).pop_back();
  EXPECT_EQ(verdict(), "reliable");
  h.watches[1].complete_to = 0;  // but it may just not have come yet
  EXPECT_EQ(verdict(), "");
}

TEST_F(Judge, SeesAWatchThatDoesNotGoOnWhereItWasTold) {
  events(1).erase(events(1).begin());
  EXPECT_EQ(verdict(), "resumable");
}

TEST_F(Judge, SeesABookmarkBeforeItsTime) {
  events()[3].item.revision = 5;
  EXPECT_EQ(verdict(), "bookmarkable");
}

TEST_F(Judge, SeesABookmarkThatGoesBack) {
  events()[3].item.revision = 3;
  EXPECT_EQ(verdict(), "bookmarkable");
}

TEST_F(Judge, SeesABookmarkOverAMissingEvent) {
  events().erase(events().begin() + 2);
  EXPECT_EQ(verdict(), "bookmarkable");
}

TEST_F(Judge, SeesThatAnObjectLeftTheSelectionUntold) {
  events(1).back().type = Type::modified;
  EXPECT_EQ(verdict(), "filtered");
}

TEST_F(Judge, SeesWhatIsNotForTheWatch) {
  events(1).push_back({Type::modified, {"n/c", "g1#4", 7}, ++now});
  EXPECT_EQ(verdict(), "filtered");
}

TEST_F(Judge, SeesAWrongBeginning) {
  Watch watch{.prefix = "n/", .initial = true};
  watch.events = {{Type::added, {"n/b", "g1#4", 6}}, {Type::initial_end, {"", "", 7}}};
  add(watch);
  EXPECT_EQ(verdict(), "");
  events(3)[0].item = {"n/b", "g0#3", 4};
  EXPECT_EQ(verdict(), "consistent list");
  events(3)[1].item.revision = 5;  // right for then, but more was known
  EXPECT_EQ(verdict(), "fresh read");
}

TEST_F(Judge, SeesAWatchThatExpiresWithoutReason) {
  add({.prefix = "n/", .from = 3, .compacted_begun = 2, .events = {{Type::expired}}});
  EXPECT_EQ(verdict(), "expiring");
  h.watches.back().compacted_begun = 4;
  EXPECT_EQ(verdict(), "");
}

TEST_F(Judge, SeesAWatchOfWhatIsCompacted) {
  add({.prefix = "n/", .from = 6, .compacted_begun = 7});
  EXPECT_EQ(verdict(), "expiring");
}

}  // namespace
}  // namespace keelson::history
