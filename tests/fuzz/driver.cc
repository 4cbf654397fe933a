// Changes inputs and feeds them to a target until the time is over. With the sanitizers and the
// coverage option (tests/fuzz/README.md) an input that reaches something new joins the pool.
//
//   fuzz json --seconds 60 --seed 7
//   fuzz json crash-json              # plays one input again
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/prng.h"
#include "fuzz.h"

// --- coverage: called at every branch of code that was compiled with -fsanitize-coverage=trace-pc

namespace {
constexpr std::size_t kPlaces = 1 << 16;
std::array<unsigned char, kPlaces> places_seen;
std::size_t places_new = 0;
std::uintptr_t place_before = 0;
}  // namespace

extern "C" void __sanitizer_cov_trace_pc() {
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  const std::size_t place = (here ^ place_before) % kPlaces;
  place_before = here >> 1;
  if (places_seen[place] != 0) return;
  places_seen[place] = 1;
  ++places_new;
}

// A sanitizer's report ends in SIGABRT, so that the input can be kept.
extern "C" const char* __asan_default_options() {
  return "abort_on_error=1:handle_abort=0:detect_leaks=0";
}
extern "C" const char* __ubsan_default_options() {
  return "abort_on_error=1:print_stacktrace=1";
}

namespace keelson::fuzz {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kInputBytesMax = 4096;
constexpr std::chrono::seconds kSlow{2};  // for one input, also with the sanitizers

std::string current, crash_file;

void keep_input() {
  if (std::FILE* file = std::fopen(crash_file.c_str(), "wb")) {
    std::fwrite(current.data(), 1, current.size(), file);
    std::fclose(file);
    std::fprintf(stderr, "the input is in %s\n", crash_file.c_str());
  }
}

void on_crash(int number) {
  std::signal(number, SIG_DFL);
  keep_input();
  std::raise(number);
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Mutator {
 public:
  Mutator(std::uint64_t seed, const Target& target, std::vector<std::string> pool)
      : rng_(seed), target_(target), pool_(std::move(pool)) {
    if (pool_.empty()) pool_.emplace_back();
  }

  void keep(std::string input) { pool_.push_back(std::move(input)); }
  std::size_t size() const { return pool_.size(); }

  std::string next() {
    std::string input = any();
    for (std::uint64_t n = 1 + rng_.below(1 + rng_.below(8)); n > 0; --n) change(input);
    if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
    return input;
  }

 private:
  const std::string& any() { return pool_[rng_.below(pool_.size())]; }
  std::size_t place(const std::string& input) { return rng_.below(input.size() + 1); }

  void change(std::string& input) {
    const std::size_t at = place(input);
    const std::size_t length = std::min<std::size_t>(1 + rng_.below(16), input.size() - at);
    switch (rng_.below(10)) {
      case 0:
        if (at < input.size()) input[at] ^= static_cast<char>(1 << rng_.below(8));
        break;
      case 1:
        if (at < input.size()) input[at] = static_cast<char>(rng_.below(256));
        break;
      case 2: {
        constexpr char kEdges[] = {0, 1, 127, -128, -1, '0', '9', '"', '\\', '\n', ' '};
        if (at < input.size()) input[at] = kEdges[rng_.below(std::size(kEdges))];
        break;
      }
      case 3: input.erase(at, length); break;
      case 4: input.insert(at, input.substr(at, length)); break;
      case 5:
        if (!target_.words.empty())
          input.insert(at, target_.words[rng_.below(target_.words.size())]);
        break;
      case 6: {  // a part of another input
        const std::string& other = any();
        const std::size_t from = place(other);
        input.insert(at, other.substr(from, rng_.below(64)));
        break;
      }
      case 7: input.resize(at); break;
      case 8: {  // many times the same: depth and length
        const std::string part = input.substr(at, length);
        std::string many;
        for (std::uint64_t n = rng_.below(200); n > 0; --n) many += part;
        input.insert(at, many);
        break;
      }
      default: {  // a number in its place
        std::size_t end = at;
        while (end < input.size() && input[end] >= '0' && input[end] <= '9') ++end;
        constexpr const char* kNumbers[] = {"0",     "-1",         "2147483648",
                                            "1e400", "4294967296", "9223372036854775808"};
        if (end > at) input.replace(at, end - at, kNumbers[rng_.below(std::size(kNumbers))]);
      }
    }
  }

  Prng rng_;
  const Target& target_;
  std::vector<std::string> pool_;
};

void run_one(const Target& target, std::string input) {
  current = std::move(input);
  const auto start = Clock::now();
  target.run(current);
  if (Clock::now() - start > kSlow) {
    std::fprintf(stderr, "%s: an input of %zu bytes takes too long\n",
                 std::string(target.name).c_str(), current.size());
    keep_input();
    std::exit(1);
  }
}

int fuzz(const Target& target, std::chrono::seconds time, std::uint64_t seed,
         const std::filesystem::path& corpus) {
  std::vector<std::filesystem::path> files;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(corpus / target.name, none))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> pool;
  for (const auto& file : files) pool.push_back(read_file(file));
  for (const std::string& input : pool) run_one(target, input);
  Mutator mutator(seed, target, std::move(pool));
  const auto end = Clock::now() + time;
  std::uint64_t rounds = 0;
  for (; Clock::now() < end; ++rounds) {
    const std::size_t before = places_new;
    place_before = 0;
    run_one(target, mutator.next());
    if (places_new > before) mutator.keep(current);
  }
  std::printf("%s: %llu inputs, %zu in the pool, %zu places\n", std::string(target.name).c_str(),
              static_cast<unsigned long long>(rounds), mutator.size(), places_new);
  return 0;
}

std::vector<Target> all_targets() {
  std::vector<Target> all = text_targets();
  for (const auto& more : {protobuf_targets(), connection_targets()})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

int main_of(const std::vector<std::string>& arguments) {
  const std::vector<Target> all = all_targets();
  const auto usage = [&] {
    std::fprintf(stderr, "fuzz TARGET [--seconds N] [--seed N] [--corpus DIR] [FILE...]\n");
    for (const Target& target : all)
      std::fprintf(stderr, "  %s\n", std::string(target.name).c_str());
    return 2;
  };
  if (arguments.empty()) return usage();
  const auto target = std::find_if(all.begin(), all.end(),
                                   [&](const Target& t) { return t.name == arguments.front(); });
  if (target == all.end()) return usage();
  crash_file = "crash-" + arguments.front();
  std::chrono::seconds time{10};
  std::uint64_t seed = 1;
  std::filesystem::path corpus = KEELSON_FUZZ_CORPUS;
  std::vector<std::string> files;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    if (arguments[i].substr(0, 2) != "--") {
      files.push_back(arguments[i]);
      continue;
    }
    if (i + 1 == arguments.size()) return usage();
    const std::string& value = arguments[++i];
    if (arguments[i - 1] == "--seconds")
      time = std::chrono::seconds(std::strtol(value.c_str(), nullptr, 10));
    else if (arguments[i - 1] == "--seed")
      seed = std::strtoull(value.c_str(), nullptr, 10);
    else if (arguments[i - 1] == "--corpus")
      corpus = value;
    else
      return usage();
  }
  for (const int number : {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS}) std::signal(number, on_crash);
  for (const std::string& file : files) run_one(*target, read_file(file));
  return files.empty() ? fuzz(*target, time, seed, corpus) : 0;
}

}  // namespace

void expect(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", claim);
  std::abort();
}

}  // namespace keelson::fuzz

int main(int count, char** values) {
  return keelson::fuzz::main_of({values + 1, values + count});
}
