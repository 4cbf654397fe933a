#include "app/log_lines.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <string>
#include <string_view>

namespace keelson::app {
namespace {

std::string time_text() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char text[40];
  const std::size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(text + length, sizeof text - length, ".%03ldZ ", now.tv_nsec / 1'000'000);
  return text;
}

// A line may come in pieces: the time goes before the first.
ssize_t write_stamped(void* at_start, const char* data, std::size_t size) {
  auto& starts = *static_cast<bool*>(at_start);
  std::string out;
  for (std::string_view rest(data, size); !rest.empty();) {
    if (starts) out += time_text();
    const std::size_t end = rest.find('\n');
    starts = end != std::string_view::npos;
    const std::size_t length = starts ? end + 1 : rest.size();
    out += rest.substr(0, length);
    rest.remove_prefix(length);
  }
  for (std::string_view rest = out; !rest.empty();) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written <= 0) break;  // nobody reads; the engine goes on
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return static_cast<ssize_t>(size);
}

}  // namespace

void stamp_log_lines() {
  static bool at_start = true;
  cookie_io_functions_t functions{};
  functions.write = write_stamped;
  FILE* stream = fopencookie(&at_start, "w", functions);
  if (stream == nullptr) return;
  setvbuf(stream, nullptr, _IOLBF, 4096);
  stderr = stream;
}

}  // namespace keelson::app
