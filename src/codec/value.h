// Value: a JSON value of 16 bytes. Copies are cheap (shared, reference counted, safe across
// threads); a change copies only the nodes on its path when they are shared, so values behave as if
// immutable everywhere.
//
// Objects keep their members sorted by key bytes: equal values have equal bytes, iteration is
// deterministic and a look-up is a binary search. Strings of up to 14 bytes live inside the value.
//
//   Value pod = Value::object({{"kind", "Pod"}});
//   pod.edit("metadata").set("name", "web-0");          // creates metadata
//   pod["metadata"]["name"].as_string()  == "web-0"     // absent members read as null
//   Value copy = pod;                                   // no deep copy
//   copy.edit("spec").set("nodeName", "n1");            // pod is unchanged
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keelson::codec {

struct Member;
class Value;
using Array = std::vector<Value>;

class Value {
 public:
  enum class Kind : std::uint8_t { null, boolean, integer, number, string, array, object };

  Value() noexcept { std::memset(bytes_, 0, sizeof bytes_); }
  Value(std::nullptr_t) noexcept : Value() {}  // NOLINT: implicit by design, as all below
  Value(bool b) noexcept : Value() {
    tag_ = tag(Kind::boolean);
    bytes_[0] = b ? 1 : 0;
  }                                                                  // NOLINT
  Value(int i) noexcept : Value(static_cast<std::int64_t>(i)) {}     // NOLINT
  Value(long i) noexcept : Value() { put(Kind::integer, &i); }       // NOLINT
  Value(long long i) noexcept : Value(static_cast<long>(i)) {}       // NOLINT
  Value(unsigned i) noexcept : Value(static_cast<long>(i)) {}        // NOLINT
  Value(unsigned long i) noexcept : Value(static_cast<long>(i)) {}   // NOLINT
  Value(double d) noexcept : Value() { put(Kind::number, &d); }      // NOLINT
  Value(std::string_view text);                                      // NOLINT
  Value(const char* text) : Value(std::string_view(text)) {}         // NOLINT
  Value(const std::string& text) : Value(std::string_view(text)) {}  // NOLINT
  Value(Array elements);                                             // NOLINT
  static Value array() { return Value(Array{}); }
  static Value array(std::initializer_list<Value> elements) { return Value(Array(elements)); }
  static Value object();
  static Value object(std::initializer_list<std::pair<std::string_view, Value>> members);
  // Takes members in any order; of equal keys the last one stays.
  static Value object_of(std::vector<Member> members);

  Value(const Value& other) noexcept { copy_from(other); }
  Value(Value&& other) noexcept { take(other); }
  Value& operator=(const Value& other) noexcept {
    if (this != &other) {
      release();
      copy_from(other);
    }
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    if (this != &other) {
      release();
      take(other);
    }
    return *this;
  }
  ~Value() { release(); }

  Kind kind() const { return static_cast<Kind>(tag_ & 7); }
  bool is_null() const { return kind() == Kind::null; }
  bool is_bool() const { return kind() == Kind::boolean; }
  bool is_integer() const { return kind() == Kind::integer; }
  bool is_number() const { return kind() == Kind::integer || kind() == Kind::number; }
  bool is_string() const { return kind() == Kind::string; }
  bool is_array() const { return kind() == Kind::array; }
  bool is_object() const { return kind() == Kind::object; }

  // Readers never fail: the wrong kind reads as the fallback.
  bool as_bool(bool fallback = false) const { return is_bool() ? bytes_[0] != 0 : fallback; }
  std::int64_t as_int(std::int64_t fallback = 0) const;  // cuts a number
  double as_double(double fallback = 0) const;
  // The text of a string; empty for every other kind. Lives as long as this value is not changed.
  std::string_view as_string(std::string_view fallback = {}) const;
  std::string str() const { return std::string(as_string()); }

  // Elements of an array, members of an object; 0 for other kinds.
  std::size_t size() const;
  bool empty() const { return size() == 0; }
  // The member, or null if there is none or this is no object.
  const Value& operator[](std::string_view key) const;
  const Value& operator[](const char* key) const { return (*this)[std::string_view(key)]; }
  const Value& operator[](std::size_t index) const;
  const Value& operator[](int index) const { return (*this)[static_cast<std::size_t>(index)]; }
  bool has(std::string_view key) const { return find(key) != nullptr; }
  const Value* find(std::string_view key) const;
  // Follows keys separated by dots: at("spec.template.metadata"). Keys must not contain dots
  // themselves.
  const Value& at(std::string_view path) const;

  const Array& elements() const;               // empty for other kinds
  const std::vector<Member>& members() const;  // empty for other kinds; sorted by key

  // Changes. A null value becomes an object (edit, set) or an array (push_back) first; any other
  // kind is a bug.
  Value& edit(std::string_view key);  // the member, created as null if absent
  Value& edit(std::size_t index);     // index < size()
  Value& edit_path(std::string_view path);
  void set(std::string_view key, Value value) { edit(key) = std::move(value); }
  bool erase(std::string_view key);  // true if it was there
  void push_back(Value element);
  void insert(std::size_t index, Value element);
  void erase(std::size_t index);
  Array& edit_elements();

  // Deep; 1 and 1.0 are equal.
  bool operator==(const Value& other) const;

  // True if both share one node (then they are equal); a cheap test of "unchanged".
  bool same_node(const Value& other) const { return std::memcmp(this, &other, sizeof *this) == 0; }

 private:
  struct Node;
  struct StringNode;
  struct ArrayNode;
  struct ObjectNode;
  static constexpr std::uint8_t kHeap = 15;  // in place of the length of a short string
  static constexpr std::uint8_t tag(Kind kind, std::uint8_t length = 0) {
    return static_cast<std::uint8_t>(static_cast<std::uint8_t>(kind) | length << 4);
  }
  template <typename T>
  void put(Kind kind, const T* payload) {
    std::memcpy(bytes_, payload, sizeof *payload);
    tag_ = tag(kind);
  }
  Node* node() const {
    Node* n = nullptr;
    std::memcpy(&n, bytes_, sizeof n);
    return n;
  }
  bool has_node() const {
    return kind() >= Kind::array || (kind() == Kind::string && tag_ >> 4 == kHeap);
  }
  void adopt(Kind kind, Node* node);
  void copy_from(const Value& other) noexcept;
  void take(Value& other) noexcept {
    std::memcpy(static_cast<void*>(this), &other, sizeof *this);
    std::memset(other.bytes_, 0, sizeof other.bytes_);
    other.tag_ = 0;
  }
  void release() noexcept {
    if (has_node()) unref(node());
  }
  void unref(Node* node) const noexcept;
  ArrayNode& own_array();
  ObjectNode& own_object();

  alignas(8) char bytes_[15];
  std::uint8_t tag_ = 0;
};

struct Member {
  Value key_value;  // always a string
  Value value;
  std::string_view key() const { return key_value.as_string(); }
};

}  // namespace keelson::codec
