// Rules are few and asked seldom; nothing is cached.
#include "node/stand_in_rules.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "codec/json.h"
#include "codec/texts.h"
#include "model/meta.h"
#include "model/quantity.h"

namespace keelson::node {
namespace {

Image program_image(const Value& program) {
  Image image;
  image.kind = Image::Kind::program_stand_in;
  image.entrypoint = codec::texts_of(program["command"]);
  image.command = codec::texts_of(program["args"]);
  image.working_directory = program["workingDir"].str();
  for (const Value& variable : program["env"].elements())
    image.environment.push_back(variable["name"].str() + "=" + variable["value"].str());
  return image;
}

}  // namespace

std::optional<std::string> full_image_name(std::string_view image) {
  if (image.empty()) return std::nullopt;
  for (const char c : image)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 &&
        std::string_view("._-/:@").find(c) == std::string_view::npos)
      return std::nullopt;
  std::string name(image);
  const std::size_t slash = name.find('/');
  const std::string first = name.substr(0, slash);
  const bool has_host = slash != std::string::npos &&
                        (first.find_first_of(".:") != std::string::npos || first == "localhost");
  if (!has_host)
    name = slash == std::string::npos ? "docker.io/library/" + name : "docker.io/" + name;
  const std::string last = name.substr(name.rfind('/') + 1);
  for (const char c : last.substr(0, last.find_first_of(":@")))
    if (std::isupper(static_cast<unsigned char>(c)) != 0) return std::nullopt;
  if (last.find_first_of(":@") == std::string::npos) name += ":latest";
  return name;
}

bool matches_glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || (pattern[p] == text[t] && pattern[p] != '*'))) {
      p++;
      t++;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') p++;
  return p == pattern.size();
}

std::optional<Image> stand_in_for(const std::vector<Value>& platforms, std::string_view image) {
  const std::string full = full_image_name(image).value_or(std::string(image));
  for (const Value& platform : platforms) {
    for (const Value& rule : platform["spec"]["standIns"].elements()) {
      const std::string_view glob = rule["image"].as_string();
      if (!matches_glob(glob, image) && !matches_glob(glob, full)) continue;
      Image found;
      if (rule.has("program")) {
        found = program_image(rule["program"]);
      } else {
        found.kind = Image::Kind::builtin_stand_in;
        found.model = rule["builtin"].is_object() ? rule["builtin"] : Value::object();
        if (found.model["model"].is_object()) found.model = found.model["model"];
      }
      found.rule = std::string(glob);
      found.name = std::string(image);
      found.id = (rule.has("program") ? "stand-in:program:" : "stand-in:builtin:") + found.rule;
      return found;
    }
  }
  return std::nullopt;
}

Value effective_model(const Value& pod, const Value& rule_model) {
  Value model = rule_model.is_object() ? rule_model : Value::object();
  const std::string_view text = model::annotation_of(pod, kModelAnnotation);
  if (text.empty()) return model;
  if (const auto parsed = codec::parse_json(text); parsed.ok())
    for (const codec::Member& member : parsed->members()) model.set(member.key(), member.value);
  return model;
}

std::string stand_in_notice(const Image& image) {
  const bool program = image.kind == Image::Kind::program_stand_in;
  return "Image " + quote(image.name) + " is not run: " +
         (program
              ? "the program " + quote(image.entrypoint.empty() ? "" : image.entrypoint.front()) +
                    " of this machine stands in for it"
              : std::string("the built-in stand-in takes its place")) +
         " (rule " + quote(image.rule) + ")";
}

Scale scale_of(const std::vector<Value>& platforms) {
  Scale scale;
  for (const Value& platform : platforms) {
    const Value& declared = platform["spec"]["scale"];
    const auto read = [&](std::string_view name, std::int64_t fallback) {
      const std::int64_t n = model::Quantity::of(declared[name]).value();
      return n >= 1 ? n : fallback;
    };
    scale.cpu = std::max(scale.cpu, read("cpu", 1));
    scale.memory = std::max(scale.memory, read("memory", 1));
  }
  return scale;
}

}  // namespace keelson::node
