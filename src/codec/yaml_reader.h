// One document of YAML into a value: the inside of yaml.h, whose functions word what goes wrong.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "codec/yaml.h"

namespace keelson::codec {

// The phases of the original, in its order: a problem of an earlier one hides those of later ones.
enum class YamlPhase : std::uint8_t { parse, decode, convert, encode };

struct YamlProblem {
  YamlPhase phase = YamlPhase::parse;
  std::string text;       // with the original's line
  std::string text_bare;  // without
  YamlPosition at;        // the true position
};

// `out` is only of use if there is no problem.
std::optional<YamlProblem> read_yaml(std::string_view text, YamlPlaces places, YamlDocument& out);

}  // namespace keelson::codec
