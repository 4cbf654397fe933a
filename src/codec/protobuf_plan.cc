#include "codec/protobuf_plan.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "codec/protobuf.h"
#include "codec/protobuf_wire.h"

namespace keelson::codec {
namespace {

void set_tag(ValuePlan& plan, int number, Wire wire) {
  std::string tag;
  append_tag(tag, number, wire);
  plan.tag_size = static_cast<std::uint8_t>(tag.size());
  std::copy(tag.begin(), tag.end(), plan.tag.begin());
}

Wire wire_of(Scalar scalar) {
  switch (scalar) {
    case Scalar::boolean:
    case Scalar::int32:
    case Scalar::int64: return kVarint;
    case Scalar::float64: return kFixed64;
    default: return kBytes;
  }
}

void make_table(MessagePlan& plan) {
  const std::size_t size = std::bit_ceil(plan.fields.size() * 4 + 1);
  plan.mask = size - 1;
  plan.table.assign(size, 0);
  for (std::size_t i = 0; i < plan.fields.size(); ++i) {
    std::size_t at = MessagePlan::hash(plan.fields[i].name) & plan.mask;
    while (plan.table[at] != 0) at = (at + 1) & plan.mask;
    plan.table[at] = static_cast<std::uint16_t>(i + 1);
  }
}

using Fields = std::vector<const Field*>;

std::vector<FieldGroup> groups_of(const Fields& fields, std::size_t first, std::size_t last,
                                  int level) {
  std::vector<FieldGroup> groups;
  for (std::size_t i = first; i < last;) {
    if (depth_of(*fields[i]) == level) {
      groups.push_back({i, i + 1});
      ++i;
      continue;
    }
    const int number = number_at(*fields[i], level);
    std::size_t end = i;
    while (end < last && number_at(*fields[end], level) == number) ++end;
    groups.push_back({i, end, number, groups_of(fields, i, end, level + 1)});
    i = end;
  }
  return groups;
}

std::string absent_message(const std::vector<FieldGroup>& groups, const MessagePlan& plan) {
  std::string out;
  for (const FieldGroup& group : groups) {
    if (group.number != 0) {
      append_bytes(out, group.number, absent_message(group.inner, plan));
      continue;
    }
    const std::size_t begin = plan.absent_begin(group.first);
    out.append(plan.absent, begin, plan.fields[group.first].absent_end - begin);
  }
  return out;
}

}  // namespace

std::vector<std::uint16_t> protobuf_order(const Type& type) {
  std::vector<std::uint16_t> order;
  for (std::size_t i = 0; i < type.fields.size(); ++i)
    if (type.fields[i].number != 0) order.push_back(static_cast<std::uint16_t>(i));
  std::stable_sort(order.begin(), order.end(), [&](std::uint16_t a, std::uint16_t b) {
    for (int level = 0; level < 3; ++level) {
      const int left = number_at(type.fields[a], level), right = number_at(type.fields[b], level);
      if (left != right) return left < right;
    }
    return false;
  });
  return order;
}

const MessagePlan& MessagePlans::plan_of(const Type& type) {
  const auto known = plans_.find(&type);
  if (known != plans_.end()) return known->second;
  MessagePlan& plan = draft(type);
  while (!open_.empty()) {
    const Type* next = open_.back();
    open_.pop_back();
    compile(*next, plans_[next]);
  }
  for (MessagePlan* one : unfinished_) finish(*one);
  unfinished_.clear();
  return plan;
}

MessagePlan& MessagePlans::draft(const Type& type) {
  const auto [place, fresh] = plans_.try_emplace(&type);
  if (fresh) {
    open_.push_back(&type);
    unfinished_.push_back(&place->second);
  }
  return place->second;
}

void MessagePlans::compile(const Type& type, MessagePlan& plan) {
  Fields fields;
  for (const std::uint16_t at : type.wire_order.empty() ? protobuf_order(type) : type.wire_order)
    fields.push_back(&type.fields[at]);
  const bool embeds = std::any_of(fields.begin(), fields.end(),
                                  [](const Field* field) { return depth_of(*field) > 0; });
  if (embeds) plan.groups = groups_of(fields, 0, fields.size(), 0);
  for (const Field* field : fields) {
    FieldPlan made{field->name, value_plan(*field->type, field->number), field->pointer};
    if (field->type->shape == Shape::any && is_schema_union(type, field->name)) {
      made.value.form = field->name == "dependencies" ? WireForm::nothing
                        : field->name == "items"      ? WireForm::union_or_array
                                                      : WireForm::union_or_bool;
      made.value.message = &plan;
    }
    plan.fields.push_back(std::move(made));
  }
  make_table(plan);
}

ValuePlan MessagePlans::value_plan(const Type& type, int number) {
  ValuePlan plan;
  const auto element_plan = [&](int at) {
    const ValuePlan element = value_plan(*type.element.type, at);
    return &elements_.emplace_back(element);
  };
  set_tag(plan, number, type.shape == Shape::scalar ? wire_of(type.scalar) : kBytes);
  switch (type.shape) {
    case Shape::scalar:
      plan.form = WireForm::scalar;
      plan.scalar = type.scalar;
      break;
    case Shape::structure:
      plan.form = WireForm::message;
      plan.message = &draft(type);
      break;
    case Shape::any: plan.form = WireForm::raw; break;
    case Shape::list:
      plan.form = is_items_message(type) ? WireForm::items : WireForm::list;
      plan.element = element_plan(is_items_message(type) ? 1 : number);
      break;
    case Shape::map: {
      const bool lists = is_wrapped_list(*type.element.type);
      plan.form = lists ? WireForm::map_of_lists : WireForm::map;
      plan.element = element_plan(lists ? 1 : 2);
      break;
    }
  }
  return plan;
}

// What is absent of the messages within comes first: none of them can hold itself without a
// pointer, a list or a map between.
void MessagePlans::finish(MessagePlan& plan) {
  if (std::exchange(plan.finished, true)) return;
  for (FieldPlan& field : plan.fields) {
    plan.absent += absent_bytes(field);
    field.absent_end = static_cast<std::uint32_t>(plan.absent.size());
  }
  plan.zero = plan.groups.empty() ? plan.absent : absent_message(plan.groups, plan);
}

std::string MessagePlans::absent_bytes(const FieldPlan& field) {
  std::string out;
  const ValuePlan& value = field.value;
  if (field.pointer) return out;
  const std::string_view tag(value.tag.data(), value.tag_size);
  const auto append = [&](std::string_view message) {
    out += tag;
    append_varint(out, message.size());
    out += message;
  };
  using namespace std::string_view_literals;
  switch (value.form) {
    case WireForm::list:
    case WireForm::map:
    case WireForm::map_of_lists:
    case WireForm::nothing: break;
    case WireForm::raw:
    case WireForm::items: append(""); break;
    case WireForm::message:
      finish(*value.message);
      append(value.message->zero);
      break;
    case WireForm::union_or_array:
    case WireForm::union_or_bool: append(""); break;
    case WireForm::scalar:
      switch (value.scalar) {
        case Scalar::bytes: break;
        case Scalar::boolean:
        case Scalar::int32:
        case Scalar::int64: out.append(tag).append("\0"sv); break;
        case Scalar::float64: out.append(tag).append("\0\0\0\0\0\0\0\0"sv); break;
        case Scalar::quantity: append("\x0a\0"sv); break;
        case Scalar::duration: append("\x08\0"sv); break;
        case Scalar::int_or_string: append("\x08\0\x10\0\x1a\0"sv); break;
        default: append(""); break;
      }
  }
  return out;
}

}  // namespace keelson::codec
