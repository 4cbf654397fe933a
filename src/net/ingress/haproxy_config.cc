// A request's backend is found in two maps, exact first, for its host, then for the wildcard of its
// host, then for any host. What an Ingress sets besides stands in its backends.
#include "net/ingress/haproxy_config.h"

#include <algorithm>

#include "base/text.h"
#include "net/address.h"

namespace keelson::net {
namespace {

constexpr std::size_t kSlotsMin = 4;

std::string millis(Duration time) {
  return std::to_string(time.count_milliseconds()) + "ms";
}

std::string slot_name(std::size_t index) {
  return "s" + std::to_string(index + 1);
}

std::string map_text(const std::map<std::string, std::string>& map) {
  std::string out;
  for (const auto& [key, value] : map) out += key + " " + value + "\n";
  return out;
}

class Writer {
 public:
  Writer(const RoutePlan& plan, const Slots& slots, const HaproxySettings& settings)
      : plan_(plan), slots_(slots), settings_(settings) {}

  std::string write() {
    global();
    frontend("http", settings_.http_port, "");
    if (settings_.has_certificates)
      frontend("https", settings_.https_port,
               " ssl crt-list " + settings_.directory +
                   "/certificates.list alpn h2,http/1.1 ssl-min-ver TLSv1.2");
    section("backend none");
    line("http-request return status 404 content-type text/plain string \"default backend - 404\"");
    for (const auto& [key, ingress] : plan_.ingresses) limit_table(key, ingress.settings);
    for (const auto& [name, backend] : plan_.backends)
      write_backend(name, backend, plan_.ingresses.at(backend.ingress));
    return std::move(out_);
  }

 private:
  void section(const std::string& head) { out_ += "\n" + head + "\n"; }
  void line(const std::string& text) { out_ += "  " + text + "\n"; }

  void global() {
    out_ += "# Written by Keelson; changes are lost.\nglobal\n";
    line("stats socket " + settings_.directory +
         "/admin.sock mode 600 level admin expose-fd listeners");
    line("maxconn " + std::to_string(settings_.connections_max));
    line("hard-stop-after 30s");
    line("ssl-default-bind-options ssl-min-ver TLSv1.2");
    section("defaults");
    line("mode http");
    line("timeout connect 5s");
    line("timeout client 60s");
    line("timeout server 60s");
    line("timeout http-request 30s");
    line("timeout http-keep-alive 60s");
    line("timeout queue 5s");
    line("timeout tunnel 1h");
    // A finishing process closes kept connections with an answer, never under a request.
    line("option idle-close-on-response");
    line("option redispatch 1");
    line("retries 3");
    line("retry-on conn-failure empty-response");
  }

  // Whether any route, of these kinds of hosts, is in this map.
  enum class Host { named, wildcard, any };
  static bool has_host(const std::map<std::string, std::string>& map, Host wanted) {
    return std::any_of(map.begin(), map.end(), [wanted](const auto& entry) {
      const Host kind = entry.first.starts_with("*.")   ? Host::wildcard
                        : entry.first.starts_with("*|") ? Host::any
                                                        : Host::named;
      return kind == wanted;
    });
  }

  // Every rule costs each request something, so only those are written that can find a route.
  void look_up(const std::string& host, Host kind) {
    const std::string map = settings_.directory + "/";
    const auto rules = [&](const std::string& key, const std::string& match) {
      const std::string unless = first_look_up_ ? "" : " if !{ var(txn.backend) -m found }";
      line("http-request set-var-fmt(txn.key) \"" + key + "\"" + unless);
      line("http-request set-var(txn.backend) var(txn.key)," + match + unless);
      first_look_up_ = false;
    };
    if (has_host(plan_.exact, kind)) rules(host + "|%[path]", "map(" + map + "exact.map)");
    if (has_host(plan_.prefix, kind)) rules(host + "|%[path]/", "map_beg(" + map + "prefix.map)");
  }

  bool wildcards_matter() const {
    if (has_host(plan_.exact, Host::wildcard) || has_host(plan_.prefix, Host::wildcard))
      return true;
    for (const auto& [key, ingress] : plan_.ingresses)
      for (const std::string& host : ingress.tls_hosts)
        if (host.starts_with("*.")) return true;
    return false;
  }

  void frontend(const std::string& name, int port, const std::string& tls) {
    section("frontend " + name);
    for (const std::string& address : settings_.addresses)
      line("bind " + address + ":" + std::to_string(port) + tls);
    line("http-request set-var(txn.host) req.hdr(host),field(1,:),lower");
    if (wildcards_matter())
      line("http-request set-var(txn.wildcard) var(txn.host),regsub(^[^.]*,*)");
    first_look_up_ = true;
    look_up("%[var(txn.host)]", Host::named);
    look_up("%[var(txn.wildcard)]", Host::wildcard);
    look_up("*", Host::any);
    line("http-request set-header X-Forwarded-For %[src]");
    line("http-request set-header X-Real-IP %[src]");
    line("http-request set-header X-Forwarded-Host %[req.hdr(host)]");
    line("http-request set-header X-Forwarded-Port %[dst_port]");
    line(std::string("http-request set-header X-Forwarded-Proto ") +
         (tls.empty() ? "http" : "https"));
    line(
        "http-request set-header X-Request-ID %[uuid()] unless { req.hdr(X-Request-ID) -m found }");
    if (!tls.empty())
      line(
          "http-response set-header Strict-Transport-Security "
          "\"max-age=31536000; includeSubDomains\"");
    line("use_backend %[var(txn.backend)] if { var(txn.backend) -m found }");
    line("default_backend " + (plan_.default_backend.empty() ? "none" : plan_.default_backend));
  }

  static bool is_limited(const IngressSettings& settings) {
    return settings.limit_rps > 0 || settings.limit_rpm > 0 || settings.limit_connections > 0;
  }
  static std::string table_name(const Key& ingress) {
    return "limits_" + ingress.namespace_ + "_" + ingress.name;
  }

  // One table of client addresses for all backends of an Ingress.
  void limit_table(const Key& key, const IngressSettings& settings) {
    if (!is_limited(settings)) return;
    section("backend " + table_name(key));
    const std::string burst = std::to_string(settings.limit_burst);
    line("stick-table type ip size 100k expire 10m store conn_cur,gpc0_rate(" + burst +
         "s),gpc1_rate(" + burst + "m)");
  }

  // Only what is let through is counted, so that a client above the limit still gets the limit.
  void limits(const Key& key, const IngressSettings& settings) {
    if (!is_limited(settings)) return;
    std::string except;
    if (!settings.limit_except.empty())
      except = " !{ src " + join(settings.limit_except, " ") + " }";
    const std::string deny = "http-request deny deny_status 429 hdr Retry-After 1 if";
    line("http-request track-sc0 src table " + table_name(key) +
         (except.empty() ? "" : " if" + except));
    if (settings.limit_connections > 0)
      line(deny + " { sc_conn_cur(0) gt " + std::to_string(settings.limit_connections) + " }" +
           except);
    if (settings.limit_rps > 0)
      line(deny + " { sc_gpc0_rate(0) ge " +
           std::to_string(settings.limit_rps * settings.limit_burst) + " }" + except);
    if (settings.limit_rpm > 0)
      line(deny + " { sc_gpc1_rate(0) ge " +
           std::to_string(settings.limit_rpm * settings.limit_burst) + " }" + except);
    const std::string when = except.empty() ? "" : " if" + except;
    if (settings.limit_rps > 0) line("http-request sc-inc-gpc0(0)" + when);
    if (settings.limit_rpm > 0) line("http-request sc-inc-gpc1(0)" + when);
  }

  void redirect(const ServedIngress& ingress) {
    if (!settings_.has_certificates) return;
    std::string when = "!{ ssl_fc }";
    if (!ingress.settings.redirect_always && !ingress.tls_everywhere) {
      if (!ingress.settings.redirect || ingress.tls_hosts.empty()) return;
      std::string hosts;
      for (const std::string& host : ingress.tls_hosts) hosts += " " + host;
      when += " { var(txn.host) -m str" + hosts + " }";
      if (wildcards_matter()) when += " || !{ ssl_fc } { var(txn.wildcard) -m str" + hosts + " }";
    } else if (!ingress.settings.redirect && !ingress.settings.redirect_always) {
      return;
    }
    const std::string port =
        settings_.https_port == 443 ? "" : ":" + std::to_string(settings_.https_port);
    line("http-request redirect location https://%[var(txn.host)]" + port +
         "%[pathq] code 308 if " + when);
  }

  void write_backend(const std::string& name, const RouteBackend& backend,
                     const ServedIngress& ingress) {
    const IngressSettings& settings = ingress.settings;
    section("backend " + name);
    if (!settings.source_ranges.empty())
      line("http-request deny deny_status 403 unless { src " + join(settings.source_ranges, " ") +
           " }");
    redirect(ingress);
    limits(backend.ingress, settings);
    if (settings.body_max > 0)
      line("http-request deny deny_status 413 if { req.hdr_val(content-length) gt " +
           std::to_string(settings.body_max) + " }");
    // A request that may have been begun is repeated only where that is harmless.
    line("http-request disable-l7-retry unless { method GET HEAD OPTIONS }");
    line("balance random(2)");
    line("timeout connect " + millis(settings.connect_timeout));
    line("timeout server " + millis(std::max(settings.read_timeout, settings.send_timeout)));
    if (settings.affinity) {
      line("cookie " + settings.affinity_cookie + " insert indirect nocache httponly dynamic");
      line("dynamic-cookie-key " + name);
    }
    std::string how;
    if (settings.tls_backend) how += " ssl verify none";
    if (settings.http2_backend) how += settings.tls_backend ? " alpn h2" : " proto h2";
    const auto slots = slots_.find(name);
    if (slots == slots_.end()) return;
    for (std::size_t i = 0; i < slots->second.size(); ++i) {
      const Slot& slot = slots->second[i];
      const bool used = slot.address != 0 && !slot.draining;
      line("server " + slot_name(i) + " " +
           (used ? address_text(slot.address) + ":" + std::to_string(slot.port)
                 : "0.0.0.0:1 disabled") +
           how);
    }
  }

  const RoutePlan& plan_;
  const Slots& slots_;
  const HaproxySettings& settings_;
  bool first_look_up_ = true;
  std::string out_;
};

}  // namespace

Slots assign_slots(const Slots& before, const RoutePlan& plan, const Directory& directory) {
  Slots out;
  for (const auto& [name, backend] : plan.backends) {
    std::vector<Target> targets;
    const Service* service = directory.find(backend.service.namespace_, backend.service.name);
    if (service != nullptr && backend.port) targets = service->targets_and_draining(*backend.port);
    const auto old = before.find(name);
    std::vector<Slot> slots = old == before.end() ? std::vector<Slot>() : old->second;
    std::vector<Target> fresh;
    std::vector<bool> kept(slots.size(), false);
    for (const Target& target : targets) {
      const auto at = std::find_if(slots.begin(), slots.end(), [&](const Slot& slot) {
        return slot.address == target.address && slot.port == target.port;
      });
      if (at == slots.end()) {
        if (!target.draining) fresh.push_back(target);
        continue;
      }
      at->draining = target.draining;
      kept[static_cast<std::size_t>(at - slots.begin())] = true;
    }
    std::size_t used = fresh.size();
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (!kept[i]) slots[i] = {};
      used += kept[i] ? 1 : 0;
    }
    std::size_t size = std::max(kSlotsMin, slots.size());
    while (size < used) size *= 2;
    slots.resize(size);
    std::size_t next = 0;
    for (const Target& target : fresh) {
      while (slots[next].address != 0) ++next;
      slots[next] = {target.address, target.port, false};
    }
    out[name] = std::move(slots);
  }
  return out;
}

std::vector<std::string> slot_commands(const Slots& from, const Slots& to) {
  std::vector<std::string> out;
  for (const auto& [name, slots] : to) {
    const std::vector<Slot>& before = from.at(name);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const Slot &old = before[i], &slot = slots[i];
      if (old == slot) continue;
      const std::string server = "set server " + name + "/" + slot_name(i);
      if (slot.address == 0) {
        out.push_back(server + " state maint");
        continue;
      }
      if (old.address != slot.address || old.port != slot.port)
        out.push_back(server + " addr " + address_text(slot.address) + " port " +
                      std::to_string(slot.port));
      out.push_back(server + (slot.draining ? " state drain" : " state ready"));
    }
  }
  return out;
}

Slots emptied(const Slots& slots) {
  Slots out = slots;
  for (auto& [name, list] : out) std::fill(list.begin(), list.end(), Slot{});
  return out;
}

HaproxyFiles haproxy_files(const RoutePlan& plan, const Slots& slots,
                           const CertificateFiles& certificates, const HaproxySettings& settings) {
  HaproxyFiles out;
  out.texts["haproxy.cfg"] = Writer(plan, slots, settings).write();
  out.texts["exact.map"] = map_text(plan.exact);
  out.texts["prefix.map"] = map_text(plan.prefix);
  std::string list;
  for (const auto& [file, hosts] : certificates)
    list += settings.directory + "/" + file + (hosts.empty() ? "" : " " + join(hosts, " ")) + "\n";
  out.texts["certificates.list"] = list;
  return out;
}

}  // namespace keelson::net
