#include "codec/managed_fields.h"

#include <gtest/gtest.h>

#include "codec/json.h"
#include "codec/typed.h"

namespace keelson::codec {
namespace {

Value json(std::string_view text) {
  auto value = parse_json(text);
  EXPECT_TRUE(value.ok()) << text;
  return value.ok() ? *value : Value();
}

const Instant kNow = Instant::unix_seconds(1'800'000'000);
const Instant kLater = Instant::unix_seconds(1'800'000'060);

// apiVersion, kind, metadata {name, labels, finalizers, owners} and spec {replicas, selector
// (atomic), args (atomic list), ports (by port and protocol)}.
struct Types {
  Type text{.name = "", .shape = Shape::scalar, .scalar = Scalar::string};
  Type number{.name = "", .shape = Shape::scalar, .scalar = Scalar::int32};
  Type texts{.name = "", .shape = Shape::list};
  Type labels{.name = "", .shape = Shape::map};
  Type port{.name = "x.Port", .shape = Shape::structure};
  Type ports{.name = "", .shape = Shape::list};
  Type metadata{.name = "x.ObjectMeta", .shape = Shape::structure};
  Type spec{.name = "x.Spec", .shape = Shape::structure};
  Type status{.name = "x.Status", .shape = Shape::structure};
  Type widget{.name = "x.Widget", .shape = Shape::structure};

  static Field field(std::string name, const Type* type) {
    Field f;
    f.name = std::move(name);
    f.type = type;
    return f;
  }
  Types() {
    texts.element.type = labels.element.type = &text;
    port.fields = {field("name", &text), field("port", &number), field("protocol", &text)};
    port.fields[2].default_value = "TCP";
    ports.element.type = &port;
    metadata.fields = {
        field("name", &text),     field("uid", &text),           field("resourceVersion", &text),
        field("labels", &labels), field("annotations", &labels), field("finalizers", &texts)};
    metadata.fields[5].list_type = ListType::set;
    spec.fields = {field("replicas", &number), field("selector", &labels), field("args", &texts),
                   field("ports", &ports)};
    spec.fields[1].atomic = true;
    spec.fields[3].list_type = ListType::map;
    spec.fields[3].list_keys = {"port", "protocol"};
    status.fields = {field("ready", &number)};
    widget.fields = {field("apiVersion", &text), field("kind", &text), field("metadata", &metadata),
                     field("spec", &spec), field("status", &status)};
    widget.fields[2].keep_empty = widget.fields[3].keep_empty = widget.fields[4].keep_empty = true;
  }
};

const Types& types() {
  static const Types all;
  return all;
}

Ownership widgets() {
  return {.api_version = "x.io/v1",
          .kind = "Widget",
          .type = &types().widget,
          .reset = {field_path({"status"})}};
}

Value widget(std::string_view rest) {
  Value object = json(rest);
  object.set("apiVersion", "x.io/v1");
  object.set("kind", "Widget");
  object.edit("metadata").set("name", "w");
  return object;
}

Result<Value> apply(const Value& live, std::string_view configuration, std::string_view manager,
                    bool force = false, Instant now = kNow) {
  return apply_configuration(widgets(), live, widget(configuration), manager, force, now);
}
// As it is once stored.
Value stored(Value object) {
  object.edit("metadata").set("uid", "u");
  return object;
}
std::string managers(const Value& object) {
  std::string out;
  for (const Value& entry : object["metadata"]["managedFields"].elements()) {
    out += out.empty() ? "" : " | ";
    out +=
        entry["manager"].str() + ' ' + entry["operation"].str() + ' ' + to_json(entry["fieldsV1"]);
  }
  return out;
}

TEST(FieldSet, RoundTripAndAlgebra) {
  const Value fields =
      json(R"({"f:a":{},"f:b":{".":{},"k:{\"n\":\"x\"}":{"f:c":{}},"v:1":{}},"x:later":{}})");
  const FieldSet set = *FieldSet::of_json(fields);
  EXPECT_EQ(to_json(set.to_json()),
            R"({"f:a":{},"f:b":{".":{},"k:{\"n\":\"x\"}":{"f:c":{}},"v:1":{}}})");
  const FieldSet ab = {field_path({"a"}), field_path({"b"})};
  EXPECT_EQ(to_json(set.without(ab).to_json()),
            R"({"f:b":{"k:{\"n\":\"x\"}":{"f:c":{}},"v:1":{}}})");
  EXPECT_TRUE(set.without_trees(ab).empty());
  EXPECT_EQ(set.intersected(ab), ab);
  EXPECT_EQ(set.without(ab).united(ab), set);
  std::vector<std::string> paths;
  set.each([&](const FieldPath& path) { paths.push_back(to_text(path)); });
  EXPECT_EQ(paths, (std::vector<std::string>{".a", ".b", ".b[=1]", ".b[n=\"x\"].c"}));
  EXPECT_FALSE(FieldSet::of_json(json(R"({"a":{}})")).ok());
}

TEST(Typed, ProblemsReadAsInTheOriginal) {
  const Use use{.type = &types().widget};
  const auto problem = [&](std::string_view text) {
    return typed_problem(json(text), use, ListDuplicates::refuse);
  };
  EXPECT_EQ(problem(R"({"spec":{"replicas":"x"}})"),
            ".spec.replicas: expected numeric (int or float), got string");
  EXPECT_EQ(problem(R"({"metadata":{"name":true}})"),
            ".metadata.name: expected string, got &value.valueUnstructured{Value:true}");
  EXPECT_EQ(problem(R"({"metadata":{"labels":["x"]}})"),
            ".metadata.labels: expected map, got &{[x]}");
  EXPECT_EQ(problem(R"({"spec":{"bogus":1}})"), ".spec.bogus: field not declared in schema");
  EXPECT_EQ(problem(R"({"spec":{"ports":[{"port":1},{"port":1,"protocol":"TCP"}]}})"),
            ".spec.ports: duplicate entries for key [port=1,protocol=\"TCP\"]");
  EXPECT_EQ(problem(R"({"spec":{"ports":["x"]}})"),
            ".spec.ports: element 0: associative list with keys may not have non-map elements");
  EXPECT_EQ(problem(R"({"metadata":{"name":1},"spec":{"replicas":true}})"),
            "errors:\n"
            "  .metadata.name: expected string, got &value.valueUnstructured{Value:1}\n"
            "  .spec.replicas: expected numeric (int or float), got bool");
}

TEST(Typed, ListsFollowTheConfiguration) {
  const Use use{.type = &types().metadata};
  const auto merged = [&](std::string_view live, std::string_view applied) {
    Value a = Value::object({{"finalizers", json(live)}});
    Value b = Value::object({{"finalizers", json(applied)}});
    return to_json(merge_typed(a, b, use)["finalizers"]);
  };
  EXPECT_EQ(merged(R"(["a","b","c"])", R"(["b"])"), R"(["a","b","c"])");
  EXPECT_EQ(merged(R"(["a","b","c"])", R"(["c","a"])"), R"(["b","c","a"])");
  EXPECT_EQ(merged(R"(["a","b"])", R"(["x","b"])"), R"(["a","x","b"])");
}

TEST(Apply, OwnsWhatItSays) {
  const auto created = apply({}, R"({"spec":{"replicas":1,"ports":[{"port":80}]}})", "one");
  ASSERT_TRUE(created.ok()) << created.error().message;
  EXPECT_EQ(managers(*created),
            R"(one Apply {"f:spec":{"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":)"
            R"({".":{},"f:port":{}}},"f:replicas":{}}})");
  EXPECT_EQ((*created)["metadata"]["managedFields"][0]["time"].as_string(), "2027-01-15T08:00:00Z");
}

TEST(Apply, TheSameAgainChangesNothing) {
  const Value live = stored(*apply({}, R"({"spec":{"replicas":1}})", "one"));
  const auto again = apply(live, R"({"spec":{"replicas":1}})", "one", false, kLater);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, live);
  // A manager that comes to own what is already so has no time.
  const auto other = apply(live, R"({"spec":{"replicas":1}})", "two", false, kLater);
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(managers(*other),
            R"(two Apply {"f:spec":{"f:replicas":{}}} | one Apply {"f:spec":{"f:replicas":{}}})");
  EXPECT_FALSE((*other)["metadata"]["managedFields"][0].has("time"));
}

TEST(Apply, DropsWhatItNoLongerSays) {
  Value live = stored(*apply({},
                             R"({"spec":{"replicas":1,"args":["a"],"ports":[{"port":80},)"
                             R"({"port":81}]},"metadata":{"finalizers":["x","y"]}})",
                             "one"));
  live = stored(*apply(live, R"({"spec":{"replicas":1},"metadata":{"finalizers":["y"]}})", "two"));
  const auto next = apply(live, R"({"spec":{"ports":[{"port":81}]}})", "one");
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(to_json((*next)["spec"]), R"({"ports":[{"port":81}],"replicas":1})");
  EXPECT_EQ(to_json((*next)["metadata"]["finalizers"]), R"(["y"])");
}

TEST(Apply, ConflictsAndForce) {
  const Value live = stored(
      *apply({}, R"({"spec":{"replicas":1,"args":["a"]},"metadata":{"labels":{"a":"1"}}})", "one"));
  const auto refused = apply(live, R"({"spec":{"replicas":2}})", "two");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::conflict);
  EXPECT_EQ(refused.error().message,
            "Apply failed with 1 conflict: conflict with \"one\": .spec.replicas");
  EXPECT_EQ(
      refused.error().causes,
      (std::vector<Cause>{{"FieldManagerConflict", ".spec.replicas", "conflict with \"one\""}}));
  const auto two = apply(live, R"({"spec":{"replicas":2,"args":["b"]}})", "two");
  EXPECT_EQ(two.error().message,
            "Apply failed with 2 conflicts: conflicts with \"one\":\n- .spec.args\n"
            "- .spec.replicas");
  const auto forced = apply(live, R"({"spec":{"replicas":2}})", "two", true);
  ASSERT_TRUE(forced.ok());
  EXPECT_EQ(managers(*forced),
            R"(one Apply {"f:metadata":{"f:labels":{"f:a":{}}},"f:spec":{"f:args":{}}} | )"
            R"(two Apply {"f:spec":{"f:replicas":{}}})");
}

TEST(Apply, RefusesWhatIsNoConfiguration) {
  const auto message = [](const Value& configuration) {
    return apply_configuration(widgets(), {}, configuration, "one", false, kNow).error().message;
  };
  EXPECT_EQ(message(json(R"({"metadata":{}})")), "invalid object type: /, Kind=");
  EXPECT_EQ(message(json(R"({"apiVersion":"x.io/v2","kind":"Widget"})")),
            "invalid object type: x.io/v2, Kind=Widget");
  EXPECT_EQ(message(widget(R"({"metadata":{"managedFields":[]}})")),
            "metadata.managedFields must be nil");
  EXPECT_EQ(message(widget(R"({"spec":{"bogus":1}})")),
            "failed to create typed patch object (/w; x.io/v1, Kind=Widget): .spec.bogus: field "
            "not declared in schema");
}

TEST(Track, CreationAndUpdates) {
  const Value live = stored(track_update(
      widgets(), {}, widget(R"({"spec":{"replicas":1},"status":{"ready":1}})"), "one", kNow));
  EXPECT_EQ(managers(live), R"(one Update {"f:spec":{"f:replicas":{}}})");
  Value changed = live;
  changed.edit("spec").set("replicas", 2);
  changed.edit("metadata").set("labels", json(R"({"a":"1"})"));
  const Value next = track_update(widgets(), live, changed, "two", kLater);
  EXPECT_EQ(
      managers(next),
      R"(two Update {"f:metadata":{"f:labels":{".":{},"f:a":{}}},"f:spec":{"f:replicas":{}}})");
  // Nothing changed: nobody owns anything new, and the write is none.
  EXPECT_EQ(track_update(widgets(), next, next, "three", kLater), next);
  // The client takes all ownership away: from then on nothing is tracked.
  changed.edit("metadata").set("managedFields", json("[{}]"));
  const Value reset = track_update(widgets(), next, changed, "one", kLater);
  EXPECT_FALSE(reset["metadata"].has("managedFields"));
  changed.edit("metadata").erase("managedFields");
  changed.edit("spec").set("replicas", 7);
  EXPECT_FALSE(
      track_update(widgets(), reset, changed, "one", kLater)["metadata"].has("managedFields"));
}

TEST(Track, ObjectsNeverAppliedBefore) {
  const Value live = stored(widget(R"({"spec":{"replicas":1}})"));
  const auto refused = apply(live, R"({"spec":{"replicas":2}})", "one");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message,
            "Apply failed with 1 conflict: conflict with \"before-first-apply\" using x.io/v1: "
            ".spec.replicas");
}

TEST(Track, TheOldestOfManyUpdatersMerge) {
  Value live =
      stored(track_update(widgets(), {}, widget(R"({"spec":{"replicas":0}})"), "m0", kNow));
  for (int i = 1; i <= 11; ++i) {
    Value next = live;
    next.edit("metadata").edit("labels").set("l" + std::to_string(i), "x");
    live =
        track_update(widgets(), live, next, "m" + std::to_string(i), kNow + Duration::seconds(i));
  }
  EXPECT_EQ(live["metadata"]["managedFields"].size(), 10U);
  EXPECT_EQ(live["metadata"]["managedFields"][0]["manager"].as_string(), "ancient-changes");
  EXPECT_EQ(
      to_json(live["metadata"]["managedFields"][0]["fieldsV1"]),
      R"({"f:metadata":{"f:labels":{".":{},"f:l1":{},"f:l2":{}}},"f:spec":{"f:replicas":{}}})");
}

TEST(Track, TimesAloneAreNoChange) {
  const Value live = stored(*apply({}, R"({"spec":{"replicas":1}})", "one"));
  Value later = live;
  Value& entry = later.edit("metadata").edit("managedFields").edit(std::size_t{0});
  entry.set("time", "2030-01-01T00:00:00Z");
  EXPECT_EQ(without_new_times(live, later), live);
  later.edit("spec").set("replicas", 3);
  EXPECT_EQ(without_new_times(live, later), later);
}

TEST(Apply, KubectlTakesOverFromItsClientSideApply) {
  Value live = widget(R"({"spec":{"replicas":1}})");
  Value last = live;
  live.edit("metadata")
      .edit("annotations")
      .set("kubectl.kubernetes.io/last-applied-configuration", to_json(last));
  live = stored(track_update(widgets(), {}, live, "kubectl-client-side-apply", kNow));
  EXPECT_FALSE(apply(live, R"({"spec":{"replicas":2}})", "other").ok());
  const auto taken = apply(live, R"({"spec":{"replicas":2}})", "kubectl");
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ((*taken)["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
                .as_string(),
            R"({"apiVersion":"x.io/v1","kind":"Widget","metadata":{"name":"w"},)"
            R"("spec":{"replicas":2}})"
            "\n");
}

TEST(Scale, ManagersThereAndBack) {
  const FieldPath replicas = field_path({"spec", "replicas"});
  const ReplicasPaths paths = [&](std::string_view version) {
    return version == "x.io/v1" ? &replicas : nullptr;
  };
  const Value parent =
      json(R"([{"manager":"a","operation":"Apply","apiVersion":"x.io/v1","fieldsType":"FieldsV1",)"
           R"("fieldsV1":{"f:spec":{"f:args":{},"f:replicas":{}}}}])");
  const Value scale = scale_managers(parent, paths);
  EXPECT_EQ(to_json(scale[0]["fieldsV1"]), R"({"f:spec":{"f:replicas":{}}})");
  EXPECT_EQ(scale[0]["apiVersion"].as_string(), "autoscaling/v1");
  EXPECT_EQ(parent_managers(parent, scale, "x.io/v1", paths), parent);
  const Value taken = json(
      R"([{"manager":"h","operation":"Update","apiVersion":"autoscaling/v1","subresource":"scale",)"
      R"("fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:replicas":{}}}}])");
  EXPECT_EQ(
      to_json(parent_managers(parent, taken, "x.io/v1", paths)),
      R"([{"apiVersion":"x.io/v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:args":{}}},)"
      R"("manager":"a","operation":"Apply"},{"apiVersion":"x.io/v1","fieldsType":"FieldsV1",)"
      R"("fieldsV1":{"f:spec":{"f:replicas":{}}},"manager":"h","operation":"Update",)"
      R"("subresource":"scale"}])");
}

}  // namespace
}  // namespace keelson::codec
