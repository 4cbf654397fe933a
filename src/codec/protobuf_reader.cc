// Reads Kubernetes' protobuf messages by their types.
#include "base/text.h"
#include "base/time.h"
#include "codec/json.h"
#include "codec/protobuf.h"
#include "codec/protobuf_wire.h"

namespace keelson::codec {
namespace {

constexpr int kDepthMax = 200;
constexpr std::int64_t kGoZeroSeconds = -62135596800;

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

Result<Value> from_protobuf(const Type& type, std::string_view bytes) {
  return read_message(type, bytes, 0);
}

bool is_protobuf(std::string_view bytes) {
  return bytes.starts_with(kProtobufMagic);
}

Result<ProtobufEnvelope> open_protobuf(std::string_view bytes) {
  if (!is_protobuf(bytes)) return malformed();
  TRY(const Small unknown, read_small(bytes.substr(kProtobufMagic.size())));
  TRY(const Small type, read_small(unknown.bytes[1]));
  return ProtobufEnvelope{std::string(type.bytes[1]), std::string(type.bytes[2]), unknown.bytes[2]};
}

}  // namespace keelson::codec
