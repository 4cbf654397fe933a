// The program's entry: hidden modes of the engine's own helper processes first, then the command
// line.
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "app/cli.h"

int main(int argc, char** argv) {
  const int code = keelson::app::run_command_line(argc, argv);
  // What nobody could read was not done well.
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  std::fprintf(stderr, "keelson: standard output: %s\n", std::strerror(errno));
  return code == 0 ? 1 : code;
}
