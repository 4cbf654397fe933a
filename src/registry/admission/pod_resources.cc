#include "registry/admission/pod_resources.h"

#include <map>
#include <string>

#include "model/quantity.h"

namespace keelson::registry {

using codec::Value;
using model::Quantity;

namespace {

using Totals = std::map<std::string, Quantity, std::less<>>;

void add(Totals& totals, const Value& map) {
  for (const codec::Member& one : map.members()) {
    const Quantity amount = Quantity::of(one.value);
    const auto [at, fresh] = totals.emplace(one.key(), amount);
    if (!fresh) at->second = at->second + amount;
  }
}

void raise(Totals& totals, const Totals& other) {
  for (const auto& [name, amount] : other) {
    const auto [at, fresh] = totals.emplace(name, amount);
    if (!fresh && at->second < amount) at->second = amount;
  }
}

}  // namespace

Value pod_resources(const Value& pod, std::string_view part) {
  const Value& spec = pod["spec"];
  Totals totals, peak, sidecars;
  for (const Value& container : spec["containers"].elements())
    add(totals, container["resources"][part]);
  for (const Value& container : spec["initContainers"].elements()) {
    if (container["restartPolicy"].as_string() == "Always") {
      add(totals, container["resources"][part]);
      add(sidecars, container["resources"][part]);
      raise(peak, sidecars);
      continue;
    }
    Totals at_once = sidecars;
    add(at_once, container["resources"][part]);
    raise(peak, at_once);
  }
  raise(totals, peak);
  for (const codec::Member& one : spec["resources"][part].members())
    totals[std::string(one.key())] = Quantity::of(one.value);
  if (part == "requests") {
    add(totals, spec["overhead"]);
  } else {
    for (const codec::Member& one : spec["overhead"].members())
      if (totals.contains(one.key())) add(totals, Value::object({{one.key(), one.value}}));
  }
  Value out = Value::object();
  for (const auto& [name, amount] : totals) out.set(name, amount.text());
  return out;
}

}  // namespace keelson::registry
