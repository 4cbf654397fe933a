// Sources first, then the container's own variables in their order, then those of services.
#include "node/environment.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.h"
#include "model/meta.h"
#include "model/quantity.h"
#include "node/pod_spec.h"

namespace keelson::node {
namespace {

using Variables = std::map<std::string, std::string>;

std::string upper_name(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return out;
}

void add_service(const Value& service, Variables& out) {
  const std::string address = service["spec"]["clusterIP"].str();
  if (address.empty() || address == "None") return;
  const auto& ports = service["spec"]["ports"].elements();
  if (ports.empty()) return;
  const std::string prefix = upper_name(model::name_of(service));
  const auto number = [](const Value& port) { return std::to_string(port["port"].as_int()); };
  out[prefix + "_SERVICE_HOST"] = address;
  out[prefix + "_SERVICE_PORT"] = number(ports.front());
  for (std::size_t i = 0; i < ports.size(); i++) {
    const Value& port = ports[i];
    if (!port["name"].as_string().empty())
      out[prefix + "_SERVICE_PORT_" + upper_name(port["name"].as_string())] = number(port);
    const std::string protocol = port.has("protocol") ? port["protocol"].str() : "TCP";
    const std::string lower = to_lower(protocol);
    const std::string url = lower + "://" + address + ":" + number(port);
    if (i == 0) out[prefix + "_PORT"] = url;
    const std::string stem = prefix + "_PORT_" + number(port) + "_" + protocol;
    out[stem] = url;
    out[stem + "_PROTO"] = lower;
    out[stem + "_PORT"] = number(port);
    out[stem + "_ADDR"] = address;
  }
}

// Services of the pod's namespace, and the API server's always.
Variables service_variables(const cluster::View& view, const Value& pod) {
  Variables out;
  const bool links = pod["spec"]["enableServiceLinks"].as_bool(true);
  const std::string ns(model::namespace_of(pod));
  if (const Value api = view.get("services", "default", "kubernetes"); !api.is_null())
    add_service(api, out);
  if (!links) return out;
  for (const Value& service : view.list("services", ns)) add_service(service, out);
  return out;
}

Error not_found(std::string_view kind, std::string_view name) {
  return {Reason::not_found, std::string(kind) + " " + quote(name) + " not found"};
}

Result<Value> source_object(const cluster::View& view, const Value& pod, std::string_view resource,
                            const Value& reference) {
  const std::string ns(model::namespace_of(pod));
  Value object = view.get(resource, ns, reference["name"].as_string());
  if (object.is_null())
    return not_found(resource == "secrets" ? "secret" : "configmap", reference["name"].as_string());
  return object;
}

// The text of one key; binary for secrets. nullopt-like: `found` says whether the key is there.
std::string key_text(const Value& object, std::string_view resource, std::string_view key,
                     bool& found) {
  const Value* value = object["data"].find(key);
  found = value != nullptr;
  if (!found) return {};
  if (resource == "secrets") return from_base64(value->as_string()).value_or("");
  return value->str();
}

Result<void> add_all(const cluster::View& view, const Value& pod, const Value& source,
                     Variables& out) {
  const bool secret = source.has("secretRef");
  const Value& reference = source[secret ? "secretRef" : "configMapRef"];
  const std::string_view resource = secret ? "secrets" : "configmaps";
  const Result<Value> object = source_object(view, pod, resource, reference);
  if (!object.ok()) {
    if (reference["optional"].as_bool()) return {};
    return object.error();
  }
  bool found = false;
  for (const codec::Member& member : (*object)["data"].members())
    out[source["prefix"].str() + std::string(member.key())] =
        key_text(*object, resource, member.key(), found);
  return {};
}

struct Looked {
  bool present = true;
  std::string text;
};

Result<Looked> look_up(const cluster::View& view, const Value& pod, const Value& container,
                       const Value& from, const PodFacts& facts) {
  if (from.has("fieldRef")) {
    TRY(std::string text, field_value(pod, from["fieldRef"]["fieldPath"].as_string(), facts));
    return Looked{true, std::move(text)};
  }
  if (from.has("resourceFieldRef")) {
    const Value& reference = from["resourceFieldRef"];
    const std::string_view other = reference["containerName"].as_string();
    TRY(std::string text,
        resource_value(other.empty() ? container : container_named(pod, other), reference, facts));
    return Looked{true, std::move(text)};
  }
  const bool secret = from.has("secretKeyRef");
  const Value& reference = from[secret ? "secretKeyRef" : "configMapKeyRef"];
  const std::string_view resource = secret ? "secrets" : "configmaps";
  const bool optional = reference["optional"].as_bool();
  const Result<Value> object = source_object(view, pod, resource, reference);
  if (!object.ok()) {
    if (optional) return Looked{false, {}};
    return object.error();
  }
  bool found = false;
  std::string text = key_text(*object, resource, reference["key"].as_string(), found);
  if (found) return Looked{true, std::move(text)};
  if (optional) return Looked{false, {}};
  return Error{Reason::not_found, "couldn't find key " + reference["key"].str() + " in " +
                                      (secret ? "Secret " : "ConfigMap ") +
                                      std::string(model::namespace_of(pod)) + "/" +
                                      reference["name"].str()};
}

// "metadata.labels['app']" -> app; empty if the path has another form.
std::string subscript(std::string_view path, std::string_view stem) {
  if (!path.starts_with(stem) || path.size() < stem.size() + 4) return {};
  path.remove_prefix(stem.size());
  if (!path.starts_with("['") || !path.ends_with("']")) return {};
  return std::string(path.substr(2, path.size() - 4));
}

std::string map_text(const Value& map) {
  std::string out;
  for (const codec::Member& member : map.members()) {
    if (!out.empty()) out += "\n";
    out += std::string(member.key()) + "=" + quote(member.value.as_string());
  }
  return out;
}

}  // namespace

std::string expand(std::string_view text, const Variables& variables) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out.push_back(text[i]);
      continue;
    }
    if (text[i + 1] == '$') {  // an escaped dollar
      out.push_back('$');
      i++;
      continue;
    }
    if (text[i + 1] != '(') {
      out.push_back('$');
      continue;
    }
    const std::size_t end = text.find(')', i + 2);
    if (end == std::string_view::npos) {
      out += "$(";
      i++;
      continue;
    }
    const std::string name(text.substr(i + 2, end - i - 2));
    const auto at = variables.find(name);
    out += at == variables.end() ? "$(" + name + ")" : at->second;
    i = end;
  }
  return out;
}

Result<std::string> field_value(const Value& pod, std::string_view path, const PodFacts& facts) {
  if (path == "metadata.name") return std::string(model::name_of(pod));
  if (path == "metadata.namespace") return std::string(model::namespace_of(pod));
  if (path == "metadata.uid") return std::string(model::uid_of(pod));
  if (path == "metadata.labels") return map_text(model::labels_of(pod));
  if (path == "metadata.annotations") return map_text(model::annotations_of(pod));
  if (path == "spec.nodeName") return facts.node_name;
  if (path == "spec.serviceAccountName") {
    const std::string name = pod["spec"]["serviceAccountName"].str();
    return name;
  }
  if (path == "status.hostIP" || path == "status.hostIPs") return facts.host_address;
  if (path == "status.podIP" || path == "status.podIPs") return facts.address;
  if (path.starts_with("metadata.labels["))
    return std::string(model::label_of(pod, subscript(path, "metadata.labels")));
  if (path.starts_with("metadata.annotations["))
    return std::string(model::annotation_of(pod, subscript(path, "metadata.annotations")));
  return Error{Reason::invalid, "unsupported fieldPath: " + std::string(path)};
}

Result<std::string> resource_value(const Value& container, const Value& reference,
                                   const PodFacts& facts) {
  const std::string name = reference["resource"].str();
  const std::size_t dot = name.find('.');
  const std::string list = name.substr(0, dot);
  if (dot == std::string::npos || (list != "limits" && list != "requests"))
    return Error{Reason::invalid, "unsupported container resource : " + name};
  const std::string resource = name.substr(dot + 1);
  const Value& declared = container["resources"][list][resource];
  // A limit that is not set is what the node has to give.
  const Value& value =
      declared.is_null() && list == "limits" ? facts.allocatable[resource] : declared;
  const model::Quantity quantity = model::Quantity::of(value);
  const auto divisor = model::Quantity::parse(
      reference["divisor"].is_null() ? "0" : reference["divisor"].as_string());
  if (resource == "cpu") {
    const std::int64_t unit = divisor && !divisor->is_zero() ? divisor->milli_value() : 1000;
    return std::to_string((quantity.milli_value() + unit - 1) / unit);
  }
  const std::int64_t unit = divisor && !divisor->is_zero() ? divisor->value() : 1;
  return std::to_string((quantity.value() + unit - 1) / unit);
}

Result<Environment> environment_of(const cluster::View& view, const Value& pod,
                                   const Value& container, const PodFacts& facts) {
  const Variables services = service_variables(view, pod);
  Variables found;
  Environment out;
  for (const Value& source : container["envFrom"].elements())
    TRY_VOID(add_all(view, pod, source, found));
  for (const auto& [name, value] : found) out.emplace_back(name, value);
  for (const Value& variable : container["env"].elements()) {
    const std::string name = variable["name"].str();
    std::string text = variable["value"].str();
    if (!text.empty()) {
      Variables known = services;
      for (const auto& [key, value] : found) known[key] = value;
      text = expand(text, known);
    } else if (variable.has("valueFrom")) {
      TRY(Looked looked, look_up(view, pod, container, variable["valueFrom"], facts));
      if (!looked.present) continue;
      text = std::move(looked.text);
    }
    found[name] = text;
    std::erase_if(out, [&](const auto& each) { return each.first == name; });
    out.emplace_back(name, std::move(text));
  }
  for (const auto& [name, value] : services)
    if (!found.contains(name)) out.emplace_back(name, value);
  return out;
}

std::vector<std::string> argv_of(const Value& container,
                                 const std::vector<std::string>& image_entrypoint,
                                 const std::vector<std::string>& image_command,
                                 const Environment& environment) {
  const Variables variables(environment.begin(), environment.end());
  std::vector<std::string> argv;
  const bool own_command = container["command"].size() > 0;
  if (!own_command) argv = image_entrypoint;
  for (const Value& word : container["command"].elements())
    argv.push_back(expand(word.as_string(), variables));
  if (container["args"].size() > 0) {
    for (const Value& word : container["args"].elements())
      argv.push_back(expand(word.as_string(), variables));
  } else if (!own_command) {
    argv.insert(argv.end(), image_command.begin(), image_command.end());
  }
  return argv;
}

}  // namespace keelson::node
