// See servicecidr.h.
#include "control/servicecidr/servicecidr.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/text.h"
#include "control/common/script.h"
#include "control/common/templates.h"
#include "model/finalizers.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

constexpr std::string_view kRanges = "servicecidrs.networking.k8s.io";
constexpr std::string_view kAddresses = "ipaddresses.networking.k8s.io";
constexpr std::string_view kFinalizer = "networking.k8s.io/service-cidr-finalizer";
// Until then somebody may still allocate from a range that is being deleted.
constexpr Duration kGrace = Duration::seconds(10);

// IPv4 alone, as the API server allocates no others.
struct Prefix {
  std::uint32_t base = 0;
  int bits = 32;
  bool contains(const Prefix& other) const {
    return other.bits >= bits && (bits == 0 || (other.base ^ base) >> (32 - bits) == 0);
  }
};

std::optional<Prefix> parse_prefix(std::string_view text) {
  Prefix out;
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto bits = parse_int(text.substr(slash + 1));
    if (!bits || *bits < 0 || *bits > 32) return std::nullopt;
    out.bits = static_cast<int>(*bits);
  }
  const std::vector<std::string> parts = split(text.substr(0, slash), '.');
  if (parts.size() != 4) return std::nullopt;
  for (const std::string& part : parts) {
    const auto number = parse_int(part);
    if (!number || *number < 0 || *number > 255) return std::nullopt;
    out.base = out.base << 8 | static_cast<std::uint32_t>(*number);
  }
  return out;
}

bool covers(const Value& range, const Prefix& what) {
  const auto& cidrs = range["spec"]["cidrs"].elements();
  return std::any_of(cidrs.begin(), cidrs.end(), [&](const Value& one) {
    const auto prefix = parse_prefix(one.as_string());
    return prefix && prefix->contains(what);
  });
}

bool covered_by_another(const cluster::View& view, const Value& range, const Prefix& what) {
  for (const Value& other : view.list(kRanges))
    if (model::name_of(other) != model::name_of(range) && covers(other, what)) return true;
  return false;
}

// Addresses that would lie in no range any more.
bool has_orphans(const cluster::View& view, const Value& range) {
  bool contained = true;
  for (const Value& one : range["spec"]["cidrs"].elements())
    if (const auto prefix = parse_prefix(one.as_string()))
      contained = contained && covered_by_another(view, range, *prefix);
  if (contained) return false;
  for (const Value& address : view.list(kAddresses)) {
    const auto number = parse_prefix(model::name_of(address));
    const bool allocated =
        address["metadata"]["labels"]["ipaddress.kubernetes.io/managed-by"].as_string() ==
        "ipallocator.k8s.io";
    if (number && allocated && covers(range, *number) && !covered_by_another(view, range, *number))
      return true;
  }
  return false;
}

// Nothing if the condition says so already.
std::optional<cluster::Write> condition_write(const Value& range, bool ready, Instant now) {
  const std::string message =
      ready ? "Kubernetes Service CIDR is ready"
            : "There are still IPAddresses referencing the ServiceCIDR, please remove them or "
              "create a new ServiceCIDR";
  const std::string_view status = ready ? "True" : "False", reason = ready ? "" : "Terminating";
  const Value& known = model::condition_of(range, "Ready");
  if (known["status"].as_string() == status && known["reason"].as_string() == reason &&
      known["message"].as_string() == message)
    return std::nullopt;
  Value condition = Value::object({{"type", "Ready"},
                                   {"status", status},
                                   {"message", message},
                                   {"lastTransitionTime", to_rfc3339(now)}});
  if (!reason.empty()) condition.set("reason", reason);
  return apply(
      kRanges,
      Value::object({{"apiVersion", "networking.k8s.io/v1"},
                     {"kind", "ServiceCIDR"},
                     {"metadata", Value::object({{"name", model::name_of(range)}})},
                     {"status", Value::object({{"conditions", Value::array({condition})}})}}),
      "service-cidr-controller", "status");
}

Value with_finalizer(Value range, bool wanted) {
  model::set_finalizers(range, wanted ? model::finalizers_with(range, kFinalizer)
                                      : model::finalizers_without(range, kFinalizer));
  return range;
}

cluster::Plan planned(std::vector<cluster::Write> writes) {
  return Script::run([writes = std::move(writes)](Script& script) -> Result<void> {
    for (const cluster::Write& write : writes) {
      const Result<Value> result = script.write(write);
      if (script.waiting()) return {};
      if (!result.ok() && result.error().reason != Reason::not_found) return result.error();
    }
    return {};
  });
}

}  // namespace

std::vector<cluster::Watch> ServiceCidrController::watches() const {
  // A range or an address may be what the end of another range waits for.
  const auto deleted_ranges = [](const cluster::View& view) {
    std::vector<cluster::Key> keys;
    for (const Value& range : view.list(kRanges))
      if (model::is_deleting(range)) keys.push_back({"", std::string(model::name_of(range))});
    return keys;
  };
  return {
      {std::string(kRanges),
       [deleted_ranges](const cluster::View& view, const Value&, const Value& after) {
         std::vector<cluster::Key> keys = deleted_ranges(view);
         if (!after.is_null()) keys.push_back({"", std::string(model::name_of(after))});
         return keys;
       }},
      {std::string(kAddresses), [deleted_ranges](const cluster::View& view, const Value&,
                                                 const Value&) { return deleted_ranges(view); }}};
}

cluster::Plan ServiceCidrController::reconcile(const cluster::Sync& sync) {
  const Value range = sync.view.get(kRanges, "", sync.key.name);
  if (range.is_null()) return {};
  std::vector<cluster::Write> writes;
  if (!model::is_deleting(range)) {
    if (!model::has_finalizer(range, kFinalizer))
      writes.push_back(update(kRanges, with_finalizer(range, true)));
    // The API server itself says so of its own.
    if (!model::condition_is_true(range, "Ready"))
      if (auto write = condition_write(range, true, sync.now)) writes.push_back(std::move(*write));
    return planned(std::move(writes));
  }
  if (has_orphans(sync.view, range)) {
    if (auto write = condition_write(range, false, sync.now)) writes.push_back(std::move(*write));
    return planned(std::move(writes));
  }
  const Instant end = model::time_of(range["metadata"]["deletionTimestamp"]) + kGrace;
  if (sync.now < end) {
    cluster::Plan plan;
    plan.wake_at = end;
    return plan;
  }
  if (model::has_finalizer(range, kFinalizer))
    writes.push_back(update(kRanges, with_finalizer(range, false)));
  return planned(std::move(writes));
}

}  // namespace keelson::control
