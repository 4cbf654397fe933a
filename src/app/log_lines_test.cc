#include "app/log_lines.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace keelson::app {
namespace {

TEST(LogLines, AFullLogIsBegunAnewAndOneOldOneIsKept) {
  char root[] = "/tmp/keelson-log-XXXXXX";
  ASSERT_NE(mkdtemp(root), nullptr);
  const std::string path = std::string(root) + "/engine.log";
  const pid_t child = fork();
  if (child == 0) {
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDERR_FILENO);
    stamp_log_lines(path, 1000);
    for (int i = 0; i < 100; ++i) std::fprintf(stderr, "line %d\n", i);
    _exit(0);
  }
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  std::string all;
  for (const std::string& part : {path + ".1", path}) {
    EXPECT_LT(std::filesystem::file_size(part), 1100u);
    std::ifstream file(part);
    for (std::string line; std::getline(file, line);) all += line.substr(line.find(' ')) + "\n";
  }
  EXPECT_TRUE(all.ends_with(" line 98\n line 99\n")) << all;
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root), {}), 2);
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace keelson::app
