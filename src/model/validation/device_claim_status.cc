// Status of resource claims. An allocation is checked when it is made and stays as it was then;
// what drivers report must be about allocated devices.
#include <algorithm>
#include <cctype>

#include "codec/json.h"
#include "model/go_print.h"
#include "model/validation/device_parts.h"
#include "model/validation/pod.h"
#include "model/validation/statuses.h"

namespace keelson::model {
namespace {

// As github.com/google/uuid reads identifiers, and then in the one form that is wanted.
void check_share(const Path& path, const std::string& id, FieldErrors& errors) {
  const auto wrong = [&](const std::string& why) {
    errors.invalid(path, id, "error validating uid: " + why);
  };
  std::string_view text = id;
  if (text.size() == 36 + 9) {
    if (to_lower(text.substr(0, 9)) != "urn:uuid:")
      return wrong("invalid urn prefix: " + codec::to_json(Value(text.substr(0, 9))));
    text.remove_prefix(9);
  } else if (text.size() == 36 + 2) {
    if (text.front() != '{' || text.back() != '}') return wrong("invalid bracketed UUID format");
    text = text.substr(1, 36);
  } else if (text.size() != 36 && text.size() != 32) {
    return wrong("invalid UUID length: " + std::to_string(id.size()));
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = text.size() == 36 && (i == 8 || i == 13 || i == 18 || i == 23);
    const bool hex = std::isxdigit(static_cast<unsigned char>(text[i])) != 0;
    if (dash ? text[i] != '-' : !hex) return wrong("invalid UUID format");
  }
  if (id.size() != 36 || to_lower(id) != id)
    errors.invalid(path, id,
                   "uid must be in RFC 4122 normalized form, "
                   "`xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters");
}

// Driver, pool, device and share: what tells allocated devices apart.
std::string printed_device(const Value& device) {
  std::string out = "{";
  for (const auto& [name, field] : {std::pair("Driver", "driver"), std::pair("Pool", "pool"),
                                    std::pair("Device", "device"), std::pair("ShareID", "shareID")})
    out += (out.size() > 1 ? ",\"" : "\"") + std::string(name) +
           "\":" + codec::to_json(Value(device[field].str()));
  return out + '}';
}

void check_device_names(const Path& path, const Value& device, FieldErrors& errors) {
  check_csi_driver_name(path.child("driver"), text_of(device, "driver"), errors);
  check_pool_name(path.child("pool"), device["pool"].str(), errors);
  check_label(path.child("device"), device["device"], errors);
}

void check_result(const Path& path, const Value& result, const RequestNames& names,
                  FieldErrors& errors) {
  check_request_reference(path.child("request"), Value(result["request"].str()), names, errors);
  check_device_names(path, result, errors);
  check_binding_conditions(path, result, errors);
  if (result.has("shareID")) check_share(path.child("shareID"), result["shareID"].str(), errors);
}

void check_configuration(const Path& path, const Value& config, const RequestNames& names,
                         FieldErrors& errors) {
  check_one_of(path.child("source"), config["source"], {"FromClaim", "FromClass"}, errors);
  check_set(
      path.child("requests"), config["requests"], 32, "", errors,
      [&](const Path& at, const Value& name) { check_request_reference(at, name, names, errors); });
  check_opaque(path, config, errors);
}

void check_allocation(const Path& path, const Value& allocation, const RequestNames& names,
                      FieldErrors& errors) {
  const Path devices = path.child("devices");
  check_items(devices.child("results"), allocation["devices"]["results"], 32, errors,
              [&](const Path& at, const Value& one) { check_result(at, one, names, errors); });
  check_items(
      devices.child("config"), allocation["devices"]["config"], 64, errors,
      [&](const Path& at, const Value& one) { check_configuration(at, one, names, errors); });
  if (!allocation["nodeSelector"].is_null())
    check_node_selector(path.child("nodeSelector"), allocation["nodeSelector"], errors);
}

// "10.9.8.7/24": an address with the length of its network's prefix.
void check_interface_address(const Path& path, const Value& address, FieldErrors& errors) {
  if (!is_cidr(address.as_string()))
    errors.invalid(path, address.str(),
                   "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)");
}

void check_network(const Path& path, const Value& network, FieldErrors& errors) {
  if (text_of(network, "interfaceName").size() > 256)
    errors.too_long(path.child("interfaceName"), 256);
  if (text_of(network, "hardwareAddress").size() > 128)
    errors.too_long(path.child("hardwareAddress"), 128);
  check_set(path.child("ips"), network["ips"], 16, "", errors,
            [&](const Path& at, const Value& ip) { check_interface_address(at, ip, errors); });
}

void check_reported(const Path& path, const Value& device, const std::set<std::string>& allocated,
                    FieldErrors& errors) {
  constexpr std::size_t kConditionsMax = 8;
  check_device_names(path, device, errors);
  if (device.has("shareID")) check_share(path.child("shareID"), device["shareID"].str(), errors);
  if (allocated.count(printed_device(device)) == 0)
    errors.invalid_printed(path, printed_device(device),
                           "must be an allocated device in the claim");
  const Value& conditions = device["conditions"];
  if (conditions.size() > kConditionsMax)
    errors.too_many(path.child("conditions"), std::ssize(conditions.elements()), kConditionsMax);
  check_standard_conditions(path.child("conditions"), conditions, errors);
  if (!device["data"].is_null()) check_json_object(path.child("data"), device["data"], errors);
  if (!device["networkData"].is_null())
    check_network(path.child("networkData"), device["networkData"], errors);
}

void check_users(const Path& path, const Value& users, FieldErrors& errors) {
  check_set(path, users, 256, "uid", errors, [&](const Path& at, const Value& user) {
    for (const char* field : {"resource", "name", "uid"})
      if (empty_text(user[field])) errors.required(at.child(field));
  });
}

}  // namespace

void status_device_claim(const Value& claim, const Value& old, FieldErrors& errors) {
  check_kind_metadata_update(claim["metadata"], old["metadata"], Path("metadata"), errors);
  const Path status("status"), users = status.child("reservedFor"),
                               allocation = status.child("allocation");
  const Value &now = claim["status"], &before = old["status"];
  check_users(users, now["reservedFor"], errors);
  std::set<std::string> allocated;
  for (const Value& result : now["allocation"]["devices"]["results"].elements())
    allocated.insert(printed_device(result));
  const Path devices = status.child("devices");
  const bool few = check_items(
      devices, now["devices"], now["devices"].size(), errors,
      [&](const Path& at, const Value& one) { check_reported(at, one, allocated, errors); });
  std::set<std::string> seen;
  for (std::size_t i = 0; few && i < now["devices"].size(); ++i)
    if (!seen.insert(printed_device(now["devices"][i])).second)
      errors.add({.type = FieldError::Type::duplicate,
                  .field = devices.index(i).text(),
                  .bad_value = {},
                  .detail = {},
                  .printed = printed_device(now["devices"][i])});
  if (!now["reservedFor"].empty() && now["allocation"].is_null()) {
    errors.forbidden(users, "may not be specified when `allocated` is not set");
  } else if (!claim["metadata"]["deletionTimestamp"].is_null()) {
    const auto& had = before["reservedFor"].elements();
    const auto& has = now["reservedFor"].elements();
    if (std::any_of(has.begin(), has.end(), [&](const Value& user) {
          return std::find(had.begin(), had.end(), user) == had.end();
        }))
      errors.forbidden(users,
                       "new entries may not be added while `deallocationRequested` or "
                       "`deletionTimestamp` are set");
  }
  if (now["allocation"].is_null()) return;
  if (before["allocation"].is_null())
    check_allocation(allocation, now["allocation"],
                     names_of_requests(claim["spec"]["devices"]["requests"]), errors);
  else if (!(now["allocation"] == before["allocation"]))
    errors.invalid_printed(
        allocation, printed_internal("io.k8s.api.resource.v1.AllocationResult", now["allocation"]),
        kImmutable);
}

}  // namespace keelson::model
