#include "registry/api_services.h"

#include <algorithm>

#include "base/text.h"
#include "model/conditions.h"
#include "model/meta.h"
#include "registry/follow_up.h"
#include "registry/service_route.h"

namespace keelson::registry {

namespace {

constexpr std::string_view kDefinitions = "customresourcedefinitions.apiextensions.k8s.io";
constexpr std::string_view kServices = "apiservices.apiregistration.k8s.io";
constexpr std::string_view kSlices = "endpointslices.discovery.k8s.io";
constexpr std::string_view kAutomanaged = "kube-aggregator.kubernetes.io/automanaged";

// What a definition wants of the APIService of this name; null if none serves that version.
Value wanted_spec(Registry::State& state, const std::string& name) {
  // All definitions of custom resources have the same, low priority.
  constexpr int kGroupPriority = 1000, kVersionPriority = 100;
  const std::size_t dot = name.find('.');
  const std::string version = name.substr(0, dot),
                    group = dot == std::string::npos ? "" : name.substr(dot + 1);
  for (const store::EntryPtr& entry : state.entries(kDefinitions)) {
    const Value& spec = entry->value()["spec"];
    if (spec["group"].as_string() != group) continue;
    for (const Value& one : spec["versions"].elements())
      if (one["served"].as_bool() && one["name"].as_string() == version)
        return Value::object({{"group", group},
                              {"version", version},
                              {"groupPriorityMinimum", kGroupPriority},
                              {"versionPriority", kVersionPriority}});
  }
  return Value();
}

Request own_request(Registry::State& state, Verb verb, const std::string& name, Value body) {
  Request request = system_request(state, kServices, "", name);
  request.verb = verb;
  request.options.field_manager_default = "kube-apiserver";
  request.options.field_validation = "Ignore";
  request.body = codec::JsonDocument{std::move(body), {}};
  return request;
}

// One that belongs to a definition. True: there is nothing more to do about it.
Result<bool> settle_managed(Registry::State& state, const std::string& name, const Value& current) {
  const bool managed = model::label_of(current, kAutomanaged) == "true";
  if (!current.is_null() && !managed) return false;
  const Value wanted = wanted_spec(state, name);
  if (current.is_null() ? wanted.is_null() : current["spec"] == wanted) return true;
  if (wanted.is_null()) {
    const Request request = own_request(state, Verb::remove, name, Value());
    TRY(Call call, state.open(request));
    call.asks_nobody = true;
    TRY_VOID(state.remove(call));
    return true;
  }
  Value object = current;
  if (object.is_null()) {
    object = Value::object({{"apiVersion", "apiregistration.k8s.io/v1"}, {"kind", "APIService"}});
    object.edit("metadata").set("name", name);
    object.edit("metadata").edit("labels").set(kAutomanaged, "true");
  }
  object.set("spec", wanted);
  const Request request = own_request(state, current.is_null() ? Verb::create : Verb::update,
                                      current.is_null() ? "" : name, std::move(object));
  TRY(Call call, state.open(request));
  call.asks_nobody = true;
  if (current.is_null()) {
    TRY_VOID(state.create(call));
  } else {
    TRY_VOID(state.update(call));
  }
  return true;
}

struct Finding {
  std::string reason, message;  // empty: the Service has endpoints
};

bool has_endpoints(const std::vector<Value>& slices, const std::string& port_name) {
  return std::any_of(slices.begin(), slices.end(), [&](const Value& slice) {
    const auto& endpoints = slice["endpoints"].elements();
    const auto& ports = slice["ports"].elements();
    return std::any_of(endpoints.begin(), endpoints.end(),
                       [](const Value& one) { return one["conditions"]["ready"].as_bool(true); }) &&
           std::any_of(ports.begin(), ports.end(), [&](const Value& one) {
             return one["name"].as_string() == port_name && !one["port"].is_null();
           });
  });
}

Finding look_at_service(Registry::State& state, const Value& reference) {
  const std::string ns = reference["namespace"].str(), name = reference["name"].str();
  const std::string where = "service/" + name + " in " + quote(ns);
  const Value& service = state.object("services", ns, name);
  if (service.is_null()) return {"ServiceNotFound", where + " is not present"};
  if (service["spec"]["type"].as_string() != "ClusterIP") return {};
  const std::int64_t number = reference["port"].as_int(443);
  const Value& port = service_port(service, number);
  if (port.is_null())
    return {"ServicePortError", where + " is not listening on port " + std::to_string(number)};
  std::vector<Value> slices;
  for (const store::EntryPtr& entry : state.entries(kSlices, ns))
    if (is_slice_of(entry->value(), name)) slices.push_back(entry->value());
  if (slices.empty()) return {"EndpointsNotFound", "cannot find endpointslices for " + where};
  const std::string port_name = port["name"].str();
  if (!has_endpoints(slices, port_name))
    return {"MissingEndpoints", "endpointslices for " + where +
                                    " have no addresses with port name " + quote(port_name)};
  return {};
}

Result<void> write_available(Registry::State& state, const Value& service, bool available,
                             const Finding& finding) {
  const Value condition =
      model::condition_after(service,
                             Value::object({{"type", "Available"},
                                            {"status", available ? "True" : "False"},
                                            {"reason", finding.reason},
                                            {"message", finding.message}}),
                             state.now());
  const Value& before = model::condition_of(service, "Available");
  if (before["status"] == condition["status"] && before["reason"] == condition["reason"] &&
      before["message"] == condition["message"])
    return {};
  Value status = service["status"];
  if (!status.is_object()) status = Value::object();
  status.set("conditions", Value::array({condition}));
  return write_status(state, kServices, model::name_of(service), status, "kube-apiserver", false);
}

}  // namespace

std::vector<std::string> api_services_of(const Value& definition) {
  std::vector<std::string> names;
  for (const Value& version : definition["spec"]["versions"].elements())
    names.push_back(version["name"].str() + "." + definition["spec"]["group"].str());
  return names;
}

Result<void> settle_api_service(Registry::State& state, const std::string& name) {
  const Value current = state.object(kServices, "", name);
  TRY(const bool settled, settle_managed(state, name, current));
  if (settled || current.is_null()) return {};
  const Value& reference = current["spec"]["service"];
  if (reference.is_null()) {
    if (model::is_deleting(current)) return {};
    return write_available(state, current, true,
                           {"Local", "Local APIServices are always available"});
  }
  const Finding finding = look_at_service(state, reference);
  if (!finding.reason.empty()) return write_available(state, current, false, finding);
  if (state.ask_remote_api) state.ask_remote_api(name);
  return {};
}

void note_api_service(Registry::State& state, const Value& before, const Value& after) {
  const Value& reference = after["spec"]["service"];
  const std::string name(model::name_of(after.is_null() ? before : after));
  if (reference.is_null())
    state.remote_apis.erase(name);
  else
    state.remote_apis[name] = {reference["namespace"].str(), reference["name"].str()};
}

void report_asked(Registry::State& state, const std::string& name, const Result<void>& asked) {
  const Value current = state.object(kServices, "", name);
  const Value& reference = current["spec"]["service"];
  if (reference.is_null() || !look_at_service(state, reference).reason.empty()) return;
  const Finding finding = asked.ok() ? Finding{"Passed", "all checks passed"}
                                     : Finding{"FailedDiscoveryCheck", asked.error().message};
  if (!write_available(state, current, asked.ok(), finding).ok()) state.require_settling(name);
}

}  // namespace keelson::registry
