#include "model/cel/device_expressions.h"

#include "codec/cel/cel.h"
#include "model/cel/library.h"

namespace keelson::model {
namespace {

using codec::cel::Environment;
using codec::cel::Estimate;
using codec::cel::Type;
using codec::cel::TypePtr;

constexpr std::int64_t kDomainMax = 63, kIdMax = 32, kDriverMax = 63, kValueMax = 64,
                       kAttributesMax = 32;
constexpr std::uint64_t kCostMax = 1'000'000;

TypePtr by_domain(const TypePtr& value) {
  const TypePtr& text = codec::cel::string_type();
  return codec::cel::map_of(text, codec::cel::map_of(text, value));
}

const Environment& device_environment() {
  static const Environment environment = [] {
    Type device;
    device.kind = Type::Kind::object;
    device.name = "kubernetes.DRADevice";
    device.fields = {{"driver", codec::cel::string_type()},
                     {"attributes", by_domain(codec::cel::dyn_type())},
                     {"capacity", by_domain(cel::quantity_type())},
                     {"allowMultipleAllocations", codec::cel::bool_type()}};
    Environment out;
    out.library = cel_library();
    out.variables = {{"device", std::make_shared<const Type>(std::move(device))}};
    return out;
  }();
  return environment;
}

// How large what an expression reads can be: the bounds of a ResourceSlice.
bool size_of(const std::vector<std::string>& path, Estimate& size) {
  if (path.size() < 2 || path[0] != "device") return false;
  const auto at_most = [&](std::int64_t n) {
    size = {0, static_cast<std::uint64_t>(n)};
    return true;
  };
  if (path[1] == "driver") return at_most(kDriverMax);
  if (path[1] == "allowMultipleAllocations") return at_most(1);
  if (path.back() == "@keys") return at_most(path.size() == 3 ? kDomainMax : kIdMax);
  return at_most(path.size() <= 3 ? kAttributesMax : kValueMax);
}

}  // namespace

DeviceExpressionProblem device_expression_problem(std::string_view expression) {
  const auto checked = codec::cel::check(expression, device_environment());
  if (!checked.ok()) return {"compilation failed: " + checked.error().message};
  const Type& type = *codec::cel::output_type(**checked);
  if (type.kind != Type::Kind::boolean && type.kind != Type::Kind::dyn)
    return {"must evaluate to bool or the unknown type, not " + codec::cel::to_text(type)};
  if (const auto program = codec::cel::plan(*checked); !program.ok())
    return {"program instantiation failed: " + program.error().message};
  if (codec::cel::estimate_cost(**checked, size_of).max > kCostMax)
    return {"too complex, exceeds cost limit", true};
  return {};
}

}  // namespace keelson::model
