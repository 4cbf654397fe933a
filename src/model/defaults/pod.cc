// pkg/apis/core/v1/defaults.go: pods, their containers and volumes.
#include <algorithm>
#include <map>

#include "base/text.h"
#include "model/defaults/rules.h"
#include "model/image_name.h"
#include "model/meta.h"
#include "model/quantity.h"

namespace keelson::model {
namespace {

using codec::Member;
using codec::Value;

std::string_view pull_policy_of(std::string_view image) {
  return image_tag(image) == "latest" ? "Always" : "IfNotPresent";
}

void volume(Value& v) {
  if (v.size() == 0 || (v.size() == 1 && v.has("name"))) v.set("emptyDir", Value::object());
  if (v["image"].is_object() && is_unset(v["image"]["pullPolicy"]))
    v.edit("image").set("pullPolicy", pull_policy_of(v["image"]["reference"].as_string()));
}

void container(Value& c) {
  default_empty_to(c, "imagePullPolicy", pull_policy_of(c["image"].as_string()));
  default_empty_to(c, "terminationMessagePath", "/dev/termination-log");
  default_empty_to(c, "terminationMessagePolicy", "File");
}

// Of container i of a list of the spec.
void requests_from_limits(Value& spec, const char* list, std::size_t i) {
  const Value resources = spec[list][i]["resources"];
  for (const Member& limit : resources["limits"].members())
    if (!resources["requests"].has(limit.key()))
      spec.edit(list).edit(i).edit("resources").edit("requests").set(limit.key(), limit.value);
}

void host_ports(Value& c) {
  for (std::size_t i = 0; i < c["ports"].size(); ++i) {
    Value& port = c.edit("ports").edit(i);
    default_empty_to(port, "hostPort", port["containerPort"]);
  }
}

bool is_huge_page(std::string_view name) {
  return name.substr(0, 10) == "hugepages-";
}
bool is_pod_level(std::string_view name) {
  return name == "cpu" || name == "memory" || is_huge_page(name);
}

void add_to(std::map<std::string, Quantity>& sums, const Value& list) {
  for (const Member& m : list.members()) {
    auto [place, fresh] = sums.try_emplace(std::string(m.key()), Quantity::of(m.value));
    if (!fresh) place->second = place->second + Quantity::of(m.value);
  }
}

// What the containers together ask for: the sum of the main and the restartable init ones, or what
// a single init container needs while it runs, whichever is more.
std::map<std::string, Quantity> aggregate(const Value& spec, std::string_view part) {
  std::map<std::string, Quantity> sums, sidecars, initial;
  for (const Value& c : spec["containers"].elements()) add_to(sums, c["resources"][part]);
  for (const Value& c : spec["initContainers"].elements()) {
    std::map<std::string, Quantity> here;
    if (is_sidecar(c)) {
      add_to(sums, c["resources"][part]);
      add_to(sidecars, c["resources"][part]);
      here = sidecars;
    } else {
      here = sidecars;
      add_to(here, c["resources"][part]);
    }
    for (const auto& [key, q] : here) initial[key] = std::max(initial[key], q);
  }
  for (const auto& [key, q] : initial) {
    const auto have = sums.find(key);
    if (have == sums.end())
      sums.emplace(key, q);
    else
      have->second = std::max(have->second, q);
  }
  return sums;
}

void pod_level_resources(Value& spec) {
  const Value resources = spec["resources"];
  if (!resources.is_object() || (resources["limits"].empty() && resources["requests"].empty()))
    return;
  Value limits = resources["limits"];
  for (const auto& [key, q] : aggregate(spec, "limits"))
    if (is_huge_page(key) && !resources["requests"].has(key) && !limits.has(key))
      limits.set(key, q.text());
  if (!limits.empty()) spec.edit("resources").set("limits", limits);
  if (limits.empty()) return;
  Value requests = resources["requests"];
  for (const auto& [key, q] : aggregate(spec, "requests"))
    if (!requests.has(key) && (key == "cpu" || key == "memory")) requests.set(key, q.text());
  for (const Member& limit : limits.members())
    if (!requests.has(limit.key()) && is_pod_level(limit.key()))
      requests.set(limit.key(), limit.value);
  if (!requests.empty()) spec.edit("resources").set("requests", requests);
}

void complete_spec(Value& spec) {
  for (const char* list : {"containers", "initContainers"})
    for (std::size_t i = 0; i < spec[list].size(); ++i) requests_from_limits(spec, list, i);
  pod_level_resources(spec);
  default_to(spec, "enableServiceLinks", true);
  if (spec["terminationGracePeriodSeconds"].as_int() < 0)
    spec.set("terminationGracePeriodSeconds", 1);
  if (spec["hostNetwork"].as_bool())
    for (const char* list : {"containers", "initContainers"})
      for (std::size_t i = 0; i < spec[list].size(); ++i) host_ports(spec.edit(list).edit(i));
}

void pod(Value& object) {
  Value spec = object["spec"];
  complete_spec(spec);
  if (!spec.same_node(object["spec"])) object.set("spec", std::move(spec));
}

// Also of templates: the deprecated name of the service account follows the other, or leads it.
void pod_spec(Value& spec) {
  default_empty_to(spec, "dnsPolicy", "ClusterFirst");
  default_empty_to(spec, "restartPolicy", "Always");
  default_to(spec, "securityContext", Value::object());
  default_to(spec, "terminationGracePeriodSeconds", 30);
  default_empty_to(spec, "schedulerName", "default-scheduler");
  if (const Value name = spec["serviceAccountName"]; !is_unset(name)) {
    if (!(spec["serviceAccount"] == name)) spec.set("serviceAccount", name);
  } else if (!is_unset(spec["serviceAccount"])) {
    spec.set("serviceAccountName", Value(spec["serviceAccount"]));
  }
}

void probe(Value& p) {
  default_empty_to(p, "timeoutSeconds", 1);
  default_empty_to(p, "periodSeconds", 10);
  default_empty_to(p, "successThreshold", 1);
  default_empty_to(p, "failureThreshold", 3);
}

void file_mode(Value& source) {
  default_to(source, "defaultMode", 0644);
}
void token(Value& projection) {
  default_to(projection, "expirationSeconds", 3600);
}
void http_get(Value& action) {
  default_empty_to(action, "path", "/");
  default_empty_to(action, "scheme", "HTTP");
}
void field_reference(Value& selector) {
  default_empty_to(selector, "apiVersion", "v1");
}
void host_path(Value& source) {
  default_to(source, "type", "");
}

}  // namespace

DefaultRules pod_defaults() {
  return {
      {"io.k8s.api.core.v1.Pod", pod},
      {"io.k8s.api.core.v1.PodSpec", pod_spec},
      {"io.k8s.api.core.v1.Container", container},
      {"io.k8s.api.core.v1.EphemeralContainer", container},
      {"io.k8s.api.core.v1.Probe", probe},
      {"io.k8s.api.core.v1.Volume", volume},
      {"io.k8s.api.core.v1.SecretVolumeSource", file_mode},
      {"io.k8s.api.core.v1.ConfigMapVolumeSource", file_mode},
      {"io.k8s.api.core.v1.DownwardAPIVolumeSource", file_mode},
      {"io.k8s.api.core.v1.ProjectedVolumeSource", file_mode},
      {"io.k8s.api.core.v1.ServiceAccountTokenProjection", token},
      {"io.k8s.api.core.v1.HTTPGetAction", http_get},
      {"io.k8s.api.core.v1.ObjectFieldSelector", field_reference},
      {"io.k8s.api.core.v1.HostPathVolumeSource", host_path},
  };
}

}  // namespace keelson::model
