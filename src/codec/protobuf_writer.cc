// Writes Kubernetes' protobuf messages from JSON text, read in place. Original: the
// generated.pb.go files of k8s.io/api, and the hand-written messages of Time, Quantity,
// IntOrString, RawExtension and JSONSchemaPropsOr*. Fields are written in the order of their
// numbers.
#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"
#include "base/time.h"
#include "codec/json.h"
#include "codec/protobuf.h"
#include "codec/protobuf_wire.h"

namespace keelson::codec {
namespace {

using Order = std::vector<std::uint16_t>;

// The members of a structure by name.
class Members {
 public:
  explicit Members(JsonText object) : object_(object) {
    object.each_member([this](JsonText key, JsonText value) {
      if (count_ == known_.size()) {
        more_ = true;
        return;
      }
      // The names of fields have no escapes; what has some is no field.
      const std::string_view quoted = key.raw();
      known_[count_++] = {quoted.substr(1, quoted.size() - 2), value};
    });
  }
  JsonText operator[](std::string_view name) const {
    for (std::size_t i = 0; i < count_; ++i)
      if (known_[i].first == name) return known_[i].second;
    return more_ ? object_[name] : JsonText();
  }

 private:
  JsonText object_;
  std::array<std::pair<std::string_view, JsonText>, 24> known_;
  std::size_t count_ = 0;
  bool more_ = false;
};
// A field of bytes whose length shows when they are written.
class Nested {
 public:
  Nested(std::string& out, int number) : out_(out) {
    append_tag(out_, number, kBytes);
    begin_ = out_.size();
    out_ += '\0';
  }
  ~Nested() {
    std::uint64_t size = out_.size() - begin_ - 1;
    char length[10];
    std::size_t count = 0;
    for (; size >= 0x80; size >>= 7) length[count++] = static_cast<char>(size | 0x80U);
    length[count++] = static_cast<char>(size);
    out_[begin_] = length[0];
    if (count > 1) out_.insert(begin_ + 1, length + 1, count - 1);
  }
  Nested(const Nested&) = delete;

 private:
  std::string& out_;
  std::size_t begin_;
};

void append_message(std::string& out, const Type& type, JsonText value);

void append_time(std::string& out, int number, JsonText value) {
  std::string buffer;
  const auto time = parse_rfc3339(value.as_string(buffer));
  const Nested message(out, number);
  if (!time) return;
  append_int(out, 1, time->unix_seconds());
  append_int(out, 2, (*time - time->floor_seconds()).count_nanoseconds());
}

// JSONSchemaPropsOrBool, OrArray and OrStringArray.
void append_schema_union(std::string& out, int number, const Type& schema, JsonText value,
                         bool or_bool) {
  const Nested message(out, number);
  if (value.is_bool()) {
    append_int(out, 1, value.as_bool() ? 1 : 0);
  } else if (value.is_array()) {
    value.each_element([&](JsonText one) {
      std::string buffer;
      if (one.is_string()) return append_bytes(out, 2, one.as_string(buffer));
      const Nested item(out, 2);
      append_message(out, schema, one);
    });
  } else {
    if (or_bool) append_int(out, 1, 1);
    const Nested item(out, or_bool ? 2 : 1);
    append_message(out, schema, value);
  }
}

void append_scalar(std::string& out, int number, Scalar scalar, JsonText value) {
  std::string buffer;
  switch (scalar) {
    case Scalar::string: return append_bytes(out, number, value.as_string(buffer));
    case Scalar::boolean: return append_int(out, number, value.as_bool() ? 1 : 0);
    case Scalar::int32:
    case Scalar::int64:
      return append_int(
          out, number,
          value.is_string() ? parse_int(value.as_string(buffer)).value_or(0) : value.as_int());
    case Scalar::float64: {
      append_tag(out, number, kFixed64);
      const double number_value = value.as_double();
      char bytes[8];
      std::memcpy(bytes, &number_value, sizeof bytes);
      out.append(bytes, sizeof bytes);
      return;
    }
    case Scalar::bytes:
      if (!value.is_null())
        append_bytes(out, number, from_base64(value.as_string(buffer)).value_or(""));
      return;
    case Scalar::quantity: {
      const Nested message(out, number);
      return append_bytes(out, 1, value.is_string() ? value.as_string(buffer) : value.raw());
    }
    case Scalar::time:
    case Scalar::micro_time: return append_time(out, number, value);
    case Scalar::duration: {
      const Nested message(out, number);
      return append_int(
          out, 1, parse_duration(value.as_string(buffer)).value_or(Duration()).count_nanoseconds());
    }
    case Scalar::int_or_string: {
      const Nested message(out, number);
      append_int(out, 1, value.is_string() ? 1 : 0);
      append_int(out, 2, value.as_int());
      return append_bytes(out, 3, value.as_string(buffer));
    }
  }
}

// A value that is there, whatever it is.
void append_value(std::string& out, int number, const Type& type, JsonText value) {
  switch (type.shape) {
    case Shape::scalar: return append_scalar(out, number, type.scalar, value);
    case Shape::structure: {
      const Nested message(out, number);
      return append_message(out, type, value);
    }
    case Shape::any: {
      const Nested message(out, number);
      std::string buffer;
      if (!value.is_null()) append_bytes(out, 1, value.raw());
      return;
    }
    case Shape::list: {
      const Type& element = *type.element.type;
      const auto append_items = [&](int at) {
        value.each_element([&](JsonText one) {
          if (element.shape == Shape::scalar && one.is_null() && !is_items_message(type)) return;
          append_value(out, at, element, one);
        });
      };
      if (!is_items_message(type)) return append_items(number);
      const Nested message(out, number);
      return append_items(1);
    }
    case Shape::map: {
      const Type& element = *type.element.type;
      value.each_member([&](JsonText key, JsonText one) {
        std::string buffer;
        const Nested entry(out, number);
        append_bytes(out, 1, key.as_string(buffer));
        if (!is_wrapped_list(element)) return append_value(out, 2, element, one);
        const Nested items(out, 2);
        append_value(out, 1, element, one);
      });
      return;
    }
  }
}

void append_field(std::string& out, const Type& owner, const Field& field, JsonText value) {
  if (field.pointer && value.is_null()) return;
  if (field.type->shape == Shape::any && is_schema_union(owner, field.name)) {
    if (field.name == "dependencies") return;
    return append_schema_union(out, field.number, owner, value, field.name != "items");
  }
  append_value(out, field.number, *field.type, value);
}

void append_fields(std::string& out, const Type& type, const Members& members, const Order& order,
                   std::size_t first, std::size_t last, int level) {
  for (std::size_t i = first; i < last;) {
    const Field& field = type.fields[order[i]];
    if (depth_of(field) == level) {
      append_field(out, type, field, members[field.name]);
      ++i;
      continue;
    }
    const int number = number_at(field, level);
    std::size_t end = i;
    while (end < last && number_at(type.fields[order[end]], level) == number) ++end;
    const Nested message(out, number);
    append_fields(out, type, members, order, i, end, level + 1);
    i = end;
  }
}

void append_message(std::string& out, const Type& type, JsonText value) {
  const Members members(value);
  if (!type.wire_order.empty())
    return append_fields(out, type, members, type.wire_order, 0, type.wire_order.size(), 0);
  const Order order = protobuf_order(type);
  append_fields(out, type, members, order, 0, order.size(), 0);
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

void append_protobuf(std::string& out, const Type& type, JsonText value) {
  append_message(out, type, value);
}

void append_protobuf_field(std::string& out, int number, const Type& type, JsonText value) {
  const Nested message(out, number);
  append_message(out, type, value);
}

std::string to_protobuf(const Type& type, const Value& value) {
  const std::string text = to_json(value);
  std::string out;
  append_message(out, type, JsonText(text));
  return out;
}

std::string wrap_protobuf(std::string_view api_version, std::string_view kind,
                          std::string_view message) {
  std::string type;
  append_bytes(type, 1, api_version);
  append_bytes(type, 2, kind);
  std::string out(kProtobufMagic);
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
