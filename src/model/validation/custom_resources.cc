// Custom resource definitions.
#include <algorithm>

#include "codec/json.h"
#include "model/go_print.h"
#include "model/validation/custom_schema.h"
#include "model/validation/rules.h"
#include "model/validation/webhook.h"

namespace keelson::model {
namespace {

const Path& spec_path() {
  static const Path path("spec");
  return path;
}

void check_label(const Path& path, const Value& name, FieldErrors& errors) {
  const auto messages = dns1035_label_messages(name.as_string());
  if (!messages.empty()) errors.invalid(path, name.str(), join(messages, ","));
}

void check_kind(const Path& path, const Value& kind, FieldErrors& errors) {
  std::string lower = kind.str();
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const auto messages = dns1035_label_messages(lower);
  if (!lower.empty() && !messages.empty())
    errors.invalid(path, kind,
                   "may have mixed case, but should otherwise match: " + join(messages, ","));
}

void check_names(const Path& path, const Value& names, FieldErrors& errors) {
  for (const char* field : {"plural", "singular"})
    if (!empty_text(names[field])) check_label(path.child(field), names[field], errors);
  for (const char* field : {"kind", "listKind"})
    check_kind(path.child(field), names[field], errors);
  const auto check_list = [&](const char* field) {
    const Path list = path.child(field);
    for (std::size_t i = 0; i < names[field].size(); ++i)
      check_label(list.index(i), names[field][i], errors);
  };
  check_list("shortNames");
  if (!empty_text(names["kind"]) && names["kind"] == names["listKind"])
    errors.invalid(path.child("listKind"), names["listKind"],
                   "kind and listKind may not be the same");
  check_list("categories");
}

void check_simple_path(const Path& path, const Value& json_path, FieldErrors& errors) {
  const std::string_view text = json_path.as_string();
  if (text.empty() || text[0] != '.')
    errors.invalid(path, json_path, "must be a simple json path starting with .");
}

void check_subresources(const Path& path, const Value& subresources, FieldErrors& errors) {
  const Value& scale = subresources["scale"];
  if (scale.is_null()) return;
  const auto check = [&](const char* field, const std::string& below, bool required) {
    const Path at = path.child(field);
    const Value& value = scale[std::string_view(field).substr(6)];
    const std::string_view text = value.as_string();
    const auto under = [&](std::string_view prefix) {
      return text.substr(0, prefix.size()) == prefix;
    };
    if (text.empty()) {
      if (required) errors.required(at);
    } else if (text[0] != '.') {
      check_simple_path(at, value, errors);
    } else if (below.empty()) {
      if (!under(".spec.") && !under(".status."))
        errors.invalid(at, value, "should be a json path under either .spec or .status");
    } else if (!under(below + '.')) {
      errors.invalid(at, value, "should be a json path under " + below);
    }
  };
  check("scale.specReplicasPath", ".spec", true);
  check("scale.statusReplicasPath", ".status", true);
  check("scale.labelSelectorPath", "", false);
}

void check_columns(const Path& path, const Value& columns, FieldErrors& errors) {
  constexpr std::string_view types = "must be one of boolean,date,integer,number,string";
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Value& column = columns[i];
    const Path at = path.index(i);
    if (empty_text(column["name"])) errors.required(at.child("name"));
    if (empty_text(column["type"]))
      errors.required(at.child("type"), types);
    else if (!is_one_of(text_of(column, "type"),
                        {"boolean", "date", "integer", "number", "string"}))
      errors.invalid(at.child("type"), column["type"], types);
    if (!empty_text(column["format"]) &&
        !is_one_of(text_of(column, "format"),
                   {"int32", "int64", "float", "double", "byte", "date", "date-time", "password"}))
      errors.invalid(at.child("format"), column["format"],
                     "must be one of byte,date,date-time,double,float,int32,int64,password");
    if (empty_text(column["jsonPath"]))
      errors.required(at.child("JSONPath"));
    else
      check_simple_path(at.child("JSONPath"), column["jsonPath"], errors);
  }
}

void check_selectable_fields(const Path& path, const Value& fields, const Value& schema,
                             FieldErrors& errors) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Value& text = fields[i]["jsonPath"];
    const Path field = path.index(i);
    const Path at = field.child("jsonPath");
    if (empty_text(text)) {
      errors.required(at);
      continue;
    }
    const SchemaField found = find_schema_field(schema, text.as_string(), false);
    if (!found.why_not.empty()) {
      errors.invalid(at, text, "is an invalid path: " + found.why_not);
      continue;
    }
    if (found.root == "metadata") errors.invalid(at, text, "must not point to fields in metadata");
    if (!is_one_of(text_of(found.schema, "type"), {"string", "boolean", "integer"}))
      errors.invalid(at, text,
                     "must point to a field of type string, boolean or integer. Enum string fields "
                     "and strings with formats are allowed.");
    if (!seen.insert(found.path).second) errors.duplicate(at, text);
  }
  if (seen.size() > 8) errors.too_many(path, static_cast<std::int64_t>(seen.size()), 8);
}

void check_deprecation(const Path& path, const Value& version, FieldErrors& errors) {
  const Value& warning = version["deprecationWarning"];
  if (warning.is_null()) return;
  const std::string_view text = warning.as_string();
  if (!version["deprecated"].as_bool()) {
    errors.invalid(path, warning, "can only be set for deprecated versions");
    return;
  }
  if (text.size() > 256) errors.invalid(path, warning, "must be <= 256 characters long");
  if (text.empty()) errors.invalid(path, warning, "must not be an empty string");
  for (std::size_t i = 0; i < text.size(); ++i)
    if (static_cast<unsigned char>(text[i]) < 0x20 || text[i] == 0x7f) {
      errors.invalid(path, warning,
                     "must only contain printable UTF-8 characters; non-printable character found "
                     "at index " +
                         std::to_string(i));
      break;
    }
}

// What all versions have alike stands beside them in the original's internal form.
Value hoisted(Value spec) {
  for (const auto& [field, name] :
       {std::pair("subresources", "subresources"), std::pair("schema", "validation"),
        std::pair("additionalPrinterColumns", "additionalPrinterColumns"),
        std::pair("selectableFields", "selectableFields")}) {
    const auto& versions = spec["versions"].elements();
    if (versions.empty()) continue;
    const Value first = versions[0][field];
    if (!std::all_of(versions.begin(), versions.end(),
                     [&, f = field](const Value& v) { return v[f] == first; }))
      continue;
    if (!first.is_null()) spec.set(name, first);
    for (std::size_t i = 0; i < spec["versions"].size(); ++i)
      spec.edit("versions").edit(i).erase(field);
  }
  return spec;
}

void check_version(const Path& path, const Value& version, const Value& spec, FieldErrors& errors) {
  const Value& schema = version["schema"]["openAPIV3Schema"];
  bool own = false;
  for (const Value& other : spec["versions"].elements())
    own = own || !other["subresources"].is_null();
  const Value& subresources = own ? version["subresources"] : spec["subresources"];
  check_deprecation(path.child("deprecationWarning"), version, errors);
  check_custom_validation(path.child("schema"), version["schema"],
                          !subresources["status"].is_null(), errors);
  check_subresources(path.child("subresources"), version["subresources"], errors);
  check_columns(path.child("additionalPrinterColumns"), version["additionalPrinterColumns"],
                errors);
  const Path fields = path.child("selectableFields");
  if (version["selectableFields"].empty()) return;
  if (schema.is_null())
    errors.invalid(fields, "",
                   "may only be set when `version.schema.openAPIV3Schema` is not included");
  else
    check_selectable_fields(fields, version["selectableFields"], schema, errors);
}

void check_conversion(const Value& spec, bool any_review_version, FieldErrors& errors) {
  const Value& conversion = spec["conversion"];
  if (conversion.is_null()) return;
  const Path path = spec_path().child("conversion");
  const Path client = path.child("webhookClientConfig"),
             versions = path.child("conversionReviewVersions");
  check_one_of(path.child("strategy"), conversion["strategy"].str(), {"None", "Webhook"}, errors);
  const Value &config = conversion["webhook"]["clientConfig"],
              &reviews = conversion["webhook"]["conversionReviewVersions"];
  if (text_of(conversion, "strategy") != "Webhook") {
    constexpr std::string_view unwanted = "should not be set when strategy is not set to Webhook";
    if (!config.is_null()) errors.forbidden(client, unwanted);
    if (!reviews.empty()) errors.forbidden(versions, unwanted);
    return;
  }
  if (config.is_null())
    errors.required(client, "required when strategy is set to Webhook");
  else if (config["url"].is_null() == config["service"].is_null())
    errors.required(client, "exactly one of url or service is required");
  else if (!config["url"].is_null())
    check_webhook_url(client.child("url"), config["url"].str(), errors);
  else
    check_webhook_service(client.child("service"), config["service"], true, errors);
  if (reviews.empty()) {
    errors.required(versions);
    return;
  }
  std::set<std::string> seen;
  bool known = any_review_version;
  for (std::size_t i = 0; i < reviews.size(); ++i) {
    const std::string version = reviews[i].str();
    if (!seen.insert(version).second) {
      errors.invalid(versions.index(i), version, "duplicate version");
      continue;
    }
    errors.invalid_each(versions.index(i), version, dns1035_label_messages(version));
    known = known || is_one_of(version, {"v1", "v1beta1"});
  }
  if (!known) errors.invalid(versions, reviews, "must include at least one of v1, v1beta1");
}

void check_definition_spec(const Value& given, bool any_review_version, FieldErrors& errors) {
  const Value spec = hoisted(given);
  const Path group = spec_path().child("group"), versions = spec_path().child("versions"),
             names = spec_path().child("names"),
             preserve = spec_path().child("preserveUnknownFields");
  const std::string group_name = spec["group"].str();
  if (group_name.empty())
    errors.required(group);
  else if (const auto messages = dns1123_subdomain_messages(group_name); !messages.empty())
    errors.invalid(group, group_name, join(messages, ","));
  else if (group_name.find('.') == std::string::npos)
    errors.invalid(group, group_name, "should be a domain with at least one dot");
  check_one_of(spec_path().child("scope"), spec["scope"].str(), {"Cluster", "Namespaced"}, errors);
  const Value& list = spec["versions"];
  if (spec["validation"]["openAPIV3Schema"].is_null())
    for (std::size_t i = 0; i < list.size(); ++i) {
      const Path version = versions.index(i);
      if (list[i]["schema"]["openAPIV3Schema"].is_null())
        errors.required(version.child("schema.openAPIV3Schema"));
    }
  bool defaults = schema_has_defaults(spec["validation"]["openAPIV3Schema"]),
       status = !spec["subresources"]["status"].is_null();
  for (const Value& version : list.elements()) {
    defaults = defaults || schema_has_defaults(version["schema"]["openAPIV3Schema"]);
    status = status || !version["subresources"]["status"].is_null();
  }
  if (defaults && spec["preserveUnknownFields"].as_bool())
    errors.invalid(preserve, true, "must be false in order to use defaults in the schema");
  int storage = 0;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Path version = versions.index(i);
    if (list[i]["storage"].as_bool()) ++storage;
    seen.insert(list[i]["name"].str());
    check_label(version.child("name"), list[i]["name"], errors);
    check_version(version, list[i], spec, errors);
  }
  const std::string printed = list.is_null() ? "null"
                              : list.empty()
                                  ? "[]"
                                  : printed_internal_list(
                                        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions."
                                        "v1.CustomResourceDefinitionVersion",
                                        list);
  if (seen.size() != list.size())
    errors.invalid_printed(versions, printed, "must contain unique version names");
  if (storage != 1)
    errors.invalid_printed(versions, printed,
                           "must have exactly one version marked as storage version");
  if (!empty_text(list[0]["name"]))
    check_label(spec_path().child("version"), list[0]["name"], errors);
  for (const char* field : {"plural", "singular", "kind", "listKind"})
    if (empty_text(spec["names"][field])) errors.required(names.child(field));
  check_names(names, spec["names"], errors);
  check_custom_validation(spec_path().child("validation"), spec["validation"], status, errors);
  check_subresources(spec_path().child("subresources"), spec["subresources"], errors);
  check_columns(spec_path().child("additionalPrinterColumns"), spec["additionalPrinterColumns"],
                errors);
  if (const Path fields = spec_path().child("selectableFields");
      !spec["selectableFields"].empty()) {
    if (spec["validation"].is_null())
      errors.invalid(fields, "", "may only be set when validations.schema is included");
    else
      check_selectable_fields(fields, spec["selectableFields"],
                              spec["validation"]["openAPIV3Schema"], errors);
  }
  const Value& strategy = spec["conversion"]["strategy"];
  if (const Path conversion = spec_path().child("conversion");
      !spec["conversion"].is_null() && strategy.as_string() != "None" &&
      spec["preserveUnknownFields"].as_bool())
    errors.invalid(conversion.child("strategy"), strategy,
                   "must be None if spec.preserveUnknownFields is true");
  check_conversion(spec, any_review_version, errors);
}

void check_stored_versions(const Value& object, FieldErrors& errors) {
  const Path status("status");
  const Path path = status.child("storedVersions");
  const Value& stored = object["status"]["storedVersions"];
  if (stored.empty()) {
    errors.invalid(path, Value(), "must have at least one stored version");
    return;
  }
  std::set<std::string> missing;
  for (const Value& name : stored.elements()) missing.insert(name.str());
  for (const Value& version : object["spec"]["versions"].elements())
    if (missing.erase(version["name"].str()) == 0 && version["storage"].as_bool())
      errors.invalid(path, stored, "must have the storage version " + version["name"].str());
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const std::string name = stored[i].str();
    if (missing.count(name) > 0)
      errors.invalid(path.index(i), name,
                     "missing from spec.versions; " + name +
                         " was previously a storage version, and must remain in spec.versions "
                         "until a storage migration ensures no data remains persisted in " +
                         name + " and removes " + name + " from status.storedVersions");
  }
}

// Groups of the Kubernetes community need an approval, or words why there is none.
enum class Approval : std::uint8_t { given, missing, invalid };

Approval approval_of(const Value& object) {
  const Value& value = object["metadata"]["annotations"]["api-approved.kubernetes.io"];
  const std::string_view text = value.as_string();
  if (text.empty()) return Approval::missing;
  if (text.substr(0, 10) == "unapproved") return Approval::given;
  const std::size_t colon = text.find("://");
  return colon != std::string_view::npos && colon > 0 && text.size() > colon + 3
             ? Approval::given
             : Approval::invalid;
}

void check_approval(const Value& object, const Value& old, FieldErrors& errors) {
  const std::string group = object["spec"]["group"].str();
  const auto below = [&](const std::string& domain) {
    return group == domain ||
           (group.size() > domain.size() &&
            group.compare(group.size() - domain.size() - 1, std::string::npos, '.' + domain) == 0);
  };
  if (!below("k8s.io") && !below("kubernetes.io")) return;
  const Approval approval = approval_of(object);
  if (approval == Approval::given || (!old.is_null() && approval == approval_of(old))) return;
  const Path annotations("metadata.annotations");
  const Path path = annotations.key("api-approved.kubernetes.io");
  const std::string see = "see https://github.com/kubernetes/enhancements/pull/1111";
  if (approval == Approval::missing)
    errors.required(path,
                    "protected groups must have approval annotation "
                    "\"api-approved.kubernetes.io\", " +
                        see);
  else
    errors.invalid(path, object["metadata"]["annotations"]["api-approved.kubernetes.io"],
                   "protected groups must have approval annotation \"api-approved.kubernetes.io\" "
                   "with either a URL or a reason starting with \"unapproved\", " +
                       see);
}

void check_rest(const Value& object, const Value& old, FieldErrors& errors) {
  const Path status("status");
  check_names(status.child("acceptedNames"), object["status"]["acceptedNames"], errors);
  check_stored_versions(object, errors);
  check_approval(object, old, errors);
  if (object["spec"]["preserveUnknownFields"].as_bool() &&
      !old["spec"]["preserveUnknownFields"].as_bool())
    errors.invalid(spec_path().child("preserveUnknownFields"), true,
                   "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
                   "spec.versions[*].schema instead");
}

void check_definition(const Value& object, FieldErrors& errors) {
  const Path metadata("metadata");
  check_metadata(object["metadata"], false, subdomain_name, metadata, errors);
  const Value& spec = object["spec"];
  const std::string wanted = spec["names"]["plural"].str() + '.' + spec["group"].str();
  for (const char* field : {"generateName", "name"})
    if (const std::string given = object["metadata"][field].str();
        !given.empty() && given != wanted)
      errors.invalid(metadata.child(field), given, "must be spec.names.plural+\".\"+spec.group");
  check_definition_spec(spec, false, errors);
  check_rest(object, Value(), errors);
}

void update_definition(const Value& object, const Value& old, FieldErrors& errors) {
  check_metadata_update(object["metadata"], old["metadata"], Path("metadata"), errors);
  const Value &now = object["spec"], &before = old["spec"];
  const auto& reviews = before["conversion"]["webhook"]["conversionReviewVersions"].elements();
  const bool any =
      !reviews.empty() && std::none_of(reviews.begin(), reviews.end(), [](const Value& v) {
        return is_one_of(v.as_string(), {"v1", "v1beta1"});
      });
  check_definition_spec(now, any, errors);
  bool established = false;
  for (const Value& condition : old["status"]["conditions"].elements())
    established = established || (text_of(condition, "type") == "Established" &&
                                  text_of(condition, "status") == "True");
  const Path names = spec_path().child("names");
  if (established) {
    check_immutable(spec_path().child("scope"), now["scope"], before["scope"], errors);
    check_immutable(names.child("kind"), now["names"]["kind"], before["names"]["kind"], errors);
  }
  check_immutable(spec_path().child("group"), now["group"], before["group"], errors);
  check_immutable(names.child("plural"), now["names"]["plural"], before["names"]["plural"], errors);
  check_rest(object, old, errors);
}

void status_definition(const Value& object, const Value& old, FieldErrors& errors) {
  check_metadata_update(object["metadata"], old["metadata"], Path("metadata"), errors);
  const Path status("status");
  check_names(status.child("acceptedNames"), object["status"]["acceptedNames"], errors);
}

}  // namespace

std::vector<KindRules> custom_rules() {
  return {
      {"customresourcedefinitions.apiextensions.k8s.io", subdomain_name, check_definition,
       update_definition, status_definition, Recheck::custom, true},
  };
}

}  // namespace keelson::model
