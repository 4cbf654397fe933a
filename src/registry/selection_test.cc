#include "registry/selection.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace keelson::registry {
namespace {

// What is selected by is found in text as it is in values.
TEST(Selection, ReadsTextAsValues) {
  const model::TypeTable types;
  const char* const objects[] = {
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"app":"web","tier":"a\"}"},)"
      R"("name":"a","namespace":"n"},"spec":{"hostNetwork":true,"nodeName":"one"},)"
      R"("status":{"phase":"Running","podIPs":[{"ip":"10.0.0.1"},{"ip":"fd00::1"}]}})",
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"b","namespace":"n"},"spec":{},"status":{"phase":"Failed"}})",
      R"({"apiVersion":"v1","kind":"Event","involvedObject":{"kind":"Pod","name":"a"},)"
      R"("metadata":{"labels":{"app":"db"},"name":"e"},"reportingComponent":"c","source":{},"type":"Normal"})",
      R"({"apiVersion":"v1","kind":"Node","metadata":{"labels":null,"name":"one"},"spec":{"unschedulable":true}})",
      R"({"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"j"},"status":{"succeeded":2}})",
      "{}"};
  struct Case {
    const char *group, *version, *resource, *labels, *fields;
  };
  const Case cases[] = {{"", "v1", "pods", "app=web", ""},
                        {"", "v1", "pods", "app!=web", ""},
                        {"", "v1", "pods", "tier", "spec.nodeName=one"},
                        {"", "v1", "pods", "", "spec.nodeName="},
                        {"", "v1", "pods", "", "spec.hostNetwork=false,status.phase!=Failed"},
                        {"", "v1", "pods", "", "status.podIPs=10.0.0.1"},
                        {"", "v1", "pods", "", "metadata.name=a,metadata.namespace=n"},
                        {"", "v1", "events", "app=db", "involvedObject.name=a,source=c"},
                        {"", "v1", "nodes", "!app", "spec.unschedulable=true"},
                        {"batch", "v1", "jobs", "", "status.successful=2"}};
  int selected = 0;
  for (const Case& one : cases) {
    const auto resource = types.find(one.group, one.version, one.resource);
    ASSERT_TRUE(resource);
    Options options;
    options.label_selector = one.labels;
    options.field_selector = one.fields;
    const auto selection = Selection::of(*resource, options);
    ASSERT_TRUE(selection.ok()) << one.fields << ": " << selection.error().message;
    for (const char* text : objects) {
      const bool matches = selection->matches(codec::parse_json(text).value());
      EXPECT_EQ(selection->matches_text(text), matches) << one.labels << one.fields << " " << text;
      selected += matches ? 1 : 0;
    }
  }
  EXPECT_GT(selected, 10);
}

// Looking at an entry leaves it as it was.
TEST(Selection, LeavesEntriesUnparsed) {
  const model::TypeTable types;
  Options options;
  options.label_selector = "app=web";
  const auto selection = Selection::of(*types.find("", "v1", "pods"), options);
  ASSERT_TRUE(selection.ok());
  const auto entry = store::make_entry("pods/n/a", R"({"metadata":{"labels":{"app":"web"}}})",
                                       store::Revision{2}, store::Revision{2});
  EXPECT_TRUE(selection->takes(*entry, Value()));
  EXPECT_TRUE(entry->value_at_hand().is_null());
  EXPECT_FALSE(selection->takes(*entry, Value::object()));
}

}  // namespace
}  // namespace keelson::registry
