// Original: the generated.pb.go files of k8s.io/api, and the hand-written messages of Time,
// Quantity, IntOrString, RawExtension and JSONSchemaPropsOr*. Fields are written in the order of
// their numbers.
#include "codec/protobuf.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/text.h"
#include "base/time.h"
#include "codec/json.h"

namespace keelson::codec {
namespace {

constexpr std::string_view kMagic("k8s\0", 4);
constexpr int kDepthMax = 200;
constexpr std::int64_t kGoZeroSeconds = -62135596800;

enum Wire : unsigned { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80U);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

void append_tag(std::string& out, int number, Wire wire) {
  append_varint(out, static_cast<std::uint64_t>(number) << 3 | wire);
}

void append_bytes(std::string& out, int number, std::string_view bytes) {
  append_tag(out, number, kBytes);
  append_varint(out, bytes.size());
  out.append(bytes);
}

void append_int(std::string& out, int number, std::int64_t value) {
  append_tag(out, number, kVarint);
  append_varint(out, static_cast<std::uint64_t>(value));
}

bool is_wrapped_list(const Type& type) {
  return type.shape == Shape::list;
}

// A list that is a message of its own even as a field.
bool is_items_message(const Type& type) {
  return type.name.ends_with("apis.meta.v1.Verbs");
}

// ---- writing ----

std::string time_message(const Value& value) {
  const auto time = parse_rfc3339(value.as_string());
  std::string out;
  if (!time) return out;
  append_int(out, 1, time->unix_seconds());
  append_int(out, 2, (*time - time->floor_seconds()).count_nanoseconds());
  return out;
}

std::string int_or_string_message(const Value& value) {
  std::string out;
  append_int(out, 1, value.is_string() ? 1 : 0);
  append_int(out, 2, value.as_int());
  append_bytes(out, 3, value.as_string());
  return out;
}

std::string raw_message(const Value& value) {
  std::string out;
  if (!value.is_null()) append_bytes(out, 1, to_json(value));
  return out;
}

bool is_schema_union(const Type& owner, std::string_view field) {
  return owner.name.ends_with(".JSONSchemaProps") &&
         (field == "items" || field == "additionalItems" || field == "additionalProperties" ||
          field == "dependencies");
}

// JSONSchemaPropsOrBool, OrArray and OrStringArray.
std::string schema_union_message(const Type& schema, const Value& value, bool or_bool) {
  std::string out;
  if (value.is_bool()) {
    append_int(out, 1, value.as_bool() ? 1 : 0);
  } else if (value.is_array()) {
    for (const Value& one : value.elements())
      append_bytes(out, 2, one.is_string() ? one.str() : to_protobuf(schema, one));
  } else {
    if (or_bool) append_int(out, 1, 1);
    append_bytes(out, or_bool ? 2 : 1, to_protobuf(schema, value));
  }
  return out;
}

void append_scalar(std::string& out, int number, Scalar scalar, const Value& value) {
  switch (scalar) {
    case Scalar::string: return append_bytes(out, number, value.as_string());
    case Scalar::boolean: return append_int(out, number, value.as_bool() ? 1 : 0);
    case Scalar::int32:
    case Scalar::int64:
      return append_int(
          out, number,
          value.is_string() ? parse_int(value.as_string()).value_or(0) : value.as_int());
    case Scalar::float64: {
      append_tag(out, number, kFixed64);
      const double number_value = value.as_double();
      char bytes[8];
      std::memcpy(bytes, &number_value, sizeof bytes);
      out.append(bytes, sizeof bytes);
      return;
    }
    case Scalar::bytes:
      if (!value.is_null()) append_bytes(out, number, from_base64(value.as_string()).value_or(""));
      return;
    case Scalar::quantity: {
      std::string message;
      append_bytes(message, 1, value.is_string() ? value.str() : to_json(value));
      return append_bytes(out, number, message);
    }
    case Scalar::time:
    case Scalar::micro_time: return append_bytes(out, number, time_message(value));
    case Scalar::duration: {
      std::string message;
      append_int(message, 1,
                 parse_duration(value.as_string()).value_or(Duration()).count_nanoseconds());
      return append_bytes(out, number, message);
    }
    case Scalar::int_or_string: return append_bytes(out, number, int_or_string_message(value));
  }
}

// A value that is there, whatever it is.
void append_value(std::string& out, int number, const Type& type, const Value& value) {
  switch (type.shape) {
    case Shape::scalar: return append_scalar(out, number, type.scalar, value);
    case Shape::structure: return append_bytes(out, number, to_protobuf(type, value));
    case Shape::any: return append_bytes(out, number, raw_message(value));
    case Shape::list:
      if (is_items_message(type)) {
        std::string items;
        for (const Value& one : value.elements()) append_value(items, 1, *type.element.type, one);
        return append_bytes(out, number, items);
      }
      for (const Value& one : value.elements()) {
        if (type.element.type->shape == Shape::scalar && one.is_null()) continue;
        append_value(out, number, *type.element.type, one);
      }
      return;
    case Shape::map: {
      const Type& element = *type.element.type;
      for (const Member& member : value.members()) {
        std::string entry;
        append_bytes(entry, 1, member.key());
        if (is_wrapped_list(element)) {
          std::string items;
          append_value(items, 1, element, member.value);
          append_bytes(entry, 2, items);
        } else {
          append_value(entry, 2, element, member.value);
        }
        append_bytes(out, number, entry);
      }
      return;
    }
  }
}

void append_field(std::string& out, const Type& owner, const Field& field, const Value& object) {
  const Value& value = object[field.name];
  if (field.pointer && value.is_null()) return;
  if (field.type->shape == Shape::any && is_schema_union(owner, field.name)) {
    if (field.name == "dependencies") return;
    return append_bytes(out, field.number,
                        schema_union_message(owner, value, field.name != "items"));
  }
  append_value(out, field.number, *field.type, value);
}

// How many messages of embedded structs stand around a field, and its number at each level.
int depth_of(const Field& field) {
  return field.embedded_number == 0 ? 0 : field.embedded_inner == 0 ? 1 : 2;
}
int number_at(const Field& field, int level) {
  if (level >= depth_of(field)) return field.number;
  return level == 0 ? field.embedded_number : field.embedded_inner;
}

using Order = std::vector<std::uint16_t>;

void append_fields(std::string& out, const Type& type, const Value& value, const Order& order,
                   std::size_t first, std::size_t last, int level) {
  for (std::size_t i = first; i < last;) {
    const Field& field = type.fields[order[i]];
    if (depth_of(field) == level) {
      append_field(out, type, field, value);
      ++i;
      continue;
    }
    const int number = number_at(field, level);
    std::size_t end = i;
    while (end < last && number_at(type.fields[order[end]], level) == number) ++end;
    std::string message;
    append_fields(message, type, value, order, i, end, level + 1);
    append_bytes(out, number, message);
    i = end;
  }
}

// ---- reading ----

Error malformed() {
  return {Reason::bad_request, "unexpected EOF"};
}

struct Item {
  int number = 0;
  Wire wire = kVarint;
  std::uint64_t integer = 0;
  std::string_view bytes;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }
  Result<Item> next() {
    Item item;
    TRY(const std::uint64_t tag, varint());
    item.number = static_cast<int>(tag >> 3);
    item.wire = static_cast<Wire>(tag & 7);
    if (item.number <= 0) return malformed();
    switch (item.wire) {
      case kVarint: {
        TRY(item.integer, varint());
        return item;
      }
      case kBytes: {
        TRY(const std::uint64_t length, varint());
        return take(item, length);
      }
      case kFixed64: return take(item, 8);
      case kFixed32: return take(item, 4);
      default: return malformed();
    }
  }

 private:
  Result<Item> take(Item item, std::uint64_t length) {
    if (length > rest_.size()) return malformed();
    item.bytes = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return item;
  }
  Result<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return malformed();
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
      if (byte < 0x80) return value;
    }
    return malformed();
  }
  std::string_view rest_;
};

Result<Value> read_message(const Type& type, std::string_view bytes, int depth);
Result<Value> read_value(const Type& type, const Item& item, int depth);

// A message of plain fields: the last integer and bytes of each number up to 3.
struct Small {
  std::int64_t integers[4] = {};
  std::string_view bytes[4];
  bool has[4] = {};
};
Result<Small> read_small(std::string_view message) {
  Small small;
  Reader reader(message);
  while (!reader.done()) {
    TRY(const Item item, reader.next());
    if (item.number > 3) continue;
    const auto at = static_cast<std::size_t>(item.number);
    small.integers[at] = static_cast<std::int64_t>(item.integer);
    small.bytes[at] = item.bytes;
    small.has[at] = true;
  }
  return small;
}

Result<Value> read_scalar(Scalar scalar, const Item& item) {
  switch (scalar) {
    case Scalar::string: return Value(item.bytes);
    case Scalar::boolean: return Value(item.integer != 0);
    case Scalar::int32: return Value(static_cast<std::int32_t>(item.integer));
    case Scalar::int64: return Value(static_cast<std::int64_t>(item.integer));
    case Scalar::float64: {
      double number = 0;
      if (item.bytes.size() == sizeof number) std::memcpy(&number, item.bytes.data(), 8);
      return Value(number);
    }
    case Scalar::bytes: return Value(to_base64(item.bytes));
    default: break;
  }
  TRY(const Small small, read_small(item.bytes));
  switch (scalar) {
    case Scalar::quantity: return Value(small.bytes[1].empty() ? "0" : small.bytes[1]);
    case Scalar::time:
    case Scalar::micro_time: {
      if (item.bytes.empty() || small.integers[1] == kGoZeroSeconds) return Value();
      const Instant time =
          Instant::unix_seconds(small.integers[1]) + Duration::nanoseconds(small.integers[2]);
      return Value(scalar == Scalar::time ? to_rfc3339(time) : to_rfc3339_micro(time));
    }
    case Scalar::duration: return Value(to_text(Duration::nanoseconds(small.integers[1])));
    default: break;
  }
  if (small.integers[1] == 1) return Value(small.bytes[3]);
  return Value(static_cast<std::int32_t>(small.integers[2]));
}

Result<Value> read_raw(std::string_view message) {
  TRY(const Small small, read_small(message));
  if (small.bytes[1].empty()) return Value();
  return parse_json(small.bytes[1]);
}

Result<Value> read_schema_union(const Type& schema, std::string_view message, bool or_bool,
                                int depth) {
  Value result;
  Reader reader(message);
  while (!reader.done()) {
    TRY(const Item item, reader.next());
    if (or_bool && item.number == 1) {
      if (result.is_null()) result = Value(item.integer != 0);
    } else if (item.number == (or_bool ? 2 : 1)) {
      TRY(result, read_message(schema, item.bytes, depth + 1));
    } else if (item.number == 2) {
      TRY(Value one, read_message(schema, item.bytes, depth + 1));
      result.push_back(std::move(one));
    }
  }
  return result;
}

Result<void> read_map_entry(const Type& element, std::string_view entry, Value& map, int depth) {
  std::string key;
  Value value;
  bool seen = false;
  Reader reader(entry);
  while (!reader.done()) {
    TRY(const Item item, reader.next());
    if (item.number == 1) key = item.bytes;
    if (item.number != 2) continue;
    seen = true;
    if (is_wrapped_list(element)) {
      value = Value::array();
      Reader items(item.bytes);
      while (!items.done()) {
        TRY(const Item one, items.next());
        if (one.number != 1) continue;
        TRY(Value read, read_value(*element.element.type, one, depth + 1));
        value.push_back(std::move(read));
      }
    } else {
      TRY(value, read_value(element, item, depth + 1));
    }
  }
  if (!seen) {
    TRY(value, read_value(element, Item{2, kBytes, 0, {}}, depth + 1));
  }
  if (map.is_null()) map = Value::object();
  map.set(key, std::move(value));
  return {};
}

Result<Value> read_value(const Type& type, const Item& item, int depth) {
  switch (type.shape) {
    case Shape::scalar: return read_scalar(type.scalar, item);
    case Shape::structure: return read_message(type, item.bytes, depth + 1);
    case Shape::any: return read_raw(item.bytes);
    default: return Value();
  }
}

bool is_zero(const Type& type, const Value& value) {
  if (value.is_null()) return true;
  switch (type.shape) {
    case Shape::structure: return value.empty();
    case Shape::scalar:
      if (value.is_string()) return value.as_string().empty();
      if (value.is_bool()) return !value.as_bool();
      return value.is_number() && value.as_double() == 0 && type.scalar != Scalar::int_or_string;
    default: return false;
  }
}

Result<void> read_field(const Type& owner, const Field& field, const Item& item, Value& object,
                        int depth) {
  const Type& type = *field.type;
  if (type.shape == Shape::list) {
    TRY(Value one, read_value(*type.element.type, item, depth));
    object.edit(field.name).push_back(std::move(one));
    return {};
  }
  if (type.shape == Shape::map)
    return read_map_entry(*type.element.type, item.bytes, object.edit(field.name), depth);
  Value value;
  if (type.shape == Shape::any && is_schema_union(owner, field.name)) {
    TRY(value, read_schema_union(owner, item.bytes, field.name != "items", depth));
  } else {
    TRY(value, read_value(type, item, depth));
  }
  // What a JSON client would not have written.
  if (!field.pointer && !field.keep_empty && is_zero(type, value)) return {};
  object.set(field.name, std::move(value));
  return {};
}

// `outer` and `inner`: the embedded messages around these bytes; 0: none.
Result<void> read_fields(const Type& type, int outer, int inner, std::string_view bytes,
                         Value& object, int depth) {
  if (depth > kDepthMax) return Error{Reason::bad_request, "nested too deep"};
  Reader reader(bytes);
  while (!reader.done()) {
    TRY(const Item item, reader.next());
    bool embedded = false;
    for (const Field& field : type.fields) {
      if (field.number == 0) continue;
      if (field.embedded_number == outer && field.embedded_inner == inner &&
          field.number == item.number) {
        TRY_VOID(read_field(type, field, item, object, depth));
        break;
      }
      embedded = embedded || (outer == 0 && field.embedded_number == item.number) ||
                 (outer != 0 && inner == 0 && field.embedded_number == outer &&
                  field.embedded_inner == item.number);
    }
    if (!embedded) continue;
    TRY_VOID(read_fields(type, outer == 0 ? item.number : outer, outer == 0 ? 0 : item.number,
                         item.bytes, object, depth + 1));
  }
  return {};
}

Result<Value> read_message(const Type& type, std::string_view bytes, int depth) {
  Value object = Value::object();
  TRY_VOID(read_fields(type, 0, 0, bytes, object, depth));
  return object;
}

}  // namespace

std::vector<std::uint16_t> protobuf_order(const Type& type) {
  Order order;
  for (std::size_t i = 0; i < type.fields.size(); ++i)
    if (type.fields[i].number != 0) order.push_back(static_cast<std::uint16_t>(i));
  std::stable_sort(order.begin(), order.end(), [&](std::uint16_t a, std::uint16_t b) {
    for (int level = 0; level < 3; ++level) {
      const int left = number_at(type.fields[a], level), right = number_at(type.fields[b], level);
      if (left != right) return left < right;
    }
    return false;
  });
  return order;
}

void append_protobuf(std::string& out, const Type& type, const Value& value) {
  if (!type.wire_order.empty())
    return append_fields(out, type, value, type.wire_order, 0, type.wire_order.size(), 0);
  const Order order = protobuf_order(type);
  append_fields(out, type, value, order, 0, order.size(), 0);
}

std::string to_protobuf(const Type& type, const Value& value) {
  std::string out;
  append_protobuf(out, type, value);
  return out;
}

std::string to_protobuf_list(const Type& list_metadata, const Value& metadata, const Type& item,
                             const Array& items) {
  std::string out;
  append_bytes(out, 1, to_protobuf(list_metadata, metadata));
  for (const Value& one : items) append_bytes(out, 2, to_protobuf(item, one));
  return out;
}

Result<Value> from_protobuf(const Type& type, std::string_view bytes) {
  return read_message(type, bytes, 0);
}

bool is_protobuf(std::string_view bytes) {
  return bytes.starts_with(kMagic);
}

Result<ProtobufEnvelope> open_protobuf(std::string_view bytes) {
  if (!is_protobuf(bytes)) return malformed();
  TRY(const Small unknown, read_small(bytes.substr(kMagic.size())));
  TRY(const Small type, read_small(unknown.bytes[1]));
  return ProtobufEnvelope{std::string(type.bytes[1]), std::string(type.bytes[2]), unknown.bytes[2]};
}

std::string wrap_protobuf(std::string_view api_version, std::string_view kind,
                          std::string_view message) {
  std::string type;
  append_bytes(type, 1, api_version);
  append_bytes(type, 2, kind);
  std::string out(kMagic);
  append_bytes(out, 1, type);
  append_bytes(out, 2, message);
  append_bytes(out, 3, "");
  append_bytes(out, 4, "");
  return out;
}

std::string protobuf_watch_frame(std::string_view event, std::string_view wrapped_object) {
  std::string object;
  append_bytes(object, 1, wrapped_object);
  std::string message;
  append_bytes(message, 1, event);
  append_bytes(message, 2, object);
  std::string frame;
  const std::size_t length = message.size();
  for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(length >> shift);
  return frame + message;
}

}  // namespace keelson::codec
