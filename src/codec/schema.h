// Schema: what the merging and decoding code must know of a type. The model room fills it from the
// table of types, and from the structural schemas of CRDs; everything that walks objects by type
// (decoding, defaulting, strategic merge, server-side apply, protobuf, OpenAPI) reads these and
// nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codec/value.h"

namespace keelson::codec {

struct Type;

enum class Scalar : std::uint8_t {
  string,
  boolean,
  int32,
  int64,
  float64,
  bytes,
  quantity,
  time,
  micro_time,
  duration,
  int_or_string
};
enum class Shape : std::uint8_t { scalar, structure, list, map, any };
enum class ListType : std::uint8_t { atomic, set, map };

// How a field (or the element of a list or map) uses a type.
struct Use {
  const Type* type = nullptr;
  ListType list_type = ListType::atomic;    // of a list, for server-side apply
  std::vector<std::string> list_keys = {};  // of a list of type map
  bool atomic = false;                      // a map or structure that apply owns as a whole
  std::string merge_key = {};               // strategic merge: patchMergeKey
  bool patch_merge = false;                 // patchStrategy has "merge"
  bool patch_retain_keys = false;           // patchStrategy has "retainKeys"
  bool nullable = false;
  bool patch_replace = false;  // patchStrategy has "replace"
};

struct Field : Use {
  std::string name;
  int number = 0;         // protobuf field number; 0: none
  bool required = false;  // as in OpenAPI
  bool keep_empty =
      false;  // no omitempty: the zero value is served ("status": {}, "creationTimestamp": null)
  bool pointer = false;  // optional with a presence of its own: an explicit zero value is kept
  // Protobuf: the field stands in the message of this number, and within that in the one of the
  // inner number; 0: directly.
  int embedded_number = 0, embedded_inner = 0;
  std::string embedded = {};  // Go's name of the struct embedded here, as its messages show it
  Value default_value = {};   // null: none (conditional defaults are code, see model/)
};

struct Type {
  std::string name;  // "io.k8s.api.core.v1.PodSpec"; empty for anonymous ones
  Shape shape = Shape::any;
  Scalar scalar = Scalar::string;
  std::vector<Field> fields =
      {};            // of a structure, in the order of the Go type (the order of validation)
  Use element = {};  // of a list or map
  bool preserve_unknown = false;  // x-kubernetes-preserve-unknown-fields, RawExtension
  bool has_kind = false;          // the first two fields are kind and apiVersion, not in protobuf
  // Places in `fields` as protobuf orders them (protobuf_order); empty: not prepared.
  std::vector<std::uint16_t> wire_order = {};
  std::vector<std::string> enumeration = {};  // of a string: the values that OpenAPI lists
  // Null if there is no such field.
  const Field* field(std::string_view field_name) const {
    for (const Field& f : fields)
      if (f.name == field_name) return &f;
    return nullptr;
  }
};

}  // namespace keelson::codec
