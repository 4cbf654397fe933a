#include "app/engine_report.h"

namespace keelson::app {
namespace {

using codec::Value;

Value list_of(const std::vector<std::string>& lines) {
  Value list = Value::array();
  for (const std::string& line : lines) list.push_back(line);
  return list;
}

}  // namespace

Value report_object(const std::string& name, const EngineReport& report) {
  return Value::object({{"apiVersion", std::string(kEngineGroup) + "/v1alpha1"},
                        {"kind", "Engine"},
                        {"metadata", Value::object({{"name", name}})},
                        {"status", Value::object({{"losses", list_of(report.losses)},
                                                  {"problems", list_of(report.problems)}})}});
}

api::ComputedGroup report_group(std::string name, std::function<EngineReport()> report) {
  api::ComputedResource engines{.plural = "engines", .singular = "engine", .kind = "Engine"};
  engines.list = [name = std::move(name), report = std::move(report)](std::string_view) {
    return std::vector<Value>{report_object(name, report())};
  };
  return {.group = kEngineGroup, .version = "v1alpha1", .resources = {std::move(engines)}};
}

}  // namespace keelson::app
