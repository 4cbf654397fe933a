#include "registry/list_options.h"

#include <algorithm>

#include "base/text.h"
#include "codec/json.h"
#include "registry/errors.h"

namespace keelson::registry {

namespace {
constexpr std::string_view kMatch = "resourceVersionMatch";
constexpr std::string_view kTokenVersion = "meta.k8s.io/v1";

std::vector<Cause> watch_causes(const Options& options) {
  std::vector<Cause> causes;
  const std::string match(kMatch);
  if (options.send_initial_events) {
    if (options.revision_match != "NotOlderThan")
      causes.push_back(cause_forbidden(
          match, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
    if (!options.revision_match.empty() && options.revision_match != "NotOlderThan")
      causes.push_back(cause_not_supported(match, Value(options.revision_match), {"NotOlderThan"}));
  } else if (!options.revision_match.empty()) {
    causes.push_back(cause_forbidden(
        match, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
  }
  if (!options.continue_token.empty())
    causes.push_back(
        cause_forbidden(match, "resourceVersionMatch is forbidden when continue is provided"));
  return causes;
}

std::vector<Cause> list_causes(const Options& options) {
  std::vector<Cause> causes;
  const std::string match(kMatch);
  const std::string_view how = options.revision_match;
  if (!how.empty()) {
    if (options.revision.empty())
      causes.push_back(cause_forbidden(
          match, "resourceVersionMatch is forbidden unless resourceVersion is provided"));
    if (!options.continue_token.empty())
      causes.push_back(
          cause_forbidden(match, "resourceVersionMatch is forbidden when continue is provided"));
    if (how != "Exact" && how != "NotOlderThan")
      causes.push_back(cause_not_supported(match, Value(how), {"Exact", "NotOlderThan", ""}));
    if (how == "Exact" && options.revision == "0")
      causes.push_back(cause_forbidden(
          match, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
  }
  if (options.send_initial_events)
    causes.push_back(
        cause_forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  return causes;
}

}  // namespace

Result<void> check_list_options(const Options& options, bool watch) {
  std::vector<Cause> causes = watch ? watch_causes(options) : list_causes(options);
  if (causes.empty()) return {};
  return invalid({"meta.k8s.io", "ListOptions"}, "", std::move(causes));
}

Result<std::int64_t> parse_revision(std::string_view text) {
  if (text.empty()) return std::int64_t{0};
  const bool digits =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  const auto number = digits ? parse_int(text) : std::nullopt;
  if (!number)
    return unknown("resourceVersion: Invalid value: " + quote(text) +
                   ": strconv.ParseUint: parsing " + quote(text) + ": " +
                   (digits ? "value out of range" : "invalid syntax"));
  return *number;
}

std::string to_text(const ContinueToken& token) {
  return to_base64url(codec::to_json(
      Value::object({{"v", kTokenVersion}, {"rv", token.revision}, {"start", token.start}})));
}

Result<ContinueToken> parse_continue(std::string_view text) {
  const auto refuse = [](const std::string& why) {
    return bad_request("invalid continue token: continue key is not valid: " + why);
  };
  const auto bytes = from_base64url(text);
  if (!bytes) {
    std::size_t at = 0;
    const auto is_letter = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '_';
    };
    while (at < text.size() && is_letter(text[at])) ++at;
    return refuse("illegal base64 data at input byte " + std::to_string(at));
  }
  auto parsed = codec::parse_json(*bytes);
  if (!parsed.ok()) return refuse(parsed.error().message);
  const Value& token = *parsed;
  if (token.has("rv") && !token["rv"].is_integer())
    return refuse(std::string("json: cannot unmarshal ") +
                  (token["rv"].is_string() ? "string" : "number") +
                  " into Go struct field continueToken.rv of type int64");
  const std::string version = token["v"].str();
  if (version != kTokenVersion)
    return refuse("server does not recognize this encoded version " + version);
  ContinueToken out{token["rv"].as_int(), token["start"].str()};
  if (out.revision == 0)
    return refuse("incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
  if (out.start.empty()) return refuse("encoded start key empty (version meta.k8s.io/v1)");
  // A key that leaves the list's own prefix.
  std::string key = out.start;
  while (key.starts_with('/')) key.erase(0, 1);
  if (key.starts_with("../") || key.find("/../") != std::string::npos) return refuse(out.start);
  out.start = key;
  return out;
}

}  // namespace keelson::registry
