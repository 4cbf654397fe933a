// Admission: the plug-ins that Kubernetes runs by default between decoding and storing. First each
// may change the object, in their fixed order; after validation each may refuse it. A plug-in sees
// only this interface.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/state.h"

namespace keelson::registry {

class Admission {
 public:
  enum class Operation : std::uint8_t { create, update, remove, connect };

  // `object` is in storage version and may be changed; null on removal. `old` is null on creation.
  Admission(Registry::State& state, Call& call, Operation operation, Value& object, Value old)
      : state_(state), call_(call), operation_(operation), object_(object), old_(std::move(old)) {}

  Result<void> mutate();
  Result<void> validate();

  Operation operation() const { return operation_; }
  bool creating() const { return operation_ == Operation::create; }
  bool updating() const { return operation_ == Operation::update; }
  bool removing() const { return operation_ == Operation::remove; }
  // "pods", with the subresource apart.
  std::string_view resource() const { return resource_; }
  std::string_view subresource() const { return call_.request.subresource; }
  bool is(std::string_view resource_name) const {
    return resource() == resource_name && subresource().empty();
  }
  Value& object() { return object_; }
  const Value& old() const { return old_; }
  const Identity& identity() const { return call_.request.identity; }
  Call& call() { return call_; }
  Registry::State& state() { return state_; }
  // Of the object, of the request where the object has none yet.
  std::string name() const;
  const std::string& namespace_name() const { return call_.request.namespace_; }
  Error refuse(std::string_view why) const;  // `pods "a" is forbidden: WHY`
  // For the audit log; the first of a key stays. Keys that begin with "patch." hold what was
  // written, for levels that record that.
  void annotate(const std::string& key, std::string value) const {
    if (call_.request.annotations) call_.request.annotations->emplace(key, std::move(value));
  }

  // Which mutating webhooks (or policies) have to be asked again, because the object changed after
  // they saw it.
  struct Rounds {
    std::set<std::string> asked, wanted;  // of those that want to be
    bool needed = false;                  // a second round
    bool again = false;                   // this is it
    Value last;                           // as they left it
    void require_all() {
      wanted.insert(asked.begin(), asked.end());
      asked.clear();
    }
    // What others changed since counts as a change.
    void begin(const Value& object) {
      if (again && !(last == object)) require_all();
    }
    bool skips(const std::string& id) const { return again && !wanted.contains(id); }
    void changed() {
      require_all();
      needed = true;
    }
  };
  Rounds& webhook_rounds() { return webhook_rounds_; }
  Rounds& policy_rounds() { return policy_rounds_; }

 private:
  Registry::State& state_;
  Call& call_;
  Operation operation_;
  Value& object_;
  const Value old_;
  std::string resource_ = call_.storage->name();
  Rounds webhook_rounds_, policy_rounds_;
};

using Step = Result<void> (*)(Admission&);
struct Plugin {
  std::string_view name;
  Step mutate = nullptr;
  Step validate = nullptr;
};

// In the order in which they run.
const std::vector<Plugin>& default_plugins();

namespace admission {
Result<void> namespace_lifecycle(Admission&);
Result<void> limit_ranger_mutate(Admission&);
Result<void> limit_ranger_validate(Admission&);
Result<void> service_account(Admission&);
Result<void> node_restriction(Admission&);
Result<void> taint_new_nodes(Admission&);
Result<void> pod_security(Admission&);
Result<void> priority_mutate(Admission&);
Result<void> priority_validate(Admission&);
Result<void> default_tolerations(Admission&);
Result<void> default_storage_class(Admission&);
Result<void> protect_volumes(Admission&);
Result<void> claim_resize(Admission&);
Result<void> runtime_class_mutate(Admission&);
Result<void> runtime_class_validate(Admission&);
Result<void> certificate_approval(Admission&);
Result<void> certificate_signing(Admission&);
Result<void> certificate_subject(Admission&);
Result<void> default_ingress_class(Admission&);
Result<void> pod_topology_labels(Admission&);
Result<void> mutating_policies(Admission&);
Result<void> mutating_webhooks(Admission&);
Result<void> validating_policies(Admission&);
Result<void> validating_webhooks(Admission&);
Result<void> resource_quota(Admission&);
}  // namespace admission

}  // namespace keelson::registry
