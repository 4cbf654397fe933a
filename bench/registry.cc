// Measures what the registry itself costs a write: JSON text in, JSON text out, the store in
// memory, no HTTP, TLS or disk. Prints the CPU of each; under `valgrind --tool=callgrind` with one
// verb its instructions. Usage: bench_registry [VERB,...] [COUNT]
//   VERB: create, update, merge, strategic, apply, delete
#include "registry/registry.h"

#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/text.h"
#include "bench/pod.h"
#include "codec/yaml.h"
#include "host/virtual_loop.h"
#include "store/store.h"

namespace keelson::bench {
namespace {

using registry::PatchType;
using registry::Request;
using registry::Verb;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](timeval t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Bench {
 public:
  explicit Bench(int count) : count_(count) {
    registry::Environment environment;
    environment.now = [this] { return loop_.now(); };
    environment.rng = &rng_;
    registry_ = std::make_unique<registry::Registry>(*store_, environment);
    require(registry_->start().ok(), "the registry starts");
    run(request(Verb::create, "namespaces", "", R"({"metadata":{"name":"bench"}})"));
    run(request(Verb::create, "serviceaccounts", "", R"({"metadata":{"name":"default"}})"));
    loop_.run_ready();
  }

  // Not inlined, so that a profiler can count what is below it alone.
  [[gnu::noinline]] void measure(const std::string& verb) {
    std::uint64_t bytes = 0;
    const double start = cpu_seconds();
    for (int i = 0; i < count_; ++i) {
      bytes += run(request_of(verb, i));
      loop_.run_for(Duration::milliseconds(1));
    }
    std::printf("%-10s %6.1f us each, answers of %llu bytes\n", verb.c_str(),
                (cpu_seconds() - start) * 1e6 / count_,
                static_cast<unsigned long long>(bytes / static_cast<std::uint64_t>(count_)));
  }

 private:
  static void require(bool holds, const std::string& what) {
    if (holds) return;
    std::fprintf(stderr, "bench_registry: %s\n", what.c_str());
    std::exit(1);
  }

  Request request(Verb verb, const std::string& resource, std::string name,
                  const std::string& body) {
    Request out;
    out.verb = verb;
    out.version = "v1";
    out.resource = resource;
    if (resource != "namespaces") out.namespace_ = "bench";
    out.name = std::move(name);
    out.identity = {"admin", "", {"system:masters", "system:authenticated"}, {}};
    out.options.field_manager_default = "bench_registry";
    if (body.empty()) return out;
    out.body = codec::parse_json_document(body);
    out.body_text = body;
    return out;
  }

  Request patch(int i, PatchType type, const std::string& body) {
    Request out = request(Verb::patch, "pods", pod_name(i), "");
    out.patch_type = type;
    if (type != PatchType::apply) {
      out.body = codec::parse_json_document(body);
      out.body_text = body;
      return out;
    }
    auto document = codec::parse_yaml(body);
    require(document.ok(), "the configuration is YAML");
    out.body = codec::JsonDocument{std::move(document->value), {}};
    out.options.field_manager = "bench";
    out.options.force = true;
    return out;
  }

  Request request_of(const std::string& verb, int i) {
    const std::string mark = "m" + std::to_string(++marks_);
    if (verb == "create") return request(Verb::create, "pods", "", pod_text(pod_name(i), mark));
    if (verb == "update")
      return request(Verb::update, "pods", pod_name(i), pod_text(pod_name(i), mark));
    if (verb == "merge" || verb == "strategic")
      return patch(i, verb == "merge" ? PatchType::merge : PatchType::strategic,
                   R"({"metadata":{"labels":{"mark":")" + mark + R"("}}})");
    if (verb == "apply")
      return patch(i, PatchType::apply,
                   R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + pod_name(i) +
                       R"(","labels":{"applied":")" + mark + R"("}}})");
    require(verb == "delete", "there is no verb " + verb);
    return request(Verb::remove, "pods", pod_name(i), "");
  }

  static std::string pod_name(int i) { return "pod-" + std::to_string(i); }

  std::size_t run(const Request& what) {
    auto result = registry_->execute(what);
    require(result.ok(), result.ok() ? "" : result.error().message);
    return result->json().size();
  }

  const int count_;
  int marks_ = 0;
  host::VirtualLoop loop_;
  Prng rng_{1};
  std::unique_ptr<store::Store> store_ = store::Store::in_memory(loop_);
  std::unique_ptr<registry::Registry> registry_;
};

}  // namespace
}  // namespace keelson::bench

int main(int count, char** words) {
  const std::string verbs = count > 1 ? words[1] : "create,update,merge,strategic,apply,delete";
  keelson::bench::Bench bench(count > 2 ? std::atoi(words[2]) : 11'000);
  for (const std::string& verb : keelson::split(verbs, ',')) bench.measure(verb);
}
