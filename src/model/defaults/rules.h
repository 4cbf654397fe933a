// Conditional defaults: small functions, each for one type, run when the walk over an object comes
// to a value of that type, before it goes deeper. Source: the SetDefaults functions of each API
// group. The unconditional ones stand in the tables of types ("default=").
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "codec/value.h"

namespace keelson::model {

struct DefaultRule {
  std::string_view type;  // OpenAPI name
  void (*apply)(codec::Value& value);
};
using DefaultRules = std::vector<DefaultRule>;

DefaultRules core_defaults();
DefaultRules pod_defaults();
DefaultRules apps_defaults();
DefaultRules batch_defaults();
DefaultRules network_defaults();
DefaultRules autoscaling_defaults();
DefaultRules storage_defaults();
DefaultRules admission_defaults();
DefaultRules other_defaults();

// Absent, null, "", 0, false, [] or {}: what Go takes for unset in a field without a pointer.
bool is_unset(const codec::Value& value);
// Sets the member if it is absent or null.
void default_to(codec::Value& object, std::string_view key, codec::Value value);
// Sets the member if it is unset in the sense above.
void default_empty_to(codec::Value& object, std::string_view key, codec::Value value);

}  // namespace keelson::model
