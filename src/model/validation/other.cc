// Kinds whose names or updates alone are special; their further rules are still to come.
#include "model/validation/rules.h"

namespace keelson::model {

std::vector<KindRules> other_rules() {
  return {
  };
}

}  // namespace keelson::model
