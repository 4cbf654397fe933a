// Prints what failed and ends the process at once; see check.h.
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace keelson {
void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "keelson: bug: %s does not hold at %s:%d\n", expression, file, line);
  std::abort();
}
}  // namespace keelson
