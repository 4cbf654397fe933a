// Nodes are reference counted by hand: a shared_ptr would double the size of a Value. A node with
// one reference belongs to its Value and may be changed in place; any other is copied first.
#include "codec/value.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <new>

#include "base/check.h"

namespace keelson::codec {

struct Value::Node {
  std::atomic<std::uint32_t> references{1};
};

namespace {
const Value kNull;
constexpr std::size_t kShortMax = 14;
// Up to so many members are looked through from the first on.
constexpr std::size_t kScanMax = 20;

// memcpy of up to 14 bytes into a place of 16, without a loop.
void copy_short(char* out, std::string_view text) {
  const char* from = text.data();
  const std::size_t size = text.size();
  if (size >= 8) {
    std::memcpy(out, from, 8);
    std::memcpy(out + size - 8, from + size - 8, 8);
  } else if (size >= 4) {
    std::memcpy(out, from, 4);
    std::memcpy(out + size - 4, from + size - 4, 4);
  } else if (size > 0) {
    out[0] = from[0];
    out[size / 2] = from[size / 2];
    out[size - 1] = from[size - 1];
  }
}
}  // namespace

// The text stands right behind the node, in the same allocation.
//
// Texts are compared by words: a short one stands in its value with zeros behind it, so that its
// first eight bytes, read as a big-endian number, order as the text does, and two short texts are
// equal if all bytes of their values are.
struct Value::StringNode : Node {
  std::uint32_t size = 0;
  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  static StringNode* make(std::string_view text) {
    KEELSON_CHECK(text.size() <= UINT32_MAX);
    auto* node = new (::operator new(sizeof(StringNode) + text.size())) StringNode;
    node->size = static_cast<std::uint32_t>(text.size());
    std::memcpy(node->bytes(), text.data(), text.size());
    return node;
  }
  static void free(StringNode* node) {
    node->~StringNode();
    ::operator delete(node);
  }

  static bool is_short(const Value& text) { return text.tag_ >> 4 != kHeap; }
  static Value short_text(std::string_view text) {
    Value value;
    copy_short(value.bytes_, text);
    value.tag_ = tag(Kind::string, static_cast<std::uint8_t>(text.size()));
    return value;
  }
  static bool same(const Value& a, const Value& b) {
    return a.same_node(b) || (!is_short(a) && !is_short(b) && a.as_string() == b.as_string());
  }
  static bool less(const Value& a, const Value& b) {
    const std::uint64_t left = first_bytes(a), right = first_bytes(b);
    return left != right ? left < right : a.as_string() < b.as_string();
  }
  // Null if no member has the key.
  static const Value* scan(const std::vector<Member>& members, std::string_view key) {
    if (key.size() <= kShortMax) {
      const Value wanted = short_text(key);
      for (const Member& m : members)
        if (m.key_value.same_node(wanted)) return &m.value;
      return nullptr;
    }
    for (const Member& m : members)
      if (!is_short(m.key_value) && m.key() == key) return &m.value;
    return nullptr;
  }

 private:
  static std::uint64_t first_bytes(const Value& text) {
    std::uint64_t word = 0;
    std::memcpy(&word, is_short(text) ? text.bytes_ : text.as_string().data(), sizeof word);
    return std::endian::native == std::endian::little ? __builtin_bswap64(word) : word;
  }
};

struct Value::ArrayNode : Node {
  Array elements;
};
struct Value::ObjectNode : Node {
  std::vector<Member> members;
};

namespace {
struct KeyLess {
  bool operator()(const Member& m, std::string_view key) const { return m.key() < key; }
};
template <typename Members>
auto lower_bound(Members& members, std::string_view key) {
  return std::lower_bound(members.begin(), members.end(), key, KeyLess{});
}

// Stable. Most objects are small, where moving each member to its place beats a sort that
// allocates.
template <typename Less>
void sort_by_key(std::vector<Member>& members, Less less) {
  const auto first = std::is_sorted_until(members.begin(), members.end(), less);
  if (first == members.end()) return;
  if (members.size() > 40) return std::stable_sort(members.begin(), members.end(), less);
  for (auto at = first; at != members.end(); ++at) {
    const auto place = std::upper_bound(members.begin(), at, *at, less);
    std::rotate(place, at, at + 1);
  }
}
}  // namespace

Value::Value(std::string_view text) : Value() {
  if (text.size() <= kShortMax)
    *this = StringNode::short_text(text);
  else
    adopt(Kind::string, StringNode::make(text));
}

Value::Value(Array elements) : Value() {
  auto* node = new ArrayNode;
  node->elements = std::move(elements);
  adopt(Kind::array, node);
}

Value Value::object() {
  Value value;
  value.adopt(Kind::object, new ObjectNode);
  return value;
}

Value Value::object(std::initializer_list<std::pair<std::string_view, Value>> members) {
  Value value = object();
  for (const auto& [key, member] : members) value.set(key, member);
  return value;
}

Value Value::object_of(std::vector<Member> members) {
  sort_by_key(members, [](const Member& a, const Member& b) {
    return StringNode::less(a.key_value, b.key_value);
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (kept > 0 && StringNode::same(members[kept - 1].key_value, members[i].key_value)) {
      members[kept - 1] = std::move(members[i]);
    } else {
      if (kept != i) members[kept] = std::move(members[i]);
      ++kept;
    }
  }
  members.resize(kept);
  Value value;
  auto* node = new ObjectNode;
  node->members = std::move(members);
  value.adopt(Kind::object, node);
  return value;
}

void Value::adopt(Kind kind, Node* node) {
  std::memcpy(bytes_, &node, sizeof node);
  tag_ = tag(kind, kHeap);
}

void Value::copy_from(const Value& other) noexcept {
  std::memcpy(static_cast<void*>(this), &other, sizeof *this);
  if (has_node()) node()->references.fetch_add(1, std::memory_order_relaxed);
}

void Value::unref(Node* node) const noexcept {
  // Whoever holds the only reference need not tell others that it goes.
  if (node->references.load(std::memory_order_acquire) != 1 &&
      node->references.fetch_sub(1, std::memory_order_acq_rel) != 1)
    return;
  switch (kind()) {
    case Kind::string: StringNode::free(static_cast<StringNode*>(node)); return;
    case Kind::array: delete static_cast<ArrayNode*>(node); return;
    default: delete static_cast<ObjectNode*>(node); return;
  }
}

std::int64_t Value::as_int(std::int64_t fallback) const {
  if (kind() == Kind::integer) {
    std::int64_t i = 0;
    std::memcpy(&i, bytes_, sizeof i);
    return i;
  }
  if (kind() == Kind::number) {
    const double d = as_double();
    if (std::isfinite(d) && std::abs(d) < 9.2e18) return static_cast<std::int64_t>(d);
  }
  return fallback;
}

double Value::as_double(double fallback) const {
  if (kind() == Kind::integer) return static_cast<double>(as_int());
  if (kind() != Kind::number) return fallback;
  double d = 0;
  std::memcpy(&d, bytes_, sizeof d);
  return d;
}

std::string_view Value::as_string(std::string_view fallback) const {
  if (kind() != Kind::string) return fallback;
  if (tag_ >> 4 == kHeap) {
    auto* text = static_cast<StringNode*>(node());
    return {text->bytes(), text->size};
  }
  return {bytes_, static_cast<std::size_t>(tag_ >> 4)};
}

std::size_t Value::size() const {
  if (is_array()) return static_cast<ArrayNode*>(node())->elements.size();
  if (is_object()) return static_cast<ObjectNode*>(node())->members.size();
  return 0;
}

const Value* Value::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  const auto& members = static_cast<ObjectNode*>(node())->members;
  if (members.size() <= kScanMax) return StringNode::scan(members, key);
  const auto at = lower_bound(members, key);
  return at != members.end() && at->key() == key ? &at->value : nullptr;
}

const Value& Value::operator[](std::string_view key) const {
  const Value* found = find(key);
  return found != nullptr ? *found : kNull;
}

const Value& Value::operator[](std::size_t index) const {
  const Array& all = elements();
  return index < all.size() ? all[index] : kNull;
}

const Value& Value::at(std::string_view path) const {
  const Value* here = this;
  while (true) {
    const std::size_t dot = path.find('.');
    here = &(*here)[path.substr(0, dot)];
    if (dot == std::string_view::npos) return *here;
    path.remove_prefix(dot + 1);
  }
}

const Array& Value::elements() const {
  static const Array none;
  return is_array() ? static_cast<ArrayNode*>(node())->elements : none;
}

const std::vector<Member>& Value::members() const {
  static const std::vector<Member> none;
  return is_object() ? static_cast<ObjectNode*>(node())->members : none;
}

Value::ArrayNode& Value::own_array() {
  if (is_null()) *this = array();
  KEELSON_CHECK(is_array());
  auto* node_here = static_cast<ArrayNode*>(node());
  if (node_here->references.load(std::memory_order_acquire) != 1) {
    *this = Value(node_here->elements);
    node_here = static_cast<ArrayNode*>(node());
  }
  return *node_here;
}

Value::ObjectNode& Value::own_object() {
  if (is_null()) *this = object();
  KEELSON_CHECK(is_object());
  auto* node_here = static_cast<ObjectNode*>(node());
  if (node_here->references.load(std::memory_order_acquire) != 1) {
    auto* copy = new ObjectNode;
    copy->members = node_here->members;
    Value fresh;
    fresh.adopt(Kind::object, copy);
    *this = std::move(fresh);
    return *copy;
  }
  return *node_here;
}

Value& Value::edit(std::string_view key) {
  auto& members = own_object().members;
  if (members.size() <= kScanMax)
    if (const Value* found = StringNode::scan(members, key)) return const_cast<Value&>(*found);
  auto at = lower_bound(members, key);
  if (at == members.end() || at->key() != key) at = members.insert(at, Member{Value(key), Value()});
  return at->value;
}

Value& Value::edit(std::size_t index) {
  Array& all = own_array().elements;
  KEELSON_CHECK(index < all.size());
  return all[index];
}

Value& Value::edit_path(std::string_view path) {
  Value* here = this;
  while (true) {
    const std::size_t dot = path.find('.');
    here = &here->edit(path.substr(0, dot));
    if (dot == std::string_view::npos) return *here;
    path.remove_prefix(dot + 1);
  }
}

bool Value::erase(std::string_view key) {
  if (!has(key)) return false;
  auto& members = own_object().members;
  members.erase(lower_bound(members, key));
  return true;
}

void Value::push_back(Value element) {
  own_array().elements.push_back(std::move(element));
}

void Value::insert(std::size_t index, Value element) {
  Array& all = own_array().elements;
  KEELSON_CHECK(index <= all.size());
  all.insert(all.begin() + static_cast<std::ptrdiff_t>(index), std::move(element));
}

void Value::erase(std::size_t index) {
  Array& all = own_array().elements;
  KEELSON_CHECK(index < all.size());
  all.erase(all.begin() + static_cast<std::ptrdiff_t>(index));
}

Array& Value::edit_elements() {
  return own_array().elements;
}

bool Value::operator==(const Value& other) const {
  if (is_number() && other.is_number()) {
    if (is_integer() && other.is_integer()) return as_int() == other.as_int();
    return as_double() == other.as_double();
  }
  if (kind() != other.kind()) return false;
  switch (kind()) {
    case Kind::null: return true;
    case Kind::boolean: return as_bool() == other.as_bool();
    case Kind::string: return StringNode::same(*this, other);
    case Kind::array: return same_node(other) || elements() == other.elements();
    default:
      return same_node(other) ||
             std::equal(members().begin(), members().end(), other.members().begin(),
                        other.members().end(), [](const Member& a, const Member& b) {
                          return StringNode::same(a.key_value, b.key_value) && a.value == b.value;
                        });
  }
}

}  // namespace keelson::codec
