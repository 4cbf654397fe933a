// Measures the store on a real disk: durable writes a second at 1 and 32 writers, reading, memory,
// snapshot and recovery. Usage: bench_store [DIRECTORY] [SECONDS]. The directory must not exist
// yet; it is left behind for a look.
#include "store/store.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>

#include "host/linux/files.h"
#include "host/linux/loop.h"

namespace {

namespace store = keelson::store;
namespace host = keelson::host;
using keelson::Duration;
using keelson::Result;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](timeval t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::string pod(std::uint64_t n) {
  std::string text = R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"pod-)" +
                     std::to_string(n) + R"(","labels":{)";
  while (text.size() < 3000) text += R"("label-)" + std::to_string(text.size()) + R"(":"value",)";
  return text + R"("last":"value"}}})";
}

long resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6);
  return 0;
}

// Each writer commits the next object as soon as its last one is durable.
void measure_writers(host::LinuxLoop& loop, store::Store& store, int writers, double seconds) {
  const std::string bytes = pod(0);
  std::uint64_t done = 0;
  int left = writers;
  auto start = Clock::now();
  std::uint64_t syncs = store.statistics().syncs;
  double cpu = cpu_seconds();
  std::function<void(int)> write = [&](int writer) {
    if (seconds_since(start) > seconds) {
      if (--left == 0) loop.stop();
      return;
    }
    std::uint64_t n = done % 11'000;
    std::string key = "pods/default/w" + std::to_string(writer) + "-" + std::to_string(n);
    auto revision = store.commit({.puts = {{std::move(key), bytes}}});
    if (!revision.ok()) {
      std::fprintf(stderr, "%s\n", revision.error().message.c_str());
      std::exit(1);
    }
    store.when_durable(*revision, [&, writer] {
      ++done;
      write(writer);
    });
  };
  for (int i = 0; i < writers; ++i) loop.post([&, i] { write(i); });
  loop.run();
  double time = seconds_since(start);
  syncs = store.statistics().syncs - syncs;
  std::printf(
      "%2d writers: %8.0f durable writes/s of 3 KB, %6.0f syncs/s, mean wait %6.0f us, CPU %.1f us "
      "a write\n",
      writers, static_cast<double>(done) / time, static_cast<double>(syncs) / time,
      time / static_cast<double>(done) * 1e6 * writers,
      (cpu_seconds() - cpu) / static_cast<double>(done) * 1e6);
}

void measure_memory(host::LinuxLoop& loop) {
  auto store = store::Store::in_memory(loop);
  long before = resident_kib();
  for (std::uint64_t i = 0; i < 150'000; ++i)
    (void)store->commit({.puts = {{"pods/default/pod-" + std::to_string(i), pod(i)}}});
  std::printf("150,000 objects of 3 KB, bytes only: %ld MiB\n", (resident_kib() - before) / 1024);
  auto start = Clock::now();
  std::size_t bytes = 0, count = 0;
  store::Range range{.prefix = "pods/", .limit = 500, .count_rest = true};
  for (bool more = true; more;) {
    auto page = store->range(range).value();
    for (const auto& entry : page.entries) bytes += entry->bytes().size();
    count += page.entries.size();
    more = page.more;
    range.from = page.next;
    range.at = page.revision;
  }
  std::printf("list of %zu in pages of 500 with the count of the rest: %.0f ms (%zu MB)\n", count,
              seconds_since(start) * 1e3, bytes / 1'000'000);
}

}  // namespace

int main(int argc, char** argv) {
  std::string directory = argc > 1 ? argv[1] : "bench-store-data";
  double seconds = argc > 2 ? std::atof(argv[2]) : 3;
  if (::access(directory.c_str(), F_OK) == 0) {
    std::fprintf(stderr, "%s exists already\n", directory.c_str());
    return 1;
  }
  auto files = host::make_linux_files();
  store::Options options{.directory = directory};
  host::LinuxLoop loop;
  measure_memory(loop);
  auto start = Clock::now();
  {
    auto store = store::Store::open(loop, *files, options).value();
    std::printf("open, empty: %.1f ms\n", seconds_since(start) * 1e3);
    measure_writers(loop, *store, 1, seconds);
    measure_writers(loop, *store, 32, seconds);
    start = Clock::now();
    store->snapshot([&](Result<store::Revision>) { loop.stop(); });
    loop.run();
    std::printf("snapshot: %.0f ms\n", seconds_since(start) * 1e3);
  }
  {
    start = Clock::now();
    auto store = store::Store::open(loop, *files, options).value();
    std::printf("open, %zu keys: %.0f ms\n", store->statistics().keys, seconds_since(start) * 1e3);
  }
}
