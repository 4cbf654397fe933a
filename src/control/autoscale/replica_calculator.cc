#include "control/autoscale/replica_calculator.h"

#include <cmath>
#include <map>
#include <set>

#include "base/wide.h"
#include "model/meta.h"
#include "model/pod_resources.h"

namespace keelson::control {
namespace {

using codec::Value;
using Samples = std::map<std::string, PodSample>;  // by pod, as the original's map; the order does
                                                   // not reach a result

Error failure(std::string message) {
  return {.reason = Reason::internal_error, .message = std::move(message)};
}

// Conversions beyond the range give what amd64 gives: the smallest value.
std::int32_t to_int32(double value) {
  if (!(value > -2147483649.0 && value < 2147483648.0)) return INT32_MIN;
  return static_cast<std::int32_t>(value);
}
std::int64_t to_int64(double value) {
  if (!(value >= -9223372036854775808.0 && value < 9223372036854775808.0)) return INT64_MIN;
  return static_cast<std::int64_t>(value);
}
// Sums and products wrap.
std::int64_t add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t multiply(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

struct Groups {
  std::int64_t ready = 0;
  std::set<std::string> unready, missing, ignored;
};

// Whether a cpu sample of this pod tells nothing yet: it is starting, or has never been ready.
bool is_unready_for_cpu(const Situation& s, const Value& pod, const PodSample& sample) {
  const Value& condition = model::condition_of(pod, "Ready");
  const Instant started = model::time_of(pod["status"]["startTime"]);
  if (condition.is_null() || started.is_zero()) return true;
  const bool is_false = condition["status"].as_string() == "False";
  const Instant changed = model::time_of(condition["lastTransitionTime"]);
  if (started + s.options.cpu_initialization_period > s.now)
    return is_false || sample.timestamp < changed + sample.window;
  return is_false && started + s.options.initial_readiness_delay > changed;
}

Groups group(const Situation& s, const Samples& samples, const std::string& resource) {
  Groups groups;
  for (const Value& pod : s.pods) {
    const std::string name(model::name_of(pod));
    const std::string_view phase = pod["status"]["phase"].as_string();
    if (model::is_deleting(pod) || phase == "Failed") {
      groups.ignored.insert(name);
    } else if (phase == "Pending") {
      groups.unready.insert(name);
    } else if (const auto sample = samples.find(name); sample == samples.end()) {
      groups.missing.insert(name);
    } else if (resource == "cpu" && is_unready_for_cpu(s, pod, sample->second)) {
      groups.unready.insert(name);
    } else {
      ++groups.ready;
    }
  }
  return groups;
}

// The pod's request where pod-level requests are set: those, and for what they leave out the sum
// over containers.
Result<std::int64_t> pod_level_request(const Value& pod, const std::string& resource) {
  const model::ResourceList requests = model::pod_requests(pod);
  const model::Quantity* request = requests.find(resource);
  if (request == nullptr)
    return failure("missing pod-level request for " + resource + " in Pod " +
                   std::string(model::name_of(pod)));
  return request->milli_value();
}

Result<std::int64_t> container_requests(const Value& pod, const std::string& container,
                                        const std::string& resource) {
  const std::string name(model::name_of(pod));
  std::vector<Value> all = pod.at("spec.containers").elements();
  for (const Value& c : pod.at("spec.initContainers").elements())
    if (model::is_sidecar(c)) all.push_back(c);
  std::int64_t total = 0;
  for (const Value& c : all) {
    if (!container.empty() && c["name"].as_string() != container) continue;
    const Value& request = c["resources"]["requests"][resource];
    if (request.is_null())
      return failure("missing request for " + resource + " in container " + c["name"].str() +
                     " of Pod " + name);
    total = add(total, model::Quantity::of(request).milli_value());
    if (!container.empty()) return total;
  }
  if (!container.empty()) return failure("container " + container + " not found in Pod " + name);
  return total;
}

Result<std::map<std::string, std::int64_t>> requests_of(const Situation& s,
                                                        const std::string& container,
                                                        const std::string& resource) {
  std::map<std::string, std::int64_t> requests;
  for (const Value& pod : s.pods) {
    auto request = container.empty() && model::has_pod_level_requests(pod)
                       ? pod_level_request(pod, resource)
                       : container_requests(pod, container, resource);
    if (!request.ok()) return request.error();
    requests[std::string(model::name_of(pod))] = *request;
  }
  return requests;
}

struct Utilization {
  double ratio = 0;
  std::int32_t percent = 0;
  std::int64_t average = 0;
};

Result<Utilization> utilization_of(const Samples& samples,
                                   const std::map<std::string, std::int64_t>& requests,
                                   std::int32_t target) {
  std::int64_t used = 0, requested = 0, count = 0;
  for (const auto& [pod, sample] : samples) {
    const auto request = requests.find(pod);
    if (request == requests.end()) continue;
    used = add(used, sample.milli);
    requested = add(requested, request->second);
    ++count;
  }
  if (requested == 0) return failure("no metrics returned matched known pods");
  const auto percent = static_cast<std::int32_t>(multiply(used, 100) / requested);
  return Utilization{static_cast<double>(percent) / static_cast<double>(target), percent,
                     used / count};
}

Utilization usage_of(const Samples& samples, std::int64_t target) {
  std::int64_t used = 0;
  for (const auto& [pod, sample] : samples) used = add(used, sample.milli);
  const std::int64_t average = used / static_cast<std::int64_t>(samples.size());
  return {static_cast<double>(average) / static_cast<double>(target), 0, average};
}

// The course that both kinds of per-pod targets take. `ratio_of` measures the samples that count;
// `fallback_of` is what a pod without a sample counts as while the rest is below the target.
template <typename RatioOf, typename FallbackOf>
Result<Proposal> propose(const Situation& s, Samples samples, const Groups& groups,
                         RatioOf ratio_of, FallbackOf fallback_of) {
  TRY(const Utilization first, ratio_of(samples));
  const Proposal unchanged{s.replicas_spec, first.average, first.percent};
  const auto with = [&](std::int32_t replicas) {
    return Proposal{replicas, first.average, first.percent};
  };
  const bool up_with_unready = !groups.unready.empty() && first.ratio > 1.0;
  if (!up_with_unready && groups.missing.empty()) {
    if (s.tolerances.include(first.ratio)) return unchanged;
    return with(to_int32(std::ceil(first.ratio * static_cast<double>(groups.ready))));
  }
  for (const std::string& pod : groups.missing) {
    if (first.ratio < 1.0)
      samples[pod].milli = fallback_of(pod);
    else if (first.ratio > 1.0)
      samples[pod].milli = 0;
  }
  if (up_with_unready)
    for (const std::string& pod : groups.unready) samples[pod].milli = 0;
  TRY(const Utilization second, ratio_of(samples));
  if (s.tolerances.include(second.ratio) || (first.ratio < 1.0 && second.ratio > 1.0) ||
      (first.ratio > 1.0 && second.ratio < 1.0))
    return unchanged;
  const std::int32_t replicas =
      to_int32(std::ceil(second.ratio * static_cast<double>(samples.size())));
  if ((second.ratio < 1.0 && replicas > s.replicas_spec) ||
      (second.ratio > 1.0 && replicas < s.replicas_spec))
    return unchanged;
  return with(replicas);
}

Result<Samples> resource_samples(const Situation& s, const std::string& resource,
                                 const std::string& container) {
  const auto unable = [&](const std::string& why) {
    return failure("unable to get metrics for resource " + resource + ": " + why);
  };
  auto usage = s.metrics->resource(s.namespace_, s.selector);
  if (!usage.ok())
    return unable("unable to fetch metrics from resource metrics API: " + usage.error().message);
  if (usage->empty()) return unable("no metrics returned from resource metrics API");
  Samples samples;
  for (const PodUsage& pod : *usage) {
    std::int64_t total = 0;
    bool complete = !pod.containers.empty(), found = false;
    for (const ContainerUsage& c : pod.containers) {
      if (!container.empty() && c.name != container) continue;
      const model::Quantity* value = nullptr;
      for (const auto& [name, quantity] : c.usage)
        if (name == resource) value = &quantity;
      if (value == nullptr) {
        complete = false;
        break;
      }
      total = add(total, metric_milli(*value));
      found = true;
      if (!container.empty()) break;
    }
    if (complete && found) samples[pod.pod] = {pod.pod, pod.timestamp, pod.window, total};
  }
  return samples;
}

Result<Groups> group_and_prune(const Situation& s, Samples& samples, const std::string& resource) {
  if (s.pods.empty())
    return failure("no pods returned by selector while calculating replica count");
  Groups groups = group(s, samples, resource);
  for (const std::string& pod : groups.ignored) samples.erase(pod);
  for (const std::string& pod : groups.unready) samples.erase(pod);
  if (samples.empty())
    return failure("did not receive metrics for targeted pods (pods might be unready)");
  return groups;
}

Result<Proposal> propose_plain(const Situation& s, Samples samples, const std::string& resource,
                               std::int64_t target) {
  TRY(const Groups groups, group_and_prune(s, samples, resource));
  return propose(
      s, std::move(samples), groups,
      [&](const Samples& all) -> Result<Utilization> { return usage_of(all, target); },
      [&](const std::string&) { return target; });
}

// For values that belong to no pod: the ratio times the ready pods; from 0 replicas the ratio
// itself.
Result<std::int32_t> replicas_for_ratio(const Situation& s, double ratio) {
  if (s.replicas_spec == 0) return to_int32(std::ceil(ratio));
  if (s.tolerances.include(ratio)) return s.replicas_spec;
  if (s.pods.empty())
    return failure(
        "unable to calculate ready pods: no pods returned by selector while calculating replica "
        "count");
  std::int64_t ready = 0;
  for (const Value& pod : s.pods)
    if (pod["status"]["phase"].as_string() == "Running" && model::pod_is_ready(pod)) ++ready;
  const double replicas = ratio * static_cast<double>(ready);
  return replicas > INT32_MAX ? INT32_MAX : to_int32(std::ceil(replicas));
}

}  // namespace

std::int64_t metric_milli(const model::Quantity& quantity) {
  const Int128 milli = quantity.nano() / 1'000'000;
  if (milli <= INT64_MAX && milli >= INT64_MIN) return quantity.milli_value();
  Int128 digits = quantity.nano() / 1'000'000'000;
  while (digits != 0 && digits % 10 == 0) digits /= 10;
  constexpr Int128 kDigitsMax = 1'000'000'000'000'000'000;
  if (digits > INT64_MAX || digits < INT64_MIN || (digits < kDigitsMax && digits > -kDigitsMax))
    return 0;
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(milli));
}

Result<Proposal> propose_for_utilization(const Situation& s, const std::string& resource,
                                         const std::string& container,
                                         std::int32_t target_percent) {
  TRY(Samples samples, resource_samples(s, resource, container));
  TRY(const Groups groups, group_and_prune(s, samples, resource));
  TRY(const auto requests, requests_of(s, container, resource));
  const std::int64_t fallback_percent = std::max<std::int64_t>(100, target_percent);
  return propose(
      s, std::move(samples), groups,
      [&](const Samples& all) { return utilization_of(all, requests, target_percent); },
      [&](const std::string& pod) { return multiply(requests.at(pod), fallback_percent) / 100; });
}

Result<Proposal> propose_for_resource(const Situation& s, const std::string& resource,
                                      const std::string& container, std::int64_t target_milli) {
  TRY(Samples samples, resource_samples(s, resource, container));
  return propose_plain(s, std::move(samples), resource, target_milli);
}

Result<Proposal> propose_for_pods(const Situation& s, const std::string& metric,
                                  const model::LabelSelector& selector, std::int64_t target_milli) {
  const auto unable = [&](const std::string& why) {
    return failure("unable to get metric " + metric + ": " + why);
  };
  auto values = s.metrics->pods(s.namespace_, s.selector, metric, selector);
  if (!values.ok())
    return unable("unable to fetch metrics from custom metrics API: " + values.error().message);
  if (values->empty()) return unable("no metrics returned from custom metrics API");
  Samples samples;
  for (PodSample& sample : *values) samples[sample.pod] = sample;
  return propose_plain(s, std::move(samples), "", target_milli);
}

Result<Proposal> propose_for_object(const Situation& s, const Value& described,
                                    const std::string& metric, const model::LabelSelector& selector,
                                    std::int64_t target_milli, bool per_pod) {
  auto value = s.metrics->object(s.namespace_, described, metric, selector);
  if (!value.ok())
    return failure("unable to get metric " + metric + ": " + described["kind"].str() + " on " +
                   s.namespace_ + " " + described["name"].str() +
                   "/unable to fetch metrics from custom metrics API: " + value.error().message);
  const auto usage = static_cast<double>(*value), target = static_cast<double>(target_milli);
  if (!per_pod) {
    TRY(const std::int32_t replicas, replicas_for_ratio(s, usage / target));
    return Proposal{replicas, *value, 0};
  }
  const double pods = static_cast<double>(s.replicas_status);
  std::int32_t replicas = s.replicas_status;
  if (!s.tolerances.include(usage / (target * pods)))
    replicas = to_int32(std::ceil(usage / target));
  return Proposal{replicas, to_int64(std::ceil(usage / pods)), 0};
}

Result<Proposal> propose_for_external(const Situation& s, const std::string& metric,
                                      const Value& selector, std::int64_t target_milli,
                                      bool per_pod) {
  TRY(const model::LabelSelector parsed,
      selector.is_null() ? Result<model::LabelSelector>(model::LabelSelector::nothing())
                         : model::LabelSelector::of(selector));
  auto values = s.metrics->external(s.namespace_, metric, parsed);
  if (values.ok() && values->empty())
    values = failure("no metrics returned from external metrics API");
  else if (!values.ok())
    values =
        failure("unable to fetch metrics from external metrics API: " + values.error().message);
  if (!values.ok())
    return failure("unable to get external metric " + s.namespace_ + "/" + metric + "/" +
                   selector_text(selector) + ": " + values.error().message);
  std::int64_t usage = 0;
  for (const std::int64_t value : *values) {
    if (value > 0 && usage > INT64_MAX - value) {
      usage = INT64_MAX;
      break;
    }
    usage = add(usage, value);
    if (per_pod && usage < 0) {
      usage = INT64_MAX;
      break;
    }
  }
  const auto total = static_cast<double>(usage), target = static_cast<double>(target_milli);
  if (!per_pod) {
    TRY(const std::int32_t replicas, replicas_for_ratio(s, total / target));
    return Proposal{replicas, usage, 0};
  }
  const double pods = static_cast<double>(s.replicas_status);
  std::int32_t replicas = s.replicas_status;
  if (!s.tolerances.include(total / (target * pods))) {
    const double wanted = std::ceil(total / target);
    replicas = wanted > INT32_MAX ? INT32_MAX : to_int32(wanted);
  }
  if (total >= 9223372036854775807.0) return Proposal{replicas, INT64_MAX, 0};
  return Proposal{replicas, to_int64(std::ceil(total / pods)), 0};
}

std::string selector_text(const Value& selector) {
  if (selector.is_null()) return "nil";
  std::string text = "&LabelSelector{MatchLabels:map[string]string{";
  for (const codec::Member& m : selector["matchLabels"].members())
    text += std::string(m.key()) + ": " + m.value.str() + ",";
  text += "},MatchExpressions:[]LabelSelectorRequirement{";
  for (const Value& e : selector["matchExpressions"].elements()) {
    text += "LabelSelectorRequirement{Key:" + e["key"].str() + ",Operator:" + e["operator"].str() +
            ",Values:[";
    for (std::size_t i = 0; i < e["values"].size(); ++i)
      text += (i > 0 ? " " : "") + e["values"][i].str();
    text += "],},";
  }
  return text + "},}";
}

}  // namespace keelson::control
