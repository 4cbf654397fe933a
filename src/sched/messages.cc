// FitError.Error of Kubernetes' pkg/scheduler/framework.
#include "sched/messages.h"

#include <algorithm>
#include <map>

#include "base/text.h"

namespace keelson::sched {
namespace {
constexpr std::size_t kNoteMax = 1024;

std::string head(std::size_t nodes_total) {
  return "0/" + std::to_string(nodes_total) + " nodes are available:";
}
}  // namespace

std::string fit_message(std::size_t nodes_total, const std::vector<NodeStatus>& verdicts,
                        const Status& absent) {
  std::map<std::string_view, std::size_t> counts;
  for (const auto& [node, status] : verdicts)
    status.for_each_reason([&](std::string_view reason) { ++counts[reason]; });
  if (verdicts.size() < nodes_total)
    absent.for_each_reason(
        [&](std::string_view reason) { counts[reason] += nodes_total - verdicts.size(); });
  std::vector<std::string> parts;
  for (const auto& [reason, count] : counts)
    parts.push_back(std::to_string(count) + " " + std::string(reason));
  std::sort(parts.begin(), parts.end());
  std::string message = head(nodes_total);
  if (!parts.empty()) message += " " + join(parts, ", ") + ".";
  return message;
}

std::string pre_filter_message(std::size_t nodes_total, const Status& pre_filter) {
  return head(nodes_total) + " " + pre_filter.message() + ".";
}

std::string event_note(const std::string& message) {
  if (message.size() <= kNoteMax) return message;
  return message.substr(0, kNoteMax - 4) + " ...";
}

}  // namespace keelson::sched
