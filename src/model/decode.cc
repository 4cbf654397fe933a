// One walk over the object beside its type. Normal form is what the original serves after a round
// trip through Go structs and protobuf: fields of the type only, no empty field unless the type
// serves it, canonical scalars.
#include <algorithm>
#include <optional>

#include "base/text.h"
#include "codec/json.h"
#include "model/custom/metadata.h"
#include "model/fields_present.h"
#include "model/go_time.h"
#include "model/json_places.h"
#include "model/meta.h"
#include "model/quantity.h"
#include "model/scheme.h"
#include "model/structural_schema.h"
#include "model/types_parse.h"

namespace keelson::model {
namespace {

using codec::Field;
using codec::Member;
using codec::Scalar;
using codec::Shape;
using codec::Type;
using codec::Value;

std::string_view scalar_name(Scalar scalar) {
  switch (scalar) {
    case Scalar::string: return "string";
    case Scalar::boolean: return "bool";
    case Scalar::int32: return "int32";
    case Scalar::int64: return "int64";
    case Scalar::float64: return "float64";
    case Scalar::bytes: return "[]uint8";
    case Scalar::quantity: return "resource.Quantity";
    case Scalar::time: return "string";
    case Scalar::micro_time: return "string";
    case Scalar::duration: return "string";
    case Scalar::int_or_string: return "int32";
  }
  return {};
}

// "v1.PodSpec", "[]v1.Container", "map[string]string".
std::string go_name(const Type& type) {
  if (!type.name.empty()) {
    const std::size_t last = type.name.rfind('.');
    return type.name.substr(type.name.rfind('.', last - 1) + 1);
  }
  switch (type.shape) {
    case Shape::list: return "[]" + go_name(*type.element.type);
    case Shape::map: {
      const Type& element = *type.element.type;
      const bool is_time = element.shape == Shape::scalar && element.scalar == Scalar::time;
      return "map[string]" + (is_time ? "v1.Time" : go_name(element));
    }
    case Shape::scalar: return std::string(scalar_name(type.scalar));
    default: return "interface {}";
  }
}

std::string_view json_name(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::boolean: return "bool";
    case Value::Kind::integer:
    case Value::Kind::number: return "number";
    case Value::Kind::string: return "string";
    case Value::Kind::array: return "array";
    case Value::Kind::object: return "object";
    case Value::Kind::null: break;
  }
  return "null";
}

Value empty_value(const Field& field);

Value empty_structure(const Type& type) {
  std::vector<Member> members;
  for (const Field& f : type.fields)
    if (f.keep_empty) members.push_back({Value(f.name), empty_value(f)});
  return Value::object_of(std::move(members));
}

Value empty_of(const Type& type) {
  if (type.shape == Shape::structure) return empty_structure(type);
  if (type.shape != Shape::scalar) return {};
  switch (type.scalar) {
    case Scalar::string: return "";
    case Scalar::boolean: return false;
    case Scalar::int32:
    case Scalar::int64:
    case Scalar::float64:
    case Scalar::int_or_string: return 0;
    case Scalar::quantity: return "0";
    case Scalar::duration: return "0s";
    case Scalar::bytes:
    case Scalar::time:
    case Scalar::micro_time: break;
  }
  return {};
}

Value empty_value(const Field& field) {
  return field.pointer ? Value() : empty_of(*field.type);
}

bool is_empty(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null: return true;
    case Value::Kind::boolean: return !value.as_bool();
    case Value::Kind::integer:
    case Value::Kind::number: return value.as_double() == 0;
    case Value::Kind::string: return value.as_string().empty();
    case Value::Kind::array:
    case Value::Kind::object: return value.empty();
  }
  return false;
}

// The normal form of a value; nothing if the value has it already, as most parts of most objects
// do: those are shared, not built anew.
using Changed = std::optional<Value>;

class Decoder {
 public:
  explicit Decoder(bool note_unknown, std::string_view source)
      : note_unknown_(note_unknown), source_(source) {}

  Changed structure(const Type& type, const Value& value) {
    const FieldsPresent present(type, value);
    std::vector<const Member*> gone;
    std::vector<Member> come;
    for (std::size_t i = 0; i < type.fields.size() && !failed_; ++i) {
      const Field& f = type.fields[i];
      const Member* member = present[i];
      if (member == nullptr && !f.keep_empty) continue;
      if (member == nullptr || member->value.is_null()) {
        if (member != nullptr) gone.push_back(member);
        if (f.keep_empty) come.push_back({Value(f.name), empty_value(f)});
        continue;
      }
      const Scope scope(*this, type, f);
      Changed decoded = decode(*f.type, member->value);
      const bool may_be_empty = f.pointer || f.type->shape == Shape::any;
      if (!may_be_empty && is_empty(decoded ? *decoded : member->value)) {
        // A struct by value is never empty for Go; most lists and maps lose an empty presence.
        const bool is_bytes = f.type->shape == Shape::scalar && f.type->scalar == Scalar::bytes;
        if (!f.keep_empty) {
          gone.push_back(member);
          continue;
        }
        if (f.type->shape != Shape::list && !is_bytes) decoded = empty_value(f);
      }
      if (!decoded) continue;
      gone.push_back(member);
      come.push_back({member->key_value, std::move(*decoded)});
    }
    if (present.known() < value.size() && !failed_) unknown(type, value, gone);
    if (gone.empty() && come.empty()) return std::nullopt;
    std::vector<Member> members;
    members.reserve(value.size() - gone.size() + come.size());
    for (const Member& member : value.members())
      if (std::find(gone.begin(), gone.end(), &member) == gone.end()) members.push_back(member);
    std::move(come.begin(), come.end(), std::back_inserter(members));
    return Value::object_of(std::move(members));
  }

  Changed decode(const Type& type, const Value& value) {
    switch (type.shape) {
      case Shape::any: return std::nullopt;
      case Shape::structure:
        if (!value.is_object()) return mismatch(type, value, empty_structure(type));
        return structure(type, value);
      case Shape::list: return list(type, value);
      case Shape::map: return map(type, value);
      case Shape::scalar: return scalar(type, value);
    }
    return std::nullopt;
  }

  bool failed() const { return failed_.has_value() || mismatch_.has_value(); }
  // A custom unmarshaller's error ends the decoding at once; a type error waits for the end.
  std::string failure() const { return failed_ ? *failed_ : *mismatch_; }
  std::vector<std::string>& unknown_paths() { return unknown_; }

 private:
  // A step on the way from the body to a value: a field, the key of a map, or an element's index.
  struct Step {
    const Field* field = nullptr;
    std::string_view key = {};
    std::size_t index = 0;
  };

  // Where errors are: Go names the innermost struct and the fields that lead there.
  class Scope {
   public:
    Scope(Decoder& decoder, const Type& type, const Field& field)
        : decoder_(decoder), structure_(decoder.structure_) {
      decoder.structure_ = &type;
      decoder.steps_.push_back({.field = &field});
    }
    ~Scope() {
      decoder_.structure_ = structure_;
      decoder_.steps_.pop_back();
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Decoder& decoder_;
    const Type* structure_;
  };

  std::string path() const {
    std::string out;
    for (const Step& step : steps_) {
      if (step.field != nullptr) {
        if (!out.empty()) out += '.';
        out += step.field->name;
      } else if (step.key.data() != nullptr) {
        out += '.' + std::string(step.key);
      } else {
        out += '[' + std::to_string(step.index) + ']';
      }
    }
    return out;
  }

  void unknown(const Type& type, const Value& value, std::vector<const Member*>& gone) {
    if (type.preserve_unknown) return;
    for (const Member& member : value.members()) {
      if (type.field(member.key()) != nullptr) continue;
      gone.push_back(&member);
      if (!note_unknown_) continue;
      const std::string here = path();
      unknown_.push_back(here.empty() ? std::string(member.key())
                                      : here + '.' + std::string(member.key()));
    }
  }

  std::string type_error(std::string_view what, std::string_view wanted) const {
    std::string text = "json: cannot unmarshal " + std::string(what) + " into Go ";
    if (structure_ == nullptr) {
      text += "value";
    } else {
      const std::string name = go_name(*structure_);
      text += "struct field " + name.substr(name.find('.') + 1);
      for (const Step& step : steps_) {
        if (step.field == nullptr) continue;
        text += '.';
        if (!step.field->embedded.empty()) text += step.field->embedded + '.';
        text += step.field->name;
      }
    }
    return text + " of type " + std::string(wanted);
  }

  Changed mismatch(const Type& type, const Value& value, Value fallback) {
    if (!mismatch_) mismatch_ = type_error(json_name(value), go_name(type));
    return fallback;
  }
  Changed mismatch_number(const Type& type, const Value& value) {
    std::string text = number_text_at(source_, path());
    if (text.empty()) text = codec::to_json(value);
    if (!mismatch_) mismatch_ = type_error("number " + text, go_name(type));
    return Value(0);
  }
  Changed fail(std::string message) {
    if (!failed_) failed_ = std::move(message);
    return Value();
  }
  Changed take(const Value& value, const Result<std::string>& served, bool empty_is_null = false) {
    if (!served) return fail(served.error().message);
    if (empty_is_null && served->empty()) return Value();
    if (value.is_string() && value.as_string() == *served) return std::nullopt;
    return Value(*served);
  }

  Changed list(const Type& type, const Value& value) {
    if (!value.is_array()) return mismatch(type, value, {});
    const Type& element = *type.element.type;
    Changed out;
    steps_.push_back({});
    for (std::size_t i = 0; i < value.size() && !failed_; ++i) {
      steps_.back().index = i;
      Changed decoded = value[i].is_null() ? empty_of(element) : decode(element, value[i]);
      if (!decoded) continue;
      if (!out) out = value;
      out->edit(i) = std::move(*decoded);
    }
    steps_.pop_back();
    return out;
  }

  Changed map(const Type& type, const Value& value) {
    if (!value.is_object()) return mismatch(type, value, {});
    const Type& element = *type.element.type;
    if (unchanged_strings(element, value)) return std::nullopt;
    Changed out;
    steps_.push_back({});
    for (const Member& member : value.members()) {
      if (failed_) break;
      steps_.back().key = member.key();
      Changed decoded = member.value.is_null() ? empty_of(element) : decode(element, member.value);
      if (!decoded) continue;
      if (!out) out = value;
      out->set(member.key(), std::move(*decoded));
    }
    steps_.pop_back();
    return out;
  }

  static bool unchanged_strings(const Type& element, const Value& value) {
    if (element.shape != Shape::scalar || element.scalar != Scalar::string) return false;
    const auto& members = value.members();
    return std::all_of(members.begin(), members.end(),
                       [](const Member& m) { return m.value.is_string(); });
  }

  Changed scalar(const Type& type, const Value& value) {
    switch (type.scalar) {
      case Scalar::string: return value.is_string() ? Changed() : mismatch(type, value, "");
      case Scalar::boolean: return value.is_bool() ? Changed() : mismatch(type, value, false);
      case Scalar::int32:
      case Scalar::int64: return integer(type, value);
      case Scalar::float64: return value.is_number() ? Changed() : mismatch(type, value, 0);
      case Scalar::bytes: return bytes(type, value);
      case Scalar::quantity:
        return take(value, Quantity::served_text(value.is_string() ? std::string(value.as_string())
                                                                   : raw_number(value)));
      case Scalar::time:
        if (!value.is_string()) return mismatch(type, value, {});
        return take(value, served_time(value.as_string()), true);
      case Scalar::micro_time:
        if (!value.is_string()) return mismatch(type, value, {});
        return take(value, served_micro_time(value.as_string()), true);
      case Scalar::duration:
        if (!value.is_string()) return mismatch(type, value, {});
        return take(value, served_duration(value.as_string()));
      case Scalar::int_or_string: return value.is_string() ? Changed() : integer(type, value);
    }
    return std::nullopt;
  }

  std::string raw_number(const Value& value) const {
    std::string text = value.is_number() ? number_text_at(source_, path()) : std::string();
    return text.empty() ? codec::to_json(value) : text;
  }

  Changed integer(const Type& type, const Value& value) {
    if (!value.is_number()) return mismatch(type, value, 0);
    const bool wide = type.scalar == Scalar::int64;
    if (value.kind() == Value::Kind::integer &&
        (wide || (value.as_int() >= INT32_MIN && value.as_int() <= INT32_MAX)))
      return std::nullopt;
    return mismatch_number(type, value);
  }

  Changed bytes(const Type& type, const Value& value) {
    if (!value.is_string()) return mismatch(type, value, {});
    std::string text;
    for (const char c : value.as_string())
      if (c != '\n' && c != '\r') text += c;
    if (const auto decoded = from_base64(text)) {
      if (to_base64(*decoded) == value.as_string()) return std::nullopt;
      return Value(to_base64(*decoded));
    }
    return fail("illegal base64 data at input byte " +
                std::to_string(base64_error(value.as_string())));
  }

  // The offset that Go's decoder reports for standard padded base64.
  static std::size_t base64_error(std::string_view text) {
    std::size_t digits = 0, at = 0;
    const auto is_alphabet = [](char c) {
      return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
             c == '+' || c == '/';
    };
    while (at < text.size()) {
      const char c = text[at];
      if (c == '\n' || c == '\r') {
        ++at;
        continue;
      }
      if (c == '=') {
        if (digits % 4 < 2) return at;
        std::size_t pad = at + 1;
        if (digits % 4 == 2) {
          while (pad < text.size() && (text[pad] == '\n' || text[pad] == '\r')) ++pad;
          if (pad == text.size()) return text.size();
          if (text[pad] != '=') return at;
          ++pad;
        }
        while (pad < text.size() && (text[pad] == '\n' || text[pad] == '\r')) ++pad;
        return pad;
      }
      if (!is_alphabet(c)) return at;
      ++digits;
      ++at;
    }
    return text.size() - digits % 4;
  }

  bool note_unknown_;
  std::string_view source_;
  const Type* structure_ = nullptr;
  std::vector<Step> steps_;
  std::optional<std::string> failed_, mismatch_;
  std::vector<std::string> unknown_;
};

struct Identity {
  std::string_view group, version, kind;
  std::string api() const {
    return group.empty() ? std::string(version) : std::string(group) + '/' + std::string(version);
  }
};

constexpr std::string_view kObjectShape =
    "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string "
    "\"json:\\\"kind,omitempty\\\"\" }";

std::string summary_of(std::string_view source) {
  constexpr std::size_t length_max = 30;
  if (source.empty()) return "<empty>";
  const bool cut = source.size() > length_max;
  const std::string_view head = source.substr(0, length_max);
  return (source.front() == '{' ? std::string(head) : to_hex(head)) + (cut ? " ..." : "");
}

Error bad(std::string message) {
  return Error{Reason::bad_request, std::move(message)};
}

// What the original says before it knows what the body is.
std::optional<Error> unrecognized(const Value& value, std::string_view kind,
                                  std::string_view source) {
  const auto error = [&](std::string_view what, std::string_view into) {
    const std::string body = source.empty() ? codec::to_json(value) : std::string(source);
    return bad("the object provided is unrecognized (must be of type " + std::string(kind) +
               "): couldn't get version/kind; json parse error: json: cannot unmarshal " +
               std::string(what) + " into Go " + std::string(into) + " (" + summary_of(body) + ")");
  };
  if (value.is_null()) return std::nullopt;
  if (!value.is_object())
    return error(json_name(value), "value of type " + std::string(kObjectShape));
  for (const char* name : {"apiVersion", "kind"})
    if (const Value& v = value[name]; !v.is_null() && !v.is_string())
      return error(json_name(v), std::string("struct field .") + name + " of type string");
  return std::nullopt;
}

// The built-in kind, or the one that a kind of lists holds; null if it is unknown.
const Resource* registered(std::string_view api, std::string_view kind) {
  const GroupVersion gv = group_version_of(api);
  for (const Resource& r : builtin_types().resources)
    if (r.group == gv.group && r.version == gv.version &&
        (r.kind == kind || (r.has_verb("list") && r.list_kind() == kind)))
      return &r;
  return nullptr;
}

// Every group and version knows the kinds of the requests themselves, the core group also lists of
// anything.
bool is_machinery(std::string_view api, std::string_view kind) {
  constexpr std::string_view kOptions[] = {"CreateOptions", "DeleteOptions", "GetOptions",
                                           "ListOptions",   "PatchOptions",  "UpdateOptions",
                                           "WatchEvent"};
  if (api == "v1" && (kind == "List" || kind == "Status")) return true;
  if (std::find(std::begin(kOptions), std::end(kOptions), kind) == std::end(kOptions)) return false;
  const GroupVersion gv = group_version_of(api);
  const auto& all = builtin_types().resources;
  return std::any_of(all.begin(), all.end(), [&](const Resource& r) {
    return r.group == gv.group && r.version == gv.version;
  });
}

// apiVersion and kind may be absent; if present they must be those of the request.
std::optional<Error> check_identity(const Value& value, const Identity& want,
                                    std::string_view source) {
  std::string api = value["apiVersion"].str(), kind = value["kind"].str();
  if (kind.empty()) kind = want.kind;
  if (api.empty()) api = want.api();
  if (api == want.api() && kind == want.kind) return std::nullopt;
  if (std::count(api.begin(), api.end(), '/') > 1)
    return bad("the object provided is unrecognized (must be of type " + std::string(want.kind) +
               "): unexpected GroupVersion string: " + api + " (" +
               summary_of(source.empty() ? codec::to_json(value) : source) + ")");
  const std::string version = group_version_of(api).version;
  const std::string start =
      kind + " in version " + quote(version) + " cannot be handled as a " + std::string(want.kind);
  const Resource* other = registered(api, kind);
  if (other == nullptr && !is_machinery(api, kind))
    return bad(start + ": no kind " + quote(kind) + " is registered for version " + quote(api) +
               " in scheme \"pkg/api/legacyscheme/scheme.go:30\"");
  if (kind != want.kind) {
    // It is read as what it says it is before it is found to be of no use.
    Decoder decoder(false, source);
    if (other != nullptr && other->kind == kind) decoder.structure(*other->type, value);
    if (decoder.failed()) return bad(start + ": " + decoder.failure());
    // Events of both groups are the core one's within.
    const std::string group(want.kind == "Event" ? "" : want.group.substr(0, want.group.find('.')));
    return bad(start + ": converting (" + version + '.' + kind + ") to (" +
               (group.empty() ? "core" : group) + '.' + std::string(want.kind) +
               "): unknown conversion");
  }
  return bad("the API version in the data (" + api + ") does not match the expected API version (" +
             want.api() + ")");
}

// As many faults of strictness are told as sigs.k8s.io/json keeps.
constexpr std::size_t kFaultsMax = 100;
constexpr std::size_t kOrderedWorkMax = 32 * 1024 * 1024;  // bytes searched for places

// YAML's parser names lines instead of fields.
bool is_yaml_fault(std::string_view duplicate) {
  return duplicate.starts_with("line ");
}

// What strict decoding refuses, in one text. Faults of YAML are one fault together.
std::string joined_faults(const std::vector<std::string>& faults) {
  std::vector<std::string> texts;
  std::string yaml;
  for (const std::string& fault : faults)
    if (is_yaml_fault(fault))
      yaml += "\n  " + fault;
    else
      texts.push_back(fault);
  if (!yaml.empty()) texts.insert(texts.begin(), "yaml: unmarshal errors:" + yaml);
  return join(texts, ", ");
}

Result<Decoded> finish(Value object, std::vector<std::string> strict, const Identity& identity,
                       FieldValidation validation) {
  Decoded decoded;
  decoded.object = std::move(object);
  if (strict.size() > kFaultsMax) strict.resize(kFaultsMax);
  if (strict.empty() || validation == FieldValidation::ignore) return decoded;
  if (validation == FieldValidation::warn) {
    decoded.warnings = std::move(strict);
    return decoded;
  }
  return bad(std::string(identity.kind) + " in version " + quote(identity.version) +
             " cannot be handled as a " + std::string(identity.kind) +
             ": strict decoding error: " + joined_faults(strict));
}

// Unknown and duplicate fields as messages, in the order of the text if that is known.
std::vector<std::string> strict_errors(const std::vector<std::string>& unknown,
                                       const std::vector<std::string>& duplicates,
                                       std::string_view source) {
  std::vector<std::pair<std::size_t, std::string>> all;
  const std::size_t count = unknown.size() + duplicates.size();
  // Each place is a search through the text: of very many the order is not worth the time.
  const bool order = count > 1 && !source.empty() && count <= kOrderedWorkMax / source.size();
  for (const std::string& path : duplicates)
    if (is_yaml_fault(path))
      all.emplace_back(0, path);
    else
      all.emplace_back(order ? place_of(source, path, 2) : 0, "duplicate field " + quote(path));
  for (const std::string& path : unknown)
    all.emplace_back(order ? place_of(source, path, 1) : 0, "unknown field " + quote(path));
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> texts;
  for (auto& [place, text] : all) {
    if (texts.size() == kFaultsMax) break;
    if (std::find(texts.begin(), texts.end(), text) == texts.end())
      texts.push_back(std::move(text));
  }
  return texts;
}

bool is_inside(std::string_view path, const std::vector<std::string>& roots) {
  return std::any_of(roots.begin(), roots.end(),
                     [&](const std::string& root) { return path.substr(0, root.size()) == root; });
}

Error cannot_handle(std::string_view kind, std::string_view version, const Resource& resource,
                    const std::string& why) {
  return bad(std::string(kind) + " in version " + quote(version) + " cannot be handled as a " +
             resource.kind + ": " + why);
}

// A custom object follows its schema, its metadata the type. What is of another kind is left alone:
// validation refuses it.
Result<Decoded> decode_custom(const Resource& resource, const Value& value,
                              const std::vector<std::string>& duplicates,
                              FieldValidation validation) {
  const std::string kind = value["kind"].str(), api = value["apiVersion"].str();
  const GroupVersion gv = group_version_of(api);
  Value object = value;
  std::vector<std::string> unknown;
  DecodedMetadata metadata;
  if (value.has("metadata")) {
    metadata = decode_metadata(value["metadata"]);
    if (!metadata.problem.empty())
      return cannot_handle(kind, gv.version, resource, metadata.problem);
    for (const std::string& path : metadata.unknown) unknown.push_back("metadata." + path);
  }
  if (gv.group == resource.group && kind == resource.kind) {
    const Value& schema = gv.version == resource.version ? resource.schema : Value();
    std::vector<std::string> dropped, embedded;
    prune_custom(schema, object, &dropped);
    drop_nulls_custom(schema, object);
    if (auto problem = coerce_embedded(schema, object, false, &embedded))
      return cannot_handle(kind, gv.version, resource, *problem);
    std::sort(dropped.begin(), dropped.end());
    std::sort(embedded.begin(), embedded.end());
    unknown.insert(unknown.end(), dropped.begin(), dropped.end());
    unknown.insert(unknown.end(), embedded.begin(), embedded.end());
  }
  object.set("kind", kind);
  if (!api.empty()) object.set("apiVersion", api);
  if (value.has("metadata")) object.set("metadata", std::move(metadata.metadata));
  std::vector<std::string> strict;
  for (const std::string& path : duplicates)
    strict.push_back(is_yaml_fault(path) ? path : "duplicate field " + quote(path));
  for (const std::string& path : unknown) strict.push_back("unknown field " + quote(path));
  return finish(std::move(object), std::move(strict), {resource.group, gv.version, kind},
                validation);
}

Result<Decoded> decode_custom_body(const Resource& resource, const codec::JsonDocument& document,
                                   FieldValidation validation, std::string_view source) {
  const std::string body = source.empty() ? codec::to_json(document.value) : std::string(source);
  if (document.value["kind"].as_string().empty())
    return bad("the object provided is unrecognized (must be of type " + resource.kind +
               "): Object 'Kind' is missing in '" + body + "' (" + summary_of(body) + ")");
  TRY(Decoded decoded, decode_custom(resource, document.value, document.duplicates, validation));
  const std::string_view api = decoded.object["apiVersion"].as_string();
  if (api == resource.api_version()) return decoded;
  Error error = bad("the API version in the data (" + std::string(api) +
                    ") does not match the expected API version (" + resource.api_version() + ")");
  error.warnings = std::move(decoded.warnings);
  return error;
}

Result<Decoded> decode_typed(const Type& type, const Identity& identity, const Value& value,
                             const std::vector<std::string>& duplicates, FieldValidation validation,
                             std::string_view source) {
  Decoder decoder(validation != FieldValidation::ignore, source);
  Value object = empty_structure(type);
  if (value.is_object()) object = decoder.structure(type, value).value_or(value);
  if (decoder.failed())
    return bad(std::string(identity.kind) + " in version " + quote(identity.version) +
               " cannot be handled as a " + std::string(identity.kind) + ": " + decoder.failure());
  if (type.has_kind) {
    if (object["kind"].as_string() != identity.kind) object.set("kind", identity.kind);
    if (std::string api = identity.api(); object["apiVersion"].as_string() != api)
      object.set("apiVersion", api);
  }
  std::vector<std::string> relevant;
  for (const std::string& path : duplicates)
    if (!is_inside(path, decoder.unknown_paths())) relevant.push_back(path);
  return finish(std::move(object), strict_errors(decoder.unknown_paths(), relevant, source),
                identity, validation);
}

}  // namespace

Error not_json(std::string_view kind, std::string_view why, std::string_view source) {
  return bad("the object provided is unrecognized (must be of type " + std::string(kind) +
             "): couldn't get version/kind; json parse error: " + std::string(why) + " (" +
             summary_of(source) + ")");
}

Result<Decoded> decode(const Resource& resource, const codec::JsonDocument& document,
                       FieldValidation validation, std::string_view source) {
  const Identity identity{resource.group, resource.version, resource.kind};
  if (auto error = unrecognized(document.value, resource.kind, source)) return *error;
  if (resource.custom) return decode_custom_body(resource, document, validation, source);
  if (auto error = check_identity(document.value, identity, source)) return *error;
  return decode_typed(*resource.type, identity, document.value, document.duplicates, validation,
                      source);
}

Result<Decoded> decode(const Type& type, std::string_view group, std::string_view version,
                       std::string_view kind, const codec::JsonDocument& document,
                       FieldValidation validation, std::string_view source) {
  const Identity identity{group, version, kind};
  if (auto error = unrecognized(document.value, kind, source)) return *error;
  if (auto error = check_identity(document.value, identity, source)) return *error;
  return decode_typed(type, identity, document.value, document.duplicates, validation, source);
}

Result<Decoded> decode_value(const Resource& resource, const Value& object,
                             FieldValidation validation) {
  if (resource.custom) return decode_custom(resource, object, {}, validation);
  return decode_typed(*resource.type, {resource.group, resource.version, resource.kind}, object, {},
                      validation, {});
}

DecodedMetadata decode_metadata(const Value& metadata) {
  const Type& type =
      *builtin_types().types.find("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")->second;
  Decoder decoder(true, {});
  DecodedMetadata out;
  const Value given = metadata.is_null() ? Value::object() : metadata;
  out.metadata = decoder.decode(type, given).value_or(given);
  if (decoder.failed()) out.problem = decoder.failure();
  out.unknown = std::move(decoder.unknown_paths());
  return out;
}

}  // namespace keelson::model
