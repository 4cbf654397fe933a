// See history.h.
#include "control/common/history.h"

#include <algorithm>
#include <tuple>

#include "base/prng.h"
#include "codec/json.h"
#include "control/common/templates.h"
#include "model/meta.h"
#include "model/selector.h"

namespace keelson::control {

Value revision_data(const Value& set) {
  Value pod_template = set["spec"]["template"];
  pod_template.set("$patch", "replace");
  return Value::object({{"spec", Value::object({{"template", pod_template}})}});
}

Value template_of_revision(const Value& revision) {
  Value pod_template = revision.at("data.spec.template");
  pod_template.erase("$patch");
  return pod_template;
}

std::string revision_hash(const Value& data, std::int64_t collisions) {
  return safe_encode(std::to_string(hash32(codec::to_json(data) + std::to_string(collisions))));
}

Value new_revision(const Value& set, std::int64_t number, std::int64_t collisions,
                   const std::vector<std::string_view>& hash_labels) {
  constexpr std::size_t kPrefixMax = 223;
  const Value data = revision_data(set);
  const std::string hash = revision_hash(data, collisions);
  Value labels = set.at("spec.template.metadata.labels");
  for (std::string_view key : hash_labels) labels.set(key, hash);
  Value meta =
      Value::object({{"name", std::string(model::name_of(set).substr(0, kPrefixMax)) + "-" + hash},
                     {"namespace", model::namespace_of(set)},
                     {"labels", labels},
                     {"ownerReferences", Value::array({model::controller_reference(set)})}});
  if (!model::annotations_of(set).empty()) meta.set("annotations", model::annotations_of(set));
  return Value::object({{"apiVersion", "apps/v1"},
                        {"kind", "ControllerRevision"},
                        {"metadata", meta},
                        {"data", data},
                        {"revision", number}});
}

std::int64_t revision_number(const Value& revision) {
  return revision["revision"].as_int();
}

void order_by_number(Revisions& revisions) {
  const auto key = [](const Value& r) {
    return std::make_tuple(revision_number(r), model::creation_time_of(r), model::name_of(r));
  };
  std::sort(revisions.begin(), revisions.end(),
            [&](const Value& a, const Value& b) { return key(a) < key(b); });
}

bool same_data(const Value& a, const Value& b) {
  return same_content(a["data"], b["data"]);
}

Revisions revisions_of(const cluster::View& view, const Orphans& orphans, const Value& set) {
  const auto selector = model::LabelSelector::of(set["spec"]["selector"]);
  Revisions revisions = owned_and_orphans(view, kRevisionsResource, orphans, set);
  std::erase_if(revisions, [&](const Value& revision) {
    return !selector.ok() || !selector->matches(model::labels_of(revision));
  });
  order_by_number(revisions);
  return revisions;
}

}  // namespace keelson::control
