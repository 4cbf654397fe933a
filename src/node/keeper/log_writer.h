// A container's log file in the CRI format, one line per line of output:
//   2026-01-02T03:04:05.123456789Z stdout F text
// "P" marks a part of a line longer than 16 KiB. The file is renamed to "<path>.1" at 10 MiB.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace keelson::node {

class LogWriter {
 public:
  explicit LogWriter(std::string path);
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // stream: "stdout" or "stderr". Keeps an unfinished line until its end comes.
  void write(std::string_view stream, std::string_view bytes);
  void finish();  // writes what has no end of line yet

 private:
  void line(std::string_view stream, std::string_view text, bool full);
  void flush();
  void open();

  std::string path_;
  int fd_ = -1;
  std::int64_t size_ = 0;
  std::string out_, err_;  // unfinished lines
  std::string batch_;      // complete lines, not yet written
};

}  // namespace keelson::node
