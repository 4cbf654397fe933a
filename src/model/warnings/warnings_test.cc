// Warnings of whole objects, one line each; the recordings hold the wider set.
#include "model/warnings.h"

#include <gtest/gtest.h>

#include "codec/json.h"
#include "model/certificates.h"
#include "model/scheme.h"

namespace keelson::model {
namespace {

codec::Value json(std::string_view text) {
  return *codec::parse_json(text);
}

Warnings of_pod(std::string_view spec) {
  static const TypeTable table;
  codec::Value pod = json(R"({"metadata":{"name":"p"}})");
  pod.set("spec", json(spec));
  return warnings_on_create(*table.storage("pods"), pod);
}

TEST(Warnings, PathsOfAVolumeThatCoverEachOther) {
  EXPECT_EQ(of_pod(R"({"volumes":[{"name":"v","projected":{"sources":[
      {"secret":{"name":"s","items":[{"key":"a","path":"x"}]}},
      {"serviceAccountToken":{"path":"x/y/"}},{}]}}]})"),
            Warnings({"volume \"v\" (Projected): overlapping paths: \"x/y\" (ServiceAccountToken) "
                      "with \"x\" (Secret \"s\")",
                      "volume \"v\" (Projected) has no sources provided"}));
}

TEST(Warnings, PortsThatMeet) {
  EXPECT_EQ(of_pod(R"({"containers":[{"name":"c","ports":[
      {"containerPort":1,"protocol":"TCP","hostPort":5},
      {"containerPort":1,"protocol":"TCP","hostPort":5,"hostIP":"1.2.3.4"},
      {"containerPort":1,"protocol":"TCP"}]}]})"),
            Warnings({"spec.containers[0].ports[1]: dangerously ambiguous port definition with "
                      "spec.containers[0].ports[0]",
                      "spec.containers[0].ports[2]: overlapping port definition with "
                      "spec.containers[0].ports[0]",
                      "spec.containers[0].ports[2]: overlapping port definition with "
                      "spec.containers[0].ports[1]"}));
}

TEST(Warnings, AddressesNotWrittenAsTheyShouldBe) {
  EXPECT_EQ(of_pod(R"({"dnsConfig":{"nameservers":["FD00::1","::ffff:1.2.3.4","010.0.0.1"]}})"),
            Warnings({"spec.dnsConfig.nameservers[0]: IPv6 address \"FD00::1\" should be in RFC "
                      "5952 canonical format (\"fd00::1\")",
                      "spec.dnsConfig.nameservers[1]: non-standard IP address "
                      "\"::ffff:1.2.3.4\" is invalid: use \"1.2.3.4\"",
                      "spec.dnsConfig.nameservers[2]: non-standard IP address \"010.0.0.1\" is "
                      "invalid: use \"10.0.0.1\""}));
}

TEST(KeyPair, SaysWhatIsThereInstead) {
  EXPECT_EQ(key_pair_problem("", ""), "tls: failed to find any PEM data in certificate input");
  const std::string key = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
  const std::string certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  EXPECT_EQ(key_pair_problem(key, certificate),
            "tls: failed to find certificate PEM data in certificate input, but did find a private "
            "key; PEM inputs may have been switched");
  EXPECT_EQ(key_pair_problem(certificate, certificate),
            "tls: found a certificate rather than a key in the PEM for the private key");
  EXPECT_EQ(key_pair_problem(certificate, key), "x509: malformed certificate");
}

}  // namespace
}  // namespace keelson::model
