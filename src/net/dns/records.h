// What the cluster's zone says to a question: pure. Source of behaviour: the Kubernetes DNS
// specification 1.1.0 (dns/docs/specification.md) and CoreDNS' kubernetes plugin.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "net/directory.h"
#include "net/dns/message.h"

namespace keelson::net::dns {

struct Zone {
  std::string domain = "cluster.local";
  std::uint32_t dns_address = 0;  // what ns.dns.DOMAIN is
  std::uint32_t ttl = 5;
};

struct Verdict {
  // Not set: the question is not ours, ask upstream.
  std::optional<Answer> answer;
  // Set: the answer ends with a CNAME to this name outside; its addresses are to be added.
  std::string chase;
};

Verdict answer_question(const Directory& directory, const Zone& zone, const Question& question);

}  // namespace keelson::net::dns
