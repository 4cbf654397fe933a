#include "model/cel/url.h"

#include "base/text.h"

namespace keelson::model::cel {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Error bad(std::string message) {
  return Error{.reason = Reason::invalid, .message = std::move(message)};
}

enum class Part { path, host, user, query };

Result<std::string> unescape(std::string_view text, Part part) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%') {
      const bool good =
          i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
      if (!good) return bad("invalid URL escape " + quote(text.substr(i, 3)));
      const int byte = hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]);
      if (part == Part::host && byte < 0x80 && text.substr(i, 3) != "%25")
        return bad("invalid URL escape " + quote(text.substr(i, 3)));
      out += static_cast<char>(byte);
      i += 2;
    } else if (c == '+' && part == Part::query) {
      out += ' ';
    } else {
      static constexpr std::string_view kHost = "!$&'()*+,;=:[]<>\"-_.~";
      const bool letter =
          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (part == Part::host && static_cast<unsigned char>(c) < 0x80 && !letter &&
          kHost.find(c) == std::string_view::npos)
        return bad("invalid character " + quote(std::string(1, c)) + " in host name");
      out += c;
    }
  }
  return out;
}

bool is_plain_in_path(char c) {
  static constexpr std::string_view kPlain = "-_.~$&+,/:;=@!'()*[]";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kPlain.find(c) != std::string_view::npos;
}

std::string escape_path(std::string_view path) {
  static constexpr std::string_view kKept = "-_.~$&+,/:;=@";
  std::string out;
  for (const char c : path) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || kKept.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    static constexpr std::string_view kHex = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

bool is_port(std::string_view port) {
  if (port.empty()) return true;
  if (port[0] != ':') return false;
  return port.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

Result<std::string> parse_host(std::string_view host) {
  if (host.starts_with('[')) {
    const std::size_t close = host.rfind(']');
    if (close == std::string_view::npos) return bad("missing ']' in host");
    const std::string_view port = host.substr(close + 1);
    if (!is_port(port)) return bad("invalid port " + quote(port) + " after host");
    return unescape(host, Part::host);
  }
  if (const std::size_t colon = host.rfind(':'); colon != std::string_view::npos) {
    const std::string_view port = host.substr(colon);
    if (!is_port(port)) return bad("invalid port " + quote(port) + " after host");
  }
  return unescape(host, Part::host);
}

bool is_user_info(std::string_view user) {
  for (const char c : user) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && std::string_view("-._:~!$&'()*+,;=%@").find(c) == std::string_view::npos)
      return false;
  }
  return true;
}

// The scheme before the colon, which is cut off; empty if there is none.
Result<std::string> take_scheme(std::string_view& rest) {
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) continue;
    if ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.') {
      if (i == 0) return std::string();
      continue;
    }
    if (c != ':') return std::string();
    if (i == 0) return bad("missing protocol scheme");
    std::string scheme = to_lower(rest.substr(0, i));
    rest.remove_prefix(i + 1);
    return scheme;
  }
  return std::string();
}

Result<Url> parse(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      return bad("net/url: invalid control character in URL");
  if (text.empty()) return bad("empty url");
  Url url;
  url.text = text;
  if (text == "*") {
    url.path = "*";
    return url;
  }
  std::string_view rest = text;
  TRY(url.scheme, take_scheme(rest));
  if (const std::size_t question = rest.find('?'); question != std::string_view::npos) {
    url.raw_query = rest.substr(question + 1);
    rest = rest.substr(0, question);
  }
  if (!rest.starts_with('/')) {
    if (url.scheme.empty()) return bad("invalid URI for request");
    return url;  // opaque: "mailto:a@b"
  }
  if (!url.scheme.empty() && rest.starts_with("//")) {
    rest.remove_prefix(2);
    const std::size_t slash = rest.find('/');
    std::string_view authority = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash);
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
      if (!is_user_info(authority.substr(0, at))) return bad("net/url: invalid userinfo");
      authority.remove_prefix(at + 1);
    }
    TRY(url.host, parse_host(authority));
  }
  TRY(url.path, unescape(rest, Part::path));
  if (escape_path(url.path) != rest) url.raw_path = rest;
  return url;
}

}  // namespace

std::string Url::hostname() const {
  if (host.starts_with('[')) return host.substr(1, host.rfind(']') - 1);
  const std::size_t colon = host.rfind(':');
  return colon != std::string::npos ? host.substr(0, colon) : host;
}
std::string Url::port() const {
  const std::size_t bracket = host.rfind(']');
  const std::size_t colon = host.rfind(':');
  if (colon == std::string::npos || (bracket != std::string::npos && colon < bracket)) return {};
  return host.substr(colon + 1);
}
std::string Url::escaped_path() const {
  bool valid = !raw_path.empty();
  for (const char c : raw_path) valid = valid && (is_plain_in_path(c) || c == '%');
  if (valid) return raw_path;
  return path == "*" ? "*" : escape_path(path);
}
std::map<std::string, std::vector<std::string>> Url::query() const {
  std::map<std::string, std::vector<std::string>> all;
  for (const std::string& pair : split(raw_query, '&')) {
    if (pair.empty() || pair.find(';') != std::string::npos) continue;
    const std::size_t equals = pair.find('=');
    const auto key = unescape(pair.substr(0, equals), Part::query);
    const auto value = unescape(
        equals == std::string::npos ? std::string() : pair.substr(equals + 1), Part::query);
    if (key.ok() && value.ok()) all[*key].push_back(*value);
  }
  return all;
}

Result<Url> parse_request_uri(std::string_view text) {
  Result<Url> url = parse(text);
  if (!url.ok()) return bad("parse " + quote(text) + ": " + url.error().message);
  return url;
}

}  // namespace keelson::model::cel
