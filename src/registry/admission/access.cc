// Plug-ins about who may write what: nodes keep to themselves, certificates are approved and signed
// by those who may, and no request asks for the power of system:masters.
#include "base/text.h"
#include "model/meta.h"
#include "registry/admission/admission.h"

namespace keelson::registry::admission {

namespace {

constexpr std::string_view kRequests = "certificatesigningrequests.certificates.k8s.io";

// The node that a user is; empty for others.
std::string node_of(const Identity& identity) {
  constexpr std::string_view kPrefix = "system:node:";
  if (!identity.in_group("system:nodes") || !identity.user.starts_with(kPrefix)) return {};
  return identity.user.substr(kPrefix.size());
}

// Whether the user may `verb` for this signer, or for all signers of its domain.
bool may(Admission& admission, std::string_view verb, const std::string& signer) {
  const auto& authorize = admission.state().environment.authorize;
  if (!authorize) return true;
  Access access;
  access.verb = verb;
  access.group = "certificates.k8s.io";
  access.version = "*";
  access.resource = "signers";
  access.name = signer;
  if (authorize(admission.identity(), access).allowed) return true;
  access.name = signer.substr(0, signer.find('/')) + "/*";
  return authorize(admission.identity(), access).allowed;
}

// Whether the subject of a PEM certificate request names this organisation: looks for the attribute
// in the DER bytes (its type 2.5.4.10, then a string).
bool names_organization(std::string_view request, std::string_view organization) {
  const auto pem = from_base64(request);
  if (!pem) return false;
  std::string body;
  for (const std::string& line : split(*pem, '\n'))
    if (!line.starts_with("-----")) body += std::string(trim(line));
  const auto der = from_base64(body);
  if (!der) return false;
  constexpr std::string_view kType("\x06\x03\x55\x04\x0a", 5);
  for (std::size_t at = der->find(kType); at != std::string::npos; at = der->find(kType, at + 1)) {
    const std::size_t length_at = at + kType.size() + 1;
    if (length_at >= der->size()) return false;
    const auto length = static_cast<std::size_t>(static_cast<unsigned char>((*der)[length_at]));
    if (der->compare(length_at + 1, length, organization) == 0) return true;
  }
  return false;
}

}  // namespace

Result<void> node_restriction(Admission& admission) {
  const std::string node = node_of(admission.identity());
  if (node.empty()) return {};
  const std::string_view resource = admission.resource();
  if (resource == "nodes") {
    if (admission.removing())
      return admission.refuse("node " + quote(node) + " cannot delete node " +
                              quote(admission.name()));
    if (admission.name() != node)
      return admission.refuse("node " + quote(node) + " is not allowed to modify node " +
                              quote(admission.name()));
    if (admission.updating() && admission.subresource().empty() &&
        !(admission.object()["spec"]["taints"] == admission.old()["spec"]["taints"]))
      return admission.refuse("node " + quote(node) + " is not allowed to modify taints");
  }
  if (resource == "pods") {
    const Value& pod = admission.creating() ? admission.object() : admission.old();
    const bool own = pod["spec"]["nodeName"].as_string() == node;
    if (admission.creating() && admission.subresource().empty() &&
        !model::annotations_of(pod).has("kubernetes.io/config.mirror"))
      return admission.refuse(
          "pod does not have \"kubernetes.io/config.mirror\" annotation, "
          "node " +
          quote(node) + " can only create mirror pods");
    if (!own && admission.removing())
      return admission.refuse("node " + quote(node) +
                              " can only delete pods with spec.nodeName set to itself");
    if (!own && admission.updating())
      return admission.refuse("node " + quote(node) +
                              " can only update pod status for pods with spec.nodeName set to "
                              "itself");
  }
  if (resource == "leases.coordination.k8s.io" &&
      (admission.namespace_name() != "kube-node-lease" || admission.name() != node))
    return admission.refuse("can only access node lease with the same name as the requesting node");
  return {};
}

Result<void> certificate_approval(Admission& admission) {
  if (!admission.updating() || admission.resource() != kRequests ||
      admission.subresource() != "approval")
    return {};
  const std::string signer = admission.old()["spec"]["signerName"].str();
  if (may(admission, "approve", signer)) return {};
  return admission.refuse("user not permitted to approve requests with signerName " +
                          quote(signer));
}

Result<void> certificate_signing(Admission& admission) {
  if (!admission.updating() || admission.resource() != kRequests ||
      admission.subresource() != "status")
    return {};
  if (admission.object()["status"]["certificate"] == admission.old()["status"]["certificate"])
    return {};
  const std::string signer = admission.old()["spec"]["signerName"].str();
  if (may(admission, "sign", signer)) return {};
  return admission.refuse("user not permitted to sign requests with signerName " + quote(signer));
}

Result<void> certificate_subject(Admission& admission) {
  if (!admission.creating() || !admission.is(kRequests)) return {};
  const Value& spec = admission.object()["spec"];
  if (spec["signerName"].as_string() != "kubernetes.io/kube-apiserver-client") return {};
  if (!names_organization(spec["request"].as_string(), "system:masters")) return {};
  return admission.refuse(
      "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed");
}

}  // namespace keelson::registry::admission
