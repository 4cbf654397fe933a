// Persistent volumes and claims.
#include <algorithm>

#include "codec/json.h"
#include "model/go_diff.h"
#include "model/go_print.h"
#include "model/validation/pod.h"
#include "model/validation/rules.h"
#include "model/validation/statuses.h"

namespace keelson::model {
namespace {

const Path& spec_path() {
  static const Path path("spec");
  return path;
}

const std::initializer_list<std::string_view> kModes = {"ReadOnlyMany", "ReadWriteMany",
                                                        "ReadWriteOnce", "ReadWriteOncePod"};

void check_modes(const Path& path, const Value& modes, FieldErrors& errors) {
  bool single = false, other = false;
  for (const Value& mode : modes.elements()) {
    check_supported(path, mode, kModes, errors);
    if (mode.as_string() == "ReadWriteOncePod")
      single = true;
    else if (is_one_of(mode.as_string(), kModes))
      other = true;
  }
  if (single && other)
    errors.forbidden(path, "may not use ReadWriteOncePod with other access modes");
}

void check_positive_quantity(const Path& path, const Value& quantity, FieldErrors& errors) {
  if (Quantity::of(quantity).nano() <= 0) errors.invalid(path, quantity, kNotPositive);
}

void check_data_source(const Path& path, const Value& source, bool with_namespace,
                       FieldErrors& errors) {
  if (source.is_null()) return;
  for (const char* field : {"name", "kind"})
    if (empty_text(source[field])) errors.required(path.child(field));
  const std::string_view group = text_of(source, "apiGroup"), kind = text_of(source, "kind");
  if (group.empty() && kind != "PersistentVolumeClaim")
    errors.invalid(path, kind,
                   "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
  if (!group.empty())
    errors.invalid_each(path.child("apiGroup"), group, dns1123_subdomain_messages(group));
  if (with_namespace && !empty_text(source["namespace"]))
    check_name(path.child("namespace"), text_of(source, "namespace"), label_name, errors);
}

void check_secret_reference(const Path& path, const Value& reference, FieldErrors& errors) {
  if (reference.is_null()) return;
  if (empty_text(reference["name"]))
    errors.required(path.child("name"));
  else
    check_name(path.child("name"), text_of(reference, "name"), subdomain_name, errors);
  if (empty_text(reference["namespace"]))
    errors.required(path.child("namespace"));
  else
    check_name(path.child("namespace"), text_of(reference, "namespace"), label_name, errors);
}

void require_text(const Path& path, const Value& value, FieldErrors& errors) {
  if (empty_text(value)) errors.required(path);
}

// The sources whose rules differ from those in pods.
void check_volume_source(std::string_view source, const Path& path, const Value& v,
                         std::string_view name, FieldErrors& errors) {
  if (source == "iscsi") {
    require_text(path.child("targetPortal"), v["targetPortal"], errors);
    const bool initiator = !v["initiatorName"].is_null();
    if (initiator && name.size() + 1 + text_of(v, "targetPortal").size() > 64)
      errors.invalid(path.child("targetportal"), v["targetPortal"],
                     "Total length of <volume name>:<iscsi.targetPortal> must be under 64 "
                     "characters if iscsi.initiatorName is specified.");
    if (empty_text(v["iqn"]))
      errors.required(path.child("iqn"));
    else
      check_iscsi_name(path.child("iqn"), text_of(v, "iqn"), false, errors);
    if (v["lun"].as_int() < 0 || v["lun"].as_int() > 255)
      errors.invalid(path.child("lun"), v["lun"], range_message(0, 255));
    if ((v["chapAuthDiscovery"].as_bool() || v["chapAuthSession"].as_bool()) &&
        v["secretRef"].is_null())
      errors.required(path.child("secretRef"));
    if (!v["secretRef"].is_null())
      require_text(path.child("secretRef.name"), v["secretRef"]["name"], errors);
    if (initiator)
      check_iscsi_name(path.child("initiatorname"), text_of(v, "initiatorName"), false, errors);
    return;
  }
  if (source == "csi") {
    check_csi_driver_name(path.child("driver"), text_of(v, "driver"), errors);
    require_text(path.child("volumeHandle"), v["volumeHandle"], errors);
    for (const char* secret : {"controllerPublishSecretRef", "controllerExpandSecretRef",
                               "nodePublishSecretRef", "nodeExpandSecretRef"})
      check_secret_reference(path.child(secret), v[secret], errors);
    return;
  }
  if (source == "local") {
    if (empty_text(v["path"]))
      errors.required(path.child("path"));
    else
      check_no_backsteps(path.child("path"), text_of(v, "path"), errors);
    return;
  }
  check_volume_part(source, path, v, errors);
  if ((source == "cinder" || source == "storageos") && !v["secretRef"].is_null())
    require_text(path.child("secretRef.namespace"), v["secretRef"]["namespace"], errors);
  if (source == "azureFile" && !v["secretNamespace"].is_null())
    require_text(path.child("secretNamespace"), v["secretNamespace"], errors);
  if (source == "glusterfs" && !v["endpointsNamespace"].is_null()) {
    if (empty_text(v["endpointsNamespace"]))
      errors.invalid(path.child("endpointsNamespace"), "",
                     "if the endpointnamespace is set, it must be a valid namespace name");
    else
      check_name(path.child("endpointsNamespace"), text_of(v, "endpointsNamespace"), label_name,
                 errors);
  }
}

constexpr const char* kSources[] = {"hostPath",
                                    "gcePersistentDisk",
                                    "awsElasticBlockStore",
                                    "glusterfs",
                                    "flocker",
                                    "nfs",
                                    "rbd",
                                    "quobyte",
                                    "cephfs",
                                    "iscsi",
                                    "cinder",
                                    "fc",
                                    "flexVolume",
                                    "azureFile",
                                    "vsphereVolume",
                                    "photonPersistentDisk",
                                    "portworxVolume",
                                    "azureDisk",
                                    "scaleIO",
                                    "local",
                                    "storageos",
                                    "csi"};

void check_sources(const Path& path, const Value& spec, std::string_view name,
                   FieldErrors& errors) {
  int count = 0;
  for (const char* source : kSources) {
    const Value& v = spec[source];
    if (v.is_null()) continue;
    const std::string_view text(source);
    if (count > 0 && text != "flexVolume") {
      errors.forbidden(path.child(text == "cephfs" ? "cephFS" : text),
                       "may not specify more than 1 volume type");
      continue;
    }
    ++count;
    check_volume_source(text, path.child(text == "gcePersistentDisk" ? "persistentDisk" : text), v,
                        name, errors);
    if (text == "local" && spec["nodeAffinity"].is_null())
      errors.required(path.child("nodeAffinity"), "Local volume requires node affinity");
  }
  if (count == 0) errors.required(path, "must specify a volume type");
}

// True for paths that clean to the root.
bool is_root(std::string_view path) {
  if (path.substr(0, 1) != "/") return false;
  int depth = 0;
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    depth = part == ".." ? std::max(0, depth - 1) : depth + 1;
  }
  return depth == 0;
}

void check_capacity(const Path& path, const Value& capacity, FieldErrors& errors) {
  if (capacity.empty()) errors.required(path);
  if (!capacity.has("storage") || capacity.size() > 1) {
    FieldError error{FieldError::Type::not_supported, path.text(), {}, {}, {}};
    error.printed = capacity.is_null() ? "null" : codec::to_json(capacity);
    error.detail = "supported values: \"storage\"";
    errors.add(std::move(error));
  }
  for (const codec::Member& m : capacity.members()) {
    if (Quantity::of(m.value).value() < 0)
      errors.invalid(path.key(m.key()), Quantity::of(m.value).value(),
                     "must be a valid resource quantity");
    check_positive_quantity(path.key(m.key()), m.value, errors);
  }
}

}  // namespace

void check_volume_spec(const Path& path, const Value& spec, std::string_view name, bool inline_spec,
                       FieldErrors& errors) {
  constexpr std::string_view not_inline = "may not be specified in the context of inline volumes";
  if (inline_spec) {
    if (!spec["claimRef"].is_null()) errors.forbidden(path.child("claimRef"), not_inline);
    if (!spec["capacity"].empty()) errors.forbidden(path.child("capacity"), not_inline);
    if (spec["csi"].is_null())
      errors.required(path.child("csi"), "has to be specified in the context of inline volumes");
  }
  if (spec["accessModes"].empty()) errors.required(path.child("accessModes"));
  check_modes(path.child("accessModes"), spec["accessModes"], errors);
  if (!inline_spec) check_capacity(path.child("capacity"), spec["capacity"], errors);
  const std::string_view reclaim = text_of(spec, "persistentVolumeReclaimPolicy");
  const Path at_reclaim = path.child("persistentVolumeReclaimPolicy");
  if (!reclaim.empty()) {
    if (!inline_spec)
      check_supported(at_reclaim, reclaim, {"Delete", "Recycle", "Retain"}, errors);
    else if (reclaim != "Retain")
      errors.forbidden(at_reclaim, "may only be Retain in the context of inline volumes");
  }
  if (const Value& affinity = spec["nodeAffinity"]; !affinity.is_null()) {
    const Path at = path.child("nodeAffinity");
    if (inline_spec)
      errors.forbidden(at, not_inline);
    else if (affinity["required"].is_null())
      errors.required(at.child("required"), "must specify required node constraints");
    else
      check_node_selector(at.child("required"), affinity["required"], errors);
  }
  check_sources(path, spec, name, errors);
  if (!spec["hostPath"].is_null() && is_root(text_of(spec["hostPath"], "path")) &&
      reclaim == "Recycle")
    errors.forbidden(at_reclaim, "may not be 'recycle' for a hostPath mount of '/'");
  if (const std::string_view storage = text_of(spec, "storageClassName"); !storage.empty()) {
    if (inline_spec)
      errors.forbidden(path.child("storageClassName"), not_inline);
    else
      check_name(path.child("storageClassName"), storage, subdomain_name, errors);
  }
  if (const Value& mode = spec["volumeMode"]; !mode.is_null()) {
    if (!inline_spec)
      check_supported(path.child("volumeMode"), mode, {"Block", "Filesystem"}, errors);
    else if (mode.as_string() != "Filesystem")
      errors.forbidden(path.child("volumeMode"),
                       "may not specify volumeMode other than Filesystem in the context of inline "
                       "volumes");
  }
  const Value& attributes = spec["volumeAttributesClassName"];
  if (attributes.is_null() || inline_spec) return;
  const Path at = path.child("volumeAttributesClassName");
  if (empty_text(attributes))
    errors.required(at, "an empty string is disallowed");
  else
    check_name(at, attributes.as_string(), subdomain_name, errors);
  if (spec["csi"].is_null())
    errors.required(path.child("csi"), "has to be specified when using volumeAttributesClassName");
}

namespace {

void check_volume(const Value& object, FieldErrors& errors) {
  check_volume_spec(spec_path(), object["spec"], text_of(object["metadata"], "name"), false,
                    errors);
}

std::string printed_source(const Value& spec) {
  return printed_internal_part("io.k8s.api.core.v1.PersistentVolumeSpec", spec,
                               {"gcePersistentDisk",
                                "awsElasticBlockStore",
                                "hostPath",
                                "glusterfs",
                                "nfs",
                                "rbd",
                                "quobyte",
                                "iscsi",
                                "flexVolume",
                                "cinder",
                                "cephfs",
                                "fc",
                                "flocker",
                                "azureFile",
                                "vsphereVolume",
                                "azureDisk",
                                "photonPersistentDisk",
                                "portworxVolume",
                                "scaleIO",
                                "local",
                                "storageos",
                                "csi"});
}

constexpr std::string_view kClaimSpec = "io.k8s.api.core.v1.PersistentVolumeClaimSpec";

void update_volume(const Value& object, const Value& old, FieldErrors& errors) {
  for (int twice = 0; twice < 2; ++twice) {
    check_kind_metadata(object["metadata"], false, subdomain_name, Path("metadata"), errors);
    check_volume(object, errors);
  }
  Value now = object["spec"];
  const Value& before = old["spec"];
  if (before["csi"].is_object() && before["csi"]["controllerExpandSecretRef"].is_null() &&
      now["csi"].is_object())
    now.edit("csi").erase("controllerExpandSecretRef");
  const bool same = std::all_of(std::begin(kSources), std::end(kSources),
                                [&](const char* s) { return now[s] == before[s]; });
  if (!same)
    errors.forbidden(Path("spec.persistentvolumesource"),
                     "spec.persistentvolumesource is immutable after creation\n" +
                         json_diff(printed_source(before), printed_source(now)));
  check_immutable(Path("volumeMode"), now["volumeMode"], before["volumeMode"], errors);
  if (!before["nodeAffinity"].is_null() && !(now["nodeAffinity"] == before["nodeAffinity"]))
    errors.invalid_printed(
        Path("nodeAffinity"),
        now["nodeAffinity"].is_null()
            ? "null"
            : printed_internal("io.k8s.api.core.v1.VolumeNodeAffinity", now["nodeAffinity"]),
        "field is immutable, except for updating from beta label to GA");
  if (!before["volumeAttributesClassName"].is_null() && now["volumeAttributesClassName"].is_null())
    errors.forbidden(Path("spec.volumeAttributesClassName"),
                     "update from non-nil value to nil is forbidden");
}

void check_claim(const Value& object, FieldErrors& errors) {
  check_claim_spec(spec_path(), object["spec"], errors);
}

void copy_field(Value& to, const Value& from, const char* field) {
  if (from.has(field))
    to.set(field, from[field]);
  else
    to.erase(field);
}

void update_claim(const Value& object, const Value& old, FieldErrors& errors) {
  check_kind_metadata(object["metadata"], true, subdomain_name, Path("metadata"), errors);
  check_claim(object, errors);
  constexpr std::string_view beta = "volume.beta.kubernetes.io/storage-class";
  Value now = object["spec"], before = old["spec"];
  const Value old_spec = old["spec"];
  if (empty_text(before["volumeName"])) copy_field(before, now, "volumeName");
  const Value& annotation = old["metadata"]["annotations"][beta];
  const Value& fresh = object["metadata"]["annotations"][beta];
  if (text_of(object["metadata"]["annotations"], beta) !=
      text_of(old["metadata"]["annotations"], beta)) {
    const Path metadata("metadata");
    const Path annotations = metadata.child("annotations");
    errors.invalid(annotations.child(beta), fresh.as_string(), kImmutable);
  }
  // A claim without a class may be given one.
  if (old_spec["storageClassName"].is_null() && !now["storageClassName"].is_null() &&
      (annotation.is_null() || annotation == now["storageClassName"]))
    now.erase("storageClassName");
  const bool bound = text_of(object["status"], "phase") == "Bound";
  if (bound && !now["resources"]["requests"].is_null()) {
    now.edit("resources")
        .edit("requests")
        .set("storage", old_spec["resources"]["requests"]["storage"]);
  }
  if (bound) copy_field(now, old_spec, "volumeAttributesClassName");
  if (!(now == before))
    errors.forbidden(
        spec_path(),
        "spec is immutable after creation except resources.requests and "
        "volumeAttributesClassName for bound claims\n" +
            json_diff(printed_internal(kClaimSpec, before), printed_internal(kClaimSpec, now)));
  const auto size = [](const Value& spec) {
    return Quantity::of(spec["resources"]["requests"]["storage"]);
  };
  if (size(object["spec"]) < size(old_spec) &&
      size(object["spec"]) <= Quantity::of(old["status"]["capacity"]["storage"]))
    errors.forbidden(Path("spec.resources.requests.storage"),
                     "field can not be less than status.capacity");
  check_immutable(Path("volumeMode"), object["spec"]["volumeMode"], old_spec["volumeMode"], errors);
  const Value& attributes = object["spec"]["volumeAttributesClassName"];
  if (attributes == old_spec["volumeAttributesClassName"] ||
      old["status"]["currentVolumeAttributesClassName"].is_null())
    return;
  const Path path = spec_path().child("volumeAttributesClassName");
  if (attributes.is_null())
    errors.forbidden(path,
                     "update to nil is forbidden when status.currentVolumeAttributesClassName "
                     "is not nil");
  else if (empty_text(attributes))
    errors.forbidden(path,
                     "update to empty string is forbidden when "
                     "status.currentVolumeAttributesClassName is not nil");
}

}  // namespace

void check_claim_spec(const Path& path, const Value& spec, FieldErrors& errors) {
  if (spec["accessModes"].empty())
    errors.required(path.child("accessModes"), "at least 1 access mode is required");
  check_label_selector(path.child("selector"), spec["selector"], errors);
  check_modes(path.child("accessModes"), spec["accessModes"], errors);
  const Path resources = path.child("resources");
  const Path storage = resources.key("storage");
  const Value* request = spec["resources"]["requests"].find("storage");
  if (request == nullptr)
    errors.required(storage);
  else
    check_positive_quantity(storage, *request, errors);
  const auto class_name = [&](const char* field) {
    if (!empty_text(spec[field]))
      check_name(path.child(field), text_of(spec, field), subdomain_name, errors);
  };
  class_name("storageClassName");
  if (!spec["volumeMode"].is_null())
    check_supported(path.child("volumeMode"), spec["volumeMode"], {"Block", "Filesystem"}, errors);
  const Value &source = spec["dataSource"], &reference = spec["dataSourceRef"];
  check_data_source(path.child("dataSource"), source, false, errors);
  check_data_source(path.child("dataSourceRef"), reference, true, errors);
  if (!source.is_null() && !reference.is_null()) {
    const bool same = text_of(source, "name") == text_of(reference, "name") &&
                      text_of(source, "kind") == text_of(reference, "kind") &&
                      source["apiGroup"] == reference["apiGroup"];
    if (!empty_text(reference["namespace"]))
      errors.invalid_printed(path, "{}",
                             "may not be specified when dataSourceRef.namespace is specified");
    else if (!same)
      errors.invalid_printed(path, "{}", "must match dataSourceRef");
  }
  class_name("volumeAttributesClassName");
}

std::vector<KindRules> storage_rules() {
  return {
      {.resource = "persistentvolumes",
       .create = check_volume,
       .update = update_volume,
       .recheck = Recheck::custom},
      {.resource = "persistentvolumeclaims",
       .create = check_claim,
       .update = update_claim,
       .status = status_claim,
       .recheck = Recheck::none},
  };
}

}  // namespace keelson::model
