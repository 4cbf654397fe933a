// Which images are replaced, and by what: the rules of Platform objects. Pure.
//   spec.standIns: [{image: GLOB, builtin: {MODEL}} | {image: GLOB, program: {command, args, env}}]
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/images.h"

namespace keelson::node {

// "nginx" -> "docker.io/library/nginx:latest"; nullopt if the text is no image reference.
std::optional<std::string> full_image_name(std::string_view image);

// '*' matches anything, '/' too; '?' one character.
bool matches_glob(std::string_view pattern, std::string_view text);

// The first rule of the platforms, in their order, whose glob matches the image as written or by
// its full name. A rule stands before an image that is really there: it was declared.
std::optional<Image> stand_in_for(const std::vector<Value>& platforms, std::string_view image);

// The model of a pod's built-in stand-in: the rule's, with members replaced by those of the pod's
// annotation keelson.dev/stand-in-model (JSON).
inline constexpr std::string_view kModelAnnotation = "keelson.dev/stand-in-model";
Value effective_model(const Value& pod, const Value& rule_model);

// The text of the event StandIn.
std::string stand_in_notice(const Image& image);

// spec.scale of the platforms: 1 where none declares one.
struct Scale {
  std::int64_t cpu = 1, memory = 1;
};
Scale scale_of(const std::vector<Value>& platforms);

}  // namespace keelson::node
