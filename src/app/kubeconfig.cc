#include "app/kubeconfig.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "codec/yaml.h"

namespace keelson::app {
namespace {

using codec::Value;

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

const Value& named(const Value& list, std::string_view name) {
  static const Value none;
  for (const Value& entry : list.elements())
    if (entry["name"].as_string() == name) return entry;
  return none;
}

// A text given inline in base64, or as a path relative to the kubeconfig.
Result<std::string> text_of(const Value& from, const std::string& key, const std::string& path) {
  if (const Value& data = from[key + "-data"]; data.is_string()) {
    auto decoded = from_base64(data.as_string());
    if (!decoded)
      return Error{.reason = Reason::bad_request,
                   .message = path + ": " + key + "-data is not base64"};
    return *decoded;
  }
  if (!from[key].is_string()) return std::string();
  return read_text((std::filesystem::path(path).parent_path() / from[key].str()).string());
}

void put_named(Value& list, const std::string& name, const char* key, Value content) {
  Value entry = Value::object({{"name", name}});
  entry.set(key, std::move(content));
  for (std::size_t i = 0; i < list.size(); ++i)
    if (list[i]["name"].as_string() == name) {
      list.edit(i) = std::move(entry);
      return;
    }
  list.push_back(std::move(entry));
}

void drop_named(Value& list, const std::string& name) {
  for (std::size_t i = list.size(); i > 0; --i)
    if (list[i - 1]["name"].as_string() == name) list.erase(i - 1);
}

void put_context(Value& config, const std::string& name, const Endpoint& endpoint) {
  Value cluster = Value::object({{"server", endpoint.server}});
  if (!endpoint.ca_pem.empty())
    cluster.set("certificate-authority-data", to_base64(endpoint.ca_pem));
  Value user = Value::object();
  if (!endpoint.cert_pem.empty()) {
    user.set("client-certificate-data", to_base64(endpoint.cert_pem));
    user.set("client-key-data", to_base64(endpoint.key_pem));
  }
  if (!endpoint.token.empty()) user.set("token", endpoint.token);
  put_named(config.edit("clusters"), name, "cluster", std::move(cluster));
  put_named(config.edit("users"), name, "user", std::move(user));
  put_named(config.edit("contexts"), name, "context",
            Value::object({{"cluster", name}, {"user", name}}));
  if (config["current-context"].as_string().empty()) config.set("current-context", name);
}

Value empty_config() {
  return Value::object({{"apiVersion", "v1"}, {"kind", "Config"}});
}

// Changes the file under the lock that kubectl takes too (FILE.lock), through a new file beside it.
Result<void> change(const std::string& path, const std::function<void(Value&)>& edit) {
  std::error_code ignored;
  const std::filesystem::path directory = std::filesystem::absolute(path).parent_path();
  std::filesystem::create_directories(directory, ignored);
  Value config = empty_config();
  if (std::filesystem::exists(path, ignored)) {
    auto document = codec::parse_yaml(read_text(path));
    if (!document.ok())
      return Error{.reason = Reason::bad_request,
                   .message = path + ": " + document.error().message};
    if (!document->value.is_null()) config = document->value;
    if (!config.is_object() || (config.has("kind") && config["kind"].as_string() != "Config"))
      return Error{.reason = Reason::bad_request,
                   .message = path + ": this is no kubeconfig; it is left as it is"};
  }
  for (const char* list : {"clusters", "users", "contexts"})
    if (!config[list].is_array()) config.set(list, Value::array());
  const Value before = config;
  edit(config);
  if (config == before) return {};
  const std::filesystem::path target = std::filesystem::is_symlink(path, ignored)
                                           ? std::filesystem::canonical(path, ignored)
                                           : std::filesystem::path(path);
  const std::string fresh = target.string() + ".keelson-" + std::to_string(getpid());
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::string text = codec::to_yaml(config);
  const bool written = fd >= 0 &&
                       write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       fsync(fd) == 0;
  if (fd >= 0) close(fd);
  if (!written || std::rename(fresh.c_str(), target.c_str()) != 0) {
    unlink(fresh.c_str());
    return Error{.reason = Reason::internal_error, .message = path + ": cannot be written"};
  }
  return {};
}

// kubectl's own lock: FILE.lock exists for as long as somebody writes.
Result<void> change_locked(const std::string& path, const std::function<void(Value&)>& edit) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::absolute(path).parent_path(), ignored);
  const std::string lock = path + ".lock";
  int fd = -1;
  for (int tries = 0; tries < 300 && fd < 0; ++tries) {
    fd = open(lock.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) break;
    if (fd < 0) poll(nullptr, 0, 10);
  }
  if (fd < 0)
    return Error{
        .reason = Reason::conflict,
        .message = path + ": cannot be locked (" + lock + "); remove it if nothing writes there"};
  close(fd);
  auto result = change(path, edit);
  unlink(lock.c_str());
  return result;
}

}  // namespace

std::string user_kubeconfig_path() {
  if (const char* list = std::getenv("KUBECONFIG"); list != nullptr && *list != '\0')
    return split(list, ':')[0];
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr ? home : "") + "/.kube/config";
}

Result<Endpoint> read_kubeconfig(const std::string& path, const std::string& context) {
  if (!std::filesystem::exists(path))
    return Error{.reason = Reason::not_found, .message = path + ": no such file"};
  auto document = codec::parse_yaml(read_text(path));
  if (!document.ok())
    return Error{.reason = Reason::bad_request, .message = path + ": " + document.error().message};
  const Value& config = document->value;
  const std::string wanted = context.empty() ? config["current-context"].str() : context;
  const Value& entry = named(config["contexts"], wanted)["context"];
  if (entry.is_null())
    return Error{.reason = Reason::not_found, .message = path + ": no context \"" + wanted + "\""};
  const Value& cluster = named(config["clusters"], entry["cluster"].as_string())["cluster"];
  const Value& user = named(config["users"], entry["user"].as_string())["user"];
  Endpoint endpoint{.server = cluster["server"].str(), .token = user["token"].str()};
  TRY(endpoint.ca_pem, text_of(cluster, "certificate-authority", path));
  TRY(endpoint.cert_pem, text_of(user, "client-certificate", path));
  TRY(endpoint.key_pem, text_of(user, "client-key", path));
  return endpoint;
}

Result<void> add_context(const std::string& path, const std::string& name,
                         const Endpoint& endpoint) {
  return change_locked(path, [&](Value& config) { put_context(config, name, endpoint); });
}

Result<void> remove_context(const std::string& path, const std::string& name) {
  if (!std::filesystem::exists(path)) return {};
  return change_locked(path, [&](Value& config) {
    for (const char* list : {"clusters", "users", "contexts"}) drop_named(config.edit(list), name);
    if (config["current-context"].as_string() == name) config.set("current-context", "");
  });
}

std::string kubeconfig_text(const std::string& name, const Endpoint& endpoint) {
  Value config = empty_config();
  put_context(config, name, endpoint);
  return codec::to_yaml(config);
}

}  // namespace keelson::app
