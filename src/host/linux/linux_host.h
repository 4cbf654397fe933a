// The real world: what main() builds once and hands to everything else as interfaces. Only
// host/linux reads the system's clock, its entropy and makes system calls.
//
//   LinuxLoop loop;
//   auto sockets = make_linux_sockets(loop);
//   auto processes = make_linux_processes(loop);
//   auto signals = watch_signals(loop, {SIGTERM, SIGINT}, [&](int) { loop.stop(); });
//   loop.run();
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "host/linux/loop.h"
#include "host/processes.h"
#include "host/sockets.h"

namespace keelson::host {

std::unique_ptr<Sockets> make_linux_sockets(LinuxLoop& loop);
std::unique_ptr<Processes> make_linux_processes(LinuxLoop& loop);

// Delivers these signals to the loop instead of the process. Call before other threads start, so
// that they inherit the mask. The handle ends it. SIGPIPE is ignored from the first call on.
std::shared_ptr<void> watch_signals(LinuxLoop& loop, const std::vector<int>& signals,
                                    std::function<void(int)> on_signal);

// Bytes from the kernel's generator.
std::string system_entropy(std::size_t length);
std::uint64_t system_seed();

// How many descriptors this process may have open.
std::size_t descriptors_max();

// A pseudo-terminal. Both ends close on exec; the owner closes them.
struct Terminal {
  int master = -1, slave = -1;
};
Result<Terminal> open_terminal(int columns, int rows);
void resize_terminal(int master, int columns, int rows);

// "open /x: no such file or directory", as Go words system errors.
Error system_error(const std::string& what, int number);

}  // namespace keelson::host
