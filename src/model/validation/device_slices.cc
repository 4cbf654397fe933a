// Resource slices: the devices that a driver offers.
#include <map>

#include "codec/json.h"
#include "model/go_print.h"
#include "model/validation/device_parts.h"
#include "model/validation/pod.h"
#include "model/validation/rules.h"

namespace keelson::model {
void check_pool_name(const Path& path, const std::string& name, FieldErrors& errors) {
  if (name.empty()) {
    errors.required(path);
    return;
  }
  if (name.size() > 253) errors.too_long(path, 253);
  for (const auto& part : split(name, '/'))
    errors.invalid_each(path, std::string(part), dns1123_subdomain_messages(part));
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

namespace {

const Path& spec_path() {
  static const Path path("spec");
  return path;
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

std::vector<KindRules> device_slice_rules() {
  return {{.resource = "resourceslices.resource.k8s.io",
           .create = check_slice,
           .update = update_slice,
           .recheck = Recheck::none}};
}

}  // namespace keelson::model
