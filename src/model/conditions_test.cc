#include "model/conditions.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace keelson::model {
namespace {

Value ready(const char* status, const char* reason, const char* time) {
  return Value::object(
      {{"type", "Ready"}, {"status", status}, {"reason", reason}, {"lastTransitionTime", time}});
}

TEST(Conditions, KeepTheirTimeWhileTheStatusIsTheSame) {
  Value status;
  put_condition(status, Value::object({{"type", "Other"}, {"status", "True"}}));
  put_condition(status, ready("False", "Starting", "t1"));
  put_condition(status, ready("False", "Waiting", "t2"));
  EXPECT_EQ(status["conditions"][1], ready("False", "Waiting", "t1"));
  put_condition(status, ready("True", "Started", "t3"));
  EXPECT_EQ(status["conditions"][1], ready("True", "Started", "t3"));
  EXPECT_EQ(status["conditions"].size(), 2u);
  EXPECT_EQ(status["conditions"][0]["type"], "Other");
}

TEST(Conditions, AConditionThatHadNoTimeGetsOne) {
  Value status = *codec::parse_json(R"({"conditions":[{"type":"Ready","status":"True"}]})");
  put_condition(status, ready("True", "Started", "t1"));
  EXPECT_EQ(status["conditions"][0], ready("True", "Started", "t1"));
}

TEST(Conditions, AreComparedWithThoseOfTheObject) {
  Value object;
  object.edit("status").edit("conditions").push_back(ready("True", "Started", "t1"));
  const Instant now = Instant::unix_seconds(60);
  Value wanted = Value::object({{"type", "Ready"}, {"status", "True"}});
  EXPECT_EQ(condition_after(object, wanted, now)["lastTransitionTime"], "t1");
  wanted.set("status", "False");
  EXPECT_EQ(condition_after(object, wanted, now)["lastTransitionTime"], "1970-01-01T00:01:00Z");
}

}  // namespace
}  // namespace keelson::model
