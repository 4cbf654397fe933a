#include "model/quantity.h"

#include <gtest/gtest.h>

namespace keelson::model {
namespace {

std::string served(std::string_view text) {
  const auto result = Quantity::served_text(text);
  return result ? *result : result.error().message;
}

TEST(Quantity, KeepsTextThatIsCanonicalEnough) {
  for (const char* text :
       {"0", "+5", "00012", "5.", "1500Mi", "100m", "1.500", "1e3", "1E6", "3Ki"})
    EXPECT_EQ(served(text), text);
}

TEST(Quantity, RewritesWhatIsNot) {
  EXPECT_EQ(served("1024Mi"), "1Gi");
  EXPECT_EQ(served("0.5"), "500m");
  EXPECT_EQ(served("1.5"), "1500m");
  EXPECT_EQ(served("1000m"), "1");
  EXPECT_EQ(served("1000"), "1k");
  EXPECT_EQ(served("0.5Gi"), "512Mi");
  EXPECT_EQ(served("1.5Gi"), "1536Mi");
  EXPECT_EQ(served("8Ei"), "9223372036854775807");
  EXPECT_EQ(served("Gi"), "0");
  EXPECT_EQ(served("-"), "0");
  EXPECT_EQ(served("0.1n"), "1n");
  EXPECT_EQ(served("512"), "512");
  EXPECT_EQ(served("1e4"), "10e3");
  EXPECT_EQ(served("1023Ki"), "1023Ki");
  EXPECT_EQ(served("-1.5Gi"), "-1536Mi");
  EXPECT_EQ(served("0.1Ki"), "102400m");
}

TEST(Quantity, RefusesInGoWords) {
  EXPECT_EQ(served(""),
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
  EXPECT_EQ(served("1x"), served(""));
  EXPECT_EQ(served("1iK"), "unable to parse quantity's suffix");
  EXPECT_EQ(served("Ei"), "unable to parse numeric part of quantity");
  EXPECT_EQ(served("1e"), "unable to parse quantity's suffix");
}

TEST(Quantity, Arithmetic) {
  const auto a = *Quantity::parse("1500m"), b = *Quantity::parse("1Gi");
  EXPECT_EQ(a.value(), 2);
  EXPECT_EQ(a.milli_value(), 1500);
  EXPECT_EQ(b.value(), 1 << 30);
  EXPECT_EQ((a + a).text(), "3");
  EXPECT_EQ((b + b).text(), "2Gi");
  EXPECT_EQ((Quantity() + b).text(), "1Gi");
  EXPECT_LT(a, b);
  EXPECT_EQ(Quantity::parse("1e400")->value(), INT64_MAX);
  EXPECT_EQ(Quantity::parse("-1e400")->value(), INT64_MIN);
  EXPECT_EQ(Quantity::parse("100u")->rounded_up_to_milli().text(), "1m");
  // Quotas add up what users ask for: no sum may leave the range.
  const auto huge = *Quantity::parse("1e400"), least = *Quantity::parse("-1e400");
  EXPECT_EQ(huge + huge, huge);
  EXPECT_EQ(huge - least, huge);
  EXPECT_EQ(least - huge, least);
  EXPECT_EQ(Quantity::of(codec::Value(2)).value(), 2);
  EXPECT_EQ(Quantity::of(codec::Value("x")).value(), 0);
}

}  // namespace
}  // namespace keelson::model
