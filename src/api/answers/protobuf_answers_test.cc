#include "api/answers/protobuf_answers.h"

#include <gtest/gtest.h>

#include "codec/protobuf.h"
#include "host/virtual_loop.h"

namespace keelson::api {
namespace {

class ProtobufAnswersTest : public testing::Test {
 protected:
  host::VirtualLoop loop;
  model::TypeTable types;
  ProtobufAnswers answers{loop, types};

  static registry::Value config_map(int i, std::size_t size) {
    return registry::Value::object(
        {{"apiVersion", "v1"},
         {"kind", "ConfigMap"},
         {"metadata", registry::Value::object({{"name", "c" + std::to_string(i)}})},
         {"data", registry::Value::object({{"text", std::string(size, 'x')}})}});
  }
  static std::shared_ptr<registry::Response> config_maps(int count, std::size_t size) {
    auto response = std::make_shared<registry::Response>();
    response->is_list = true;
    response->object = registry::Object(registry::Value::object(
        {{"apiVersion", "v1"},
         {"kind", "ConfigMapList"},
         {"metadata", registry::Value::object({{"resourceVersion", "7"}})}}));
    for (int i = 0; i < count; ++i)
      response->items.push_back(registry::Object(config_map(i, size)));
    return response;
  }
  // Pulled as a connection does; how often it had to wait is counted.
  std::string pull(Body& body, int& waits) {
    std::string out;
    bool woken = true;
    body.set_wake([&woken] { woken = true; });
    for (;;) {
      if (!woken) {
        loop.run_ready();
        EXPECT_TRUE(woken);
      }
      woken = false;
      switch (body.read(out, 1000)) {
        case Body::State::more: woken = true; break;
        case Body::State::waiting: ++waits; break;
        case Body::State::finished: return out;
        case Body::State::aborted: ADD_FAILURE(); return out;
      }
    }
  }
};

TEST_F(ProtobufAnswersTest, ALongListIsMeasuredInSlicesAndSaysTheSame) {
  for (const auto& [count, size] : {std::pair<int, std::size_t>{0, 0}, {3, 100}, {40, 200'000}}) {
    const auto response = config_maps(count, size);
    const auto whole = answers.list(*response);
    ASSERT_TRUE(whole);
    const auto body = answers.list_body(response);
    ASSERT_TRUE(body);
    int waits = 0;
    EXPECT_EQ(pull(*body, waits), *whole);
    EXPECT_EQ(waits, count == 40 ? 6 : 0);
    const auto envelope = codec::open_protobuf(*whole);
    ASSERT_TRUE(envelope.ok());
    EXPECT_EQ(envelope->kind, "ConfigMapList");
  }
}

TEST_F(ProtobufAnswersTest, AnEventIsWrittenOnceForAllWatches) {
  registry::WatchEvent event;
  event.object = registry::Object(config_map(1, 10));
  std::string one, two;
  ASSERT_TRUE(answers.append_frame(one, event));
  ASSERT_TRUE(answers.append_frame(two, event));
  EXPECT_EQ(one, two);
  EXPECT_EQ(one, codec::protobuf_watch_frame("ADDED", *answers.object(event.object.bytes())));
  // Many others come between; what is kept of them is bounded, and a place in memory that is used
  // again is not taken for what stood there.
  for (int i = 0; i < 50; ++i) {
    registry::WatchEvent other;
    other.object = registry::Object(config_map(i, 100'000));
    std::string frame;
    ASSERT_TRUE(answers.append_frame(frame, other));
    EXPECT_EQ(frame, codec::protobuf_watch_frame("ADDED", *answers.object(other.object.bytes())));
  }
}

TEST_F(ProtobufAnswersTest, WhatHasNoMessageIsLeftToOthers) {
  EXPECT_FALSE(answers.object(R"({"apiVersion":"example.com/v1","kind":"Widget"})"));
  auto response = config_maps(1, 1);
  response->object = registry::Object(
      registry::Value::object({{"apiVersion", "example.com/v1"}, {"kind", "WidgetList"}}));
  EXPECT_FALSE(answers.list(*response));
  EXPECT_EQ(answers.list_body(response), nullptr);
}

}  // namespace
}  // namespace keelson::api
