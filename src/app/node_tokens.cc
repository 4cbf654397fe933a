#include "app/node_tokens.h"

#include "model/meta.h"

namespace keelson::app {
namespace {

using codec::Value;

// A token of the pod's service account, bound to the pod, as the kubelet asks for one.
Result<node::Token> request_token(registry::Registry& registry, const node::TokenRequest& wanted) {
  registry::Request request;
  request.verb = registry::Verb::create;
  request.version = "v1";
  request.resource = "serviceaccounts";
  request.namespace_ = wanted.namespace_;
  request.name = wanted.service_account;
  request.subresource = "token";
  request.identity.user = "system:kubelet";
  request.identity.groups = {"system:masters", "system:authenticated"};
  Value spec = Value::object({{"expirationSeconds", wanted.expiration_seconds}});
  if (!wanted.audience.empty()) spec.set("audiences", Value::array({wanted.audience}));
  spec.set("boundObjectRef", Value::object({{"apiVersion", "v1"},
                                            {"kind", "Pod"},
                                            {"name", model::name_of(wanted.pod)},
                                            {"uid", model::uid_of(wanted.pod)}}));
  request.body = codec::JsonDocument{Value::object(
      {{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenRequest"}, {"spec", spec}})};
  TRY(const registry::Response response, registry.execute(request));
  const Value& status = response.object.value()["status"];
  return node::Token{status["token"].str(), model::time_of(status["expirationTimestamp"])};
}

}  // namespace

node::TokenSource tokens_through(registry::Registry& registry) {
  return [&registry](const node::TokenRequest& wanted) { return request_token(registry, wanted); };
}

}  // namespace keelson::app
