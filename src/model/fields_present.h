// Which members of an object are which fields of its type: one look for each member instead of one
// for each field, of which most types have many more.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "codec/schema.h"
#include "codec/value.h"

namespace keelson::model {

// Refers to the object's members.
class FieldsPresent {
 public:
  FieldsPresent(const codec::Type& type, const codec::Value& object);
  // By place in type.fields; null: the object has no such member.
  const codec::Member* operator[](std::size_t place) const { return places_[place]; }
  // How many members are fields of the type.
  std::size_t known() const { return known_; }

 private:
  static constexpr std::size_t kFew = 48;
  std::array<const codec::Member*, kFew> few_;
  std::vector<const codec::Member*> many_;
  const codec::Member** places_ = few_.data();
  std::size_t known_ = 0;

 public:
  FieldsPresent(const FieldsPresent&) = delete;
  FieldsPresent& operator=(const FieldsPresent&) = delete;
};

}  // namespace keelson::model
