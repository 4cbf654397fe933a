// Two sieves, as in the original: the router's, which looks at media types only, and the encoder's,
// which also looks at parameters.
#include "api/answers/negotiate.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <vector>

#include "base/text.h"

namespace keelson::api {
namespace {

constexpr Wire kWires[] = {Wire::json, Wire::yaml, Wire::protobuf};
constexpr std::string_view kAll =
    "application/json, application/yaml, application/vnd.kubernetes.protobuf";

struct Clause {
  std::string type, subtype;
  double quality = 1;
  std::map<std::string, std::string, std::less<>> parameters;
  std::string_view parameter(std::string_view name) const {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string_view() : found->second;
  }
};

void parse_parameters(Clause& clause, const std::vector<std::string>& parts) {
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::vector<std::string> pair = split(parts[i], '=');
    if (pair.size() != 2 || pair[1].empty()) continue;
    const std::string name(trim(pair[0]));
    if (name == "q") {
      clause.quality = std::strtod(pair[1].c_str(), nullptr);
    } else {
      clause.parameters[name] = trim(pair[1]);
    }
  }
}

std::vector<Clause> parse_accept(std::string_view header) {
  std::vector<Clause> clauses;
  for (const std::string& text : split(header, ',')) {
    const std::vector<std::string> parts = split(text, ';');
    const std::vector<std::string> type = split(parts[0], '/');
    Clause clause;
    clause.type = trim(type[0]);
    if (type.size() == 2) {
      clause.subtype = trim(type[1]);
    } else if (type.size() == 1 && clause.type == "*") {
      clause.subtype = "*";
    } else {
      continue;
    }
    parse_parameters(clause, parts);
    clauses.push_back(std::move(clause));
  }
  std::stable_sort(clauses.begin(), clauses.end(), [](const Clause& a, const Clause& b) {
    if (a.quality != b.quality) return a.quality > b.quality;
    if ((a.type == "*") != (b.type == "*")) return b.type == "*";
    return a.subtype != "*" && b.subtype == "*";
  });
  return clauses;
}

bool names(const Clause& clause, Wire wire) {
  if (clause.type == "*" && clause.subtype == "*") return true;
  const std::string_view own = media_type(wire);
  return clause.type == "application" &&
         (clause.subtype == "*" || own.substr(own.find('/') + 1) == clause.subtype);
}

bool router_accepts(std::string_view accept, std::span<const std::string_view> offers) {
  for (const std::string& text : split(accept, ',')) {
    const std::string_view type = trim(std::string_view(text).substr(0, text.find(';')));
    if (type == "*/*" || std::find(offers.begin(), offers.end(), type) != offers.end()) return true;
  }
  return false;
}

bool router_accepts(std::string_view accept) {
  const std::string_view offers[] = {media_type(Wire::json), media_type(Wire::yaml),
                                     media_type(Wire::protobuf)};
  return router_accepts(accept, offers);
}

Error not_acceptable(const std::string& offers) {
  Error error{Reason::not_acceptable,
              "406: Not Acceptable\n\nAvailable representations: " + offers};
  error.details = true;
  return error;
}

constexpr std::string_view kFrames =
    "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";

Error refused_by_router(Target target) {
  std::string all(kAll);
  if (target == Target::list || target == Target::watch) all += ", " + std::string(kFrames);
  return not_acceptable(all);
}

Error refused_by_encoder(Target target) {
  return {Reason::not_acceptable, "only the following media types are accepted: " +
                                      std::string(target == Target::watch ? kFrames : kAll)};
}

// False if the clause asks for a transformation that does not exist.
bool take_form(const Clause& clause, Wire wire, Target target, registry::Form& form) {
  if (target == Target::watch && wire == Wire::yaml) return false;
  const std::string_view as = clause.parameter("as");
  if (as.empty()) return true;
  const std::string_view version = clause.parameter("v");
  if (target == Target::document || clause.parameter("g") != "meta.k8s.io") return false;
  if (version != "v1" && version != "v1beta1") return false;
  if (as == "Table" && wire != Wire::protobuf) {
    form.kind = registry::Form::Kind::table;
  } else if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList") {
    const bool list = target == Target::watch && as == "PartialObjectMetadataList";
    form.kind = list ? registry::Form::Kind::partial_list : registry::Form::Kind::partial;
  } else {
    return false;
  }
  form.version = version;
  return true;
}

}  // namespace

std::string_view media_type(Wire wire) {
  switch (wire) {
    case Wire::json: return "application/json";
    case Wire::yaml: return "application/yaml";
    case Wire::protobuf: return "application/vnd.kubernetes.protobuf";
  }
  return "";
}

Result<Negotiated> negotiate(std::string_view accept, Target target, Protobuf protobuf) {
  if (accept.empty() || accept == "*/*" || accept == "application/json") return Negotiated{};
  // Custom resources are not behind the router that looks at media types.
  if (protobuf != Protobuf::metadata && !router_accepts(accept)) return refused_by_router(target);
  for (const Clause& clause : parse_accept(accept)) {
    for (const Wire wire : kWires) {
      if (wire == Wire::protobuf && protobuf == Protobuf::none) continue;
      Negotiated result{wire, {}};
      if (!names(clause, wire) || !take_form(clause, wire, target, result.form)) continue;
      const bool is_whole = result.form.kind == registry::Form::Kind::object;
      if (wire == Wire::protobuf && protobuf == Protobuf::metadata && is_whole) continue;
      return result;
    }
  }
  return refused_by_encoder(target);
}

Result<Wire> negotiate_unrouted(std::string_view accept) {
  if (accept.empty()) return Wire::json;
  registry::Form form;
  for (const Clause& clause : parse_accept(accept))
    for (const Wire wire : kWires)
      if (names(clause, wire) && take_form(clause, wire, Target::document, form)) return wire;
  return refused_by_encoder(Target::document);
}

Result<void> require_accepted(std::string_view accept, std::string_view media_type) {
  if (accept.empty() || router_accepts(accept, {&media_type, 1})) return {};
  return not_acceptable(std::string(media_type));
}

Wire negotiate_error(std::string_view accept) {
  const auto agreed = negotiate(accept, Target::object);
  return agreed.ok() ? agreed->wire : Wire::json;
}

std::optional<Wire> negotiate_aggregated(std::string_view accept) {
  for (const Clause& clause : parse_accept(accept)) {
    if (clause.parameter("as") != "APIGroupDiscoveryList" ||
        clause.parameter("g") != "apidiscovery.k8s.io" || clause.parameter("v") != "v2")
      continue;
    for (const Wire wire : kWires)
      if (names(clause, wire)) return wire;
  }
  return std::nullopt;
}

std::optional<std::size_t> negotiate_offers(std::string_view accept,
                                            std::span<const std::string_view> offers) {
  for (const Clause& clause : parse_accept(accept.empty() ? "*/*" : accept)) {
    for (std::size_t i = 0; i < offers.size(); ++i) {
      const std::size_t slash = offers[i].find('/');
      if ((clause.type == "*" || clause.type == offers[i].substr(0, slash)) &&
          (clause.subtype == "*" || clause.subtype == offers[i].substr(slash + 1)))
        return i;
    }
  }
  return std::nullopt;
}

Result<Wire> body_wire(std::string_view content_type) {
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  if (content_type.empty()) return Wire::json;
  for (const Wire wire : kWires)
    if (type == media_type(wire)) return wire;
  return Error{Reason::unsupported_media_type,
               "the body of the request was in an unknown format - accepted media types include: " +
                   std::string(kAll)};
}

}  // namespace keelson::api
