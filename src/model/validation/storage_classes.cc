// The kinds of storage.k8s.io: classes, drivers, capacities, attachments. Source:
// pkg/apis/storage/validation.
#include <algorithm>

#include "codec/json.h"
#include "model/go_print.h"
#include "model/validation/pod.h"
#include "model/validation/rules.h"

namespace keelson::model {
namespace {

const Path& spec_path() {
  static const Path path("spec");
  return path;
}

void check_provisioner(const Path& path, std::string_view name, FieldErrors& errors) {
  if (name.empty())
    errors.required(path);
  else
    errors.invalid_each(path, to_lower(name), label_key_messages(to_lower(name)));
}

void check_parameters(const Path& path, const Value& parameters, bool may_be_empty,
                      FieldErrors& errors) {
  if (parameters.size() > 512) {
    errors.too_long(path, 512);
    return;
  }
  std::size_t size = 0;
  for (const codec::Member& m : parameters.members()) {
    if (m.key().empty()) errors.invalid(path, m.key(), "field can not be empty.");
    size += m.key().size() + m.value.as_string().size();
  }
  if (size > 256 * 1024) errors.too_long(path, 256 * 1024);
  if (!may_be_empty && parameters.empty())
    errors.required(path, "must contain at least one key/value pair");
}

void check_topologies(const Value& terms, FieldErrors& errors) {
  const Path path("allowedTopologies");
  std::vector<std::map<std::string, std::set<std::string>>> seen;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const Path term = path.index(i);
    const Path expressions = term.child("matchLabelExpressions");
    std::map<std::string, std::set<std::string>> here;
    const Value& list = terms[i]["matchLabelExpressions"];
    for (std::size_t e = 0; e < list.size(); ++e) {
      const Path at = expressions.index(e);
      const Path values = at.child("values");
      std::set<std::string> set;
      if (list[e]["values"].empty()) errors.required(values);
      for (std::size_t v = 0; v < list[e]["values"].size(); ++v)
        if (!set.insert(list[e]["values"][v].str()).second)
          errors.duplicate(values.index(v), list[e]["values"][v]);
      const std::string key = list[e]["key"].str();
      errors.invalid_each(at.child("key"), key, label_key_messages(key));
      if (here.count(key) > 0) errors.duplicate(at.child("key"), key);
      here[key] = set;
    }
    // The original also compares with as many empty maps as there are terms.
    const bool empty = here.empty();
    for (std::size_t n = 0; empty && n < terms.size(); ++n) errors.duplicate(expressions, "");
    for (const auto& other : seen)
      if (other == here && !empty) errors.duplicate(expressions, "");
    seen.push_back(here);
  }
}

void check_class(const Value& object, FieldErrors& errors) {
  check_provisioner(Path("provisioner"), text_of(object, "provisioner"), errors);
  check_parameters(Path("parameters"), object["parameters"], true, errors);
  if (!empty_text(object["reclaimPolicy"]))
    check_supported(Path("reclaimPolicy"), object["reclaimPolicy"], {"Delete", "Retain"}, errors);
  check_supported(Path("volumeBindingMode"), object["volumeBindingMode"],
                  {"Immediate", "WaitForFirstConsumer"}, errors);
  check_topologies(object["allowedTopologies"], errors);
}

void update_class(const Value& object, const Value& old, FieldErrors& errors) {
  for (const char* field : {"parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"})
    check_immutable(Path(field), object[field], old[field], errors);
}

void check_csi_driver(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  check_supported(spec_path().child("fsGroupPolicy"), spec["fsGroupPolicy"],
                  {"File", "None", "ReadWriteOnceWithFSType"}, errors);
  const Path requests = spec_path().child("tokenRequests");
  std::set<std::string> audiences;
  for (std::size_t i = 0; i < spec["tokenRequests"].size(); ++i) {
    const Value& request = spec["tokenRequests"][i];
    const Path at = requests.index(i);
    if (!audiences.insert(request["audience"].str()).second) {
      errors.duplicate(at.child("audience"), text_of(request, "audience"));
      continue;
    }
    const Value& seconds = request["expirationSeconds"];
    if (seconds.is_null()) continue;
    if (seconds.as_int() < 600)
      errors.invalid(at.child("expirationSeconds"), seconds,
                     "may not specify a duration less than 10 minutes");
    if (seconds.as_int() > 1LL << 32)
      errors.invalid(at.child("expirationSeconds"), seconds,
                     "may not specify a duration larger than 2^32 seconds");
  }
  for (const Value& mode : spec["volumeLifecycleModes"].elements())
    check_supported(spec_path().child("volumeLifecycleModes"), mode, {"Persistent", "Ephemeral"},
                    errors);
  const Value& period = spec["nodeAllocatableUpdatePeriodSeconds"];
  if (!period.is_null() && period.as_int() < 10)
    errors.invalid(spec_path().child("nodeAllocatableUpdatePeriodSeconds"), period,
                   "must be greater than or equal to 10 seconds");
  const Value& secrets = spec["serviceAccountTokenInSecrets"];
  if (!secrets.is_null() && spec["tokenRequests"].empty())
    errors.invalid(spec_path().child("serviceAccountTokenInSecrets"), secrets,
                   "serviceAccountTokenInSecrets is set but no tokenRequests are specified");
}

void update_csi_driver(const Value& object, const Value& old, FieldErrors& errors) {
  check_immutable(spec_path().child("attachedRequired"), object["spec"]["attachRequired"],
                  old["spec"]["attachRequired"], errors);
  check_immutable(spec_path().child("volumeLifecycleModes"), object["spec"]["volumeLifecycleModes"],
                  old["spec"]["volumeLifecycleModes"], errors);
}

void check_csi_node(const Value& object, FieldErrors& errors) {
  const Path drivers = spec_path().child("drivers");
  std::set<std::string> names;
  for (std::size_t i = 0; i < object["spec"]["drivers"].size(); ++i) {
    const Value& driver = object["spec"]["drivers"][i];
    const Path at = drivers.index(i);
    check_csi_driver_name(at.child("name"), text_of(driver, "name"), errors);
    const std::string_view id = text_of(driver, "nodeID");
    if (id.empty()) errors.required(at.child("nodeID"));
    if (id.size() > 256) errors.invalid(at.child("nodeID"), id, "must be 256 characters or less");
    check_not_negative(at.child("allocatable.count"), driver["allocatable"]["count"], errors);
    if (!names.insert(driver["name"].str()).second)
      errors.duplicate(at.child("name"), driver["name"]);
    std::set<std::string> keys;
    for (const Value& key : driver["topologyKeys"].elements()) {
      if (empty_text(key)) errors.required(at);
      if (!keys.insert(key.str()).second) errors.duplicate(at, key);
      check_qualified_name(at, key.as_string(), errors);
    }
  }
}

void update_csi_node(const Value& object, const Value& old, FieldErrors& errors) {
  check_kind_metadata(object["metadata"], false, subdomain_name, Path("metadata"), errors);
  check_csi_node(object, errors);
  for (const Value& before : old["spec"]["drivers"].elements())
    for (const Value& now : object["spec"]["drivers"].elements()) {
      if (!(now["name"] == before["name"])) continue;
      Value a = now, b = before;
      a.erase("allocatable");
      b.erase("allocatable");
      if (!(a == b))
        errors.invalid_printed(spec_path().child("drivers"),
                               printed_internal("io.k8s.api.storage.v1.CSINodeDriver", a),
                               kImmutable);
    }
}

void check_csi_capacity(const Value& object, FieldErrors& errors) {
  check_label_selector(Path("nodeTopology"), object["nodeTopology"], errors);
  check_name(Path("storageClassName"), text_of(object, "storageClassName"), subdomain_name, errors);
  if (!object["capacity"].is_null())
    check_quantity_not_negative(Path("capacity"), object["capacity"], errors);
}

void update_csi_capacity(const Value& object, const Value& old, FieldErrors& errors) {
  if (!(object["nodeTopology"] == old["nodeTopology"]))
    errors.invalid_printed(
        Path("nodeTopology"),
        object["nodeTopology"].is_null() ? "null" : printed_selector(object["nodeTopology"]),
        kImmutable);
  check_immutable(Path("storageClassName"), object["storageClassName"], old["storageClassName"],
                  errors);
}

void check_attachment(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  check_csi_driver_name(spec_path().child("attacher"), text_of(spec, "attacher"), errors);
  const Path path = spec_path().child("source");
  const Value &volume = spec["source"]["persistentVolumeName"],
              &inline_spec = spec["source"]["inlineVolumeSpec"];
  constexpr std::string_view one =
      "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
  if (volume.is_null() && inline_spec.is_null())
    errors.required(path, one);
  else if (!volume.is_null() && !inline_spec.is_null())
    errors.forbidden(path, one);
  else if (!volume.is_null()) {
    if (empty_text(volume))
      errors.required(path.child("persistentVolumeName"),
                      "must specify non empty persistentVolumeName");
  } else {
    check_volume_spec(path.child("inlineVolumeSpec"), inline_spec, "", true, errors);
  }
  check_name(spec_path().child("nodeName"), text_of(spec, "nodeName"), subdomain_name, errors);
  if (!volume.is_null())
    check_name(path.child("persistentVolumeName"), volume.as_string(), subdomain_name, errors);
}

void update_attachment(const Value& object, const Value& old, FieldErrors& errors) {
  check_kind_metadata(object["metadata"], false, subdomain_name, Path("metadata"), errors);
  check_attachment(object, errors);
  if (!(object["spec"] == old["spec"]))
    errors.invalid_printed(
        spec_path(), printed_internal("io.k8s.api.storage.v1.VolumeAttachmentSpec", object["spec"]),
        kImmutable);
}

void check_attributes_class(const Value& object, FieldErrors& errors) {
  check_provisioner(Path("driverName"), text_of(object, "driverName"), errors);
  check_parameters(Path("parameters"), object["parameters"], false, errors);
}

void update_attributes_class(const Value& object, const Value& old, FieldErrors& errors) {
  for (const char* field : {"driverName", "parameters"})
    if (!(object[field] == old[field]))
      errors.forbidden(Path(field), "updates to " + std::string(field) + " are forbidden.");
  check_kind_metadata(object["metadata"], false, subdomain_name, Path("metadata"), errors);
  check_attributes_class(object, errors);
}

}  // namespace

std::vector<KindRules> storage_class_rules() {
  return {
      {.resource = "storageclasses.storage.k8s.io",
       .create = check_class,
       .update = update_class,
       .recheck = Recheck::before},
      {.resource = "csidrivers.storage.k8s.io",
       .create = check_csi_driver,
       .update = update_csi_driver},
      {.resource = "csinodes.storage.k8s.io",
       .create = check_csi_node,
       .update = update_csi_node,
       .recheck = Recheck::custom},
      {.resource = "csistoragecapacities.storage.k8s.io",
       .create = check_csi_capacity,
       .update = update_csi_capacity,
       .recheck = Recheck::before},
      {.resource = "volumeattachments.storage.k8s.io",
       .create = check_attachment,
       .update = update_attachment,
       .recheck = Recheck::custom},
      {.resource = "volumeattributesclasses.storage.k8s.io",
       .create = check_attributes_class,
       .update = update_attributes_class,
       .recheck = Recheck::none},
  };
}

}  // namespace keelson::model
