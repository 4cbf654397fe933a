#include "api/fairness/work_estimate.h"

#include <algorithm>

#include "base/text.h"

namespace keelson::api {
namespace {

constexpr std::size_t kBytesPerSeat = 100'000;
constexpr std::size_t kStreamedMax = 1'000'000;  // of a list that is never whole in memory
constexpr int kListSeatsMax = 100, kWriteSeatsMax = 10;
constexpr int kWatchesPerSeat = 100;
constexpr Duration kWatchesTime = Duration::milliseconds(1);  // 10 µs each
constexpr std::size_t kKnownMax = 10'000;

std::string key_of(const RequestInfo& info, const std::string& ns) {
  return info.resource + "." + info.group + "/" + ns;
}

bool is_write(std::string_view verb) {
  return verb == "create" || verb == "update" || verb == "patch" || verb == "delete";
}

// Answers that start with everything there is.
bool lists(const RequestInfo& info, const Query& query) {
  if (info.verb == "list") return true;
  if (info.verb != "watch") return false;
  const std::string_view revision = query.get("resourceVersion");
  return query.get_bool("sendInitialEvents") || revision.empty() || revision == "0";
}

}  // namespace

WorkEstimates::Estimate WorkEstimates::of(const RequestInfo& info, const Query& query,
                                          int seats_max, bool streamed) const {
  Estimate out;
  FairQueues::Work& work = out.work;
  if (!info.is_resource) return out;
  if (lists(info, query)) {
    if (!info.name.empty()) return out;
    const auto known = lists_.find(key_of(info, info.namespace_));
    if (known == lists_.end() || known->second.objects == 0) return out;
    std::size_t bytes = known->second.bytes;
    const auto limit = parse_int(query.get("limit"));
    if (limit && *limit > 0 && static_cast<std::size_t>(*limit) < known->second.objects)
      bytes = bytes / known->second.objects * static_cast<std::size_t>(*limit);
    out.slow = bytes > kBytesPerSeat;
    if (streamed) bytes = std::min(bytes, kStreamedMax);
    const std::size_t seats = (bytes + kBytesPerSeat - 1) / kBytesPerSeat;
    work.seats = std::clamp(static_cast<int>(std::min<std::size_t>(seats, kListSeatsMax)), 1,
                            std::max(1, seats_max));
  } else if (is_write(info.verb)) {
    int open = 0;
    for (const std::string& ns : {std::string(), info.namespace_}) {
      const auto found = watches_->open.find(key_of(info, ns));
      if (found != watches_->open.end()) open += found->second;
      if (info.namespace_.empty()) break;
    }
    if (open < kWatchesPerSeat) return out;
    const int wanted = (open + kWatchesPerSeat - 1) / kWatchesPerSeat;
    work.seats_after = std::min({wanted, kWriteSeatsMax, std::max(1, seats_max)});
    work.after = kWatchesTime * wanted / work.seats_after;
  }
  return out;
}

void WorkEstimates::learn(const RequestInfo& info, const Query& query, std::size_t objects,
                          std::size_t bytes) {
  if (!info.name.empty() || !info.label_selector.empty() || !info.field_selector.empty() ||
      !query.get("limit").empty() || !query.get("continue").empty())
    return;
  if (lists_.size() >= kKnownMax) lists_.clear();
  lists_[key_of(info, info.namespace_)] = {objects, bytes};
}

std::shared_ptr<void> WorkEstimates::begin_watch(const RequestInfo& info) {
  const std::string key = key_of(info, info.namespace_);
  ++watches_->open[key];
  return {nullptr, [watches = watches_, key](void*) {
            const auto found = watches->open.find(key);
            if (--found->second == 0) watches->open.erase(found);
          }};
}

}  // namespace keelson::api
