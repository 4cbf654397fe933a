// See identity.h.
#include "control/statefulset/identity.h"

#include <algorithm>

#include "base/text.h"
#include "control/common/history.h"
#include "control/common/pods.h"
#include "model/meta.h"

namespace keelson::control::stateful {
namespace {

constexpr std::string_view kPodNameLabel = "statefulset.kubernetes.io/pod-name";
constexpr std::string_view kPodIndexLabel = "apps.kubernetes.io/pod-index";

const Value& volume_of(const Value& pod, std::string_view name) {
  static const Value none;
  for (const Value& volume : pod["spec"]["volumes"].elements())
    if (volume["name"].as_string() == name) return volume;
  return none;
}

}  // namespace

PodName parse_pod_name(std::string_view name) {
  const std::size_t dash = name.rfind('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view digits = name.substr(dash + 1);
  if (digits.empty() ||
      !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return {};
  const auto ordinal = parse_int(digits);
  return {std::string(name.substr(0, dash)), ordinal && *ordinal <= INT32_MAX ? *ordinal : -1};
}

std::int64_t ordinal_of(const Value& pod) {
  return parse_pod_name(model::name_of(pod)).ordinal;
}

std::int64_t start_ordinal(const Value& set) {
  return set.at("spec.ordinals.start").as_int();
}

bool is_in_range(const Value& set, const Value& pod) {
  const std::int64_t at = ordinal_of(pod) - start_ordinal(set);
  return at >= 0 && at < set["spec"]["replicas"].as_int(1);
}

std::string pod_name(const Value& set, std::int64_t ordinal) {
  return std::string(model::name_of(set)) + "-" + std::to_string(ordinal);
}

std::string claim_name(const Value& set, const Value& claim_template, std::int64_t ordinal) {
  return std::string(model::name_of(claim_template)) + "-" + pod_name(set, ordinal);
}

bool identity_matches(const Value& set, const Value& pod) {
  const PodName name = parse_pod_name(model::name_of(pod));
  return name.ordinal >= 0 && name.parent == model::name_of(set) &&
         model::name_of(pod) == pod_name(set, name.ordinal) &&
         model::namespace_of(pod) == model::namespace_of(set) &&
         model::label_of(pod, kPodNameLabel) == model::name_of(pod);
}

bool storage_matches(const Value& set, const Value& pod) {
  const std::int64_t ordinal = ordinal_of(pod);
  if (ordinal < 0) return false;
  for (const Value& claim_template : set["spec"]["volumeClaimTemplates"].elements())
    if (volume_of(pod, model::name_of(claim_template))
            .at("persistentVolumeClaim.claimName")
            .as_string() != claim_name(set, claim_template, ordinal))
      return false;
  return true;
}

void update_identity(const Value& set, Value& pod) {
  const std::int64_t ordinal = ordinal_of(pod);
  const std::string name = pod_name(set, ordinal);
  Value& meta = pod.edit("metadata");
  meta.set("name", name);
  meta.set("namespace", model::namespace_of(set));
  meta.edit("labels").set(kPodNameLabel, name);
  meta.edit("labels").set(kPodIndexLabel, std::to_string(ordinal));
}

void update_storage(const Value& set, Value& pod) {
  const Value& claims = set["spec"]["volumeClaimTemplates"];
  if (claims.empty()) return;
  const std::int64_t ordinal = ordinal_of(pod);
  Value volumes = Value::array();
  for (const Value& claim_template : claims.elements())
    volumes.push_back(Value::object(
        {{"name", model::name_of(claim_template)},
         {"persistentVolumeClaim",
          Value::object({{"claimName", claim_name(set, claim_template, ordinal)}})}}));
  const codec::Array ours = volumes.elements();
  for (const Value& volume : pod["spec"]["volumes"].elements())
    if (std::none_of(ours.begin(), ours.end(),
                     [&](const Value& v) { return v["name"] == volume["name"]; }))
      volumes.push_back(volume);
  pod.edit("spec").set("volumes", std::move(volumes));
}

Value make_pod(const Value& set, std::int64_t ordinal, std::string_view revision) {
  Value pod = pod_from_template(set["spec"]["template"], set);
  pod.edit("metadata").set("name", pod_name(set, ordinal));
  update_identity(set, pod);
  pod.edit("spec").set("hostname", model::name_of(pod));
  if (const Value& service = set["spec"]["serviceName"]; !service.as_string().empty())
    pod.edit("spec").set("subdomain", service);
  update_storage(set, pod);
  pod.edit("metadata").edit("labels").set(kRevisionLabel, revision);
  return pod;
}

Value make_claim(const Value& set, const Value& claim_template, std::int64_t ordinal) {
  Value claim = claim_template;
  claim.set("apiVersion", "v1");
  claim.set("kind", "PersistentVolumeClaim");
  claim.erase("status");
  Value& meta = claim.edit("metadata");
  meta.set("name", claim_name(set, claim_template, ordinal));
  meta.set("namespace", model::namespace_of(set));
  for (const codec::Member& m : set.at("spec.selector.matchLabels").members())
    meta.edit("labels").set(m.key(), m.value);
  return claim;
}

std::string_view revision_of_pod(const Value& pod) {
  return model::label_of(pod, kRevisionLabel);
}

}  // namespace keelson::control::stateful
