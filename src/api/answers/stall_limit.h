// A body that a client has to take: one that takes nothing of it for a while loses it, and with it
// goes what it keeps alive, such as the versions of a list's objects. What waits for its own source
// is not the client's fault, so this is not for watches.
#pragma once

#include <memory>

#include "api/http/http.h"
#include "base/time.h"
#include "host/loop.h"

namespace keelson::api {

std::unique_ptr<Body> limit_stalls(host::Loop& loop, std::unique_ptr<Body> body, Duration limit);

}  // namespace keelson::api
