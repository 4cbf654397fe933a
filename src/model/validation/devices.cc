// Dynamic resource allocation: claims, their templates, device classes. Slices: device_slices.cc.
#include <map>

#include "codec/json.h"
#include "model/cel/device_expressions.h"
#include "model/go_print.h"
#include "model/validation/device_parts.h"
#include "model/validation/pod.h"
#include "model/validation/rules.h"

namespace keelson::model {

void check_label(const Path& path, const Value& name, FieldErrors& errors) {
  errors.invalid_each(path, name.str(), dns1123_label_messages(name.as_string()));
}

void check_identifier(const Path& path, const std::string& name, FieldErrors& errors) {
  if (name.size() > 32) errors.too_long(path, 32);
  errors.invalid_each(path, name, c_identifier_messages(name));
}

// "name" or "domain/name".
void check_device_qualified_name(const Path& path, const std::string& name, FieldErrors& errors) {
  const auto parts = split(name, '/');
  if (parts.size() > 2) return;
  if (parts.size() == 2) {
    if (parts[0].empty())
      errors.invalid(path, "", "the domain must not be empty");
    else
      check_csi_driver_name(path, parts[0], errors);
    if (parts[1].empty())
      errors.invalid(path, "", "the name must not be empty");
    else
      check_identifier(path, std::string(parts[1]), errors);
    return;
  }
  check_identifier(path, name, errors);
}

namespace {

const Path& spec_path() {
  static const Path path("spec");
  return path;
}

constexpr std::size_t kParametersMax = 10 * 1024;
constexpr std::string_view kOneOfRequest =
    "exactly one of `exactly` or `firstAvailable` is required";
constexpr std::string_view kNotARequest =
    "must be the name of a request in the claim or the name of a request and a subrequest "
    "separated by '/'";

}  // namespace

RequestNames names_of_requests(const Value& requests) {
  RequestNames names;
  for (const Value& request : requests.elements()) {
    auto& sub_names = names[request["name"].str()];
    sub_names.clear();
    for (const Value& sub : request["firstAvailable"].elements())
      sub_names.insert(sub["name"].str());
  }
  return names;
}

void check_request_reference(const Path& path, const Value& reference, const RequestNames& names,
                             FieldErrors& errors) {
  const auto parts = split(reference.str(), '/');
  if (parts.size() > 2) {
    errors.invalid(path, reference, kNotARequest);
    return;
  }
  for (const auto& part : parts)
    errors.invalid_each(path, std::string(part), dns1123_label_messages(part));
  const auto found = names.find(std::string(parts[0]));
  if (found == names.end() ||
      (parts.size() == 2 && found->second.count(std::string(parts[1])) == 0))
    errors.invalid(path, reference, kNotARequest);
}

void check_opaque(const Path& path, const Value& config, FieldErrors& errors) {
  const Path opaque = path.child("opaque");
  if (config["opaque"].is_null()) {
    errors.required(opaque);
    return;
  }
  check_csi_driver_name(opaque.child("driver"), text_of(config["opaque"], "driver"), errors);
  check_json_object(opaque.child("parameters"), config["opaque"]["parameters"], errors);
}

void check_json_object(const Path& path, const Value& value, FieldErrors& errors) {
  if (value.is_null())
    errors.required(path);
  else if (codec::to_json(value).size() > kParametersMax)
    errors.too_long(path, kParametersMax);
  else if (!value.is_object())
    errors.invalid(path, "<value omitted>", "must be a valid JSON object");
}

namespace {

void check_fully_qualified_name(const Path& path, const Value& name, FieldErrors& errors) {
  check_device_qualified_name(path, name.str(), errors);
  if (name.as_string().find('/') == std::string_view::npos)
    errors.invalid(path, name,
                   "a fully qualified name must be a domain and a name separated by a "
                   "slash");
}

void check_device_expression(const Path& path, const Value& text, FieldErrors& errors) {
  const auto expression = device_expression(text.as_string());
  if (!expression->error().empty())
    errors.invalid(path, text.str(), expression->error());
  else if (expression->too_complex())
    errors.forbidden(path, "too complex, exceeds cost limit");
}

void check_device_selectors(const Path& path, const Value& selectors, FieldErrors& errors) {
  check_items(path, selectors, 32, errors, [&](const Path& at, const Value& selector) {
    const Path cel = at.child("cel");
    if (selector["cel"].is_null())
      errors.required(cel);
    else if (selector["cel"]["expression"].as_string().size() > kParametersMax)
      errors.too_long(cel.child("expression"), kParametersMax);
    else
      check_device_expression(cel.child("expression"), selector["cel"]["expression"], errors);
  });
}

void check_device_toleration(const Path& path, const Value& toleration, FieldErrors& errors) {
  const std::string key = toleration["key"].str(), value = toleration["value"].str();
  const std::string op = toleration["operator"].str(), effect = toleration["effect"].str();
  if (!key.empty()) errors.invalid_each(path.child("key"), key, label_key_messages(key));
  if (op == "Exists") {
    if (!value.empty())
      errors.invalid(path.child("value"), value, "must be empty for operator `Exists`");
  } else if (op == "Equal") {
    errors.invalid_each(path.child("value"), value, label_value_messages(value));
  } else {
    check_one_of(path.child("operator"), op, {"Equal", "Exists"}, errors);
  }
  if (!effect.empty())
    check_supported(path.child("effect"), effect, {"NoExecute", "NoSchedule", "None"}, errors);
}

// What the forms of a request share.
void check_exact_request(const Path& path, const Value& request, FieldErrors& errors) {
  const Path device_class = path.child("deviceClassName");
  if (empty_text(request["deviceClassName"]))
    errors.required(device_class);
  else
    errors.invalid_each(device_class, request["deviceClassName"],
                        dns1123_subdomain_messages(text_of(request, "deviceClassName")));
  check_device_selectors(path.child("selectors"), request["selectors"], errors);
  const std::string mode = request["allocationMode"].str();
  const auto count = request["count"].as_int();
  if (mode == "All") {
    if (count != 0)
      errors.invalid(path.child("count"), count,
                     "must not be specified when allocationMode is 'All'");
  } else if (mode == "ExactCount") {
    if (count <= 0) errors.invalid(path.child("count"), count, kNotPositive);
  } else {
    errors.not_supported(path.child("allocationMode"), mode, {"All", "ExactCount"});
  }
  const Path tolerations = path.child("tolerations");
  for (std::size_t i = 0; i < request["tolerations"].size(); ++i)
    check_device_toleration(tolerations.index(i), request["tolerations"][i], errors);
}

void check_request(const Path& path, const Value& request, FieldErrors& errors) {
  check_label(path.child("name"), request["name"], errors);
  const bool exactly = !request["exactly"].is_null(), first = !request["firstAvailable"].empty();
  if (exactly && first)
    errors.invalid(path, Value(), std::string(kOneOfRequest) + ", but multiple fields are set");
  else if (exactly)
    check_exact_request(path.child("exactly"), request["exactly"], errors);
  else if (first)
    check_set(path.child("firstAvailable"), request["firstAvailable"], 8, "name", errors,
              [&](const Path& at, const Value& sub) {
                check_label(at.child("name"), sub["name"], errors);
                check_exact_request(at, sub, errors);
              });
  else
    errors.required(path, kOneOfRequest);
}

void check_device_claim(const Path& path, const Value& spec, FieldErrors& errors) {
  const Value& devices = spec["devices"];
  const Path at = path.child("devices");
  const RequestNames names = names_of_requests(devices["requests"]);
  const auto reference = [&](const Path& place, const Value& name) {
    check_request_reference(place, name, names, errors);
  };
  check_set(
      at.child("requests"), devices["requests"], 32, "name", errors,
      [&](const Path& place, const Value& request) { check_request(place, request, errors); });
  check_items(
      at.child("constraints"), devices["constraints"], 32, errors,
      [&](const Path& place, const Value& constraint) {
        check_set(place.child("requests"), constraint["requests"], 32, "", errors, reference);
        if (!constraint["matchAttribute"].is_null())
          check_fully_qualified_name(place.child("matchAttribute"), constraint["matchAttribute"],
                                     errors);
        else if (!constraint["distinctAttribute"].is_null())
          check_fully_qualified_name(place.child("distinctAttribute"),
                                     constraint["distinctAttribute"], errors);
        else
          errors.required(place,
                          "exactly one of \"matchAttribute\" or \"distinctAttribute\" is required, "
                          "but multiple fields are set");
      });
  check_items(at.child("config"), devices["config"], 32, errors,
              [&](const Path& place, const Value& config) {
                check_set(place.child("requests"), config["requests"], 32, "", errors, reference);
                check_opaque(place, config, errors);
              });
}

void check_claim(const Value& object, FieldErrors& errors) {
  check_device_claim(spec_path(), object["spec"], errors);
}

void update_claim(const Value& object, const Value& old, FieldErrors& errors) {
  if (!(object["spec"] == old["spec"]))
    errors.invalid_printed(
        spec_path(), printed_internal("io.k8s.api.resource.v1.ResourceClaimSpec", object["spec"]),
        kImmutable);
}

void check_template(const Value& object, FieldErrors& errors) {
  const Value& metadata = object["spec"]["metadata"];
  const Path at = spec_path().child("metadata");
  check_template_metadata(at, metadata, errors);
  check_device_claim(spec_path().child("spec"), object["spec"]["spec"], errors);
}

void update_template(const Value& object, const Value& old, FieldErrors& errors) {
  if (!(object["spec"] == old["spec"]))
    errors.invalid_printed(
        spec_path(),
        printed_internal("io.k8s.api.resource.v1.ResourceClaimTemplateSpec", object["spec"]),
        kImmutable);
}

void check_device_class(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  check_device_selectors(spec_path().child("selectors"), spec["selectors"], errors);
  check_items(spec_path().child("config"), spec["config"], 32, errors,
              [&](const Path& at, const Value& config) { check_opaque(at, config, errors); });
  const Value& name = spec["extendedResourceName"];
  if (!name.is_null() && !is_extended_resource(name.as_string()))
    errors.invalid(spec_path().child("extendedResourceName"), name,
                   "must be a valid extended resource name");
}

}  // namespace

std::vector<KindRules> device_rules() {
  return {
      {.resource = "resourceclaims.resource.k8s.io",
       .create = check_claim,
       .update = update_claim,
       .status = status_device_claim,
       .recheck = Recheck::metadata},
      {.resource = "resourceclaimtemplates.resource.k8s.io",
       .create = check_template,
       .update = update_template,
       .recheck = Recheck::before},
      {.resource = "deviceclasses.resource.k8s.io",
       .name = declared_subdomain_name,
       .create = check_device_class,
       .recheck = Recheck::before},
  };
}

}  // namespace keelson::model
