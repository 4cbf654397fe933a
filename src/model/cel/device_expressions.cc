#include "model/cel/device_expressions.h"

#include <map>
#include <mutex>

#include "codec/cel/cel.h"
#include "model/cel/library.h"
#include "model/custom/rule_types.h"

namespace keelson::model {

namespace {

using codec::Value;
using codec::cel::Datum;
using codec::cel::Map;
using codec::cel::Type;
using codec::cel::TypePtr;

constexpr std::uint64_t kCostMax = 1'000'000;
constexpr std::int64_t kNamesMax = 32;
constexpr std::size_t kKept = 1024;

TypePtr sized(const TypePtr& type, std::int64_t elements_max) {
  Type copy = *type;
  copy.elements_max = elements_max;
  return std::make_shared<const Type>(std::move(copy));
}

const TypePtr& device_type() {
  static const TypePtr type = [] {
    const TypePtr domain = sized(codec::cel::string_type(), 63),
                  name = sized(codec::cel::string_type(), 32);
    Type any = *codec::cel::dyn_type();
    any.name = "any";
    any.elements_max = 64;
    const TypePtr attributes = codec::cel::map_of(
        domain, codec::cel::map_of(name, std::make_shared<const Type>(any), kNamesMax), kNamesMax);
    const TypePtr capacities = codec::cel::map_of(
        domain, codec::cel::map_of(name, cel::quantity_type(), kNamesMax), kNamesMax);
    Type device;
    device.kind = Type::Kind::object;
    device.name = "kubernetes.DRADevice";
    device.fields = {{"driver", sized(codec::cel::string_type(), 63)},
                     {"allowMultipleAllocations", codec::cel::bool_type()},
                     {"attributes", attributes},
                     {"capacity", capacities}};
    return std::make_shared<const Type>(std::move(device));
  }();
  return type;
}

// A domain that the device says nothing about is empty when it is read, but not `in` the map.
class ByDomain final : public Map {
 public:
  explicit ByDomain(std::map<std::string, std::vector<std::pair<Datum, Datum>>> domains) {
    for (auto& [domain, entries] : domains)
      domains_.emplace(domain, Datum::map(std::move(entries)));
  }
  std::size_t size() const override { return domains_.size(); }
  std::vector<Datum> keys() const override {
    std::vector<Datum> keys;
    for (const auto& [domain, entries] : domains_) keys.push_back(Datum::string(domain));
    return keys;
  }
  bool find(const Datum& key, Datum& value) const override {
    if (!key.is_string()) return false;
    const auto it = domains_.find(std::string(key.text()));
    value = it == domains_.end() ? Datum::map(std::vector<std::pair<Datum, Datum>>{}) : it->second;
    return true;
  }
  bool contains(const Datum& key) const override {
    return key.is_string() && domains_.contains(std::string(key.text()));
  }

 private:
  std::map<std::string, Datum> domains_;
};

Datum attribute_value(const Value& attribute) {
  for (const char* kind : {"int", "bool", "string"})
    if (attribute.has(kind)) return codec::cel::view(attribute[kind]);
  if (attribute.has("version")) return cel::version_datum(attribute["version"].as_string());
  return Datum::error("unsupported attribute value");
}

// By domain, then by name. A name without a domain belongs to the driver's.
Datum by_domain(const Value& entries, std::string_view driver, bool capacity) {
  std::map<std::string, std::vector<std::pair<Datum, Datum>>> domains;
  for (const codec::Member& member : entries.members()) {
    const std::string_view key = member.key();
    const std::size_t slash = key.find('/');
    const bool plain = slash == std::string_view::npos;
    Datum value = capacity ? cel::quantity_datum(member.value["value"].as_string())
                           : attribute_value(member.value);
    domains[std::string(plain ? driver : key.substr(0, slash))].emplace_back(
        Datum::string(plain ? key : key.substr(slash + 1)), std::move(value));
  }
  return Datum::map(std::make_shared<ByDomain>(std::move(domains)));
}

}  // namespace

DeviceExpression::DeviceExpression(std::string_view text) {
  const codec::cel::Environment environment{cel_library(), {{"device", device_type()}}};
  const auto checked = codec::cel::check(text, environment);
  if (!checked.ok()) {
    error_ = "compilation failed: " + checked.error().message;
    return;
  }
  const Type& result = *codec::cel::output_type(**checked);
  if (result.kind != Type::Kind::boolean && result.name != "any") {
    error_ = "must evaluate to bool or the unknown type, not " + result.name;
    return;
  }
  auto program = codec::cel::plan(*checked);
  if (!program.ok()) {
    error_ = "program instantiation failed: " + program.error().message;
    return;
  }
  too_complex_ = codec::cel::estimate_cost(**checked, size_hint(device_type())).max > kCostMax;
  program_ = std::make_shared<const codec::cel::Program>(std::move(*program));
}

Result<bool> DeviceExpression::matches(std::string_view driver, const Value& device) const {
  if (!program_) return Error{.reason = Reason::bad_request, .message = error_};
  Datum view =
      Datum::map({{Datum::string("driver"), Datum::string(driver)},
                  {Datum::string("allowMultipleAllocations"),
                   Datum::boolean(device["allowMultipleAllocations"].as_bool())},
                  {Datum::string("attributes"), by_domain(device["attributes"], driver, false)},
                  {Datum::string("capacity"), by_domain(device["capacity"], driver, true)}});
  codec::cel::Budget budget;
  budget.call_max = kCostMax;
  const Datum result = program_->evaluate({std::move(view)}, budget);
  if (result.is_bool()) return result.as_bool();
  if (result.is_error())
    return Error{.reason = Reason::internal_error, .message = std::string(result.text())};
  return Error{.reason = Reason::internal_error,
               .message = "must evaluate to bool, got " + std::string(result.type_name())};
}

std::shared_ptr<const DeviceExpression> device_expression(std::string_view text) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const DeviceExpression>, std::less<>> kept;
  const std::lock_guard lock(mutex);
  const auto it = kept.find(text);
  if (it != kept.end()) return it->second;
  if (kept.size() >= kKept) kept.clear();
  auto made = std::make_shared<const DeviceExpression>(text);
  kept.emplace(std::string(text), made);
  return made;
}

}  // namespace keelson::model
