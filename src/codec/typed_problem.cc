// What does not fit in a typed object, in the words of structured-merge-diff.
#include <set>

#include "codec/go_text.h"
#include "codec/json.h"
#include "codec/typed.h"
#include "codec/typed_shape.h"

namespace keelson::codec {
namespace {

struct Problem {
  std::string path, text;
};
using Problems = std::vector<Problem>;

void add_at(Problems& all, const std::string& prefix, Problems inner) {
  for (Problem& problem : inner) all.push_back({prefix + problem.path, std::move(problem.text)});
}

// Go's %#v of a decoded value.
std::string go_syntax(const Value& value) {
  std::string out;
  switch (value.kind()) {
    case Value::Kind::array:
      for (const Value& element : value.elements())
        out += (out.empty() ? "" : ", ") + go_syntax(element);
      return "[]interface {}{" + out + '}';
    case Value::Kind::object:
      for (const Member& m : value.members()) {
        if (!out.empty()) out += ", ";
        append_json_string(out, m.key());
        out += ':' + go_syntax(m.value);
      }
      return "map[string]interface {}{" + out + '}';
    case Value::Kind::null: return "interface {}(nil)";
    case Value::Kind::string: return to_json(value);
    default: return go_text(value);
  }
}

std::string pointer_text(const Value& value) {
  return "&{" + go_text(value) + '}';
}

std::string scalar_problem(const Value& value, const Use& use) {
  if (value.is_null()) return {};
  const bool scalar = !value.is_array() && !value.is_object();
  if (is_free_form(use)) return scalar ? "" : "expected any scalar, got " + pointer_text(value);
  switch (use.type->scalar) {
    case Scalar::boolean:
      return value.is_bool() ? "" : "expected boolean, got " + pointer_text(value);
    case Scalar::int32:
    case Scalar::int64:
    case Scalar::float64:
      if (value.is_number()) return {};
      return "expected numeric (int or float), got " + std::string(go_type(value));
    case Scalar::string:
    case Scalar::bytes:
      if (value.is_string()) return {};
      return "expected string, got &value.valueUnstructured{Value:" + go_syntax(value) + '}';
    default: return scalar ? "" : "expected any scalar, got " + pointer_text(value);
  }
}

Problems problems_of(const Value& value, const Use& use, bool unique);

Problems list_problems(const Value& value, const Use& use, bool unique) {
  Problems all;
  std::set<PathElement> seen;
  const bool atomic = is_atomic(use, Form::list);
  for (std::size_t i = 0; i < value.size(); ++i) {
    PathElement at{PathElement::Kind::index, Value(i)};
    if (!atomic) {
      auto found = element_of(use, value[i]);
      if (!found.ok()) {
        all.push_back({"", "element " + std::to_string(i) + ": " + found.error().message});
        return all;
      }
      at = std::move(*found);
      if (!seen.insert(at).second && unique)
        all.push_back({"", "duplicate entries for key " + at.text()});
    }
    add_at(all, at.text(), problems_of(value[i], element_use(use), unique));
  }
  return all;
}

Problems problems_of(const Value& value, const Use& use, bool unique) {
  switch (form_of(use, value)) {
    case Form::scalar: {
      std::string text = scalar_problem(value, use);
      if (text.empty()) return {};
      return {{"", std::move(text)}};
    }
    case Form::list:
      if (value.is_null()) return {};
      if (!value.is_array()) return {{"", "expected list, got " + pointer_text(value)}};
      return list_problems(value, use, unique);
    case Form::map: break;
  }
  if (value.is_null()) return {};
  if (!value.is_object()) return {{"", "expected map, got " + pointer_text(value)}};
  Problems all;
  for (const Member& m : value.members()) {
    const std::string prefix = '.' + std::string(m.key());
    const Use* member = member_use(use, m.key());
    if (member == nullptr) {
      all.push_back({prefix, "field not declared in schema"});
      return all;
    }
    add_at(all, prefix, problems_of(m.value, *member, unique));
  }
  return all;
}

}  // namespace

std::string typed_problem(const Value& value, const Use& use, ListDuplicates duplicates) {
  const Problems all = problems_of(value, use, duplicates == ListDuplicates::refuse);
  const auto line = [](const Problem& problem) {
    return problem.path.empty() ? problem.text : problem.path + ": " + problem.text;
  };
  if (all.empty()) return {};
  if (all.size() == 1) return line(all[0]);
  std::string out = "errors:";
  for (const Problem& problem : all) out += "\n  " + line(problem);
  return out;
}

}  // namespace keelson::codec
