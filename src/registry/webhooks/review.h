// One webhook's part in one request: whether it is concerned, what it is asked, and what it said.
// Behaviour: apiserver pkg/admission/plugin/webhook.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "registry/admission/admission.h"

namespace keelson::registry::webhooks {

// A webhook of a configuration.
struct Hook {
  std::string configuration;
  Value spec;
  std::string name() const { return spec["name"].str(); }
  std::string id() const { return configuration + '/' + name(); }
  bool ignores_failure() const { return spec["failurePolicy"].as_string() == "Ignore"; }
};
// Of all configurations of a resource, in order of their names.
std::vector<Hook> hooks_of(Registry::State& state, std::string_view configurations);
// These are never asked about, so that nobody locks themselves out.
bool is_exempt(const Admission& admission);

// In which version the hook wants to see the request's resource; nothing if it is not concerned.
// An Error where that cannot be told.
Result<std::optional<model::ResourcePointer>> interest_of(Admission& admission, const Hook& hook);

struct Opinion {
  enum class Kind : std::uint8_t {
    answered,
    failed,   // there is no valid answer
    refused,  // cannot be asked at all (dry run)
    unknown,  // not yet asked
  };
  Kind kind = Kind::unknown;
  Value response;   // of answered
  std::string why;  // of failed, after `failed calling webhook "x": `
};
// Asks, or looks up what was answered. `mutating` decides which answers are valid.
Opinion opinion_of(Admission& admission, const Hook& hook, const model::Resource& version,
                   bool mutating);

// What is wrong, as the client is told.
Error failure(const Hook& hook, const std::string& why);
Error no_dry_run(const Hook& hook);
// The refusal in a response that does not allow.
Error rejection(const Hook& hook, const Value& response);

// An AdmissionRequest without its uid and its objects.
Value request_of(Admission& admission, const model::Resource& version);

// The admission's object in that version; of a scale, the Scale.
Result<Value> object_in(Admission& admission, const model::Resource& version, const Value& object);

}  // namespace keelson::registry::webhooks
