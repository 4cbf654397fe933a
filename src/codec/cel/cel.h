// CEL, the Common Expression Language, as Kubernetes 1.36 runs it (cel-go 0.26): compile an
// expression once, evaluate it many times.
//
//   Environment environment{model::cel_library(), {{"object", dyn_type()}}};
//   auto program = cel::compile("object.spec.replicas <= 5", environment);   // Result<Program>
//   Budget budget;
//   Datum result = program->evaluate({view(object)}, budget);   // budget.used tells the cost
//
// Nothing here reads a clock, allocates without bound or throws; errors of evaluation are data.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/cel/environment.h"
#include "codec/cel/json_datum.h"

namespace keelson::codec::cel {

// Bounds of a cost or of a size, as estimated before anything runs. UINT64_MAX means without bound.
struct Estimate {
  std::uint64_t min = 0, max = 0;
};

// The size of what an expression reads: `path` starts with a variable's name ("self", "spec",
// "@items"). False if nothing is known.
using SizeHint = std::function<bool(const std::vector<std::string>& path, Estimate& size)>;

struct Checked;  // a checked expression
using CheckedPtr = std::shared_ptr<const Checked>;

// Parses and checks. The error's message holds all errors, each with its place:
// "ERROR: <input>:1:5: undeclared reference to 'x' (in container '')\n | ...".
Result<CheckedPtr> check(std::string_view text, const Environment& environment);
const TypePtr& output_type(const Checked& checked);
// True if the expression refers to the variable.
bool refers_to(const Checked& checked, std::string_view variable);
Estimate estimate_cost(const Checked& checked, const SizeHint& hint);

// What one evaluation may cost; `used` grows over several of them.
struct Budget {
  std::uint64_t call_max = 1'000'000;
  std::uint64_t used = 0;
};

inline constexpr std::string_view kCostExceeded = "operation cancelled: actual cost limit exceeded";

class Program {
 public:
  struct Plan;
  explicit Program(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}
  // `variables` in the order of the environment. An error datum says what failed.
  Datum evaluate(std::vector<Datum> variables, Budget& budget) const;
  const TypePtr& type() const;

 private:
  std::shared_ptr<const Plan> plan_;
};

// Makes it ready to run: constants are folded, patterns compiled. The error is one that a constant
// part of the expression always has.
Result<Program> plan(const CheckedPtr& checked);
// Both in one step.
Result<Program> compile(std::string_view text, const Environment& environment);

}  // namespace keelson::codec::cel
