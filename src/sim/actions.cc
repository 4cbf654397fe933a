// What given and when may say: each phrase turned into writes, faults and loads.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "model/field_problems.h"
#include "model/meta.h"
#include "model/quantity.h"
#include "model/types.h"
#include "sim/check.h"
#include "sim/engine.h"

namespace keelson::sim {
namespace {

using cluster::Write;
using codec::Value;

Error bad(const std::string& what) {
  return {.reason = Reason::bad_request, .message = what};
}

std::string option(const Phrase& phrase, const std::string& name,
                   const std::string& fallback = {}) {
  const auto found = phrase.options.find(name);
  return found == phrase.options.end() ? fallback : found->second;
}

Result<Duration> duration_option(const Phrase& phrase, const std::string& name, Duration fallback) {
  const std::string text = option(phrase, name);
  if (text.empty()) return fallback;
  if (text == "never") return Duration::max();
  const auto parsed = parse_duration(text);
  if (!parsed) return bad(name + "=" + text + " is no duration");
  return *parsed;
}

// "2m" and "0.002" are two thousandths of a core-second, "5ms" is CPU time, which is the same unit.
Result<double> milli_option(const Phrase& phrase, const std::string& name, double fallback) {
  const std::string text = option(phrase, name);
  if (text.empty()) return fallback;
  if (const auto time = parse_duration(text); time && text.ends_with("s"))
    return time->to_seconds() * 1000.0;
  const auto quantity = model::Quantity::parse(text);
  if (!quantity) return bad(name + "=" + text + " is no quantity");
  return quantity->to_double() * 1000.0;
}

}  // namespace

Result<Value> World::write(Write write) {
  if (!engine_) return bad("the engine is down");
  registry::Identity admin;
  admin.user = "admin";
  admin.groups = {"system:masters", "system:authenticated"};
  return engine_->registry->commit(write, admin);
}

Result<void> World::apply_text(const std::string& file, int above, const std::string& text) {
  const auto at = [&](int line) {
    return (file.empty() ? "line " : file + ":") + std::to_string(line + above) + ": ";
  };
  for (const codec::YamlPart& part : codec::parse_yaml_parts(text)) {
    if (part.problem) return bad(at(part.problem->at.line) + part.problem->message);
    const Value& object = part.document.value;
    const auto gv = model::group_version_of(object["apiVersion"].as_string());
    const auto resource =
        engine_->registry->types().find_kind(gv.group, gv.version, object["kind"].as_string());
    if (!resource)
      return bad(at(part.document.places.find("kind").line) + "no kind \"" + object["kind"].str() +
                 "\" in \"" + object["apiVersion"].str() + "\"");
    const std::string ns(model::namespace_of(object));
    auto result = write({.verb = Write::Verb::apply,
                         .resource = resource->name(),
                         .namespace_ = resource->namespaced ? (ns.empty() ? "default" : ns) : "",
                         .name = std::string(model::name_of(object)),
                         .object = object,
                         .field_manager = "keelson",
                         .force = true});
    if (!result.ok()) {
      const model::FieldProblem problem = model::field_problems(result.error(), object).front();
      return bad(at(part.document.places.find(problem.field).line) +
                 (problem.field.empty() ? "" : problem.field + ": ") + problem.message);
    }
  }
  return {};
}

Result<void> World::add_nodes(const Phrase& phrase) {
  const auto count = phrase.words.size() == 2 ? parse_int(phrase.words[1]) : std::nullopt;
  if (!count || *count < 1 || *count > 100'000)
    return bad("expected: nodes COUNT cpu=4 memory=16Gi zone=a,b");
  const auto zones = split(option(phrase, "zone", "zone-a"), ',');
  const std::string prefix = option(phrase, "prefix", "n");
  for (const char* name : {"cpu", "memory", "pods"})
    if (const auto amount = model::Quantity::parse(option(phrase, name, "1"));
        !amount || amount->milli_value() <= 0)
      return bad(quote(option(phrase, name)) + " is no amount of " + name);
  const Value capacity = Value::object({{"cpu", option(phrase, "cpu", "4")},
                                        {"memory", option(phrase, "memory", "16Gi")},
                                        {"pods", option(phrase, "pods", "110")}});
  for (std::int64_t i = 1; i <= *count; ++i) {
    const std::string name = prefix + std::to_string(i);
    Value node = Value::object({{"apiVersion", "v1"}, {"kind", "Node"}});
    Value labels = Value::object(
        {{"kubernetes.io/hostname", name},
         {"kubernetes.io/os", "linux"},
         {"keelson.dev/pool", option(phrase, "pool", "sim")},
         {"topology.kubernetes.io/region", option(phrase, "region", "region-1")},
         {"topology.kubernetes.io/zone", zones[static_cast<std::size_t>(i - 1) % zones.size()]}});
    if (const std::string label = option(phrase, "label"); !label.empty()) {
      const std::size_t colon = label.find(':');
      labels.set(label.substr(0, colon), colon == std::string::npos ? "" : label.substr(colon + 1));
    }
    node.set(
        "metadata",
        Value::object({{"name", name},
                       {"labels", labels},
                       {"annotations",
                        Value::object({{"keelson.dev/capacity", codec::to_json(capacity)}})}}));
    if (const std::string taint = option(phrase, "taint"); !taint.empty()) {
      const auto parts = split(taint, ':');
      node.edit("spec").edit("taints").push_back(Value::object(
          {{"key", parts[0]}, {"effect", parts.size() > 1 ? parts[1] : "NoSchedule"}}));
    }
    TRY_VOID([&]() -> Result<void> {
      auto made = write({.verb = Write::Verb::create,
                         .resource = "nodes",
                         .namespace_ = {},
                         .name = name,
                         .object = node});
      return made.ok() ? Result<void>() : Result<void>(made.error());
    }());
  }
  return {};
}

Result<void> World::set_load(const Phrase& phrase) {
  if (phrase.words.size() != 2) return bad("expected: load svc/NAME rps=N cost=2m");
  TRY(const ObjectName name, parse_object_name(phrase.words[1]));
  if (name.resource != "services") return bad("a load goes to a Service: load svc/NAME rps=N");
  Load load = loads_[phrase.words[1]];
  load.namespace_ = name.namespace_;
  load.service = name.name;
  if (const std::string rps = option(phrase, "rps"); !rps.empty()) {
    char* end = nullptr;
    load.rps = std::strtod(rps.c_str(), &end);
    if (*end != '\0' || !(load.rps >= 0 && load.rps <= 1e6))
      return bad(quote(rps) + " is no rate; write rps=300, at most 1000000");
  }
  TRY(load.cost_milli_seconds, milli_option(phrase, "cost", load.cost_milli_seconds));
  TRY(const Duration latency,
      duration_option(
          phrase, "latency",
          Duration::microseconds(static_cast<std::int64_t>(load.latency_milli_seconds * 1000))));
  load.latency_milli_seconds = latency.to_seconds() * 1000.0;
  loads_[phrase.words[1]] = load;
  if (engine_) engine_->traffic->set(phrase.words[1], load);
  return {};
}

// node/NAME, zone/NAME or region/NAME: all nodes with that label.
Result<void> World::set_power(const Phrase& phrase, bool on) {
  if (phrase.words.size() != 2) return bad("expected: " + phrase.words[0] + " node/NAME");
  const std::size_t slash = phrase.words[1].find('/');
  const std::string kind = phrase.words[1].substr(0, slash),
                    name = slash == std::string::npos ? "" : phrase.words[1].substr(slash + 1);
  std::vector<std::string> nodes;
  for (const Value& node : view().list("nodes"))
    if ((kind == "node" && model::name_of(node) == name) ||
        ((kind == "zone" || kind == "region") &&
         model::label_of(node, "topology.kubernetes.io/" + kind) == name))
      nodes.push_back(std::string(model::name_of(node)));
  if (nodes.empty()) return bad("there is no " + phrase.words[1]);
  for (const std::string& node : nodes) {
    engine_->nodes->set_power(node, on);
    std::erase(dark_nodes_, node);
    if (!on) dark_nodes_.push_back(node);
  }
  return {};
}

// "fail pods app=web" makes their probes fail, "heal pods app=web" makes them good, "crash pods
// app=web code=1" ends them.
Result<void> World::fail_pods(const Phrase& phrase) {
  if (phrase.words.size() != 3 || phrase.words[1] != "pods")
    return bad("expected: " + phrase.words[0] + " pods SELECTOR");
  auto selector = model::LabelSelector::parse(phrase.words[2]);
  if (!selector.ok()) return bad(selector.error().message);
  for (const node::ContainerSample& sample : engine_->nodes->samples()) {
    const Value pod = view().get("pods", sample.namespace_, sample.pod);
    if (pod.is_null() || !selector->matches(model::labels_of(pod))) continue;
    if (phrase.words[0] == "crash")
      driver_->crash(sample.run_id,
                     static_cast<int>(parse_int(option(phrase, "code", "1")).value_or(1)));
    else
      driver_->set_failing(sample.run_id, phrase.words[0] == "fail");
  }
  return {};
}

Result<void> World::change_object(const Phrase& phrase) {
  const std::string& verb = phrase.words[0];
  if (phrase.words.size() < 2) return bad("expected: " + verb + " OBJECT ...");
  TRY(const ObjectName name, parse_object_name(phrase.words[1]));
  Write write{.verb = Write::Verb::merge_patch,
              .resource = name.resource,
              .namespace_ = name.namespace_,
              .name = name.name};
  if (verb == "delete") {
    write.verb = Write::Verb::remove;
  } else if (verb == "scale" && phrase.words.size() == 3) {
    write.subresource = "scale";
    write.object.edit("spec").set("replicas", parse_int(phrase.words[2]).value_or(0));
  } else if (verb == "patch" && phrase.words.size() == 3) {
    TRY(write.object, codec::parse_json(phrase.words[2]));
  } else if (verb == "cordon" || verb == "uncordon") {
    write.object.edit("spec").set("unschedulable", verb == "cordon");
  } else if (verb == "restart") {
    write.object.edit_path("spec.template.metadata.annotations")
        .set("kubectl.kubernetes.io/restartedAt", to_rfc3339(loop_.now()));
  } else if (verb == "image" && phrase.words.size() == 3) {
    const std::size_t equals = phrase.words[2].find('=');
    Value containers =
        view().get(name.resource, name.namespace_, name.name).at("spec.template.spec.containers");
    bool found = false;
    for (std::size_t i = 0; i < containers.size(); ++i)
      if (containers[i]["name"].as_string() == phrase.words[2].substr(0, equals)) {
        containers.edit(i).set("image", phrase.words[2].substr(equals + 1));
        found = true;
      }
    if (!found || equals == std::string::npos) return bad("expected: image OBJECT CONTAINER=IMAGE");
    write.object.edit_path("spec.template.spec").set("containers", containers);
  } else if (verb == "undo") {
    // As kubectl: the template of the ReplicaSet with the second highest revision, without its
    // hash.
    const Value deployment = view().get(name.resource, name.namespace_, name.name);
    std::vector<std::pair<std::int64_t, Value>> revisions;
    for (const Value& set : view().owned_by("replicasets.apps", model::uid_of(deployment)))
      revisions.emplace_back(
          parse_int(model::annotation_of(set, "deployment.kubernetes.io/revision")).value_or(0),
          set);
    std::sort(revisions.begin(), revisions.end(),
              [](const auto& a, const auto& b) { return a.first > b.first; });
    if (revisions.size() < 2) return bad(phrase.words[1] + " has no earlier revision");
    Value whole = deployment;
    Value pod_template = revisions[1].second["spec"]["template"];
    pod_template.edit_path("metadata.labels").erase("pod-template-hash");
    whole.edit("spec").set("template", pod_template);
    write.verb = Write::Verb::update;
    write.object = whole;
  } else {
    return bad("\"" + phrase.text + "\" is nothing that can be done to an object");
  }
  auto result = this->write(std::move(write));
  return result.ok() ? Result<void>() : Result<void>(result.error());
}

Result<void> World::act(const Phrase& phrase, const std::string& directory) {
  if (phrase.words.empty()) return bad("nothing to do here");
  const std::string& verb = phrase.words[0];
  if (verb == "start" && phrase.words.size() == 2 && phrase.words[1] == "engine")
    return engine_ ? Result<void>() : start();
  if (verb == "crash" && phrase.words.size() == 2 && phrase.words[1] == "engine") {
    crash();
    return {};
  }
  if (!engine_) return bad("the engine is down");
  if (verb == "drain") return drain(phrase);
  if (verb == "nodes") return add_nodes(phrase);
  if (verb == "load") return set_load(phrase);
  if (verb == "kill" || verb == "power") return set_power(phrase, verb == "power");
  if (verb == "fail" || verb == "heal" || verb == "crash") return fail_pods(phrase);
  if (verb == "model") {
    if (phrase.words.size() != 2)
      return bad("expected: model IMAGE-GLOB start=1s ready=2s stop=1s");
    node::PodModel model;
    TRY(model.start_time, duration_option(phrase, "start", model.start_time));
    TRY(model.warm_up, duration_option(phrase, "ready", model.warm_up));
    TRY(model.stop_time, duration_option(phrase, "stop", model.stop_time));
    TRY(model.run_time, duration_option(phrase, "run", model.run_time));
    model.exit_code = static_cast<int>(parse_int(option(phrase, "exit", "0")).value_or(0));
    models_.emplace_back(phrase.words[1], model);
    return {};
  }
  if (verb == "apply") {
    if (!phrase.block.empty()) return apply_text("", phrase.line, phrase.block);
    if (phrase.words.size() != 2)
      return bad("expected: apply FILE, or apply | and the manifest below");
    const std::string path =
        phrase.words[1].starts_with('/') ? phrase.words[1] : directory + "/" + phrase.words[1];
    std::ifstream file(path, std::ios::binary);
    if (!file) return bad(path + ": cannot be read");
    std::stringstream text;
    text << file.rdbuf();
    return apply_text(path, 0, text.str());
  }
  return change_object(phrase);
}

}  // namespace keelson::sim
