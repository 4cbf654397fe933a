// HAProxy's configuration for a RoutePlan, as text, and the commands that bring running servers to
// new endpoints without a reload: pure.
//
// Each backend has numbered slots, some of them empty. An endpoint keeps its slot for as long as it
// exists; a slot that it leaves is put into maintenance, where HAProxy lets its requests end.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "net/ingress/routes.h"

namespace keelson::net {

struct Slot {
  std::uint32_t address = 0;  // 0: empty
  int port = 0;
  bool draining = false;
  bool operator==(const Slot&) const = default;
};
using Slots = std::map<std::string, std::vector<Slot>>;  // by backend

// The slots that follow, given those of before. They grow by doubling and never shrink while
// HAProxy runs.
Slots assign_slots(const Slots& before, const RoutePlan& plan, const Directory& directory);

// Commands for the admin socket; both have the same backends and numbers of slots.
std::vector<std::string> slot_commands(const Slots& from, const Slots& to);

struct HaproxySettings {
  std::string directory;               // of its files, absolute
  std::vector<std::string> addresses;  // to listen on
  int http_port = 80, https_port = 443;
  int connections_max = 4000;
  bool has_certificates = true;
};

struct HaproxyFiles {
  // Name in the directory -> content: haproxy.cfg, exact.map, prefix.map, certificates.list.
  std::map<std::string, std::string> texts;
  bool operator==(const HaproxyFiles&) const = default;
};
// certificates: file in the directory -> its hosts; the first is the default one.
using CertificateFiles = std::vector<std::pair<std::string, std::vector<std::string>>>;
// With no slots' addresses in it this is the structure: while it is the same, no reload is needed.
HaproxyFiles haproxy_files(const RoutePlan& plan, const Slots& slots,
                           const CertificateFiles& certificates, const HaproxySettings& settings);
Slots emptied(const Slots& slots);

}  // namespace keelson::net
