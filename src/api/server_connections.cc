// A pod's log, exec, attach and port-forward, and proxies to what listens in a pod or behind a
// service.
#include "api/server_state.h"
#include "registry/errors.h"

namespace keelson::api {

void Server::State::serve_connection(const ExchangePtr& exchange, const model::Resource& resource) {
  const RequestInfo& info = exchange->info;
  const Value object =
      parts.registry.get(resource.name(), resource.namespaced ? info.namespace_ : "", info.name);
  if (object.is_null())
    return exchange->fail(registry::not_found({resource.group, resource.plural}, info.name));
  exchange->fail(Error{Reason::service_unavailable, "no containers can be reached here"});
}

}  // namespace keelson::api
