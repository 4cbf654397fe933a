// Who may do what: the privileged group, the Node authorizer and RBAC, asked in this order, as
// kube-apiserver runs with --authorization-mode=Node,RBAC. Reasons are worded as the original's,
// because refusals and reviews show them. Reads roles and bindings through functions; keeps an
// index of bindings by subject until told that something changed.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "codec/value.h"
#include "registry/registry.h"

namespace keelson::api {

using codec::Value;
using registry::Access;
using registry::Identity;
using registry::Verdict;

struct ObjectSource {
  std::function<Value(std::string_view resource, std::string_view ns, std::string_view name)> get;
  std::function<std::vector<Value>(std::string_view resource, std::string_view ns)> list;
};

class Authorizer {
 public:
  explicit Authorizer(ObjectSource source) : source_(std::move(source)) {}

  Verdict authorize(const Identity& identity, const Access& access) const;
  // A role or binding was changed.
  void invalidate() { indexed_ = false; }

  // PolicyRules that apply in a namespace, in the order in which they are looked at.
  registry::HeldRules rules_of(const Identity& identity, std::string_view ns) const;

  static bool rule_allows(const Value& rule, const Access& access);

 private:
  struct Binding {
    Value object;
    Value subject;
    bool cluster = false;
  };
  // Calls `visit` for each rule that applies until it returns false.
  using Visit = std::function<bool(const Value& rule, const Binding& binding)>;
  void visit_rules(const Identity& identity, std::string_view ns, const Visit& visit,
                   std::vector<std::string>& errors) const;
  std::vector<const Binding*> bindings_of(const Identity& identity, std::string_view ns) const;
  void index() const;
  Verdict authorize_node(const Identity& identity, const Access& access) const;
  bool node_uses(std::string_view node, const Access& access) const;

  ObjectSource source_;
  mutable bool indexed_ = false;
  // By subject: "user:alice", "group:dev", "account:ns:name"; each in order of namespace and name,
  // cluster-wide ones first.
  mutable std::map<std::string, std::vector<Binding>, std::less<>> bindings_;
};

// "User "a" cannot get resource "pods" in API group "" in the namespace "b"", with the reason.
Error forbidden_error(const Identity& identity, const Access& access, std::string_view reason);

}  // namespace keelson::api
