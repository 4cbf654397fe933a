// Files of the API server that are looked at again while it runs.
#include "app/api_files.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "host/virtual_files.h"
#include "host/virtual_loop.h"

namespace keelson::app {
namespace {

std::string config(const std::string& name, char byte) {
  return "kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\nresources:\n"
         "- resources: [secrets]\n  providers:\n  - aesgcm: {keys: [{name: " +
         name + ", secret: " + to_base64(std::string(32, byte)) + "}]}\n  - identity: {}\n";
}

void write(host::VirtualFiles& files, const std::string& text) {
  if (files.exists("/enc")) {
    ASSERT_TRUE(files.remove("/enc").ok());
  }
  auto file = files.open("/enc", true);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->append(text).ok());
}

TEST(ApiFiles, AChangedEncryptionIsTakenOver) {
  host::VirtualLoop loop;
  host::VirtualFiles files;
  write(files, config("one", '1'));
  const auto sealer =
      std::make_shared<api::ReloadableSealer>(api::parse_encryption(config("one", '1')).value());
  int changed = 0;
  const auto following = follow_encryption(loop, files, "/enc", sealer, [&] { ++changed; });
  loop.run_for(Duration::minutes(5));
  EXPECT_EQ(changed, 0);
  write(files, config("two", '2'));
  loop.run_for(Duration::minutes(2));
  EXPECT_EQ(changed, 1);
  EXPECT_TRUE(sealer->seal("secrets/a/b", "t").starts_with("k8s:enc:aesgcm:v1:two:"));
  write(files, "kind: Pod\n");
  loop.run_for(Duration::minutes(2));
  EXPECT_EQ(changed, 1);
  EXPECT_TRUE(sealer->seal("secrets/a/b", "t").starts_with("k8s:enc:aesgcm:v1:two:"));
}

TEST(ApiFiles, OptionsThatNeedOthersSayWhich) {
  host::VirtualLoop loop;
  host::VirtualFiles files;
  ApiFiles names;
  names.oidc_client = "a";
  EXPECT_EQ(read_api_files(loop, files, names).error().message,
            "--oidc-client-id and --oidc-ca-file need --oidc-issuer-url");
  names = {};
  names.encryption_reload = true;
  EXPECT_FALSE(read_api_files(loop, files, names).ok());
}

}  // namespace
}  // namespace keelson::app
