// Cells that take more than a path: what kubectl's users read every day. Each mirrors the printer
// of Kubernetes of the same name. Pure functions of the object and the time.
#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "model/meta.h"
#include "model/quantity.h"
#include "model/selector.h"
#include "registry/tables/columns.h"

namespace keelson::registry {

std::string labels_text(const Value& labels) {
  std::string out;
  for (const codec::Member& member : labels.members()) {
    if (!out.empty()) out += ',';
    out.append(member.key()).append("=").append(member.value.as_string());
  }
  return out.empty() ? "<none>" : out;
}

std::string selector_text(const Value& selector) {
  auto parsed = model::LabelSelector::of(selector);
  if (!parsed.ok()) return "<error>";
  const std::string text = parsed->text();
  return text.empty() ? "<none>" : text;
}

std::string age_text(const Value& time, Instant now) {
  const Instant then = model::time_of(time);
  return then.is_zero() ? "<unknown>" : human_duration(now - then);
}

namespace {

std::string text(const Value& value) {
  return value.is_integer() ? std::to_string(value.as_int()) : value.str();
}
std::string number(std::int64_t n) {
  return std::to_string(n);
}
std::string or_else(std::string value, std::string_view fallback) {
  return value.empty() ? std::string(fallback) : value;
}

// "a,b,c + 2 more...".
std::string at_most_three(const std::vector<std::string>& list, std::string_view nothing) {
  std::vector<std::string> head(list.begin(),
                                list.begin() + std::min<std::ptrdiff_t>(3, std::ssize(list)));
  std::string out = join(head, ",");
  if (list.size() > 3) return out + " + " + number(std::ssize(list) - 3) + " more...";
  return or_else(out, nothing);
}

// --- pods ---

struct PodSummary {
  std::string reason;
  std::int64_t restarts = 0, ready = 0, total = 0;
  Instant last_restart;
};

bool is_restartable(const Value& pod, std::string_view container) {
  for (const Value& one : pod["spec"]["initContainers"].elements())
    if (one["name"].as_string() == container) return model::is_sidecar(one);
  return false;
}

std::string ended_reason(const Value& terminated, std::string_view prefix) {
  const std::string head(prefix);
  if (!terminated["reason"].as_string().empty()) return head + terminated["reason"].str();
  if (terminated["signal"].as_int() != 0)
    return head + "Signal:" + number(terminated["signal"].as_int());
  return head + "ExitCode:" + number(terminated["exitCode"].as_int());
}

void note_restart(Instant& last, const Value& status) {
  const Instant at = model::time_of(status["lastState"]["terminated"]["finishedAt"]);
  if (!at.is_zero() && (last.is_zero() || last < at)) last = at;
}

// Goes through the init containers; true if the pod is still (or again) initialising.
bool summarize_init(const Value& pod, PodSummary& out, PodSummary& restartable) {
  const Value& statuses = pod["status"]["initContainerStatuses"];
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    const Value& one = statuses[i];
    const Value &ended = one["state"]["terminated"], &waiting = one["state"]["waiting"];
    out.restarts += one["restartCount"].as_int();
    note_restart(out.last_restart, one);
    const bool again = is_restartable(pod, one["name"].as_string());
    if (again) {
      restartable.restarts += one["restartCount"].as_int();
      note_restart(restartable.last_restart, one);
    }
    if (!ended.is_null() && ended["exitCode"].as_int() == 0) continue;
    if (again && one["started"].as_bool()) {
      if (one["ready"].as_bool()) ++out.ready;
      continue;
    }
    const std::string_view why = waiting["reason"].as_string();
    if (!ended.is_null())
      out.reason = ended_reason(ended, "Init:");
    else if (!why.empty() && why != "PodInitializing")
      out.reason = "Init:" + std::string(why);
    else
      out.reason = "Init:" + number(static_cast<std::int64_t>(i)) + "/" +
                   number(std::ssize(pod["spec"]["initContainers"].elements()));
    return true;
  }
  return false;
}

void summarize_containers(const Value& pod, PodSummary& out) {
  bool running = false;
  std::string error_reason;
  const auto& statuses = pod["status"]["containerStatuses"].elements();
  for (auto one = statuses.rbegin(); one != statuses.rend(); ++one) {
    const Value &state = (*one)["state"], &ended = state["terminated"];
    out.restarts += (*one)["restartCount"].as_int();
    note_restart(out.last_restart, *one);
    if (!state["waiting"]["reason"].as_string().empty()) {
      out.reason = state["waiting"]["reason"].str();
    } else if (!ended.is_null()) {
      out.reason = ended_reason(ended, "");
      if (ended["exitCode"].as_int() != 0) error_reason = out.reason;
    } else if ((*one)["ready"].as_bool() && !state["running"].is_null()) {
      running = true;
      ++out.ready;
    }
  }
  if (out.reason != "Completed") return;
  if (running && model::condition_is_true(pod, "Ready"))
    out.reason = "Running";
  else if (!error_reason.empty())
    out.reason = error_reason;
  else if (running)
    out.reason = "NotReady";
}

PodSummary summarize_pod(const Value& pod) {
  const Value& status = pod["status"];
  PodSummary out, restartable;
  out.reason = or_else(status["reason"].str(), status["phase"].as_string());
  for (const Value& condition : status["conditions"].elements())
    if (condition["type"].as_string() == "PodScheduled" &&
        condition["reason"].as_string() == "SchedulingGated")
      out.reason = "SchedulingGated";
  out.total = std::ssize(pod["spec"]["containers"].elements());
  for (const Value& one : pod["spec"]["initContainers"].elements())
    if (model::is_sidecar(one)) ++out.total;
  const bool initializing = summarize_init(pod, out, restartable);
  if (!initializing || model::condition_is_true(pod, "Initialized")) {
    out.restarts = restartable.restarts;
    out.last_restart = restartable.last_restart;
    summarize_containers(pod, out);
  }
  if (model::is_deleting(pod)) {
    if (status["reason"].as_string() == "NodeLost")
      out.reason = "Unknown";
    else if (!model::pod_is_finished(pod))
      out.reason = "Terminating";
  }
  return out;
}

Value pod_restarts(const Value& pod, Instant now) {
  const PodSummary summary = summarize_pod(pod);
  std::string out = number(summary.restarts);
  if (summary.restarts != 0 && !summary.last_restart.is_zero())
    out += " (" + human_duration(now - summary.last_restart) + " ago)";
  return out;
}

Value pod_gates(const Value& pod, Instant) {
  const Value& gates = pod["spec"]["readinessGates"];
  if (gates.empty()) return "<none>";
  std::int64_t open = 0;
  for (const Value& gate : gates.elements())
    if (model::condition_is_true(pod, gate["conditionType"].as_string())) ++open;
  return number(open) + "/" + number(std::ssize(gates.elements()));
}

// --- workloads ---

Value job_status(const Value& job, Instant) {
  for (const char* type : {"Complete", "Failed"})
    if (model::condition_is_true(job, type)) return type;
  if (model::is_deleting(job)) return "Terminating";
  for (const char* type : {"Suspended", "FailureTarget", "SuccessCriteriaMet"})
    if (model::condition_is_true(job, type)) return type;
  return "Running";
}

Value job_completions(const Value& job, Instant) {
  const Value& spec = job["spec"];
  const std::string done = number(job["status"]["succeeded"].as_int());
  if (spec.has("completions")) return done + "/" + number(spec["completions"].as_int());
  const std::int64_t parallelism = spec["parallelism"].as_int();
  return done + (parallelism > 1 ? "/1 of " + number(parallelism) : "/1");
}

Value job_duration(const Value& job, Instant now) {
  const Instant start = model::time_of(job["status"]["startTime"]);
  const Instant end = model::time_of(job["status"]["completionTime"]);
  if (start.is_zero()) return "";
  return human_duration((end.is_zero() ? now : end) - start);
}

Value controller_name(const Value& object, Instant) {
  const Value& owner = model::controller_of(object);
  if (owner.is_null()) return "<none>";
  const std::string group = model::group_version_of(owner["apiVersion"].as_string()).group;
  return to_lower(owner["kind"].as_string()) + (group.empty() ? "" : "." + group) + "/" +
         owner["name"].str();
}

// --- network ---

std::vector<std::string> balancer_addresses(const Value& object) {
  std::set<std::string> sorted;
  for (const Value& one : object["status"]["loadBalancer"]["ingress"].elements()) {
    const std::string address = or_else(one["ip"].str(), one["hostname"].as_string());
    if (!address.empty()) sorted.insert(address);
  }
  return {sorted.begin(), sorted.end()};
}

Value service_external(const Value& service, Instant) {
  const Value& spec = service["spec"];
  std::vector<std::string> fixed;
  for (const Value& one : spec["externalIPs"].elements()) fixed.push_back(one.str());
  const std::string_view type = spec["type"].as_string();
  if (type == "ExternalName") return spec["externalName"].str();
  if (type == "LoadBalancer") {
    std::vector<std::string> all = balancer_addresses(service);
    all.insert(all.end(), fixed.begin(), fixed.end());
    return all.empty() ? Value("<pending>") : Value(join(all, ","));
  }
  if (type != "ClusterIP" && type != "NodePort") return "<unknown>";
  return fixed.empty() ? Value("<none>") : Value(join(fixed, ","));
}

Value service_ports(const Value& service, Instant) {
  std::vector<std::string> parts;
  for (const Value& port : service["spec"]["ports"].elements()) {
    std::string one = text(port["port"]);
    if (port["nodePort"].as_int() > 0) one += ":" + text(port["nodePort"]);
    parts.push_back(one + "/" + port["protocol"].str());
  }
  return parts.empty() ? Value("<none>") : Value(join(parts, ","));
}

Value endpoints_text(const Value& endpoints, Instant) {
  std::vector<std::string> list;
  if (endpoints["subsets"].empty()) return "<none>";
  for (const Value& subset : endpoints["subsets"].elements()) {
    const auto add = [&](const std::string& port) {
      for (const Value& address : subset["addresses"].elements()) {
        const std::string ip = address["ip"].str();
        list.push_back(port.empty()                        ? ip
                       : ip.find(':') == std::string::npos ? ip + ":" + port
                                                           : "[" + ip + "]:" + port);
      }
    };
    if (subset["ports"].empty()) add("");
    for (const Value& port : subset["ports"].elements()) add(text(port["port"]));
  }
  return at_most_three(list, "");
}

Value slice_ports(const Value& slice, Instant) {
  std::vector<std::string> list;
  for (const Value& port : slice["ports"].elements())
    list.push_back(port.has("port") ? text(port["port"]) : or_else(port["name"].str(), "*"));
  return at_most_three(list, "<unset>");
}

Value slice_endpoints(const Value& slice, Instant) {
  std::vector<std::string> list;
  for (const Value& endpoint : slice["endpoints"].elements())
    for (const Value& address : endpoint["addresses"].elements()) list.push_back(address.str());
  return at_most_three(list, "<unset>");
}

Value ingress_hosts(const Value& ingress, Instant) {
  const auto& rules = ingress["spec"]["rules"].elements();
  std::vector<std::string> list;
  bool more = false;
  for (const Value& rule : rules) {
    if (list.size() == 3) more = true;
    if (!more && !rule["host"].as_string().empty()) list.push_back(rule["host"].str());
  }
  if (list.empty()) return "*";
  if (more) return join(list, ",") + " + " + number(std::ssize(rules) - 3) + " more...";
  return join(list, ",");
}

Value class_parameters(const Value& object, Instant) {
  const Value& parameters = object["spec"]["parameters"];
  if (parameters.is_null()) return "<none>";
  std::string out = parameters["kind"].str();
  if (parameters.has("apiGroup")) out += "." + parameters["apiGroup"].str();
  return out + "/" + parameters["name"].str();
}

Value default_name(const Value& object, std::string_view annotation) {
  std::string name(model::name_of(object));
  return model::annotation_of(object, annotation) == "true" ? name + " (default)" : name;
}

Value address_parent(const Value& object, Instant) {
  const Value& parent = object["spec"]["parentRef"];
  if (parent.is_null()) return "<none>";
  std::string out = parent["resource"].str();
  if (!parent["group"].as_string().empty()) out += "." + parent["group"].str();
  out = to_lower(out);
  if (!parent["namespace"].as_string().empty()) out += "/" + parent["namespace"].str();
  return out + "/" + parent["name"].str();
}

// --- nodes ---

Value node_status(const Value& node, Instant) {
  const Value& ready = model::condition_of(node, "Ready");
  std::string out = ready.is_null()                         ? "Unknown"
                    : ready["status"].as_string() == "True" ? "Ready"
                                                            : "NotReady";
  if (node["spec"]["unschedulable"].as_bool()) out += ",SchedulingDisabled";
  return out;
}

Value node_roles(const Value& node, Instant) {
  constexpr std::string_view kPrefix = "node-role.kubernetes.io/";
  std::set<std::string> roles;
  for (const codec::Member& label : model::labels_of(node).members()) {
    if (label.key().starts_with(kPrefix) && label.key().size() > kPrefix.size())
      roles.emplace(label.key().substr(kPrefix.size()));
    else if (label.key() == "kubernetes.io/role" && !label.value.as_string().empty())
      roles.insert(label.value.str());
  }
  return or_else(join({roles.begin(), roles.end()}, ","), "<none>");
}

Value node_address(const Value& node, std::string_view type) {
  for (const Value& address : node["status"]["addresses"].elements())
    if (address["type"].as_string() == type) return address["address"];
  return "<none>";
}

Value node_kernel(const Value& node, Instant) {
  const Value& info = node["status"]["nodeInfo"];
  std::string out = or_else(info["kernelVersion"].str(), "<unknown>");
  if (!info["architecture"].as_string().empty()) out += " (" + info["architecture"].str() + ")";
  return out;
}

// --- events ---

const Value& first_of(const Value& a, const Value& b) {
  return a.is_null() || a == "" ? b : a;
}

Value event_first(const Value& event, Instant now) {
  const Value& stamp = first_of(event["firstTimestamp"], event["deprecatedFirstTimestamp"]);
  return age_text(stamp.is_null() ? event["eventTime"] : stamp, now);
}

Value event_last(const Value& event, Instant now) {
  if (!event["series"].is_null()) return age_text(event["series"]["lastObservedTime"], now);
  const Value& stamp = first_of(event["lastTimestamp"], event["deprecatedLastTimestamp"]);
  return stamp.is_null() ? event_first(event, now) : Value(age_text(stamp, now));
}

Value event_count(const Value& event, Instant) {
  if (!event["series"].is_null()) return event["series"]["count"].as_int();
  const std::int64_t count = first_of(event["count"], event["deprecatedCount"]).as_int();
  return count == 0 ? 1 : count;
}

Value event_object(const Value& event, Instant) {
  const Value& about = first_of(event["involvedObject"], event["regarding"]);
  std::string out = to_lower(about["kind"].as_string());
  if (!about["name"].as_string().empty()) out += "/" + about["name"].str();
  return out;
}

Value event_source(const Value& event, Instant) {
  const Value& source = first_of(event["source"], event["deprecatedSource"]);
  const std::string component =
      or_else(source["component"].str(),
              first_of(event["reportingComponent"], event["reportingController"]).as_string());
  const std::string host = or_else(source["host"].str(), event["reportingInstance"].as_string());
  return host.empty() ? component : component + ", " + host;
}

Value event_message(const Value& event, Instant) {
  return trim(first_of(event["message"], event["note"]).as_string());
}

// --- storage ---

std::string access_modes(const Value& modes) {
  constexpr std::pair<const char*, const char*> kModes[] = {{"ReadWriteOnce", "RWO"},
                                                            {"ReadOnlyMany", "ROX"},
                                                            {"ReadWriteMany", "RWX"},
                                                            {"ReadWriteOncePod", "RWOP"}};
  std::vector<std::string> out;
  for (const auto& [name, brief] : kModes)
    for (const Value& mode : modes.elements())
      if (mode.as_string() == name) {
        out.emplace_back(brief);
        break;
      }
  return join(out, ",");
}

Value volume_class(const Value& object, Instant) {
  const std::string_view old =
      model::annotation_of(object, "volume.beta.kubernetes.io/storage-class");
  return old.empty() ? object["spec"]["storageClassName"].as_string() : old;
}

Value volume_phase(const Value& object, Instant) {
  return model::is_deleting(object) ? Value("Terminating") : Value(object["status"]["phase"].str());
}

Value volume_claim(const Value& volume, Instant) {
  const Value& claim = volume["spec"]["claimRef"];
  if (claim.is_null()) return "";
  return claim["namespace"].str() + "/" + claim["name"].str();
}

bool is_bound(const Value& claim) {
  return !claim["spec"]["volumeName"].as_string().empty();
}

// --- quotas and autoscaling ---

Value quota_text(const Value& quota, bool limits) {
  std::vector<std::string> parts;
  for (const codec::Member& hard : quota["status"]["hard"].members()) {
    if (hard.key().starts_with("limits.") != limits) continue;
    const std::string used = or_else(quota["status"]["used"][hard.key()].str(), "0");
    parts.push_back(std::string(hard.key()) + ": " + used + "/" + text(hard.value));
  }
  return join(parts, ", ");
}

std::string percent(const Value& value, std::string_view fallback) {
  return value.is_integer() ? text(value) + "%" : std::string(fallback);
}

std::string metric_text(const Value& spec, const Value& status) {
  constexpr std::string_view kUnknown = "<unknown>";
  const std::string type = spec["type"].str();
  const auto source = [&](const Value& of, const char* name) -> const Value& { return of[name]; };
  const auto value_pair = [&](const char* member) {
    const Value &target = source(spec, member)["target"], &now = source(status, member)["current"];
    if (target.has("averageValue"))
      return or_else(now["averageValue"].str(), kUnknown) + "/" + target["averageValue"].str() +
             " (avg)";
    const std::string current =
        source(status, member).is_null() ? std::string(kUnknown) : or_else(now["value"].str(), "0");
    return current + "/" + or_else(target["value"].str(), "0");
  };
  const auto resource = [&](const char* member) {
    const Value &target = source(spec, member)["target"], &now = source(status, member)["current"];
    std::string out = source(spec, member)["name"].str() + ": ";
    if (target.has("averageValue"))
      return out + or_else(now["averageValue"].str(), kUnknown) + "/" +
             target["averageValue"].str();
    return out + percent(now["averageUtilization"], kUnknown) + "/" +
           percent(target["averageUtilization"], "<auto>");
  };
  if (type == "External") return value_pair("external");
  if (type == "Object") return value_pair("object");
  if (type == "Pods")
    return or_else(status["pods"]["current"]["averageValue"].str(), kUnknown) + "/" +
           spec["pods"]["target"]["averageValue"].str();
  if (type == "Resource") return resource("resource");
  if (type == "ContainerResource") return resource("containerResource");
  return "<unknown type>";
}

Value scale_metrics(const Value& scaler, Instant) {
  const auto& specs = scaler["spec"]["metrics"].elements();
  if (specs.empty()) return "<none>";
  std::vector<std::string> list;
  for (std::size_t i = 0; i < specs.size() && i < 2; ++i)
    list.push_back(metric_text(specs[i], scaler["status"]["currentMetrics"][i]));
  std::string out = join(list, ", ");
  if (specs.size() > 2) out += " + " + number(std::ssize(specs) - 2) + " more...";
  return out;
}

// --- access and the server itself ---

Value subjects_text(const Value& binding, std::string_view kind) {
  std::vector<std::string> list;
  for (const Value& subject : binding["subjects"].elements())
    if (subject["kind"].as_string() == kind)
      list.push_back(kind == "ServiceAccount"
                         ? subject["namespace"].str() + "/" + subject["name"].str()
                         : subject["name"].str());
  return join(list, ", ");
}

Value certificate_condition(const Value& request, Instant) {
  bool approved = false, denied = false, failed = false;
  for (const Value& one : request["status"]["conditions"].elements()) {
    const std::string_view type = one["type"].as_string();
    approved = approved || type == "Approved";
    denied = denied || type == "Denied";
    failed = failed || type == "Failed";
  }
  std::string out = denied ? "Denied" : approved ? "Approved" : "Pending";
  if (failed) out += ",Failed";
  if (!request["status"]["certificate"].as_string().empty()) out += ",Issued";
  return out;
}

// As Go prints the selector's struct.
std::string go_selector_text(const Value& selector) {
  std::string out = "&LabelSelector{MatchLabels:map[string]string{";
  for (const codec::Member& m : selector["matchLabels"].members())
    out += std::string(m.key()) + ": " + m.value.str() + ",";
  out += "},MatchExpressions:[]LabelSelectorRequirement{";
  for (const Value& one : selector["matchExpressions"].elements()) {
    std::vector<std::string> values;
    for (const Value& value : one["values"].elements()) values.push_back(value.str());
    out += "LabelSelectorRequirement{Key:" + one["key"].str() +
           ",Operator:" + one["operator"].str() + ",Values:[" + join(values, " ") + "],},";
  }
  return out + "},}";
}

Value binding_parameters(const Value& binding, Instant) {
  const Value& reference = binding["spec"]["paramRef"];
  if (reference.is_null()) return "<unset>";
  const std::string name = reference["name"].str();
  if (!name.empty()) return or_else(reference["namespace"].str(), "*") + "/" + name;
  return reference.has("selector") ? Value(go_selector_text(reference["selector"])) : "<unset>";
}

Value api_available(const Value& service, Instant) {
  const Value& condition = model::condition_of(service, "Available");
  if (condition.is_null()) return "Unknown";
  const std::string status = condition["status"].str();
  return status == "True" ? status : status + " (" + condition["reason"].str() + ")";
}

Value device_claim_state(const Value& claim, Instant) {
  std::vector<std::string> states;
  const bool deleting = model::is_deleting(claim);
  if (deleting) states.emplace_back("deleted");
  if (claim["status"]["allocation"].is_null()) {
    if (!deleting) states.emplace_back("pending");
  } else {
    states.emplace_back("allocated");
    if (!claim["status"]["reservedFor"].empty()) states.emplace_back("reserved");
  }
  return join(states, ",");
}

Value component_member(const Value& component, std::string_view member) {
  for (const Value& one : component["conditions"].elements())
    if (one["type"].as_string() == "Healthy") {
      if (member != "status") return one[member].str();
      return one["status"].as_string() == "True" ? "Healthy" : "Unhealthy";
    }
  return member == "status" ? "Unknown" : "";
}

Value or_none(const Value& value) {
  return value.is_null() ? Value("<none>") : value;
}

const std::map<std::string, Cell, std::less<>>& named_cells() {
  using V = const Value&;
  static const std::map<std::string, Cell, std::less<>> table = {
      {"pod_ready",
       [](V o, Instant) -> Value {
         const PodSummary summary = summarize_pod(o);
         return number(summary.ready) + "/" + number(summary.total);
       }},
      {"pod_status", [](V o, Instant) -> Value { return summarize_pod(o).reason; }},
      {"pod_restarts", pod_restarts},
      {"pod_address",
       [](V o, Instant) -> Value {
         return or_else(o["status"]["podIPs"][0]["ip"].str(), "<none>");
       }},
      {"pod_gates", pod_gates},
      {"replicas_ready",
       [](V o, Instant) -> Value {
         return number(o["status"]["readyReplicas"].as_int()) + "/" +
                number(o["spec"]["replicas"].as_int());
       }},
      {"controller", controller_name},
      {"job_status", job_status},
      {"job_completions", job_completions},
      {"job_duration", job_duration},
      {"cron_suspended",
       [](V o, Instant) -> Value {
         const Value& suspended = o["spec"]["suspend"];
         return suspended.is_null() ? "<unset>" : suspended.as_bool() ? "True" : "False";
       }},
      {"cron_last",
       [](V o, Instant now) -> Value {
         const Value& last = o["status"]["lastScheduleTime"];
         return last.is_null() ? Value("<none>") : Value(age_text(last, now));
       }},
      {"service_address",
       [](V o, Instant) -> Value {
         const Value& all = o["spec"]["clusterIPs"];
         return all.empty() ? Value("<none>") : all[0];
       }},
      {"service_external", service_external},
      {"service_ports", service_ports},
      {"endpoints", endpoints_text},
      {"slice_ports", slice_ports},
      {"slice_endpoints", slice_endpoints},
      {"ingress_hosts", ingress_hosts},
      {"balancer_addresses",
       [](V o, Instant) -> Value { return join(balancer_addresses(o), ","); }},
      {"ingress_ports",
       [](V o, Instant) -> Value { return o["spec"]["tls"].empty() ? "80" : "80, 443"; }},
      {"default_ingress_class",
       [](V o, Instant) -> Value {
         return default_name(o, "ingressclass.kubernetes.io/is-default-class");
       }},
      {"default_storage_class",
       [](V o, Instant) -> Value {
         return default_name(o, "storageclass.kubernetes.io/is-default-class");
       }},
      {"class_parameters", class_parameters},
      {"address_parent", address_parent},
      {"node_status", node_status},
      {"node_roles", node_roles},
      {"node_internal", [](V o, Instant) -> Value { return node_address(o, "InternalIP"); }},
      {"node_external", [](V o, Instant) -> Value { return node_address(o, "ExternalIP"); }},
      {"node_kernel", node_kernel},
      {"event_last", event_last},
      {"event_first", event_first},
      {"event_count", event_count},
      {"event_object", event_object},
      {"event_source", event_source},
      {"event_message", event_message},
      {"volume_capacity",
       [](V o, Instant) -> Value { return or_else(o["spec"]["capacity"]["storage"].str(), "0"); }},
      {"volume_modes",
       [](V o, Instant) -> Value { return access_modes(o["spec"]["accessModes"]); }},
      {"volume_phase", volume_phase},
      {"volume_claim", volume_claim},
      {"volume_class", volume_class},
      {"claim_capacity",
       [](V o, Instant) -> Value {
         if (!is_bound(o)) return "";
         return or_else(o["status"]["capacity"]["storage"].str(), "0");
       }},
      {"claim_modes",
       [](V o, Instant) -> Value {
         return is_bound(o) ? access_modes(o["status"]["accessModes"]) : "";
       }},
      {"quota_requests", [](V o, Instant) -> Value { return quota_text(o, false); }},
      {"quota_limits", [](V o, Instant) -> Value { return quota_text(o, true); }},
      {"component_status", [](V o, Instant) -> Value { return component_member(o, "status"); }},
      {"component_message", [](V o, Instant) -> Value { return component_member(o, "message"); }},
      {"component_error", [](V o, Instant) -> Value { return component_member(o, "error"); }},
      {"scale_target",
       [](V o, Instant) -> Value {
         const Value& target = o["spec"]["scaleTargetRef"];
         return target["kind"].str() + "/" + target["name"].str();
       }},
      {"scale_metrics", scale_metrics},
      {"role_reference",
       [](V o, Instant) -> Value {
         return o["roleRef"]["kind"].str() + "/" + o["roleRef"]["name"].str();
       }},
      {"subject_users", [](V o, Instant) -> Value { return subjects_text(o, "User"); }},
      {"subject_groups", [](V o, Instant) -> Value { return subjects_text(o, "Group"); }},
      {"subject_accounts",
       [](V o, Instant) -> Value { return subjects_text(o, "ServiceAccount"); }},
      {"certificate_duration",
       [](V o, Instant) -> Value {
         const Value& seconds = o["spec"]["expirationSeconds"];
         if (seconds.is_null()) return "<none>";
         return human_duration(Duration::seconds(seconds.as_int()));
       }},
      {"certificate_condition", certificate_condition},
      {"driver_audiences",
       [](V o, Instant) -> Value {
         const Value& requests = o["spec"]["tokenRequests"];
         if (requests.is_null()) return "<unset>";
         std::vector<std::string> audiences;
         for (V one : requests.elements()) audiences.push_back(one["audience"].str());
         return join(audiences, ",");
       }},
      {"policy_parameters",
       [](V o, Instant) -> Value {
         const Value& kind = o["spec"]["paramKind"];
         if (kind.is_null()) return "<unset>";
         return kind["apiVersion"].str() + "/" + kind["kind"].str();
       }},
      {"binding_parameters", binding_parameters},
      {"flow_dangling",
       [](V o, Instant) -> Value {
         const Value& condition = model::condition_of(o, "Dangling");
         return condition.is_null() ? Value("?") : condition["status"];
       }},
      {"level_shares",
       [](V o, Instant) -> Value {
         return or_none(o["spec"]["limited"]["nominalConcurrencyShares"]);
       }},
      {"level_queues",
       [](V o, Instant) -> Value {
         return or_none(o.at("spec.limited.limitResponse.queuing.queues"));
       }},
      {"level_hand",
       [](V o, Instant) -> Value {
         return or_none(o.at("spec.limited.limitResponse.queuing.handSize"));
       }},
      {"level_queue_length",
       [](V o, Instant) -> Value {
         return or_none(o.at("spec.limited.limitResponse.queuing.queueLengthLimit"));
       }},
      {"api_service",
       [](V o, Instant) -> Value {
         const Value& service = o["spec"]["service"];
         if (service.is_null()) return "Local";
         return service["namespace"].str() + "/" + service["name"].str();
       }},
      {"api_available", api_available},
      {"device_claim_state", device_claim_state},
  };
  return table;
}

}  // namespace

Cell named_cell(std::string_view name) {
  const auto found = named_cells().find(name);
  return found == named_cells().end() ? Cell() : found->second;
}

}  // namespace keelson::registry
