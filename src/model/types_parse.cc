// One pass over the lines of each table. A type may be named before it is described: it is made
// empty at its first mention and filled later, so that pointers stay valid (hence the deque).
#include "model/types_parse.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "base/check.h"
#include "base/text.h"
#include "codec/json.h"
#include "codec/protobuf.h"

namespace keelson::model {
namespace {

using codec::Field;
using codec::Scalar;
using codec::Shape;
using codec::Type;

constexpr std::string_view kMeta = "io.k8s.apimachinery.pkg.apis.meta.v1";

const std::vector<std::string_view> kEmbedded = {
#include "model/types_text.inc"
};

std::string_view next_word(std::string_view& line) {
  const std::size_t start = line.find_first_not_of(' ');
  if (start == std::string_view::npos) return line = {};
  line.remove_prefix(start);
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

// A word, or a text in quotes, which may hold blanks. nullopt at the end of the line.
std::optional<std::string_view> next_text(std::string_view& line) {
  const std::size_t start = std::min(line.find_first_not_of(' '), line.size());
  line.remove_prefix(start);
  if (line.empty()) return std::nullopt;
  if (line.front() != '"') return next_word(line);
  const std::size_t end = line.find('"', 1);
  KEELSON_CHECK(end != std::string_view::npos);
  const std::string_view text = line.substr(1, end - 1);
  line.remove_prefix(end + 1);
  return text;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

int number_of(std::string_view text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::vector<std::string> all_verbs() {
  return {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
}

struct ScalarName {
  std::string_view name;
  Scalar scalar;
};
constexpr ScalarName kScalars[] = {{"string", Scalar::string},
                                   {"bool", Scalar::boolean},
                                   {"int32", Scalar::int32},
                                   {"int64", Scalar::int64},
                                   {"float64", Scalar::float64},
                                   {"bytes", Scalar::bytes},
                                   {"quantity", Scalar::quantity},
                                   {"time", Scalar::time},
                                   {"microtime", Scalar::micro_time},
                                   {"duration", Scalar::duration},
                                   {"intorstring", Scalar::int_or_string}};

class Reader {
 public:
  explicit Reader(BuiltinTypes& out) : out_(out) {
    for (const ScalarName& s : kScalars) {
      Type& type = make();
      type.shape = Shape::scalar;
      type.scalar = s.scalar;
      anonymous_.emplace(s.name, &type);
    }
    Type& any = make();
    any.name = "io.k8s.apimachinery.pkg.runtime.RawExtension";
    any.preserve_unknown = true;
    anonymous_.emplace("any", &any);
  }

  void read(std::string_view table) {
    uses_.clear();
    current_ = nullptr;
    in_resource_ = false;
    while (!table.empty()) {
      const std::size_t end = std::min(table.find('\n'), table.size());
      std::string_view line = table.substr(0, end);
      table.remove_prefix(std::min(end + 1, table.size()));
      if (line.empty()) continue;
      if (line.front() == ' ') {
        if (in_resource_)
          subresource(line);
        else
          field(line);
      } else {
        head(line);
      }
    }
  }

  // Subresources of other groups and lists need every table to be read.
  void finish() {
    for (Resource& r : out_.resources) {
      r.type = kinds_[r.api_version() + '/' + r.kind];
      KEELSON_CHECK(r.type != nullptr);
      for (Subresource& s : r.subresources) {
        const std::string api = s.group.empty() ? s.version : s.group + '/' + s.version;
        const auto type = kinds_.find(api + '/' + s.kind);
        if (type != kinds_.end()) s.type = type->second;
      }
      if (r.has_verb("list")) make_list(r);
    }
    for (Type& type : out_.arena) {
      if (atomic_.contains(type.element.type)) type.element.atomic = true;
      for (Field& f : type.fields)
        if (atomic_.contains(f.type) && !granular_.contains({&type, f.name})) f.atomic = true;
      type.wire_order = codec::protobuf_order(type);
    }
  }

 private:
  Type& make() { return out_.arena.emplace_back(); }

  // metav1 uses the UID of another package, whose name Go's messages show.
  Type& named(std::string full) {
    if (full == std::string(kMeta) + ".UID") full = "io.k8s.apimachinery.pkg.types.UID";
    const auto [place, fresh] = mutable_.try_emplace(full, nullptr);
    if (fresh) {
      place->second = &make();
      place->second->name = full;
      out_.types.emplace(std::move(full), place->second);
    }
    return *place->second;
  }

  std::string full_name(std::string_view name) const {
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos) return package_ + '.' + std::string(name);
    return uses_.at(std::string(name.substr(0, dot))) + std::string(name.substr(dot));
  }

  const Type& type_of(std::string_view text) {
    if (const auto known = anonymous_.find(text); known != anonymous_.end()) return *known->second;
    std::string_view rest = text;
    const bool list = take_prefix(rest, "[]");
    if (!list && !take_prefix(rest, "map{}")) return named(full_name(text));
    const Type& element = type_of(rest);
    Type& type = make();
    type.shape = list ? Shape::list : Shape::map;
    type.element.type = &element;
    if (rest.find('.') == std::string_view::npos && anonymous_.contains(rest))
      anonymous_.emplace(text, &type);
    return type;
  }

  void head(std::string_view line) {
    const std::string_view word = next_word(line);
    current_ = nullptr;
    in_resource_ = word == "resource";
    if (word == "package") {
      package_ = next_word(line);
    } else if (word == "use") {
      const std::string alias(next_word(line));
      uses_[alias] = next_word(line);
    } else if (word == "group") {
      const std::string_view group = next_word(line);
      group_ = group == "core" ? "" : group;
      version_ = next_word(line);
    } else if (word == "resource") {
      resource(line);
    } else if (word == "define") {
      define(line);
    } else {
      KEELSON_CHECK(word == "type");
      structure(line);
    }
  }

  void define(std::string_view line) {
    const std::string full = package_ + '.' + std::string(next_word(line));
    const Type& model = type_of(next_word(line));
    Type& type = named(full);
    type.shape = model.shape;
    type.scalar = model.scalar;
    type.element = model.element;
    type.preserve_unknown = model.preserve_unknown;
    while (const auto value = next_text(line)) type.enumeration.emplace_back(*value);
  }

  void structure(std::string_view line) {
    const std::string_view name = next_word(line);
    current_ = &named(package_ + '.' + std::string(name));
    current_->shape = Shape::structure;
    for (std::string_view flag = next_word(line); !flag.empty(); flag = next_word(line)) {
      if (flag == "atomic") {
        atomic_[current_] = true;
        continue;
      }
      KEELSON_CHECK(flag == "kind");
      add_kind(*current_);
      const std::string api = group_.empty() ? version_ : group_ + '/' + version_;
      if (package_ != kMeta) kinds_[api + '/' + std::string(name)] = current_;
    }
  }

  void add_kind(Type& type) {
    type.has_kind = true;
    for (const char* name : {"kind", "apiVersion"}) {
      Field f;
      f.name = name;
      f.type = &type_of("string");
      type.fields.push_back(std::move(f));
    }
  }

  void field(std::string_view line) {
    KEELSON_CHECK(current_ != nullptr);
    Field f;
    f.name = next_word(line);
    f.number = number_of(next_word(line));
    std::string_view type = next_word(line);
    f.pointer = take_prefix(type, "*");
    f.type = &type_of(type);
    for (std::string_view flag = next_word(line); !flag.empty(); flag = next_word(line)) {
      if (flag == "required")
        f.required = true;
      else if (flag == "keep")
        f.keep_empty = true;
      else if (flag == "set")
        f.list_type = codec::ListType::set;
      else if (flag == "atomic")
        f.atomic = true;
      else if (flag == "granular")
        granular_.emplace(current_, f.name);
      else if (flag == "merge")
        f.patch_merge = true;
      else if (flag == "replace")
        f.patch_replace = true;
      else if (flag == "retain")
        f.patch_retain_keys = true;
      else if (take_prefix(flag, "keys=")) {
        f.list_type = codec::ListType::map;
        f.list_keys = split(flag, ',');
      } else if (take_prefix(flag, "merge=")) {
        f.patch_merge = true;
        f.merge_key = flag;
      } else if (take_prefix(flag, "default=")) {
        const auto value = codec::parse_json(flag);
        KEELSON_CHECK(value.ok());
        f.default_value = *value;
      } else if (take_prefix(flag, "embedded=")) {
        f.embedded = flag;
      } else if (take_prefix(flag, "in=")) {
        const std::size_t dot = flag.find('.');
        f.embedded_number = number_of(flag.substr(0, dot));
        if (dot != std::string_view::npos) f.embedded_inner = number_of(flag.substr(dot + 1));
      } else {
        KEELSON_CHECK(flag == "quoted");
      }
    }
    current_->fields.push_back(std::move(f));
  }

  void resource(std::string_view line) {
    Resource r;
    r.group = group_;
    r.version = version_;
    r.plural = next_word(line);
    r.kind = next_word(line);
    r.storage = r.stored = false;
    for (std::string_view flag = next_word(line); !flag.empty(); flag = next_word(line)) {
      if (flag == "namespaced")
        r.namespaced = true;
      else if (flag == "storage")
        r.storage = true;
      else if (take_prefix(flag, "singular="))
        r.singular = flag;
      else if (take_prefix(flag, "short="))
        r.short_names = split(flag, ',');
      else if (take_prefix(flag, "categories="))
        r.categories = split(flag, ',');
      else if (take_prefix(flag, "hash="))
        r.storage_hash = flag;
      else if (take_prefix(flag, "alias="))
        r.stored_as = flag;
      else {
        KEELSON_CHECK(take_prefix(flag, "verbs="));
        r.verbs = flag == "all" ? all_verbs() : split(flag, ',');
      }
    }
    r.stored = !r.storage_hash.empty();
    if (!r.stored) r.storage = true;
    if (r.stored_as.empty()) r.stored_as = r.name();
    out_.resources.push_back(std::move(r));
  }

  void subresource(std::string_view line) {
    Resource& r = out_.resources.back();
    Subresource s;
    s.name = next_word(line);
    const std::string_view body = next_word(line);
    if (body == "self") {
      s.group = r.group;
      s.version = r.version;
      s.kind = r.kind;
    } else {
      const std::vector<std::string> parts = split(body, '/');
      KEELSON_CHECK(parts.size() == 3);
      s.group = parts[0];
      s.version = parts[1];
      s.kind = parts[2];
    }
    s.verbs = split(next_word(line), ',');
    r.subresources.push_back(std::move(s));
  }

  void make_list(const Resource& r) {
    const std::string item = r.type->name;
    Type& type = named(item + "List");
    if (type.shape == Shape::structure) return;
    type.shape = Shape::structure;
    add_kind(type);
    Field metadata;
    metadata.name = "metadata";
    metadata.number = 1;
    metadata.type = &named(std::string(kMeta) + ".ListMeta");
    metadata.keep_empty = true;
    Type& items_type = make();
    items_type.shape = Shape::list;
    items_type.element.type = r.type;
    Field items;
    items.name = "items";
    items.number = 2;
    items.type = &items_type;
    items.required = items.keep_empty = true;
    type.fields.push_back(std::move(metadata));
    type.fields.push_back(std::move(items));
  }

  BuiltinTypes& out_;
  std::map<std::string, Type*, std::less<>> mutable_;
  std::map<std::string, const Type*, std::less<>> anonymous_, kinds_;
  std::map<const Type*, bool> atomic_;                      // looked up only, never walked
  std::set<std::pair<const Type*, std::string>> granular_;  // likewise
  std::map<std::string, std::string> uses_;
  std::string package_, group_, version_;
  Type* current_ = nullptr;
  bool in_resource_ = false;
};

}  // namespace

BuiltinTypes parse_types(const std::vector<std::string_view>& tables) {
  BuiltinTypes out;
  Reader reader(out);
  for (const std::string_view table : tables) reader.read(table);
  reader.finish();
  return out;
}

const BuiltinTypes& builtin_types() {
  static const BuiltinTypes all = parse_types(kEmbedded);
  return all;
}

}  // namespace keelson::model
