// See templates.h.
#include "control/common/templates.h"

#include <algorithm>

#include "base/prng.h"
#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"

namespace keelson::control {

std::int64_t scaled(const Value& int_or_percent, std::int64_t total, bool round_up) {
  if (int_or_percent.is_number()) return int_or_percent.as_int();
  std::string_view text = int_or_percent.as_string();
  if (!text.ends_with('%')) return 0;
  text.remove_suffix(1);
  const auto percent = parse_int(text);
  if (!percent || *percent > 1'000'000 || *percent < -1'000'000) return 0;
  const std::int64_t hundredths = *percent * total;
  const std::int64_t down = hundredths / 100 - (hundredths % 100 < 0 ? 1 : 0);
  return round_up && hundredths % 100 != 0 ? down + 1 : down;
}

bool same_content(const Value& a, const Value& b) {
  if (a.same_node(b)) return true;
  const auto nothing = [](const Value& v) {
    return v.is_null() || ((v.is_object() || v.is_array()) && v.empty());
  };
  if (nothing(a) || nothing(b)) return nothing(a) && nothing(b);
  if (a.is_array() && b.is_array())
    return std::equal(a.elements().begin(), a.elements().end(), b.elements().begin(),
                      b.elements().end(), same_content);
  if (!a.is_object() || !b.is_object()) return a == b;
  const auto covers = [](const Value& from, const Value& in) {
    return std::all_of(from.members().begin(), from.members().end(),
                       [&](const codec::Member& m) { return same_content(m.value, in[m.key()]); });
  };
  return covers(a, b) && covers(b, a);
}

Value without_label(const Value& pod_template, std::string_view label) {
  if (!pod_template["metadata"]["labels"].has(label)) return pod_template;
  Value copy = pod_template;
  copy.edit("metadata").edit("labels").erase(label);
  return copy;
}

std::string template_hash(const Value& pod_template, std::optional<std::int64_t> collisions) {
  std::string bytes = codec::to_json(pod_template);
  if (collisions) bytes += "#" + std::to_string(*collisions);
  return safe_encode(std::to_string(hash32(bytes)));
}

void set_condition(Value& status, Value condition) {
  const std::string type = condition["type"].str();
  const Value current = condition_in(status, type);
  if (!current.is_null() && current["status"] == condition["status"]) {
    if (current["reason"] == condition["reason"]) return;
    condition.set("lastTransitionTime", current["lastTransitionTime"]);
  }
  remove_condition(status, type);
  status.edit("conditions").push_back(std::move(condition));
}

void remove_condition(Value& status, std::string_view type) {
  if (condition_in(status, type).is_null()) return;
  codec::Array& all = status.edit("conditions").edit_elements();
  std::erase_if(all, [&](const Value& c) { return c["type"].as_string() == type; });
  if (all.empty()) status.erase("conditions");
}

const Value& condition_in(const Value& status, std::string_view type) {
  static const Value none;
  for (const Value& condition : status["conditions"].elements())
    if (condition["type"].as_string() == type) return condition;
  return none;
}

void set_count(Value& status, std::string_view key, std::int64_t count) {
  if (count == 0)
    status.erase(key);
  else
    status.set(key, count);
}

cluster::Write create(std::string_view resource, Value object) {
  cluster::Write write;
  write.verb = cluster::Write::Verb::create;
  write.resource = resource;
  write.namespace_ = model::namespace_of(object);
  write.name = model::name_of(object);
  write.object = std::move(object);
  return write;
}

cluster::Write update(std::string_view resource, Value object, std::string_view subresource) {
  cluster::Write write = create(resource, std::move(object));
  write.verb = cluster::Write::Verb::update;
  write.subresource = subresource;
  return write;
}

cluster::Write apply(std::string_view resource, Value object, std::string_view manager,
                     std::string_view subresource) {
  cluster::Write write = create(resource, std::move(object));
  write.verb = cluster::Write::Verb::apply;
  write.subresource = subresource;
  write.field_manager = manager;
  write.force = true;
  return write;
}

cluster::Write remove(std::string_view resource, const Value& object) {
  cluster::Write write;
  write.verb = cluster::Write::Verb::remove;
  write.resource = resource;
  write.namespace_ = model::namespace_of(object);
  write.name = model::name_of(object);
  return write;
}

cluster::EventNote normal(const Value& object, std::string reason, std::string message) {
  return {object, false, std::move(reason), std::move(message)};
}

cluster::EventNote warning(const Value& object, std::string reason, std::string message) {
  return {object, true, std::move(reason), std::move(message)};
}

}  // namespace keelson::control
