// Reading a container's log file (CRI format) for kubectl: since, tail, limit, timestamps, one
// stream or both, and on as it grows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cluster/pod_streams.h"

namespace keelson::node {

// "2026-...Z stdout F text": what a client sees of it; empty if the line is filtered out.
std::string shown_line(std::string_view line, const cluster::LogOptions& options);

class LogReader {
 public:
  LogReader(std::string path, cluster::LogOptions options);
  ~LogReader();
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;

  Result<void> open();  // and goes to the first line to show
  // The next lines, at most about 64 KiB; empty: nothing more for now.
  std::string next();
  bool reached_limit() const { return left_ == 0; }

 private:
  void seek_to_tail();
  bool was_rotated() const;

  std::string path_;
  cluster::LogOptions options_;
  int fd_ = -1;
  std::int64_t offset_ = 0;
  std::string partial_;            // of a line not yet complete
  std::int64_t left_ = INT64_MAX;  // of limitBytes
};

}  // namespace keelson::node
