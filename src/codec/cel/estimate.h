// Arithmetic of estimates: bounds that saturate, and rounding as cel-go's checker/cost.go has it.
#pragma once

#include "codec/cel/ast.h"
#include "codec/cel/cel.h"

namespace keelson::codec::cel {

inline constexpr std::uint64_t kUnbounded = UINT64_MAX;
inline constexpr Estimate kUnknownSize{0, kUnbounded};

std::uint64_t add_bounded(std::uint64_t a, std::uint64_t b);
std::uint64_t multiply_bounded(std::uint64_t a, std::uint64_t b);
std::uint64_t scale_bounded(std::uint64_t a, double factor);  // rounded up

Estimate operator+(Estimate a, Estimate b);
Estimate operator*(Estimate a, Estimate b);
Estimate operator*(Estimate a, double factor);
// The least and the most of both.
Estimate either(Estimate a, Estimate b);
inline Estimate exactly(std::uint64_t n) {
  return {n, n};
}

// One operand of a call, as the estimate of the call sees it.
struct CostNode {
  const Expr* expr = nullptr;  // null for the elements of a list
  TypePtr type;
  std::vector<std::string> path;
  bool has_size = false;
  Estimate size;
};

struct CallEstimate {
  Estimate cost;
  bool has_size = false;
  Estimate size;  // of the result
};

// What the functions of Kubernetes and of cel-go's extensions are estimated to cost, without their
// arguments; false for all others. `target` is null for functions that are no members.
bool estimate_call(std::string_view function, std::string_view overload, const CostNode* target,
                   const std::vector<CostNode>& arguments, const SizeHint& hint,
                   CallEstimate& estimate);

}  // namespace keelson::codec::cel
