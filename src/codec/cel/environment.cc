#include "codec/cel/environment.h"

namespace keelson::codec::cel {

int Environment::find_variable(std::string_view name) const {
  for (std::size_t i = variables.size(); i-- > 0;)
    if (variables[i].name == name) return static_cast<int>(i);
  return -1;
}

std::shared_ptr<Library> make_base_library() {
  auto library = std::make_shared<Library>();
  add_standard_library(*library);
  add_conversion_library(*library);
  add_time_library(*library);
  add_regex_library(*library);
  add_list_library(*library);
  add_optional_library(*library);
  add_string_library(*library);
  return library;
}

}  // namespace keelson::codec::cel
