#include "registry/admission/admission.h"

#include "model/meta.h"

namespace keelson::registry {

const std::vector<Plugin>& default_plugins() {
  static const std::vector<Plugin> plugins = {};
  return plugins;
}

std::string Admission::name() const {
  if (!call_.request.name.empty()) return call_.request.name;
  return std::string(model::name_of(object_));
}

Error Admission::refuse(std::string_view why) const {
  return forbidden(call_.group_resource(), name(), why);
}

Result<void> Admission::mutate() {
  for (const Plugin& plugin : default_plugins())
    if (plugin.mutate) TRY_VOID(plugin.mutate(*this));
  return {};
}

Result<void> Admission::validate() {
  for (const Plugin& plugin : default_plugins())
    if (plugin.validate) TRY_VOID(plugin.validate(*this));
  return {};
}

}  // namespace keelson::registry
