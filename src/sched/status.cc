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

std::string Status::message() const {
  return join(reasons, ", ");
}

}  // namespace keelson::sched
