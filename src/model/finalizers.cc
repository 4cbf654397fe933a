#include "model/finalizers.h"

#include <algorithm>

namespace keelson::model {

bool has_finalizer(const Value& object, std::string_view name) {
  const codec::Array& all = object["metadata"]["finalizers"].elements();
  return std::any_of(all.begin(), all.end(),
                     [&](const Value& one) { return one.as_string() == name; });
}

Value finalizers_without(const Value& object, std::string_view name) {
  Value left = Value::array();
  for (const Value& one : object["metadata"]["finalizers"].elements())
    if (one.as_string() != name) left.push_back(one);
  return left;
}

Value finalizers_with(const Value& object, std::string_view name) {
  Value all = finalizers_without(object, name);
  all.push_back(name);
  return all;
}

void set_finalizers(Value& object, Value finalizers) {
  Value& metadata = object.edit("metadata");
  if (finalizers.empty())
    metadata.erase("finalizers");
  else
    metadata.set("finalizers", std::move(finalizers));
}

}  // namespace keelson::model
