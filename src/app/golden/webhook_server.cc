// Blocking, a thread for each connection: a handful of calls at a time, for the time of one run.
#include "app/golden/webhook_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

#include "app/golden/ordered_json.h"
#include "base/text.h"
#include "codec/json.h"

namespace keelson::app {
namespace {

using codec::Array;
using codec::Member;
using codec::Value;

constexpr std::size_t kRequestMax = 16 << 20;

Value operation(std::string_view op, std::string_view path, Value value = {}) {
  Value out = Value::object({{"op", op}, {"path", path}});
  if (!value.is_null()) out.set("value", std::move(value));
  return out;
}

Value label(const Value& object, std::string_view key, std::string_view value) {
  if (!object["metadata"]["labels"].empty())
    return operation("add", "/metadata/labels/" + std::string(key), value);
  return operation("add", "/metadata/labels", Value::object({{key, value}}));
}

Value count(const Value& object) {
  const Value& annotations = object["metadata"]["annotations"];
  const std::string next =
      std::to_string(parse_int(annotations["count"].as_string()).value_or(0) + 1);
  if (!annotations.empty()) return operation("add", "/metadata/annotations/count", next);
  return operation("add", "/metadata/annotations", Value::object({{"count", next}}));
}

Value patching(const Value& op) {
  return Value::object({{"allowed", true},
                        {"patchType", "JSONPatch"},
                        {"patch", to_base64(codec::to_json(Value::array({op})))}});
}

Value denied(Value status) {
  return Value::object({{"allowed", false}, {"status", std::move(status)}});
}

// The request as JSON with sorted members, without its uid; of objects only the names of members.
std::string echo_of(const Value& request) {
  Value seen = request;
  seen.erase("uid");
  for (const char* name : {"object", "oldObject", "options"}) {
    if (!seen[name].is_object()) continue;
    Array names;
    for (const Member& m : request[name].members()) names.push_back(m.key_value);
    seen.set(name, Value(std::move(names)));
  }
  return OrderedJson::of(seen).dump();
}

Value admission(const std::string& path, const Value& request) {
  const Value& object = request["object"];
  const Value allowed = Value::object({{"allowed", true}});
  const auto with = [&](std::string_view name, Value value) {
    Value out = allowed;
    out.set(name, std::move(value));
    return out;
  };
  if (path == "/deny") return denied(Value::object({{"message", "no, said the test"}}));
  if (path == "/deny-silent") return Value::object({{"allowed", false}});
  if (path == "/deny-code") {
    const Value cause = Value::object(
        {{"field", "spec.x"}, {"message", "is bad"}, {"reason", "FieldValueInvalid"}});
    return denied(Value::object({{"code", 422},
                                 {"reason", "Invalid"},
                                 {"message", "bad shape"},
                                 {"details", Value::object({{"causes", Value::array({cause})}})}}));
  }
  if (path == "/deny-500")
    return denied(Value::object({{"code", 500}, {"message", "inner trouble"}}));
  if (path == "/warn")
    return with("warnings", Value::array({"first warning", "second \"quoted\" warning", ""}));
  if (path == "/audit") return with("auditAnnotations", Value::object({{"seen", "yes"}}));
  if (path == "/echo") return denied(Value::object({{"message", echo_of(request)}}));
  if (path == "/label" || path == "/validating-patch")
    return patching(label(object, "hooked", "yes"));
  if (path == "/second") return patching(label(object, "second", "yes"));
  if (path == "/invalid") return patching(label(object, "bad key!", "x"));
  if (path == "/kind") return patching(operation("replace", "/kind", "Other"));
  if (path == "/rename") return patching(operation("replace", "/metadata/name", "renamed"));
  if (path == "/missing") return patching(operation("remove", "/data/nope"));
  if (path == "/count") return patching(count(object));
  if (path == "/badpatch") {
    Value out = with("patchType", "JSONPatch");
    out.set("patch", to_base64("{not json"));
    return out;
  }
  if (path == "/patchtype" || path == "/nopatchtype") {
    Value out = patching(label(object, "hooked", "yes"));
    if (path == "/patchtype")
      out.set("patchType", "Merge");
    else
      out.erase("patchType");
    return out;
  }
  return allowed;
}

std::string version_of(std::string_view api_version) {
  return std::string(api_version.substr(api_version.rfind('/') + 1));
}

Value conversion(const std::string& path, const Value& request) {
  if (path == "/convert-fail")
    return Value::object(
        {{"result", Value::object({{"status", "Failed"}, {"message", "cannot convert"}})}});
  Value objects = Value::array();
  const Value& wanted = request["desiredAPIVersion"];
  for (const Value& each : request["objects"].elements()) {
    Value object = each;
    const std::string from = version_of(each["apiVersion"].as_string());
    object.set("apiVersion", wanted);
    if (!object["spec"].is_object()) object.set("spec", Value::object());
    object.edit("spec").set("via", from + "->" + version_of(wanted.as_string()));
    if (path == "/convert-name") object.edit("metadata").set("name", "changed");
    if (path == "/convert-label") object.edit("metadata").edit("labels").set("c", "d");
    objects.push_back(std::move(object));
  }
  if (path == "/convert-short" && !objects.empty()) objects.erase(0);
  return Value::object(
      {{"convertedObjects", objects}, {"result", Value::object({{"status", "Success"}})}});
}

// A self-signed certificate for 127.0.0.1, and its key, as PEM.
bool make_certificate(X509*& certificate, EVP_PKEY*& key) {
  key = EVP_EC_gen("P-256");
  certificate = X509_new();
  if (key == nullptr || certificate == nullptr) return false;
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 30L * 24 * 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("webhook"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  for (const auto& [id, text] : {std::pair(NID_subject_alt_name, "IP:127.0.0.1"),
                                 std::pair(NID_basic_constraints, "critical,CA:TRUE")}) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, text);
    if (extension == nullptr) return false;
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  return X509_sign(certificate, key, EVP_sha256()) != 0;
}

std::string pem_of(X509* certificate) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return out;
}

std::string reason_of(int code) {
  return code == 200 ? "OK" : "Status";
}

}  // namespace

WebhookAnswer webhook_answer(const std::string& path, const Value& review) {
  if (path == "/empty") return {200, ""};
  if (path == "/text") return {200, "hello"};
  if (path == "/500" || path == "/404" || path == "/302")
    return {static_cast<int>(*parse_int(path.substr(1))), "boom"};
  const Value& request = review["request"];
  Value response = review["kind"].as_string() == "ConversionReview" ? conversion(path, request)
                                                                    : admission(path, request);
  response.set("uid", path == "/wronguid" ? Value("another") : request["uid"]);
  Value full = Value::object({{"apiVersion", path == "/v1beta1" ? Value("admission.k8s.io/v1beta1")
                                                                : review["apiVersion"]},
                              {"kind", review["kind"]}});
  if (path != "/noresponse") full.set("response", std::move(response));
  return {200, codec::to_json(full)};
}

struct WebhookServer::State {
  ~State() {
    stopping = true;
    if (listener >= 0) shutdown(listener, SHUT_RDWR);
    if (accepting.joinable()) accepting.join();
    {
      const std::lock_guard lock(mutex);
      for (const int fd : open) shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : serving) thread.join();
    if (listener >= 0) close(listener);
    SSL_CTX_free(context);
  }

  void accept_all() {
    while (!stopping) {
      const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) {
        if (stopping || errno == EINVAL || errno == EBADF) return;
        continue;
      }
      const std::lock_guard lock(mutex);
      open.push_back(fd);
      serving.emplace_back([this, fd] { serve(fd); });
    }
  }

  void serve(int fd) {
    SSL* tls = SSL_new(context);
    SSL_set_fd(tls, fd);
    if (SSL_accept(tls) == 1) {
      std::string input;
      while (answer_one(tls, input)) {}
      SSL_shutdown(tls);
    }
    SSL_free(tls);
    const std::lock_guard lock(mutex);
    open.remove(fd);
    close(fd);
  }

  static bool read_more(SSL* tls, std::string& input) {
    char buffer[16 * 1024];
    const int got = SSL_read(tls, buffer, sizeof buffer);
    if (got <= 0 || input.size() > kRequestMax) return false;
    input.append(buffer, static_cast<std::size_t>(got));
    return true;
  }

  // Requests have a Content-Length or none; false: the connection ends.
  static bool answer_one(SSL* tls, std::string& input) {
    std::size_t head = 0;
    while ((head = input.find("\r\n\r\n")) == std::string::npos)
      if (!read_more(tls, input)) return false;
    const std::string headers = to_lower(input.substr(0, head));
    const std::string path = split(input.substr(0, input.find('\r')), ' ').at(1);
    std::size_t length = 0;
    if (const std::size_t at = headers.find("\r\ncontent-length:"); at != std::string::npos)
      length =
          static_cast<std::size_t>(parse_int(trim(std::string_view(headers).substr(
                                                 at + 17, headers.find("\r\n", at + 2) - at - 17)))
                                       .value_or(0));
    if (headers.find("expect: 100-continue") != std::string::npos) {
      constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      SSL_write(tls, go_on.data(), static_cast<int>(go_on.size()));
    }
    while (input.size() < head + 4 + length)
      if (!read_more(tls, input)) return false;
    const auto review = codec::parse_json(std::string_view(input).substr(head + 4, length));
    input.erase(0, head + 4 + length);
    const std::string bare = path.substr(0, path.find('?'));
    if (bare == "/slow") std::this_thread::sleep_for(std::chrono::seconds(3));
    const WebhookAnswer answer = webhook_answer(bare, review.ok() ? *review : Value());
    const std::string text = "HTTP/1.1 " + std::to_string(answer.code) + ' ' +
                             reason_of(answer.code) +
                             "\r\nContent-Type: application/json\r\nContent-Length: " +
                             std::to_string(answer.body.size()) + "\r\n\r\n" + answer.body;
    return SSL_write(tls, text.data(), static_cast<int>(text.size())) > 0;
  }

  SSL_CTX* context = nullptr;
  int listener = -1;
  std::atomic<bool> stopping = false;
  std::thread accepting;
  std::mutex mutex;
  std::list<int> open;
  std::list<std::thread> serving;
  std::map<std::string, std::string> variables;
};

WebhookServer::WebhookServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
WebhookServer::~WebhookServer() = default;

const std::map<std::string, std::string>& WebhookServer::variables() const {
  return state_->variables;
}

Result<std::unique_ptr<WebhookServer>> WebhookServer::start() {
  const auto failed = [](std::string what) {
    return Error{.reason = Reason::internal_error, .message = "webhook server: " + std::move(what)};
  };
  // A client that goes away in the middle of an answer must not end us.
  std::signal(SIGPIPE, SIG_IGN);
  auto state = std::make_unique<State>();
  X509* certificate = nullptr;
  EVP_PKEY* key = nullptr;
  const bool made = make_certificate(certificate, key);
  state->context = SSL_CTX_new(TLS_server_method());
  const bool usable = made && SSL_CTX_use_certificate(state->context, certificate) == 1 &&
                      SSL_CTX_use_PrivateKey(state->context, key) == 1;
  const std::string pem = made ? pem_of(certificate) : "";
  X509_free(certificate);
  EVP_PKEY_free(key);
  if (!usable) return failed("no certificate");
  state->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (state->listener < 0 || bind(state->listener, generic, size) != 0 ||
      listen(state->listener, 64) != 0 || getsockname(state->listener, generic, &size) != 0)
    return failed("cannot listen on 127.0.0.1");
  state->variables = {{"webhook", "https://127.0.0.1:" + std::to_string(ntohs(address.sin_port))},
                      {"webhookCA", to_base64(pem)}};
  State* raw = state.get();
  raw->accepting = std::thread([raw] { raw->accept_all(); });
  return std::unique_ptr<WebhookServer>(new WebhookServer(std::move(state)));
}

}  // namespace keelson::app
