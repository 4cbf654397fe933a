#include "runtime/identity.h"

#include <gtest/gtest.h>

namespace keelson::runtime {
namespace {

TEST(Identity, IsWhatKubernetesCallsTheComponent) {
  EXPECT_EQ(identity_of("deployment-controller").user,
            "system:serviceaccount:kube-system:deployment-controller");
  EXPECT_EQ(identity_of("default-scheduler").user, "system:kube-scheduler");
  registry::Identity kubelet = identity_of("kubelet/n1");
  EXPECT_EQ(kubelet.user, "system:node:n1");
  EXPECT_EQ(kubelet.groups.front(), "system:nodes");
  EXPECT_EQ(field_manager_of("kubelet/n1"), "kubelet");
  EXPECT_EQ(field_manager_of("deployment-controller"), "kube-controller-manager");
  EXPECT_EQ(field_manager_of("default-scheduler"), "kube-scheduler");
}

}  // namespace
}  // namespace keelson::runtime
