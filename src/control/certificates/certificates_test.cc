// What signers give, and to whom not.
#include "control/certificates/certificates.h"

#include <gtest/gtest.h>

#include <functional>

#include "sched/memory_view.h"

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

class FixedAuthority : public CertificateAuthority {
 public:
  Result<CertificateClaims> read(std::string_view) override {
    return CertificateClaims{.common_name = "system:node:a", .organizations = {"system:nodes"}};
  }
  Result<std::string> sign(std::string_view, const std::vector<std::string>&, Duration,
                           Instant) override {
    return std::string("signed");
  }
  Instant expiry(std::string_view) override { return {}; }
};

codec::Value request_of(std::string_view signer, std::string_view user) {
  codec::Value request = codec::Value::object(
      {{"apiVersion", "certificates.k8s.io/v1"},
       {"kind", "CertificateSigningRequest"},
       {"metadata", codec::Value::object({{"name", "r"}})},
       {"spec",
        codec::Value::object({{"signerName", signer}, {"username", user}, {"request", "x"}})}});
  for (const char* usage : {"client auth", "digital signature"})
    request.edit("spec").edit("usages").push_back(usage);
  return request;
}

// Runs a plan to its end; reviews are answered by `allow`.
std::vector<cluster::Write> played(cluster::Plan plan,
                                   const std::function<bool(std::string_view)>& allow) {
  std::vector<cluster::Write> all;
  while (true) {
    std::vector<Result<codec::Value>> results;
    for (cluster::Write& write : plan.writes) {
      codec::Value object = write.object;
      if (write.resource.starts_with("subjectaccessreviews"))
        object.edit("status").set(
            "allowed", allow(object["spec"]["resourceAttributes"]["subresource"].as_string()));
      results.push_back(object);
      all.push_back(std::move(write));
    }
    if (!plan.then) return all;
    plan = plan.then(results);
  }
}

TEST(CertificateApprover, ApprovesKubeletsWhoseAskerMay) {
  sched::MemoryView view;
  FixedAuthority authority;
  CertificateApprover approver(authority);
  Prng rng(1);
  const cluster::Key key{"", "r"};
  const auto asked = [&](std::string_view signer, std::string_view user,
                         const std::function<bool(std::string_view)>& allow) {
    view.put("certificatesigningrequests.certificates.k8s.io", request_of(signer, user));
    return played(approver.reconcile({view, key, Instant::unix_seconds(5), rng}), allow);
  };
  auto writes = asked(kKubelet, "system:bootstrap:abcdef",
                      [](std::string_view what) { return what == "nodeclient"; });
  ASSERT_EQ(writes.size(), 2u);
  EXPECT_EQ(writes[1].subresource, "approval");
  EXPECT_EQ(writes[1].object["status"]["conditions"][0]["reason"].as_string(), "AutoApproved");
  writes = asked(kKubelet, "system:node:a",
                 [](std::string_view what) { return what == "selfnodeclient"; });
  ASSERT_EQ(writes.size(), 2u);
  // Nobody's permission: both are asked for, nothing is written.
  writes = asked(kKubelet, "system:node:a", [](std::string_view) { return false; });
  EXPECT_EQ(writes.size(), 2u);
  EXPECT_EQ(writes[1].resource, "subjectaccessreviews.authorization.k8s.io");
  EXPECT_TRUE(asked(kClient, "jane", [](std::string_view) { return true; }).empty());
}

}  // namespace
}  // namespace keelson::control
