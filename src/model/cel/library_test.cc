// Kubernetes' libraries: what expressions give, or the error they end with.
#include "model/cel/library.h"

#include <gtest/gtest.h>

#include "codec/cel/cel.h"
#include "codec/cel/json_datum.h"
#include "codec/json.h"

namespace keelson::model {
namespace {

using codec::cel::Datum;

std::string result_of(const std::string& text) {
  const codec::cel::Environment environment{cel_library(), {}};
  const auto program = codec::cel::compile(text, environment);
  if (!program.ok()) return "compile: " + program.error().message;
  codec::cel::Budget budget;
  const Datum result = program->evaluate({}, budget);
  if (result.is_error()) return "error: " + std::string(result.text());
  codec::Value json;
  return codec::cel::to_json(result, json) ? codec::to_json(json) : "no JSON";
}

TEST(CelLibraryTest, GivesWhatKubernetesGives) {
  const struct {
    const char *text, *result;
  } cases[] = {
      {"quantity('1.5Gi').compareTo(quantity('1536Mi'))", "0"},
      {"quantity('50k').asInteger()", "50000"},
      {"isQuantity('1 m')", "false"},
      {"quantity('100m').add(quantity('1')).sub(1).asApproximateFloat()", "0.1"},
      {"sign(quantity('-3'))", "-1"},
      {"ip('2001:db8::abcd').family()", "6"},
      {"ip('127.0.0.1').isLoopback()", "true"},
      {"string(ip('10.0.0.1'))", "\"10.0.0.1\""},
      {"isIP('10.0.0.300')", "false"},
      {"cidr('10.0.0.0/8').containsIP('10.1.2.3')", "true"},
      {"cidr('10.0.0.0/8').containsCIDR(cidr('10.1.0.0/16'))", "true"},
      {"cidr('192.168.1.7/24').masked() == cidr('192.168.1.0/24')", "true"},
      {"url('https://a.b:80/p?k=v').getHostname()", "\"a.b\""},
      {"url('https://a.b:80/p?k=v').getQuery()", "{\"k\":[\"v\"]}"},
      {"isURL('not a url')", "false"},
      {"semver('1.2.3').isLessThan(semver('1.10.0'))", "true"},
      {"isSemver('v1.0')", "false"},
      {"semver('v1.0', true).major()", "1"},
      {"format.dns1123Label().validate('a-b').hasValue()", "false"},
      {"'abc 123'.find('[0-9]+')", "\"123\""},
      {"'1 a 2'.findAll('[0-9]')", "[\"1\",\"2\"]"},
      {"[3, 1, 2].isSorted()", "false"},
      {"[1, 2, 3].sum()", "6"},
      {"sets.contains([1, 2], [2])", "true"},
      {"timestamp('2026-07-01T12:00:00Z').getHours('Europe/Berlin')", "14"},
      {"timestamp('2026-01-01T12:00:00Z').getHours('America/New_York')", "7"},
      {"timestamp('9999-01-01T12:00:00Z').getHours('Asia/Tokyo')", "21"},
  };
  for (const auto& one : cases) EXPECT_EQ(result_of(one.text), one.result) << one.text;
}

TEST(CelLibraryTest, SaysWhatIsWrong) {
  EXPECT_EQ(result_of("timestamp('2026-07-01T12:00:00Z').getHours('Mars/Base')"),
            "error: unknown time zone Mars/Base");
  EXPECT_TRUE(result_of("quantity('x')").starts_with("error: ")) << result_of("quantity('x')");
  EXPECT_TRUE(result_of("ip('x')").starts_with("error: ")) << result_of("ip('x')");
}

}  // namespace
}  // namespace keelson::model
