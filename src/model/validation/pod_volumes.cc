// Volumes of pods; the parts that persistent volumes share.
#include <algorithm>

#include "codec/json.h"
#include "model/validation/pod.h"

namespace keelson::model {
namespace {

constexpr std::string_view kFileMode =
    "must be a number between 0 and 0777 (octal), both inclusive";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void require(const Path& path, const Value& value, FieldErrors& errors) {
  if (value.empty() && empty_text(value)) errors.required(path);
}
void require_each(const Path& path, const Value& value, std::initializer_list<const char*> fields,
                  FieldErrors& errors) {
  for (const char* field : fields) require(path.child(field), value[field], errors);
}

void check_mode(const Path& path, const Value& mode, FieldErrors& errors) {
  if (!mode.is_null() && (mode.as_int() > 0777 || mode.as_int() < 0))
    errors.invalid(path, mode, kFileMode);
}

void check_local_path(const Path& path, std::string_view target, FieldErrors& errors) {
  check_descending_path(path, target, errors);
  if (target.substr(0, 2) == ".." && target.substr(0, 3) != "../")
    errors.invalid(path, target, "must not start with '..'");
}

void check_item(const Path& path, const Value& item, FieldErrors& errors) {
  require_each(path, item, {"key", "path"}, errors);
  check_local_path(path.child("path"), text_of(item, "path"), errors);
  check_mode(path.child("mode"), item["mode"], errors);
}

void check_items(const Path& path, const Value& source, FieldErrors& errors) {
  const Path items = path.child("items");
  for (std::size_t i = 0; i < source["items"].size(); ++i)
    check_item(items.index(i), source["items"][i], errors);
}

void check_partition(const Path& path, const Value& value, FieldErrors& errors) {
  if (value["partition"].as_int() < 0 || value["partition"].as_int() > 255)
    errors.invalid(path.child("partition"), value["partition"], range_message(1, 255));
}

void check_iqn_shape(const Path& path, std::string_view name, FieldErrors& errors) {
  const auto all = [](std::string_view text, std::size_t length) {
    return text.size() == length && std::all_of(text.begin(), text.end(), is_alphanumeric);
  };
  bool good = true;
  const std::string_view kind = name.substr(0, 3);
  if (kind == "eui") good = name.size() > 4 && all(name.substr(4), 16);
  if (kind == "naa") good = name.size() > 4 && all(name.substr(4), 32);
  if (kind == "iqn") {
    // iqn.2005-03.org.example[:anything without separators]
    good = name.size() > 12 && name[3] == '.' && is_digit(name[4]) && is_digit(name[5]) &&
           is_digit(name[6]) && is_digit(name[7]) && name[8] == '-' && is_digit(name[9]) &&
           is_digit(name[10]) && name[11] == '.';
    const std::string_view rest = good ? name.substr(12) : std::string_view();
    const std::size_t colon = rest.find(':');
    good = good && colon != std::string_view::npos && colon > 0 && colon + 1 < rest.size();
    for (std::size_t i = 0; good && i < rest.size(); ++i)
      good = i < colon ? is_alphanumeric(rest[i]) || rest[i] == '-' || rest[i] == '.'
                       : std::string_view(",;*&$| \t\n").find(rest[i]) == std::string_view::npos;
  }
  if (!good) errors.invalid(path, name, "must be valid format");
}

void check_iscsi(const Path& path, const Value& v, FieldErrors& errors) {
  require_each(path, v, {"targetPortal", "iqn"}, errors);
  if (!empty_text(v["iqn"])) check_iscsi_name(path.child("iqn"), text_of(v, "iqn"), true, errors);
  if (v["lun"].as_int() < 0 || v["lun"].as_int() > 255)
    errors.invalid(path.child("lun"), v["lun"], range_message(0, 255));
  if ((v["chapAuthDiscovery"].as_bool() || v["chapAuthSession"].as_bool()) &&
      v["secretRef"].is_null())
    errors.required(path.child("secretRef"));
  if (!v["initiatorName"].is_null())
    check_iscsi_name(path.child("initiatorname"), text_of(v, "initiatorName"), true, errors);
}

void check_fibre_channel(const Path& path, const Value& v, FieldErrors& errors) {
  const Path names = path.child("targetWWNs");
  if (v["targetWWNs"].empty() && v["wwids"].empty())
    errors.required(names, "must specify either targetWWNs or wwids, but not both");
  if (!v["targetWWNs"].empty() && !v["wwids"].empty())
    errors.invalid(names, v["targetWWNs"],
                   "targetWWNs and wwids can not be specified simultaneously");
  if (v["targetWWNs"].empty()) return;
  if (v["lun"].is_null())
    errors.required(path.child("lun"), "lun is required if targetWWNs is specified");
  else if (v["lun"].as_int() < 0 || v["lun"].as_int() > 255)
    errors.invalid(path.child("lun"), v["lun"], range_message(0, 255));
}

void check_quobyte(const Path& path, const Value& v, FieldErrors& errors) {
  constexpr std::string_view pairs =
      "must be a host:port pair or multiple pairs separated by commas";
  const std::string registry = v["registry"].str();
  if (registry.empty()) {
    errors.required(path.child("registry"), pairs);
  } else if (text_of(v, "tenant").size() >= 65) {
    errors.required(path.child("tenant"),
                    "must be a UUID and may not exceed a length of 64 characters");
  } else {
    for (const std::string& pair : split(registry, ','))
      if (std::count(pair.begin(), pair.end(), ':') != 1)
        errors.invalid(path.child("registry"), registry, pairs);
  }
  require(path.child("volume"), v["volume"], errors);
}

void check_flocker(const Path& path, const Value& v, FieldErrors& errors) {
  const bool name = !empty_text(v["datasetName"]), uuid = !empty_text(v["datasetUUID"]);
  if (!name && !uuid) errors.required(path, "one of datasetName and datasetUUID is required");
  if (name && uuid)
    errors.invalid(path, "resource",
                   "datasetName and datasetUUID can not be specified simultaneously");
  if (text_of(v, "datasetName").find('/') != std::string_view::npos)
    errors.invalid(path.child("datasetName"), v["datasetName"], "must not contain '/'");
}

void check_flex(const Path& path, const Value& v, FieldErrors& errors) {
  require(path.child("driver"), v["driver"], errors);
  const Path options = path.child("options");
  for (const codec::Member& option : v["options"].members()) {
    const std::string scope = '.' + to_lower(option.key().substr(0, option.key().find('/')));
    for (const std::string_view reserved : {".kubernetes.io", ".k8s.io"})
      if (scope.size() >= reserved.size() &&
          scope.substr(scope.size() - reserved.size()) == reserved) {
        errors.invalid(options.key(option.key()), option.key(),
                       "kubernetes.io and k8s.io namespaces are reserved");
        break;
      }
  }
}

void check_azure_disk(const Path& path, const Value& v, FieldErrors& errors) {
  require_each(path, v, {"diskName", "diskURI"}, errors);
  if (!v["cachingMode"].is_null())
    check_supported(path.child("cachingMode"), v["cachingMode"], {"None", "ReadOnly", "ReadWrite"},
                    errors);
  if (v["kind"].is_null()) return;
  check_supported(path.child("kind"), v["kind"], {"Dedicated", "Managed", "Shared"}, errors);
  const std::string_view uri = text_of(v, "diskURI");
  const bool managed = text_of(v, "kind") == "Managed";
  if (managed && uri.substr(0, 15) != "/subscriptions/")
    errors.not_supported(path.child("diskURI"), uri,
                         {"/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/"
                          "microsoft.compute/disks/{disk-id}"});
  if (!managed && uri.substr(0, 8) != "https://")
    errors.not_supported(
        path.child("diskURI"), uri,
        {"https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"});
}

void check_storage_os(const Path& path, const Value& v, FieldErrors& errors) {
  const Path name = path.child("volumeName");
  if (empty_text(v["volumeName"]))
    errors.required(name);
  else
    errors.invalid_each(name, v["volumeName"], dns1123_label_messages(text_of(v, "volumeName")));
  if (!empty_text(v["volumeNamespace"]))
    errors.invalid_each(path.child("volumeNamespace"), v["volumeNamespace"],
                        dns1123_label_messages(text_of(v, "volumeNamespace")));
  if (!v["secretRef"].is_null())
    require(path.child("secretRef.name"), v["secretRef"]["name"], errors);
}

}  // namespace

void check_no_backsteps(const Path& path, std::string_view target, FieldErrors& errors) {
  const std::vector<std::string> parts = split(target, '/');
  if (std::find(parts.begin(), parts.end(), "..") != parts.end())
    errors.invalid(path, target, "must not contain '..'");
}

void check_descending_path(const Path& path, std::string_view target, FieldErrors& errors) {
  if (target.substr(0, 1) == "/") errors.invalid(path, target, "must be a relative path");
  check_no_backsteps(path, target, errors);
}

void check_iscsi_name(const Path& path, std::string_view name, bool long_message,
                      FieldErrors& errors) {
  const std::string_view kind = name.substr(0, 3);
  if (kind != "iqn" && kind != "eui" && kind != "naa")
    errors.invalid(path, name,
                   long_message ? "must be valid format starting with iqn, eui, or naa"
                                : "must be valid format");
  else
    check_iqn_shape(path, name, errors);
}

void check_csi_driver_name(const Path& path, std::string_view name, FieldErrors& errors) {
  if (name.empty()) {
    errors.required(path);
    return;
  }
  if (name.size() > 63) errors.too_long(path, 63);
  errors.invalid_each(path, name, dns1123_subdomain_messages(to_lower(name)));
}

// The sources whose rules are the same in pods and in persistent volumes.
void check_volume_part(std::string_view source, const Path& path, const Value& v,
                       FieldErrors& errors) {
  if (source == "hostPath") {
    if (empty_text(v["path"])) {
      errors.required(path.child("path"));
      return;
    }
    check_no_backsteps(path.child("path"), text_of(v, "path"), errors);
    if (!v["type"].is_null())
      check_supported(path.child("type"), v["type"],
                      {"", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File",
                       "FileOrCreate", "Socket"},
                      errors);
  } else if (source == "gcePersistentDisk") {
    require(path.child("pdName"), v["pdName"], errors);
    check_partition(path, v, errors);
  } else if (source == "awsElasticBlockStore") {
    require(path.child("volumeID"), v["volumeID"], errors);
    check_partition(path, v, errors);
  } else if (source == "nfs") {
    require_each(path, v, {"server", "path"}, errors);
    if (text_of(v, "path").substr(0, 1) != "/")
      errors.invalid(path.child("path"), v["path"], "must be an absolute path");
  } else if (source == "iscsi") {
    check_iscsi(path, v, errors);
  } else if (source == "glusterfs") {
    require_each(path, v, {"endpoints", "path"}, errors);
  } else if (source == "flocker") {
    check_flocker(path, v, errors);
  } else if (source == "rbd") {
    require_each(path, v, {"monitors", "image"}, errors);
  } else if (source == "cinder") {
    require(path.child("volumeID"), v["volumeID"], errors);
    if (!v["secretRef"].is_null())
      require(path.child("secretRef.name"), v["secretRef"]["name"], errors);
  } else if (source == "cephfs") {
    require(path.child("monitors"), v["monitors"], errors);
  } else if (source == "quobyte") {
    check_quobyte(path, v, errors);
  } else if (source == "fc") {
    check_fibre_channel(path, v, errors);
  } else if (source == "flexVolume") {
    check_flex(path, v, errors);
  } else if (source == "azureFile") {
    require_each(path, v, {"secretName", "shareName"}, errors);
  } else if (source == "vsphereVolume") {
    require(path.child("volumePath"), v["volumePath"], errors);
  } else if (source == "photonPersistentDisk") {
    require(path.child("pdID"), v["pdID"], errors);
  } else if (source == "portworxVolume") {
    require(path.child("volumeID"), v["volumeID"], errors);
  } else if (source == "azureDisk") {
    check_azure_disk(path, v, errors);
  } else if (source == "storageos") {
    check_storage_os(path, v, errors);
  } else if (source == "scaleIO") {
    require_each(path, v, {"gateway", "system", "volumeName"}, errors);
  }
}

namespace {

void check_field_reference_in_volume(const Path& path, const Value& reference, FieldErrors& errors);
void check_resource_reference(const Path& path, const Value& reference, FieldErrors& errors);

void check_downward_file(const Path& path, const Value& file, FieldErrors& errors) {
  require(path.child("path"), file["path"], errors);
  check_local_path(path.child("path"), text_of(file, "path"), errors);
  if (!file["fieldRef"].is_null()) {
    check_field_reference_in_volume(path.child("fieldRef"), file["fieldRef"], errors);
    if (!file["resourceFieldRef"].is_null())
      errors.invalid(path, "resource",
                     "fieldRef and resourceFieldRef can not be specified simultaneously");
  } else if (!file["resourceFieldRef"].is_null()) {
    check_resource_reference(path.child("resourceFieldRef"), file["resourceFieldRef"], errors);
  } else {
    errors.required(path, "one of fieldRef and resourceFieldRef is required");
  }
  check_mode(path.child("mode"), file["mode"], errors);
}

class Projection {
 public:
  Projection(const Path& path, FieldErrors& errors) : path_(path), errors_(errors) {}

  void source(const Path& at, const Value& source) {
    int kinds = 0;
    for (const char* kind : {"secret", "configMap"}) {
      const Value& v = source[kind];
      if (v.is_null()) continue;
      ++kinds;
      named(at.child(kind), v);
    }
    if (const Value& v = source["downwardAPI"]; !v.is_null()) {
      ++kinds;
      for (const Value& file : v["items"].elements()) {
        check_downward_file(at.child("downwardAPI"), file, errors_);
        claim(text_of(file, "path"), file["path"]);
      }
    }
    if (!source["serviceAccountToken"].is_null()) {
      ++kinds;
      token(at.child("serviceAccountToken"), source["serviceAccountToken"]);
    }
    if (!source["clusterTrustBundle"].is_null()) {
      ++kinds;
      bundle(at.child("clusterTrustBundle"), source["clusterTrustBundle"]);
    }
    if (!source["podCertificate"].is_null()) {
      ++kinds;
      certificate(at.child("podCertificate"), source["podCertificate"]);
    }
    if (kinds > 1) errors_.forbidden(at, "may not specify more than 1 volume type per source");
  }

 private:
  void claim(std::string_view target, const Value& bad) {
    if (!target.empty() && !paths_.emplace(target).second)
      errors_.invalid(path_, bad, "conflicting duplicate paths");
  }
  void named(const Path& at, const Value& v) {
    require(at.child("name"), v["name"], errors_);
    const Path items = at.child("items");
    for (std::size_t i = 0; i < v["items"].size(); ++i) {
      check_item(items.index(i), v["items"][i], errors_);
      claim(text_of(v["items"][i], "path"), v["name"]);
    }
  }
  void token(const Path& at, const Value& v) {
    const auto seconds = v["expirationSeconds"].as_int();
    if (seconds < 600)
      errors_.invalid(at.child("expirationSeconds"), seconds,
                      "may not specify a duration less than 10 minutes");
    if (seconds > 1LL << 32)
      errors_.invalid(at.child("expirationSeconds"), seconds,
                      "may not specify a duration larger than 2^32 seconds");
    if (empty_text(v["path"]))
      errors_.required(path_.child("path"));
    else
      check_local_path(path_.child("path"), text_of(v, "path"), errors_);
  }
  void bundle(const Path& at, const Value& v) {
    const bool name = !v["name"].is_null(), signer = !v["signerName"].is_null();
    if (name && signer) {
      errors_.invalid(at, v, "only one of name and signerName may be used");
    } else if (name) {
      if (empty_text(v["name"])) errors_.required(at.child("name"), "must be a valid object name");
      for (const std::string& message : subdomain_name(text_of(v, "name"), false))
        errors_.invalid(at.child("name"), v["name"],
                        "not a valid clustertrustbundlename: " + message);
      if (!v["labelSelector"].is_null())
        errors_.invalid_printed(at.child("labelSelector"), printed_selector(v["labelSelector"]),
                                "labelSelector must be unset if name is specified");
    } else if (signer) {
      if (empty_text(v["signerName"]))
        errors_.required(at.child("signerName"), "must be a valid signer name");
      check_label_selector(at.child("labelSelector"), v["labelSelector"], errors_);
    } else {
      errors_.required(at, "either name or signerName must be specified");
    }
    require(at.child("path"), v["path"], errors_);
    check_local_path(at.child("path"), text_of(v, "path"), errors_);
    if (!paths_.emplace(text_of(v, "path")).second)
      errors_.invalid(path_, v["path"], "conflicting duplicate paths");
  }
  void certificate(const Path& at, const Value& v) {
    check_supported(at.child("keyType"), v["keyType"],
                    {"RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"},
                    errors_);
    if (!v["maxExpirationSeconds"].is_null() && v["maxExpirationSeconds"].as_int() < 3600)
      errors_.invalid(at.child("maxExpirationSeconds"), v["maxExpirationSeconds"],
                      "if provided, maxExpirationSeconds must be >= 3600");
    int paths = 0;
    for (const char* field : {"credentialBundlePath", "keyPath", "certificateChainPath"}) {
      if (empty_text(v[field])) continue;
      ++paths;
      check_local_path(at.child(field), text_of(v, field), errors_);
      claim(text_of(v, field), v[field]);
    }
    if (paths == 0)
      errors_.required(
          at, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath");
  }

  const Path& path_;
  FieldErrors& errors_;
  std::set<std::string, std::less<>> paths_;
};

void check_publish_secret(const Path& path, const Value& reference, FieldErrors& errors) {
  if (empty_text(reference["name"]))
    errors.required(path.child("nodePublishSecretRef.name"));
  else
    check_name(path.child("name"), text_of(reference, "name"), subdomain_name, errors);
}

void check_pod_source(std::string_view source, const Path& volume, const Value& v,
                      std::string_view name, const Value& metadata, FieldErrors& errors) {
  // The original's paths are not always the field's name.
  const Path path = volume.child(source == "gcePersistentDisk" ? "persistentDisk" : source);
  if (source == "gitRepo") {
    require(path.child("repository"), v["repository"], errors);
    check_descending_path(path.child("directory"), text_of(v, "directory"), errors);
  } else if (source == "secret" || source == "configMap") {
    const char* key = source == "secret" ? "secretName" : "name";
    require(path.child(key), v[key], errors);
    check_mode(path.child("defaultMode"), v["defaultMode"], errors);
    check_items(path, v, errors);
  } else if (source == "persistentVolumeClaim") {
    require(path.child("claimName"), v["claimName"], errors);
  } else if (source == "downwardAPI") {
    check_mode(path.child("defaultMode"), v["defaultMode"], errors);
    for (const Value& file : v["items"].elements()) check_downward_file(path, file, errors);
  } else if (source == "projected") {
    check_mode(path.child("defaultMode"), v["defaultMode"], errors);
    Projection projection(path, errors);
    const Path sources = path.child("sources");
    for (std::size_t i = 0; i < v["sources"].size(); ++i)
      projection.source(sources.index(i), v["sources"][i]);
  } else if (source == "csi") {
    check_csi_driver_name(path.child("driver"), text_of(v, "driver"), errors);
    if (!v["nodePublishSecretRef"].is_null())
      check_publish_secret(path, v["nodePublishSecretRef"], errors);
  } else if (source == "ephemeral") {
    const Path claim = path.child("volumeClaimTemplate");
    if (v["volumeClaimTemplate"].is_null()) {
      errors.required(claim);
    } else {
      check_template_metadata(claim.child("metadata"), v["volumeClaimTemplate"]["metadata"],
                              errors);
      check_claim_spec(claim.child("spec"), v["volumeClaimTemplate"]["spec"], errors);
    }
    if (!empty_text(metadata["name"]) && !name.empty()) {
      const std::string full = metadata["name"].str() + '-' + std::string(name);
      for (const std::string& message : subdomain_name(full, false))
        errors.invalid(volume.child("name"), name, "PVC name " + quote(full) + ": " + message);
    }
  } else if (source == "image") {
    require(path.child("reference"), v["reference"], errors);
    check_one_of(path.child("pullPolicy"), v["pullPolicy"], {"Always", "IfNotPresent", "Never"},
                 errors);
  } else {
    check_volume_part(source, path, v, errors);
  }
}

void check_volume(const Path& path, const Value& volume, const Value& metadata,
                  FieldErrors& errors) {
  const std::string_view name = text_of(volume, "name");
  int types = 0;
  if (const Value& empty = volume["emptyDir"]; !empty.is_null()) {
    ++types;
    if (Quantity::of(empty["sizeLimit"]).nano() < 0)
      errors.forbidden(path.child("emptyDir.sizeLimit"),
                       "SizeLimit field must be a valid resource quantity");
  }
  for (const char* source : {"hostPath",
                             "gitRepo",
                             "gcePersistentDisk",
                             "awsElasticBlockStore",
                             "secret",
                             "nfs",
                             "iscsi",
                             "glusterfs",
                             "flocker",
                             "persistentVolumeClaim",
                             "rbd",
                             "cinder",
                             "cephfs",
                             "quobyte",
                             "downwardAPI",
                             "fc",
                             "flexVolume",
                             "configMap",
                             "azureFile",
                             "vsphereVolume",
                             "photonPersistentDisk",
                             "portworxVolume",
                             "azureDisk",
                             "storageos",
                             "projected",
                             "scaleIO",
                             "csi",
                             "ephemeral",
                             "image"}) {
    const Value& v = volume[source];
    if (v.is_null()) continue;
    const std::string_view text(source);
    if (types > 0) {
      errors.forbidden(path.child(text == "cephfs"        ? "cephFS"
                                  : text == "downwardAPI" ? "downwarAPI"
                                                          : text),
                       "may not specify more than 1 volume type");
      continue;
    }
    ++types;
    check_pod_source(text, path, v, name, metadata, errors);
    if (text == "iscsi" && !v["initiatorName"].is_null() &&
        name.size() + 1 + text_of(v, "targetPortal").size() > 64)
      errors.invalid(path.child("name"), name,
                     "Total length of <volume name>:<iscsi.targetPortal> must be under 64 "
                     "characters if iscsi.initiatorName is specified.");
  }
  if (types == 0) errors.required(path, "must specify a volume type");
}

void check_field_reference_in_volume(const Path& path, const Value& reference,
                                     FieldErrors& errors) {
  check_field_reference(path, reference,
                        {"metadata.annotations", "metadata.labels", "metadata.name",
                         "metadata.namespace", "metadata.uid"},
                        errors);
}
void check_resource_reference(const Path& path, const Value& reference, FieldErrors& errors) {
  check_resource_field(path, reference, true, errors);
}

}  // namespace

Volumes check_volumes(const Path& path, const Value& volumes, const Value& metadata,
                      FieldErrors& errors) {
  Volumes valid;
  std::set<std::string> created;
  for (const Value& volume : volumes.elements())
    if (!volume["ephemeral"].is_null() && !empty_text(metadata["name"]))
      created.insert(metadata["name"].str() + '-' + volume["name"].str());
  for (std::size_t i = 0; i < volumes.size(); ++i) {
    const Value& volume = volumes[i];
    const Path at = path.index(i);
    const Path name = at.child("name");
    FieldErrors here;
    check_volume(at, volume, metadata, here);
    if (empty_text(volume["name"]))
      here.required(name);
    else
      here.invalid_each(name, volume["name"], dns1123_label_messages(text_of(volume, "name")));
    if (valid.find(text_of(volume, "name")) != valid.end()) here.duplicate(name, volume["name"]);
    if (here.empty())
      valid.emplace(text_of(volume, "name"), &volume);
    else
      errors.add(std::move(here));
    const Value& claim = volume["persistentVolumeClaim"]["claimName"];
    if (created.count(claim.str()) > 0 && !claim.is_null())
      errors.invalid(at.child("persistentVolumeClaim.claimName"), claim,
                     "must not reference a PVC that gets created for an ephemeral volume");
  }
  return valid;
}

}  // namespace keelson::model
