// The answer to a watch: one frame for each event, pulled from the registry's watcher as the
// client takes them; a bookmark now and then; an end when its time is up. A client that is slower
// than the changes makes the watcher, not us, remember; what that one may hold is its affair.
#pragma once

#include <memory>

#include "api/answers/encode.h"
#include "api/http/http.h"
#include "base/time.h"
#include "host/loop.h"
#include "registry/registry.h"

namespace keelson::api {

// Ends all watches of a server at once (shutdown).
class WatchSwitch;

std::shared_ptr<WatchSwitch> make_watch_switch();
void end_watches(WatchSwitch& all);
std::size_t count_watches(const WatchSwitch& all);

std::unique_ptr<Body> make_watch_body(host::Loop& loop, std::shared_ptr<WatchSwitch> all,
                                      std::unique_ptr<registry::Watcher> watcher, Instant until,
                                      bool bookmarks, Format format);

}  // namespace keelson::api
