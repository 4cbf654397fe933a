// LimitRanger: defaults for containers, and least, most and ratio of what pods and claims ask for.
#include <cstdio>

#include "base/text.h"
#include "model/meta.h"
#include "model/pod_resources.h"
#include "model/quantity.h"
#include "registry/admission/admission.h"

namespace keelson::registry::admission {

using model::Quantity;

namespace {

std::vector<Value> limits_in(Admission& admission) {
  std::vector<Value> out;
  for (const store::EntryPtr& range :
       admission.state().entries("limitranges", admission.namespace_name()))
    for (const Value& limit : range->value()["spec"]["limits"].elements()) out.push_back(limit);
  return out;
}

bool applies(const Admission& admission) {
  if (admission.removing() || admission.namespace_name().empty()) return false;
  if (admission.is("persistentvolumeclaims")) return true;
  return admission.is("pods") && admission.creating();
}

// Fills what a container leaves out; notes it for the annotation.
void fill(Value& container, const Value& limit, const std::string& kind,
          std::vector<std::string>& notes) {
  constexpr std::pair<const char*, const char*> kParts[] = {{"requests", "defaultRequest"},
                                                            {"limits", "default"}};
  for (const auto& [part, source] : kParts) {
    std::vector<std::string> set;
    for (const codec::Member& one : limit[source].members()) {
      if (container["resources"][part].has(one.key())) continue;
      container.edit("resources").edit(part).set(one.key(), one.value);
      set.emplace_back(one.key());
    }
    if (!set.empty())
      notes.push_back(join(set, ", ") + " " + std::string(part, std::string_view(part).size() - 1) +
                      " for " + kind + " " + container["name"].str());
  }
}

class Checks {
 public:
  explicit Checks(const Value& limit) : limit_(limit), type_(limit["type"].str()) {}

  void all(const Value& requests, const Value& limits) {
    for (const codec::Member& one : limit_["min"].members())
      least(one, requests[one.key()], limits[one.key()]);
    for (const codec::Member& one : limit_["max"].members())
      most(one, requests[one.key()], limits[one.key()]);
    for (const codec::Member& one : limit_["maxLimitRequestRatio"].members())
      ratio(one, requests[one.key()], limits[one.key()]);
  }
  void claim(const Value& requests) {
    for (const codec::Member& one : limit_["min"].members())
      least(one, requests[one.key()], Value());
    for (const codec::Member& one : limit_["max"].members()) {
      const Value& asked = requests[one.key()];
      if (asked.is_null())
        fail(usage("maximum", one) + ".  No request is specified");
      else if (Quantity::of(asked) > Quantity::of(one.value))
        fail(usage("maximum", one) + ", but request is " + text(asked));
    }
  }
  std::vector<std::string> problems;

 private:
  static std::string text(const Value& quantity) { return Quantity::of(quantity).text(); }
  std::string usage(std::string_view bound, const codec::Member& one) const {
    return std::string(bound) + " " + std::string(one.key()) + " usage per " + type_ + " is " +
           text(one.value);
  }
  void fail(std::string problem) { problems.push_back(std::move(problem)); }

  void least(const codec::Member& one, const Value& asked, const Value& limit) {
    const Quantity bound = Quantity::of(one.value);
    if (asked.is_null())
      fail(usage("minimum", one) + ".  No request is specified");
    else if (Quantity::of(asked) < bound)
      fail(usage("minimum", one) + ", but request is " + text(asked));
    else if (!limit.is_null() && Quantity::of(limit) < bound)
      fail(usage("minimum", one) + ", but limit is " + text(limit));
  }
  void most(const codec::Member& one, const Value& asked, const Value& limit) {
    const Quantity bound = Quantity::of(one.value);
    if (limit.is_null())
      fail(usage("maximum", one) + ".  No limit is specified");
    else if (Quantity::of(limit) > bound)
      fail(usage("maximum", one) + ", but limit is " + text(limit));
    else if (!asked.is_null() && Quantity::of(asked) > bound)
      fail(usage("maximum", one) + ", but request is " + text(asked));
  }
  void ratio(const codec::Member& one, const Value& asked, const Value& limit) {
    const std::string head = std::string(one.key()) + " max limit to request ratio per " + type_ +
                             " is " + text(one.value) + ", but ";
    const Quantity low = Quantity::of(asked), high = Quantity::of(limit);
    if (low.is_zero()) return fail(head + "no request is specified or request is 0");
    if (high.is_zero()) return fail(head + "no limit is specified or limit is 0");
    const double provided = high.to_double() / low.to_double();
    if (provided <= Quantity::of(one.value).to_double()) return;
    char digits[64];
    std::snprintf(digits, sizeof digits, "%f", provided);
    fail(head + "provided ratio is " + digits);
  }

  const Value& limit_;
  std::string type_;
};

}  // namespace

Result<void> limit_ranger_mutate(Admission& admission) {
  if (!applies(admission) || !admission.is("pods")) return {};
  std::vector<std::string> notes;
  for (const Value& limit : limits_in(admission)) {
    if (limit["type"].as_string() != "Container") continue;
    Value& pod = admission.object();
    for (std::size_t i = 0; i < pod["spec"]["containers"].size(); ++i)
      fill(pod.edit("spec").edit("containers").edit(i), limit, "container", notes);
    for (std::size_t i = 0; i < pod["spec"]["initContainers"].size(); ++i)
      fill(pod.edit("spec").edit("initContainers").edit(i), limit, "init container", notes);
  }
  if (!notes.empty())
    admission.object()
        .edit("metadata")
        .edit("annotations")
        .set("kubernetes.io/limit-ranger", "LimitRanger plugin set: " + join(notes, "; "));
  return {};
}

Result<void> limit_ranger_validate(Admission& admission) {
  if (!applies(admission)) return {};
  const Value& object = admission.object();
  std::vector<std::string> problems;
  for (const Value& limit : limits_in(admission)) {
    const std::string_view type = limit["type"].as_string();
    Checks checks(limit);
    if (admission.is("persistentvolumeclaims")) {
      if (type == "PersistentVolumeClaim") checks.claim(object["spec"]["resources"]["requests"]);
    } else if (type == "Container") {
      for (const char* list : {"containers", "initContainers"})
        for (const Value& container : object["spec"][list].elements())
          checks.all(container["resources"]["requests"], container["resources"]["limits"]);
    } else if (type == "Pod") {
      checks.all(model::pod_requests(object).to_value(), model::pod_limits(object).to_value());
    }
    problems.insert(problems.end(), checks.problems.begin(), checks.problems.end());
  }
  if (problems.empty()) return {};
  return admission.refuse(problems.size() == 1 ? problems.front()
                                               : "[" + join(problems, ", ") + "]");
}

}  // namespace keelson::registry::admission
