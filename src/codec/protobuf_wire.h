// What the writer and the reader of protobuf share: the wire's parts, and how types stand on it.
// Internal to this room.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codec/schema.h"

namespace keelson::codec {

constexpr std::string_view kProtobufMagic("k8s\0", 4);

enum Wire : unsigned { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

inline void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80U);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

inline void append_tag(std::string& out, int number, Wire wire) {
  append_varint(out, static_cast<std::uint64_t>(number) << 3 | wire);
}

inline void append_bytes(std::string& out, int number, std::string_view bytes) {
  append_tag(out, number, kBytes);
  append_varint(out, bytes.size());
  out.append(bytes);
}

inline void append_int(std::string& out, int number, std::int64_t value) {
  append_tag(out, number, kVarint);
  append_varint(out, static_cast<std::uint64_t>(value));
}

inline bool is_wrapped_list(const Type& type) {
  return type.shape == Shape::list;
}

// A list that is a message of its own even as a field.
inline bool is_items_message(const Type& type) {
  return type.name.ends_with("apis.meta.v1.Verbs");
}

inline bool is_schema_union(const Type& owner, std::string_view field) {
  return (field == "items" || field == "additionalItems" || field == "additionalProperties" ||
          field == "dependencies") &&
         owner.name.ends_with(".JSONSchemaProps");
}

// How many messages of embedded structs stand around a field, and its number at each level.
inline int depth_of(const Field& field) {
  return field.embedded_number == 0 ? 0 : field.embedded_inner == 0 ? 1 : 2;
}
inline int number_at(const Field& field, int level) {
  if (level >= depth_of(field)) return field.number;
  return level == 0 ? field.embedded_number : field.embedded_inner;
}

}  // namespace keelson::codec
