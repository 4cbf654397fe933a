#include "api/access/known_fields.h"

#include <algorithm>

namespace keelson::api {

Result<void> check_fields(const codec::Value& given, const std::string& place,
                          std::initializer_list<std::string_view> known) {
  for (const codec::Member& member : given.members())
    if (std::find(known.begin(), known.end(), member.key()) == known.end())
      return Error{Reason::bad_request, (place.empty() ? "" : place + ".") +
                                            std::string(member.key()) + ": unknown field"};
  return {};
}

}  // namespace keelson::api
