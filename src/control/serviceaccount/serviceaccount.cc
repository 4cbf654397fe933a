// See serviceaccount.h. A key is a namespace.
#include "control/serviceaccount/serviceaccount.h"

#include "control/common/script.h"
#include "control/common/templates.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

constexpr std::string_view kAccount = "default";
constexpr std::string_view kConfigMap = "kube-root-ca.crt";

cluster::Watch watch_namespaces() {
  return {"namespaces", [](const cluster::View&, const Value&, const Value& after) {
            std::vector<cluster::Key> keys;
            if (!after.is_null()) keys.push_back({"", std::string(model::name_of(after))});
            return keys;
          }};
}

// The namespace of an object of this name that was changed or went.
cluster::Watch watch_name(std::string resource, std::string_view name) {
  return {std::move(resource),
          [name](const cluster::View&, const Value& before, const Value& after) {
            std::vector<cluster::Key> keys;
            if (!before.is_null() && model::name_of(before) == name && before != after)
              keys.push_back({"", std::string(model::namespace_of(before))});
            return keys;
          }};
}

bool is_active(const Value& ns) {
  return !ns.is_null() && !model::is_deleting(ns) &&
         ns.at("status.phase").as_string("Active") != "Terminating";
}

Value in_namespace(std::string_view kind, std::string_view ns, std::string_view name) {
  return Value::object({{"apiVersion", "v1"},
                        {"kind", kind},
                        {"metadata", Value::object({{"name", name}, {"namespace", ns}})}});
}

// One write whose aim may have been reached, or become pointless, in the meantime.
cluster::Plan settle(cluster::Write write) {
  return Script::run([write = std::move(write)](Script& script) -> Result<void> {
    const Result<Value> result = script.write(write);
    if (result.ok() || result.error().reason == Reason::already_exists ||
        result.error().reason == Reason::not_found || namespace_is_terminating(result.error()))
      return {};
    return result.error();
  });
}

}  // namespace

std::vector<cluster::Watch> ServiceAccountController::watches() const {
  return {watch_namespaces(), watch_name("serviceaccounts", kAccount)};
}

cluster::Plan ServiceAccountController::reconcile(const cluster::Sync& sync) {
  const std::string& ns = sync.key.name;
  if (!is_active(sync.view.get("namespaces", "", ns))) return {};
  if (!sync.view.get("serviceaccounts", ns, kAccount).is_null()) return {};
  return settle(create("serviceaccounts", in_namespace("ServiceAccount", ns, kAccount)));
}

std::vector<cluster::Watch> RootCaPublisher::watches() const {
  return {watch_namespaces(), watch_name("configmaps", kConfigMap)};
}

cluster::Plan RootCaPublisher::reconcile(const cluster::Sync& sync) {
  const std::string& ns = sync.key.name;
  if (!is_active(sync.view.get("namespaces", "", ns))) return {};
  const Value data = Value::object({{"ca.crt", ca_pem_}});
  const Value note =
      "Contains a CA bundle that can be used to verify the kube-apiserver when using "
      "internal endpoints such as the internal service IP or "
      "kubernetes.default.svc. No other usage is guaranteed across distributions of "
      "Kubernetes clusters.";
  Value map = sync.view.get("configmaps", ns, kConfigMap);
  const bool exists = !map.is_null();
  if (exists && map["data"] == data &&
      !model::annotation_of(map, "kubernetes.io/description").empty())
    return {};
  if (!exists) map = in_namespace("ConfigMap", ns, kConfigMap);
  map.set("data", data);
  map.edit("metadata").edit("annotations").set("kubernetes.io/description", note);
  return settle(exists ? update("configmaps", std::move(map))
                       : create("configmaps", std::move(map)));
}

}  // namespace keelson::control
