// The order of the decisions is the original's, because odd paths fall through it in ways that
// clients see.
#include "api/access/request_info.h"

#include "base/text.h"

namespace keelson::api {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string lower_method_verb(std::string_view method) {
  if (method == "POST") return "create";
  if (method == "GET" || method == "HEAD") return "get";
  if (method == "PUT") return "update";
  if (method == "PATCH") return "patch";
  if (method == "DELETE") return "delete";
  return "";
}

std::vector<std::string> split_path(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return path.empty() ? std::vector<std::string>() : split(path, '/');
}

// The value of "metadata.name=x" among the terms of a field selector.
std::string name_in_selector(std::string_view selector) {
  for (const std::string& term : split(selector, ',')) {
    for (const std::string_view head : {"metadata.name==", "metadata.name="})
      if (term.starts_with(head)) return term.substr(head.size());
  }
  return "";
}

void take_parts(RequestInfo& info, const Query& query) {
  const bool no_subresource = info.verb == "proxy" || info.verb == "watch";
  const std::vector<std::string>& parts = info.parts;
  if (parts.size() >= 3 && !no_subresource) info.subresource = parts[2];
  if (parts.size() >= 2) info.name = parts[1];
  if (!parts.empty()) info.resource = parts[0];
  info.field_selector = query.get("fieldSelector");
  info.label_selector = query.get("labelSelector");
  if (info.name.empty() && info.verb == "get") {
    info.verb = query.get_bool("watch") ? "watch" : "list";
    info.name = name_in_selector(info.field_selector);
  }
  if (info.name.empty() && info.verb == "delete") info.verb = "deletecollection";
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, bool plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += to_hex({&c, 1});
    }
  }
  return out;
}

Query::Query(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (pair.empty() || pair.find(';') != std::string_view::npos) continue;
    const std::size_t equals = pair.find('=');
    const auto name = percent_decode(pair.substr(0, equals), true);
    const auto value = equals == std::string_view::npos
                           ? std::optional<std::string>("")
                           : percent_decode(pair.substr(equals + 1), true);
    if (name && value) pairs_.emplace_back(*name, *value);
  }
}

std::string_view Query::get(std::string_view name) const {
  for (const auto& [key, value] : pairs_)
    if (key == name) return value;
  return {};
}

bool Query::has(std::string_view name) const {
  for (const auto& [key, value] : pairs_)
    if (key == name) return true;
  return false;
}

std::vector<std::string> Query::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : pairs_)
    if (key == name) values.push_back(value);
  return values;
}

bool Query::get_bool(std::string_view name) const {
  if (!has(name)) return false;
  const std::string value = to_lower(get(name));
  return value != "false" && value != "0";
}

Result<RequestInfo> request_info_of(std::string_view method, std::string decoded_path,
                                    const Query& query) {
  RequestInfo info;
  info.path = std::move(decoded_path);
  info.verb = to_lower(method);
  std::vector<std::string> parts = split_path(info.path);
  if (parts.size() < 3 || (parts[0] != "api" && parts[0] != "apis")) return info;
  info.prefix = parts[0];
  std::size_t at = 1;
  if (info.prefix == "apis") {
    if (parts.size() < 4) return info;
    info.group = parts[at++];
  }
  info.is_resource = true;
  info.version = parts[at++];
  if (parts[at] == "watch" || parts[at] == "proxy") {
    if (parts.size() - at < 2) {
      return Error{Reason::internal_error,
                   "unable to determine kind and namespace from url, " + info.path};
    }
    info.old_watch = parts[at] == "watch";
    info.verb = parts[at++];
  } else {
    info.verb = lower_method_verb(method);
  }
  if (parts[at] == "namespaces" && parts.size() - at > 1) {
    info.namespace_ = parts[at + 1];
    const bool own_subresource =
        parts.size() - at > 2 && (parts[at + 2] == "status" || parts[at + 2] == "finalize");
    info.below_namespace = parts.size() - at > 2 && !own_subresource;
    if (info.below_namespace) at += 2;
  }
  info.parts.assign(parts.begin() + static_cast<std::ptrdiff_t>(at), parts.end());
  take_parts(info, query);
  return info;
}

std::string proxied_path(std::string_view path, const RequestInfo& info) {
  const int before = (info.prefix == "api" ? 2 : 3) + (info.below_namespace ? 2 : 0) + 3;
  std::size_t at = path.find_first_not_of('/');
  for (int i = 0; i < before && at != std::string_view::npos; ++i)
    at = path.find('/', i == 0 ? at : at + 1);
  return at == std::string_view::npos ? "/" : std::string(path.substr(at));
}

}  // namespace keelson::api
