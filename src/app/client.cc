#include "app/client.h"

#include <curl/curl.h>

#include <cctype>
#include <cstdio>

#include "codec/json.h"

namespace keelson::app {
namespace {

struct Sink {
  std::string body;
  std::function<bool(std::string_view)> on_data;
};

std::size_t take(char* data, std::size_t size, std::size_t count, void* user) {
  auto* sink = static_cast<Sink*>(user);
  const std::string_view bytes(data, size * count);
  if (sink->on_data) return sink->on_data(bytes) ? bytes.size() : 0;
  sink->body += bytes;
  return bytes.size();
}

curl_blob blob_of(const std::string& text) {
  return {const_cast<char*>(text.data()), text.size(), CURL_BLOB_NOCOPY};
}

Reason reason_of(std::string_view reason, int code) {
  struct Name {
    std::string_view text;
    Reason reason;
  };
  static constexpr Name kNames[] = {
      {"NotFound", Reason::not_found},     {"AlreadyExists", Reason::already_exists},
      {"Conflict", Reason::conflict},      {"Invalid", Reason::invalid},
      {"Forbidden", Reason::forbidden},    {"Unauthorized", Reason::unauthorized},
      {"BadRequest", Reason::bad_request}, {"Expired", Reason::expired}};
  for (const Name& name : kNames)
    if (name.text == reason) return name.reason;
  if (code == 404) return Reason::not_found;
  return code < 500 ? Reason::bad_request : Reason::internal_error;
}

// What every request has in common. The blobs must outlive the transfer.
struct Transfer {
  CURL* curl;
  std::string url;
  Sink sink = {};
  curl_slist* headers = nullptr;
  curl_blob ca, cert, key;

  Transfer(CURL* handle, const Endpoint& endpoint, std::string_view path)
      : curl(handle),
        url(endpoint.server + std::string(path)),
        ca(blob_of(endpoint.ca_pem)),
        cert(blob_of(endpoint.cert_pem)),
        key(blob_of(endpoint.key_pem)) {
    curl_easy_reset(curl);
    add_header("User-Agent: keelson");
    if (!endpoint.token.empty()) add_header("Authorization: Bearer " + endpoint.token);
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &sink);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (ca.len > 0) curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &ca);
    if (cert.len > 0) {
      curl_easy_setopt(curl, CURLOPT_SSLCERT_BLOB, &cert);
      curl_easy_setopt(curl, CURLOPT_SSLKEY_BLOB, &key);
    }
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() { curl_slist_free_all(headers); }

  void add_header(const std::string& line) { headers = curl_slist_append(headers, line.c_str()); }
  CURLcode perform() {
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    return curl_easy_perform(curl);
  }
  int status() const {
    long code = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    return static_cast<int>(code);
  }
};

Error no_answer(const Endpoint& endpoint, CURLcode code) {
  return {.reason = Reason::service_unavailable,
          .message = endpoint.server + ": " + curl_easy_strerror(code)};
}

}  // namespace

struct Client::Handle {
  CURL* curl = nullptr;
  ~Handle() {
    if (curl != nullptr) curl_easy_cleanup(curl);
  }
};

Client::Client(Endpoint endpoint)
    : endpoint_(std::move(endpoint)), handle_(std::make_unique<Handle>()) {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  KEELSON_CHECK(once == CURLE_OK);
  handle_->curl = curl_easy_init();
  KEELSON_CHECK(handle_->curl != nullptr);
}

Client::~Client() = default;
Client::Client(Client&&) noexcept = default;

Result<HttpAnswer> Client::request(std::string_view method, std::string_view path,
                                   std::string_view body, const Options& options) {
  Transfer transfer(handle_->curl, endpoint_, path);
  CURL* curl = transfer.curl;
  const std::string verb(method), payload(body);
  transfer.add_header("Accept: " + options.accept);
  transfer.add_header("Expect:");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                   static_cast<long>(options.timeout.count_milliseconds()));
  if (!body.empty()) {
    transfer.add_header("Content-Type: " + options.content_type);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, payload.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(payload.size()));
  }
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, verb.c_str());
  const CURLcode code = transfer.perform();
  if (code != CURLE_OK) return no_answer(endpoint_, code);
  const char* type = nullptr;
  curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
  return HttpAnswer{transfer.status(), std::move(transfer.sink.body), type != nullptr ? type : ""};
}

Result<codec::Value> Client::get(std::string_view path) {
  return send("GET", path, {});
}

Result<codec::Value> Client::send(std::string_view method, std::string_view path,
                                  std::string_view body, std::string_view content_type) {
  TRY(HttpAnswer answer, request(method, path, body, {.content_type = std::string(content_type)}));
  auto value = codec::parse_json(answer.body);
  if (answer.code >= 400)
    return error_of_status(value.ok() ? *value : codec::Value(answer.body), answer.code);
  return value;
}

Result<int> Client::stream(std::string_view path, std::function<bool(std::string_view)> on_data) {
  Transfer transfer(handle_->curl, endpoint_, path);
  bool stopped = false;
  std::string refusal;
  transfer.sink.on_data = [&](std::string_view bytes) {
    if (transfer.status() >= 400) {
      refusal += bytes;
      return true;
    }
    stopped = !on_data(bytes);
    return !stopped;
  };
  const CURLcode code = transfer.perform();
  if (code != CURLE_OK && !stopped) return no_answer(endpoint_, code);
  if (transfer.status() < 400) return transfer.status();
  const auto value = codec::parse_json(refusal);
  return error_of_status(value.ok() ? *value : codec::Value(refusal), transfer.status());
}

std::string path_segment(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.') {
      out += c;
      continue;
    }
    char text[4];
    std::snprintf(text, sizeof text, "%%%02X",
                  static_cast<unsigned>(static_cast<unsigned char>(c)));
    out += text;
  }
  return out == "." ? "%2E" : out == ".." ? "%2E%2E" : out;
}

Error error_of_status(const codec::Value& status, int code) {
  Error error{.reason = reason_of(status["reason"].as_string(), code),
              .message = status["message"].str()};
  if (status.is_string()) error.message = status.str();
  if (error.message.empty()) error.message = "the server answered " + std::to_string(code);
  for (const codec::Value& cause : status.at("details.causes").elements())
    error.causes.push_back({cause["reason"].str(), cause["field"].str(), cause["message"].str()});
  return error;
}

}  // namespace keelson::app
