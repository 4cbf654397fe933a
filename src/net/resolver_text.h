// What stands in a pod's /etc/resolv.conf, by its dnsPolicy and dnsConfig. Pure. Source:
// pkg/kubelet/network/dns/dns.go.
#pragma once

#include <string>
#include <string_view>

#include "codec/value.h"

namespace keelson::net {

struct ResolverOptions {
  std::string cluster_address;  // of the cluster's DNS; empty: there is none
  std::string domain = "cluster.local";
  std::string host_text;  // the host's resolv.conf
};

std::string resolver_text(const codec::Value& pod, const ResolverOptions& options);

}  // namespace keelson::net
