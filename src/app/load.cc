#include "app/load.h"

#include <curl/curl.h>

#include <chrono>
#include <cstdio>
#include <deque>
#include <memory>

namespace keelson::app {
namespace {

Duration since_start() {
  static const auto start = std::chrono::steady_clock::now();
  return Duration::nanoseconds(
      std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count());
}

std::size_t discard(char*, std::size_t size, std::size_t count, void*) {
  return size * count;
}

struct Request {
  CURL* curl = nullptr;
  Duration due;
};

class Generator {
 public:
  explicit Generator(const LoadOptions& options) : options_(options), multi_(curl_multi_init()) {
    for (const std::string& header : options.headers)
      headers_ = curl_slist_append(headers_, header.c_str());
    for (const std::string& entry : options.resolve)
      resolve_ = curl_slist_append(resolve_, entry.c_str());
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(options.connections_max));
  }
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;
  ~Generator() {
    for (const auto& request : all_) {
      curl_multi_remove_handle(multi_, request->curl);
      curl_easy_cleanup(request->curl);
    }
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
    curl_slist_free_all(resolve_);
  }

  LoadReport run() {
    const Duration start = since_start();
    const Duration interval =
        Duration::nanoseconds(static_cast<std::int64_t>(1e9 / options_.requests_per_second));
    const auto total = static_cast<std::int64_t>(
        options_.requests_per_second * options_.duration.to_seconds() + 0.5);
    std::int64_t planned = 0;
    Duration line_due = start + Duration::seconds(1);
    while (true) {
      const Duration now = since_start();
      for (; planned < total && start + interval * planned <= now; ++planned)
        waiting_.push_back(start + interval * planned);
      while (!waiting_.empty() && in_flight_ < options_.connections_max) {
        send(waiting_.front());
        waiting_.pop_front();
      }
      int running = 0;
      curl_multi_perform(multi_, &running);
      collect();
      report_.elapsed = since_start() - start;
      if (now >= line_due) {
        line_due += Duration::seconds(1);
        if (!options_.quiet) print_line();
      }
      if (planned >= total && waiting_.empty() && in_flight_ == 0) break;
      const Duration next =
          planned < total ? start + interval * planned - since_start() : Duration::milliseconds(50);
      const auto wait = static_cast<int>(
          std::max<std::int64_t>(0, std::min<std::int64_t>(next.count_milliseconds(), 50)));
      curl_multi_poll(multi_, nullptr, 0, wait, nullptr);
    }
    if (!options_.quiet) std::fputc('\n', stderr);
    return std::move(report_);
  }

 private:
  void send(Duration due) {
    Request* request = nullptr;
    if (idle_.empty()) {
      all_.push_back(std::make_unique<Request>());
      request = all_.back().get();
      request->curl = curl_easy_init();
      prepare(*request);
    } else {
      request = idle_.back();
      idle_.pop_back();
    }
    request->due = due;
    ++in_flight_;
    ++report_.sent;
    curl_multi_add_handle(multi_, request->curl);
  }

  void prepare(Request& request) {
    CURL* curl = request.curl;
    curl_easy_setopt(curl, CURLOPT_URL, options_.url.c_str());
    curl_easy_setopt(curl, CURLOPT_PRIVATE, &request);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                     static_cast<long>(options_.timeout.count_milliseconds()));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(curl, CURLOPT_RESOLVE, resolve_);
    if (options_.insecure) {
      curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
      curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (!options_.body.empty()) {
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, options_.body.data());
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(options_.body.size()));
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, options_.method.c_str());
  }

  void collect() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* curl = message->easy_handle;
      const CURLcode result = message->data.result;
      Request* request = nullptr;
      curl_easy_getinfo(curl, CURLINFO_PRIVATE, &request);
      curl_multi_remove_handle(multi_, curl);
      --in_flight_;
      idle_.push_back(request);
      if (result != CURLE_OK) {
        ++report_.failed;
        ++report_.errors[curl_easy_strerror(result)];
        continue;
      }
      long code = 0;
      curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
      ++report_.codes[static_cast<int>(code)];
      if (code >= 500) ++report_.failed;
      report_.latency.add(since_start() - request->due);
    }
  }

  void print_line() const {
    std::fprintf(stderr, "\r%5.0fs  %8llu sent  %6llu failed  p50 %-8s p95 %-8s p99 %-8s ",
                 report_.elapsed.to_seconds(), static_cast<unsigned long long>(report_.sent),
                 static_cast<unsigned long long>(report_.failed), brief(0.5).c_str(),
                 brief(0.95).c_str(), brief(0.99).c_str());
    std::fflush(stderr);
  }
  std::string brief(double share) const {
    char text[32];
    std::snprintf(text, sizeof text, "%.2fms", report_.latency.quantile(share).to_seconds() * 1000);
    return text;
  }

  const LoadOptions& options_;
  CURLM* multi_;
  curl_slist* headers_ = nullptr;
  curl_slist* resolve_ = nullptr;
  std::vector<std::unique_ptr<Request>> all_;
  std::vector<Request*> idle_;
  std::deque<Duration> waiting_;
  int in_flight_ = 0;
  LoadReport report_;
};

constexpr double kShares[] = {0.5, 0.9, 0.95, 0.99, 0.999};
constexpr const char* kShareNames[] = {"p50", "p90", "p95", "p99", "p99.9"};

}  // namespace

codec::Value LoadReport::to_value() const {
  codec::Value value = codec::Value::object();
  value.set("sent", static_cast<std::int64_t>(sent));
  value.set("failed", static_cast<std::int64_t>(failed));
  value.set("seconds", elapsed.to_seconds());
  value.set("requestsPerSecond",
            elapsed > Duration() ? static_cast<double>(sent) / elapsed.to_seconds() : 0.0);
  for (std::size_t i = 0; i < std::size(kShares); ++i)
    value.edit("latencyMilliseconds")
        .set(kShareNames[i], latency.quantile(kShares[i]).to_seconds() * 1000);
  value.edit("latencyMilliseconds").set("mean", latency.mean().to_seconds() * 1000);
  value.edit("latencyMilliseconds").set("max", latency.max().to_seconds() * 1000);
  value.set("codes", codec::Value::object());
  for (const auto& [code, count] : codes)
    value.edit("codes").set(std::to_string(code), static_cast<std::int64_t>(count));
  value.set("errors", codec::Value::object());
  for (const auto& [text, count] : errors)
    value.edit("errors").set(text, static_cast<std::int64_t>(count));
  return value;
}

Result<LoadReport> run_load(const LoadOptions& options) {
  if (!options.url.starts_with("http://") && !options.url.starts_with("https://"))
    return Error{.reason = Reason::bad_request,
                 .message = "\"" + options.url + "\": a URL starts with http:// or https://"};
  if (!(options.requests_per_second > 0) || options.requests_per_second > 1e6)
    return Error{.reason = Reason::bad_request,
                 .message = "--rps must be above 0 and at most 1000000"};
  if (options.duration <= Duration())
    return Error{.reason = Reason::bad_request, .message = "--for must be longer than 0s"};
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  KEELSON_CHECK(once == CURLE_OK);
  return Generator(options).run();
}

void print_load_report(const LoadReport& report) {
  std::printf("%llu requests in %.1f s (%.1f/s), %llu failed\n",
              static_cast<unsigned long long>(report.sent), report.elapsed.to_seconds(),
              report.elapsed > Duration()
                  ? static_cast<double>(report.sent) / report.elapsed.to_seconds()
                  : 0.0,
              static_cast<unsigned long long>(report.failed));
  if (report.latency.count() == 0) {
    std::printf("no answers\n");
  } else {
    std::printf("latency  mean %.2f ms", report.latency.mean().to_seconds() * 1000);
    for (std::size_t i = 0; i < std::size(kShares); ++i)
      std::printf("  %s %.2f", kShareNames[i],
                  report.latency.quantile(kShares[i]).to_seconds() * 1000);
    std::printf("  max %.2f\n", report.latency.max().to_seconds() * 1000);
  }
  for (const auto& [code, count] : report.codes)
    std::printf("  HTTP %d  %llu\n", code, static_cast<unsigned long long>(count));
  for (const auto& [text, count] : report.errors)
    std::printf("  %s  %llu\n", text.c_str(), static_cast<unsigned long long>(count));
}

}  // namespace keelson::app
