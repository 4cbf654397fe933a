// Status: what a plug-in says about a pod and a node. A verdict, never an Error: "does not fit" is
// an expected answer. Codes and their meaning follow the scheduling framework of Kubernetes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keelson::sched {

enum class Code : std::uint8_t {
  success,
  skip,           // the plug-in has nothing to say about this pod
  unschedulable,  // evicting pods may help
  unresolvable,   // evicting pods cannot help: Kubernetes' UnschedulableAndUnresolvable
  error,          // the attempt cannot be carried out; it is tried again
};

// "Unschedulable", "UnschedulableAndUnresolvable" ... as Kubernetes spells them.
std::string_view to_text(Code code);

struct Status {
  Code code = Code::success;
  std::vector<std::string> reasons = {};
  std::string plugin = {};  // who said no; empty where no single plug-in did

  static Status skip() { return {Code::skip}; }
  static Status unschedulable(std::string reason) {
    return {Code::unschedulable, {std::move(reason)}};
  }
  static Status unresolvable(std::string reason) {
    return {Code::unresolvable, {std::move(reason)}};
  }
  static Status error(std::string text) { return {Code::error, {std::move(text)}}; }

  bool ok() const { return code == Code::success; }
  bool rejected() const { return code == Code::unschedulable || code == Code::unresolvable; }
  // The reasons joined by ", ".
  std::string message() const;
};

}  // namespace keelson::sched
