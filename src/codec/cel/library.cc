#include "codec/cel/library.h"

#include <algorithm>

namespace keelson::codec::cel {

namespace {

void collect_parameters(const Type& type, std::vector<std::string>& names) {
  if (type.kind == Type::Kind::parameter &&
      std::find(names.begin(), names.end(), type.name) == names.end())
    names.push_back(type.name);
  for (const TypePtr& parameter : type.parameters) collect_parameters(*parameter, names);
}

}  // namespace

Function& Library::function(std::string_view name) {
  auto it = functions_.find(name);
  if (it == functions_.end()) {
    it = functions_.emplace(std::string(name), Function{}).first;
    it->second.name = name;
  }
  return it->second;
}

const Function* Library::find(std::string_view name) const {
  const auto it = functions_.find(name);
  return it == functions_.end() ? nullptr : &it->second;
}

void Library::add(std::string_view name, Overload overload) {
  for (const TypePtr& argument : overload.arguments)
    collect_parameters(*argument, overload.parameters);
  collect_parameters(*overload.result, overload.parameters);
  function(name).overloads.push_back(std::move(overload));
}
void Library::add(std::string_view name, std::string_view id,
                  std::initializer_list<TypePtr> arguments, TypePtr result, Implementation run) {
  add(name, Overload{std::string(id), false, arguments, std::move(result), run});
}
void Library::add_member(std::string_view name, std::string_view id,
                         std::initializer_list<TypePtr> arguments, TypePtr result,
                         Implementation run) {
  add(name, Overload{std::string(id), true, arguments, std::move(result), run});
}

void Library::add_type(std::string_view name, TypePtr type) {
  types_.insert_or_assign(std::string(name), std::move(type));
}
const TypePtr* Library::find_type(std::string_view name) const {
  const auto it = types_.find(name);
  return it == types_.end() ? nullptr : &it->second;
}

}  // namespace keelson::codec::cel
