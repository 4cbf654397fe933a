// CHECK: an invariant of our own that is on in production. A failed CHECK is a bug in Keelson,
// never the answer to bad input; the store is durable before it acknowledges, so ending the process
// loses nothing.
#pragma once

namespace keelson {
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
}

#define KEELSON_CHECK(expression)                               \
  do {                                                          \
    if (!(expression)) [[unlikely]]                             \
      ::keelson::check_failed(#expression, __FILE__, __LINE__); \
  } while (false)
