// Text forms of statuses.
#include "sched/status.h"

#include "base/text.h"

namespace keelson::sched {

std::string_view to_text(Code code) {
  switch (code) {
    case Code::success: return "Success";
    case Code::skip: return "Skip";
    case Code::unschedulable: return "Unschedulable";
    case Code::unresolvable: return "UnschedulableAndUnresolvable";
    case Code::error: return "Error";
  }
  return {};
}

std::vector<std::string> Status::reasons() const {
  std::vector<std::string> all;
  for_each_reason([&](std::string_view reason) { all.emplace_back(reason); });
  return all;
}

std::string Status::message() const {
  return join(reasons(), ", ");
}

}  // namespace keelson::sched
