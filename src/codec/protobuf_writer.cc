// Writes Kubernetes' protobuf messages from JSON text. Original: the generated.pb.go files of
// k8s.io/api, and the hand-written messages of Time, Quantity, IntOrString, RawExtension and
// JSONSchemaPropsOr*. Fields are written in the order of their numbers.
//
// The members of an object come in another order than its fields, and a message's length comes
// before it. So the fields of a message are written as they come, to the one of two buffers that
// the message itself is not for, and put together in the other when all are there.
#include "codec/protobuf_writer.h"

#include <bit>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "base/time.h"
#include "codec/json.h"
#include "codec/json_scan.h"
#include "codec/json_text.h"
#include "codec/protobuf.h"
#include "codec/protobuf_plan.h"
#include "codec/protobuf_wire.h"

namespace keelson::codec {
namespace {

// Bytes that grow.
class Buffer {
 public:
  std::size_t size() const { return size_; }
  std::string_view from(std::size_t begin) const { return {bytes_.get() + begin, size_ - begin}; }
  void cut(std::size_t size) { size_ = size; }
  void append(const char* bytes, std::size_t count) {
    reserve(count);
    char* to = bytes_.get() + size_;
    size_ += count;
    // Short ones by two copies that overlap.
    if (count > 16) {
      std::memcpy(to, bytes, count);
    } else if (count >= 8) {
      copy_ends<std::uint64_t>(to, bytes, count);
    } else if (count >= 4) {
      copy_ends<std::uint32_t>(to, bytes, count);
    } else if (count > 0) {
      to[0] = bytes[0];
      to[count / 2] = bytes[count / 2];
      to[count - 1] = bytes[count - 1];
    }
  }
  void append(std::string_view bytes) { append(bytes.data(), bytes.size()); }
  void append_byte(char byte) {
    reserve(1);
    bytes_[size_++] = byte;
  }
  void append_tag(const ValuePlan& plan) {
    reserve(plan.tag.size());
    std::memcpy(bytes_.get() + size_, plan.tag.data(), plan.tag.size());
    size_ += plan.tag_size;
  }
  void append_number(std::uint64_t value) {
    reserve(10);
    char* to = bytes_.get() + size_;
    for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80U);
    *to++ = static_cast<char>(value);
    size_ = static_cast<std::size_t>(to - bytes_.get());
  }
  // Room for so much more, which the caller fills and takes.
  char* room(std::size_t count) {
    reserve(count);
    return bytes_.get() + size_;
  }
  void take(std::size_t count) { size_ += count; }

 private:
  void reserve(std::size_t count) {
    if (size_ + count > capacity_) grow(count);
  }
  template <typename Word>
  static void copy_ends(char* to, const char* from, std::size_t count) {
    Word first = 0, last = 0;
    std::memcpy(&first, from, sizeof first);
    std::memcpy(&last, from + count - sizeof last, sizeof last);
    std::memcpy(to, &first, sizeof first);
    std::memcpy(to + count - sizeof last, &last, sizeof last);
  }
  void grow(std::size_t count) {
    capacity_ = (size_ + count + 4096) * 2;
    std::unique_ptr<char[]> more(new char[capacity_]);
    if (size_ > 0) std::memcpy(more.get(), bytes_.get(), size_);
    bytes_ = std::move(more);
  }
  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0, capacity_ = 0;
};

std::size_t number_size(std::uint64_t value) {
  return static_cast<std::size_t>(std::bit_width(value | 1) + 6) / 7;
}

std::string unescaped(std::string_view inner) {
  const auto text = parse_json('"' + std::string(inner) + '"');
  return text.ok() ? text->str() : std::string();
}

// A field's bytes, in the buffer where the fields of its message are gathered.
struct Piece {
  std::uint32_t begin = 0, size = 0;
};

// Which fields of a message are there.
class Presence {
 public:
  explicit Presence(std::size_t fields) { KEELSON_CHECK(fields <= kFieldsMax); }
  void add(std::size_t field) { words_[field / 64] |= std::uint64_t{1} << field % 64; }
  bool has(std::size_t field) const { return (words_[field / 64] >> field % 64 & 1U) != 0; }
  // call(field) for each, in order.
  template <typename Call>
  void each(Call call) const {
    for (std::size_t word = 0; word < kFieldsMax / 64; ++word)
      for (std::uint64_t rest = words_[word]; rest != 0; rest &= rest - 1)
        call(word * 64 + static_cast<std::size_t>(std::countr_zero(rest)));
  }

 private:
  static constexpr std::size_t kFieldsMax = 128;
  std::uint64_t words_[kFieldsMax / 64] = {};
};

// A message being put together.
struct Assembly {
  const MessagePlan& plan;
  const Piece* pieces;  // of the fields that are there
  const Presence& there;
  const Buffer& from;

  // What a field has: its own bytes, or those of one that is absent.
  std::string_view field(std::size_t at) const {
    if (there.has(at)) return from.from(pieces[at].begin).substr(0, pieces[at].size);
    const std::size_t begin = plan.absent_begin(at);
    return std::string_view(plan.absent).substr(begin, plan.fields[at].absent_end - begin);
  }
  std::size_t size(const std::vector<FieldGroup>& groups) const {
    std::size_t sum = 0;
    for (const FieldGroup& group : groups) {
      if (group.number == 0) {
        sum += field(group.first).size();
        continue;
      }
      const std::size_t inner = size(group.inner);
      sum +=
          number_size(static_cast<std::uint64_t>(group.number) << 3) + number_size(inner) + inner;
    }
    return sum;
  }
  void append(const std::vector<FieldGroup>& groups, Buffer& out) const {
    for (const FieldGroup& group : groups) {
      if (group.number == 0) {
        out.append(field(group.first));
        continue;
      }
      out.append_number(static_cast<std::uint64_t>(group.number) << 3 | kBytes);
      out.append_number(size(group.inner));
      append(group.inner, out);
    }
  }
};

}  // namespace

struct ProtobufWriter::State {
  MessagePlans plans;
  Buffer buffers[2];
  // Of all messages that are being written, innermost last.
  std::vector<Piece> pieces;
  std::size_t pieces_used = 0;

  // Each reads one value and leaves the scan behind it.
  void message(const MessagePlan& plan, JsonScan& in, Buffer& out, Buffer& other,
               const ValuePlan* field);
  void value(const ValuePlan& plan, JsonScan& in, Buffer& out, Buffer& other);
  void scalar(const ValuePlan& plan, JsonScan& in, Buffer& out);
  void other_scalar(const ValuePlan& plan, JsonText text, Buffer& out);
  void text(const ValuePlan& plan, JsonScan& in, Buffer& out);
  void list(const ValuePlan& plan, JsonScan& in, Buffer& out, Buffer& other, bool nulls);
  void map(const ValuePlan& plan, JsonScan& in, Buffer& out, Buffer& other);
  void schema_union(const ValuePlan& plan, JsonScan& in, Buffer& out, Buffer& other);
};

// With a field: as that field, tag and length before it.
void ProtobufWriter::State::message(const MessagePlan& plan, JsonScan& in, Buffer& out,
                                    Buffer& other, const ValuePlan* field) {
  const std::size_t first = pieces_used, count = plan.fields.size(), start = other.size();
  std::size_t size = plan.zero.size();
  Presence there(count);
  pieces_used += count;
  if (pieces.size() < pieces_used) pieces.resize(pieces_used * 2);
  if (in.begins('{')) {
    std::string_view key;
    for (in.enter(); in.next_key(key);) {
      const std::size_t at = plan.find(key);
      if (at == count) {
        in.skip();
        continue;
      }
      const FieldPlan& known = plan.fields[at];
      const std::size_t begin = other.size();
      if (known.pointer && in.begins('n'))
        in.skip();
      else
        value(known.value, in, other, out);
      const std::size_t written = other.size() - begin;
      pieces[first + at] = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(written)};
      there.add(at);
      size += written - (known.absent_end - plan.absent_begin(at));
    }
  } else {
    in.skip();
  }
  const Assembly assembly{plan, pieces.data() + first, there, other};
  if (!plan.groups.empty()) size = assembly.size(plan.groups);
  if (field != nullptr) {
    out.append_tag(*field);
    out.append_number(size);
  }
  if (!plan.groups.empty()) {
    assembly.append(plan.groups, out);
  } else {
    // Neighbours that are absent are copied at once.
    std::size_t absent = 0;
    there.each([&](std::size_t at) {
      out.append(plan.absent.data() + absent, plan.absent_begin(at) - absent);
      absent = plan.fields[at].absent_end;
      out.append(assembly.field(at));
    });
    out.append(plan.absent.data() + absent, plan.absent.size() - absent);
  }
  pieces_used = first;
  other.cut(start);
}

// A value that is there, whatever it is.
void ProtobufWriter::State::value(const ValuePlan& plan, JsonScan& in, Buffer& out, Buffer& other) {
  switch (plan.form) {
    case WireForm::scalar: return scalar(plan, in, out);
    case WireForm::message: return message(*plan.message, in, out, other, &plan);
    case WireForm::list: return list(*plan.element, in, out, other, false);
    case WireForm::map:
    case WireForm::map_of_lists: return map(plan, in, out, other);
    case WireForm::union_or_array:
    case WireForm::union_or_bool: return schema_union(plan, in, out, other);
    case WireForm::nothing: return in.skip();
    case WireForm::raw: {
      const std::string_view raw = in.take();
      out.append_tag(plan);
      if (raw.empty() || raw.front() == 'n') return out.append_byte('\0');
      out.append_number(1 + number_size(raw.size()) + raw.size());
      out.append_byte(1 << 3 | kBytes);
      out.append_number(raw.size());
      return out.append(raw);
    }
    case WireForm::items: {
      const std::size_t start = other.size();
      list(*plan.element, in, other, out, true);
      out.append_tag(plan);
      out.append_number(other.size() - start);
      out.append(other.from(start));
      return other.cut(start);
    }
  }
}

void ProtobufWriter::State::list(const ValuePlan& plan, JsonScan& in, Buffer& out, Buffer& other,
                                 bool nulls) {
  if (!in.begins('[')) return in.skip();
  for (in.enter(); in.next_element();) {
    if (plan.form == WireForm::scalar && !nulls && in.begins('n'))
      in.skip();
    else
      value(plan, in, out, other);
  }
}

void ProtobufWriter::State::map(const ValuePlan& plan, JsonScan& in, Buffer& out, Buffer& other) {
  if (!in.begins('{')) return in.skip();
  std::string buffer;
  std::string_view key;
  for (in.enter(); in.next_key(key);) {
    if (key.find('\\') != std::string_view::npos) key = buffer = unescaped(key);
    const std::size_t start = other.size();
    value(*plan.element, in, other, out);
    const std::size_t size = other.size() - start;
    const std::size_t wrapper = plan.form == WireForm::map_of_lists ? 1 + number_size(size) : 0;
    out.append_tag(plan);
    out.append_number(1 + number_size(key.size()) + key.size() + wrapper + size);
    out.append_byte(1 << 3 | kBytes);
    out.append_number(key.size());
    out.append(key);
    if (wrapper != 0) {
      out.append_byte(2 << 3 | kBytes);
      out.append_number(size);
    }
    out.append(other.from(start));
    other.cut(start);
  }
}

// JSONSchemaPropsOrBool, OrArray and OrStringArray.
void ProtobufWriter::State::schema_union(const ValuePlan& plan, JsonScan& in, Buffer& out,
                                         Buffer& other) {
  const bool or_bool = plan.form == WireForm::union_or_bool;
  const std::size_t start = other.size();
  ValuePlan item;
  item.form = WireForm::message;
  item.tag_size = 1;
  item.tag[0] = (or_bool || in.begins('[') ? 2 : 1) << 3 | kBytes;
  if (in.begins('t') || in.begins('f')) {
    other.append_byte(1 << 3 | kVarint);
    other.append_byte(in.begins('t') ? 1 : 0);
    in.skip();
  } else if (in.begins('[')) {
    for (in.enter(); in.next_element();) {
      if (in.begins('"'))
        text(item, in, other);
      else
        message(*plan.message, in, other, out, &item);
    }
  } else {
    if (or_bool) other.append(std::string_view("\x08\x01"));
    message(*plan.message, in, other, out, &item);
  }
  out.append_tag(plan);
  out.append_number(other.size() - start);
  out.append(other.from(start));
  other.cut(start);
}

void ProtobufWriter::State::text(const ValuePlan& plan, JsonScan& in, Buffer& out) {
  bool escaped = false;
  const std::string_view inner = in.take_string(escaped);
  out.append_tag(plan);
  if (!escaped) {
    out.append_number(inner.size());
    return out.append(inner);
  }
  // It gets shorter, and with it perhaps the number before it.
  const std::size_t assumed = number_size(inner.size());
  char* to = out.room(assumed + inner.size());
  const std::size_t size = unescape_json(inner, to + assumed);
  if (size == kNotUnescaped) {
    const std::string read = unescaped(inner);
    out.append_number(read.size());
    return out.append(read);
  }
  const std::size_t needed = number_size(size);
  if (needed != assumed) std::memmove(to + needed, to + assumed, size);
  out.append_number(size);
  out.take(size);
}

void ProtobufWriter::State::scalar(const ValuePlan& plan, JsonScan& in, Buffer& out) {
  switch (plan.scalar) {
    case Scalar::string:
      if (in.begins('"')) return text(plan, in, out);
      in.skip();
      out.append_tag(plan);
      return out.append_byte('\0');
    case Scalar::boolean:
      out.append_tag(plan);
      out.append_byte(in.begins('t') ? 1 : 0);
      return in.skip();
    case Scalar::int32:
    case Scalar::int64:
      if (in.begins('"')) break;
      out.append_tag(plan);
      return out.append_number(static_cast<std::uint64_t>(JsonText(in.take()).as_int()));
    default: break;
  }
  other_scalar(plan, JsonText(in.take()), out);
}

// Those whose text says something else than what is written.
void ProtobufWriter::State::other_scalar(const ValuePlan& plan, JsonText text, Buffer& out) {
  std::string buffer, message;
  switch (plan.scalar) {
    case Scalar::float64: {
      const double number = text.as_double();
      char bytes[8];
      std::memcpy(bytes, &number, sizeof bytes);
      out.append_tag(plan);
      return out.append(bytes, sizeof bytes);
    }
    case Scalar::bytes:
      if (text.is_null()) return;
      message = from_base64(text.as_string(buffer)).value_or("");
      break;
    case Scalar::int32:
    case Scalar::int64:
      out.append_tag(plan);
      return out.append_number(
          static_cast<std::uint64_t>(parse_int(text.as_string(buffer)).value_or(0)));
    case Scalar::quantity:
      append_bytes(message, 1, text.is_string() ? text.as_string(buffer) : text.raw());
      break;
    case Scalar::time:
    case Scalar::micro_time:
      if (const auto time = parse_rfc3339(text.as_string(buffer))) {
        append_int(message, 1, time->unix_seconds());
        append_int(message, 2, (*time - time->floor_seconds()).count_nanoseconds());
      }
      break;
    case Scalar::duration:
      append_int(message, 1,
                 parse_duration(text.as_string(buffer)).value_or(Duration()).count_nanoseconds());
      break;
    case Scalar::int_or_string:
      append_int(message, 1, text.is_string() ? 1 : 0);
      append_int(message, 2, text.as_int());
      append_bytes(message, 3, text.as_string(buffer));
      break;
    case Scalar::string:
    case Scalar::boolean: return;
  }
  out.append_tag(plan);
  out.append_number(message.size());
  out.append(message);
}

ProtobufWriter::ProtobufWriter() : state_(std::make_unique<State>()) {}
ProtobufWriter::~ProtobufWriter() = default;

std::string_view ProtobufWriter::write(const Type& type, std::string_view json) {
  const MessagePlan& plan = state_->plans.plan_of(type);
  for (Buffer& buffer : state_->buffers) buffer.cut(0);
  JsonScan in(json);
  state_->message(plan, in, state_->buffers[0], state_->buffers[1], nullptr);
  return state_->buffers[0].from(0);
}

std::string to_protobuf(const Type& type, const Value& value) {
  ProtobufWriter writer;
  return std::string(writer.write(type, to_json(value)));
}

std::string wrap_protobuf(std::string_view api_version, std::string_view kind,
                          std::string_view message) {
  std::string out;
  append_wrapped(out, api_version, kind, message.size());
  out += message;
  out += kEndOfWrapped;
  return out;
}

void append_wrapped(std::string& out, std::string_view api_version, std::string_view kind,
                    std::uint64_t message_size) {
  std::string type;
  append_bytes(type, 1, api_version);
  append_bytes(type, 2, kind);
  out += kProtobufMagic;
  append_bytes(out, 1, type);
  append_tag(out, 2, kBytes);
  append_varint(out, message_size);
}

std::string protobuf_watch_frame(std::string_view event, std::string_view wrapped_object) {
  std::string head;
  append_bytes(head, 1, event);
  const std::size_t inner = 1 + number_size(wrapped_object.size()) + wrapped_object.size();
  append_tag(head, 2, kBytes);
  append_varint(head, inner);
  append_tag(head, 1, kBytes);
  append_varint(head, wrapped_object.size());
  std::string frame;
  const std::size_t length = head.size() + wrapped_object.size();
  frame.reserve(4 + length);
  for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(length >> shift);
  frame += head;
  return frame += wrapped_object;
}

}  // namespace keelson::codec
