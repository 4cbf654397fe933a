// Kubernetes' protobuf encoding of objects, driven by their types: the same values as in JSON,
// other bytes. Messages are written as the original's generated code writes them (proto2 without
// presence for plain fields: zero values are there), so that clients of any language read them.
//
// An object on the wire is "k8s\0" and a runtime.Unknown that names its type and holds its message.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/json_text.h"
#include "codec/schema.h"
#include "codec/value.h"

namespace keelson::codec {

// What Type::wire_order keeps, so that it is not found out for every message.
std::vector<std::uint16_t> protobuf_order(const Type& type);

// The message of a value of this structure; kind and apiVersion are no part of it.
void append_protobuf(std::string& out, const Type& type, JsonText value);
std::string to_protobuf(const Type& type, const Value& value);
// As a field of another message. A typed list is ListMeta as field 1 and items as fields 2.
void append_protobuf_field(std::string& out, int number, const Type& type, JsonText value);
// Unknown fields are skipped, as proto2 demands. Error: bad_request.
Result<Value> from_protobuf(const Type& type, std::string_view bytes);

struct ProtobufEnvelope {
  std::string api_version, kind;
  std::string_view raw;  // points into the bytes given
};
bool is_protobuf(std::string_view bytes);  // begins with "k8s\0"
// Error: bad_request.
Result<ProtobufEnvelope> open_protobuf(std::string_view bytes);
std::string wrap_protobuf(std::string_view api_version, std::string_view kind,
                          std::string_view message);
// One frame of a watch: its length, and a WatchEvent around a wrapped object.
std::string protobuf_watch_frame(std::string_view event, std::string_view wrapped_object);

}  // namespace keelson::codec
