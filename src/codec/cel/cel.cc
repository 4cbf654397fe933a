#include "codec/cel/cel.h"

#include "codec/cel/checked.h"
#include "codec/cel/checker.h"
#include "codec/cel/parser.h"
#include "codec/cel/steps.h"

namespace keelson::codec::cel {

struct Program::Plan {
  CheckedPtr checked;  // steps refer to its functions
  StepPtr root;
  std::size_t slots = 0;
};

Result<CheckedPtr> check(std::string_view text, const Environment& environment) {
  const Source source(text);
  auto checked = std::make_shared<Checked>();
  checked->environment = environment;
  std::vector<SourceError> errors;
  parse(source, checked->ast, errors);
  if (errors.empty()) check_types(checked->ast, environment, errors);
  if (errors.empty()) check_literals(checked->ast, errors);
  if (!errors.empty())
    return Error{.reason = Reason::invalid, .message = source.report(std::move(errors))};
  return CheckedPtr(std::move(checked));
}

const TypePtr& output_type(const Checked& checked) {
  return checked.ast.root->type;
}

bool refers_to(const Checked& checked, std::string_view variable) {
  const int index = checked.environment.find_variable(variable);
  if (index < 0) return false;
  for (const Expr& node : checked.ast.nodes)
    if (node.kind == Expr::Kind::identifier && node.type && node.variable_index == index)
      return true;
  return false;
}

Result<Program> plan(const CheckedPtr& checked) {
  auto planned = std::make_shared<Program::Plan>();
  planned->checked = checked;
  TRY(planned->root, make_steps(checked->ast, planned->slots));
  return Program(std::move(planned));
}

Result<Program> compile(std::string_view text, const Environment& environment) {
  TRY(const CheckedPtr checked, check(text, environment));
  return plan(checked);
}

Datum Program::evaluate(std::vector<Datum> variables, Budget& budget) const {
  Frame frame{variables, std::vector<Slot>(plan_->slots), 0, budget.call_max, false};
  Datum result = plan_->root->run(frame);
  budget.used = budget.used + frame.cost < budget.used ? UINT64_MAX : budget.used + frame.cost;
  if (frame.stopped) return Datum::error(kCostExceeded);
  return result;
}

const TypePtr& Program::type() const {
  return output_type(*plan_->checked);
}

}  // namespace keelson::codec::cel
