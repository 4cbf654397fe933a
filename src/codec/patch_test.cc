#include "codec/patch.h"

#include <gtest/gtest.h>

namespace keelson::codec {
namespace {

Value json(std::string_view text) {
  auto value = parse_json(text);
  EXPECT_TRUE(value.ok()) << text;
  return value.ok() ? *value : Value();
}

std::string text_of(const Result<Value>& result) {
  return result.ok() ? to_json(*result) : result.error().message;
}

constexpr std::string_view kRefused =
    "the server rejected our request due to an error in our request";

std::string json_patched(std::string_view object, std::string_view patch) {
  return text_of(apply_json_patch(json(object), json(patch)));
}

TEST(JsonPatch, Operations) {
  EXPECT_EQ(json_patched(R"({"a":1})", R"([{"op":"add","path":"/b","value":2}])"),
            R"({"a":1,"b":2})");
  EXPECT_EQ(json_patched(R"({"a":1})", R"([{"op":"replace","path":"/b","value":2}])"),
            R"({"a":1,"b":2})");
  EXPECT_EQ(json_patched(R"({"a":1})", R"([{"op":"remove","path":"/b"}])"), kRefused);
  EXPECT_EQ(json_patched(R"({"a":1})", R"([{"op":"move","from":"/a","path":"/b"}])"), R"({"b":1})");
  EXPECT_EQ(json_patched(R"({"a":{}})", R"([{"op":"move","from":"/a","path":"/a/b"}])"), kRefused);
  EXPECT_EQ(json_patched(R"({"a":1})", R"([{"op":"copy","from":"/x","path":"/b"}])"),
            R"({"a":1,"b":null})");
  EXPECT_EQ(json_patched(R"({"a/b":1,"c~d":2})",
                         R"([{"op":"remove","path":"/a~1b"},{"op":"remove","path":"/c~0d"}])"),
            "{}");
  EXPECT_EQ(json_patched(R"({"a":1})", R"([{"op":"replace","path":"","value":[1]}])"), "[1]");
  EXPECT_EQ(json_patched(R"({"a":1})", R"([{"op":"add","path":"","value":{}}])"), kRefused);
  EXPECT_EQ(json_patched(R"({"a":1})", R"([{"op":"add","path":"x/b","value":{}}])"),
            R"({"a":1,"b":{}})");
  EXPECT_EQ(json_patched(R"({"a":1})", "null"), R"({"a":1})");
}

TEST(JsonPatch, Lists) {
  constexpr auto list = R"({"l":[1,2,3]})";
  EXPECT_EQ(json_patched(list, R"([{"op":"add","path":"/l/-","value":4}])"), R"({"l":[1,2,3,4]})");
  EXPECT_EQ(json_patched(list, R"([{"op":"add","path":"/l/-1","value":4}])"), R"({"l":[1,2,3,4]})");
  EXPECT_EQ(json_patched(list, R"([{"op":"add","path":"/l/3","value":4}])"), R"({"l":[1,2,3,4]})");
  EXPECT_EQ(json_patched(list, R"([{"op":"add","path":"/l/4","value":4}])"), kRefused);
  EXPECT_EQ(json_patched(list, R"([{"op":"remove","path":"/l/-1"}])"), R"({"l":[1,2]})");
  EXPECT_EQ(json_patched(list, R"([{"op":"replace","path":"/l/01","value":9}])"),
            R"({"l":[1,9,3]})");
  EXPECT_EQ(json_patched(list, R"([{"op":"replace","path":"/l/-","value":9}])"), kRefused);
}

TEST(JsonPatch, TestComparesNumbersAsText) {
  EXPECT_EQ(json_patched(R"({"a":31})", R"([{"op":"test","path":"/a","value":31}])"),
            R"({"a":31})");
  EXPECT_EQ(json_patched(R"({"a":31})", R"([{"op":"test","path":"/a","value":31.0}])"), kRefused);
  EXPECT_EQ(json_patched(R"({"a":31})", R"([{"op":"test","path":"/b","value":null}])"),
            R"({"a":31})");
  EXPECT_EQ(json_patched(R"({"a":31})", R"([{"op":"test","path":"/b/c","value":null}])"), kRefused);
}

TEST(JsonPatch, Malformed) {
  EXPECT_EQ(json_patched("{}", "{}"),
            "error decoding patch: json: cannot unmarshal object into Go value of type "
            "[]handlers.jsonPatchOp");
  EXPECT_EQ(json_patched("{}", R"([{"op":5}])"),
            "error decoding patch: json: cannot unmarshal number into Go struct field "
            "jsonPatchOp.op of type string");
  EXPECT_EQ(json_patched("{}", R"([{"op":"frob","path":"/a"}])"), kRefused);
  const auto patch = parse_json_document(R"([{"op":"add","op":"add","path":"/a","extra":1}])");
  EXPECT_EQ(json_patch_warnings(*patch),
            (std::vector<std::string>{R"(json patch duplicate field "[0].op")",
                                      R"(json patch unknown field "[0].extra")"}));
}

// Each copy doubles the document: forty of them would be a terabyte.
TEST(JsonPatch, CopiesAreBounded) {
  Value object = Value::object(), operations = Value::array();
  object.edit("data").set("text", std::string(1000, 'x'));
  for (int i = 0; i < 40; ++i) {
    Value copy = Value::object();
    copy.set("op", "copy");
    copy.set("from", "/data");
    copy.set("path", "/data/z" + std::to_string(i));
    operations.push_back(std::move(copy));
  }
  const auto patched = apply_json_patch(object, operations);
  ASSERT_FALSE(patched.ok());
  EXPECT_EQ(patched.error().reason, Reason::invalid);
}

// What no parser would read again is not made: each operation alone stays below the limit.
TEST(JsonPatch, DepthIsBounded) {
  Value deep = Value::object(), operations = Value::array();
  for (int i = 0; i < 6000; ++i) {
    Value outer = Value::object();
    outer.set("a", std::move(deep));
    deep = std::move(outer);
  }
  std::string path = "/a";
  for (int i = 0; i < 2; ++i) {
    Value add = Value::object();
    add.set("op", "add");
    add.set("path", path);
    add.set("value", deep);
    operations.push_back(std::move(add));
    EXPECT_EQ(apply_json_patch(Value::object(), operations).ok(), i == 0);
    for (int step = 0; step < 6000; ++step) path += "/a";
  }
}

TEST(MergePatch, AsRecorded) {
  const auto merged = [](std::string_view object, std::string_view patch) {
    return text_of(apply_merge_patch(json(object), json(patch)));
  };
  EXPECT_EQ(merged(R"({"a":{"b":1,"c":2}})", R"({"a":{"b":null,"d":3}})"),
            R"({"a":{"c":2,"d":3}})");
  EXPECT_EQ(merged(R"({"a":[1]})", R"({"a":[{"b":null}]})"), R"({"a":[{}]})");
  EXPECT_EQ(merged(R"({"a":{"x":1}})", R"({"a":[{"b":null}]})"), R"({"a":[{"b":null}]})");
  EXPECT_EQ(merged("{}", R"({"a":{"b":null,"c":{"d":null}}})"), R"({"a":{"c":{}}})");
  EXPECT_EQ(merged("{}", "null"), "Invalid JSON Patch");
  EXPECT_EQ(merged("{}", "[1]"),
            "error decoding patch: json: cannot unmarshal array into Go value of type "
            "map[string]interface {}");
}

TEST(MergePatch, BetweenIsUndoneByApply) {
  const Value from = json(R"({"a":{"b":1,"c":[1]},"d":"x","e":{}})");
  const Value to = json(R"({"a":{"b":2,"c":[1]},"d":{"y":1},"f":null})");
  const Value patch = merge_patch_between(from, to);
  EXPECT_EQ(to_json(patch), R"({"a":{"b":2},"d":{"y":1},"e":null,"f":null})");
}

// A small pod template: containers by name, their ports by containerPort, finalizers as a set.
struct Types {
  Type text{.name = "", .shape = Shape::scalar, .scalar = Scalar::string};
  Type number{.name = "", .shape = Shape::scalar, .scalar = Scalar::int32};
  Type texts{.name = "", .shape = Shape::list};
  Type labels{.name = "", .shape = Shape::map};
  Type port{.name = "x.ContainerPort", .shape = Shape::structure};
  Type ports{.name = "", .shape = Shape::list};
  Type container{.name = "x.Container", .shape = Shape::structure};
  Type containers{.name = "", .shape = Shape::list};
  Type strategy{.name = "x.Strategy", .shape = Shape::structure};
  Type spec{.name = "x.PodSpec", .shape = Shape::structure};

  static Field field(std::string name, const Type* type) {
    Field f;
    f.name = std::move(name);
    f.type = type;
    return f;
  }
  Types() {
    texts.element.type = labels.element.type = &text;
    port.fields = {field("name", &text), field("containerPort", &number)};
    ports.element.type = &port;
    container.fields = {field("name", &text), field("image", &text), field("args", &texts),
                        field("ports", &ports)};
    container.fields[3].patch_merge = true;
    container.fields[3].merge_key = "containerPort";
    containers.element.type = &container;
    strategy.fields = {field("type", &text), field("rollingUpdate", &labels)};
    spec.fields = {field("containers", &containers), field("finalizers", &texts),
                   field("labels", &labels), field("strategy", &strategy), field("n", &number)};
    spec.fields[0].patch_merge = true;
    spec.fields[0].merge_key = "name";
    spec.fields[1].patch_merge = true;
    spec.fields[3].patch_retain_keys = true;
  }
};

const Types& types() {
  static const Types all;
  return all;
}

std::string patched(std::string_view object, std::string_view patch) {
  return text_of(apply_strategic_patch(json(object), json(patch), types().spec));
}

TEST(StrategicPatch, ListsMergeByKey) {
  constexpr auto two = R"({"containers":[{"image":"a","name":"a"},{"image":"b","name":"b"}]})";
  EXPECT_EQ(patched(two, R"({"containers":[{"name":"b","image":"b2"}]})"),
            R"({"containers":[{"image":"a","name":"a"},{"image":"b2","name":"b"}]})");
  EXPECT_EQ(patched(two, R"({"containers":[{"name":"c","image":"c"}]})"),
            R"({"containers":[{"image":"c","name":"c"},{"image":"a","name":"a"},)"
            R"({"image":"b","name":"b"}]})");
  EXPECT_EQ(patched(two, R"({"containers":[{"name":"a","$patch":"delete"}]})"),
            R"({"containers":[{"image":"b","name":"b"}]})");
  EXPECT_EQ(patched(two, R"({"containers":[{"name":"d"},{"$patch":"replace"}]})"),
            R"({"containers":[{"name":"d"}]})");
  EXPECT_EQ(patched(two, R"({"$setElementOrder/containers":[{"name":"b"},{"name":"a"}]})"),
            R"({"containers":[{"image":"b","name":"b"},{"image":"a","name":"a"}]})");
  EXPECT_EQ(patched(two, R"({"containers":[{"image":"x"}]})"),
            "map: map[image:x] does not contain declared merge key: name");
  EXPECT_EQ(patched(two, R"({"containers":[{"name":"a","$patch":"merge"}]})"),
            "merging lists cannot yet be specified in the patch");
  EXPECT_EQ(patched(two, R"({"containers":["a"]})"),
            "list element types are not identical: [[map[image:a name:a] map[image:b name:b]] "
            "[a]]");
}

TEST(StrategicPatch, ScalarsInLists) {
  constexpr auto object = R"({"finalizers":["a","b"]})";
  EXPECT_EQ(patched(object, R"({"finalizers":["c","a"]})"), R"({"finalizers":["c","a","b"]})");
  EXPECT_EQ(patched(object, R"({"$deleteFromPrimitiveList/finalizers":["a"]})"),
            R"({"finalizers":["b"]})");
  EXPECT_EQ(patched(object, R"({"$deleteFromPrimitiveList/finalizers":"a"})"), object);
  EXPECT_EQ(patched(object, R"({"$setElementOrder/finalizers":["b","c","a"],"finalizers":["c"]})"),
            R"({"finalizers":["b","c","a"]})");
}

TEST(StrategicPatch, Directives) {
  EXPECT_EQ(patched(R"({"labels":{"a":"1"}})", R"({"labels":{"$patch":"replace","b":"2"}})"),
            R"({"labels":{"b":"2"}})");
  EXPECT_EQ(patched("{}", R"({"labels":{"$patch":"replace","b":"2"}})"), "{}");
  EXPECT_EQ(patched(R"({"labels":{"a":"1"}})", R"({"labels":{"$patch":"delete"}})"),
            R"({"labels":{}})");
  EXPECT_EQ(patched(R"({"labels":{"a":"1"}})", R"({"labels":{"$patch":5}})"),
            "unknown patch type: %!s(int64=5) in map: map[$patch:5]");
  EXPECT_EQ(patched(R"({"strategy":{"rollingUpdate":{"a":"1"},"type":"R"}})",
                    R"({"strategy":{"$retainKeys":["type"],"type":"Recreate"}})"),
            R"({"strategy":{"type":"Recreate"}})");
  EXPECT_EQ(patched("{}", R"({"$retainKeys":"x"})"), "invalid patch format of retainKeys");
  EXPECT_EQ(
      patched(R"({"containers":[{"name":"a"}]})",
              R"({"$setElementOrder/containers":[{"name":"b"}],"containers":[{"name":"a"}]})"),
      "The order in patch list:\n[map[name:a]]\n doesn't match $setElementOrder list:\n"
      "[map[name:b]]\n");
  EXPECT_EQ(patched("{}", R"({"$setElementOrder/containers":"x"})"),
            "expected a []interface {}, but received a string");
  EXPECT_EQ(patched("{}", R"({"$setElementOrder/nosuch":[]})"),
            "unable to find api field in struct PodSpec for the json field \"nosuch\"");
}

TEST(StrategicPatch, NullsAndTypeChanges) {
  EXPECT_EQ(patched(R"({"n":1,"labels":{"a":"1"}})", R"({"n":null,"labels":"x"})"),
            R"({"labels":"x"})");
  EXPECT_EQ(patched("{}", R"({"labels":{"a":null,"b":"1"}})"), R"({"labels":{"b":"1"}})");
  EXPECT_EQ(conversion_problem(json(R"({"labels":"x"})"), types().spec),
            "cannot restore map from string");
  EXPECT_EQ(conversion_problem(json(R"({"containers":[{"image":5}]})"), types().spec),
            "cannot convert int64 to string");
  EXPECT_EQ(conversion_problem(json(R"({"n":"80"})"), types().spec), "unrecognized type: int32");
}

TEST(PatchedText, SortsOnlyWhereThePatchPassed) {
  const Value object =
      json(R"({"labels":{"x":"1"},"strategy":{"type":"R","rollingUpdate":{}},"containers":[]})");
  const auto result = apply_merge_patch(object, json(R"({"labels":{"y":"2"}})"));
  EXPECT_EQ(patched_text(*result, object, &types().spec),
            R"({"containers":[],"labels":{"x":"1","y":"2"},)"
            R"("strategy":{"type":"R","rollingUpdate":{}}})");
}

}  // namespace
}  // namespace keelson::codec
