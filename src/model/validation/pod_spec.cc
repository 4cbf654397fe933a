// Pods, pod templates: everything of a pod spec that is no container and no volume.
#include <algorithm>

#include "codec/json.h"
#include "model/go_print.h"
#include "model/validation/pod.h"

namespace keelson::model {
namespace {

void check_dns(const Path& path, const Value& spec, FieldErrors& errors) {
  const Value& config = spec["dnsConfig"];
  if (text_of(spec, "dnsPolicy") == "None") {
    if (config.is_null()) {
      errors.required(path, "must provide `dnsConfig` when `dnsPolicy` is None");
      return;
    }
    if (config["nameservers"].empty()) {
      errors.required(path.child("nameservers"),
                      "must provide at least one DNS nameserver when `dnsPolicy` is None");
      return;
    }
  }
  if (config.is_null()) return;
  const Path servers = path.child("nameservers"), searches = path.child("searches");
  const Path options = path.child("options");
  if (config["nameservers"].size() > 3)
    errors.invalid(servers, config["nameservers"], "must not have more than 3 nameservers");
  for (std::size_t i = 0; i < config["nameservers"].size(); ++i)
    check_ip(servers.index(i), config["nameservers"][i].as_string(), errors);
  if (config["searches"].size() > 32)
    errors.invalid(searches, config["searches"], "must not have more than 32 search paths");
  std::size_t length = config["searches"].empty() ? 0 : config["searches"].size() - 1;
  for (const Value& search : config["searches"].elements()) length += search.as_string().size();
  if (length > 2048)
    errors.invalid(searches, config["searches"],
                   "must not have more than 2048 characters (including spaces) in the search "
                   "list");
  for (std::size_t i = 0; i < config["searches"].size(); ++i) {
    std::string search = config["searches"][i].str();
    if (search == ".") continue;
    if (!search.empty() && search.back() == '.') search.pop_back();
    errors.invalid_each(searches.index(i), search, dns1123_subdomain_underscore_messages(search));
  }
  for (std::size_t i = 0; i < config["options"].size(); ++i)
    if (empty_text(config["options"][i]["name"]))
      errors.required(options.index(i), "must not be empty");
}

bool is_sysctl(std::string_view name) {
  if (name.size() > 253) return false;
  const auto edge = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  bool start = true;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool separator = c == '.' || c == '/';
    if (start && !edge(c)) return false;
    if (separator && !edge(name[i - 1])) return false;
    if (!separator && !edge(c) && c != '-' && c != '_') return false;
    start = separator;
  }
  return !name.empty() && edge(name.back());
}

void check_sysctls(const Path& path, const Value& spec, FieldErrors& errors) {
  Names names;
  const Value& sysctls = spec["securityContext"]["sysctls"];
  for (std::size_t i = 0; i < sysctls.size(); ++i) {
    const std::string name = sysctls[i]["name"].str();
    const Path item = path.index(i);
    const Path at = item.child("name");
    if (name.empty())
      errors.required(at);
    else if (!is_sysctl(name))
      errors.invalid(at, name,
                     "must have at most 253 characters and match regex "
                     "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
    else if (names.count(name) > 0)
      errors.duplicate(at, name);
    std::string dotted = name;
    std::replace(dotted.begin(), dotted.end(), '/', '.');
    if (spec["hostNetwork"].as_bool() && dotted.substr(0, 4) == "net.")
      errors.invalid(at, name, "may not be specified when 'hostNetwork' is true");
    const bool ipc = dotted.substr(0, 10) == "kernel.shm" || dotted.substr(0, 10) == "kernel.msg" ||
                     dotted == "kernel.sem" || dotted.substr(0, 10) == "fs.mqueue.";
    if (spec["hostIPC"].as_bool() && ipc)
      errors.invalid(at, name, "may not be specified when 'hostIPC' is true");
    names.insert(name);
  }
}

void check_pod_security(const Path& path, const Value& spec, FieldErrors& errors) {
  const Value& context = spec["securityContext"];
  if (context.is_null()) return;
  for (const char* field : {"fsGroup", "runAsUser", "runAsGroup"})
    if (!context[field].is_null())
      errors.invalid_each(path.child(field), context[field],
                          in_range_messages(context[field].as_int(), 0, INT32_MAX));
  const Path groups = path.child("supplementalGroups");
  for (std::size_t i = 0; i < context["supplementalGroups"].size(); ++i)
    errors.invalid_each(groups.index(i), context["supplementalGroups"][i],
                        in_range_messages(context["supplementalGroups"][i].as_int(), 0, INT32_MAX));
  if (spec["shareProcessNamespace"].as_bool() && spec["hostPID"].as_bool())
    errors.invalid(path.child("shareProcessNamespace"), true,
                   "ShareProcessNamespace and HostPID cannot both be enabled");
  check_sysctls(path.child("sysctls"), spec, errors);
  const auto words = [&](const char* field, std::initializer_list<std::string_view> list) {
    if (!context[field].is_null()) check_supported(path.child(field), context[field], list, errors);
  };
  words("fsGroupChangePolicy", {"Always", "OnRootMismatch"});
  check_seccomp_profile(path.child("seccompProfile"), context["seccompProfile"], errors);
  check_windows_options(path.child("windowsOptions"), context["windowsOptions"], errors);
  check_app_armor_profile(path.child("appArmorProfile"), context["appArmorProfile"], errors);
  words("supplementalGroupsPolicy", {"Merge", "Strict"});
  words("seLinuxChangePolicy", {"Recursive"});
}

template <typename Visit>
void each_container(const Path& path, const Value& spec, Visit visit) {
  for (const char* list : {"initContainers", "containers", "ephemeralContainers"}) {
    const Path all = path.child(list);
    for (std::size_t i = 0; i < spec[list].size(); ++i) {
      const Path at = all.index(i);
      visit(at, spec[list][i]);
    }
  }
}

void check_host_process(const Path& path, const Value& spec, FieldErrors& errors) {
  int all = 0, host = 0;
  const Value& pod = spec["securityContext"]["windowsOptions"]["hostProcess"];
  each_container(path, spec, [&](const Path& at, const Value& c) {
    ++all;
    const Value& own = c["securityContext"]["windowsOptions"]["hostProcess"];
    if (!pod.is_null() && !own.is_null() && pod.as_bool() != own.as_bool())
      errors.invalid(at.child("securityContext.windowsOptions.hostProcess"), own,
                     std::string("pod hostProcess value must be identical if both are "
                                 "specified, was ") +
                         (pod.as_bool() ? "true" : "false"));
    if (own.is_null() ? pod.as_bool() : own.as_bool()) ++host;
  });
  if (host == 0) return;
  if (host != all)
    errors.invalid(path, "",
                   "If pod contains any hostProcess containers then all containers must be "
                   "HostProcess containers");
  if (!spec["hostNetwork"].as_bool())
    errors.invalid(path.child("hostNetwork"), false,
                   "hostNetwork must be true if pod contains any hostProcess containers");
}

void check_host_users(const Path& path, const Value& spec, FieldErrors& errors) {
  if (spec["hostUsers"].as_bool(true)) return;
  if (spec["hostNetwork"].as_bool())
    errors.forbidden(path.child("hostNetwork"), "when `hostUsers` is false");
  if (spec["hostPID"].as_bool())
    errors.forbidden(path.child("HostPID"), "when `hostUsers` is false");
  if (spec["hostIPC"].as_bool())
    errors.forbidden(path.child("HostIPC"), "when `hostUsers` is false");
  each_container(path, spec, [&](const Path& at, const Value& c) {
    if (!c["volumeDevices"].empty())
      errors.forbidden(at.child("volumeDevices"), "when `hostUsers` is false");
  });
}

void check_host_names(const Path& path, const Value& spec, FieldErrors& errors) {
  const Value& name = spec["hostnameOverride"];
  if (name.is_null()) return;
  const Path at = path.child("hostnameOverride");
  if (spec["setHostnameAsFQDN"].as_bool())
    errors.forbidden(at, "may not be specified when setHostnameAsFQDN is true");
  if (spec["hostNetwork"].as_bool())
    errors.forbidden(at, "may not be specified when hostNetwork is true");
  if (name.as_string().size() > 64) errors.too_long(at, 64);
  errors.invalid_each(at, name, dns1123_subdomain_messages(name.as_string()));
}

void check_linux(const Path& path, const Value& spec, FieldErrors& errors) {
  constexpr std::string_view detail = "windows options cannot be set for a linux pod";
  if (!spec["securityContext"]["windowsOptions"].is_null())
    errors.forbidden(path.child("securityContext.windowsOptions"), detail);
  each_container(path, spec, [&](const Path& at, const Value& c) {
    if (!c["securityContext"]["windowsOptions"].is_null())
      errors.forbidden(at.child("securityContext.windowsOptions"), detail);
  });
}

void check_windows(const Path& path, const Value& spec, FieldErrors& errors) {
  constexpr std::string_view detail = "cannot be set for a windows pod";
  const Path security = path.child("securityContext");
  const Value& context = spec["securityContext"];
  const auto in_context = [&](const char* field) {
    if (!context[field].is_null()) errors.forbidden(security.child(field), detail);
  };
  const auto in_spec = [&](const char* field, bool only_true) {
    if (only_true ? spec[field].as_bool() : !spec[field].is_null())
      errors.forbidden(path.child(field), detail);
  };
  in_context("appArmorProfile");
  in_context("seLinuxOptions");
  in_spec("hostUsers", false);
  in_spec("hostPID", true);
  in_spec("hostIPC", true);
  in_context("seccompProfile");
  in_context("fsGroup");
  in_context("fsGroupChangePolicy");
  in_context("sysctls");
  in_spec("shareProcessNamespace", false);
  for (const char* field : {"runAsUser", "runAsGroup", "supplementalGroups",
                            "supplementalGroupsPolicy", "seLinuxChangePolicy"})
    in_context(field);
  each_container(path, spec, [&](const Path& at, const Value& c) {
    const Path own = at.child("securityContext");
    for (const char* field : {"appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities",
                              "readOnlyRootFilesystem", "privileged", "allowPrivilegeEscalation",
                              "procMount", "runAsUser", "runAsGroup"})
      if (!c["securityContext"][field].is_null()) errors.forbidden(own.child(field), detail);
  });
}

void check_pod_claims(const Path& path, const Value& claims, const Value& metadata,
                      FieldErrors& errors) {
  Names names;
  const bool is_static = metadata["annotations"].has("kubernetes.io/config.mirror");
  for (std::size_t i = 0; i < claims.size(); ++i) {
    const Value& claim = claims[i];
    if (is_static) {
      errors.forbidden(Path("[]"), "static pods do not support resource claims");
      continue;
    }
    const Path at = path.index(i);
    const std::string name = claim["name"].str();
    if (name.empty()) {
      errors.required(at.child("name"));
    } else if (names.count(name) > 0) {
      errors.duplicate(at.child("name"), name);
    } else {
      errors.invalid_each(at.child("name"), name, dns1123_label_messages(name));
      names.insert(name);
    }
    const Value& direct = claim["resourceClaimName"];
    const Value& templated = claim["resourceClaimTemplateName"];
    const auto fail = [&](std::string_view detail) {
      errors.invalid_printed(at, printed_internal("io.k8s.api.core.v1.PodResourceClaim", claim),
                             detail);
    };
    if (!direct.is_null() && !templated.is_null())
      fail("at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified");
    if (direct.is_null() && templated.is_null())
      fail("must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
    if (!direct.is_null())
      check_name(at.child("resourceClaimName"), direct.as_string(), subdomain_name, errors);
    if (!templated.is_null())
      check_name(at.child("resourceClaimTemplateName"), templated.as_string(), subdomain_name,
                 errors);
  }
}

void check_pod_resources(const Path& path, const Value& spec, const Names& claims,
                         FieldErrors& errors) {
  const Value& resources = spec["resources"];
  if (resources.is_null()) return;
  const Path at = path.child("resources");
  if (text_of(spec["os"], "name") == "windows") {
    errors.forbidden(at, "may not be set for a windows pod");
    return;
  }
  if (!resources["claims"].is_null())
    errors.forbidden(at.child("claims"), "claims may not be set for Resources at pod-level");
  check_resources(at, resources, &claims, true, errors);
  const Path requests = at.child("requests");
  for (const codec::Member& m : resources["requests"].members()) {
    Quantity sum;
    for (const Value& c : spec["containers"].elements())
      sum = sum + Quantity::of(c["resources"]["requests"][m.key()]);
    if (sum > Quantity::of(m.value))
      errors.invalid(
          requests.key(m.key()), m.value,
          "must be greater than or equal to aggregate container requests of " + sum.text());
  }
  const Path containers = at.child("containers");
  for (std::size_t i = 0; i < spec["containers"].size(); ++i)
    for (const codec::Member& m : spec["containers"][i]["resources"]["limits"].members()) {
      const Value* limit = resources["limits"].find(m.key());
      if (limit == nullptr || !(Quantity::of(m.value) > Quantity::of(*limit))) continue;
      const Path container = containers.index(i);
      const Path resource = container.key(m.key());
      errors.invalid(resource.child("limits"), m.value,
                     "must be less than or equal to pod limits of " + limit->str());
    }
}

void check_host_network(const Path& path, const Value& spec, bool is_pod, FieldErrors& errors) {
  if (!spec["hostNetwork"].as_bool()) return;
  const Path containers = path.child("containers");
  for (std::size_t i = 0; i < spec["containers"].size(); ++i) {
    const Path container = containers.index(i);
    const Path ports = container.child("ports");
    for (std::size_t p = 0; p < spec["containers"][i]["ports"].size(); ++p) {
      const Value& port = spec["containers"][i]["ports"][p];
      const auto host = port["hostPort"].as_int();
      if ((is_pod || host != 0) && host != port["containerPort"].as_int()) {
        const Path at = ports.index(p);
        errors.invalid(at.child("hostPort"), host,
                       "must match `containerPort` when `hostNetwork` is true");
      }
    }
  }
}

void check_file_key_volumes(const Path& path, const Value& spec, FieldErrors& errors) {
  each_container(path, spec, [&](const Path& at, const Value& c) {
    const Path environment = at.child("env");
    for (std::size_t i = 0; i < c["env"].size(); ++i) {
      const Value& reference = c["env"][i]["valueFrom"]["fileKeyRef"];
      if (reference.is_null()) continue;
      const Path variable = environment.index(i);
      const Path name = variable.child("valueFrom.fileKeyRef.volumeName");
      const Value* found = nullptr;
      for (const Value& volume : spec["volumes"].elements())
        if (volume["name"] == reference["volumeName"]) found = &volume;
      if (found == nullptr)
        errors.not_found(name, text_of(reference, "volumeName"));
      else if ((*found)["emptyDir"].is_null())
        errors.invalid(name, reference["volumeName"], "referenced volume must be of type emptyDir");
    }
  });
}

void check_small_lists(const Path& path, const Value& spec, FieldErrors& errors) {
  const Path readiness = path.child("readinessGates"), scheduling = path.child("schedulingGates");
  for (std::size_t i = 0; i < spec["readinessGates"].size(); ++i) {
    const Path at = readiness.index(i);
    check_qualified_name(at.child("conditionType"),
                         text_of(spec["readinessGates"][i], "conditionType"), errors);
  }
  Names seen;
  for (std::size_t i = 0; i < spec["schedulingGates"].size(); ++i) {
    const std::string_view name = text_of(spec["schedulingGates"][i], "name");
    check_qualified_name(scheduling.index(i), name, errors);
    if (!seen.emplace(name).second) errors.duplicate(scheduling.index(i), name);
  }
}

void check_host_aliases(const Path& path, const Value& aliases, FieldErrors& errors) {
  for (std::size_t i = 0; i < aliases.size(); ++i) {
    const Path at = path.index(i);
    check_ip(at.child("ip"), text_of(aliases[i], "ip"), errors);
    const Path names = at.child("hostnames");
    for (std::size_t j = 0; j < aliases[i]["hostnames"].size(); ++j)
      errors.invalid_each(names.index(j), aliases[i]["hostnames"][j],
                          dns1123_subdomain_messages(aliases[i]["hostnames"][j].as_string()));
  }
}

void check_names(const Path& path, const Value& spec, FieldErrors& errors) {
  const auto name = [&](const char* field, NameMessages messages) {
    if (!empty_text(spec[field]))
      check_name(path.child(field), text_of(spec, field), messages, errors);
  };
  name("serviceAccountName", subdomain_name);
  name("nodeName", subdomain_name);
  if (const Value& deadline = spec["activeDeadlineSeconds"]; !deadline.is_null())
    errors.invalid_each(path.child("activeDeadlineSeconds"), deadline,
                        in_range_messages(deadline.as_int(), 1, INT32_MAX));
  name("hostname", label_name);
  name("subdomain", label_name);
  check_tolerations(path.child("tolerations"), spec["tolerations"], errors);
  check_host_aliases(path.child("hostAliases"), spec["hostAliases"], errors);
  name("priorityClassName", subdomain_name);
  if (!spec["runtimeClassName"].is_null())
    check_name(path.child("runtimeClassName"), text_of(spec, "runtimeClassName"), subdomain_name,
               errors);
  if (!spec["preemptionPolicy"].is_null())
    check_one_of(path.child("preemptionPolicy"), spec["preemptionPolicy"],
                 {"PreemptLowerPriority", "Never"}, errors);
  if (!spec["overhead"].is_null())
    check_resources(path.child("overhead"), Value::object({{"limits", spec["overhead"]}}), nullptr,
                    false, errors);
}

void check_system(const Path& path, const Value& spec, FieldErrors& errors) {
  if (spec["os"].is_null()) return;
  const std::string_view name = text_of(spec["os"], "name");
  const Path at = path.child("os");
  if (name.empty())
    errors.required(at.child("name"));
  else if (name == "linux")
    check_linux(path, spec, errors);
  else if (name == "windows")
    check_windows(path, spec, errors);
  else
    errors.not_supported(at, name, {"linux", "windows"});
}

void check_annotations_of_pod(const Path& path, const Value& annotations, const Value& spec,
                              FieldErrors& errors) {
  if (const Value* mirror = annotations.find("kubernetes.io/config.mirror");
      mirror != nullptr && empty_text(spec["nodeName"]))
    errors.invalid(path.key("kubernetes.io/config.mirror"), *mirror,
                   "must set spec.nodeName if mirror pod annotation is set");
  constexpr std::string_view cost = "controller.kubernetes.io/pod-deletion-cost";
  if (const Value* value = annotations.find(cost)) {
    const std::string text = value->str();
    const auto n = parse_int(text);
    const bool plain = !text.empty() && text[0] != '+' && (text[0] != '0' || text.size() == 1);
    if (!n || *n > INT32_MAX || *n < INT32_MIN || !plain)
      errors.invalid(path.key(cost), *value, "must be a 32bit integer");
  }
  const auto seccomp = [&](std::string_view key, std::string_view profile) {
    if (is_one_of(profile, {"runtime/default", "docker/default", "unconfined"})) return;
    const Path at = path.child(key);
    if (profile.substr(0, 10) == "localhost/")
      check_descending_path(at, profile.substr(10), errors);
    else
      errors.invalid(at, profile, "must be a valid seccomp profile");
  };
  constexpr std::string_view seccomp_pod = "seccomp.security.alpha.kubernetes.io/pod";
  constexpr std::string_view seccomp_container = "container.seccomp.security.alpha.kubernetes.io/";
  constexpr std::string_view armor = "container.apparmor.security.beta.kubernetes.io/";
  if (const Value* profile = annotations.find(seccomp_pod))
    seccomp(seccomp_pod, profile->as_string());
  for (const codec::Member& m : annotations.members())
    if (m.key().substr(0, seccomp_container.size()) == seccomp_container)
      seccomp(m.key(), m.value.as_string());
  for (const codec::Member& m : annotations.members()) {
    if (m.key().substr(0, armor.size()) != armor) continue;
    const std::string_view container = m.key().substr(armor.size());
    const std::string_view profile = m.value.as_string();
    bool found = false;
    const Path spec_path("spec");
    each_container(spec_path, spec, [&](const Path&, const Value& c) {
      found = found || text_of(c, "name") == container;
    });
    if (!found) errors.invalid(path.key(m.key()), container, "container not found");
    if (!profile.empty() && profile != "runtime/default" && profile != "unconfined" &&
        profile.substr(0, 10) != "localhost/")
      errors.invalid(path.key(m.key()), profile,
                     "invalid AppArmor profile name: " + quote(profile));
  }
}

}  // namespace

void check_pod_spec(const Path& path, const Value& spec, const Value& metadata,
                    FieldErrors& errors) {
  const Volumes volumes = check_volumes(path.child("volumes"), spec["volumes"], metadata, errors);
  Names claims;
  for (const Value& claim : spec["resourceClaims"].elements())
    if (!empty_text(claim["name"])) claims.emplace(text_of(claim, "name"));
  check_pod_claims(path.child("resourceClaims"), spec["resourceClaims"], metadata, errors);
  const ContainerContext context{spec, volumes, claims};
  check_containers(path.child("containers"), context, errors);
  check_init_containers(path.child("initContainers"), context, errors);
  check_ephemeral_containers(path.child("ephemeralContainers"), context, errors);
  check_pod_resources(path, spec, claims, errors);
  check_host_network(path, spec, !metadata.is_null(), errors);
  check_one_of(path.child("restartPolicy"), spec["restartPolicy"], {"Always", "OnFailure", "Never"},
               errors);
  check_one_of(path.child("dnsPolicy"), spec["dnsPolicy"],
               {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"}, errors);
  check_labels(path.child("nodeSelector"), spec["nodeSelector"], errors);
  check_pod_security(path.child("securityContext"), spec, errors);
  check_affinity(path.child("affinity"), spec["affinity"], errors);
  check_dns(path.child("dnsConfig"), spec, errors);
  check_small_lists(path, spec, errors);
  check_spread(path.child("topologySpreadConstraints"), spec["topologySpreadConstraints"], errors);
  check_host_process(path, spec, errors);
  check_host_users(path, spec, errors);
  check_host_names(path, spec, errors);
  check_names(path, spec, errors);
  check_system(path, spec, errors);
  check_file_key_volumes(path, spec, errors);
}

void check_pod_annotations(const Path& path, const Value& annotations, const Value& spec,
                           FieldErrors& errors) {
  check_annotations_of_pod(path, annotations, spec, errors);
}

namespace {

void check_seccomp_match(const Path& path, std::string_view annotation, const Value& profile,
                         FieldErrors& errors) {
  const std::string_view type = text_of(profile, "type");
  constexpr std::string_view types = "seccomp type in annotation and field must match";
  if (type == "Unconfined" && annotation != "unconfined")
    errors.forbidden(path.child("type"), types);
  if (type == "RuntimeDefault" && annotation != "runtime/default" && annotation != "docker/default")
    errors.forbidden(path.child("type"), types);
  if (type != "Localhost") return;
  if (annotation.substr(0, 10) != "localhost/")
    errors.forbidden(path.child("type"), types);
  else if (annotation.substr(10) != text_of(profile, "localhostProfile"))
    errors.forbidden(path.child("localhostProfile"),
                     "seccomp profile in annotation and field must match");
}

}  // namespace

void check_profile_annotations(const Path& path, const Value& annotations, const Value& spec,
                               FieldErrors& errors) {
  const Value& pod = spec["securityContext"];
  if (const Value* a = annotations.find("seccomp.security.alpha.kubernetes.io/pod");
      a != nullptr && !pod["seccompProfile"].is_null())
    check_seccomp_match(path.child("securityContext.seccompProfile"), a->as_string(),
                        pod["seccompProfile"], errors);
  each_container(path, spec, [&](const Path& at, const Value& c) {
    const Value& profile = c["securityContext"]["seccompProfile"];
    const Value* a =
        annotations.find("container.seccomp.security.alpha.kubernetes.io/" + c["name"].str());
    if (a != nullptr && !profile.is_null())
      check_seccomp_match(at.child("securityContext.seccompProfile"), a->as_string(), profile,
                          errors);
  });
  if (text_of(spec["os"], "name") == "windows") return;
  each_container(path, spec, [&](const Path& at, const Value& c) {
    const Value& own = c["securityContext"]["appArmorProfile"];
    const Value& profile = own.is_null() ? pod["appArmorProfile"] : own;
    const Value* a =
        annotations.find("container.apparmor.security.beta.kubernetes.io/" + c["name"].str());
    if (a == nullptr || profile.is_null()) return;
    const Path armor = at.child("securityContext.appArmorProfile");
    const std::string_view type = text_of(profile, "type"), text = a->as_string();
    constexpr std::string_view types = "apparmor type in annotation and field must match";
    if ((type == "Unconfined" && text != "unconfined") ||
        (type == "RuntimeDefault" && text != "runtime/default") ||
        (type == "Localhost" && text.substr(0, 10) != "localhost/"))
      errors.forbidden(armor.child("type"), types);
    else if (type == "Localhost" && text.substr(10) != text_of(profile, "localhostProfile"))
      errors.forbidden(armor.child("localhostProfile"),
                       "apparmor profile in annotation and field must match");
  });
}

void check_pod_template(const Path& path, const Value& pod_template, FieldErrors& errors) {
  const Value& metadata = pod_template["metadata"];
  const Value& spec = pod_template["spec"];
  check_labels(path.child("labels"), metadata["labels"], errors);
  check_annotations(path.child("annotations"), metadata["annotations"], errors);
  check_pod_annotations(path.child("annotations"), metadata["annotations"], spec, errors);
  check_pod_spec(path.child("spec"), spec, Value(), errors);
  check_profile_annotations(path.child("spec"), metadata["annotations"], spec, errors);
  if (!spec["ephemeralContainers"].empty())
    errors.forbidden(path.child("spec.ephemeralContainers"),
                     "ephemeral containers not allowed in pod template");
}

}  // namespace keelson::model
