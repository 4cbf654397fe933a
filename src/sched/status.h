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

// A verdict on every node of a large cluster must cost next to nothing: the usual one carries one
// reason that is a literal, and allocates nothing.
struct Status {
  Code code = Code::success;
  std::string_view literal = {};           // a reason that lives for ever
  std::vector<std::string> composed = {};  // further reasons
  std::string_view plugin =
      {};  // who said no: the name of a plug-in; empty where no single one did

  static Status skip() { return {Code::skip}; }
  template <std::size_t N>
  static Status unschedulable(const char (&reason)[N]) {
    return {Code::unschedulable, std::string_view(reason, N - 1)};
  }
  template <std::size_t N>
  static Status unresolvable(const char (&reason)[N]) {
    return {Code::unresolvable, std::string_view(reason, N - 1)};
  }
  static Status unschedulable(const std::string& reason) {
    return {Code::unschedulable, {}, {reason}};
  }
  static Status unresolvable(const std::string& reason) {
    return {Code::unresolvable, {}, {reason}};
  }
  static Status error(std::string text) { return {Code::error, {}, {std::move(text)}}; }

  bool ok() const { return code == Code::success; }
  bool rejected() const { return code == Code::unschedulable || code == Code::unresolvable; }
  template <typename Call>
  void for_each_reason(const Call& call) const {
    if (!literal.empty()) call(literal);
    for (const std::string& reason : composed) call(std::string_view(reason));
  }
  std::vector<std::string> reasons() const;
  // The reasons joined by ", ".
  std::string message() const;
};

}  // namespace keelson::sched
