// The file that audit records go to, one line each; renamed and begun anew when it has grown.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "host/files.h"

namespace keelson::app {

struct AuditFileOptions {
  std::string path;
  std::uint64_t size_max = 100u << 20;  // then it is renamed to NAME-TIME.EXTENSION
  int backups_max = 0;                  // 0: all are kept
};

// A function that appends a line. A line that cannot be written is told on the error output and is
// lost; requests go on.
Result<std::function<void(std::string)>> open_audit_file(host::Files& files,
                                                         std::function<Instant()> now,
                                                         AuditFileOptions options);

}  // namespace keelson::app
