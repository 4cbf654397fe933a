// JsonText: a value inside JSON text, read in place: nothing is allocated and nothing is looked at
// that is not asked for. For text that was checked before (what the store holds); in other text it
// finds less than there is, but never leaves it. No white space between tokens is expected.
//
//   JsonText pod(entry->bytes());
//   pod["metadata"]["name"].as_string(buffer)  == "web-0"     // absent members are null
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace keelson::codec {

class JsonText {
 public:
  JsonText() = default;
  // A whole value and nothing behind it.
  explicit JsonText(std::string_view text) : text_(text) {}

  bool is_null() const { return text_.empty() || text_.front() == 'n'; }
  bool is_bool() const { return begins('t') || begins('f'); }
  bool is_string() const { return begins('"'); }
  bool is_array() const { return begins('['); }
  bool is_object() const { return begins('{'); }
  bool is_number() const;

  bool as_bool() const { return begins('t'); }
  std::int64_t as_int() const;  // 0 for what is no integer of 64 bits
  double as_double() const;
  // Empty for what is no string. Points into the text, or into buffer where there are escapes.
  std::string_view as_string(std::string& buffer) const;
  std::string_view raw() const { return text_; }  // as it stands in the text

  JsonText operator[](std::string_view key) const;

  // call(JsonText element) for each, in order.
  template <typename Call>
  void each_element(Call call) const {
    Cursor cursor(*this, '[');
    for (std::string_view value; cursor.next(value);) call(JsonText(value));
  }
  // call(JsonText key, JsonText value) for each, in order; the key is a string.
  template <typename Call>
  void each_member(Call call) const {
    Cursor cursor(*this, '{');
    for (std::string_view key, value; cursor.next(key, value);)
      call(JsonText(key), JsonText(value));
  }

 private:
  class Cursor {
   public:
    Cursor(const JsonText& owner, char opening)
        : rest_(owner.begins(opening) ? owner.text_.substr(1) : std::string_view()) {}
    bool next(std::string_view& value);
    bool next(std::string_view& key, std::string_view& value);

   private:
    std::string_view take();
    std::string_view rest_;
  };

  bool begins(char c) const { return !text_.empty() && text_.front() == c; }

  std::string_view text_;
};

}  // namespace keelson::codec
