// The plan of a program: a tree of steps, made from a checked tree, that evaluation walks. Steps
// are immutable; what changes during an evaluation is in its Frame. They count costs exactly as
// cel-go's observer does, which is not always what one would expect (a conditional's branch, the
// index of a list).
#pragma once

#include <memory>
#include <vector>

#include "codec/cel/actual_cost.h"
#include "codec/cel/ast.h"
#include "codec/cel/cel.h"
#include "codec/cel/library.h"

namespace keelson::codec::cel {

class Step;
using StepPtr = std::shared_ptr<const Step>;

// A comprehension's variable. An accumulator is computed when it is first read.
struct Slot {
  Datum value;
  const Step* pending = nullptr;
};

struct Frame {
  const std::vector<Datum>& variables;
  std::vector<Slot> slots;
  std::uint64_t cost = 0, cost_max = 0;
  bool stopped = false;  // the budget is used up; what evaluation still returns does not matter

  void charge(std::uint64_t units) {
    cost = cost + units < cost ? UINT64_MAX : cost + units;
    if (cost > cost_max) stopped = true;
  }
};

class Step {
 public:
  virtual ~Step() = default;
  virtual Datum run(Frame& frame) const = 0;
  // The value of a constant, or null.
  virtual const Datum* constant() const { return nullptr; }
};

// A value that is read by names and keys: `self.spec.items[0]`. Conditionals are attributes too:
// `(c ? a : b).name` reads the name of the chosen branch.
class Attribute : public Step {
 public:
  struct Qualifier {
    Datum key;                                   // constant
    std::shared_ptr<const Attribute> attribute;  // or read from here
    bool optional = false;
    bool test_only = false;
  };
  // The value, without the cost of reading the attribute itself.
  virtual Datum resolve(Frame& frame) const = 0;
  virtual void qualify(const Qualifier& qualifier) = 0;
};
using AttributePtr = std::shared_ptr<Attribute>;

struct Planned {
  StepPtr step;
  AttributePtr attribute;  // the same, if it is one
};

// The error is one that a constant part of the tree always has.
Result<StepPtr> make_steps(const Ast& ast, std::size_t& slots);

AttributePtr make_variable(int index, std::string name);
AttributePtr make_local(std::size_t slot);
AttributePtr make_relative(StepPtr operand);
AttributePtr make_conditional(StepPtr condition, AttributePtr yes, AttributePtr no);

}  // namespace keelson::codec::cel
