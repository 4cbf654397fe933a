// See certificates.h.
#include "control/certificates/certificates.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "control/common/script.h"
#include "control/common/templates.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

constexpr std::string_view kRequests = "certificatesigningrequests.certificates.k8s.io";
constexpr Duration kLifetimeMax = Duration::hours(365 * 24), kLifetimeMin = Duration::minutes(10);
constexpr Duration kKeptDone = Duration::hours(1), kKeptOpen = Duration::hours(24);

constexpr std::string_view kClient = "kubernetes.io/kube-apiserver-client";
constexpr std::string_view kKubeletClient = "kubernetes.io/kube-apiserver-client-kubelet";
constexpr std::string_view kKubeletServing = "kubernetes.io/kubelet-serving";

std::string client_refusal(const std::vector<std::string>& usages) {
  bool client = false;
  for (const std::string& usage : usages) {
    client = client || usage == "client auth";
    if (usage != "client auth" && usage != "digital signature" && usage != "key encipherment")
      return "invalid usage for client certificate: " + usage;
  }
  return client ? "" : "missing required usage for client certificate: client auth";
}

std::string kubelet_refusal(const CertificateClaims& claims, const std::vector<std::string>& usages,
                            bool serving) {
  if (claims.organizations != std::vector<std::string>{"system:nodes"})
    return "subject organization is not system:nodes";
  if (serving && !claims.dns_names && !claims.addresses)
    return "DNS or IP subjectAltName is required";
  if (!serving && claims.dns_names) return "DNS subjectAltNames are not allowed";
  if (claims.emails) return "Email subjectAltNames are not allowed";
  if (!serving && claims.addresses) return "IP subjectAltNames are not allowed";
  if (claims.uris) return "URI subjectAltNames are not allowed";
  const bool named = claims.common_name.starts_with("system:node:");
  if (!serving && !named) return "subject common name does not begin with system:node: ";
  const std::string use = serving ? "server auth" : "client auth";
  std::set<std::string> given(usages.begin(), usages.end()),
      wanted{"digital signature", "key encipherment", use};
  std::set<std::string> without_key{"digital signature", use};
  if (given != wanted && given != without_key)
    return "usages did not match [" +
           join(std::vector<std::string>(wanted.begin(), wanted.end()), " ") + "]";
  return serving && !named ? "subject common name does not begin with system:node: " : "";
}

std::vector<std::string> usages_of(const codec::Value& request) {
  std::vector<std::string> usages;
  for (const codec::Value& usage : request["spec"]["usages"].elements())
    usages.push_back(usage.str());
  return usages;
}

bool is_to_sign(const codec::Value& request) {
  const std::string_view signer = request["spec"]["signerName"].as_string();
  return (signer == kClient || signer == kKubeletClient || signer == kKubeletServing) &&
         model::condition_is_true(request, "Approved") &&
         !model::condition_is_true(request, "Failed") &&
         !model::condition_is_true(request, "Denied") &&
         request["status"]["certificate"].as_string().empty();
}

Duration lifetime_of(const codec::Value& request) {
  const codec::Value& wanted = request["spec"]["expirationSeconds"];
  if (wanted.is_null()) return kLifetimeMax;
  return std::clamp(Duration::seconds(wanted.as_int()), kLifetimeMin, kLifetimeMax);
}

}  // namespace

std::string signing_refusal(std::string_view signer, const CertificateClaims& claims,
                            const std::vector<std::string>& usages) {
  return signer == kClient ? client_refusal(usages)
                           : kubelet_refusal(claims, usages, signer == kKubeletServing);
}

std::vector<cluster::Watch> CertificateSigner::watches() const {
  return {{std::string(kRequests),
           [](const cluster::View&, const codec::Value&, const codec::Value& after) {
             std::vector<cluster::Key> keys;
             if (is_to_sign(after)) keys.push_back({"", std::string(model::name_of(after))});
             return keys;
           }}};
}

cluster::Plan CertificateSigner::reconcile(const cluster::Sync& sync) {
  cluster::Plan plan;
  codec::Value request = sync.view.get(kRequests, "", sync.key.name);
  if (!is_to_sign(request)) return plan;
  const std::string text = request["spec"]["request"].str();
  const std::vector<std::string> usages = usages_of(request);
  const auto claims = authority_.read(text);
  if (!claims.ok()) {
    plan.error = "unable to parse csr \"" + sync.key.name + "\": " + claims.error().message;
    return plan;
  }
  const std::string refusal =
      signing_refusal(request["spec"]["signerName"].as_string(), *claims, usages);
  if (!refusal.empty()) {
    const std::string now = to_rfc3339(sync.now);
    request.edit("status")
        .edit("conditions")
        .push_back(codec::Value::object({{"type", "Failed"},
                                         {"status", "True"},
                                         {"reason", "SignerValidationFailure"},
                                         {"message", refusal},
                                         {"lastUpdateTime", now},
                                         {"lastTransitionTime", now}}));
  } else {
    const auto certificate = authority_.sign(text, usages, lifetime_of(request), sync.now);
    if (!certificate.ok()) {
      plan.error = "error auto signing csr: " + certificate.error().message;
      return plan;
    }
    request.edit("status").set("certificate", *certificate);
  }
  plan.writes.push_back(update(kRequests, std::move(request), "status"));
  return plan;
}

namespace {

bool is_to_approve(const codec::Value& request) {
  if (request["spec"]["signerName"].as_string() != kKubeletClient ||
      !request["status"]["certificate"].as_string().empty())
    return false;
  for (const codec::Value& condition : request["status"]["conditions"].elements())
    if (condition["type"].as_string() == "Approved" || condition["type"].as_string() == "Denied")
      return false;
  return true;
}

cluster::Write approval_question(const codec::Value& request, std::string_view subresource) {
  const codec::Value& asker = request["spec"];
  codec::Value spec = codec::Value::object(
      {{"resourceAttributes", codec::Value::object({{"group", "certificates.k8s.io"},
                                                    {"resource", "certificatesigningrequests"},
                                                    {"subresource", subresource},
                                                    {"verb", "create"},
                                                    {"version", "*"}})}});
  if (asker.has("username")) spec.set("user", asker["username"]);
  for (const std::string_view field : {"uid", "groups", "extra"})
    if (asker.has(field)) spec.set(field, asker[field]);
  return create("subjectaccessreviews.authorization.k8s.io",
                codec::Value::object({{"apiVersion", "authorization.k8s.io/v1"},
                                      {"kind", "SubjectAccessReview"},
                                      {"metadata", codec::Value::object()},
                                      {"spec", std::move(spec)}}));
}

codec::Value approved(codec::Value request, std::string_view what, Instant now) {
  const std::string when = to_rfc3339(now);
  request.edit("status")
      .edit("conditions")
      .push_back(codec::Value::object(
          {{"type", "Approved"},
           {"status", "True"},
           {"reason", "AutoApproved"},
           {"message", "Auto approving " + std::string(what) +
                           "kubelet client certificate after SubjectAccessReview."},
           {"lastUpdateTime", when},
           {"lastTransitionTime", when}}));
  return request;
}

}  // namespace

std::vector<cluster::Watch> CertificateApprover::watches() const {
  return {{std::string(kRequests),
           [](const cluster::View&, const codec::Value&, const codec::Value& after) {
             std::vector<cluster::Key> keys;
             if (is_to_approve(after)) keys.push_back({"", std::string(model::name_of(after))});
             return keys;
           }}};
}

cluster::Plan CertificateApprover::reconcile(const cluster::Sync& sync) {
  const codec::Value request = sync.view.get(kRequests, "", sync.key.name);
  if (!is_to_approve(request)) return {};
  const auto claims = authority_.read(request["spec"]["request"].str());
  if (!claims.ok() || !kubelet_refusal(*claims, usages_of(request), false).empty()) return {};
  const bool self = request["spec"]["username"].as_string() == claims->common_name;
  return Script::run([request, self, now = sync.now](Script& script) -> Result<void> {
    for (const bool own : {true, false}) {
      if (own && !self) continue;
      const auto answer =
          script.write(approval_question(request, own ? "selfnodeclient" : "nodeclient"));
      if (script.waiting()) return {};
      if (!answer.ok()) return answer.error();
      if (!(*answer)["status"]["allowed"].as_bool()) continue;
      const auto written =
          script.write(update(kRequests, approved(request, own ? "self " : "", now), "approval"));
      if (!written.ok() && !script.waiting() && written.error().reason != Reason::not_found)
        return written.error();
      return {};
    }
    return {};
  });
}

std::vector<cluster::Watch> CertificateCleaner::watches() const {
  return {cluster::watch_self(std::string(kRequests))};
}

// When the request is removed, as it stands.
Instant CertificateCleaner::removal_at(const codec::Value& request) const {
  const std::string certificate = request["status"]["certificate"].str();
  const codec::Array& conditions = request["status"]["conditions"].elements();
  if (conditions.empty()) return model::creation_time_of(request) + kKeptOpen;
  Instant first = Instant::max();
  for (const codec::Value& condition : conditions) {
    const std::string_view type = condition["type"].as_string();
    const Instant since = model::time_of(condition["lastUpdateTime"]);
    const bool approved = type == "Approved";
    if (since.is_zero() || (!approved && type != "Denied" && type != "Failed")) continue;
    first = std::min(first, since + (approved && certificate.empty() ? kKeptOpen : kKeptDone));
    const Instant end =
        approved && !certificate.empty() ? authority_.expiry(certificate) : Instant();
    if (!end.is_zero()) first = std::min(first, end);
  }
  return first;
}

cluster::Plan CertificateCleaner::reconcile(const cluster::Sync& sync) {
  cluster::Plan plan;
  const codec::Value request = sync.view.get(kRequests, "", sync.key.name);
  if (request.is_null()) return plan;
  const Instant when = removal_at(request);
  if (when == Instant::max()) return plan;
  if (sync.now <= when)
    plan.wake_at = when + Duration::seconds(1);  // "older than" is meant
  else
    plan.writes.push_back(remove(kRequests, request));
  return plan;
}

}  // namespace keelson::control
