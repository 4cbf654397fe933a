#include "model/custom/correlation.h"

namespace keelson::model {
namespace {

using codec::Value;

bool same_keys(const Value& names, const Value& a, const Value& b) {
  for (const Value& name : names.elements()) {
    const Value *x = a.find(name.as_string()), *y = b.find(name.as_string());
    if ((x == nullptr) != (y == nullptr) || (x != nullptr && !(*x == *y))) return false;
  }
  return true;
}

bool is_map_list(const Value& schema) {
  return schema["x-kubernetes-list-type"].as_string() == "map";
}

}  // namespace

std::optional<Correlation> Correlation::key(std::string_view name) const {
  const Value *now = now_->find(name), *old = old_->find(name);
  if (now == nullptr || old == nullptr) return std::nullopt;
  const Value* schema = (*schema_)["properties"].find(name);
  if (schema == nullptr) schema = &(*schema_)["additionalProperties"];
  if (!schema->is_object()) return std::nullopt;
  return Correlation(*schema, *now, *old);
}

std::optional<Correlation> Correlation::index(std::size_t i) const {
  if (!is_map_list(*schema_) || !old_->is_array() || i >= now_->size()) return std::nullopt;
  const Value& items = (*schema_)["items"];
  const Value& element = (*now_)[i];
  if (!items.is_object() || !element.is_object()) return std::nullopt;
  for (const Value& old : old_->elements())
    if (same_keys((*schema_)["x-kubernetes-list-map-keys"], element, old))
      return Correlation(items, element, old);
  return std::nullopt;
}

bool Correlation::same() const {
  if (now_->kind() != old_->kind()) return false;
  if (now_->is_array()) {
    if (now_->size() != old_->size()) return false;
    if (!is_map_list(*schema_)) return *now_ == *old_;
    for (std::size_t i = 0; i < now_->size(); ++i)
      if (const auto element = index(i); !element || !element->same()) return false;
    return true;
  }
  if (now_->is_object()) {
    if (now_->size() != old_->size()) return false;
    for (const codec::Member& member : now_->members())
      if (const auto child = key(member.key()); !child || !child->same()) return false;
    return true;
  }
  return *now_ == *old_;
}

}  // namespace keelson::model
