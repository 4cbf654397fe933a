#include "registry/admission/policies.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "codec/json.h"
#include "model/cel/authorizer.h"
#include "model/meta.h"
#include "model/selector.h"
#include "registry/webhooks/review.h"

namespace keelson::registry {

namespace {

constexpr std::size_t kNamespaceObject = 2;  // its place among the variables

using codec::cel::Datum;
using model::AdmissionScope;

std::string resource_of(bool mutating, bool bindings) {
  return std::string(mutating ? "mutating" : "validating") +
         (bindings ? "admissionpolicybindings" : "admissionpolicies") +
         ".admissionregistration.k8s.io";
}

CompiledPolicy::Named compile(const Value& text, const AdmissionScope& scope,
                              const std::vector<std::string>& results) {
  return {text.str(), model::compile_admission(text.as_string(), scope, results)};
}

// The policy's composed variables: evaluated when they are first read, in the run's environment.
class Composed final : public codec::cel::Map {
 public:
  using Evaluate = std::function<Datum(const CompiledPolicy::Named&)>;
  Composed(const CompiledPolicy& policy, Evaluate evaluate)
      : policy_(policy), evaluate_(std::move(evaluate)) {}
  std::size_t size() const override { return policy_.variables.size(); }
  std::vector<Datum> keys() const override {
    std::vector<Datum> keys;
    for (const auto& [name, expression] : policy_.variables) keys.push_back(Datum::string(name));
    return keys;
  }
  bool find(const Datum& key, Datum& value) const override {
    const auto known = known_.find(std::string(key.text()));
    if (known != known_.end()) {
      value = known->second;
      return true;
    }
    // Of two variables of one name the last counts.
    for (std::size_t i = policy_.variables.size(); i-- > 0;) {
      const auto& [name, expression] = policy_.variables[i];
      if (name != key.text()) continue;
      value = evaluate_(expression);
      if (value.is_error())
        value = Datum::error("composited variable " + quote(name) +
                             " fails to evaluate: " + std::string(value.text()));
      known_[name] = value;
      return true;
    }
    return false;
  }

 private:
  const CompiledPolicy& policy_;
  Evaluate evaluate_;
  mutable std::map<std::string, Datum> known_;
};

Value user_info(const Identity& identity) {
  Value user = Value::object({{"username", identity.user}});
  if (!identity.uid.empty()) user.set("uid", identity.uid);
  for (const std::string& group : identity.groups) user.edit("groups").push_back(group);
  for (const auto& [key, values] : identity.extra) {
    Value& list = user.edit("extra").edit(key);
    for (const std::string& value : values) list.push_back(value);
  }
  return user;
}

Identity identity_of(const Value& user) {
  Identity identity;
  identity.user = user["username"].str();
  identity.uid = user["uid"].str();
  for (const Value& group : user["groups"].elements()) identity.groups.push_back(group.str());
  for (const codec::Member& member : user["extra"].members())
    for (const Value& value : member.value.elements())
      identity.extra[std::string(member.key())].push_back(value.str());
  return identity;
}

model::AskAccess asker(Registry::State& state) {
  return [&state](const model::AccessQuestion& question) {
    model::AccessAnswer answer;
    if (!state.environment.authorize) {
      answer.allowed = true;
      return answer;
    }
    Access access{question.verb,     question.group,       question.resource_request ? "*" : "",
                  question.resource, question.subresource, question.space,
                  question.name};
    access.path = question.path;
    const Verdict verdict = state.environment.authorize(identity_of(question.user), access);
    answer.allowed = verdict.allowed;
    answer.reason = verdict.reason;
    return answer;
  };
}

// What of a namespace expressions see.
Value namespace_view(const Value& object) {
  if (object.is_null()) return object;
  Value view = object;
  view.erase("apiVersion");
  view.erase("kind");
  view.edit("metadata").erase("managedFields");
  return view;
}

}  // namespace

CompiledPolicyPtr PolicyPrograms::compiled(const Value& policy, bool mutating) {
  const std::string name(model::name_of(policy));
  const std::string key = (mutating ? "m/" : "v/") + name;
  const std::string revision(model::revision_of(policy));
  if (const auto it = compiled_.find(key);
      it != compiled_.end() && it->second->revision == revision)
    return it->second;
  auto made = std::make_shared<CompiledPolicy>();
  made->name = name;
  made->revision = revision;
  made->spec = policy["spec"];
  const Value& spec = made->spec;
  AdmissionScope scope;
  scope.params = !spec["paramKind"].is_null();
  scope.authorizer = true;
  for (const Value& condition : spec["matchConditions"].elements())
    made->conditions.push_back(compile(condition["expression"], scope, {"bool"}));
  model::ComposedVariables composed;
  scope.patches = mutating;
  scope.variables = &composed;
  for (const Value& variable : spec["variables"].elements()) {
    CompiledPolicy::Named named = compile(variable["expression"], scope, {});
    composed.emplace_back(variable["name"].str(),
                          named.compiled.type ? named.compiled.type : codec::cel::dyn_type());
    made->variables.emplace_back(variable["name"].str(), std::move(named));
  }
  AdmissionScope message_scope = scope;
  message_scope.authorizer = false;
  for (const Value& validation : spec["validations"].elements()) {
    made->checks.push_back(compile(validation["expression"], scope, {"bool"}));
    made->messages.push_back(
        validation["messageExpression"].empty() &&
                validation["messageExpression"].as_string().empty()
            ? CompiledPolicy::Named{}
            : compile(validation["messageExpression"], message_scope, {"string"}));
  }
  for (const Value& annotation : spec["auditAnnotations"].elements())
    made->annotations.push_back(
        compile(annotation["valueExpression"], scope, {"string", "null_type"}));
  for (const Value& mutation : spec["mutations"].elements()) {
    const bool json = mutation["patchType"].as_string() == "JSONPatch";
    made->mutations.push_back(
        compile(mutation[json ? "jsonPatch" : "applyConfiguration"]["expression"], scope,
                {json ? "list(JSONPatch)" : "Object"}));
  }
  compiled_[key] = made;
  return made;
}

CompiledPolicyPtr PolicyPrograms::conditions(const Value& list) {
  constexpr std::size_t kKept = 1024;
  const std::string key = codec::to_json(list);
  if (const auto it = conditions_.find(key); it != conditions_.end()) return it->second;
  auto made = std::make_shared<CompiledPolicy>();
  AdmissionScope scope;
  scope.authorizer = true;
  for (const Value& condition : list.elements())
    made->conditions.push_back(compile(condition["expression"], scope, {"bool"}));
  if (conditions_.size() >= kKept) conditions_.clear();
  conditions_[key] = made;
  return made;
}

std::vector<PolicyPrograms::Bound> PolicyPrograms::bound(Registry::State& state, bool mutating) {
  std::vector<Bound> all;
  const auto policies = state.entries(resource_of(mutating, false));
  if (policies.empty()) {
    compiled_.clear();
    return all;
  }
  const auto bindings = state.entries(resource_of(mutating, true));
  for (const store::EntryPtr& entry : policies) {
    const Value& policy = entry->value();
    Bound one;
    for (const store::EntryPtr& binding : bindings)
      if (binding->value()["spec"]["policyName"].as_string() == model::name_of(policy))
        one.bindings.push_back(binding->value());
    if (one.bindings.empty()) continue;
    one.policy = compiled(policy, mutating);
    all.push_back(std::move(one));
  }
  return all;
}

namespace {

PolicyPrograms& programs_of(Registry::State& state) {
  if (!state.policy_programs) state.policy_programs = std::make_shared<PolicyPrograms>();
  return *state.policy_programs;
}

}  // namespace

std::vector<PolicyPrograms::Bound> bound_policies(Registry::State& state, bool mutating) {
  return programs_of(state).bound(state, mutating);
}

Result<bool> match_conditions_hold(Admission& admission, const Value& conditions,
                                   const model::Resource& version, const Value& object,
                                   const Value& old) {
  if (conditions.empty()) return true;
  const CompiledPolicyPtr compiled = programs_of(admission.state()).conditions(conditions);
  return PolicyRun(admission, *compiled, version, object, old, Value()).conditions_hold();
}

Result<std::vector<Value>> policy_parameters(Admission& admission, const Value& policy_spec,
                                             const Value& binding_spec) {
  const auto bad = [](std::string message) {
    return Error{.reason = Reason::invalid, .message = std::move(message)};
  };
  const Value& kind = policy_spec["paramKind"];
  const Value& reference = binding_spec["paramRef"];
  if (kind.is_null() || reference.is_null()) return std::vector<Value>{Value()};
  const std::string api_version = kind["apiVersion"].str();
  const std::size_t slash = api_version.find('/');
  const std::string group = slash == std::string::npos ? "" : api_version.substr(0, slash);
  const std::string version = api_version.substr(slash == std::string::npos ? 0 : slash + 1);
  Registry::State& state = admission.state();
  const model::ResourcePointer resource =
      state.types.find_kind(group, version, kind["kind"].as_string());
  if (!resource)
    return bad("failed to find resource referenced by paramKind: '" + api_version +
               ", Kind=" + kind["kind"].str() + "'");
  const std::string given(reference["namespace"].as_string());
  std::string space;
  if (resource->namespaced) {
    space = given.empty() ? admission.namespace_name() : given;
    if (space.empty())
      return bad(
          "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources");
  } else if (!given.empty()) {
    return bad("paramRef.namespace must not be provided for a cluster-scoped `paramKind`");
  }
  const model::ResourcePointer storage = state.types.storage(resource->name());
  std::vector<Value> found;
  const auto take = [&](const Value& object) -> Result<void> {
    Value converted = object;
    if (storage && storage->version != resource->version) {
      TRY(converted, state.converted(*storage, *resource, object));
    }
    found.push_back(std::move(converted));
    return {};
  };
  if (const std::string name(reference["name"].as_string()); !name.empty()) {
    const Value& object = state.object(resource->name(), space, name);
    if (!object.is_null()) TRY_VOID(take(object));
  } else {
    TRY(const model::LabelSelector selector, model::LabelSelector::of(reference["selector"]));
    for (const store::EntryPtr& entry : state.entries(resource->name(), space))
      if (selector.matches(entry->value()["metadata"]["labels"])) TRY_VOID(take(entry->value()));
  }
  if (found.empty() && reference["parameterNotFoundAction"].as_string() == "Deny")
    return bad("no params found for policy binding with `Deny` parameterNotFoundAction");
  return found;
}

PolicyRun::PolicyRun(Admission& admission, const CompiledPolicy& policy,
                     const model::Resource& version, Value object, Value old, Value parameters)
    : admission_(admission), policy_(policy) {
  using codec::cel::view;
  const std::string& space = admission.namespace_name();
  const bool in_namespace = !space.empty() && admission.resource() != "namespaces";
  const Value namespace_object =
      in_namespace ? namespace_view(admission.state().object("namespaces", "", space)) : Value();
  const Value user = user_info(admission.identity());
  const model::AskAccess ask = asker(admission.state());
  const model::Resource& asked = *admission.call().resource;
  variables_ = {view(object),
                view(old),
                view(namespace_object),
                view(webhooks::request_of(admission, version)),
                view(parameters),
                model::cel_authorizer(user, ask),
                model::cel_request_resource(user, ask, asked.group, asked.plural,
                                            admission.subresource(), space, admission.name()),
                Datum::null()};
  variables_.back() = Datum::map(std::make_shared<Composed>(
      policy_, [this](const CompiledPolicy::Named& expression) { return evaluate(expression); }));
}

Datum PolicyRun::evaluate(const CompiledPolicy::Named& expression) {
  if (!expression.compiled.program)
    return Datum::error("compilation error: " + expression.compiled.error);
  codec::cel::Budget budget;
  const Datum result = expression.compiled.program->evaluate(variables_, budget);
  used_ += budget.used;
  return is_out_of_budget() ? Datum::error(kOutOfBudget) : result;
}

Result<bool> PolicyRun::conditions_hold() {
  if (policy_.conditions.empty()) return true;
  const Datum in_namespace = std::exchange(variables_[kNamespaceObject], Datum::null());
  used_ = 0;
  budget_ = kConditionsBudget;
  std::vector<std::string> faults;
  bool holds = true;
  for (const CompiledPolicy::Named& condition : policy_.conditions) {
    const Datum result = evaluate(condition);
    if (is_out_of_budget()) {
      faults = {kOutOfBudget};
      holds = true;
      break;
    }
    if (!result.is_error()) {
      holds = holds && result.is_true();
      continue;
    }
    std::string fault =
        "expression '" + condition.text + "' resulted in error: " + std::string(result.text());
    if (std::find(faults.begin(), faults.end(), fault) == faults.end())
      faults.push_back(std::move(fault));
  }
  variables_[kNamespaceObject] = in_namespace;
  begin();
  if (!holds || faults.empty()) return holds;
  if (policy_.ignores_failure()) return false;
  return Error{.reason = Reason::invalid,
               .message = faults.size() == 1 ? faults[0] : '[' + join(faults, ", ") + ']'};
}

}  // namespace keelson::registry
