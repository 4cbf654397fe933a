// Go names follow from JSON names by capitals, but for initialisms.
#include "model/go_print.h"

#include <algorithm>
#include <array>
#include <vector>

#include "codec/json.h"
#include "model/types_parse.h"

namespace keelson::model {
namespace {

using codec::Field;
using codec::Scalar;
using codec::Shape;
using codec::Type;
using codec::Value;

struct Name {
  std::string_view json, go;
};
constexpr std::array kPrefixes = {
    Name{"apiVersion", "APIVersion"},
    Name{"apiGroup", "APIGroup"},
    Name{"uid", "UID"},
    Name{"ip", "IP"},
    Name{"url", "URL"},
    Name{"id", "ID"},
    Name{"seLinux", "SELinux"},
    Name{"fsGroup", "FSGroup"},
    Name{"fsType", "FSType"},
    Name{"dns", "DNS"},
    Name{"csi", "CSI"},
    Name{"nfs", "NFS"},
    Name{"tcpSocket", "TCPSocket"},
    Name{"http", "HTTP"},
    Name{"gmsa", "GMSA"},
    Name{"tls", "TLS"},
    Name{"gce", "GCE"},
    Name{"aws", "AWS"},
    Name{"rbd", "RBD"},
    Name{"iscsi", "ISCSI"},
    Name{"grpc", "GRPC"},
    Name{"fc", "FC"},
    Name{"cidr", "CIDR"},
    Name{"ca", "CA"},
    Name{"cel", "CEL"},
    Name{"json", "JSON"},
    Name{"tty", "TTY"},
    Name{"os", "OS"},
    Name{"cephfs", "CephFS"},
    Name{"storageos", "StorageOS"},
};

std::string go_name(std::string_view json) {
  for (const Name& n : kPrefixes) {
    if (json.substr(0, n.json.size()) != n.json) continue;
    const std::string_view rest = json.substr(n.json.size());
    if (!rest.empty() && rest[0] >= 'a' && rest[0] <= 'z' && rest != "s") continue;
    return std::string(n.go) + std::string(rest);
  }
  std::string name(json);
  if (!name.empty() && name[0] >= 'a' && name[0] <= 'z') name[0] = static_cast<char>(name[0] - 32);
  return name;
}

// Fields that the internal struct calls otherwise.
struct Renamed {
  std::string_view type, json, go;
};
constexpr std::array kRenamed = {
    Renamed{"core.v1.GlusterfsVolumeSource", "endpoints", "EndpointsName"},
    Renamed{"core.v1.GlusterfsPersistentVolumeSource", "endpoints", "EndpointsName"},
    Renamed{"core.v1.RBDVolumeSource", "monitors", "CephMonitors"},
    Renamed{"core.v1.RBDVolumeSource", "image", "RBDImage"},
    Renamed{"core.v1.RBDVolumeSource", "pool", "RBDPool"},
    Renamed{"core.v1.RBDVolumeSource", "user", "RadosUser"},
    Renamed{"core.v1.RBDPersistentVolumeSource", "monitors", "CephMonitors"},
    Renamed{"core.v1.RBDPersistentVolumeSource", "image", "RBDImage"},
    Renamed{"core.v1.RBDPersistentVolumeSource", "pool", "RBDPool"},
    Renamed{"core.v1.RBDPersistentVolumeSource", "user", "RadosUser"},
    Renamed{"core.v1.GCEPersistentDiskVolumeSource", "pdName", "PDName"},
    Renamed{"core.v1.ISCSIVolumeSource", "iqn", "IQN"},
    Renamed{"core.v1.ISCSIVolumeSource", "chapAuthDiscovery", "DiscoveryCHAPAuth"},
    Renamed{"core.v1.ISCSIVolumeSource", "chapAuthSession", "SessionCHAPAuth"},
    Renamed{"core.v1.ISCSIPersistentVolumeSource", "iqn", "IQN"},
    Renamed{"core.v1.ISCSIPersistentVolumeSource", "chapAuthDiscovery", "DiscoveryCHAPAuth"},
    Renamed{"core.v1.ISCSIPersistentVolumeSource", "chapAuthSession", "SessionCHAPAuth"},
    Renamed{"core.v1.FCVolumeSource", "wwids", "WWIDs"},
    Renamed{"core.v1.AzureDiskVolumeSource", "diskURI", "DataDiskURI"},
    Renamed{"core.v1.ScaleIOVolumeSource", "sslEnabled", "SSLEnabled"},
    Renamed{"core.v1.ScaleIOPersistentVolumeSource", "sslEnabled", "SSLEnabled"},
    Renamed{"core.v1.ContainerStatus", "lastState", "LastTerminationState"},
    Renamed{"batch.v1.JobSpec", "ttlSecondsAfterFinished", "TTLSecondsAfterFinished"},
    Renamed{"resource.v1.DeviceAttribute", "int", "IntValue"},
    Renamed{"resource.v1.DeviceAttribute", "bool", "BoolValue"},
    Renamed{"resource.v1.DeviceAttribute", "string", "StringValue"},
    Renamed{"resource.v1.DeviceAttribute", "version", "VersionValue"},
    Renamed{"resource.v1.DeviceAttribute", "ints", "IntValues"},
    Renamed{"resource.v1.DeviceAttribute", "bools", "BoolValues"},
    Renamed{"resource.v1.DeviceAttribute", "strings", "StringValues"},
    Renamed{"resource.v1.DeviceAttribute", "versions", "VersionValues"},
};

constexpr std::string_view kPackage = "io.k8s.api.";

std::string go_name(const Type& type, std::string_view json) {
  for (const Renamed& one : kRenamed)
    if (one.json == json && type.name.ends_with(one.type)) return std::string(one.go);
  return go_name(json);
}

// Fields that are pointers as served, and values within.
struct ByValue {
  std::string_view type, json;
};
constexpr std::array kByValue = {
    ByValue{"apps.v1.RollingUpdateDeployment", "maxUnavailable"},
    ByValue{"apps.v1.RollingUpdateDeployment", "maxSurge"},
    ByValue{"apps.v1.RollingUpdateDaemonSet", "maxUnavailable"},
    ByValue{"apps.v1.RollingUpdateDaemonSet", "maxSurge"},
    ByValue{"apps.v1.RollingUpdateStatefulSetStrategy", "partition"},
    ByValue{"core.v1.ServiceAccountTokenProjection", "expirationSeconds"},
    ByValue{"flowcontrol.v1.LimitedPriorityLevelConfiguration", "nominalConcurrencyShares"},
    ByValue{"admissionregistration.v1.ServiceReference", "port"},
};

bool is_pointer(const Type& type, const Field& field) {
  for (const ByValue& one : kByValue)
    if (one.json == field.name && type.name.ends_with(one.type)) return false;
  return field.pointer;
}

// Of volumes, some sources stand elsewhere: each of these behind the one before.
constexpr std::array kVolumeTypes = {std::string_view("core.v1.Volume"),
                                     std::string_view("core.v1.PersistentVolumeSpec")};

// The fields in the order of the internal struct.
std::vector<const Field*> internal_fields(const Type& type) {
  std::vector<const Field*> fields;
  for (const Field& field : type.fields) fields.push_back(&field);
  const std::string_view name = type.name;
  if (!name.starts_with(kPackage)) return fields;
  const std::string_view local = name.substr(kPackage.size());
  if (std::find(kVolumeTypes.begin(), kVolumeTypes.end(), local) == kVolumeTypes.end())
    return fields;
  const auto move_behind = [&](std::string_view moved, std::string_view anchor) {
    const Field* field = type.field(moved);
    std::erase(fields, field);
    const auto at = std::find(fields.begin(), fields.end(), type.field(anchor));
    KEELSON_CHECK(field != nullptr && at != fields.end());
    fields.insert(at + 1, field);
  };
  move_behind("quobyte", "rbd");
  if (local == "core.v1.PersistentVolumeSpec") move_behind("flexVolume", "iscsi");
  return fields;
}

bool is_tagged(const Type& type) {
  return type.name.find("apimachinery") != std::string::npos;
}

class Printer {
 public:
  std::string out;

  void value(const Type& type, const Value& value, bool pointer) {
    if (value.is_null() && pointer) {
      out += "null";
      return;
    }
    switch (type.shape) {
      case Shape::structure:
        if (is_tagged(type))
          tagged(type, value);
        else
          internal(type, value);
        return;
      case Shape::list: list(type, value); return;
      case Shape::map: map(type, value); return;
      case Shape::any: out += value.is_null() ? "null" : codec::to_json(value); return;
      case Shape::scalar: scalar(type, value); return;
    }
  }

  void tagged(const Type& type, const Value& value) {
    bool first = true;
    out += '{';
    for (const Field& f : type.fields) {
      const Value& v = value[f.name];
      if (v.is_null() && !f.keep_empty) continue;
      key(f.name, first);
      this->value(*f.type, v, f.pointer);
    }
    out += '}';
  }

  void part(const Type& type, const Value& value, std::initializer_list<std::string_view> fields) {
    bool first = true;
    out += '{';
    for (const std::string_view name : fields)
      if (const Field* f = type.field(name); f != nullptr) {
        key(go_name(type, name), first);
        this->value(*f->type, value[name], is_pointer(type, *f));
      }
    out += '}';
  }

 private:
  void key(std::string_view name, bool& first) {
    if (!first) out += ',';
    first = false;
    codec::append_json_string(out, name);
    out += ':';
  }
  // Where the internal struct has its fields in another order, or in another struct.
  void pod(const Type& type, const Value& spec) {
    bool first = true;
    out += '{';
    for (const char* name : {"volumes",
                             "initContainers",
                             "containers",
                             "ephemeralContainers",
                             "restartPolicy",
                             "terminationGracePeriodSeconds",
                             "activeDeadlineSeconds",
                             "dnsPolicy",
                             "nodeSelector",
                             "serviceAccountName",
                             "automountServiceAccountToken",
                             "nodeName",
                             "securityContext",
                             "imagePullSecrets",
                             "hostname",
                             "subdomain",
                             "setHostnameAsFQDN",
                             "affinity",
                             "schedulerName",
                             "tolerations",
                             "hostAliases",
                             "priorityClassName",
                             "priority",
                             "preemptionPolicy",
                             "dnsConfig",
                             "readinessGates",
                             "runtimeClassName",
                             "overhead",
                             "enableServiceLinks",
                             "topologySpreadConstraints",
                             "os",
                             "schedulingGates",
                             "resourceClaims",
                             "resources",
                             "hostnameOverride",
                             "schedulingGroup"}) {
      const Field* f = type.field(name);
      if (f == nullptr) continue;
      key(go_name(f->name), first);
      if (f->name != "securityContext") {
        this->value(*f->type, spec[f->name], f->pointer);
        continue;
      }
      bool first_inside = true;
      out += '{';
      for (const char* host :
           {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"})
        if (const Field* h = type.field(host); h != nullptr) {
          key(go_name(h->name), first_inside);
          this->value(*h->type, spec[h->name], h->pointer);
        }
      for (const char* own :
           {"seLinuxOptions", "windowsOptions", "runAsUser", "runAsGroup", "runAsNonRoot",
            "supplementalGroups", "supplementalGroupsPolicy", "fsGroup", "fsGroupChangePolicy",
            "sysctls", "seccompProfile", "appArmorProfile", "seLinuxChangePolicy"})
        if (const Field* o = f->type->field(own); o != nullptr) {
          key(go_name(o->name), first_inside);
          this->value(*o->type, spec[f->name][o->name], o->pointer);
        }
      out += '}';
    }
    out += '}';
  }
  void internal(const Type& type, const Value& value) {
    if (type.name == "io.k8s.api.core.v1.PodSpec") {
      pod(type, value);
      return;
    }
    bool first = true;
    out += '{';
    for (const Field* field : internal_fields(type)) {
      const Field& f = *field;
      if (type.has_kind && (f.name == "kind" || f.name == "apiVersion")) continue;
      if (f.name == "metadata") {  // embedded in Go: its own fields stand here
        for (const Field& own : f.type->fields) {
          const Value& v = value[f.name][own.name];
          if (v.is_null()) continue;
          key(own.name, first);
          this->value(*own.type, v, own.pointer);
        }
        continue;
      }
      key(go_name(type, f.name), first);
      this->value(*f.type, value[f.name], is_pointer(type, f));
    }
    out += '}';
  }
  void list(const Type& type, const Value& value) {
    if (value.is_null()) {
      out += "null";
      return;
    }
    out += '[';
    bool first = true;
    for (const Value& element : value.elements()) {
      if (!first) out += ',';
      first = false;
      this->value(*type.element.type, element, false);
    }
    out += ']';
  }
  void map(const Type& type, const Value& value) {
    if (value.is_null()) {
      out += "null";
      return;
    }
    out += '{';
    bool first = true;
    for (const codec::Member& m : value.members()) {
      key(m.key(), first);
      this->value(*type.element.type, m.value, false);
    }
    out += '}';
  }
  void scalar(const Type& type, const Value& value) {
    if (!value.is_null()) {
      out += codec::to_json(value);
      return;
    }
    switch (type.scalar) {
      case Scalar::string: out += "\"\""; return;
      case Scalar::boolean: out += "false"; return;
      case Scalar::quantity: out += "\"0\""; return;
      case Scalar::int32:
      case Scalar::int64:
      case Scalar::float64:
      case Scalar::int_or_string: out += "0"; return;
      default: out += "null"; return;
    }
  }
};

const Type* find(std::string_view type) {
  const auto& types = builtin_types().types;
  const auto found = types.find(type);
  KEELSON_CHECK(found != types.end());
  return found->second;
}

}  // namespace

std::string printed_internal(std::string_view type, const Value& value) {
  Printer printer;
  printer.value(*find(type), value, true);
  return printer.out;
}

std::string printed_internal_part(std::string_view type, const Value& value,
                                  std::initializer_list<std::string_view> fields) {
  Printer printer;
  printer.part(*find(type), value, fields);
  return printer.out;
}

std::string printed_tagged(std::string_view type, const Value& value) {
  Printer printer;
  printer.tagged(*find(type), value);
  return printer.out;
}

std::string printed_internal_list(std::string_view type, const Value& list) {
  std::string out;
  for (const Value& element : list.elements())
    out += (out.empty() ? "[" : ",") + printed_internal(type, element);
  return out.empty() ? "[]" : out + ']';
}

}  // namespace keelson::model
