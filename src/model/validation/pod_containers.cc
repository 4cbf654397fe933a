// Containers of every sort: ports, environment, mounts, probes, life cycle.
#include <algorithm>

#include "codec/json.h"
#include "model/go_print.h"
#include "model/validation/pod.h"

namespace keelson::model {
namespace {

void check_ports(const Path& path, const Value& ports, FieldErrors& errors) {
  Names names;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const Value& port = ports[i];
    const Path at = path.index(i);
    const std::string_view name = text_of(port, "name");
    if (!name.empty()) {
      if (const Messages messages = port_name_messages(name); !messages.empty())
        errors.invalid_each(at.child("name"), name, messages);
      else if (!names.emplace(name).second)
        errors.duplicate(at.child("name"), name);
    }
    if (port["containerPort"].as_int() == 0)
      errors.required(at.child("containerPort"));
    else
      check_port(at.child("containerPort"), port["containerPort"], errors);
    if (port["hostPort"].as_int() != 0) check_port(at.child("hostPort"), port["hostPort"], errors);
    check_one_of(at.child("protocol"), port["protocol"], {"SCTP", "TCP", "UDP"}, errors);
  }
}

void check_key_selector(const Path& path, const Value& selector, FieldErrors& errors) {
  check_name(path.child("name"), text_of(selector, "name"), subdomain_name, errors);
  if (empty_text(selector["key"]))
    errors.required(path.child("key"));
  else
    errors.invalid_each(path.child("key"), selector["key"],
                        config_map_key_messages(text_of(selector, "key")));
}

void check_file_key(const Path& path, const Value& selector, FieldErrors& errors) {
  if (empty_text(selector["key"]))
    errors.required(path.child("key"));
  else
    errors.invalid_each(path.child("key"), selector["key"],
                        environment_name_relaxed_messages(text_of(selector, "key")));
  if (empty_text(selector["volumeName"]))
    errors.required(path.child("volumeName"));
  else
    errors.invalid_each(path.child("volumeName"), selector["volumeName"],
                        dns1123_label_messages(text_of(selector, "volumeName")));
  if (empty_text(selector["path"]))
    errors.required(path.child("path"));
  else
    check_no_backsteps(path.child("path"), text_of(selector, "path"), errors);
}

void check_value_source(const Path& path, const Value& variable, FieldErrors& errors) {
  const Value& from = variable["valueFrom"];
  if (from.is_null()) return;
  int sources = 0;
  if (!from["fieldRef"].is_null()) {
    ++sources;
    check_field_reference(path.child("fieldRef"), from["fieldRef"],
                          {"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
                           "spec.serviceAccountName", "status.hostIP", "status.hostIPs",
                           "status.podIP", "status.podIPs"},
                          errors);
  }
  if (!from["resourceFieldRef"].is_null()) {
    ++sources;
    check_resource_field(path.child("resourceFieldRef"), from["resourceFieldRef"], false, errors);
  }
  for (const char* kind : {"configMapKeyRef", "secretKeyRef"})
    if (!from[kind].is_null()) {
      ++sources;
      check_key_selector(path.child(kind), from[kind], errors);
    }
  if (!from["fileKeyRef"].is_null()) {
    ++sources;
    check_file_key(path.child("fileKeyRef"), from["fileKeyRef"], errors);
  }
  if (sources == 0)
    errors.invalid(path, "",
                   "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
                   "`secretKeyRef` or `fileKeyRef`");
  else if (!empty_text(variable["value"]))
    errors.invalid(path, "", "may not be specified when `value` is not empty");
  else if (sources > 1)
    errors.invalid(path, "", "may not have more than one field specified at a time");
}

void check_environment(const Path& path, const Value& container, FieldErrors& errors) {
  const Path variables = path.child("env");
  for (std::size_t i = 0; i < container["env"].size(); ++i) {
    const Value& variable = container["env"][i];
    const Path at = variables.index(i);
    if (empty_text(variable["name"]))
      errors.required(at.child("name"));
    else
      errors.invalid_each(at.child("name"), variable["name"],
                          environment_name_relaxed_messages(text_of(variable, "name")));
    check_value_source(at.child("valueFrom"), variable, errors);
  }
  const Path sources = path.child("envFrom");
  for (std::size_t i = 0; i < container["envFrom"].size(); ++i) {
    const Value& source = container["envFrom"][i];
    const Path at = sources.index(i);
    if (!empty_text(source["prefix"]))
      errors.invalid_each(at.child("prefix"), source["prefix"],
                          environment_name_relaxed_messages(text_of(source, "prefix")));
    int count = 0;
    for (const char* kind : {"configMapRef", "secretRef"}) {
      if (source[kind].is_null()) continue;
      ++count;
      const Path reference = at.child(kind);
      if (empty_text(source[kind]["name"]))
        errors.required(reference.child("name"));
      else
        errors.invalid_each(reference.child("name"), source[kind]["name"],
                            subdomain_name(text_of(source[kind], "name"), true));
    }
    if (count == 0)
      errors.invalid(sources, "", "must specify one of: `configMapRef` or `secretRef`");
    else if (count > 1)
      errors.invalid(sources, "", "may not have more than one field specified at a time");
  }
}

bool has_member(const Value& list, const char* key, std::string_view text) {
  const auto& all = list.elements();
  return std::any_of(all.begin(), all.end(),
                     [&](const Value& v) { return v[key].as_string() == text; });
}

void check_propagation(const Path& path, const Value& mount, const Value& container,
                       FieldErrors& errors) {
  const std::string_view mode = text_of(mount, "mountPropagation");
  if (mount["mountPropagation"].is_null()) return;
  check_supported(path, mode, {"Bidirectional", "HostToContainer", "None"}, errors);
  if (mode == "Bidirectional" && !container["securityContext"]["privileged"].as_bool())
    errors.forbidden(path,
                     "Bidirectional mount propagation is available only to privileged containers");
}

void check_recursive_read_only(const Path& path, const Value& mount, FieldErrors& errors) {
  if (mount["recursiveReadOnly"].is_null()) return;
  const std::string_view mode = text_of(mount, "recursiveReadOnly");
  if (mode == "Enabled" || mode == "IfPossible") {
    if (!mount["readOnly"].as_bool())
      errors.forbidden(path, "may only be specified when readOnly is true");
    const std::string_view propagation = text_of(mount, "mountPropagation");
    if (!propagation.empty() && propagation != "None")
      errors.forbidden(path,
                       "may only be specified when mountPropagation is None or not specified");
  } else {
    check_supported(path, mode, {"Disabled", "Enabled", "IfPossible"}, errors);
  }
}

void check_mounts(const Path& path, const Value& container, const Volumes& volumes,
                  FieldErrors& errors) {
  Names points;
  const Value& mounts = container["volumeMounts"];
  const Value& devices = container["volumeDevices"];
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const Value& mount = mounts[i];
    const Path at = path.index(i);
    const std::string_view name = text_of(mount, "name"), point = text_of(mount, "mountPath");
    if (name.empty()) errors.required(at.child("name"));
    if (volumes.find(name) == volumes.end()) errors.not_found(at.child("name"), name);
    if (point.empty()) errors.required(at.child("mountPath"));
    if (!points.emplace(point).second)
      errors.invalid(at.child("mountPath"), point, "must be unique");
    if (has_member(devices, "name", name))
      errors.invalid(at.child("name"), name, "must not already exist in volumeDevices");
    if (has_member(devices, "devicePath", point))
      errors.invalid(at.child("mountPath"), point,
                     "must not already exist as a path in volumeDevices");
    if (!empty_text(mount["subPath"]))
      check_descending_path(path.child("subPath"), text_of(mount, "subPath"), errors);
    if (!empty_text(mount["subPathExpr"])) {
      if (!empty_text(mount["subPath"]))
        errors.invalid(at.child("subPathExpr"), mount["subPathExpr"],
                       "subPathExpr and subPath are mutually exclusive");
      check_descending_path(path.child("subPathExpr"), text_of(mount, "subPathExpr"), errors);
    }
    check_propagation(path.child("mountPropagation"), mount, container, errors);
    check_recursive_read_only(path.child("recursiveReadOnly"), mount, errors);
  }
}

void check_devices(const Path& path, const Value& container, const Volumes& volumes,
                   FieldErrors& errors) {
  Names names, paths;
  const Value& devices = container["volumeDevices"];
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const std::string_view name = text_of(devices[i], "name");
    const std::string_view device = text_of(devices[i], "devicePath");
    const Path at = path.index(i);
    if (name.empty()) errors.required(at.child("name"));
    if (names.count(std::string(name)) > 0)
      errors.invalid(at.child("name"), name, "must be unique");
    const auto volume = volumes.find(name);
    if (volume == volumes.end())
      errors.not_found(at.child("name"), name);
    else if (!volume->second->has("persistentVolumeClaim") && !volume->second->has("ephemeral"))
      errors.invalid(at.child("name"), name,
                     "can only use volume source type of PersistentVolumeClaim or Ephemeral for "
                     "block mode");
    if (device.empty()) errors.required(at.child("devicePath"));
    if (paths.count(std::string(device)) > 0)
      errors.invalid(at.child("devicePath"), device, "must be unique");
    FieldErrors backsteps;
    check_no_backsteps(path, device, backsteps);
    if (!device.empty() && !backsteps.empty())
      errors.invalid(at.child("devicePath"), device, "can not contain backsteps ('..')");
    else
      paths.emplace(device);
    if (has_member(container["volumeMounts"], "name", name))
      errors.invalid(at.child("name"), name, "must not already exist in volumeMounts");
    if (has_member(container["volumeMounts"], "mountPath", device))
      errors.invalid(at.child("devicePath"), device,
                     "must not already exist as a path in volumeMounts");
    if (!name.empty()) names.emplace(name);
  }
}

void check_resize_policy(const Path& path, const Value& policies, std::string_view restart,
                         FieldErrors& errors) {
  Names resources;
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const Value& policy = policies[i];
    if (!resources.emplace(text_of(policy, "resourceName")).second)
      errors.duplicate(path.index(i), policy["resourceName"]);
    check_one_of(path, policy["resourceName"], {"cpu", "memory"}, errors);
    check_one_of(path, policy["restartPolicy"], {"NotRequired", "RestartContainer"}, errors);
    if (restart == "Never" && text_of(policy, "restartPolicy") != "NotRequired")
      errors.invalid(path, policy["restartPolicy"],
                     "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
  }
}

bool host_users(const Value& spec) {
  return spec["hostUsers"].as_bool(true);
}

void check_common(const Path& path, const Value& c, const ContainerContext& context,
                  FieldErrors& errors) {
  if (empty_text(c["name"]))
    errors.required(path.child("name"));
  else
    errors.invalid_each(path.child("name"), c["name"], dns1123_label_messages(text_of(c, "name")));
  if (empty_text(c["image"])) errors.required(path.child("image"));
  check_one_of(path.child("terminationMessagePolicy"), c["terminationMessagePolicy"],
               {"File", "FallbackToLogsOnError"}, errors);
  check_ports(path.child("ports"), c["ports"], errors);
  check_environment(path, c, errors);
  check_mounts(path.child("volumeMounts"), c, context.volumes, errors);
  check_devices(path.child("volumeDevices"), c, context.volumes, errors);
  check_one_of(path.child("imagePullPolicy"), c["imagePullPolicy"],
               {"Always", "IfNotPresent", "Never"}, errors);
  check_resources(path.child("resources"), c["resources"], &context.claims, false, errors);
  check_resize_policy(path.child("resizePolicy"), c["resizePolicy"],
                      text_of(context.spec, "restartPolicy"), errors);
  if (!c["securityContext"].is_null())
    check_security_context(path.child("securityContext"), c["securityContext"],
                           host_users(context.spec), errors);
}

void check_http(const Path& path, const Value& get, FieldErrors& errors) {
  if (empty_text(get["path"])) errors.required(path.child("path"));
  check_port_number_or_name(path.child("port"), get["port"], errors);
  check_supported(path.child("scheme"), get["scheme"], {"HTTP", "HTTPS"}, errors);
  for (const Value& header : get["httpHeaders"].elements())
    errors.invalid_each(path.child("httpHeaders"), header["name"],
                        http_header_name_messages(text_of(header, "name")));
}

void check_handler(const Path& path, const Value& handler, const Value& grace,
                   FieldErrors& errors) {
  int count = 0;
  for (const char* kind : {"exec", "httpGet", "tcpSocket", "grpc", "sleep"}) {
    const Value& v = handler[kind];
    if (v.is_null()) continue;
    const Path at = path.child(kind);
    if (++count > 1) {
      errors.forbidden(at, "may not specify more than 1 handler type");
      --count;
      continue;
    }
    const std::string_view name(kind);
    if (name == "exec" && v["command"].empty()) errors.required(at.child("command"));
    if (name == "httpGet") check_http(at, v, errors);
    if (name == "tcpSocket") check_port_number_or_name(at.child("port"), v["port"], errors);
    if (name == "grpc") check_port(at.child("port"), v["port"], errors);
    if (name == "sleep" && (v["seconds"].as_int() < 0 || v["seconds"].as_int() > grace.as_int()))
      errors.invalid(at, v["seconds"].as_int(),
                     "must be non-negative and less than terminationGracePeriodSeconds (" +
                         std::to_string(grace.as_int()) + ")");
  }
  if (count == 0) errors.required(path, "must specify a handler type");
}

void check_probe(const Path& path, const Value& probe, const Value& grace, FieldErrors& errors) {
  check_handler(path, probe, grace, errors);
  for (const char* field : {"initialDelaySeconds", "timeoutSeconds", "periodSeconds",
                            "successThreshold", "failureThreshold"})
    check_not_negative(path.child(field), probe[field], errors);
  const Value& own = probe["terminationGracePeriodSeconds"];
  if (!own.is_null() && own.as_int() <= 0)
    errors.invalid(path.child("terminationGracePeriodSeconds"), own, "must be greater than 0");
}

void check_life_cycle(const Path& path, const Value& c, const Value& spec, FieldErrors& errors) {
  const Value& grace = spec["terminationGracePeriodSeconds"];
  const Path life = path.child("lifecycle");
  for (const char* hook : {"postStart", "preStop"})
    if (!c["lifecycle"][hook].is_null())
      check_handler(life.child(hook), c["lifecycle"][hook], grace, errors);
  for (const char* kind : {"livenessProbe", "readinessProbe", "startupProbe"}) {
    const Value& probe = c[kind];
    if (probe.is_null()) continue;
    const Path at = path.child(kind);
    check_probe(at, probe, grace, errors);
    if (std::string_view(kind) == "readinessProbe") {
      if (!probe["terminationGracePeriodSeconds"].is_null())
        errors.invalid(at.child("terminationGracePeriodSeconds"),
                       probe["terminationGracePeriodSeconds"],
                       "must not be set for readinessProbes");
    } else if (probe["successThreshold"].as_int() != 1) {
      errors.invalid(at.child("successThreshold"), probe["successThreshold"].as_int(), "must be 1");
    }
  }
}

void check_restart(const Path& path, const Value& c, FieldErrors& errors) {
  const Value& policy = c["restartPolicy"];
  const Value& rules = c["restartPolicyRules"];
  if (policy.is_null()) {
    if (rules.empty()) return;
    errors.required(path.child("restartPolicy"),
                    "must specify restartPolicy when restart rules are used");
  } else {
    check_supported(path.child("restartPolicy"), policy, {"Always", "Never", "OnFailure"}, errors);
  }
  const Path list = path.child("restartPolicyRules");
  if (rules.size() > 20) errors.too_many(list, static_cast<std::int64_t>(rules.size()), 20);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Path at = list.index(i);
    check_supported(at.child("action"), rules[i]["action"], {"Restart", "RestartAllContainers"},
                    errors);
    const Value& codes = rules[i]["exitCodes"];
    const Path exit = at.child("exitCodes");
    if (codes.is_null()) {
      errors.required(exit, "must be specified");
      continue;
    }
    check_supported(exit.child("operator"), codes["operator"], {"In", "NotIn"}, errors);
    if (codes["values"].size() > 255)
      errors.too_many(exit.child("values"), static_cast<std::int64_t>(codes["values"].size()), 255);
  }
}

void check_host_ports(const Path& path, const Value& c, std::size_t index, Names& taken,
                      FieldErrors& errors) {
  const Path container = path.index(index);
  const Path ports = container.child("ports");
  for (std::size_t i = 0; i < c["ports"].size(); ++i) {
    const Value& port = c["ports"][i];
    if (port["hostPort"].as_int() == 0) continue;
    const std::string text = port["protocol"].str() + '/' + port["hostIP"].str() + '/' +
                             std::to_string(port["hostPort"].as_int());
    const Path at = ports.index(i);
    if (!taken.insert(text).second) errors.duplicate(at.child("hostPort"), text);
  }
}

}  // namespace

void check_field_reference(const Path& path, const Value& reference,
                           std::initializer_list<std::string_view> fields, FieldErrors& errors) {
  if (empty_text(reference["apiVersion"])) {
    errors.required(path.child("apiVersion"));
    return;
  }
  const std::string field = reference["fieldPath"].str();
  const Path at = path.child("fieldPath");
  if (field.empty()) {
    errors.required(at);
    return;
  }
  if (text_of(reference, "apiVersion") != "v1") {
    errors.invalid(
        at, field,
        "error converting fieldPath: unsupported pod version: " + reference["apiVersion"].str());
    return;
  }
  const std::size_t open = field.find("['");
  if (open != std::string::npos && field.size() > open + 3 &&
      field.substr(field.size() - 2) == "']") {
    const std::string name = field.substr(0, open);
    const std::string key = field.substr(open + 2, field.size() - open - 4);
    if (name == "metadata.annotations")
      errors.invalid_each(path, to_lower(key), label_key_messages(to_lower(key)));
    else if (name == "metadata.labels")
      errors.invalid_each(path, key, label_key_messages(key));
    else
      errors.invalid(
          at, field,
          "error converting fieldPath: field label does not support subscript: " + field);
    return;
  }
  if (!is_one_of(field,
                 {"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace",
                  "metadata.uid", "spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName",
                  "spec.schedulerName", "status.phase", "status.hostIP", "status.hostIPs",
                  "status.podIP", "status.podIPs", "spec.host"})) {
    errors.invalid(at, field, "error converting fieldPath: field label not supported: " + field);
    return;
  }
  check_supported(at, field == "spec.host" ? "spec.nodeName" : field, fields, errors);
}

void check_resource_field(const Path& path, const Value& reference, bool in_volume,
                          FieldErrors& errors) {
  const std::string resource = reference["resource"].str();
  const bool huge = resource.substr(0, 19) == "requests.hugepages-" ||
                    resource.substr(0, 17) == "limits.hugepages-";
  if (in_volume && empty_text(reference["containerName"]))
    errors.required(path.child("containerName"));
  else if (resource.empty())
    errors.required(path.child("resource"));
  else if (!huge)
    check_supported(path.child("resource"), resource,
                    {"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu",
                     "requests.ephemeral-storage", "requests.memory"},
                    errors);
  const Value& divisor = reference["divisor"];
  if (Quantity::of(divisor).is_zero()) return;
  const std::string text = divisor.is_string() ? divisor.str() : codec::to_json(divisor);
  const std::size_t dot = resource.find('.');
  const std::string what = dot == std::string::npos ? "" : resource.substr(dot + 1);
  const auto fail = [&](std::string_view detail) {
    errors.invalid(path.child("divisor"), resource, detail);
  };
  if (what == "cpu" && !is_one_of(text, {"1m", "1"}))
    fail("only divisor's values 1m and 1 are supported with the cpu resource");
  const bool storage = what == "memory" || what == "ephemeral-storage" || huge;
  if (storage && !is_one_of(text, {"1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi",
                                   "1Ti", "1Pi", "1Ei"}))
    fail(
        "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are "
        "supported with the " +
        std::string(huge               ? "hugepages"
                    : what == "memory" ? "memory"
                                       : "local ephemeral storage") +
        " resource");
}

void check_containers(const Path& path, const ContainerContext& context, FieldErrors& errors) {
  const Value& containers = context.spec["containers"];
  if (containers.empty()) {
    errors.required(path);
    return;
  }
  Names names, ports;
  for (std::size_t i = 0; i < containers.size(); ++i) {
    const Value& c = containers[i];
    const Path at = path.index(i);
    check_common(at, c, context, errors);
    if (!names.emplace(text_of(c, "name")).second) errors.duplicate(at.child("name"), c["name"]);
    check_life_cycle(at, c, context.spec, errors);
    check_restart(at, c, errors);
  }
  for (std::size_t i = 0; i < containers.size(); ++i)
    check_host_ports(path, containers[i], i, ports, errors);
}

void check_init_containers(const Path& path, const ContainerContext& context, FieldErrors& errors) {
  const Value& containers = context.spec["initContainers"];
  Names names;
  for (const Value& c : context.spec["containers"].elements()) names.emplace(text_of(c, "name"));
  for (std::size_t i = 0; i < containers.size(); ++i) {
    const Value& c = containers[i];
    const Path at = path.index(i);
    check_common(at, c, context, errors);
    if (!c["restartPolicy"].is_null())
      check_restart(at, c, errors);
    else if (!c["restartPolicyRules"].empty())
      errors.required(at.child("restartPolicy"),
                      "must specify restartPolicy when restart rules are used");
    const std::string_view name = text_of(c, "name");
    if (names.count(std::string(name)) > 0)
      errors.duplicate(at.child("name"), name);
    else if (!name.empty())
      names.emplace(name);
    Names ports;
    check_host_ports(path, c, 0, ports, errors);
    const bool sidecar = text_of(c, "restartPolicy") == "Always";
    if (sidecar) {
      check_life_cycle(at, c, context.spec, errors);
      continue;
    }
    for (const char* field : {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"})
      if (!c[field].is_null())
        errors.forbidden(at.child(field),
                         "may not be set for init containers without restartPolicy=Always");
    const Path policies = at.child("resizePolicy");
    for (std::size_t p = 0; p < c["resizePolicy"].size(); ++p) {
      const Path policy = policies.index(p);
      if (text_of(c["resizePolicy"][p], "restartPolicy") == "RestartContainer")
        errors.invalid(policy.child("restartPolicy"), "RestartContainer",
                       "must not be set to 'RestartContainer' for non-sidecar initContainers");
    }
  }
}

void check_ephemeral_containers(const Path& path, const ContainerContext& context,
                                FieldErrors& errors) {
  const Value& containers = context.spec["ephemeralContainers"];
  Names others;
  for (const char* list : {"containers", "initContainers"})
    for (const Value& c : context.spec[list].elements()) others.emplace(text_of(c, "name"));
  Names all = others;
  for (std::size_t i = 0; i < containers.size(); ++i) {
    const Value& c = containers[i];
    const Path at = path.index(i);
    check_common(at, c, context, errors);
    if (trim(text_of(c, "image")) != text_of(c, "image"))
      errors.invalid(at.child("image"), c["image"], "must not have leading or trailing whitespace");
    if (!all.emplace(text_of(c, "name")).second) errors.duplicate(at.child("name"), c["name"]);
    const std::string target = c["targetContainerName"].str();
    if (!target.empty() && others.count(target) == 0)
      errors.not_found(at.child("targetContainerName"), target);
    for (const char* field :
         {"ports", "resources", "resizePolicy", "restartPolicy", "restartPolicyRules",
          "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"})
      if (!c[field].is_null() &&
          !(c[field].is_object() && c[field].empty() && std::string_view(field) == "resources"))
        errors.forbidden(at.child(field), "cannot be set for an Ephemeral Container");
    const Path mounts = at.child("volumeMounts");
    for (std::size_t m = 0; m < c["volumeMounts"].size(); ++m) {
      const Path mount = mounts.index(m);
      for (const char* field : {"subPath", "subPathExpr"})
        if (!empty_text(c["volumeMounts"][m][field]))
          errors.forbidden(mount.child(field), "cannot be set for an Ephemeral Container");
    }
  }
}

}  // namespace keelson::model
