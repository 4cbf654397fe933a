#include "app/api_files.h"

#include <cstdio>

#include "api/audit/audit_file.h"
#include "api/encryption_at_rest.h"
#include "base/text.h"
#include "host/linux/files.h"

namespace keelson::app {
namespace {

Error in_file(const std::string& path, Error error) {
  error.message = path + ": " + error.message;
  return error;
}

Result<std::shared_ptr<const api::AuditLog>> open_audit(host::Loop& loop, host::Files& files,
                                                        const ApiFiles& names) {
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
    api::AuditFileOptions options{
        .path = names.audit_log,
        .size_max = static_cast<std::uint64_t>(names.audit_log_megabytes_max) << 20,
        .backups_max = names.audit_log_backups_max};
    auto opened = api::open_audit_file(loop, host::make_linux_files(), std::move(options));
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

// The options of one issuer as an entry of an AuthenticationConfiguration, with the defaults of
// kube-apiserver's flags.
Result<std::shared_ptr<api::OidcIssuer>> issuer_of(host::Files& files, const ApiFiles& names) {
  using codec::Value;
  if (names.oidc_client.empty())
    return Error{Reason::bad_request, "--oidc-issuer-url needs --oidc-client-id"};
  Value issuer =
      Value::object({{"url", names.oidc_issuer}, {"audiences", Value::array({names.oidc_client})}});
  if (!names.oidc_ca.empty()) {
    TRY(const std::string ca, read_text(files, names.oidc_ca));
    issuer.set("certificateAuthority", ca);
  }
  std::string prefix = names.oidc_username_prefix;
  if (prefix.empty() && names.oidc_username_claim != "email") prefix = names.oidc_issuer + "#";
  if (prefix == "-") prefix.clear();
  Value mappings = Value::object(
      {{"username", Value::object({{"claim", names.oidc_username_claim}, {"prefix", prefix}})}});
  if (!names.oidc_groups_claim.empty())
    mappings.set("groups", Value::object({{"claim", names.oidc_groups_claim},
                                          {"prefix", names.oidc_groups_prefix}}));
  Value rules = Value::array();
  for (const std::string& one : names.oidc_required_claims) {
    const std::size_t equals = one.find('=');
    if (equals == std::string::npos)
      return Error{Reason::bad_request, "--oidc-required-claim " + one + ": write NAME=VALUE"};
    rules.push_back(Value::object(
        {{"claim", one.substr(0, equals)}, {"requiredValue", one.substr(equals + 1)}}));
  }
  return api::OidcIssuer::make(
      Value::object(
          {{"issuer", issuer}, {"claimMappings", mappings}, {"claimValidationRules", rules}}),
      "--oidc", listed(names.oidc_algorithms));
}

}  // namespace

Result<std::string> read_text(host::Files& files, const std::string& path) {
  if (!files.exists(path)) return Error{Reason::not_found, path + ": no such file"};
  auto file = files.open(path, false);
  if (!file.ok()) return in_file(path, file.error());
  return (*file)->read(0, (*file)->size());
}

namespace {

class EncryptionFollower {
 public:
  EncryptionFollower(host::Loop& loop, host::Files& files, std::string path,
                     std::shared_ptr<api::ReloadableSealer> sealer, std::function<void()> changed)
      : loop_(loop),
        files_(files),
        path_(std::move(path)),
        sealer_(std::move(sealer)),
        changed_(std::move(changed)) {
    if (auto text = read_text(files_, path_); text.ok()) text_ = std::move(*text);
  }

  void wait() {
    timer_ = loop_.call_at(loop_.now() + kPeriod, [this] {
      look();
      wait();
    });
  }

 private:
  static constexpr Duration kPeriod = Duration::minutes(1);  // as the original

  void look() {
    auto text = read_text(files_, path_);
    if (!text.ok() || *text == text_) return;  // it may be just being written
    text_ = *text;
    auto sealer = api::parse_encryption(text_);
    if (!sealer.ok()) {
      std::fprintf(stderr, "%s: %s; encryption goes on as before\n", path_.c_str(),
                   sealer.error().message.c_str());
      return;
    }
    sealer_->replace(std::move(sealer).value());
    std::fprintf(stderr, "%s has changed and is used\n", path_.c_str());
    changed_();
  }

  host::Loop& loop_;
  host::Files& files_;
  std::string path_;
  std::shared_ptr<api::ReloadableSealer> sealer_;
  std::function<void()> changed_;
  std::string text_;
  std::shared_ptr<void> timer_;
};

}  // namespace

std::shared_ptr<void> follow_encryption(host::Loop& loop, host::Files& files, std::string path,
                                        std::shared_ptr<api::ReloadableSealer> sealer,
                                        std::function<void()> changed) {
  auto follower = std::make_shared<EncryptionFollower>(loop, files, std::move(path),
                                                       std::move(sealer), std::move(changed));
  follower->wait();
  return follower;
}

Result<FileParts> read_api_files(host::Loop& loop, host::Files& files, const ApiFiles& names) {
  FileParts parts;
  TRY(parts.audit, open_audit(loop, files, names));
  if (!names.encryption.empty()) {
    TRY(const std::string text, read_text(files, names.encryption));
    auto sealer = api::parse_encryption(text);
    if (!sealer.ok()) return in_file(names.encryption, sealer.error());
    parts.sealer = std::make_shared<api::ReloadableSealer>(std::move(sealer).value());
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
  if (names.encryption_reload && names.encryption.empty())
    return Error{Reason::bad_request,
                 "--encryption-provider-config-automatic-reload needs "
                 "--encryption-provider-config"};
  if (names.oidc_issuer.empty() && (!names.oidc_client.empty() || !names.oidc_ca.empty()))
    return Error{Reason::bad_request, "--oidc-client-id and --oidc-ca-file need --oidc-issuer-url"};
  if (!names.oidc_issuer.empty()) {
    if (!names.authentication.empty())
      return Error{Reason::bad_request,
                   "--authentication-config and --oidc-* cannot be given together"};
    TRY(std::shared_ptr<api::OidcIssuer> issuer, issuer_of(files, names));
    parts.issuers.push_back(issuer);
    parts.authentication.token_readers.push_back(std::move(issuer));
  }
  if (!names.authentication.empty()) {
    TRY(const std::string text, read_text(files, names.authentication));
    auto config = api::parse_authentication(text, kServiceAccountIssuer);
    if (!config.ok()) return in_file(names.authentication, config.error());
    parts.issuers = config->issuers;
    for (const auto& issuer : parts.issuers) parts.authentication.token_readers.push_back(issuer);
    parts.authentication.anonymous = config->anonymous;
    parts.authentication.anonymous_paths = config->anonymous_paths;
  }
  return parts;
}

}  // namespace keelson::app
