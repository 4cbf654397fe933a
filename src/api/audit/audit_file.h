// The file that audit records go to, one line each, in order; renamed and begun anew when it has
// grown. Nothing of it happens on the loop: lines wait in memory while the disk is busy.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "host/files.h"
#include "host/loop.h"

namespace keelson::api {

struct AuditFileOptions {
  std::string path;
  std::uint64_t size_max = 100u << 20;  // then it is renamed to NAME-TIME.EXTENSION
  int backups_max = 0;                  // 0: all are kept
  std::size_t waiting_max = 64u << 20;  // bytes of lines that wait; what comes then is lost
};

// A function that takes a line, on the loop. Lines that cannot be written are lost; how many, and
// why, is told on the error output, and when it goes on. Requests go on in any case. When the
// function is gone, what still waits is written all the same; so the files may outlive it.
Result<std::function<void(std::string)>> open_audit_file(host::Loop& loop,
                                                         std::shared_ptr<host::Files> files,
                                                         AuditFileOptions options);

}  // namespace keelson::api
