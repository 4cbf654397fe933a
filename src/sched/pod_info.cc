// Parsing of pods for the scheduler.
#include "sched/pod_info.h"

#include <algorithm>

#include "model/meta.h"

namespace keelson::sched {
namespace {

// Errors are collected as text: the pod that carries them is refused, but it still counts on its
// node.
void parse_term(const PodInfo& info, const Value& term, std::int64_t weight,
                std::vector<AffinityTerm>& out, std::string& error) {
  AffinityTerm parsed;
  parsed.weight = weight;
  parsed.topology_key = term["topologyKey"].str();
  for (const Value& name : term["namespaces"].elements()) parsed.namespaces.push_back(name.str());
  const Value& namespaces = term["namespaceSelector"];
  if (parsed.namespaces.empty() && namespaces.is_null())
    parsed.namespaces.push_back(info.namespace_);
  std::sort(parsed.namespaces.begin(), parsed.namespaces.end());
  auto selector = model::LabelSelector::of(term["labelSelector"]);
  auto namespace_selector = model::LabelSelector::of(namespaces);
  if (!selector.ok() || !namespace_selector.ok()) {
    error = (selector.ok() ? namespace_selector.error() : selector.error()).message;
    return;
  }
  parsed.selector = std::move(selector).value();
  parsed.namespace_selector = std::move(namespace_selector).value();
  for (const std::string& name : parsed.namespaces) parsed.text += name + ",";
  for (const auto* part : {&parsed.namespace_selector, &parsed.selector})
    parsed.text += part->matches_nothing() ? "|!" : "|" + part->text();
  parsed.text += "|" + parsed.topology_key + "|" + std::to_string(weight);
  out.push_back(std::move(parsed));
}

std::string group_of(const PodInfo& info) {
  std::string group = info.namespace_ + (info.deleting ? "-" : "+");
  for (const codec::Member& label : info.labels.members()) {
    group += label.key();
    group += '=';
    group += label.value.as_string();
    group += ',';
  }
  return group;
}

void parse_affinity(PodInfo& info, const Value& affinity, std::vector<AffinityTerm>& required,
                    std::vector<AffinityTerm>& preferred) {
  if (!affinity.is_object()) return;
  info.has_affinity = true;
  for (const Value& term : affinity["requiredDuringSchedulingIgnoredDuringExecution"].elements())
    parse_term(info, term, 0, required, info.parse_error);
  for (const Value& weighted :
       affinity["preferredDuringSchedulingIgnoredDuringExecution"].elements())
    parse_term(info, weighted["podAffinityTerm"], weighted["weight"].as_int(), preferred,
               info.parse_error);
}

void collect_ports(const Value& container, std::vector<HostPort>& out) {
  for (const Value& port : container["ports"].elements()) {
    if (port["hostPort"].as_int() <= 0) continue;
    HostPort used{port["hostIP"].str(), port["protocol"].str(), port["hostPort"].as_int()};
    if (used.ip.empty()) used.ip = "0.0.0.0";
    if (used.protocol.empty()) used.protocol = "TCP";
    out.push_back(std::move(used));
  }
}

void compute_requests(PodInfo& info) {
  const ResourceList requests = pod_requests(info.pod, {.use_status = true});
  info.requested = Resources::of(requests);
  RequestOptions options{.use_status = true, .default_cpu = true, .default_memory = true};
  if (has_pod_level_requests(info.pod)) {
    // Pod-level requests stand for the containers: a default only where nobody says anything.
    options.default_cpu = !requests.find("cpu");
    options.default_memory = !requests.find("memory");
  }
  const Resources nonzero = Resources::of(pod_requests(info.pod, options));
  info.nonzero_cpu = nonzero.milli_cpu;
  info.nonzero_memory = nonzero.memory;
}

}  // namespace

PodPointer make_pod_info(const Value& pod) {
  auto info = std::make_shared<PodInfo>();
  const Value& meta = pod["metadata"];
  const Value& spec = pod["spec"];
  info->pod = pod;
  info->namespace_ = meta["namespace"].str();
  info->name = meta["name"].str();
  info->uid = meta["uid"].str();
  if (info->uid.empty()) info->uid = info->key();
  info->labels = meta["labels"];
  info->priority = spec["priority"].as_int();
  info->started = model::time_of(pod["status"]["startTime"]);
  info->deleting = model::is_deleting(pod);
  info->group = group_of(*info);
  compute_requests(*info);
  const Value& affinity = spec["affinity"];
  parse_affinity(*info, affinity["podAffinity"], info->required_affinity, info->preferred_affinity);
  parse_affinity(*info, affinity["podAntiAffinity"], info->required_anti_affinity,
                 info->preferred_anti_affinity);
  for (const Value& container : spec["initContainers"].elements())
    if (model::is_sidecar(container)) collect_ports(container, info->host_ports);
  for (const Value& container : spec["containers"].elements())
    collect_ports(container, info->host_ports);
  for (const Value& volume : spec["volumes"].elements())
    if (volume["persistentVolumeClaim"].is_object())
      info->claims.push_back(volume["persistentVolumeClaim"]["claimName"].str());
  return info;
}

bool term_matches(const AffinityTerm& term, const PodInfo& pod, const Value& namespace_labels) {
  return (std::binary_search(term.namespaces.begin(), term.namespaces.end(), pod.namespace_) ||
          term.namespace_selector.matches(namespace_labels)) &&
         term.selector.matches(pod.labels);
}

bool matches_all_terms(const std::vector<AffinityTerm>& terms, const PodInfo& pod) {
  if (terms.empty()) return false;
  return std::all_of(terms.begin(), terms.end(),
                     [&](const AffinityTerm& term) { return term_matches(term, pod, Value()); });
}

}  // namespace keelson::sched
