// IngressController: serves the Ingresses of our classes with HAProxy. Endpoints change through the
// admin socket; only what changes the structure (hosts, paths, settings, certificates, more
// endpoints than there are slots) is a reload. The process is started for the first Ingress.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "host/files.h"
#include "host/loop.h"
#include "host/processes.h"
#include "host/sockets.h"
#include "net/ingress/certificate.h"
#include "net/ingress/haproxy.h"
#include "net/ingress/haproxy_config.h"

namespace keelson::net {

struct IngressParts {
  cluster::Cluster& cluster;
  host::Loop& loop;
  host::Processes& processes;
  host::Sockets& sockets;
  host::Files& files;
  const Directory& services;
};

struct IngressOptions {
  std::string directory;               // the data directory; ours is "ingress" in it
  std::vector<std::string> addresses;  // to listen on besides 127.0.0.1
  IssueCertificate issue;
};

class IngressController {
 public:
  IngressController(IngressParts parts, IngressOptions options);

  void start();
  void endpoints_changed(const Key& service);
  void stop(std::function<void()> done);
  std::vector<std::string> problems() const;
  // Where it listens; 0 while it does not.
  int http_port() const { return serving_ ? settings_.http_port : 0; }
  int https_port() const {
    return serving_ && settings_.has_certificates ? settings_.https_port : 0;
  }
  std::uint64_t reloads() const { return reloads_; }

 private:
  void changed();
  void reconcile();
  void load(HaproxyFiles structure, const CertificateFiles& certificates);
  void loaded(Result<void> result, HaproxyFiles structure, Slots slots);
  void move_slots();
  void finished();
  void failed(const Error& error);
  void choose_ports();
  bool ports_free(int http, int https);
  CertificateFiles collect_certificates();
  Certificate certificate_of(const WantedCertificate& wanted);
  Certificate issue_into_secret(const WantedCertificate& wanted, bool exists);
  void show_status();
  void show_status_of(const Value& ingress, const Value& points);
  void show_complaints();
  void remove_stale_certificates();

  IngressParts parts_;
  IngressOptions options_;
  Haproxy haproxy_;
  HaproxySettings settings_;
  std::vector<std::shared_ptr<void>> watches_;
  std::map<Key, Value> ingresses_;
  std::map<std::string, Value> classes_;

  RoutePlan plan_;
  Slots wanted_, running_;
  HaproxyFiles structure_;  // of what runs
  std::map<std::string, std::string> certificate_texts_;
  std::map<Key, Certificate> issued_;  // until the Secret is seen
  Certificate default_certificate_;
  std::map<Key, std::vector<std::string>> complained_;

  bool started_ = false, serving_ = false, ports_chosen_ = false;
  bool posted_ = false, busy_ = false, again_ = false, stopping_ = false;
  int failures_ = 0;
  std::uint64_t reloads_ = 0;
  std::string problem_;                              // of the last pass
  std::map<Key, std::string> certificate_problems_;  // by Secret
  std::shared_ptr<void> retry_, daily_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelson::net
