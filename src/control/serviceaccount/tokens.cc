// See tokens.h. A key is a Secret.
#include "control/serviceaccount/tokens.h"

#include "base/text.h"
#include "control/common/script.h"
#include "control/common/templates.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

constexpr std::string_view kType = "kubernetes.io/service-account-token";
constexpr std::string_view kName = "kubernetes.io/service-account.name";
constexpr std::string_view kUid = "kubernetes.io/service-account.uid";

cluster::Key key_of(const Value& secret) {
  return {std::string(model::namespace_of(secret)), std::string(model::name_of(secret))};
}

bool is_token_of(const Value& secret, std::string_view account) {
  return secret["type"].as_string() == kType && model::annotation_of(secret, kName) == account;
}

Value claims_of(const Value& secret, const Value& account) {
  const std::string ns(model::namespace_of(secret)), name(model::name_of(account));
  const std::string prefix = "kubernetes.io/serviceaccount/";
  return Value::object({{"iss", "kubernetes/serviceaccount"},
                        {prefix + "namespace", ns},
                        {prefix + "secret.name", model::name_of(secret)},
                        {prefix + "service-account.name", name},
                        {prefix + "service-account.uid", model::uid_of(account)},
                        {"sub", "system:serviceaccount:" + ns + ":" + name}});
}

}  // namespace

std::vector<cluster::Watch> TokenSecretController::watches() const {
  return {
      {"secrets",
       [](const cluster::View&, const Value&, const Value& after) {
         std::vector<cluster::Key> keys;
         if (after["type"].as_string() == kType) keys.push_back(key_of(after));
         return keys;
       }},
      {"serviceaccounts", [](const cluster::View& view, const Value& before, const Value& after) {
         std::vector<cluster::Key> keys;
         const Value& account = after.is_null() ? before : after;
         if (!before.is_null() && !after.is_null()) return keys;
         for (const Value& secret : view.list("secrets", model::namespace_of(account)))
           if (is_token_of(secret, model::name_of(account))) keys.push_back(key_of(secret));
         return keys;
       }}};
}

cluster::Plan TokenSecretController::reconcile(const cluster::Sync& sync) {
  const Value secret = sync.view.get("secrets", sync.key.namespace_, sync.key.name);
  const std::string_view wanted = model::annotation_of(secret, kName);
  if (secret.is_null() || secret["type"].as_string() != kType || wanted.empty() ||
      model::is_deleting(secret))
    return {};
  const Value account = sync.view.get("serviceaccounts", sync.key.namespace_, wanted);
  const std::string_view uid = model::annotation_of(secret, kUid);
  const bool orphaned = account.is_null() || (!uid.empty() && uid != model::uid_of(account));
  Value filled = secret;
  if (!orphaned) {
    const std::string ca = to_base64(ca_pem_);
    const Value& data = secret["data"];
    if (!ca_pem_.empty() && data["ca.crt"].as_string() != ca) filled.edit("data").set("ca.crt", ca);
    if (data["namespace"].as_string().empty())
      filled.edit("data").set("namespace", to_base64(sync.key.namespace_));
    if (data["token"].as_string().empty())
      filled.edit("data").set("token", to_base64(sign_(claims_of(secret, account))));
    if (filled == secret) return {};
    filled.edit("metadata").edit("annotations").set(kUid, model::uid_of(account));
  }
  // Whoever writes the Secret at the same time makes us look again.
  return Script::run([write = orphaned ? remove("secrets", secret) : update("secrets", filled)](
                         Script& script) -> Result<void> {
    const Result<Value> result = script.write(write);
    if (result.ok() || result.error().reason == Reason::conflict ||
        result.error().reason == Reason::not_found || namespace_is_terminating(result.error()))
      return {};
    return result.error();
  });
}

}  // namespace keelson::control
