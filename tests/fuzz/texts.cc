// Texts that clients send: JSON, YAML, patches, selectors, quantities. What was read once must read
// the same again after it was written.
#include "codec/cel/cel.h"
#include "codec/json.h"
#include "codec/managed_fields.h"
#include "codec/patch.h"
#include "codec/yaml.h"
#include "fuzz.h"
#include "model/cel/library.h"
#include "model/quantity.h"
#include "model/scheme.h"
#include "model/selector.h"
#include "model/types.h"

namespace keelson::fuzz {
namespace {

using codec::Value;

const model::TypeTable& types() {
  static const model::TypeTable table;
  return table;
}

void json(std::string_view input) {
  const auto read = codec::parse_json_document(input);
  if (!read.ok()) {
    expect(!read.error().message.empty(), "a refusal says why");
    return;
  }
  const std::string text = codec::to_json(read->value);
  const auto again = codec::parse_json(text);
  expect(again.ok() && *again == read->value, "JSON that was written reads the same");
  // Not the first text: Go, too, writes -0 and reads it as a 0 without sign.
  const std::string second = codec::to_json(*again);
  const auto third = codec::parse_json(second);
  expect(third.ok() && codec::to_json(*third) == second, "and is written the same from then on");
}

void yaml(std::string_view input) {
  const auto read = codec::parse_yaml(input, codec::YamlPlaces::record);
  codec::parse_yaml_parts(input);
  if (!read.ok()) return;
  const auto again = codec::parse_yaml(codec::to_yaml(read->value));
  expect(again.ok() && again->value == read->value, "YAML that was written reads the same");
}

// An object and a patch, with a line between them.
void patch(std::string_view input) {
  const std::size_t cut = input.find("\n---\n");
  const auto document = codec::parse_json(input.substr(0, cut));
  if (!document.ok() || cut == std::string_view::npos) return;
  const auto change = codec::parse_json_document(input.substr(cut + 5));
  if (!change.ok()) return;
  const codec::Type& type = *types().type("io.k8s.api.core.v1.Pod");
  const Value before = *document;
  codec::json_patch_warnings(*change);
  codec::json_patch_duplicates(*change);
  (void)codec::apply_json_patch(before, change->value);
  if (const auto merged = codec::apply_merge_patch(before, change->value); merged.ok()) {
    // Only where both are free of nulls can the difference be said at all.
    codec::merge_patch_between(before, *merged);
    codec::patched_text(*merged, before, &type);
  }
  if (const auto merged = codec::apply_strategic_patch(before, change->value, type); merged.ok())
    codec::conversion_problem(*merged, type);
  expect(before == *document, "a patch leaves the object alone");
}

// A stored object and what a client applies to it, with a line between them; managedFields may
// stand in both.
void apply(std::string_view input) {
  const std::size_t cut = input.find("\n---\n");
  const auto live = codec::parse_json(input.substr(0, cut));
  if (!live.ok() || cut == std::string_view::npos || !live->is_object()) return;
  const auto configuration = codec::parse_json(input.substr(cut + 5));
  if (!configuration.ok() || !configuration->is_object()) return;
  const codec::Ownership ownership{
      .api_version = "v1", .kind = "Pod", .type = types().type("io.k8s.api.core.v1.Pod")};
  (void)codec::managed_fields_problem((*live)["metadata"]["managedFields"]);
  const Instant now = Instant::unix_seconds(1'767'225'600);
  const Value before = *live;
  for (const bool force : {false, true}) {
    const auto applied =
        codec::apply_configuration(ownership, *live, *configuration, "someone", force, now);
    if (!applied.ok()) continue;
    const Value once = codec::track_update(ownership, *live, *applied, "other", now);
    const auto again =
        codec::apply_configuration(ownership, *applied, *configuration, "someone", force, now);
    expect(again.ok() || !force, "what was applied by force can be applied again");
    (void)codec::without_new_times(*live, once);
  }
  expect(before == *live, "applying leaves the object alone");
}

// Everything that happens to the body of a request before admission.
void object(std::string_view input) {
  const auto document = codec::parse_json_document(input);
  if (!document.ok()) return;
  for (std::string_view name : {"pods", "services", "deployments.apps", "jobs.batch",
                                "customresourcedefinitions.apiextensions.k8s.io"}) {
    const model::ResourcePointer resource = types().storage(name);
    auto decoded = model::decode(*resource, *document, model::FieldValidation::warn, input);
    if (!decoded.ok()) continue;
    Value& body = decoded->object;
    model::apply_defaults(*resource, body);
    model::take_internal_form(*resource, body);
    const Value once = body;
    model::apply_defaults(*resource, body);
    expect(body == once, "defaults are given once");
    model::prepare_create(*resource, body, Instant::unix_seconds(1));
    model::validate_create(*resource, body);
    model::validate_update(*resource, body, once);
    model::take_stored_form(*resource, body);
    const auto again = model::decode_value(*resource, body, model::FieldValidation::ignore);
    expect(again.ok(), "what is stored can be read");
  }
}

void selector(std::string_view input) {
  const Value labels = Value::object({{"app", "web"}, {"n", "5"}});
  if (const auto read = model::LabelSelector::parse(input); read.ok()) {
    const auto again = model::LabelSelector::parse(read->text());
    expect(again.ok() && again->text() == read->text(), "a selector's text is a selector");
    expect(again->matches(labels) == read->matches(labels), "that selects the same");
  }
  (void)model::parse_field_selector(input);
  if (const auto value = codec::parse_json(input); value.ok())
    (void)model::LabelSelector::of(*value);
}

void quantity(std::string_view input) {
  const auto read = model::Quantity::parse(input);
  const auto served = model::Quantity::served_text(input);
  if (!read) return;
  const std::string text = read->text();
  const auto again = model::Quantity::parse(text);
  expect(again.has_value() && again->text() == text, "a quantity's text is a quantity");
  if (served.ok()) {
    const auto back = model::Quantity::parse(*served);
    expect(back.has_value(), "what is served is a quantity");
  }
  (void)(*read + *again);
  (void)(*read - *again);
}

// What an expression costs and gives is the same every time, and the object stays as it is.
void cel(std::string_view input) {
  using namespace codec::cel;
  static const Value object = *codec::parse_json(
      R"({"a": [1, 2.5, "x", null], "m": {"k": "v", "n": {"b": true}}, "s": "10.0.0.1/8"})");
  static const Environment environment{model::cel_library(),
                                       {{"object", dyn_type()}, {"s", string_type()}}};
  const auto checked = check(input, environment);
  if (!checked.ok()) {
    expect(!checked.error().message.empty(), "a refusal says why");
    return;
  }
  (void)estimate_cost(**checked, [](const auto&, Estimate&) { return false; });
  const auto program = plan(*checked);
  if (!program.ok()) return;
  std::string said[2];
  std::uint64_t costs[2] = {};
  for (int round = 0; round < 2; ++round) {
    Budget budget;
    budget.call_max = 100'000;
    const Datum result = program->evaluate({view(object), Datum::string("1Gi")}, budget);
    costs[round] = budget.used;
    Value out;
    if (result.is_error())
      said[round] = result.text();
    else if (to_json(result, out))
      said[round] = codec::to_json(out);
  }
  expect(said[0] == said[1] && costs[0] == costs[1], "an expression gives the same again");
}

}  // namespace

std::vector<Target> text_targets() {
  return {
      {"json", json, {"null", "true", "1e308", "\\ud83d", "\\u0000", "[", "{\"a\":", "-0", "1E-7"}},
      {"yaml", yaml, {"---\n",     "- ", ": ",        "&a ", "*a",  "<<: ", "|2\n",
                      ">-\n",      "? ", "!!binary ", "0o7", "~",   "{",    "['",
                      "\"\\x41\"", "\t", "#",         "yes", "010", ".inf", "%YAML 1.1\n"}},
      {"patch",
       patch,
       {"\n---\n", "{\"$patch\":\"delete\"}", "\"$setElementOrder/containers\":",
        "\"$deleteFromPrimitiveList/finalizers\":", "\"$retainKeys\":", "\"op\":\"move\"",
        "\"path\":\"/spec/-\"", "\"from\":\"\"", "~1", "null", "\"name\":\"c\""}},
      {"apply",
       apply,
       {"\n---\n", "\"managedFields\":[{\"manager\":\"m\",\"operation\":\"Apply\",",
        "\"fieldsV1\":{", "\"f:spec\":{", "\"k:{\\\"name\\\":\\\"c\\\"}\":{", "\".\":{}",
        "\"v:1\":{}", "\"i:0\":{}", "\"fieldsType\":\"FieldsV1\"", "\"apiVersion\":\"v1\"", "null",
        "[]", "\"name\":\"c\"", "\"containers\":["}},
      {"object",
       object,
       {"\"spec\":{", "\"template\":{", "\"containers\":[{", "\"ports\":[{\"port\":1}]", "null",
        "\"metadata\":{", "[]", "{}", "\"1Gi\"", "\"10.0.0.1\"", "\"selector\":{\"matchLabels\":{",
        "\"volumes\":[{\"name\":\"v\",", "\"openAPIV3Schema\":{\"type\":\"object\"", "\"items\":{",
        "-1", "\"$ref\":"}},
      {"selector", selector, {" in (", " notin (", ")", ",", "!", "!=", "==", ">", "\\,", "app"}},
      {"quantity", quantity, {"Ki", "Mi", "Ei", "m", "u", "n", "k", "E", "e9", "E-3", ".", "+"}},
      {"cel",
       cel,
       {"object.a",
        ".map(x, ",
        ".all(",
        ".exists(i, v, ",
        "has(",
        "[?",
        ".?",
        "orValue(",
        " ? ",
        " : ",
        "&&",
        "||",
        " in ",
        "dyn(",
        "int(",
        "quantity(",
        "duration('1h')",
        "timestamp(",
        ".matches('",
        ".format([",
        "b'\\x00'",
        "r\"",
        "\"\"\"",
        "1u",
        "0x7f",
        "-9223372036854775808",
        "1e308",
        "cidr(",
        "optional.of(",
        ".split(",
        ".replace(",
        "sets.",
        "lists.range(",
        "math."}},
  };
}

}  // namespace keelson::fuzz
