#include "api/answers/negotiate.h"

#include <gtest/gtest.h>

namespace keelson::api {
namespace {

constexpr std::string_view kBoth = "application/vnd.kubernetes.protobuf, application/json";

TEST(Negotiate, TakesTheFirstFormThatTheClientNames) {
  EXPECT_EQ(negotiate(kBoth, Target::object)->wire, Wire::protobuf);
  EXPECT_EQ(negotiate("application/json", Target::object)->wire, Wire::json);
}

TEST(Negotiate, CustomResourcesHaveProtobufForMetadataAlone) {
  EXPECT_EQ(negotiate(kBoth, Target::object, Protobuf::metadata)->wire, Wire::json);
  EXPECT_FALSE(
      negotiate("application/vnd.kubernetes.protobuf", Target::object, Protobuf::metadata).ok());
  const auto bare =
      negotiate("application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
                Target::object, Protobuf::metadata);
  ASSERT_TRUE(bare.ok());
  EXPECT_EQ(bare->wire, Wire::protobuf);
  EXPECT_EQ(bare->form.kind, registry::Form::Kind::partial);
}

TEST(Negotiate, RefusesInTheWordsOfWhoLooksFirst) {
  EXPECT_TRUE(negotiate("text/plain", Target::object).error().message.starts_with("406"));
  EXPECT_TRUE(negotiate("text/plain", Target::object, Protobuf::metadata)
                  .error()
                  .message.starts_with("only the following media types"));
}

}  // namespace
}  // namespace keelson::api
