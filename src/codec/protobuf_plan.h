// What the writer of protobuf needs of a type, found out once: for each field its tag and how its
// value is written, a table to look names up in, and the bytes of fields that are absent (messages
// are proto2 without presence for plain fields: zero values are there). Internal to this room.
//
// Invariant: a plan refers to other plans of the same collection alone, never to a Type, and does
// not change once plan_of() has returned.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "codec/schema.h"

namespace keelson::codec {

struct MessagePlan;

// How a value stands on the wire. `items` is a list that is a message of its own even as a field;
// the unions are JSONSchemaPropsOrBool and OrArray.
enum class WireForm : std::uint8_t {
  scalar,
  message,
  raw,
  list,
  items,
  map,
  map_of_lists,
  union_or_array,
  union_or_bool,
  nothing
};

// A value as the field of a message.
struct ValuePlan {
  WireForm form = WireForm::nothing;
  Scalar scalar = Scalar::string;
  std::uint8_t tag_size = 0;
  std::array<char, 5> tag = {};
  MessagePlan* message = nullptr;      // of a message or a union
  const ValuePlan* element = nullptr;  // of a list or map
};

struct FieldPlan {
  std::string name;
  ValuePlan value;
  bool pointer = false;          // null is as good as absent, and then nothing is written
  std::uint32_t absent_end = 0;  // in MessagePlan::absent, behind what this field is there
};

// A message of the original's embedded structs, which has fields but no name in JSON.
struct FieldGroup {
  std::size_t first = 0, last = 0;  // fields
  int number = 0;
  std::vector<FieldGroup> inner = {};  // in order
};

struct MessagePlan {
  std::vector<FieldPlan> fields;   // in order of the wire
  std::string absent;              // every field's bytes when it is absent, one after another
  std::vector<FieldGroup> groups;  // mostly none
  std::string zero;                // the message when all is absent
  bool finished = false;           // absent and zero are known

  std::size_t absent_begin(std::size_t field) const {
    return field == 0 ? 0 : fields[field - 1].absent_end;
  }
  // The place of a field, or fields.size().
  std::size_t find(std::string_view name) const {
    for (std::size_t at = hash(name) & mask;; at = (at + 1) & mask) {
      const std::uint16_t place = table[at];
      if (place == 0) return fields.size();
      if (fields[place - 1U].name == name) return place - 1U;
    }
  }

  std::vector<std::uint16_t> table;  // 1 + place; 0: none
  std::size_t mask = 0;
  static std::size_t hash(std::string_view name) {
    if (name.empty()) return 0;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(name[at]); };
    const std::size_t mixed =
        name.size() + byte(0) * 31U + byte(name.size() - 1) * 131U + byte(name.size() / 2) * 1031U;
    return mixed ^ mixed >> 7;
  }
};

class MessagePlans {
 public:
  // The type must live as long as the plans are used, or its address would mean another one.
  const MessagePlan& plan_of(const Type& type);

 private:
  MessagePlan& draft(const Type& type);
  void compile(const Type& type, MessagePlan& plan);
  ValuePlan value_plan(const Type& type, int number);
  void finish(MessagePlan& plan);
  std::string absent_bytes(const FieldPlan& field);

  std::unordered_map<const Type*, MessagePlan> plans_;  // looked up, never walked
  std::deque<ValuePlan> elements_;
  std::vector<const Type*> open_;         // drafts without fields yet
  std::vector<MessagePlan*> unfinished_;  // with fields, but without what is absent
};

}  // namespace keelson::codec
