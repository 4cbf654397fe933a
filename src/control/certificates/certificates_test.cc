// What signers give, and to whom not.
#include "control/certificates/certificates.h"

#include <gtest/gtest.h>

namespace keelson::control {
namespace {

constexpr std::string_view kClient = "kubernetes.io/kube-apiserver-client";
constexpr std::string_view kKubelet = "kubernetes.io/kube-apiserver-client-kubelet";
constexpr std::string_view kServing = "kubernetes.io/kubelet-serving";

TEST(CertificateSigner, ClientsMayOnlyBeClients) {
  EXPECT_EQ(signing_refusal(kClient, {}, {"client auth", "digital signature"}), "");
  EXPECT_EQ(signing_refusal(kClient, {}, {"digital signature"}),
            "missing required usage for client certificate: client auth");
  EXPECT_EQ(signing_refusal(kClient, {}, {"client auth", "server auth"}),
            "invalid usage for client certificate: server auth");
}

TEST(CertificateSigner, KubeletsMustBeNodes) {
  const CertificateClaims node{.common_name = "system:node:a", .organizations = {"system:nodes"}};
  EXPECT_EQ(signing_refusal(kKubelet, node, {"client auth", "digital signature"}), "");
  CertificateClaims stranger = node;
  stranger.organizations = {"system:masters"};
  EXPECT_EQ(signing_refusal(kKubelet, stranger, {"client auth", "digital signature"}),
            "subject organization is not system:nodes");
  EXPECT_EQ(signing_refusal(kServing, node, {"server auth", "digital signature"}),
            "DNS or IP subjectAltName is required");
  CertificateClaims serving = node;
  serving.addresses = true;
  EXPECT_EQ(signing_refusal(kServing, serving, {"server auth", "digital signature"}), "");
  EXPECT_EQ(signing_refusal(kServing, serving, {"server auth"}),
            "usages did not match [digital signature key encipherment server auth]");
}

}  // namespace
}  // namespace keelson::control
