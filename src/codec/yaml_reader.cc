// Values are built straight from libyaml's events. The original parses a whole document into nodes,
// then decodes these, then converts the result to JSON, and stops at the first phase that fails;
// here all happens in one pass, so problems of the later phases are kept until the document ends.
#include "codec/yaml_reader.h"

#include <yaml.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "base/text.h"
#include "codec/json.h"
#include "codec/yaml_scalar.h"

namespace keelson::codec {
namespace {

constexpr int kDepthMax = 1'000;
constexpr std::string_view kTagPrefix = "tag:yaml.org,2002:";

class Event {
 public:
  Event() = default;
  ~Event() { clear(); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void clear() {
    if (raw.type != YAML_NO_EVENT) yaml_event_delete(&raw);
    raw.type = YAML_NO_EVENT;
  }
  YamlPosition at() const {
    return {static_cast<int>(raw.start_mark.line) + 1, static_cast<int>(raw.start_mark.column) + 1};
  }
  yaml_event_t raw{};
};

std::string_view text_of(const yaml_char_t* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

// What an alias stands for. `weight` counts the steps that decoding it takes.
struct Anchor {
  Value value;
  YamlPlace place;
  std::int64_t weight = 0;
  bool complete = false, mapping = false;
};

// Go's %#v, as far as it can reach a message.
std::string go_syntax(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null: return "interface {}(nil)";
    case Value::Kind::string: return quote(value.as_string());
    case Value::Kind::array: {
      std::string out = "[]interface {}{";
      for (const Value& element : value.elements())
        out += (out.back() == '{' ? "" : ", ") + go_syntax(element);
      return out + "}";
    }
    case Value::Kind::object: {
      std::string out = "map[interface {}]interface {}{";
      for (const Member& m : value.members())
        out += (out.back() == '{' ? "" : ", ") + quote(m.key()) + ":" + go_syntax(m.value);
      return out + "}";
    }
    default: return to_json(value);
  }
}

class Reader {
 public:
  Reader(std::string_view text, YamlPlaces places) : places_(places) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
  }
  ~Reader() { yaml_parser_delete(&parser_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // False: see problem().
  bool read(YamlDocument& out) {
    if (!next()) return false;  // the stream begins
    if (!next()) return false;  // a document begins, or the end
    if (event_.raw.type == YAML_STREAM_END_EVENT) return true;
    if (!next()) return false;
    out.places.at = event_.at();
    if (!node(out.value, out.places)) return false;
    if (!next()) return false;  // the document ends
    out.duplicates = std::move(duplicates_);
    return !problem_;
  }
  const YamlProblem& problem() const { return *problem_; }

 private:
  bool next() {
    event_.clear();
    if (yaml_parser_parse(&parser_, &event_.raw) != 0) return true;
    event_.raw.type = YAML_NO_EVENT;
    // The original counts lines from 0 but for the scanner's errors, and takes 0 for "none".
    std::size_t line = parser_.problem_mark.line;
    if (line != 0)
      line += parser_.error == YAML_SCANNER_ERROR ? 1 : 0;
    else
      line = parser_.context_mark.line;
    const std::string text = parser_.problem != nullptr ? parser_.problem : "unknown problem";
    problem_ = YamlProblem{
        .phase = YamlPhase::parse,
        .text = (line == 0 ? "" : "line " + std::to_string(line) + ": ") + text,
        .text_bare = text,
        .at = {static_cast<int>(parser_.problem_mark.line) + 1,
               static_cast<int>(parser_.problem_mark.column) + 1},
    };
    return false;
  }

  // Notes a problem of this phase unless an earlier phase has one; parsing goes on, because a
  // problem of the parser further down would come first.
  void note(YamlPhase phase, std::string text, YamlPosition at) {
    if (problem_ && problem_->phase <= phase) return;
    problem_ = YamlProblem{.phase = phase, .text = text, .text_bare = text, .at = at};
  }
  bool stop(std::string text, YamlPosition at) {
    problem_ = YamlProblem{.phase = YamlPhase::parse, .text = text, .text_bare = text, .at = at};
    return false;
  }

  // Reads the node that the current event begins.
  bool node(Value& out, YamlPlace& place) {
    ++steps_;
    switch (event_.raw.type) {
      case YAML_ALIAS_EVENT: return alias(out, place);
      case YAML_SCALAR_EVENT: {
        const std::string anchor(text_of(event_.raw.data.scalar.anchor));
        out = scalar();
        if (!anchor.empty()) anchors_[anchor] = {out, place, 1, true, false};
        return true;
      }
      case YAML_SEQUENCE_START_EVENT:
        return nested(out, place, text_of(event_.raw.data.sequence_start.anchor), false);
      default: return nested(out, place, text_of(event_.raw.data.mapping_start.anchor), true);
    }
  }

  bool nested(Value& out, YamlPlace& place, std::string_view anchor_view, bool mapping_here) {
    const std::string anchor(anchor_view);
    if (++depth_ > kDepthMax)
      return stop("exceeded max depth of " + std::to_string(kDepthMax), event_.at());
    if (!anchor.empty()) anchors_[anchor] = Anchor{};
    const std::int64_t before = steps_;
    if (!(mapping_here ? mapping(out, place) : sequence(out, place))) return false;
    --depth_;
    if (!anchor.empty()) {
      Anchor& known = anchors_[anchor];
      known = {out, places_ == YamlPlaces::record ? place : YamlPlace{}, steps_ - before + 1, true,
               mapping_here};
    }
    return true;
  }

  bool alias(Value& out, YamlPlace& place) {
    const std::string name(text_of(event_.raw.data.alias.anchor));
    const auto known = anchors_.find(name);
    if (known == anchors_.end())
      return stop("unknown anchor '" + name + "' referenced", event_.at());
    if (!known->second.complete) {
      note(YamlPhase::decode, "anchor '" + name + "' value contains itself", event_.at());
      return true;
    }
    steps_ += known->second.weight;
    steps_aliased_ += known->second.weight;
    if (steps_aliased_ > 100 && steps_ > 1'000 && too_many_aliases())
      return stop("document contains excessive aliasing", event_.at());
    out = known->second.value;
    place.sequence = known->second.place.sequence;
    place.children = known->second.place.children;
    alias_is_mapping_ = known->second.mapping;
    return true;
  }

  // The original's guard: small documents may come to 99 % from aliases, very large ones to 10 %.
  bool too_many_aliases() const {
    constexpr std::int64_t low = 400'000, high = 4'000'000;
    const std::int64_t capped = std::clamp(steps_, low, high);
    const double allowed =
        0.99 - 0.89 * (static_cast<double>(capped - low) / static_cast<double>(high - low));
    return static_cast<double>(steps_aliased_) / static_cast<double>(steps_) > allowed;
  }

  bool sequence(Value& out, YamlPlace& place) {
    place.sequence = true;
    Array elements;
    while (true) {
      if (!next()) return false;
      if (event_.raw.type == YAML_SEQUENCE_END_EVENT) break;
      YamlPlace unused;
      YamlPlace& element = places_ == YamlPlaces::record ? place.children.emplace_back() : unused;
      element.at = event_.at();
      elements.emplace_back();
      if (!node(elements.back(), element)) return false;
    }
    out = Value(std::move(elements));
    return true;
  }

  bool mapping(Value& out, YamlPlace& place) {
    Members members;
    while (true) {
      if (!next()) return false;
      if (event_.raw.type == YAML_MAPPING_END_EVENT) break;
      const YamlPosition at = event_.at();
      std::string key;
      Key kind = Key::merge;
      if (!merges() && !read_key(key, kind)) return false;
      if (!next()) return false;
      YamlPlace member{.key = key, .at = at};
      const YamlPosition value_at = event_.at();
      const bool is_sequence = event_.raw.type == YAML_SEQUENCE_START_EVENT;
      alias_is_mapping_ = event_.raw.type == YAML_MAPPING_START_EVENT;
      Value value;
      if (!node(value, member)) return false;
      if (kind == Key::merge)
        merge(members, value, member, is_sequence, value_at);
      else if (kind == Key::text)
        put(members, key, std::move(value), std::move(member), value_at);
      else if (kind == Key::null)
        note(YamlPhase::convert,
             "unsupported map key of type: %!s(<nil>), key: <nil>, value: " +
                 (value.is_null() ? "<nil>" : go_syntax(value)),
             at);
    }
    out = members.take();
    place.children = std::move(members.places);
    return true;
  }

  // The members of a mapping while it is read; the index is only built for large ones.
  struct Members {
    std::vector<Member> list;
    std::vector<YamlPlace> places;
    std::map<std::string, std::size_t, std::less<>> index;

    std::optional<std::size_t> find(std::string_view key) {
      if (list.size() < 16) {
        for (std::size_t i = 0; i < list.size(); ++i)
          if (list[i].key() == key) return i;
        return std::nullopt;
      }
      for (std::size_t i = index.size(); i < list.size(); ++i)
        index.emplace(std::string(list[i].key()), i);
      const auto found = index.find(key);
      if (found == index.end()) return std::nullopt;
      return found->second;
    }
    Value take() { return Value::object_of(std::move(list)); }
  };

  void put(Members& members, std::string_view key, Value value, YamlPlace place, YamlPosition at) {
    const bool recording = places_ == YamlPlaces::record;
    if (const auto known = members.find(key)) {
      duplicates_.push_back("line " + std::to_string(at.line) + ": key " + quote(key) +
                            " already set in map");
      members.list[*known].value = std::move(value);
      if (recording) members.places[*known] = std::move(place);
      return;
    }
    members.list.push_back(Member{Value(key), std::move(value)});
    if (recording) members.places.push_back(std::move(place));
  }

  bool merges() const {
    if (event_.raw.type != YAML_SCALAR_EVENT) return false;
    const auto& scalar = event_.raw.data.scalar;
    return text_of(scalar.value) == "<<" &&
           (scalar.plain_implicit != 0 || text_of(scalar.tag) == "tag:yaml.org,2002:merge");
  }

  void merge(Members& members, const Value& value, YamlPlace& place, bool is_sequence,
             YamlPosition at) {
    const auto take_all = [&](const Value& from, const YamlPlace& places) {
      for (std::size_t i = 0; i < from.members().size(); ++i) {
        const Member& m = from.members()[i];
        YamlPlace member{.key = std::string(m.key()), .at = at};
        for (const YamlPlace& child : places.children)
          if (child.key == m.key()) member = child;
        put(members, m.key(), m.value, std::move(member), at);
      }
    };
    const auto refuse = [&] {
      note(YamlPhase::decode, "map merge requires map or sequence of maps as the value", at);
    };
    if (!is_sequence) {
      if (!value.is_object() || !alias_is_mapping_) return refuse();
      return take_all(value, place);
    }
    // From the last: earlier ones take precedence.
    for (std::size_t i = value.size(); i-- > 0;) {
      if (!value[i].is_object()) return refuse();
      take_all(value[i], i < place.children.size() ? place.children[i] : YamlPlace{});
    }
  }

  enum class Key : std::uint8_t { text, merge, null, unusable };

  // A key becomes text as the original's conversion to JSON makes it.
  bool read_key(std::string& key, Key& kind) {
    const YamlPosition at = event_.at();
    Value value;
    YamlPlace unused;
    if (!node(value, unused)) return false;
    kind = Key::text;
    switch (value.kind()) {
      case Value::Kind::null: kind = Key::null; break;
      case Value::Kind::boolean: key = value.as_bool() ? "true" : "false"; break;
      case Value::Kind::integer: key = std::to_string(value.as_int()); break;
      case Value::Kind::number: key = number_text(value.as_double(), 32); break;
      case Value::Kind::string: key = value.as_string(); break;
      default:
        kind = Key::unusable;
        note(YamlPhase::decode, "invalid map key: " + go_syntax(value), at);
    }
    return true;
  }

  Value scalar() {
    const auto& raw = event_.raw.data.scalar;
    const std::string_view text(reinterpret_cast<const char*>(raw.value), raw.length);
    const std::string_view tag = text_of(raw.tag);
    if (tag.empty()) {
      if (raw.plain_implicit == 0) return Value(text);
      return of_scalar(resolve_yaml_scalar(text), text);
    }
    if (tag.substr(0, kTagPrefix.size()) != kTagPrefix) return Value(text);
    return tagged(tag.substr(kTagPrefix.size()), text);
  }

  Value tagged(std::string_view tag, std::string_view text) {
    using Kind = YamlScalar::Kind;
    if (tag == "binary") {
      const auto bytes = from_base64(text);
      if (!bytes)
        note(YamlPhase::decode, "!!binary value contains invalid base64 data", event_.at());
      return Value(bytes.value_or(""));
    }
    const bool known =
        tag == "bool" || tag == "int" || tag == "float" || tag == "null" || tag == "timestamp";
    if (!known) return Value(text);
    YamlScalar scalar = resolve_yaml_scalar(text, tag == "timestamp");
    const auto name = [&]() -> std::string_view {
      switch (scalar.kind) {
        case Kind::text: return "str";
        case Kind::null: return "null";
        case Kind::boolean: return "bool";
        case Kind::integer:
        case Kind::unsigned_integer: return "int";
        case Kind::number: return "float";
        case Kind::time: return "timestamp";
      }
      return "";
    }();
    const bool widened = tag == "float" && scalar.kind == Kind::integer;
    if (name != tag && !widened) {
      note(YamlPhase::decode,
           "cannot decode !!" + std::string(name) + " `" + std::string(text) + "` as a !!" +
               std::string(tag),
           event_.at());
    }
    return of_scalar(scalar, text);
  }

  Value of_scalar(const YamlScalar& scalar, std::string_view text) {
    using Kind = YamlScalar::Kind;
    switch (scalar.kind) {
      case Kind::null: return {};
      case Kind::boolean: return Value(scalar.boolean);
      case Kind::integer: return Value(scalar.integer);
      case Kind::unsigned_integer: return Value(static_cast<double>(scalar.unsigned_integer));
      case Kind::number: {
        const double d = scalar.number;
        if (!std::isfinite(d)) {
          note(YamlPhase::encode,
               std::string("json: unsupported value: ") + (std::isnan(d) ? "NaN"
                                                           : d < 0       ? "-Inf"
                                                                         : "+Inf"),
               event_.at());
          return {};
        }
        // JSON has one kind of number: 3.0 and 1e3 are read back as integers.
        if (d == std::trunc(d) && std::abs(d) < 9223372036854775808.0)
          return Value(static_cast<std::int64_t>(d));
        return Value(d);
      }
      default: return Value(text);
    }
  }

  yaml_parser_t parser_{};
  Event event_;
  YamlPlaces places_;
  std::map<std::string, Anchor> anchors_;
  std::vector<std::string> duplicates_;
  std::optional<YamlProblem> problem_;
  std::int64_t steps_ = 0, steps_aliased_ = 0;
  int depth_ = 0;
  bool alias_is_mapping_ = false;
};

}  // namespace

std::optional<YamlProblem> read_yaml(std::string_view text, YamlPlaces places, YamlDocument& out) {
  Reader reader(text, places);
  if (reader.read(out)) return std::nullopt;
  return reader.problem();
}

}  // namespace keelson::codec
