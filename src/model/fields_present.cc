// The built-in types are indexed once; types of custom resources, whose objects are rarely looked
// at by type, are searched.
#include "model/fields_present.h"

#include <algorithm>
#include <bit>
#include <string_view>
#include <unordered_map>

#include "model/types_parse.h"

namespace keelson::model {
namespace {

using codec::Type;

constexpr std::size_t kNone = SIZE_MAX;

// Places of fields by a hash of their names, with open addressing.
class FieldIndex {
 public:
  explicit FieldIndex(const Type& type) : slots_(std::bit_ceil(type.fields.size() * 2 + 1), kFree) {
    for (std::size_t place = 0; place < type.fields.size(); ++place) {
      std::size_t slot = slot_of(type.fields[place].name);
      while (slots_[slot] != kFree) slot = next(slot);
      slots_[slot] = static_cast<std::uint16_t>(place);
    }
  }
  std::size_t find(const Type& type, std::string_view name) const {
    for (std::size_t slot = slot_of(name); slots_[slot] != kFree; slot = next(slot))
      if (type.fields[slots_[slot]].name == name) return slots_[slot];
    return kNone;
  }

 private:
  static constexpr std::uint16_t kFree = UINT16_MAX;
  std::size_t slot_of(std::string_view name) const {
    if (name.empty()) return 0;
    const auto at = [&](std::size_t i) -> std::size_t {
      return static_cast<unsigned char>(name[i]);
    };
    const std::size_t size = name.size();
    return (size * 7 + at(0) * 31 + at(size / 2) * 17 + at(size - 1) * 5) & (slots_.size() - 1);
  }
  std::size_t next(std::size_t slot) const { return (slot + 1) & (slots_.size() - 1); }

  std::vector<std::uint16_t> slots_;
};

// Null for a type that is not built in.
const FieldIndex* index_of(const Type& type) {
  using Indexes = std::unordered_map<const Type*, FieldIndex>;  // looked up only, never walked
  static const Indexes all = [] {
    Indexes made;
    for (const Type& one : builtin_types().arena) made.emplace(&one, FieldIndex(one));
    return made;
  }();
  const auto found = all.find(&type);
  return found == all.end() ? nullptr : &found->second;
}

std::size_t place_of(const Type& type, const FieldIndex* index, std::string_view name) {
  if (index != nullptr) return index->find(type, name);
  const codec::Field* field = type.field(name);
  return field == nullptr ? kNone : static_cast<std::size_t>(field - type.fields.data());
}

}  // namespace

FieldsPresent::FieldsPresent(const Type& type, const codec::Value& object) {
  const std::size_t count = type.fields.size();
  if (count > kFew) {
    many_.resize(count);
    places_ = many_.data();
  } else {
    std::fill_n(places_, count, nullptr);
  }
  const FieldIndex* index = index_of(type);
  for (const codec::Member& member : object.members()) {
    const std::size_t place = place_of(type, index, member.key());
    if (place == kNone) continue;
    places_[place] = &member;
    ++known_;
  }
}

}  // namespace keelson::model
