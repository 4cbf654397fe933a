#include "app/golden/raw_http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <chrono>

#include "base/text.h"

namespace keelson::app {
namespace {

struct Collected {
  RawAnswer answer;
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  static_cast<Collected*>(user)->answer.body.append(data, size * count);
  return size * count;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  const std::string_view line(data, size * count);
  Headers& headers = static_cast<Collected*>(user)->answer.headers;
  if (line.substr(0, 5) == "HTTP/") headers.clear();
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos)
    headers.emplace_back(to_lower(line.substr(0, colon)),
                         std::string(trim(line.substr(colon + 1))));
  return size * count;
}

bool has_header(const Headers& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const auto& header) { return to_lower(header.first) == name; });
}

}  // namespace

struct RawHttp::Handle {
  explicit Handle(const Endpoint& endpoint_, bool identity)
      : endpoint(endpoint_),
        with_identity(identity),
        easy(curl_easy_init()),
        multi(curl_multi_init()) {}
  ~Handle() {
    curl_multi_cleanup(multi);
    curl_easy_cleanup(easy);
    curl_slist_free_all(list);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  void add_header(const std::string& line) { list = curl_slist_append(list, line.c_str()); }

  static curl_blob blob(const std::string& text) {
    return {const_cast<char*>(text.data()), text.size(), CURL_BLOB_NOCOPY};
  }

  void prepare(const RawRequest& request, Collected& into) {
    curl_easy_reset(easy);
    curl_slist_free_all(list);
    list = nullptr;
    url = endpoint.server + request.path;
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, 35L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    if (endpoint.ca_pem.empty()) {
      curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    } else {
      ca = blob(endpoint.ca_pem);
      curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca);
    }
    if (with_identity && !endpoint.cert_pem.empty()) {
      cert = blob(endpoint.cert_pem);
      key = blob(endpoint.key_pem);
      curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &cert);
      curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    const bool writes =
        request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
    if (request.method == "HEAD") {
      curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (request.has_body || writes) {
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request.body.size()));
    }
    // Headers that libcurl adds on its own are taken out.
    for (const auto& [name, value] : request.headers)
      add_header(value.empty() ? name + ';' : name + ": " + value);
    for (const char* name : {"accept", "content-type", "expect"})
      if (!has_header(request.headers, name)) add_header(std::string(name) + ':');
    if (!has_header(request.headers, "accept-encoding")) add_header("Accept-Encoding: identity");
    if (with_identity && !endpoint.token.empty() && !has_header(request.headers, "authorization"))
      add_header("Authorization: Bearer " + endpoint.token);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &into);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &into);
  }

  Result<RawAnswer> finish(CURLcode code, Collected& collected) const {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == 0)
      return Error{.reason = Reason::service_unavailable, .message = curl_easy_strerror(code)};
    collected.answer.code = static_cast<int>(status);
    return std::move(collected.answer);
  }

  const Endpoint& endpoint;
  bool with_identity;
  CURL* easy;
  CURLM* multi;
  curl_slist* list = nullptr;
  curl_blob ca{}, cert{}, key{};
  std::string url;
};

RawHttp::RawHttp(const Endpoint& endpoint)
    : with_identity_(std::make_unique<Handle>(endpoint, true)),
      bare_(std::make_unique<Handle>(endpoint, false)) {}
RawHttp::~RawHttp() = default;

Result<RawAnswer> RawHttp::request(const RawRequest& request) {
  Handle& handle = request.bare ? *bare_ : *with_identity_;
  for (int attempt = 0;; ++attempt) {
    Collected collected;
    handle.prepare(request, collected);
    const CURLcode code = curl_easy_perform(handle.easy);
    auto answer = handle.finish(code, collected);
    if (answer.ok() || attempt == 1) return answer;
  }
}

Result<RawAnswer> RawHttp::read_until(const RawRequest& request, Duration limit,
                                      const std::function<bool(std::string_view)>& enough) {
  Handle& handle = request.bare ? *bare_ : *with_identity_;
  Collected collected;
  handle.prepare(request, collected);
  curl_multi_add_handle(handle.multi, handle.easy);
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::nanoseconds(limit.count_nanoseconds());
  CURLcode code = CURLE_OK;
  for (int running = 1; running != 0;) {
    curl_multi_perform(handle.multi, &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(handle.multi, &left))
      if (message->msg == CURLMSG_DONE) code = message->data.result;
    if (running == 0 || enough(collected.answer.body) || std::chrono::steady_clock::now() >= end)
      break;
    curl_multi_poll(handle.multi, nullptr, 0, 20, nullptr);
  }
  auto answer = handle.finish(code, collected);
  curl_multi_remove_handle(handle.multi, handle.easy);
  return answer;
}

std::string encoded_path(std::string_view path) {
  constexpr std::string_view safe = "/?&=:%,!~*'()+-._;@";
  std::string out;
  for (const char c : path) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 ||
        safe.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    constexpr std::string_view hex = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += hex[byte >> 4];
    out += hex[byte & 15];
  }
  return out;
}

}  // namespace keelson::app
