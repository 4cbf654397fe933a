#include "app/golden/wire.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "codec/json.h"

namespace keelson::app {
namespace {

using codec::Value;

constexpr int kDepthMax = 100;

bool is_utf8(std::string_view text) {
  // The JSON reader replaces what is no UTF-8.
  std::string quoted;
  codec::append_json_string(quoted, text);
  const auto parsed = codec::parse_json(quoted);
  return parsed.ok() && parsed->as_string() == text;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes, int depth) : bytes_(bytes), depth_(depth) {}

  std::optional<Value> message() {
    if (depth_ > kDepthMax) return std::nullopt;
    Value out = Value::array();
    while (at_ < bytes_.size()) {
      const auto tag = varint();
      if (!tag || *tag >> 3 == 0) return std::nullopt;
      auto value = field(static_cast<int>(*tag & 7));
      if (!value) return std::nullopt;
      out.push_back(Value::array({Value(static_cast<std::int64_t>(*tag >> 3)), *value}));
    }
    return out;
  }

 private:
  std::optional<Value> field(int kind) {
    if (kind == 0) {
      const auto n = varint();
      if (!n) return std::nullopt;
      if (*n > 1'700'000'000 && *n < 2'200'000'000) return Value("<time>");
      if (*n > INT64_MAX) return Value(static_cast<double>(*n));
      return Value(static_cast<std::int64_t>(*n));
    }
    if (kind == 1 || kind == 5) {
      const std::size_t size = kind == 1 ? 8 : 4;
      if (bytes_.size() - at_ < size) return std::nullopt;
      at_ += size;
      return Value(to_hex(bytes_.substr(at_ - size, size)));
    }
    if (kind != 2) return std::nullopt;
    const auto size = varint();
    if (!size || *size > bytes_.size() - at_) return std::nullopt;
    at_ += *size;
    return content(bytes_.substr(at_ - *size, *size));
  }

  Value content(std::string_view bytes) const {
    const bool text = is_utf8(bytes);
    if (text && std::all_of(bytes.begin(), bytes.end(),
                            [](char c) { return static_cast<unsigned char>(c) >= ' '; })) {
      const bool digits = !bytes.empty() && std::all_of(bytes.begin(), bytes.end(), [](char c) {
        return c >= '0' && c <= '9';
      });
      return Value(digits && bytes.size() < 12 && bytes != "0" ? std::string_view("<digits>")
                                                               : bytes);
    }
    if (auto message = Reader(bytes, depth_ + 1).message()) return *message;
    if (text) return Value(bytes);
    return Value::object({{"base64", to_base64(bytes)}});
  }

  std::optional<std::uint64_t> varint() {
    std::uint64_t n = 0;
    for (int shift = 0; shift <= 63; shift += 7) {
      if (at_ >= bytes_.size()) return std::nullopt;
      const auto c = static_cast<unsigned char>(bytes_[at_++]);
      n |= static_cast<std::uint64_t>(c & 127) << shift;
      if (c < 128) return n;
    }
    return std::nullopt;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  int depth_;
};

void append_varint(std::string& out, std::uint64_t n) {
  for (; n > 127; n >>= 7) out += static_cast<char>((n & 127) | 128);
  out += static_cast<char>(n);
}

}  // namespace

Value read_wire(std::string_view bytes) {
  if (auto message = Reader(bytes, 0).message()) return *message;
  return Value::object({{"base64", to_base64(bytes)}});
}

std::string write_wire(const OrderedJson& fields) {
  std::string out;
  for (const OrderedJson& entry : fields.elements) {
    if (entry.elements.size() != 2) continue;
    const auto field = static_cast<std::uint64_t>(entry.elements[0].integer());
    const OrderedJson& value = entry.elements[1];
    if (value.kind == OrderedJson::Kind::scalar) {
      append_varint(out, field << 3);
      append_varint(out, static_cast<std::uint64_t>(value.integer()));
      continue;
    }
    const std::string bytes = value.kind == OrderedJson::Kind::text ? value.text
                              : value.kind == OrderedJson::Kind::object
                                  ? from_base64(value["base64"].text).value_or("")
                                  : write_wire(value);
    append_varint(out, field << 3 | 2);
    append_varint(out, bytes.size());
    out += bytes;
  }
  return out;
}

}  // namespace keelson::app
