// pkg/apis/admissionregistration/v1/defaults.go.
#include "model/defaults/rules.h"

namespace keelson::model {
namespace {

using codec::Value;

void match_resources(Value& match) {
  default_to(match, "matchPolicy", "Equivalent");
  default_to(match, "namespaceSelector", Value::object());
  default_to(match, "objectSelector", Value::object());
}

void validating_webhook(Value& webhook) {
  default_to(webhook, "failurePolicy", "Fail");
  match_resources(webhook);
  default_to(webhook, "timeoutSeconds", 10);
}

void mutating_webhook(Value& webhook) {
  validating_webhook(webhook);
  default_to(webhook, "reinvocationPolicy", "Never");
}

void rule(Value& r) {
  default_to(r, "scope", "*");
}
void service(Value& reference) {
  default_to(reference, "port", 443);
}
void policy_spec(Value& spec) {
  default_to(spec, "failurePolicy", "Fail");
}

}  // namespace

DefaultRules admission_defaults() {
  return {
      {"io.k8s.api.admissionregistration.v1.ValidatingWebhook", validating_webhook},
      {"io.k8s.api.admissionregistration.v1.MutatingWebhook", mutating_webhook},
      {"io.k8s.api.admissionregistration.v1.RuleWithOperations", rule},
      {"io.k8s.api.admissionregistration.v1.NamedRuleWithOperations", rule},
      {"io.k8s.api.admissionregistration.v1.ServiceReference", service},
      {"io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicySpec", policy_spec},
      {"io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicySpec", policy_spec},
      {"io.k8s.api.admissionregistration.v1.MatchResources", match_resources},
      {"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReference", service},
      {"io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference", service},
  };
}

}  // namespace keelson::model
