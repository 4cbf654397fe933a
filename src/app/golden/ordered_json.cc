#include "app/golden/ordered_json.h"

#include <cstdio>

#include "base/text.h"
#include "codec/json.h"

namespace keelson::app {
namespace {

constexpr int kDepthMax = 1'000;

// The text has been parsed once before, so that it is well-formed.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  bool read(OrderedJson& out) { return value(out, 0); }

 private:
  void skip() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string::npos)
      ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool value(OrderedJson& out, int depth) {
    if (depth > kDepthMax) return false;
    skip();
    if (at_ >= text_.size()) return false;
    if (text_[at_] == '"') {
      out.kind = OrderedJson::Kind::text;
      return string(out.text);
    }
    if (take('[')) {
      out.kind = OrderedJson::Kind::array;
      if (take(']')) return true;
      do {
        if (!value(out.elements.emplace_back(), depth + 1)) return false;
      } while (take(','));
      return take(']');
    }
    if (take('{')) {
      out.kind = OrderedJson::Kind::object;
      if (take('}')) return true;
      do {
        auto& [key, member] = out.members.emplace_back();
        skip();
        if (!string(key) || !take(':') || !value(member, depth + 1)) return false;
      } while (take(','));
      return take('}');
    }
    const std::size_t start = at_;
    while (at_ < text_.size() &&
           std::string_view(",]} \t\r\n").find(text_[at_]) == std::string_view::npos)
      ++at_;
    out.text = text_.substr(start, at_ - start);
    return true;
  }

  bool string(std::string& out) {
    const std::size_t start = at_++;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    ++at_;
    const auto parsed = codec::parse_json(text_.substr(start, at_ - start));
    if (!parsed.ok()) return false;
    out = parsed->as_string();
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

void append_ascii(std::string& out, std::string_view text) {
  std::string quoted;
  codec::append_json_string(quoted, text);
  for (std::size_t i = 0; i < quoted.size();) {
    const auto lead = static_cast<unsigned char>(quoted[i]);
    if (lead < 0x80) {
      out += quoted[i++];
      continue;
    }
    const std::size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    std::uint32_t c = lead & (0x7fU >> length);
    for (std::size_t k = 1; k < length; ++k)
      c = c << 6 | (static_cast<unsigned char>(quoted[i + k]) & 63);
    i += length;
    char buffer[16];
    if (c >= 0x10000) {
      c -= 0x10000;
      std::snprintf(buffer, sizeof buffer, "\\u%04x\\u%04x", 0xd800 + (c >> 10),
                    0xdc00 + (c & 0x3ff));
    } else {
      std::snprintf(buffer, sizeof buffer, "\\u%04x", c);
    }
    out += buffer;
  }
}

void append(std::string& out, const OrderedJson& json) {
  switch (json.kind) {
    case OrderedJson::Kind::scalar: out += json.text; return;
    case OrderedJson::Kind::text: append_ascii(out, json.text); return;
    case OrderedJson::Kind::array:
      out += '[';
      for (std::size_t i = 0; i < json.elements.size(); ++i) {
        if (i > 0) out += ", ";
        append(out, json.elements[i]);
      }
      out += ']';
      return;
    case OrderedJson::Kind::object:
      out += '{';
      for (std::size_t i = 0; i < json.members.size(); ++i) {
        if (i > 0) out += ", ";
        append_ascii(out, json.members[i].first);
        out += ": ";
        append(out, json.members[i].second);
      }
      out += '}';
  }
}

}  // namespace

const OrderedJson* OrderedJson::find(std::string_view key) const {
  for (const auto& [name, member] : members)
    if (name == key) return &member;
  return nullptr;
}
OrderedJson* OrderedJson::find(std::string_view key) {
  for (auto& [name, member] : members)
    if (name == key) return &member;
  return nullptr;
}

const OrderedJson& OrderedJson::operator[](std::string_view key) const {
  static const OrderedJson null;
  const OrderedJson* found = find(key);
  return found == nullptr ? null : *found;
}

std::int64_t OrderedJson::integer(std::int64_t fallback) const {
  return kind == Kind::scalar ? parse_int(text).value_or(fallback) : fallback;
}

codec::Value OrderedJson::value() const {
  auto parsed = codec::parse_json(dump());
  return parsed.ok() ? *parsed : codec::Value();
}

std::string OrderedJson::dump() const {
  std::string out;
  append(out, *this);
  return out;
}

OrderedJson OrderedJson::of(const codec::Value& value) {
  auto parsed = parse(codec::to_json(value));
  return parsed.ok() ? *parsed : OrderedJson{};
}

Result<OrderedJson> OrderedJson::parse(std::string_view text) {
  OrderedJson out;
  if (!Reader(text).read(out))
    return Error{.reason = Reason::bad_request, .message = "not JSON, or nested too deep"};
  return out;
}

}  // namespace keelson::app
