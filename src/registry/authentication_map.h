// The ConfigMap kube-system/extension-apiserver-authentication, from which API servers that extend
// this one learn whose client certificates and whose headers to trust. What others wrote into it
// stays; what this server knows is added. Source: pkg/controlplane/controller/
// clusterauthenticationtrust.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "registry/state.h"

namespace keelson::registry {

inline constexpr std::string_view kAuthenticationMap = "extension-apiserver-authentication";

// Pure: certificates (PEM) and lists (JSON) of both, each once, those of `present` first.
std::map<std::string, std::string> merged_authentication(
    const std::map<std::string, std::string>& present,
    const std::map<std::string, std::string>& known);

// Writes the ConfigMap if it lacks anything of Settings::authentication.
Result<void> settle_authentication(Registry::State& state);

}  // namespace keelson::registry
