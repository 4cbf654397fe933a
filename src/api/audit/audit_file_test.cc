#include "api/audit/audit_file.h"

#include <gtest/gtest.h>

#include "host/virtual_files.h"
#include "host/virtual_loop.h"

namespace keelson::api {
namespace {

class Audit : public testing::Test {
 protected:
  std::string text(const std::string& path) {
    auto file = files_->open(path, false);
    return file.ok() ? (*file)->read(0, 1 << 20).value() : "";
  }
  host::VirtualLoop loop_;
  std::shared_ptr<host::VirtualFiles> files_ = std::make_shared<host::VirtualFiles>();
};

TEST_F(Audit, LinesAreWrittenInOrderAndOnlyOwnOldFilesAreRemoved) {
  ASSERT_TRUE(files_->make_directories("/a").ok());
  for (const char* other : {"/a/audit-important.log", "/a/audit-2026-notes.log"})
    ASSERT_TRUE(files_->open(other, true).ok());
  auto made =
      open_audit_file(loop_, files_, {.path = "/a/audit.log", .size_max = 10, .backups_max = 2});
  ASSERT_TRUE(made.ok());
  for (char c = 'a'; c <= 'h'; ++c) {
    (*made)(std::string(5, c) + "\n");
    loop_.run_for(Duration::seconds(1));
  }
  EXPECT_EQ(text("/a/audit.log"), "hhhhh\n");
  const auto names = files_->list("/a").value();
  EXPECT_EQ(names.size(), 5u);  // two old ones, and the strangers
  for (char c = 'i'; c <= 'z'; ++c) (*made)(std::string(1, c));
  *made = nullptr;  // what waits is written all the same
  loop_.run_for(Duration::seconds(1));
  EXPECT_TRUE(text("/a/audit.log").ends_with("z"));
}

TEST_F(Audit, LostRecordsAreCountedAndTold) {
  auto made = open_audit_file(loop_, files_, {.path = "/a/audit.log", .waiting_max = 8});
  ASSERT_TRUE(made.ok());
  testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) (*made)("123456\n");  // the second waits, the third has no room
  loop_.run_for(Duration::seconds(1));
  (*made)("later\n");
  loop_.run_for(Duration::seconds(1));
  const std::string told = testing::internal::GetCapturedStderr();
  EXPECT_NE(told.find("records are lost, 1 so far"), std::string::npos) << told;
  EXPECT_NE(told.find("written again; 1 records were lost"), std::string::npos) << told;
  EXPECT_EQ(text("/a/audit.log"), "123456\n123456\nlater\n");
}

}  // namespace
}  // namespace keelson::api
