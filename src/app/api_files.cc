#include "app/api_files.h"

#include <cstdio>

#include "app/audit_file.h"
#include "app/encryption_at_rest.h"
#include "base/text.h"

namespace keelson::app {
namespace {

Error in_file(const std::string& path, Error error) {
  error.message = path + ": " + error.message;
  return error;
}

Result<std::shared_ptr<const api::AuditLog>> open_audit(host::Files& files, const ApiFiles& names,
                                                        std::function<Instant()> now) {
  if (names.audit_policy.empty() && names.audit_log.empty())
    return std::shared_ptr<const api::AuditLog>();
  if (names.audit_policy.empty())
    return Error{Reason::bad_request, "--audit-log-path needs --audit-policy-file"};
  if (names.audit_log.empty())
    return Error{Reason::bad_request, "--audit-policy-file needs --audit-log-path"};
  TRY(const std::string text, read_text(files, names.audit_policy));
  auto policy = api::AuditPolicy::parse(text);
  if (!policy.ok()) return in_file(names.audit_policy, policy.error());
  std::function<void(std::string)> write = [](std::string line) {
    std::fwrite(line.data(), 1, line.size(), stderr);
  };
  if (names.audit_log != "-") {
    AuditFileOptions options{.path = names.audit_log,
                             .size_max = static_cast<std::uint64_t>(names.audit_log_megabytes_max)
                                         << 20,
                             .backups_max = names.audit_log_backups_max};
    auto opened = open_audit_file(files, std::move(now), std::move(options));
    if (!opened.ok()) return in_file(names.audit_log, opened.error());
    write = std::move(opened).value();
  }
  return std::shared_ptr<const api::AuditLog>(
      std::make_shared<api::AuditLog>(std::move(policy).value(), std::move(write)));
}

std::vector<std::string> listed(std::string_view text) {
  std::vector<std::string> out;
  for (const std::string& one : split(text, ','))
    if (const std::string_view name = trim(one); !name.empty()) out.emplace_back(name);
  return out;
}

}  // namespace

Result<std::string> read_text(host::Files& files, const std::string& path) {
  if (!files.exists(path)) return Error{Reason::not_found, path + ": no such file"};
  auto file = files.open(path, false);
  if (!file.ok()) return in_file(path, file.error());
  return (*file)->read(0, (*file)->size());
}

Result<FileParts> read_api_files(host::Files& files, const ApiFiles& names,
                                 std::function<Instant()> now) {
  FileParts parts;
  TRY(parts.audit, open_audit(files, names, std::move(now)));
  if (!names.encryption.empty()) {
    TRY(const std::string text, read_text(files, names.encryption));
    auto sealer = parse_encryption(text);
    if (!sealer.ok()) return in_file(names.encryption, sealer.error());
    parts.sealer = std::move(sealer).value();
  }
  if (!names.proxy_ca.empty()) {
    TRY(parts.proxy_ca_pem, read_text(files, names.proxy_ca));
    api::FrontProxyOptions& proxy = parts.authentication.front_proxy;
    proxy.on = true;
    for (std::string& name : listed(names.proxy_names)) proxy.names.insert(std::move(name));
    proxy.user_headers = listed(to_lower(names.proxy_user_headers));
    proxy.uid_headers = listed(to_lower(names.proxy_uid_headers));
    proxy.group_headers = listed(to_lower(names.proxy_group_headers));
    proxy.extra_prefixes = listed(to_lower(names.proxy_extra_prefixes));
  }
  return parts;
}

}  // namespace keelson::app
