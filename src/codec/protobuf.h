// Kubernetes' protobuf encoding of objects, driven by their types: the same values as in JSON,
// other bytes. Messages are written as the original's generated code writes them (proto2 without
// presence for plain fields: zero values are there), so that clients of any language read them.
//
// An object on the wire is "k8s\0" and a runtime.Unknown that names its type and holds its message.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/schema.h"
#include "codec/value.h"

namespace keelson::codec {

// What Type::wire_order keeps, so that it is not found out again.
std::vector<std::uint16_t> protobuf_order(const Type& type);

// The message of a value of this structure; kind and apiVersion are no part of it. For many, and
// for long ones, there is codec/protobuf_writer.h.
std::string to_protobuf(const Type& type, const Value& value);
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
// The same in parts, for a message that comes piece by piece: what stands before it, and then
// kEndOfWrapped behind it.
void append_wrapped(std::string& out, std::string_view api_version, std::string_view kind,
                    std::uint64_t message_size);
constexpr std::string_view kEndOfWrapped("\x1a\0\x22\0", 4);
// One frame of a watch: its length, and a WatchEvent around a wrapped object.
std::string protobuf_watch_frame(std::string_view event, std::string_view wrapped_object);

}  // namespace keelson::codec
