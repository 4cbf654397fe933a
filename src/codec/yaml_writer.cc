// Drives libyaml's emitter as the original drives its port of it: the original picks a style for
// each scalar, the emitter changes it where the text does not allow it.
#include <yaml.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/text.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "codec/yaml_scalar.h"

namespace keelson::codec {
namespace {

bool is_digit(char32_t c) {
  return c >= '0' && c <= '9';
}

// Close to Go's unicode.IsLetter: by blocks, not by characters, beyond Latin.
bool is_letter(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return (c >= 0xc0 && c < 0x2b0 && c != 0xd7 && c != 0xf7) || (c >= 0x370 && c < 0x2000) ||
         (c >= 0x2c00 && c < 0x2e00) || (c >= 0x3040 && c < 0xd800) ||
         (c >= 0xf900 && c < 0xfe00) || (c >= 0xfe70 && c < 0xff00) ||
         (c >= 0x10000 && c < 0x1d000) || (c >= 0x20000 && c < 0x40000);
}

std::u32string code_points(std::string_view text) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    char32_t c = length == 1 ? lead : lead & (0x7fU >> length);
    for (std::size_t k = 1; k < length && i + k < text.size(); ++k)
      c = c << 6 | (static_cast<unsigned char>(text[i + k]) & 63);
    out += c;
    i += length;
  }
  return out;
}

// The order of keys: letters after other characters, numbers within names by their value
// (go-yaml's sorter.go).
bool is_before(std::string_view left, std::string_view right) {
  const std::u32string a = code_points(left), b = code_points(right);
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i] == b[i]) continue;
    const bool a_letter = is_letter(a[i]), b_letter = is_letter(b[i]);
    if (a_letter && b_letter) return a[i] < b[i];
    if (a_letter || b_letter) return b_letter;
    std::uint64_t a_number = 0, b_number = 0;
    if (a[i] == '0' || b[i] == '0') {
      for (std::size_t j = i; j-- > 0 && is_digit(a[j]);) {
        if (a[j] == '0') continue;
        a_number = b_number = 1;
        break;
      }
    }
    std::size_t a_end = i, b_end = i;
    for (; a_end < a.size() && is_digit(a[a_end]); ++a_end)
      a_number = a_number * 10 + (a[a_end] - '0');
    for (; b_end < b.size() && is_digit(b[b_end]); ++b_end)
      b_number = b_number * 10 + (b[b_end] - '0');
    const auto a_signed = static_cast<std::int64_t>(a_number);
    const auto b_signed = static_cast<std::int64_t>(b_number);
    if (a_signed != b_signed) return a_signed < b_signed;
    if (a_end != b_end) return a_end < b_end;
    return a[i] < b[i];
  }
  return a.size() < b.size();
}

// [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?: a number to other readers of YAML 1.1.
bool is_base_60(std::string_view text) {
  std::size_t i = 0;
  const auto digit = [&](char top = '9') {
    return i < text.size() && text[i] >= '0' && text[i] <= top;
  };
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
  if (!digit()) return false;
  while (digit() || (i < text.size() && text[i] == '_')) ++i;
  int groups = 0;
  for (; i < text.size() && text[i] == ':'; ++groups) {
    ++i;
    const bool tens = digit('5');
    if (!digit()) return false;
    ++i;
    if (tens && digit()) ++i;
  }
  if (groups == 0) return false;
  if (i < text.size() && text[i] == '.') {
    ++i;
    while (digit() || (i < text.size() && text[i] == '_')) ++i;
  }
  return i == text.size();
}

class Writer {
 public:
  Writer() {
    yaml_emitter_initialize(&emitter_);
    yaml_emitter_set_output(&emitter_, &Writer::append, this);
    yaml_emitter_set_unicode(&emitter_, 1);
  }
  ~Writer() { yaml_emitter_delete(&emitter_); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  std::string write(const Value& value) {
    yaml_event_t event;
    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
    emit(event);
    yaml_document_start_event_initialize(&event, nullptr, nullptr, nullptr, 1);
    emit(event);
    node(value);
    yaml_document_end_event_initialize(&event, 1);
    emit(event);
    yaml_stream_end_event_initialize(&event);
    emit(event);
    // Newer libyaml marks the end of a document whose last text keeps its line breaks.
    if (out_.ends_with("\n...\n")) out_.resize(out_.size() - 4);
    return std::move(out_);
  }

 private:
  static int append(void* self, unsigned char* bytes, std::size_t size) {
    static_cast<Writer*>(self)->out_.append(reinterpret_cast<const char*>(bytes), size);
    return 1;
  }

  // Takes the event over.
  void emit(yaml_event_t& event) { KEELSON_CHECK(yaml_emitter_emit(&emitter_, &event) != 0); }

  void node(const Value& value) {
    yaml_event_t event;
    switch (value.kind()) {
      case Value::Kind::null: return scalar("null", YAML_PLAIN_SCALAR_STYLE);
      case Value::Kind::boolean:
      case Value::Kind::integer: return scalar(to_json(value), YAML_PLAIN_SCALAR_STYLE);
      case Value::Kind::number: return number(value);
      case Value::Kind::string: return text(value.as_string());
      case Value::Kind::array:
        yaml_sequence_start_event_initialize(&event, nullptr, nullptr, 1,
                                             YAML_BLOCK_SEQUENCE_STYLE);
        emit(event);
        for (const Value& element : value.elements()) node(element);
        yaml_sequence_end_event_initialize(&event);
        return emit(event);
      case Value::Kind::object: break;
    }
    std::vector<const Member*> members;
    members.reserve(value.size());
    for (const Member& m : value.members()) members.push_back(&m);
    std::stable_sort(members.begin(), members.end(), [](const Member* a, const Member* b) {
      return is_before(a->key(), b->key());
    });
    yaml_mapping_start_event_initialize(&event, nullptr, nullptr, 1, YAML_BLOCK_MAPPING_STYLE);
    emit(event);
    for (const Member* m : members) {
      text(m->key());
      node(m->value);
    }
    yaml_mapping_end_event_initialize(&event);
    emit(event);
  }

  // The original comes here by way of JSON text, where a whole number is an integer.
  void number(const Value& value) {
    std::string written = to_json(value);
    const YamlScalar read = resolve_yaml_scalar(written);
    if (read.kind == YamlScalar::Kind::number) written = number_text(read.number, 64);
    scalar(written, YAML_PLAIN_SCALAR_STYLE);
  }

  void text(std::string_view text) {
    if (!is_utf8(text)) return binary(text);
    if (text.find('\n') != std::string_view::npos) return scalar(text, YAML_LITERAL_SCALAR_STYLE);
    // The original leaves << bare, and cannot read that key back.
    const bool plain = resolve_yaml_scalar(text).kind == YamlScalar::Kind::text &&
                       !is_base_60(text) && text != "<<";
    scalar(text, plain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE);
  }

  void binary(std::string_view bytes) {
    constexpr std::size_t width = 70;
    std::string encoded = to_base64(bytes);
    if (encoded.size() >= width) {
      std::string lines;
      for (std::size_t i = 0; i < encoded.size(); i += width)
        lines += encoded.substr(i, width) + '\n';
      encoded = std::move(lines);
    }
    const bool folded = encoded.find('\n') != std::string::npos;
    scalar(encoded, folded ? YAML_LITERAL_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE,
           "tag:yaml.org,2002:binary");
  }

  void scalar(std::string_view text, yaml_scalar_style_t style, const char* tag = nullptr) {
    yaml_event_t event;
    const int implicit = tag == nullptr ? 1 : 0;
    KEELSON_CHECK(yaml_scalar_event_initialize(
                      &event, nullptr, reinterpret_cast<const yaml_char_t*>(tag),
                      reinterpret_cast<const yaml_char_t*>(text.data()),
                      static_cast<int>(text.size()), implicit, implicit, style) != 0);
    emit(event);
  }

  yaml_emitter_t emitter_{};
  std::string out_;
};

}  // namespace

std::string to_yaml(const Value& value) {
  return Writer().write(value);
}

}  // namespace keelson::codec
