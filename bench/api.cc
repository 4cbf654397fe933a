// Drives any Kubernetes API server with the same work, over TLS and HTTP/2, and prints one Markdown
// table: a second, p50, p99, and (with --pid, on the same machine) the server's CPU for each
// request and its memory. The server should have nothing that acts on pods, and its namespace is
// emptied.
//   bench_api --kubeconfig FILE [--context C] [--pid PID] [--pods 11000] [--nodes 0] [--seconds 5]
//             [--connections 16] [--streams 8] [--watches 10000] [--only NAME;...]
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <set>

#include "app/client.h"
#include "app/histogram.h"
#include "app/kubeconfig.h"
#include "base/text.h"
#include "bench/http2_client.h"
#include "bench/pod.h"

namespace keelson::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string kubeconfig, context;
  int pid = 0, pods = 11000, nodes = 0, connections = 16, streams = 8, watches = 10000;
  double seconds = 5;
  std::vector<std::string> only;
};

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Duration elapsed(Clock::time_point start) {
  return Duration::nanoseconds(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count());
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "bench_api: %s\n", why.c_str());
  std::exit(1);
}

// As a machine of a cloud registers itself: labels, sizes, conditions, a page of images.
std::string node_text(int i) {
  const std::string name = "node-" + std::to_string(i);
  std::string images, conditions;
  for (int j = 0; j < 12; ++j)
    images += std::string(j == 0 ? "" : ",") + R"({"names":["registry.example/shop/part-)" +
              std::to_string(j) +
              R"(@sha256:4f1c9a67be0d1f0c8e42d5b7a39c6f80d1e5b2a7c3948f60be1d2c3a4958f607",)" +
              R"("registry.example/shop/part-)" + std::to_string(j) + R"(:1.4.2"],"sizeBytes":)" +
              std::to_string(40'000'000 + j) + "}";
  for (const char* type : {"MemoryPressure", "DiskPressure", "PIDPressure", "Ready"})
    conditions += std::string(conditions.empty() ? "" : ",") + R"({"type":")" + type +
                  R"(","status":"False","reason":"KubeletHasNo)" + type +
                  R"(","message":"kubelet has no )" + type +
                  R"(","lastHeartbeatTime":"2026-01-01T00:00:00Z",)"
                  R"("lastTransitionTime":"2026-01-01T00:00:00Z"})";
  return R"({"apiVersion":"v1","kind":"Node","metadata":{"name":")" + name +
         R"(","labels":{"kubernetes.io/arch":"amd64","kubernetes.io/os":"linux","kubernetes.io/hostname":")" +
         name + R"(","topology.kubernetes.io/zone":"zone-)" + std::to_string(i % 3) +
         R"(","node.kubernetes.io/instance-type":"m8"}},"spec":{"podCIDR":"10.0.0.0/24","providerID":"cloud:///)" +
         name + R"("},"status":{"capacity":{"cpu":"64","memory":"256Gi","pods":"110"},)" +
         R"("allocatable":{"cpu":"63","memory":"250Gi","pods":"110"},"conditions":[)" + conditions +
         R"(],"images":[)" + images + R"(]}})";
}

class Bench {
 public:
  explicit Bench(Options options, app::Endpoint endpoint)
      : options_(std::move(options)), endpoint_(std::move(endpoint)) {}

  void run() {
    prepare();
    std::printf("| what | a second | p50 | p99 | server CPU each |\n|---|---|---|---|---|\n");
    single_creates();
    make_nodes();
    creates();
    on_pods("get", [this](int i) { return Request{.path = pod_path(i)}; });
    on_pods("update", [this](int i) {
      return Request{
          .method = "PUT", .path = pod_path(i), .body = pod_text(pod_name(i), next_mark())};
    });
    on_pods("merge patch", [this](int i) {
      return Request{.method = "PATCH",
                     .path = pod_path(i),
                     .body = R"({"metadata":{"labels":{"mark":")" + next_mark() + R"("}}})",
                     .content_type = "application/merge-patch+json"};
    });
    on_pods("apply", [this](int i) {
      return Request{.method = "PATCH",
                     .path = pod_path(i) + "?fieldManager=bench&force=true",
                     .body = R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" +
                             pod_name(i) + R"(","labels":{"applied":")" + next_mark() + R"("}}})",
                     .content_type = "application/apply-patch+yaml"};
    });
    lists("list, JSON", "application/json");
    lists("list, protobuf", "application/vnd.kubernetes.protobuf");
    stalls();
    watches();
    on_pods(
        "delete", [this](int i) { return Request{.method = "DELETE", .path = pod_path(i)}; }, true);
    if (options_.pid != 0)
      std::printf("\nserver: %.0f MB resident at the end, %.0f MB after the pods were made\n",
                  memory(), memory_with_pods_);
  }

 private:
  static constexpr const char* kPods = "/api/v1/namespaces/bench/pods";
  static constexpr const char* kNodes = "/api/v1/nodes";

  bool wanted(const std::string& name) const {
    return options_.only.empty() ||
           std::find(options_.only.begin(), options_.only.end(), name) != options_.only.end();
  }
  static std::string pod_name(int i) { return "pod-" + std::to_string(i); }
  static std::string pod_path(int i) { return std::string(kPods) + "/" + pod_name(i); }
  std::string next_mark() { return "m" + std::to_string(++mark_); }

  void prepare() {
    app::Client client(endpoint_);
    const auto make = [&client](const std::string& path, const std::string& body) {
      auto answer = client.request("POST", path, body, {});
      if (!answer.ok()) give_up(answer.error().message);
      if (answer->code != 201 && answer->code != 409) give_up(answer->body);
    };
    make("/api/v1/namespaces", R"({"metadata":{"name":"bench"}})");
    make("/api/v1/namespaces/bench/serviceaccounts", R"({"metadata":{"name":"default"}})");
    for (const std::string& path : {std::string(kPods), std::string(kNodes)}) {
      if (path == kNodes && options_.nodes == 0) continue;
      auto emptied = client.request("DELETE", path, "", {.timeout = Duration::seconds(300)});
      if (!emptied.ok()) give_up(emptied.error().message);
    }
  }

  std::unique_ptr<Http2Client> connect(int connections) {
    auto client = Http2Client::open(endpoint_, connections);
    if (!client.ok()) give_up(client.error().message);
    return std::move(*client);
  }

  // CPU seconds of the server so far; 0 without a process.
  double processor() const {
    if (options_.pid == 0) return 0;
    std::ifstream file("/proc/" + std::to_string(options_.pid) + "/stat");
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto fields = split(text.substr(text.rfind(')') + 2), ' ');
    if (fields.size() < 13) give_up("there is no process " + std::to_string(options_.pid));
    return (std::atof(fields[11].c_str()) + std::atof(fields[12].c_str())) /
           static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  // In MB; VmRSS is what is resident, VmHWM the most that ever was.
  double memory(const char* which = "VmRSS:") const {
    std::ifstream file("/proc/" + std::to_string(options_.pid) + "/status");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with(which)) return std::atof(line.c_str() + 6) / 1024;
    return 0;
  }

  void print(const std::string& what, double rate, const app::Histogram& times, double cpu) {
    const double each = times.count() == 0 ? 0 : cpu / static_cast<double>(times.count()) * 1e6;
    std::printf("| %s | %.0f | %.2f ms | %.2f ms | %.0f µs |\n", what.c_str(), rate,
                times.quantile(0.5).to_seconds() * 1000, times.quantile(0.99).to_seconds() * 1000,
                each);
    std::fflush(stdout);
  }

  // Keeps every stream busy with what next() gives until it gives nothing, or time is up.
  void load(const std::string& what, int connections, int streams, double seconds,
            const std::function<bool(Request&)>& next) {
    const auto client = connect(connections);
    app::Histogram times;
    int busy = 0;
    bool over = false;
    const double cpu = processor();
    const auto start = Clock::now();
    const std::function<void(int)> launch = [&](int connection) {
      auto request = std::make_shared<Request>();
      if (over || since(start) > seconds || !next(*request)) {
        over = true;
        return;
      }
      ++busy;
      const auto sent = Clock::now();
      std::string answer_start;
      request->on_end = [&, connection, sent, what](int status) {
        if (status < 200 || status > 299)
          give_up(what + ": the server answered " + std::to_string(status));
        times.add(elapsed(sent));
        --busy;
        launch(connection);
      };
      client->send(connection, std::move(*request));
    };
    for (int stream = 0; stream < streams; ++stream)
      for (int connection = 0; connection < connections; ++connection) launch(connection);
    while (busy > 0)
      if (auto stepped = client->step(); !stepped.ok()) give_up(stepped.error().message);
    print(what, static_cast<double>(times.count()) / since(start), times, processor() - cpu);
  }

  void single_creates() {
    if (!wanted("create-1")) return;
    int count = 0;
    load("create, 1 connection", 1, 1, options_.seconds, [&count](Request& request) {
      request = {.method = "POST",
                 .path = kPods,
                 .body = pod_text("single-" + std::to_string(count++), "m0")};
      return true;
    });
    app::Client client(endpoint_);
    for (int i = 0; i < count; ++i)
      (void)client.request("DELETE", std::string(kPods) + "/single-" + std::to_string(i), "", {});
  }

  std::string crowd() const {
    return std::to_string(options_.connections) + "x" + std::to_string(options_.streams);
  }

  void make_nodes() {
    if (options_.nodes == 0) return;
    int count = 0;
    load("create nodes, " + crowd(), options_.connections, options_.streams, 1e9,
         [&](Request& request) {
           if (count == options_.nodes) return false;
           request = {.method = "POST", .path = kNodes, .body = node_text(count++)};
           return true;
         });
  }

  // Always: the others need the pods.
  void creates() {
    int count = 0;
    load("create, " + crowd(), options_.connections, options_.streams, 1e9, [&](Request& request) {
      if (count == options_.pods) return false;
      request = {.method = "POST", .path = kPods, .body = pod_text(pod_name(count++), "m0")};
      return true;
    });
    if (options_.pid != 0) memory_with_pods_ = memory();
  }

  void on_pods(const std::string& what, const std::function<Request(int)>& make,
               bool once = false) {
    if (!wanted(what)) return;
    int count = 0;
    load(what + ", " + crowd(), options_.connections, options_.streams,
         once ? 1e9 : options_.seconds, [&](Request& request) {
           if (once && count == options_.pods) return false;
           request = make(count++ % options_.pods);
           return true;
         });
  }

  // One at a time, the whole collection.
  void lists(const std::string& what, const std::string& accept) {
    if (!wanted(what)) return;
    std::size_t bytes = 0;
    int count = 0;
    load(what + ", all pods", 1, 1, 1e9, [&](Request& request) {
      if (count++ == 5) return false;
      bytes = 0;
      request = {.path = kPods, .accept = accept, .on_data = [&bytes](std::string_view data) {
                   bytes += data.size();
                 }};
      return true;
    });
    std::fprintf(stderr, "%s: %.1f MB\n", what.c_str(), static_cast<double>(bytes) / 1e6);
    if (options_.pid != 0)
      std::fprintf(stderr, "server: %.0f MB resident, %.0f MB at most so far\n", memory("VmRSS:"),
                   memory("VmHWM:"));
  }

  // How long others wait while the whole collection is listed: small GETs, one after another.
  void stalls() {
    for (const char* accept : {"application/json", "application/vnd.kubernetes.protobuf"}) {
      if (!wanted("stalls")) continue;
      const auto client = connect(2);
      bool listing = true, asking = false;
      client->send(
          0, {.path = kPods, .accept = accept, .on_end = [&listing](int) { listing = false; }});
      app::Histogram times;
      const double cpu = processor();
      const auto start = Clock::now();
      while (listing || asking) {
        if (!asking) {
          asking = true;
          const auto sent = Clock::now();
          client->send(1, {.path = "/api/v1/namespaces/bench", .on_end = [&, sent](int) {
                             asking = false;
                             times.add(elapsed(sent));
                           }});
        }
        if (auto stepped = client->step(); !stepped.ok()) give_up(stepped.error().message);
      }
      print(std::string("get during a list as ") + accept,
            static_cast<double>(times.count()) / since(start), times, processor() - cpu);
      std::fprintf(stderr, "longest: %.1f ms\n", times.quantile(1).to_seconds() * 1000);
    }
  }

  // All of them watch one namespace, in which a few pods change: each change goes to each watch.
  void watches() {
    if (!wanted("watch")) return;
    constexpr int kPerConnection = 50, kChanges = 40;
    const auto client = connect((options_.watches + kPerConnection - 1) / kPerConnection + 1);
    const int writer = client->connections() - 1;
    std::uint64_t lines = 0;
    for (int i = 0; i < options_.watches; ++i)
      client->send(
          i / kPerConnection,
          {.path = "/api/v1/namespaces/bench/configmaps?watch=true&resourceVersion=0",
           .on_data =
               [&lines](std::string_view data) {
                 lines += static_cast<std::uint64_t>(std::count(data.begin(), data.end(), '\n'));
               },
           .on_end = [](int status) { give_up("a watch ended: " + std::to_string(status)); }});
    const auto step = [&client] {
      if (auto stepped = client->step(); !stepped.ok()) give_up(stepped.error().message);
    };
    bool made = false;
    client->send(writer, {.method = "POST",
                          .path = "/api/v1/namespaces/bench/configmaps",
                          .body = R"({"metadata":{"generateName":"watched-"},"data":{"a":"0"}})",
                          .on_end = [&made](int) { made = true; }});
    const auto all = static_cast<std::uint64_t>(options_.watches);
    const auto begun = Clock::now();
    while (!made || lines < all) {
      if (since(begun) > 120) give_up("the watches do not all begin");
      step();
    }
    lines = 0;
    app::Histogram times;
    const double cpu = processor();
    const auto start = Clock::now();
    for (int i = 0; i < kChanges; ++i) {
      const auto sent = Clock::now();
      client->send(writer,
                   {.method = "POST",
                    .path = "/api/v1/namespaces/bench/configmaps",
                    .body = R"({"metadata":{"generateName":"watched-"},"data":{"a":"1"}})"});
      while (lines < all * static_cast<std::uint64_t>(i + 1)) step();
      times.add(elapsed(sent));
    }
    const double spent = since(start);
    std::printf(
        "| one change to %d watches (events a second) | %.0f | %.2f ms | %.2f ms | %.1f µs |\n",
        options_.watches, static_cast<double>(lines) / spent,
        times.quantile(0.5).to_seconds() * 1000, times.quantile(0.99).to_seconds() * 1000,
        (processor() - cpu) / static_cast<double>(lines) * 1e6);
  }

  const Options options_;
  const app::Endpoint endpoint_;
  int mark_ = 0;
  double memory_with_pods_ = 0;
};

int run(int count, char** words) {
  Options options;
  CLI::App line("Drives a Kubernetes API server and prints what it does in a second");
  line.add_option("--kubeconfig", options.kubeconfig)->required();
  line.add_option("--context", options.context);
  line.add_option("--pid", options.pid, "the server's process, for its CPU and memory");
  line.add_option("--pods", options.pods)->check(CLI::PositiveNumber);
  line.add_option("--nodes", options.nodes, "made before the pods");
  line.add_option("--seconds", options.seconds)->check(CLI::PositiveNumber);
  line.add_option("--connections", options.connections)->check(CLI::PositiveNumber);
  line.add_option("--streams", options.streams)->check(CLI::PositiveNumber);
  line.add_option("--watches", options.watches)->check(CLI::PositiveNumber);
  line.add_option("--only", options.only,
                  "create-1, get, update, merge patch, apply, list, JSON ...")
      ->delimiter(';');
  CLI11_PARSE(line, count, words);
  auto endpoint = app::read_kubeconfig(options.kubeconfig, options.context);
  if (!endpoint.ok()) give_up(endpoint.error().message);
  Bench(options, *endpoint).run();
  return 0;
}

}  // namespace
}  // namespace keelson::bench

int main(int count, char** words) {
  return keelson::bench::run(count, words);
}
