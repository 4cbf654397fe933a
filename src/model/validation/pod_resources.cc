// Requests and limits, resource names, security contexts of containers.
#include <algorithm>

#include "model/go_print.h"
#include "model/validation/pod.h"

namespace keelson::model {

bool is_huge_page_resource(std::string_view name) {
  return name.substr(0, 10) == "hugepages-";
}

bool is_native_resource(std::string_view name) {
  return name.find('/') == std::string_view::npos ||
         name.find("kubernetes.io/") != std::string_view::npos;
}

bool is_extended_resource(std::string_view name) {
  return !is_native_resource(name) && name.substr(0, 9) != "requests." &&
         label_key_messages("requests." + std::string(name)).empty();
}

bool is_integer_resource(std::string_view name) {
  return is_one_of(name, {"pods", "resourcequotas", "services", "replicationcontrollers", "secrets",
                          "configmaps", "persistentvolumeclaims", "services.nodeports",
                          "services.loadbalancers"}) ||
         is_extended_resource(name);
}

void check_resource_quantity(const Path& path, std::string_view name, const Value& quantity,
                             FieldErrors& errors) {
  check_quantity_not_negative(path, quantity, errors);
  if (is_integer_resource(name) && Quantity::of(quantity).nano() % 1'000'000'000 != 0)
    errors.invalid(path, quantity, "must be an integer");
}

void check_resource_name(const Path& path, std::string_view name, FieldErrors& errors) {
  check_qualified_resource_name(path, name, errors);
  if (name.find('/') == std::string_view::npos) {
    if (!is_one_of(name, {"cpu", "memory", "ephemeral-storage"}) && !is_huge_page_resource(name))
      errors.invalid(path, name, "must be a standard resource for containers");
  } else if (!is_native_resource(name) && !is_extended_resource(name)) {
    errors.invalid(path, name, "doesn't follow extended resource name standard");
  }
}

void check_qualified_resource_name(const Path& path, std::string_view name, FieldErrors& errors) {
  const Messages messages = label_key_messages(name);
  errors.invalid_each(path, name, messages);
  if (!messages.empty() || name.find('/') != std::string_view::npos) return;
  if (!is_one_of(name, {"cpu",
                        "memory",
                        "ephemeral-storage",
                        "requests.cpu",
                        "requests.memory",
                        "requests.ephemeral-storage",
                        "limits.cpu",
                        "limits.memory",
                        "limits.ephemeral-storage",
                        "pods",
                        "resourcequotas",
                        "services",
                        "replicationcontrollers",
                        "secrets",
                        "configmaps",
                        "persistentvolumeclaims",
                        "storage",
                        "requests.storage",
                        "services.nodeports",
                        "services.loadbalancers"}) &&
      !is_huge_page_resource(name) && name.substr(0, 19) != "requests.hugepages-")
    errors.invalid(path, name, "must be a standard resource type or fully qualified");
}

namespace {

void check_pod_resource_name(const Path& path, std::string_view name, FieldErrors& errors) {
  const std::size_t before = errors.size();
  check_qualified_resource_name(path, name, errors);
  if (errors.size() == before && !is_one_of(name, {"cpu", "memory"}) &&
      !is_huge_page_resource(name))
    errors.not_supported(path, name, {"cpu", "hugepages-", "memory"});
}

void check_huge_page(const Path& path, std::string_view name, const Value& quantity,
                     FieldErrors& errors) {
  const auto page = Quantity::parse(name.substr(10));
  const bool good = page && page->nano() > 0 && page->nano() % 1'000'000'000 == 0 &&
                    Quantity::of(quantity).value() % page->value() == 0;
  if (!good)
    errors.invalid(path, quantity,
                   quantity.str() + " is not positive integer multiple of " + std::string(name));
}

void check_claims(const Path& path, const Value& claims, const Names& known, FieldErrors& errors) {
  Names names;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    const std::string name = claims[i]["name"].str(), request = claims[i]["request"].str();
    const Path at = path.index(i);
    if (name.empty()) {
      errors.required(at);
      continue;
    }
    if (names.count(name) > 0) {
      errors.duplicate(at, name);
    } else {
      std::string key = name;
      if (!request.empty()) {
        errors.invalid_each(at.child("request"), request, dns1123_label_messages(request));
        key += '/' + request;
      }
      if (names.count(key) > 0) {
        errors.duplicate(at, key);
      } else if (request.empty()) {
        for (const std::string& other : names)
          if (other.size() > name.size() && other.substr(0, name.size() + 1) == name + '/')
            errors.duplicate(at, name);
      }
      names.insert(key);
    }
    if (known.count(name) > 0) continue;
    std::string detail = "must be one of the names in pod.spec.resourceClaims";
    if (known.empty()) {
      detail += " which is empty";
    } else {
      std::string list;
      for (const std::string& k : known) list += (list.empty() ? "" : ", ") + k;
      detail += ": " + list;
    }
    errors.add({FieldError::Type::not_found, at.text(), name, detail, {}});
  }
}

}  // namespace

void check_resources(const Path& path, const Value& resources, const Names* claims, bool pod_level,
                     FieldErrors& errors) {
  const Path limits = path.child("limits"), requests = path.child("requests");
  bool compute = false, huge = false;
  const auto one = [&](const Path& at, std::string_view name, const Value& quantity) {
    if (pod_level)
      check_pod_resource_name(at, name, errors);
    else
      check_resource_name(at, name, errors);
    check_resource_quantity(at, name, quantity, errors);
    compute = compute || name == "cpu" || name == "memory";
  };
  for (const codec::Member& m : resources["limits"].members()) {
    const Path at = limits.key(m.key());
    one(at, m.key(), m.value);
    if (!is_huge_page_resource(m.key())) continue;
    huge = true;
    check_huge_page(at, m.key(), m.value, errors);
  }
  for (const codec::Member& m : resources["requests"].members()) {
    const std::string_view name = m.key();
    const Path at = requests.key(name);
    one(at, name, m.value);
    const Value* limit = resources["limits"].find(name);
    const bool overcommit = is_native_resource(name) && !is_huge_page_resource(name);
    if (limit != nullptr) {
      const auto order = Quantity::of(m.value) <=> Quantity::of(*limit);
      const std::string of = std::string(name) + " limit of " + limit->str();
      if (order != 0 && !overcommit)
        errors.invalid(requests, m.value, "must be equal to " + of);
      else if (order > 0)
        errors.invalid(requests, m.value, "must be less than or equal to " + of);
    } else if (!overcommit) {
      errors.required(limits, "Limit must be set for non overcommitable resources");
    }
    if (!is_huge_page_resource(name)) continue;
    huge = true;
    check_huge_page(at, name, m.value, errors);
  }
  if (!compute && huge) errors.forbidden(path, "HugePages require cpu or memory");
  if (claims != nullptr) check_claims(path.child("claims"), resources["claims"], *claims, errors);
}

namespace {

void check_user_name(const Path& path, const std::string& name, FieldErrors& errors) {
  const auto fail = [&](std::string_view detail) { errors.invalid(path, name, detail); };
  if (name.empty()) return fail("runAsUserName cannot be an empty string");
  if (std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    return fail("runAsUserName cannot contain control characters");
  const std::vector<std::string> parts = split(name, '\\');
  if (parts.size() > 2) return fail("runAsUserName cannot contain more than one backslash");
  const std::string domain = parts.size() == 2 ? parts[0] : "";
  const std::string& user = parts.back();
  if (domain.size() >= 256) fail("runAsUserName's Domain length must be under 256 characters");
  if (parts.size() == 2) {
    const bool netbios = !domain.empty() && domain.size() <= 15 && domain[0] != '.' &&
                         domain.find_first_of("\\/:*?\"<>|") == std::string::npos;
    if (!netbios && !dns1123_subdomain_messages(to_lower(domain)).empty())
      fail("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
  }
  if (user.empty())
    fail("runAsUserName's User cannot be empty");
  else if (user.size() > 104)
    fail("runAsUserName's User length must not be longer than 104 characters");
  if (!user.empty() && user.find_first_not_of(". ") == std::string::npos)
    fail("runAsUserName's User cannot contain only periods or spaces");
  if (user.find_first_of("\"/\\:;|=,+*?<>@[]") != std::string::npos)
    fail("runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]");
}

}  // namespace

void check_windows_options(const Path& path, const Value& options, FieldErrors& errors) {
  if (options.is_null()) return;
  if (const Value& name = options["gmsaCredentialSpecName"]; !name.is_null())
    errors.invalid_each(path.child("gmsaCredentialSpecName"), name,
                        dns1123_subdomain_messages(name.as_string()));
  if (const Value& spec = options["gmsaCredentialSpec"]; !spec.is_null()) {
    if (empty_text(spec))
      errors.invalid(path.child("gmsaCredentialSpec"), spec,
                     "gmsaCredentialSpec cannot be an empty string");
    else if (spec.as_string().size() > 64 * 1024)
      errors.invalid(path.child("gmsaCredentialSpec"), spec,
                     "gmsaCredentialSpec size must be under 64 KiB");
  }
  if (const Value& name = options["runAsUserName"]; !name.is_null())
    check_user_name(path.child("runAsUserName"), name.str(), errors);
}

void check_security_context(const Path& path, const Value& context, bool host_users,
                            FieldErrors& errors) {
  for (const char* field : {"runAsUser", "runAsGroup"})
    if (!context[field].is_null())
      errors.invalid_each(path.child(field), context[field],
                          in_range_messages(context[field].as_int(), 0, INT32_MAX));
  if (const Value& proc = context["procMount"]; !proc.is_null()) {
    check_supported(path.child("procMount"), proc, {"Default", "Unmasked"}, errors);
    if (host_users && proc.as_string() == "Unmasked")
      errors.invalid(path.child("procMount"), proc, "`hostUsers` must be false to use `Unmasked`");
  }
  check_seccomp_profile(path.child("seccompProfile"), context["seccompProfile"], errors);
  const Value& escalation = context["allowPrivilegeEscalation"];
  if (!escalation.is_null() && !escalation.as_bool()) {
    const auto fail = [&](std::string_view detail) {
      errors.invalid_printed(path, printed_internal("io.k8s.api.core.v1.SecurityContext", context),
                             detail);
    };
    if (context["privileged"].as_bool())
      fail("cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
    for (const Value& capability : context["capabilities"]["add"].elements())
      if (capability.as_string() == "CAP_SYS_ADMIN")
        fail(
            "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` "
            "CAP_SYS_ADMIN");
  }
  check_windows_options(path.child("windowsOptions"), context["windowsOptions"], errors);
  check_app_armor_profile(path.child("appArmorProfile"), context["appArmorProfile"], errors);
}

void check_seccomp_profile(const Path& path, const Value& profile, FieldErrors& errors) {
  if (profile.is_null()) return;
  const std::string_view type = text_of(profile, "type");
  if (type.empty())
    errors.required(path.child("type"), "type is required when seccompProfile is set");
  else
    check_supported(path.child("type"), type, {"Localhost", "RuntimeDefault", "Unconfined"},
                    errors);
  const Value& local = profile["localhostProfile"];
  const Path at = path.child("localhostProfile");
  if (type == "Localhost") {
    if (local.is_null())
      errors.required(at, "must be set when seccomp type is Localhost");
    else
      check_descending_path(at, local.as_string(), errors);
  } else if (!local.is_null()) {
    errors.invalid_printed(at, printed_internal("io.k8s.api.core.v1.SeccompProfile", profile),
                           "can only be set when seccomp type is Localhost");
  }
}

void check_app_armor_profile(const Path& path, const Value& profile, FieldErrors& errors) {
  if (profile.is_null()) return;
  const std::string_view type = text_of(profile, "type");
  const Value& local = profile["localhostProfile"];
  const Path at = path.child("localhostProfile");
  constexpr std::string_view wanted = "must be set when AppArmor type is Localhost";
  if (type == "Localhost") {
    const std::string_view text = local.as_string();
    if (local.is_null())
      errors.required(at, wanted);
    else if (trim(text) != text)
      errors.invalid(at, text, "must not be padded with whitespace");
    else if (text.empty())
      errors.required(at, wanted);
    if (text.size() > 4095) errors.too_long(at, 4095);
  } else if (type == "RuntimeDefault" || type == "Unconfined") {
    if (!local.is_null())
      errors.invalid(at, local, "can only be set when AppArmor type is Localhost");
  } else if (type.empty()) {
    errors.required(path.child("type"), "type is required when appArmorProfile is set");
  } else {
    check_supported(path.child("type"), type, {"Localhost", "RuntimeDefault", "Unconfined"},
                    errors);
  }
}

}  // namespace keelson::model
