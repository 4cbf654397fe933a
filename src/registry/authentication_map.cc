#include "registry/authentication_map.h"

#include <algorithm>

#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"
#include "registry/follow_up.h"

namespace keelson::registry {

namespace {

constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view kEnd = "-----END CERTIFICATE-----";

std::vector<std::string> certificates_in(std::string_view pem) {
  std::vector<std::string> out;
  for (std::size_t at = pem.find(kBegin); at != std::string_view::npos; at = pem.find(kBegin, at)) {
    const std::size_t end = pem.find(kEnd, at);
    if (end == std::string_view::npos) break;
    out.emplace_back(pem.substr(at, end + kEnd.size() - at));
    at = end;
  }
  return out;
}

std::vector<std::string> list_in(std::string_view text) {
  std::vector<std::string> out;
  if (const auto list = codec::parse_json(text); list.ok())
    for (const Value& one : list->elements()) out.push_back(one.str());
  return out;
}

std::string together(std::string_view key, const std::string& present, const std::string& known) {
  const bool pem = key.ends_with("-ca-file");
  std::vector<std::string> all = pem ? certificates_in(present) : list_in(present);
  for (std::string& one : pem ? certificates_in(known) : list_in(known))
    if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(std::move(one));
  if (pem) return all.empty() ? "" : join(all, "\n") + "\n";
  Value list = Value::array();
  for (const std::string& one : all) list.push_back(one);
  return codec::to_json(list);
}

}  // namespace

std::map<std::string, std::string> merged_authentication(
    const std::map<std::string, std::string>& present,
    const std::map<std::string, std::string>& known) {
  std::map<std::string, std::string> out = present;
  for (const auto& [key, value] : known) {
    const auto found = present.find(key);
    out[key] = together(key, found == present.end() ? "" : found->second, value);
  }
  return out;
}

Result<void> settle_authentication(Registry::State& state) {
  if (state.settings.authentication.empty()) return {};
  const Value current = state.object("configmaps", "kube-system", kAuthenticationMap);
  if (model::is_deleting(current)) return {};
  std::map<std::string, std::string> present;
  for (const codec::Member& one : current["data"].members())
    present.emplace(one.key(), one.value.str());
  const auto wanted = merged_authentication(present, state.settings.authentication);
  if (!current.is_null() && wanted == present) return {};
  Value object = current;
  if (object.is_null()) {
    object = Value::object({{"apiVersion", "v1"}, {"kind", "ConfigMap"}});
    object.edit("metadata").set("name", kAuthenticationMap);
    object.edit("metadata").set("namespace", "kube-system");
  }
  for (const auto& [key, value] : wanted) object.edit("data").set(key, value);
  Request request = system_request(state, "configmaps", "kube-system",
                                   current.is_null() ? std::string_view() : kAuthenticationMap);
  request.options.field_manager_default = "kube-apiserver";
  request.body = codec::JsonDocument{std::move(object), {}};
  request.verb = current.is_null() ? Verb::create : Verb::update;
  TRY(Call call, state.open(request));
  call.asks_nobody = true;
  if (current.is_null()) {
    TRY_VOID(state.create(call));
  } else {
    TRY_VOID(state.update(call));
  }
  return {};
}

}  // namespace keelson::registry
