#include "registry/crds/validate.h"

#include "model/custom/object_check.h"
#include "model/custom/rules.h"
#include "model/structural_schema.h"

namespace keelson::registry::crds {

namespace {

void check_rules(Call& call, const Value& object, const Value& old, model::FieldErrors& errors) {
  if (!call.storage->rules) return;
  if (model::hinders_rules(errors)) {
    model::add_rules_unchecked(errors);
    return;
  }
  std::vector<std::string> warnings;
  call.storage->rules->get().check(object, old, errors, warnings);
  for (std::string& text : warnings) call.warn(std::move(text));
}

void warn_of_finalizers(Call& call, const Value& object, const Value& old) {
  for (std::string& text : model::custom_finalizer_warnings(object, old))
    call.warn(std::move(text));
}

}  // namespace

model::FieldErrors validate_create(Call& call, const Value& object) {
  model::FieldErrors errors = model::check_custom_create(*call.storage, object);
  check_rules(call, object, Value(), errors);
  if (errors.empty()) warn_of_finalizers(call, object, Value());
  return errors;
}

model::FieldErrors validate_update(Call& call, const Value& object, const Value& old) {
  const bool status = call.request.subresource == "status";
  model::FieldErrors errors = status ? model::check_custom_status_update(*call.storage, object, old)
                                     : model::check_custom_update(*call.storage, object, old);
  check_rules(call, object, old, errors);
  if (errors.empty()) warn_of_finalizers(call, object, old);
  return errors;
}

}  // namespace keelson::registry::crds
