// Which form an answer takes: the Accept header read as go-restful, goautoneg and the API server
// read it together (apiserver pkg/endpoints/handlers/negotiation). Media types are case-sensitive
// and "application/*" matches nothing, as there.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "registry/request.h"

namespace keelson::api {

enum class Wire : std::uint8_t { json, yaml, protobuf };
std::string_view media_type(Wire wire);

struct Negotiated {
  Wire wire = Wire::json;
  registry::Form form;
};

// What is being asked for decides what can be agreed on.
enum class Target : std::uint8_t {
  document,  // discovery, reviews: no other forms than the thing itself
  object,    // Table and PartialObjectMetadata too
  list,      // likewise, PartialObjectMetadataList
  watch,     // frames: JSON or protobuf
};

// What has a form in protobuf: of custom resources bare metadata alone, of computed ones nothing.
enum class Protobuf : std::uint8_t { all, metadata, none };

// Error: not_acceptable in one of the original's two wordings.
Result<Negotiated> negotiate(std::string_view accept, Target target,
                             Protobuf protobuf = Protobuf::all);
// The same where the original's router does not look first: /apis and what is below it, but for the
// versions of its own groups.
Result<Wire> negotiate_unrouted(std::string_view accept);
// What the router says if the client does not take the only media type there is.
Result<void> require_accepted(std::string_view accept, std::string_view media_type);
// For an error answer: what could be agreed on, else JSON.
Wire negotiate_error(std::string_view accept);
// In which form the client takes aggregated discovery (APIGroupDiscoveryList, v2), wherever in the
// header it says so; nullopt if it does not.
std::optional<Wire> negotiate_aggregated(std::string_view accept);
// The first of these media types that the client likes best, as kube-openapi reads the header:
// "application/*" matches. nullopt: it takes none of them.
std::optional<std::size_t> negotiate_offers(std::string_view accept,
                                            std::span<const std::string_view> offers);

// The media type of a request's body; an empty one is JSON. Error: unsupported_media_type.
Result<Wire> body_wire(std::string_view content_type);

}  // namespace keelson::api
