// What a pod asks for as a whole: the sum of its containers, at least what its initialisation
// needs, with its overhead. As resourcehelper.PodRequests and PodLimits count.
#pragma once

#include <string_view>

#include "codec/value.h"

namespace keelson::registry {

// `part` is "requests" or "limits"; a map of quantities as text.
codec::Value pod_resources(const codec::Value& pod, std::string_view part);

}  // namespace keelson::registry
