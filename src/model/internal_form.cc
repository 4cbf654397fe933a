// What the original's conversions to its internal types do to an object before anybody else sees
// it: aliases agree, and what can only be written is written. Field owners are found after this.
#include "base/text.h"
#include "model/scheme.h"

namespace keelson::model {
namespace {

using codec::Value;

// The older, single field wins; a list alone fills it.
void agree(Value& owner, const char* single, const char* list, const char* element) {
  const auto wrapped = [&](const Value& one) {
    return element == nullptr ? one : Value::object({{element, one}});
  };
  const Value one = owner[single];
  const auto first = [&]() -> const Value& {
    return element == nullptr ? owner[list][0] : owner[list][0][element];
  };
  if (!one.as_string().empty()) {
    if (owner[list].empty() || !(first() == one)) owner.set(list, Value::array({wrapped(one)}));
  } else if (!owner[list].empty()) {
    owner.set(single, Value(first()));
  }
}

// Plain texts overwrite data of the same name.
void fold_texts(Value& secret) {
  const Value plain = secret["stringData"];
  if (!plain.is_object()) return;
  secret.erase("stringData");
  for (const codec::Member& m : plain.members())
    secret.edit("data").set(m.key(), to_base64(m.value.as_string()));
}

}  // namespace

void take_internal_form(const Resource& resource, Value& object) {
  if (resource.custom) return;
  const std::string name = resource.name();
  if (name == "secrets") fold_texts(object);
  if (name == "nodes" && object["spec"].is_object())
    agree(object.edit("spec"), "podCIDR", "podCIDRs", nullptr);
  if (name == "pods" && object["status"].is_object())
    agree(object.edit("status"), "podIP", "podIPs", "ip");
  // What v1 says in annotations are fields here; in v2 it says nothing.
  if (name == "horizontalpodautoscalers.autoscaling" && resource.version == "v2")
    for (const char* part : {"metrics", "behavior", "conditions", "current-metrics"}) {
      const std::string key = std::string("autoscaling.alpha.kubernetes.io/") + part;
      if (!object["metadata"]["annotations"].has(key)) continue;
      Value& metadata = object.edit("metadata");
      metadata.edit("annotations").erase(key);
      if (metadata["annotations"].empty()) metadata.erase("annotations");
    }
  // The template's generation is a field that only shows as an annotation.
  constexpr std::string_view kGeneration = "deprecated.daemonset.template.generation";
  if (name == "daemonsets.apps" && !object["metadata"]["annotations"].has(kGeneration))
    object.edit("metadata").edit("annotations").set(kGeneration, "0");
}

}  // namespace keelson::model
