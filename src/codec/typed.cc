// Comparison, merge and ownership of typed objects. Each walk returns the part of a set that
// belongs to one value; the caller hangs it under the path element by which it reached that value.
#include "codec/typed.h"

#include <algorithm>
#include <map>
#include <optional>

#include "codec/go_text.h"
#include "codec/json.h"
#include "codec/typed_shape.h"

namespace keelson::codec {
namespace {

const Value kNull;

// Part of a set: whether a value is a member itself, and what is below it.
struct Branch {
  bool member = false;
  FieldSet below;
};
struct Branches {
  Branch removed, modified, added;
};

void hang(FieldSet& set, const PathElement& element, Branch branch) {
  set.add(element, branch.member, std::move(branch.below));
}
void hang(Branches& parent, const PathElement& element, Branches child) {
  hang(parent.removed.below, element, std::move(child.removed));
  hang(parent.modified.below, element, std::move(child.modified));
  hang(parent.added.below, element, std::move(child.added));
}

// Deep equality where 1 and 1.0 are equal, as in the original.
bool is_same(const Value& a, const Value& b) {
  return a == b;
}

bool is_empty(const Value* value) {
  return value == nullptr || value->empty();
}

class Comparer {
 public:
  // At least one side is there.
  static Branches run(const Use& use, const Value* left, const Value* right) {
    Branches out;
    if (left == nullptr) {
      out.added = {.member = true, .below = whole(use, *right)};
    } else if (right == nullptr) {
      out.removed = {.member = true, .below = whole(use, *left)};
    } else if (left->same_node(*right)) {
      return out;
    } else if (form_of(use, *left) == form_of(use, *right) || !is_free_form(use)) {
      as(form_of(use, *right), use, left, right, out);
    } else {
      // A free-form value changed its form: the old one goes, the new one comes.
      as(form_of(use, *left), use, left, right, out);
      as(form_of(use, *right), use, left, right, out);
    }
    return out;
  }

 private:
  // All that is below a value which stands on one side alone.
  static FieldSet whole(const Use& use, const Value& value) {
    const Form form = form_of(use, value);
    FieldSet out;
    if (form == Form::scalar || is_atomic(use, form)) return out;
    if (form == Form::map) {
      for (const Member& m : value.members()) {
        const Use* member = member_use(use, m.key());
        out.add({PathElement::Kind::field, m.key_value}, true,
                whole(member != nullptr ? *member : free_form(), m.value));
      }
      return out;
    }
    std::map<PathElement, std::pair<const Value*, std::size_t>> elements;  // the first, how many
    for (const Value& element : value.elements())
      if (auto at = element_of(use, element); at.ok())
        ++elements.emplace(std::move(*at), std::pair(&element, 0)).first->second.second;
    // Elements that stand more than once count as one unit.
    for (const auto& [at, found] : elements)
      out.add(at, true, found.second > 1 ? FieldSet() : whole(element_use(use), *found.first));
    return out;
  }

  // Both sides are there.
  static void as(Form form, const Use& use, const Value* left, const Value* right, Branches& out) {
    const bool list = form == Form::list;
    const auto shaped = [&](const Value* value) {
      return value != nullptr && (list ? value->is_array() : value->is_object()) ? value : nullptr;
    };
    const Value* l = shaped(left);
    const Value* r = shaped(right);
    if (form == Form::scalar || is_atomic(use, form) || (is_empty(l) && is_empty(r)))
      out.modified.member = !is_same(*left, *right);
    else if (list)
      lists(use, l, r, out);
    else
      maps(use, l, r, out);
  }

  static void maps(const Use& use, const Value* left, const Value* right, Branches& out) {
    static const std::vector<Member> none;
    const auto& l = left != nullptr ? left->members() : none;
    const auto& r = right != nullptr ? right->members() : none;
    std::size_t i = 0, j = 0;
    while (i < l.size() || j < r.size()) {
      const int by = i == l.size() ? 1 : j == r.size() ? -1 : l[i].key().compare(r[j].key());
      const Value* a = by <= 0 ? &l[i].value : nullptr;
      const Value* b = by >= 0 ? &r[j].value : nullptr;
      const Value& key = by <= 0 ? l[i].key_value : r[j].key_value;
      const Use* member = member_use(use, key.as_string());
      hang(out, {PathElement::Kind::field, key},
           run(member != nullptr ? *member : free_form(), a, b));
      if (by <= 0) ++i;
      if (by >= 0) ++j;
    }
  }

  static void lists(const Use& use, const Value* left, const Value* right, Branches& out) {
    struct Found {
      std::vector<const Value*> left, right;
    };
    std::map<PathElement, Found> elements;
    if (left != nullptr)
      for (const Value& element : left->elements())
        if (auto at = element_of(use, element); at.ok()) elements[*at].left.push_back(&element);
    if (right != nullptr)
      for (const Value& element : right->elements())
        if (auto at = element_of(use, element); at.ok()) elements[*at].right.push_back(&element);
    for (const auto& [at, found] : elements)
      hang(out, at, duplicates(use, found.left, found.right));
  }

  // Elements that stand more than once count as one unit.
  static Branches duplicates(const Use& use, const std::vector<const Value*>& left,
                             const std::vector<const Value*>& right) {
    const Use& element = element_use(use);
    if (left.size() <= 1 && right.size() <= 1)
      return run(element, left.empty() ? nullptr : left[0], right.empty() ? nullptr : right[0]);
    Branches out;
    if (left.size() >= 2 && right.size() >= 2) {
      out.modified.member =
          !std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [](const Value* a, const Value* b) { return is_same(*a, *b); });
    } else if (left.size() >= 2) {
      if (!right.empty()) out = run(element, nullptr, right[0]);
      out.removed.member = true;
    } else {
      if (!left.empty()) out = run(element, left[0], nullptr);
      out.added.member = true;
    }
    return out;
  }
};

std::optional<Value> merge_at(const Use& use, const Value* left, const Value* right);

struct IndexedList {
  std::vector<PathElement> order;
  std::map<PathElement, const Value*> elements;
};
IndexedList index(const Use& use, const Value* list) {
  IndexedList out;
  if (list == nullptr) return out;
  for (const Value& element : list->elements()) {
    auto at = element_of(use, element);
    if (!at.ok()) continue;
    const auto [known, is_new] = out.elements.emplace(*at, &element);
    if (!is_new) known->second = &kNull;  // which of the duplicates is meant is unknown
    out.order.push_back(std::move(*at));
  }
  return out;
}

// Elements that only `left` has keep their place relative to those shared with `right`; the shared
// ones and those of `right` come in its order.
std::optional<Value> merge_lists(const Use& use, const Value* left, const Value* right) {
  const IndexedList l = index(use, left), r = index(use, right);
  const auto find = [](const IndexedList& list, const PathElement& at) {
    const auto found = list.elements.find(at);
    return found == list.elements.end() ? nullptr : found->second;
  };
  std::vector<const PathElement*> shared;
  for (const PathElement& at : r.order)
    if (find(l, at) != nullptr) shared.push_back(&at);
  std::size_t next = 0;
  std::map<PathElement, bool> merged;
  Array out;
  const auto take = [&](const Value* a, const Value* b) {
    if (auto value = merge_at(element_use(use), a, b)) out.push_back(std::move(*value));
  };
  std::size_t i = 0, j = 0;
  while (i < l.order.size() || j < r.order.size()) {
    if (i < l.order.size() && j < r.order.size()) {
      const PathElement& at = l.order[i];
      if (at == r.order[j]) {
        merged[at] = true;
        take(find(l, at), find(r, at));
        ++i, ++j, ++next;
        continue;
      }
      if (find(r, at) != nullptr && next < shared.size() && !(*shared[next] == at)) {
        ++i;
        continue;
      }
    }
    if (i < l.order.size()) {
      const PathElement& at = l.order[i];
      if (find(r, at) == nullptr) {
        take(&left->elements()[i], nullptr);
        ++i;
        continue;
      }
      if (merged.count(at) != 0) ++i;
    }
    if (j < r.order.size()) {
      const PathElement& at = r.order[j];
      merged[at] = true;
      take(find(l, at), find(r, at));
      ++j;
      if (next < shared.size() && *shared[next] == at) ++next;
    }
  }
  if (out.empty()) return std::nullopt;
  return Value(std::move(out));
}

std::optional<Value> merge_maps(const Use& use, const Value* left, const Value* right) {
  static const std::vector<Member> none;
  const auto& l = left != nullptr ? left->members() : none;
  const auto& r = right != nullptr ? right->members() : none;
  std::vector<Member> out;
  std::size_t i = 0, j = 0;
  while (i < l.size() || j < r.size()) {
    const int by = i == l.size() ? 1 : j == r.size() ? -1 : l[i].key().compare(r[j].key());
    const Value& key = by <= 0 ? l[i].key_value : r[j].key_value;
    const Use* member = member_use(use, key.as_string());
    auto value = merge_at(member != nullptr ? *member : free_form(),
                          by <= 0 ? &l[i].value : nullptr, by >= 0 ? &r[j].value : nullptr);
    if (value) out.push_back({key, std::move(*value)});
    if (by <= 0) ++i;
    if (by >= 0) ++j;
  }
  if (out.empty()) return std::nullopt;
  return Value::object_of(std::move(out));
}

std::optional<Value> merge_at(const Use& use, const Value* left, const Value* right) {
  if (right == nullptr) return *left;
  const Form form = form_of(use, *right);
  const auto shaped = [&](const Value* value) {
    const bool fits =
        value != nullptr && (form == Form::list ? value->is_array() : value->is_object());
    return fits ? value : nullptr;
  };
  const Value* l = shaped(left);
  const Value* r = shaped(right);
  if (form == Form::scalar || is_atomic(use, form) || (is_empty(l) && is_empty(r))) return *right;
  return form == Form::list ? merge_lists(use, l, r) : merge_maps(use, l, r);
}

Branch fields_at(const Use& use, const Value& value) {
  const Form form = form_of(use, value);
  if (form == Form::scalar || is_atomic(use, form)) return {.member = true, .below = {}};
  Branch out;
  if (form == Form::list) {
    std::map<PathElement, std::vector<const Value*>> elements;
    for (const Value& element : value.elements())
      if (auto at = element_of(use, element); at.ok()) elements[*at].push_back(&element);
    for (const auto& [at, found] : elements) {
      Branch element = found.size() > 1 ? Branch{} : fields_at(element_use(use), *found[0]);
      element.member = true;
      hang(out.below, at, std::move(element));
    }
    return out;
  }
  for (const Member& m : value.members()) {
    const Use* member = member_use(use, m.key());
    Branch branch = fields_at(member != nullptr ? *member : free_form(), m.value);
    if (m.value.is_null() || (m.value.is_object() && m.value.empty()) ||
        !is_named_field(use, m.key()))
      branch.member = true;
    hang(out.below, {PathElement::Kind::field, m.key_value}, std::move(branch));
  }
  return out;
}

// Null if nothing is left. A list or map that only lost what is inside of its parts stays.
Value remove_at(const Use& use, const Value& value, const FieldSet& fields) {
  const Form form = form_of(use, value);
  if (form == Form::scalar) return value;
  if (value.empty() || is_atomic(use, form)) return {};
  bool changed = false;
  const auto inside = [&](const Use& part, const Value& old, const FieldSet& below) -> Value {
    changed = true;
    Value left = remove_at(part, old, below);
    if (!left.is_null()) return left;
    return old.is_object() ? Value::object() : old.is_array() ? Value::array() : Value();
  };
  if (form == Form::list) {
    Array out;
    for (const Value& element : value.elements()) {
      const auto at = element_of(use, element);
      if (!at.ok()) {
        out.push_back(element);
        continue;
      }
      if (fields.has_member(*at)) continue;
      const FieldSet* below = fields.below(*at);
      out.push_back(below == nullptr ? element : inside(element_use(use), element, *below));
    }
    return out.empty() && !changed ? Value() : Value(std::move(out));
  }
  std::vector<Member> out;
  for (const Member& m : value.members()) {
    const PathElement at{PathElement::Kind::field, m.key_value};
    if (fields.has_member(at)) continue;
    const FieldSet* below = fields.below(at);
    const Use* member = member_use(use, m.key());
    out.push_back({m.key_value, below == nullptr ? m.value
                                                 : inside(member != nullptr ? *member : free_form(),
                                                          m.value, *below)});
  }
  return out.empty() && !changed ? Value() : Value::object_of(std::move(out));
}

FieldSet adapt(const FieldSet& fields, const Use& use);

// The branch of one node; `whole`: it is a member without anything below it.
Branch adapt_node(const FieldSet::Node& node, const Use& use) {
  const bool whole = node.member && node.children.empty();
  if (is_free_form(use)) return {node.member, node.children};
  const Form form = form_of(use, kNull);
  if (form == Form::scalar) return {node.member, node.children};
  if (!whole && is_atomic(use, form)) return {.member = true, .below = {}};
  return {node.member, adapt(node.children, use)};
}

FieldSet adapt(const FieldSet& fields, const Use& use) {
  FieldSet out;
  for (const FieldSet::Node& node : fields.nodes()) {
    const Use* below = nullptr;
    if (use.type->shape == Shape::list)
      below = &element_use(use);
    else if (node.element.kind == PathElement::Kind::field)
      below = member_use(use, node.element.name());
    if (below == nullptr)
      out.add(node.element, node.member, node.children);
    else
      hang(out, node.element, adapt_node(node, *below));
  }
  return out;
}

}  // namespace

Comparison Comparison::without_trees(const FieldSet& fields) const {
  if (fields.empty()) return *this;
  return {removed.without_trees(fields), modified.without_trees(fields),
          added.without_trees(fields)};
}

Comparison compare(const Value& before, const Value& after, const Use& use) {
  Branches branches = Comparer::run(use, &before, &after);
  return {std::move(branches.removed.below), std::move(branches.modified.below),
          std::move(branches.added.below)};
}

Value merge_typed(const Value& live, const Value& applied, const Use& use) {
  return merge_at(use, &live, &applied).value_or(Value());
}

FieldSet fields_of(const Value& value, const Use& use) {
  return fields_at(use, value).below;
}

Value without_fields(const Value& value, const FieldSet& fields, const Use& use) {
  return remove_at(use, value, fields);
}

FieldSet with_named_fields(const FieldSet& fields, const Use& use) {
  FieldSet out;
  for (const FieldSet::Node& node : fields.nodes()) {
    const bool field = node.element.kind == PathElement::Kind::field;
    const bool named = field && is_named_field(use, node.element.name());
    const Use* below = nullptr;
    if (field)
      below = member_use(use, node.element.name());
    else if (node.element.kind == PathElement::Kind::key)
      below = &element_use(use);
    out.add(node.element, node.member || (named && !node.children.empty()),
            below == nullptr ? node.children : with_named_fields(node.children, *below));
  }
  return out;
}

FieldSet adapted_to_schema(const FieldSet& fields, const Use& use) {
  return is_free_form(use) ? fields : adapt(fields, use);
}

Value empty_object(const Type& type) {
  if (type.shape != Shape::structure) return {};
  Value out = Value::object();
  for (const Field& field : type.fields) {
    if (!field.keep_empty || field.type == nullptr) continue;
    Value value;
    if (field.type->shape == Shape::structure && !field.pointer) {
      value = empty_object(*field.type);
    } else if (field.type->shape == Shape::scalar) {
      switch (field.type->scalar) {
        case Scalar::string: value = Value(""); break;
        case Scalar::boolean: value = Value(false); break;
        case Scalar::int32:
        case Scalar::int64:
        case Scalar::float64: value = Value(0); break;
        default: break;
      }
    }
    out.set(field.name, std::move(value));
  }
  return out;
}

}  // namespace keelson::codec
