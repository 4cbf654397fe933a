// Fetches and renews the keys of OIDC issuers, off the loop.
#pragma once

#include <memory>
#include <vector>

#include "api/access/oidc.h"
#include "host/loop.h"

namespace keelson::app {

// Begins at once; a failure is told on the error output and tried again. Ends when the handle is
// dropped.
std::shared_ptr<void> follow_oidc_keys(host::Loop& loop,
                                       std::vector<std::shared_ptr<api::OidcIssuer>> issuers);

}  // namespace keelson::app
