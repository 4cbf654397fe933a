// Go names follow from JSON names by capitals, but for initialisms.
#include "model/go_print.h"

#include <array>

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

constexpr std::string_view kVolume = "io.k8s.api.core.v1.Volume";

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
        key(go_name(name), first);
        this->value(*f->type, value[name], f->pointer);
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
    for (const Field& f : type.fields) {
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
      if (type.name == kVolume && f.name == "quobyte") continue;  // stands behind rbd
      key(go_name(f.name), first);
      this->value(*f.type, value[f.name], f.pointer);
      if (type.name != kVolume || f.name != "rbd") continue;
      key("Quobyte", first);
      this->value(*type.field("quobyte")->type, value["quobyte"], true);
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
