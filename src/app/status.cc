#include "app/status.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "app/acted_on.h"
#include "app/engine_report.h"
#include "app/terminal.h"
#include "app/workload_health.h"
#include "base/text.h"
#include "model/meta.h"
#include "net/ingress/routes.h"

namespace keelson::app {
namespace {

using codec::Value;

Result<codec::Array> items(Client& client, const std::string& path) {
  auto list = client.get(path);
  if (!list.ok() && list.error().reason == Reason::not_found) return codec::Array{};
  if (!list.ok()) return list.error();
  return (*list)["items"].elements();
}

std::string title(std::string_view kind, const Value& object) {
  const std::string ns(model::namespace_of(object));
  return std::string(kind) + " " + (ns.empty() ? "" : ns + "/") +
         std::string(model::name_of(object));
}

void note_trouble(Value& status, std::string object, std::string reason) {
  status.edit("notWell").push_back(Value::object({{"object", object}, {"reason", reason}}));
}

Result<void> add_workloads(Client& client, Value& status) {
  static constexpr std::pair<const char*, const char*> kKinds[] = {
      {"Deployment", "/apis/apps/v1/deployments"},
      {"StatefulSet", "/apis/apps/v1/statefulsets"},
      {"DaemonSet", "/apis/apps/v1/daemonsets"},
      {"Job", "/apis/batch/v1/jobs"}};
  for (const auto& [kind, path] : kKinds) {
    TRY(const codec::Array all, items(client, path));
    for (Value object : all) {
      object.set("kind", kind);
      const Health health = health_of_workload(object);
      status.edit("workloads")
          .push_back(Value::object({{"kind", kind},
                                    {"namespace", model::namespace_of(object)},
                                    {"name", model::name_of(object)},
                                    {"ready", health.ready},
                                    {"wanted", health.wanted},
                                    {"well", health.well},
                                    {"reason", health.reason}}));
      if (!health.well)
        note_trouble(status, title(kind, object),
                     std::to_string(health.ready) + "/" + std::to_string(health.wanted) +
                         " ready, " + health.reason);
    }
  }
  return {};
}

Result<void> add_pods(Client& client, Value& status) {
  TRY(const codec::Array pods, items(client, "/api/v1/pods"));
  std::int64_t ready = 0;
  std::map<std::string, std::pair<std::string, std::int64_t>> stand_ins;
  for (const Value& pod : pods) {
    if (model::pod_is_ready(pod)) ++ready;
    if (const std::string trouble = trouble_of_pod(pod); !trouble.empty())
      note_trouble(status, title("Pod", pod), trouble);
    // A bare pod is a workload of its own: nobody else answers for it.
    if (model::controller_of(pod).is_null() && !model::pod_is_ready(pod) &&
        !model::pod_is_finished(pod) && trouble_of_pod(pod).empty())
      note_trouble(status, title("Pod", pod), "starting");
    // The node names what really runs in the image's id: "stand-in:builtin:RULE".
    for (const Value& container : pod.at("status.containerStatuses").elements()) {
      const std::string id = container["imageID"].str();
      if (!id.starts_with("stand-in:")) continue;
      auto& entry = stand_ins[container["image"].str()];
      entry.first = id.substr(9, id.find(':', 9) - 9);
      ++entry.second;
    }
  }
  status.edit("pods") = Value::object({{"total", pods.size()}, {"ready", ready}});
  for (const auto& [image, entry] : stand_ins)
    status.edit("standIns")
        .push_back(Value::object({{"image", image}, {"by", entry.first}, {"pods", entry.second}}));
  return {};
}

// An Ingress of a class that another controller serves is that controller's concern.
std::string trouble_of_ingress(const Value& ingress, const codec::Array& classes) {
  if (net::is_served(ingress, classes))
    return ingress.at("status.loadBalancer.ingress").empty() ? "has no address yet" : "";
  std::string name = ingress.at("spec.ingressClassName").str();
  if (name.empty()) name = model::annotation_of(ingress, "kubernetes.io/ingress.class");
  for (const Value& one : classes)
    if (model::name_of(one) == name) return "";
  return name.empty() ? "names no IngressClass, and none is the default"
                      : "there is no IngressClass " + name;
}

Result<void> add_addresses(Client& client, Value& status) {
  TRY(const codec::Array services, items(client, "/api/v1/services"));
  for (const Value& service : services) {
    if (model::namespace_of(service) == "default" && model::name_of(service) == "kubernetes")
      continue;
    std::vector<std::string> ports;
    for (const Value& port : service.at("spec.ports").elements()) {
      const std::string number = std::to_string(port["port"].as_int());  // DNS has one port twice
      if (std::find(ports.begin(), ports.end(), number) == ports.end()) ports.push_back(number);
    }
    const std::string address = service.at("spec.clusterIP").str();
    if (address.empty() || address == "None") continue;
    status.edit("addresses")
        .push_back(Value::object({{"kind", "Service"},
                                  {"namespace", model::namespace_of(service)},
                                  {"name", model::name_of(service)},
                                  {"address", address + ":" + join(ports, ",")}}));
  }
  TRY(const codec::Array classes, items(client, "/apis/networking.k8s.io/v1/ingressclasses"));
  TRY(const codec::Array ingresses, items(client, "/apis/networking.k8s.io/v1/ingresses"));
  for (const Value& ingress : ingresses) {
    if (const std::string trouble = trouble_of_ingress(ingress, classes); !trouble.empty())
      note_trouble(status, title("Ingress", ingress), trouble);
    const Value& point = ingress.at("status.loadBalancer.ingress")[0];
    for (const Value& rule : ingress.at("spec.rules").elements()) {
      bool tls = false;
      for (const Value& entry : ingress.at("spec.tls").elements())
        for (const Value& host : entry["hosts"].elements()) tls = tls || host == rule["host"];
      // The gateway lists its HTTP port first, then the one for HTTPS.
      const std::int64_t number = point["ports"][tls ? 1 : 0]["port"].as_int();
      const std::string port = number > 0 ? ":" + std::to_string(number) : "";
      const std::string where =
          point["ip"].is_string() ? point["ip"].str() + port : "no address yet";
      status.edit("addresses")
          .push_back(Value::object({{"kind", "Ingress"},
                                    {"namespace", model::namespace_of(ingress)},
                                    {"name", model::name_of(ingress)},
                                    {"address", std::string(tls ? "https://" : "http://") +
                                                    rule["host"].str() + "/ at " + where}}));
    }
  }
  return {};
}

Result<void> add_nodes(Client& client, Value& status) {
  TRY(const codec::Array nodes, items(client, "/api/v1/nodes"));
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> pools;  // ready, all
  for (const Value& node : nodes) {
    auto& [ready, all] = pools[std::string(model::label_of(node, "keelson.dev/pool"))];
    ++all;
    if (model::condition_is_true(node, "Ready"))
      ++ready;
    else
      note_trouble(status, title("Node", node), "not ready");
  }
  for (const auto& [pool, count] : pools)
    status.edit("nodes").push_back(
        Value::object({{"pool", pool}, {"ready", count.first}, {"total", count.second}}));
  TRY(const codec::Array platforms, items(client, "/apis/keelson.dev/v1alpha1/platforms"));
  for (const Value& platform : platforms)
    status.edit("platforms")
        .push_back(Value::object(
            {{"name", model::name_of(platform)}, {"scale", platform.at("spec.scale")}}));
  return {};
}

// What the engine says of itself; a bare API server says nothing.
Result<void> add_engine(Client& client, Value& status) {
  TRY(const codec::Array engines, items(client, kEnginePath));
  for (const Value& engine : engines) {
    status.edit("engine").set("losses", engine.at("status.losses"));
    for (const Value& problem : engine.at("status.problems").elements())
      note_trouble(status, "Engine " + std::string(model::name_of(engine)), problem.str());
  }
  return {};
}

}  // namespace

Result<Value> collect_status(Client& client, const Instance& instance) {
  Value status = Value::object();
  for (const char* list :
       {"nodes", "platforms", "workloads", "addresses", "notWell", "standIns", "notActedOn"})
    status.set(list, Value::array());
  TRY(const Value version, client.get("/version"));
  status.set("engine", Value::object({{"name", instance.name},
                                      {"context", instance.context()},
                                      {"process", running_pid(instance).value_or(0)},
                                      {"server", client.endpoint().server},
                                      {"kubernetes", version["gitVersion"]},
                                      {"directory", instance.directory},
                                      {"losses", Value::array()}}));
  TRY_VOID(add_engine(client, status));
  TRY_VOID(add_nodes(client, status));
  TRY_VOID(add_workloads(client, status));
  TRY_VOID(add_pods(client, status));
  TRY_VOID(add_addresses(client, status));
  status.set("well", status["notWell"].empty());
  return status;
}

// Every served kind that nobody acts on and that has objects.
Result<void> add_not_acted_on(Client& client, Value& status) {
  TRY(const Value groups, client.get("/apis"));
  for (const Value& group : groups["groups"].elements()) {
    const std::string version = group.at("preferredVersion.groupVersion").str();
    auto resources = client.get("/apis/" + version);
    if (!resources.ok()) continue;
    for (const Value& resource : (*resources)["resources"].elements()) {
      const std::string plural = resource["name"].str(), name = plural + "." + group["name"].str();
      const auto& verbs = resource["verbs"].elements();
      if (plural.find('/') != std::string::npos || is_acted_on(name) ||
          std::find(verbs.begin(), verbs.end(), Value("list")) == verbs.end())
        continue;
      auto all = items(client, "/apis/" + version + "/" + plural + "?limit=500");
      if (!all.ok()) continue;
      // The range of the engine's own is acted on; another one is not.
      if (name == "servicecidrs.networking.k8s.io")
        std::erase_if(*all, [](const Value& one) {
          return one.at("metadata.name").as_string() == "kubernetes";
        });
      if (all->empty()) continue;
      // What a fresh server contains by itself is not the user's.
      if (name.ends_with("admissionregistration.k8s.io") || name == "storageclasses.storage.k8s.io")
        continue;
      status.edit("notActedOn")
          .push_back(Value::object(
              {{"kind", resource["kind"]}, {"group", group["name"]}, {"count", all->size()}}));
    }
  }
  return {};
}

void print_status(const Value& status) {
  const Value& engine = status["engine"];
  std::printf("engine %s  %s  Kubernetes %s  process %lld  context %s\n",
              engine["name"].str().c_str(), engine["server"].str().c_str(),
              engine["kubernetes"].str().c_str(),
              static_cast<long long>(engine["process"].as_int()), engine["context"].str().c_str());
  std::string nodes;
  for (const Value& pool : status["nodes"].elements())
    nodes += (nodes.empty() ? "" : ", ") +
             (pool["pool"].as_string().empty() ? "other" : pool["pool"].str()) + " " +
             std::to_string(pool["ready"].as_int()) + "/" + std::to_string(pool["total"].as_int());
  std::printf("nodes ready: %s\n", nodes.empty() ? "none" : nodes.c_str());
  for (const Value& platform : status["platforms"].elements())
    if (!platform["scale"].is_null())
      std::printf(
          "scale of platform %s: one declared core is 1/%lld of a real one, memory of stand-ins "
          "1/%lld\n",
          platform["name"].str().c_str(),
          static_cast<long long>(platform["scale"]["cpu"].as_int(1)),
          static_cast<long long>(platform["scale"]["memory"].as_int(1)));
  std::vector<Row> rows = {{"", "WORKLOAD", "NAMESPACE", "READY", ""}};
  for (const Value& w : status["workloads"].elements())
    rows.push_back(
        {w["well"].as_bool() ? green("ok") : red("--"), w["kind"].str() + "/" + w["name"].str(),
         w["namespace"].str(),
         std::to_string(w["ready"].as_int()) + "/" + std::to_string(w["wanted"].as_int()),
         w["reason"].str()});
  if (rows.size() > 1) std::printf("\n%s", format_table(rows).c_str());
  rows = {{"ADDRESS", "NAMESPACE", "NAME"}};
  for (const Value& a : status["addresses"].elements())
    rows.push_back(
        {a["address"].str(), a["namespace"].str(), a["kind"].str() + "/" + a["name"].str()});
  if (rows.size() > 1) std::printf("\n%s", format_table(rows).c_str());
  rows = {{"STAND-IN FOR", "BY", "PODS"}};
  for (const Value& s : status["standIns"].elements())
    rows.push_back({s["image"].str(), s["by"].str(), std::to_string(s["pods"].as_int())});
  if (rows.size() > 1) std::printf("\n%s", yellow(format_table(rows)).c_str());
  rows = {{"NOT ACTED ON", "GROUP", "OBJECTS"}};
  for (const Value& n : status["notActedOn"].elements())
    rows.push_back({n["kind"].str(), n["group"].str(), std::to_string(n["count"].as_int())});
  if (rows.size() > 1) std::printf("\n%s", faint(format_table(rows)).c_str());
  rows = {{"NOT AVAILABLE ON THIS MACHINE"}};
  for (const Value& loss : engine["losses"].elements()) rows.push_back({loss.str()});
  if (rows.size() > 1) std::printf("\n%s", yellow(format_table(rows)).c_str());
  rows = {{"NOT WELL", "WHY"}};
  for (const Value& t : status["notWell"].elements())
    rows.push_back({t["object"].str(), t["reason"].str()});
  if (rows.size() > 1) std::printf("\n%s", red(format_table(rows)).c_str());
}

}  // namespace keelson::app
