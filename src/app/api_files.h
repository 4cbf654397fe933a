// What the files on the command line of `serve` make of the API server: audit, encryption.
#pragma once

#include <functional>
#include <memory>

#include "api/access/authentication.h"
#include "api/access/oidc.h"
#include "api/audit/audit.h"
#include "api/encryption_at_rest.h"
#include "app/engine.h"
#include "host/files.h"
#include "host/loop.h"
#include "store/store.h"

namespace keelson::app {

struct FileParts {
  std::shared_ptr<const api::AuditLog> audit;     // null: nothing is recorded
  std::shared_ptr<api::ReloadableSealer> sealer;  // null: nothing is encrypted
  api::AuthenticationOptions authentication;
  std::string proxy_ca_pem;
  std::vector<std::shared_ptr<api::OidcIssuer>> issuers;  // whose keys are to be followed
};

// Error: names the file and what is wrong in it.
Result<FileParts> read_api_files(host::Loop& loop, host::Files& files, const ApiFiles& names);
// Reads the EncryptionConfiguration again every minute; a changed one is put into the sealer, and
// `changed` is called. A faulty one is told on the error output, and the one before stays. Ends
// when the handle is dropped.
std::shared_ptr<void> follow_encryption(host::Loop& loop, host::Files& files, std::string path,
                                        std::shared_ptr<api::ReloadableSealer> sealer,
                                        std::function<void()> changed);
// A whole file. Error: not_found, naming it.
Result<std::string> read_text(host::Files& files, const std::string& path);

}  // namespace keelson::app
