// Unknown members are refused: a typing error in a model must not pass as "costs nothing".
#include "node/stand_in/model.h"

#include <cstdlib>

#include "model/quantity.h"

namespace keelson::node {
namespace {

Error wrong(std::string_view member, std::string_view what) {
  return {Reason::invalid, std::string(member) + ": must be " + std::string(what)};
}

Result<Duration> duration_of(std::string_view member, const codec::Value& value) {
  const auto duration = parse_duration(value.as_string());
  if (!duration || *duration < Duration()) return wrong(member, "a duration such as 15ms");
  return *duration;
}

Result<model::Quantity> quantity_of(std::string_view member, const codec::Value& value) {
  const auto quantity = value.is_number() ? std::optional(model::Quantity::of(value))
                                          : model::Quantity::parse(value.as_string());
  if (!quantity || *quantity < model::Quantity()) return wrong(member, "a quantity such as 64Mi");
  return *quantity;
}

}  // namespace

Result<StandInModel> parse_model(const codec::Value& value) {
  StandInModel model;
  for (const codec::Member& member : value.members()) {
    const std::string_view key = member.key();
    if (key == "cpuPerRequest") {
      TRY(model.cpu_per_request, duration_of(key, member.value));
    } else if (key == "latency") {
      TRY(model.latency, duration_of(key, member.value));
    } else if (key == "jitter") {
      TRY(model.jitter, duration_of(key, member.value));
    } else if (key == "startUp") {
      TRY(model.start_up, duration_of(key, member.value));
    } else if (key == "memory") {
      TRY(const model::Quantity bytes, quantity_of(key, member.value));
      model.memory = bytes.value();
    } else if (key == "memoryPerRequest") {
      TRY(const model::Quantity bytes, quantity_of(key, member.value));
      model.memory_per_request = bytes.value();
    } else if (key == "cpu") {
      TRY(const model::Quantity cores, quantity_of(key, member.value));
      model.cpu_milli = cores.milli_value();
    } else if (key == "errorRate") {
      TRY(const model::Quantity rate, quantity_of(key, member.value));
      model.error_rate = rate.to_double();
      if (model.error_rate > 1) return wrong(key, "a share between 0 and 1");
    } else {
      return Error{Reason::invalid, std::string(key) + ": unknown member of a stand-in's model"};
    }
  }
  return model;
}

}  // namespace keelson::node
