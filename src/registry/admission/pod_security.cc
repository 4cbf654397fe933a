// PodSecurity: see pod_security.h for the checks.
#include "registry/admission/admission.h"

namespace keelson::registry::admission {
Result<void> pod_security(Admission&) {
  return {};
}
}  // namespace keelson::registry::admission
