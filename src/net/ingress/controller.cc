// One pass at a time: plan, certificates, slots; then nothing, commands or a reload; then status.
// What changes during a pass makes another one.
#include "net/ingress/controller.h"

#include <algorithm>

#include "base/prng.h"
#include "base/text.h"
#include "model/meta.h"
#include "net/address_plan.h"

namespace keelson::net {
namespace {

constexpr std::string_view kIssuedMark = "keelson.dev/issued-certificate";
constexpr std::string_view kRenewMark = "keelson.dev/renew-after";
const Duration kRenewAfter = Duration::hours(24 * 240);
const Duration kRetryFirst = Duration::milliseconds(500);
const Duration kRetryMax = Duration::seconds(30);
constexpr int kPortsFirst = 8080, kPortsTried = 200;

std::string decoded(const Value& secret, std::string_view key) {
  return from_base64(secret["data"][key].as_string()).value_or("");
}

}  // namespace

IngressController::IngressController(IngressParts parts, IngressOptions options)
    : parts_(parts),
      options_(std::move(options)),
      haproxy_(parts.loop, parts.processes, parts.sockets, parts.files,
               options_.directory + "/ingress", [this] {
                 serving_ = false;
                 failed(Error{Reason::service_unavailable, "haproxy ended; it is started again"});
               }) {
  settings_.directory = options_.directory + "/ingress";
  settings_.addresses = {"127.0.0.1"};
  settings_.addresses.insert(settings_.addresses.end(), options_.addresses.begin(),
                             options_.addresses.end());
}

void IngressController::start() {
  cluster::Cluster& cluster = parts_.cluster;
  started_ = true;
  for (const Value& one : cluster.list("ingressclasses.networking.k8s.io"))
    classes_[std::string(model::name_of(one))] = one;
  for (const Value& one : cluster.list("ingresses.networking.k8s.io"))
    ingresses_[{std::string(model::namespace_of(one)), std::string(model::name_of(one))}] = one;
  watches_.push_back(cluster.watch("ingressclasses.networking.k8s.io",
                                   [this](const Value& before, const Value& after) {
                                     if (after.is_null())
                                       classes_.erase(std::string(model::name_of(before)));
                                     else
                                       classes_[std::string(model::name_of(after))] = after;
                                     changed();
                                   }));
  watches_.push_back(cluster.watch("ingresses.networking.k8s.io", [this](const Value& before,
                                                                         const Value& after) {
    const Value& object = after.is_null() ? before : after;
    const Key key{std::string(model::namespace_of(object)), std::string(model::name_of(object))};
    if (after.is_null())
      ingresses_.erase(key);
    else
      ingresses_[key] = after;
    changed();
  }));
  watches_.push_back(cluster.watch("secrets", [this](const Value& before, const Value& after) {
    const Value& object = after.is_null() ? before : after;
    const Key key{std::string(model::namespace_of(object)), std::string(model::name_of(object))};
    for (const WantedCertificate& wanted : plan_.certificates)
      if (wanted.secret == key) return changed();
  }));
  changed();
}

void IngressController::endpoints_changed(const Key& service) {
  for (const auto& [name, backend] : plan_.backends)
    if (backend.service == service) return changed();
}

void IngressController::changed() {
  if (posted_ || !started_ || stopping_) return;
  posted_ = true;
  parts_.loop.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    posted_ = false;
    if (busy_)
      again_ = true;
    else
      reconcile();
  });
}

void IngressController::reconcile() {
  if (stopping_) return;
  std::vector<Value> ingresses, classes;
  for (const auto& [key, ingress] : ingresses_) ingresses.push_back(ingress);
  for (const auto& [name, one] : classes_) classes.push_back(one);
  plan_ = plan_routes(ingresses, classes, parts_.services);
  show_complaints();
  if (plan_.ingresses.empty() && !serving_) return;
  busy_ = true;
  retry_.reset();
  wanted_ = assign_slots(serving_ ? running_ : Slots(), plan_, parts_.services);
  const CertificateFiles certificates = collect_certificates();
  settings_.has_certificates = !certificates.empty();
  if (serving_) {
    HaproxyFiles structure = haproxy_files(plan_, emptied(wanted_), certificates, settings_);
    if (structure == structure_) return move_slots();
    return load(std::move(structure), certificates);
  }
  haproxy_.find([this, alive = std::weak_ptr<bool>(alive_), certificates](int pid) {
    if (alive.expired()) return;
    if (!ports_chosen_ || pid == 0) {
      const auto kept = read_state(parts_.files, settings_.directory + "/ports.json");
      const bool has = kept.ok() && (*kept)["http"].as_int() > 0;
      if (has) {
        settings_.http_port = static_cast<int>((*kept)["http"].as_int());
        settings_.https_port = static_cast<int>((*kept)["https"].as_int());
      }
      // Of a process that serves already, the ports are its own.
      if (!(has && (pid != 0 || ports_free(settings_.http_port, settings_.https_port))))
        choose_ports();
      ports_chosen_ = true;
    }
    load(haproxy_files(plan_, emptied(wanted_), certificates, settings_), certificates);
  });
}

void IngressController::load(HaproxyFiles structure, const CertificateFiles& certificates) {
  std::map<std::string, std::string> texts =
      haproxy_files(plan_, wanted_, certificates, settings_).texts;
  texts.insert(certificate_texts_.begin(), certificate_texts_.end());
  haproxy_.load(texts, [this, alive = std::weak_ptr<bool>(alive_), structure = std::move(structure),
                        slots = wanted_](Result<void> result) mutable {
    if (!alive.expired()) loaded(std::move(result), std::move(structure), std::move(slots));
  });
}

void IngressController::loaded(Result<void> result, HaproxyFiles structure, Slots slots) {
  if (!result.ok()) return failed(result.error());
  structure_ = std::move(structure);
  running_ = std::move(slots);
  serving_ = true;
  ++reloads_;
  remove_stale_certificates();
  (void)write_state(
      parts_.files, settings_.directory + "/ports.json",
      Value::object({{"http", settings_.http_port}, {"https", settings_.https_port}}));
  finished();
}

void IngressController::move_slots() {
  const std::vector<std::string> commands = slot_commands(running_, wanted_);
  haproxy_.run(commands, [this, alive = std::weak_ptr<bool>(alive_),
                          slots = wanted_](const Result<void>& result) {
    if (alive.expired()) return;
    if (!result.ok()) {
      // Whatever state it is in: a reload brings the right one.
      structure_ = {};
      return failed(result.error());
    }
    running_ = slots;
    finished();
  });
}

void IngressController::finished() {
  busy_ = false;
  failures_ = 0;
  problem_.clear();
  show_status();
  if (std::exchange(again_, false)) reconcile();
}

void IngressController::failed(const Error& error) {
  busy_ = again_ = false;
  if (stopping_) return;
  problem_ = "ingresses are not served as they should be: " + error.message;
  if (!serving_) ports_chosen_ = false;  // somebody may have taken them
  const Duration wait =
      std::min(kRetryMax, kRetryFirst * (std::int64_t{1} << std::min(failures_, 8)));
  ++failures_;
  retry_ = parts_.loop.call_at(parts_.loop.now() + (failures_ == 1 ? Duration() : wait),
                               [this] { reconcile(); });
}

bool IngressController::ports_free(int http, int https) {
  for (const std::string& address : settings_.addresses)
    for (const int port : {http, https})
      if (!parts_.sockets.listen(address, port, [](auto) {}).ok()) return false;
  return true;
}

void IngressController::choose_ports() {
  settings_.http_port = 80;
  settings_.https_port = 443;
  if (ports_free(80, 443)) return;
  for (int i = 0; i < kPortsTried; ++i) {
    settings_.http_port = kPortsFirst + i;
    settings_.https_port = kPortsFirst + 363 + i;
    if (ports_free(settings_.http_port, settings_.https_port)) return;
  }
}

CertificateFiles IngressController::collect_certificates() {
  CertificateFiles out;
  certificate_texts_.clear();
  certificate_problems_.clear();
  const auto add = [&](const Certificate& certificate, const std::vector<std::string>& hosts) {
    if (certificate.key_pem.empty()) return;
    const std::string text = certificate.certificate_pem + certificate.key_pem;
    const std::string file = "certificate-" + std::to_string(hash64(text)) + ".pem";
    certificate_texts_[file] = text;
    out.emplace_back(file, hosts);
  };
  if (default_certificate_.key_pem.empty() && options_.issue)
    if (auto issued = options_.issue({"localhost"}); issued.ok()) default_certificate_ = *issued;
  add(default_certificate_, {});
  for (const WantedCertificate& wanted : plan_.certificates)
    add(certificate_of(wanted), wanted.hosts);
  if (!daily_)
    daily_ = parts_.loop.call_at(parts_.loop.now() + Duration::hours(24), [this] {
      daily_.reset();
      changed();
    });
  return out;
}

Certificate IngressController::certificate_of(const WantedCertificate& wanted) {
  const Value secret = parts_.cluster.get("secrets", wanted.secret.namespace_, wanted.secret.name);
  const Certificate there{decoded(secret, "tls.crt"), decoded(secret, "tls.key")};
  const bool usable = !there.certificate_pem.empty() && !there.key_pem.empty();
  const bool ours = model::annotation_of(secret, kIssuedMark) == "true";
  const auto renew = parse_rfc3339(model::annotation_of(secret, kRenewMark));
  const bool due = ours && renew && parts_.cluster.now() > *renew;
  if (usable && !due) {
    issued_.erase(wanted.secret);
    return there;
  }
  if (const auto known = issued_.find(wanted.secret); known != issued_.end()) return known->second;
  // A Secret of somebody else's without content is left alone: it may be filled in later.
  if (!secret.is_null() && !ours) return {};
  return issue_into_secret(wanted, !secret.is_null());
}

Certificate IngressController::issue_into_secret(const WantedCertificate& wanted, bool exists) {
  if (!options_.issue) return {};
  auto issued = options_.issue(wanted.hosts);
  if (!issued.ok()) {
    certificate_problems_[wanted.secret] =
        "certificate for " + join(wanted.hosts, ", ") + ": " + issued.error().message;
    return {};
  }
  issued_[wanted.secret] = *issued;
  Value secret =
      Value::object({{"apiVersion", "v1"}, {"kind", "Secret"}, {"type", "kubernetes.io/tls"}});
  secret.set(
      "metadata",
      Value::object({{"name", wanted.secret.name},
                     {"namespace", wanted.secret.namespace_},
                     {"annotations", Value::object({{kIssuedMark, "true"},
                                                    {kRenewMark, to_rfc3339(parts_.cluster.now() +
                                                                            kRenewAfter)}})}}));
  secret.set("data", Value::object({{"tls.crt", to_base64(issued->certificate_pem)},
                                    {"tls.key", to_base64(issued->key_pem)}}));
  parts_.cluster.commit(
      {.verb = exists ? cluster::Write::Verb::merge_patch : cluster::Write::Verb::create,
       .resource = "secrets",
       .namespace_ = wanted.secret.namespace_,
       .name = wanted.secret.name,
       .object = std::move(secret)},
      [this, alive = std::weak_ptr<bool>(alive_), key = wanted.secret](const Result<Value>& made) {
        // Lost a race, most likely: look at what is there now.
        if (alive.expired() || made.ok()) return;
        issued_.erase(key);
        if (made.error().reason == Reason::already_exists) changed();
      });
  return *issued;
}

void IngressController::remove_stale_certificates() {
  const auto names = parts_.files.list(settings_.directory);
  if (!names.ok()) return;
  for (const std::string& name : *names)
    if (name.starts_with("certificate-") && certificate_texts_.count(name) == 0)
      (void)parts_.files.remove(settings_.directory + "/" + name);
}

void IngressController::show_status() {
  Value ports = Value::array({Value::object({{"port", settings_.http_port}, {"protocol", "TCP"}})});
  if (settings_.has_certificates)
    ports.push_back(Value::object({{"port", settings_.https_port}, {"protocol", "TCP"}}));
  Value points = Value::array();
  for (const std::string& address : settings_.addresses)
    points.push_back(Value::object({{"ip", address}, {"ports", ports}}));
  std::vector<Value> classes;
  for (const auto& [name, one] : classes_) classes.push_back(one);
  for (const auto& [key, ingress] : ingresses_) {
    if (plan_.ingresses.count(key) == 0) continue;
    if (ingress.at("status.loadBalancer.ingress") == points) continue;
    show_status_of(ingress, points);
  }
}

void IngressController::show_status_of(const Value& ingress, const Value& points) {
  parts_.cluster.commit(
      {.verb = cluster::Write::Verb::merge_patch,
       .resource = "ingresses.networking.k8s.io",
       .namespace_ = std::string(model::namespace_of(ingress)),
       .name = std::string(model::name_of(ingress)),
       .subresource = "status",
       .object = Value::object(
           {{"status", Value::object({{"loadBalancer", Value::object({{"ingress", points}})}})}})},
      {});
}

void IngressController::show_complaints() {
  // Said again if they come again.
  std::erase_if(complained_,
                [&](const auto& one) { return !plan_.complaints.contains(one.first); });
  for (const auto& [key, complaints] : plan_.complaints) {
    if (complained_[key] == complaints) continue;
    complained_[key] = complaints;
    for (const std::string& complaint : complaints)
      parts_.cluster.note({.regarding = ingresses_[key],
                           .warning = true,
                           .reason = "NotActedOn",
                           .message = complaint},
                          "keelson-ingress");
  }
}

std::vector<std::string> IngressController::problems() const {
  std::vector<std::string> out;
  if (!problem_.empty()) out.push_back(problem_);
  for (const auto& [secret, problem] : certificate_problems_) out.push_back(problem);
  return out;
}

void IngressController::stop(std::function<void()> done) {
  stopping_ = true;
  serving_ = false;
  watches_.clear();
  retry_.reset();
  daily_.reset();
  haproxy_.stop(std::move(done));
}

}  // namespace keelson::net
