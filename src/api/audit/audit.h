// The audit log: which requests are recorded, how much of them, and the records themselves, as
// audit.k8s.io/v1 has them. Where the lines go is a function's affair. Source: Kubernetes'
// apiserver/pkg/audit and its policy checker.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/access/request_info.h"
#include "api/http/http.h"
#include "base/time.h"
#include "codec/value.h"
#include "registry/registry.h"

namespace keelson::api {

enum class AuditLevel : std::uint8_t { none, metadata, request, request_response };

struct AuditDecision {
  AuditLevel level = AuditLevel::none;
  std::set<std::string, std::less<>> omitted_stages = {};
  bool omit_managed_fields = false;
};

class AuditPolicy {
 public:
  // A Policy of audit.k8s.io/v1 in YAML or JSON. Error: bad_request, naming the field.
  static Result<AuditPolicy> parse(std::string_view text);
  // The first rule that fits decides; none: nothing is recorded.
  AuditDecision decide(const registry::Identity& who, const RequestInfo& info) const;

 private:
  codec::Value policy_;
};

// One request on its way into the log.
class AuditRecord {
 public:
  using Write = std::function<void(std::string line)>;
  AuditRecord(AuditDecision decision, Write write, std::function<Instant()> now);

  // What is known once the request is authenticated and read.
  void begin(const HttpRequest& request, const RequestInfo& info, const registry::Identity& who,
             const std::string& id);
  void impersonated(const registry::Identity& whom);
  void authorized(bool allowed, std::string_view reason);
  // What admission says: that a webhook was passed over, what a policy noted. What a webhook
  // changed
  // ("patch.") belongs to levels that record the request.
  void annotated(const std::map<std::string, std::string>& annotations);
  void request_object(const codec::Value& object);
  void response_object(const codec::Value& object);  // a Status of failure tells its reason too
  bool wants_request() const { return decision_.level >= AuditLevel::request; }
  bool wants_response() const { return decision_.level == AuditLevel::request_response; }
  // Stages. A long-running request starts its response before it completes.
  void received();
  void started(int code);
  void completed(int code);

 private:
  void write(std::string_view stage);
  codec::Value without_owners(codec::Value object) const;

  AuditDecision decision_;
  Write write_;
  std::function<Instant()> now_;
  codec::Value event_;
  codec::Value response_status_ = codec::Value::object();
  codec::Value request_, response_;
  codec::Value annotations_ = codec::Value::object();
  bool done_ = false;
};

class AuditLog {
 public:
  AuditLog(AuditPolicy policy, AuditRecord::Write write)
      : policy_(std::move(policy)), write_(std::move(write)) {}
  // Null if the request is not to be recorded.
  std::shared_ptr<AuditRecord> record(const registry::Identity& who, const RequestInfo& info,
                                      std::function<Instant()> now) const;

 private:
  AuditPolicy policy_;
  AuditRecord::Write write_;
};

}  // namespace keelson::api
