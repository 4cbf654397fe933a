#include "model/validation/webhook.h"

#include "base/text.h"
#include "codec/json.h"
#include "model/validation/common.h"

namespace keelson::model {

void check_webhook_url(const Path& path, const std::string& url, FieldErrors& errors) {
  const std::string form = "; desired format: https://host[/path]";
  // As Go's url.Parse takes it apart.
  std::string rest = url, fragment, query, scheme, authority;
  if (const std::size_t hash = rest.find('#'); hash != std::string::npos) {
    fragment = rest.substr(hash + 1);
    rest.resize(hash);
  }
  const auto refused = [&](const std::string& why) {
    errors.required(path, "url must be a valid URL: parse " + codec::to_json(codec::Value(url)) +
                              ": " + why + form);
  };
  for (const char c : rest)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      refused("net/url: invalid control character in URL");
      return;
    }
  const std::size_t colon = rest.find(':');
  const std::size_t other =
      rest.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
  if (colon == 0) {
    refused("missing protocol scheme");
    return;
  }
  if (colon != std::string::npos && other == colon) {
    scheme = rest.substr(0, colon);
    if (scheme[0] >= '0' && scheme[0] <= '9') {
      refused("first path segment in URL cannot contain colon");
      return;
    }
    rest = rest.substr(colon + 1);
    for (char& c : scheme)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (const std::size_t mark = rest.find('?'); mark != std::string::npos) {
    query = rest.substr(mark + 1);
    rest.resize(mark);
  }
  std::string user;
  bool has_user = false;
  if (rest.compare(0, 2, "//") == 0) {
    authority = rest.substr(2, rest.find('/', 2) - 2);
    if (const std::size_t at = authority.rfind('@'); at != std::string::npos) {
      has_user = true;
      user = authority.substr(0, at);
      authority = authority.substr(at + 1);
    }
    if (authority.find(' ') != std::string::npos) {
      refused("invalid character \" \" in host name");
      return;
    }
    const std::size_t slash = rest.find('/', 2);
    rest = slash == std::string::npos ? std::string() : rest.substr(slash);
  }
  const auto is_hex = [&](std::size_t i) {
    return i < rest.size() && std::isxdigit(static_cast<unsigned char>(rest[i])) != 0;
  };
  for (std::size_t i = rest.find('%'); i != std::string::npos; i = rest.find('%', i + 1))
    if (!is_hex(i + 1) || !is_hex(i + 2)) {
      refused("invalid URL escape " + codec::to_json(codec::Value(rest.substr(i, 3))));
      return;
    }
  if (scheme != "https")
    errors.invalid(path, scheme, "'https' is the only allowed URL scheme" + form);
  if (authority.empty()) errors.invalid(path, authority, "host must be specified" + form);
  if (has_user) errors.invalid(path, user, "user information is not permitted in the URL");
  if (!fragment.empty()) errors.invalid(path, fragment, "fragments are not permitted in the URL");
  if (!query.empty()) errors.invalid(path, query, "query parameters are not permitted in the URL");
}

void check_webhook_service(const Path& path, const codec::Value& service, bool swapped,
                           FieldErrors& errors) {
  if (empty_text(service[swapped ? "namespace" : "name"])) errors.required(path.child("name"));
  if (empty_text(service[swapped ? "name" : "namespace"])) errors.required(path.child("namespace"));
  const auto port = service["port"].as_int();
  if (const auto messages = port_number_messages(port); !messages.empty())
    errors.invalid(path.child("port"), port, "port is not valid: " + join(messages, ", "));
  const std::string url = service["path"].str();
  if (url.empty() || url == "/") return;
  const Path at = path.child("path");
  if (url == "//") {
    errors.invalid(at, url, "segment[0] may not be empty");
    return;
  }
  if (url[0] != '/') errors.invalid(at, url, "must start with a '/'");
  std::string steps = url.substr(1);
  if (!steps.empty() && steps.back() == '/') steps.pop_back();
  std::size_t i = 0;
  for (const auto& step : split(steps, '/')) {
    const std::string segment = "segment[" + std::to_string(i++) + ']';
    if (step.empty()) {
      errors.invalid(at, url, segment + " may not be empty");
      continue;
    }
    for (const std::string& message : dns1123_subdomain_messages(step))
      errors.invalid(at, url, segment + ": " + message);
  }
}

}  // namespace keelson::model
