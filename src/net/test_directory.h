// A directory of a test's own, removed with it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace keelson::net {

class TestDirectory {
 public:
  TestDirectory() {
    char name[] = "/tmp/keelson-net-XXXXXX";
    if (const char* made = ::mkdtemp(name)) path_ = made;
  }
  ~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace keelson::net
