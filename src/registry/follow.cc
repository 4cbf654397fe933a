#include "registry/follow.h"

#include <utility>

namespace keelson::registry {

std::vector<std::unique_ptr<Watcher>> follow(Registry& registry, std::string_view group,
                                             std::initializer_list<std::string_view> resources,
                                             const std::function<void()>& changed) {
  constexpr std::size_t kEventsAtOnce = 256;
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (const std::string_view resource : resources) {
    Request request;
    request.verb = Verb::watch;
    request.group = group;
    request.version = "v1";
    request.resource = resource;
    request.identity.groups = {"system:masters"};
    auto watcher = registry.watch(request);
    if (!watcher.ok()) continue;
    Watcher* raw = watcher->get();
    while (!raw->take(kEventsAtOnce).empty()) {}
    raw->on_ready([raw, changed] {
      while (!raw->take(kEventsAtOnce).empty()) {}
      changed();
    });
    watchers.push_back(std::move(watcher).value());
  }
  return watchers;
}

}  // namespace keelson::registry
