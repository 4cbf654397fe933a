// What is registered with the cluster: addresses, aggregated APIs.
#include <algorithm>

#include "codec/json.h"
#include "model/certificates.h"
#include "model/go_print.h"
#include "model/validation/rules.h"

namespace keelson::model {
namespace {

const Path& spec_path() {
  static const Path path("spec");
  return path;
}

// Addresses.

Messages address_name(std::string_view name, bool) {
  FieldErrors errors;
  check_canonical_ip(Path("name"), name, errors);
  Messages messages;
  for (const FieldError& error : errors.list()) messages.push_back(error.detail);
  return messages;
}

void check_address(const Value& object, FieldErrors& errors) {
  const Value& parent = object["spec"]["parentRef"];
  const Path path = spec_path().child("parentRef");
  if (parent.is_null()) {
    errors.required(path);
    return;
  }
  if (!empty_text(parent["group"]))
    errors.invalid_each(path.child("group"), parent["group"],
                        dns1123_subdomain_messages(text_of(parent, "group")));
  for (const char* field : {"resource", "name", "namespace"}) {
    if (!empty_text(parent[field]))
      errors.invalid_each(path.child(field), parent[field],
                          path_segment_messages(text_of(parent, field)));
    else if (std::string_view(field) != "namespace")
      errors.required(path.child(field));
  }
}

void update_address(const Value& object, const Value& old, FieldErrors& errors) {
  const Value &now = object["spec"]["parentRef"], &before = old["spec"]["parentRef"];
  if (!(now == before))
    errors.invalid_printed(spec_path().child("parentRef"),
                           printed_internal("io.k8s.api.networking.v1.ParentReference", now),
                           kImmutable);
}

void check_service_range(const Value& object, FieldErrors& errors) {
  const Value& ranges = object["spec"]["cidrs"];
  const Path path = spec_path().child("cidrs");
  if (ranges.empty()) {
    errors.required(path, "at least one CIDR required");
    return;
  }
  if (ranges.size() > 2) {
    errors.invalid_printed(
        path, printed_internal("io.k8s.api.networking.v1.ServiceCIDRSpec", object["spec"]),
        "may only hold up to 2 values");
    return;
  }
  for (std::size_t i = 0; i < ranges.size(); ++i)
    check_canonical_cidr(path.index(i), ranges[i].as_string(), errors);
  if (ranges.size() < 2 || !is_cidr(ranges[0].as_string()) || !is_cidr(ranges[1].as_string()))
    return;
  const auto is_v6 = [](const Value& range) {
    return range.as_string().find(':') != std::string_view::npos;
  };
  if (is_v6(ranges[0]) == is_v6(ranges[1]))
    errors.invalid(path, ranges,
                   "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and "
                   "2001:db8::/64");
}

void update_service_range(const Value& object, const Value& old, FieldErrors& errors) {
  const Value &now = object["spec"]["cidrs"], &before = old["spec"]["cidrs"];
  const Path path = spec_path().child("cidrs");
  if (now.size() == before.size()) {
    for (std::size_t i = 0; i < now.size(); ++i)
      check_immutable(path.index(i), now[i], before[i], errors);
  } else if (now.size() == 2 && before.size() == 1) {
    check_immutable(path.index(0), now[0], before[0], errors);
    check_service_range(object, errors);
  } else {
    errors.invalid(path, now, kImmutable);
  }
}

// Aggregated APIs.

void check_api_service(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  const Path metadata("metadata");
  check_metadata(object["metadata"], false, path_segment_name, metadata, errors);
  const std::string group = spec["group"].str(), version = spec["version"].str();
  const std::string wanted = version + '.' + group;
  for (const char* field : {"generateName", "name"})
    if (const std::string given = object["metadata"][field].str();
        !given.empty() && path_segment_messages(given).empty() && given != wanted)
      errors.invalid(metadata.child(field), given,
                     "must be `spec.version+\".\"+spec.group`: " + codec::to_json(Value(wanted)));
  if (group.empty() && version != "v1")
    errors.required(spec_path().child("group"),
                    "only v1 may have an empty group and it better be legacy kube");
  if (!group.empty())
    errors.invalid_each(spec_path().child("group"), group, dns1123_subdomain_messages(group));
  errors.invalid_each(spec_path().child("version"), version, dns1035_label_messages(version));
  for (const auto& [field, most] :
       {std::pair("groupPriorityMinimum", 20000), std::pair("versionPriority", 1000)})
    if (const auto priority = spec[field].as_int(); priority <= 0 || priority > most)
      errors.invalid(spec_path().child(field), priority,
                     "must be positive and less than " + std::to_string(most));
  const Path bundle = spec_path().child("caBundle"),
             insecure = spec_path().child("insecureSkipTLSVerify"),
             service = spec_path().child("service");
  const std::size_t size = from_base64(spec["caBundle"].as_string()).value_or("").size();
  const bool skips = spec["insecureSkipTLSVerify"].as_bool();
  if (spec["service"].is_null()) {
    if (size > 0)
      errors.invalid(bundle, std::to_string(size) + " bytes",
                     "local APIServices may not have a caBundle");
    if (skips)
      errors.invalid(insecure, true, "local APIServices may not have insecureSkipTLSVerify");
    return;
  }
  for (const char* field : {"namespace", "name"})
    if (empty_text(spec["service"][field])) errors.required(service.child(field));
  const auto port = spec["service"]["port"].as_int();
  if (const auto messages = port_number_messages(port); !messages.empty())
    errors.invalid(service.child("port"), port, "port is not valid: " + join(messages, ", "));
  if (skips && size > 0) errors.invalid(insecure, true, "may not be true if caBundle is present");
}

void update_api_service(const Value& object, const Value& old, FieldErrors& errors) {
  check_metadata_update(object["metadata"], old["metadata"], Path("metadata"), errors);
  check_api_service(object, errors);
}

void status_api_service(const Value& object, const Value&, FieldErrors& errors) {
  const Path status("status");
  const Path conditions = status.child("conditions");
  const Value& list = object["status"]["conditions"];
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Path at = conditions.index(i);
    check_supported(at.child("status"), list[i]["status"].str(), {"True", "False", "Unknown"},
                    errors);
  }
}

}  // namespace

std::vector<KindRules> registration_rules() {
  return {
      {"ipaddresses.networking.k8s.io", address_name, check_address, update_address, nullptr,
       Recheck::before},
      {"servicecidrs.networking.k8s.io", subdomain_name, check_service_range, update_service_range,
       nullptr, Recheck::none},
      {"apiservices.apiregistration.k8s.io", subdomain_name, check_api_service, update_api_service,
       status_api_service, Recheck::custom, true},
  };
}

}  // namespace keelson::model
