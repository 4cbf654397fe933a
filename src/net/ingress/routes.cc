// Served are the classes whose controller is ingress-nginx or ours. Annotations that change how
// requests are handled and are not known here become complaints, which are shown as events.
#include "net/ingress/routes.h"

#include <algorithm>

#include "base/prng.h"
#include "base/text.h"
#include "model/meta.h"

namespace keelson::net {
namespace {

constexpr std::string_view kAnnotations = "nginx.ingress.kubernetes.io/";
constexpr std::string_view kOldClass = "kubernetes.io/ingress.class";
constexpr std::string_view kDefaultClass = "ingressclass.kubernetes.io/is-default-class";
constexpr std::string_view kOwnController = "keelson.dev/ingress";

bool is_ours(const Value& ingress_class) {
  const std::string_view controller = ingress_class["spec"]["controller"].as_string();
  return controller == "k8s.io/ingress-nginx" || controller == kOwnController;
}

std::int64_t number_of(const std::string& text, std::int64_t fallback) {
  return std::max<std::int64_t>(0, parse_int(trim(text)).value_or(fallback));
}

Duration seconds_of(const std::string& text, Duration fallback) {
  if (const auto whole = parse_int(trim(text)); whole && *whole > 0 && *whole < 1'000'000)
    return Duration::seconds(*whole);
  const auto parsed = parse_duration(trim(text));
  return parsed && *parsed > Duration() ? *parsed : fallback;
}

// "8m", "512k", "1g", plain bytes.
std::int64_t size_of(const std::string& text) {
  if (text.empty()) return 0;
  const char unit = to_lower(text).back();
  const std::int64_t factor = unit == 'k'   ? 1 << 10
                              : unit == 'm' ? 1 << 20
                              : unit == 'g' ? 1 << 30
                                            : 1;
  const std::string digits = factor == 1 ? text : text.substr(0, text.size() - 1);
  return std::min<std::int64_t>(number_of(digits, 0), 1 << 30) * factor;
}

// Only what can stand in a configuration: addresses and prefixes.
std::vector<std::string> ranges_of(const std::string& text) {
  std::vector<std::string> out;
  for (const std::string& part : split(text, ',')) {
    const std::string range(trim(part));
    const bool plain =
        !range.empty() && range.find_first_not_of("0123456789abcdefABCDEF.:/") == std::string::npos;
    if (plain) out.push_back(range);
  }
  return out;
}

bool is_token(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.';
  });
}

struct SettingsReader {
  const Value& ingress;
  IngressSettings out;
  std::vector<std::string> complaints;

  void read(const std::string& name, const std::string& text) {
    if (name == "limit-rps")
      out.limit_rps = number_of(text, 0);
    else if (name == "limit-rpm")
      out.limit_rpm = number_of(text, 0);
    else if (name == "limit-connections")
      out.limit_connections = number_of(text, 0);
    else if (name == "limit-burst-multiplier")
      out.limit_burst = std::clamp<std::int64_t>(number_of(text, 5), 1, 100);
    else if (name == "limit-whitelist" || name == "limit-allowlist")
      out.limit_except = ranges_of(text);
    else if (name == "whitelist-source-range" || name == "allowlist-source-range")
      out.source_ranges = ranges_of(text);
    else if (name == "ssl-redirect")
      out.redirect = text != "false";
    else if (name == "force-ssl-redirect")
      out.redirect_always = text == "true";
    else if (name == "affinity")
      out.affinity = text == "cookie";
    else if (name == "session-cookie-name") {
      if (is_token(text)) out.affinity_cookie = text;
    } else if (name == "proxy-connect-timeout")
      out.connect_timeout = seconds_of(text, out.connect_timeout);
    else if (name == "proxy-read-timeout")
      out.read_timeout = seconds_of(text, out.read_timeout);
    else if (name == "proxy-send-timeout")
      out.send_timeout = seconds_of(text, out.send_timeout);
    else if (name == "proxy-body-size")
      out.body_max = size_of(text);
    else if (name == "backend-protocol") {
      out.tls_backend = text == "HTTPS" || text == "GRPCS";
      out.http2_backend = text == "GRPC" || text == "GRPCS";
    } else {
      complaints.push_back("annotation " + std::string(kAnnotations) + name + " is not acted on");
    }
  }
};

std::string backend_name(const Key& ingress, const Key& service, const Value& port) {
  const std::string at = port["name"].as_string().empty() ? std::to_string(port["number"].as_int())
                                                          : port["name"].str();
  // Dots cannot stand in a name of a Service or a namespace, so this is unique but for the
  // Ingress, whose name may have some.
  return ingress.namespace_ + "_" + ingress.name + "_" + service.name + "_" + at;
}

std::optional<ServicePort> find_port(const Directory& directory, const Key& key,
                                     const Value& port) {
  const Service* service = directory.find(key.namespace_, key.name);
  if (service == nullptr || !service->exists()) return std::nullopt;
  for (const ServicePort& at : service->ports())
    if (port["name"].as_string().empty() ? at.port == port["number"].as_int()
                                         : at.name == port["name"].as_string())
      return at;
  return std::nullopt;
}

class Planner {
 public:
  explicit Planner(const Directory& directory) : directory_(directory) {}

  void add(const Value& ingress) {
    const Key key{std::string(model::namespace_of(ingress)), std::string(model::name_of(ingress))};
    SettingsReader reader{ingress, {}, {}};
    for (const codec::Member& member : model::annotations_of(ingress).members())
      if (member.key().starts_with(kAnnotations))
        reader.read(std::string(member.key().substr(kAnnotations.size())), member.value.str());
    ServedIngress& served = out_.ingresses[key];
    served.settings = reader.out;
    if (!reader.complaints.empty()) out_.complaints[key] = reader.complaints;
    for (const Value& tls : ingress["spec"]["tls"].elements()) add_tls(key, served, ingress, tls);
    for (const Value& rule : ingress["spec"]["rules"].elements()) add_rule(key, rule);
    const Value& fallback = ingress["spec"]["defaultBackend"]["service"];
    if (!fallback.is_object()) return;
    const std::string name = add_backend(key, fallback);
    if (ingress["spec"]["rules"].empty() && out_.default_backend.empty())
      out_.default_backend = name;
    for (const Value& rule : ingress["spec"]["rules"].elements())
      out_.prefix.emplace(host_of(rule) + "|/", name);
  }

  RoutePlan take() { return std::move(out_); }

 private:
  static std::string host_of(const Value& rule) {
    const std::string host = to_lower(rule["host"].as_string());
    return host.empty() ? "*" : host;
  }

  void add_tls(const Key& key, ServedIngress& served, const Value& ingress, const Value& tls) {
    WantedCertificate wanted;
    for (const Value& host : tls["hosts"].elements()) {
      wanted.hosts.push_back(to_lower(host.as_string()));
      served.tls_hosts.insert(wanted.hosts.back());
    }
    if (wanted.hosts.empty()) {
      served.tls_everywhere = true;
      for (const Value& rule : ingress["spec"]["rules"].elements())
        if (!rule["host"].as_string().empty()) wanted.hosts.push_back(host_of(rule));
    }
    if (!tls["secretName"].as_string().empty())
      wanted.secret = {key.namespace_, tls["secretName"].str()};
    if (wanted.secret.name.empty() || wanted.hosts.empty()) return;  // the default certificate
    out_.certificates.push_back(std::move(wanted));
  }

  std::string add_backend(const Key& key, const Value& service) {
    const Key target{key.namespace_, service["name"].str()};
    const std::string name = backend_name(key, target, service["port"]);
    out_.backends.emplace(
        name, RouteBackend{key, target, find_port(directory_, target, service["port"])});
    return name;
  }

  void add_rule(const Key& key, const Value& rule) {
    const std::string host = host_of(rule);
    for (const Value& path : rule["http"]["paths"].elements()) {
      if (!path["backend"]["service"].is_object()) {
        out_.complaints[key].push_back("a backend that is a resource is not served");
        continue;
      }
      const std::string name = add_backend(key, path["backend"]["service"]);
      std::string text(path["path"].as_string("/"));
      if (text.find_first_of(" \t\r\n") != std::string::npos) continue;
      if (path["pathType"].as_string() == "Exact") {
        out_.exact.emplace(host + "|" + text, name);
        continue;
      }
      while (text.ends_with("/")) text.pop_back();
      out_.prefix.emplace(host + "|" + text + "/", name);
    }
  }

  const Directory& directory_;
  RoutePlan out_;
};

}  // namespace

bool is_served(const Value& ingress, const std::vector<Value>& classes) {
  std::string name = ingress["spec"]["ingressClassName"].str();
  if (name.empty()) name = model::annotation_of(ingress, kOldClass);
  for (const Value& one : classes) {
    if (!is_ours(one)) continue;
    if (name.empty() ? model::annotation_of(one, kDefaultClass) == "true"
                     : model::name_of(one) == name)
      return true;
  }
  return false;
}

Value own_ingress_class() {
  Value out = Value::object({{"apiVersion", "networking.k8s.io/v1"}, {"kind", "IngressClass"}});
  out.set("metadata",
          Value::object({{"name", "keelson"},
                         {"annotations", Value::object({{std::string(kDefaultClass), "true"}})}}));
  out.set("spec", Value::object({{"controller", kOwnController}}));
  return out;
}

RoutePlan plan_routes(const std::vector<Value>& ingresses, const std::vector<Value>& classes,
                      const Directory& directory) {
  std::vector<Value> served;
  for (const Value& ingress : ingresses)
    if (is_served(ingress, classes)) served.push_back(ingress);
  std::stable_sort(served.begin(), served.end(), [](const Value& a, const Value& b) {
    return model::creation_time_of(a) < model::creation_time_of(b);
  });
  Planner planner(directory);
  for (const Value& ingress : served) planner.add(ingress);
  return planner.take();
}

}  // namespace keelson::net
