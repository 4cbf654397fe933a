// Dynamic resource allocation: claims, their templates, device classes and resource slices.
// Expressions are not compiled here.
#include <map>

#include "codec/json.h"
#include "model/cel/device_expressions.h"
#include "model/go_print.h"
#include "model/validation/pod.h"
#include "model/validation/rules.h"

namespace keelson::model {
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

// False, with an error, if there are more than `most`; else each item is checked.
template <typename Check>
bool check_items(const Path& path, const Value& list, std::size_t most, FieldErrors& errors,
                 const Check& check) {
  if (list.size() > most) {
    errors.too_many(path, static_cast<std::int64_t>(list.size()), static_cast<std::int64_t>(most));
    return false;
  }
  for (std::size_t i = 0; i < list.size(); ++i) check(path.index(i), list[i]);
  return true;
}

// The same, and then no two items may have one key. `key` names a field; empty: the item itself.
template <typename Check>
void check_set(const Path& path, const Value& list, std::size_t most, std::string_view key,
               FieldErrors& errors, const Check& check) {
  if (!check_items(path, list, most, errors, check)) return;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string text = key.empty() ? list[i].str() : list[i][key].str();
    if (!seen.insert(text).second) errors.duplicate(path.index(i), text);
  }
}

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

void check_fully_qualified_name(const Path& path, const Value& name, FieldErrors& errors) {
  check_device_qualified_name(path, name.str(), errors);
  if (name.as_string().find('/') == std::string_view::npos)
    errors.invalid(path, name,
                   "a fully qualified name must be a domain and a name separated by a "
                   "slash");
}

void check_device_selectors(const Path& path, const Value& selectors, FieldErrors& errors) {
  check_items(path, selectors, 32, errors, [&](const Path& at, const Value& selector) {
    const Path cel = at.child("cel");
    const std::string_view text = selector["cel"]["expression"].as_string();
    const Path expression = cel.child("expression");
    if (selector["cel"].is_null()) return errors.required(cel);
    if (text.size() > kParametersMax) return errors.too_long(expression, kParametersMax);
    const DeviceExpressionProblem problem = device_expression_problem(text);
    if (problem.too_costly)
      errors.forbidden(expression, problem.message);
    else if (!problem.message.empty())
      errors.invalid(expression, text, problem.message);
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

using RequestNames = std::map<std::string, std::set<std::string>>;

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
  const Value& parameters = config["opaque"]["parameters"];
  const Path at = opaque.child("parameters");
  if (parameters.is_null())
    errors.required(at);
  else if (codec::to_json(parameters).size() > kParametersMax)
    errors.too_long(at, kParametersMax);
  else if (!parameters.is_object())
    errors.invalid(at, "<value omitted>", "must be a valid JSON object");
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
  check_annotations(at.child("annotations"), metadata["annotations"], errors);
  check_labels(at.child("labels"), metadata["labels"], errors);
  // Nothing but labels and annotations goes to the claims.
  for (const char* field : {"name", "generateName", "namespace", "uid", "resourceVersion",
                            "deletionGracePeriodSeconds", "finalizers", "ownerReferences"})
    if (!metadata[field].is_null() && !(metadata[field] == Value("")))
      errors.forbidden(at.child(field), "cannot be set");
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

void check_pool_name(const Path& path, const std::string& name, FieldErrors& errors) {
  if (name.empty()) {
    errors.required(path);
    return;
  }
  if (name.size() > 253) errors.too_long(path, 253);
  for (const auto& part : split(name, '/'))
    errors.invalid_each(path, std::string(part), dns1123_subdomain_messages(part));
}

bool is_semantic_version(const std::string& text) {
  const auto numeric = [](std::string_view s) {
    return !s.empty() && s.find_first_not_of("0123456789") == std::string_view::npos &&
           (s.size() == 1 || s[0] != '0');
  };
  const auto word = [](std::string_view s) {
    return !s.empty() &&
           s.find_first_not_of(
               "0123456789-"
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string_view::npos;
  };
  std::string_view rest = text;
  std::string_view build, before;
  const std::size_t plus = rest.find('+');
  if (plus != std::string_view::npos) {
    build = rest.substr(plus + 1);
    rest = rest.substr(0, plus);
    for (const auto& part : split(build, '.'))
      if (!word(part)) return false;
  }
  const std::size_t dash = rest.find('-');
  if (dash != std::string_view::npos) {
    before = rest.substr(dash + 1);
    rest = rest.substr(0, dash);
    for (const auto& part : split(before, '.')) {
      const std::string_view p = part;
      const bool digits = p.find_first_not_of("0123456789") == std::string_view::npos;
      if (!word(p) || (digits && !numeric(p))) return false;
    }
  }
  const auto numbers = split(rest, '.');
  return numbers.size() == 3 && numeric(numbers[0]) && numeric(numbers[1]) && numeric(numbers[2]);
}

void check_text_attribute(const Path& path, const Value& value, FieldErrors& errors) {
  if (value.as_string().size() > 64) errors.too_long(path, 64);
}

void check_version_attribute(const Path& path, const Value& value, FieldErrors& errors) {
  if (!is_semantic_version(value.str()))
    errors.invalid(path, value, "must be a string compatible with semver.org spec 2.0.0");
  check_text_attribute(path, value, errors);
}

void check_attribute(const Path& path, const Value& attribute, FieldErrors& errors) {
  int given = 0;
  for (const char* field :
       {"bool", "int", "string", "version", "bools", "ints", "strings", "versions"}) {
    const Value& value = attribute[field];
    if (value.is_null()) continue;
    ++given;
    const Path at = path.child(field);
    const std::string_view name = field;
    const bool version = name.substr(0, 7) == "version", text = name.substr(0, 6) == "string";
    if (value.is_array() && value.empty())
      errors.invalid(at, value, "must not be empty if specified");
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (text) check_text_attribute(at.index(i), value[i], errors);
      if (version) check_version_attribute(at.index(i), value[i], errors);
    }
    if (text && value.is_string()) check_text_attribute(at, value, errors);
    if (version && value.is_string()) check_version_attribute(at, value, errors);
  }
  constexpr std::string_view one = "exactly one value must be specified";
  if (given == 0) errors.invalid(path, "", one);
  if (given < 2) return;
  std::string printed = "{";
  for (const auto& [field, name] :
       {std::pair("int", "IntValue"), std::pair("bool", "BoolValue"),
        std::pair("string", "StringValue"), std::pair("version", "VersionValue"),
        std::pair("ints", "IntValues"), std::pair("bools", "BoolValues"),
        std::pair("strings", "StringValues"), std::pair("versions", "VersionValues")})
    printed += std::string(printed.size() > 1 ? ",\"" : "\"") + name +
               "\":" + codec::to_json(attribute[field]);
  errors.invalid_printed(path, printed + '}', one);
}

void check_valid_values(const Path& path, const Quantity& chosen, const Quantity& most,
                        const Value& values, FieldErrors& errors) {
  bool found = false;
  for (std::size_t i = 1; i < values.size(); ++i)
    if (Quantity::of(values[i]).nano() < Quantity::of(values[i - 1]).nano())
      errors.invalid(path.index(i), values[i], "values must be sorted in ascending order");
  check_set(path, values, 10, "", errors, [&](const Path& at, const Value& option) {
    const auto nano = Quantity::of(option).nano();
    if (nano > most.nano())
      errors.invalid(at, option, "option is larger than capacity value: " + most.text());
    found = found || nano == chosen.nano();
  });
  if (!found)
    errors.invalid(path, chosen.text(),
                   "default value is not valid according to the requestPolicy");
}

void check_valid_range(const Path& path, const Quantity& chosen, const Quantity& capacity,
                       const Value& range, FieldErrors& errors) {
  const Path at_least = path.child("min"), at_most = path.child("max"),
             at_step = path.child("step");
  if (range["min"].is_null()) {
    errors.required(at_least, "required when validRange is defined");
    return;
  }
  const Quantity least = Quantity::of(range["min"]);
  if (least.nano() > capacity.nano())
    errors.invalid(at_least, least.text(), "min is larger than capacity value: " + capacity.text());
  if (chosen.nano() < least.nano())
    errors.invalid(at_least, chosen.text(), "default is less than min: " + least.text());
  const bool limited = !range["max"].is_null();
  const Quantity most = limited ? Quantity::of(range["max"]) : Quantity();
  if (limited) {
    if (least.nano() > most.nano())
      errors.invalid(at_most, least.text(), "min is larger than max: " + most.text());
    if (most.nano() > capacity.nano())
      errors.invalid(at_most, most.text(), "max is larger than capacity value: " + capacity.text());
    if (chosen.nano() > most.nano())
      errors.invalid(at_most, chosen.text(), "default is more than max: " + most.text());
  }
  if (range["step"].is_null()) return;
  const Quantity step = Quantity::of(range["step"]);
  const auto check_multiple = [&](const Quantity& value) {
    if (step.value() != 0 && (value.value() - least.value()) % step.value() != 0)
      errors.invalid(at_step, value.text(),
                     "value is not a multiple of a given step (" + step.text() + ") from (" +
                         least.text() + ')');
  };
  if (least.nano() + step.nano() > capacity.nano())
    errors.invalid(
        at_step, step.text(),
        "one step " + (least + step).text() + " is larger than capacity value: " + capacity.text());
  check_multiple(chosen);
  if (limited) check_multiple(most);
}

void check_capacity(const Path& path, const Value& capacity, bool shared, FieldErrors& errors) {
  const Value& policy = capacity["requestPolicy"];
  if (policy.is_null()) return;
  const Path at = path.child("requestPolicy");
  const Value &values = policy["validValues"], &range = policy["validRange"];
  if (!shared) {
    errors.forbidden(at, "allowMultipleAllocations must be true");
  } else if (!values.empty() && !range.is_null()) {
    errors.forbidden(at,
                     "exactly one policy can be specified, cannot specify \"validValues\" and "
                     "\"validRange\" at the same time");
  } else if (!values.empty() || !range.is_null()) {
    const char* form = values.empty() ? "validRange" : "validValues";
    const Quantity most = Quantity::of(capacity["value"]);
    if (policy["default"].is_null())
      errors.required(at.child("default"), std::string("required when ") + form + " is defined");
    else if (values.empty())
      check_valid_range(at.child(form), Quantity::of(policy["default"]), most, range, errors);
    else
      check_valid_values(at.child(form), Quantity::of(policy["default"]), most, values, errors);
  }
}

void check_taint(const Path& path, const Value& taint, FieldErrors& errors) {
  const std::string key = taint["key"].str(), value = taint["value"].str();
  errors.invalid_each(path.child("key"), key, label_key_messages(key));
  errors.invalid_each(path.child("value"), value, label_value_messages(value));
  check_one_of(path.child("effect"), taint["effect"].str(), {"NoExecute", "NoSchedule", "None"},
               errors);
}

void check_binding_conditions(const Path& path, const Value& device, FieldErrors& errors) {
  const Value &wanted = device["bindingConditions"], &failed = device["bindingFailureConditions"];
  const Path at_wanted = path.child("bindingConditions"),
             at_failed = path.child("bindingFailureConditions");
  const auto check = [&](const Path& at, const Value& name) {
    errors.invalid_each(at, name.str(), label_key_messages(name.as_string()));
  };
  check_items(at_wanted, wanted, 4, errors, check);
  check_items(at_failed, failed, 4, errors, check);
  std::set<std::string> seen, seen_failed;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (!seen.insert(wanted[i].str()).second) errors.duplicate(at_wanted.index(i), wanted[i]);
  for (std::size_t i = 0; i < failed.size(); ++i) {
    if (!seen_failed.insert(failed[i].str()).second)
      errors.duplicate(at_failed.index(i), failed[i]);
    if (seen.count(failed[i].str()) > 0)
      errors.invalid(at_failed.index(i), failed[i],
                     "bindingFailureConditions must not overlap with bindingConditions");
  }
  if (wanted.empty() && !failed.empty())
    errors.invalid(at_wanted, wanted,
                   "bindingConditions are required to use bindingFailureConditions");
  if (failed.empty() && !wanted.empty())
    errors.invalid(at_failed, failed,
                   "bindingFailureConditions are required to use bindingConditions");
}

void check_counters(const Path& path, const Value& named, std::string_view name,
                    FieldErrors& errors) {
  const Path at = path.child("counters");
  if (empty_text(named[name]))
    errors.required(path.child(name));
  else
    check_label(path.child(name), named[name], errors);
  const Value& counters = named["counters"];
  if (counters.empty())
    errors.required(at);
  else if (counters.size() > 32)
    errors.too_many(at, static_cast<std::int64_t>(counters.size()), 32);
  else
    for (const auto& [key, counter] : counters.members())
      errors.invalid_each(at, key.str(), dns1123_label_messages(key.as_string()));
}

constexpr std::string_view kOneOfDeviceNodes =
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when "
    "`perDeviceNodeSelection` is set to true in the ResourceSlice spec";

// Appends the fields that choose nodes, and checks each.
void check_node_choice(const Path& path, const Value& owner, std::string_view empty_name,
                       std::vector<std::string>& given, FieldErrors& errors) {
  if (const Value& name = owner["nodeName"]; !name.is_null()) {
    if (empty_text(name)) {
      errors.invalid(path.child("nodeName"), name, empty_name);
    } else {
      given.emplace_back("`nodeName`");
      errors.invalid_each(path.child("nodeName"), name,
                          dns1123_subdomain_messages(name.as_string()));
    }
  }
  if (const Value& selector = owner["nodeSelector"]; !selector.is_null()) {
    given.emplace_back("`nodeSelector`");
    const Path at = path.child("nodeSelector");
    check_node_selector(at, selector, errors);
    const Value& terms = selector["nodeSelectorTerms"];
    if (empty_name != "must not be empty" && terms.size() != 1)
      errors.invalid_printed(at.child("nodeSelectorTerms"),
                             printed_internal_list("io.k8s.api.core.v1.NodeSelectorTerm", terms),
                             "must have exactly one node selector term");
  }
  if (const Value& all = owner["allNodes"]; !all.is_null()) {
    if (all.as_bool())
      given.emplace_back("`allNodes`");
    else
      errors.invalid(path.child("allNodes"), all, "must be either unset or set to true");
  }
}

std::string braced(const std::vector<std::string>& list) {
  std::string text = "{";
  for (const std::string& item : list) text += (text.size() > 1 ? ", " : "") + item;
  return text + '}';
}

void check_device(const Path& path, const Value& device, const Value& old, bool own_nodes,
                  FieldErrors& errors) {
  check_label(path.child("name"), device["name"], errors);
  const Value &attributes = device["attributes"], &capacity = device["capacity"];
  const auto total = static_cast<std::int64_t>(attributes.size() + capacity.size());
  if (total > 32)
    errors.invalid(path, total, "the total number of attributes and capacities must not exceed 32");
  std::int64_t values = 0;
  for (const auto& [name, attribute] : attributes.members()) {
    std::size_t own = 0;
    for (const char* field : {"bools", "ints", "strings", "versions"})
      own += attribute[field].size();
    values += own == 0 ? 1 : static_cast<std::int64_t>(own);
  }
  if (values > 48)
    errors.invalid(path, values, "the total number of attribute values must not exceed 48");
  const Path at_attributes = path.child("attributes"), at_capacity = path.child("capacity");
  for (const auto& [name, attribute] : attributes.members()) {
    check_device_qualified_name(at_attributes, name.str(), errors);
    check_attribute(at_attributes.key(name.as_string()), attribute, errors);
  }
  for (const auto& [name, amount] : capacity.members()) {
    check_device_qualified_name(at_capacity, name.str(), errors);
    check_capacity(at_capacity.key(name.as_string()), amount,
                   device["allowMultipleAllocations"].as_bool(), errors);
  }
  if (old.is_null() || !(old["taints"] == device["taints"]))
    check_items(path.child("taints"), device["taints"], 16, errors,
                [&](const Path& at, const Value& taint) { check_taint(at, taint, errors); });
  check_set(
      path.child("consumesCounters"), device["consumesCounters"], 2, "counterSet", errors,
      [&](const Path& at, const Value& used) { check_counters(at, used, "counterSet", errors); });
  if (own_nodes) {
    std::vector<std::string> given;
    check_node_choice(path, device, "must not be empty", given, errors);
    if (given.empty())
      errors.required(path, kOneOfDeviceNodes);
    else if (given.size() > 1)
      errors.invalid(path, braced(given), kOneOfDeviceNodes);
  } else if (!device["nodeName"].is_null() || !device["nodeSelector"].is_null() ||
             !device["allNodes"].is_null()) {
    errors.invalid(path, Value(),
                   "`nodeName`, `nodeSelector` and `allNodes` can only be set if "
                   "`perDeviceNodeSelection` is set to true in the ResourceSlice spec");
  }
  check_binding_conditions(path, device, errors);
}

void check_slice_spec(const Value& spec, const Value& old, FieldErrors& errors) {
  check_csi_driver_name(spec_path().child("driver"), text_of(spec, "driver"), errors);
  const Path pool = spec_path().child("pool");
  check_pool_name(pool.child("name"), spec["pool"]["name"].str(), errors);
  const auto slices = spec["pool"]["resourceSliceCount"].as_int();
  if (slices <= 0) errors.invalid(pool.child("resourceSliceCount"), slices, kNotPositive);
  const auto generation = spec["pool"]["generation"].as_int();
  if (generation < 0)
    errors.invalid(pool.child("generation"), generation, "must be greater than or equal to zero");
  if (!old.is_null()) {
    check_immutable(pool.child("name"), spec["pool"]["name"], old["pool"]["name"], errors);
    for (const char* field : {"driver", "nodeName"})
      check_immutable(spec_path().child(field), spec[field], old[field], errors);
  }
  std::vector<std::string> given;
  check_node_choice(spec_path(), spec, "must be either unset or set to a non-empty string", given,
                    errors);
  const Value& own_nodes = spec["perDeviceNodeSelection"];
  if (!own_nodes.is_null()) {
    if (own_nodes.as_bool())
      given.emplace_back("`perDeviceNodeSelection`");
    else
      errors.invalid(spec_path().child("perDeviceNodeSelection"), own_nodes,
                     "must be either unset or set to true");
  }
  const std::string one =
      "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
  if (given.empty())
    errors.required(spec_path(), one);
  else if (given.size() > 1)
    errors.invalid(spec_path(), braced(given), one + ", but multiple fields are set");
  if (!spec["sharedCounters"].is_null() && !spec["devices"].is_null())
    errors.invalid(spec_path(), "", "only one of `sharedCounters` or `devices` is allowed");
  std::size_t most = 128;
  for (const Value& device : spec["devices"].elements()) {
    if (!device["taints"].empty() || !device["consumesCounters"].empty()) most = 64;
    for (const auto& [name, attribute] : device["attributes"].members())
      for (const char* field : {"bools", "ints", "strings", "versions"})
        if (!attribute[field].is_null()) most = 64;
  }
  check_set(spec_path().child("devices"), spec["devices"], most, "name", errors,
            [&](const Path& at, const Value& device) {
              Value before;
              for (const Value& other : old["devices"].elements())
                if (other["name"] == device["name"]) before = other;
              check_device(at, device, before, own_nodes.as_bool(), errors);
            });
  check_set(spec_path().child("sharedCounters"), spec["sharedCounters"], 8, "name", errors,
            [&](const Path& at, const Value& set) { check_counters(at, set, "name", errors); });
}

void check_slice(const Value& object, FieldErrors& errors) {
  check_slice_spec(object["spec"], Value(), errors);
}

void update_slice(const Value& object, const Value& old, FieldErrors& errors) {
  check_slice_spec(object["spec"], old["spec"], errors);
}

}  // namespace

std::vector<KindRules> device_rules() {
  return {
      {"resourceclaims.resource.k8s.io", subdomain_name, check_claim, update_claim, nullptr,
       Recheck::none},
      {"resourceclaimtemplates.resource.k8s.io", subdomain_name, check_template, update_template,
       nullptr, Recheck::none},
      {"deviceclasses.resource.k8s.io", subdomain_name, check_device_class},
      {"resourceslices.resource.k8s.io", subdomain_name, check_slice, update_slice, nullptr,
       Recheck::none},
  };
}

}  // namespace keelson::model
