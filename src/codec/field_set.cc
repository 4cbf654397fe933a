#include "codec/field_set.h"

#include <algorithm>

#include "codec/go_text.h"
#include "codec/json.h"

namespace keelson::codec {
namespace {

int sign(int n) {
  return (n > 0) - (n < 0);
}
template <typename T>
int order(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

// Numbers, texts, booleans, lists, maps, null.
int rank(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::integer:
    case Value::Kind::number: return 0;
    case Value::Kind::string: return 1;
    case Value::Kind::boolean: return 2;
    case Value::Kind::array: return 3;
    case Value::Kind::object: return 4;
    case Value::Kind::null: return 5;
  }
  return 5;
}

int compare_values(const Value& a, const Value& b) {
  if (const int by_kind = order(rank(a), rank(b)); by_kind != 0) return by_kind;
  switch (a.kind()) {
    case Value::Kind::integer:
      if (b.is_integer()) return order(a.as_int(), b.as_int());
      return order(a.as_double(), b.as_double());
    case Value::Kind::number: return order(a.as_double(), b.as_double());
    case Value::Kind::string: return sign(a.as_string().compare(b.as_string()));
    case Value::Kind::boolean: return order(a.as_bool(), b.as_bool());
    case Value::Kind::array: {
      for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
        if (const int found = compare_values(a[i], b[i]); found != 0) return found;
      return order(a.size(), b.size());
    }
    case Value::Kind::object: {
      const auto& left = a.members();
      const auto& right = b.members();
      for (std::size_t i = 0; i < left.size() && i < right.size(); ++i) {
        if (const int found = sign(left[i].key().compare(right[i].key())); found != 0) return found;
        if (const int found = compare_values(left[i].value, right[i].value); found != 0)
          return found;
      }
      return order(left.size(), right.size());
    }
    case Value::Kind::null: return 0;
  }
  return 0;
}

// nullopt: of a kind that is not known.
Result<std::optional<PathElement>> parse_element(std::string_view text) {
  const auto bad = [&] {
    return Error{.reason = Reason::bad_request,
                 .message = "parsing key as path element: " + std::string(text)};
  };
  if (text.size() < 2 || text[1] != ':') return bad();
  const std::string_view rest = text.substr(2);
  if (text[0] == 'f') return std::optional(PathElement::field(rest));
  if (text[0] != 'k' && text[0] != 'v' && text[0] != 'i') return std::optional<PathElement>();
  auto value = parse_json(rest);
  if (!value.ok()) return bad();
  const auto kind = text[0] == 'k'   ? PathElement::Kind::key
                    : text[0] == 'v' ? PathElement::Kind::value
                                     : PathElement::Kind::index;
  if (kind == PathElement::Kind::key && !value->is_object()) return bad();
  if (kind == PathElement::Kind::index && !value->is_integer()) return bad();
  return std::optional(PathElement{kind, std::move(*value)});
}

}  // namespace

int compare(const PathElement& a, const PathElement& b) {
  if (const int by_kind = order(a.kind, b.kind); by_kind != 0) return by_kind;
  if (a.kind == PathElement::Kind::field) return sign(a.name().compare(b.name()));
  return compare_values(a.value, b.value);
}

std::string PathElement::text() const {
  switch (kind) {
    case Kind::field: return '.' + value.str();
    case Kind::value: return "[=" + codec::to_json(value) + ']';
    case Kind::index: return '[' + codec::to_json(value) + ']';
    case Kind::key: break;
  }
  std::string out = "[";
  for (const Member& m : value.members()) {
    if (out.size() > 1) out += ',';
    out.append(m.key()) += '=';
    append_json(out, m.value);
  }
  return out + ']';
}

std::string PathElement::serialized() const {
  switch (kind) {
    case Kind::field: return "f:" + value.str();
    case Kind::key: return "k:" + go_json(value);
    case Kind::value: return "v:" + go_json(value);
    case Kind::index: return "i:" + codec::to_json(value);
  }
  return {};
}

std::string to_text(const FieldPath& path) {
  std::string out;
  for (const PathElement& element : path) out += element.text();
  return out;
}

FieldPath field_path(std::initializer_list<std::string_view> names) {
  FieldPath path;
  for (const std::string_view name : names) path.push_back(PathElement::field(name));
  return path;
}

FieldSet::FieldSet(std::initializer_list<FieldPath> paths) {
  for (const FieldPath& path : paths) insert(path);
}

Result<FieldSet> FieldSet::of_json(const Value& fields) {
  FieldSet set;
  for (const Member& m : fields.members()) {
    if (m.key() == ".") continue;
    TRY(std::optional<PathElement> element, parse_element(m.key()));
    if (!element) continue;
    TRY(FieldSet children, of_json(m.value));
    const bool member = children.empty() || m.value.has(".");
    set.add(std::move(*element), member, std::move(children));
  }
  return set;
}

const std::vector<FieldSet::Node>& FieldSet::nodes() const {
  static const std::vector<Node> none;
  return nodes_ ? *nodes_ : none;
}

std::vector<FieldSet::Node>& FieldSet::own() {
  if (!nodes_)
    nodes_ = std::make_shared<std::vector<Node>>();
  else if (nodes_.use_count() > 1)
    nodes_ = std::make_shared<std::vector<Node>>(*nodes_);
  return *nodes_;
}

void FieldSet::append(Node node) {
  own().push_back(std::move(node));
}

Value FieldSet::to_json() const {
  static const Value nothing = Value::object();
  if (empty()) return nothing;
  std::vector<Member> members;
  members.reserve(nodes().size());
  for (const Node& node : nodes()) {
    Value below_here = node.children.to_json();
    if (node.member && !node.children.empty()) below_here.set(".", nothing);
    members.push_back({Value(node.element.serialized()), std::move(below_here)});
  }
  return Value::object_of(std::move(members));
}

const FieldSet::Node* FieldSet::find(const PathElement& element) const {
  const std::vector<Node>& all = nodes();
  const auto at =
      std::lower_bound(all.begin(), all.end(), element,
                       [](const Node& node, const PathElement& e) { return node.element < e; });
  return at != all.end() && at->element == element ? &*at : nullptr;
}

const FieldSet* FieldSet::below(const PathElement& element) const {
  const Node* node = find(element);
  return node == nullptr || node->children.empty() ? nullptr : &node->children;
}

bool FieldSet::has_member(const PathElement& element) const {
  const Node* node = find(element);
  return node != nullptr && node->member;
}

bool FieldSet::has(const FieldPath& path) const {
  const FieldSet* here = this;
  for (std::size_t i = 0; i + 1 < path.size() && here != nullptr; ++i) here = here->below(path[i]);
  return here != nullptr && !path.empty() && here->has_member(path.back());
}

void FieldSet::each(const std::function<void(const FieldPath&)>& call) const {
  FieldPath path;
  const std::function<void(const FieldSet&)> walk = [&](const FieldSet& set) {
    for (const Node& node : set.nodes()) {
      if (!node.member) continue;
      path.push_back(node.element);
      call(path);
      path.pop_back();
    }
    for (const Node& node : set.nodes()) {
      if (node.children.empty()) continue;
      path.push_back(node.element);
      walk(node.children);
      path.pop_back();
    }
  };
  walk(*this);
}

std::vector<FieldPath> FieldSet::paths() const {
  std::vector<FieldPath> all;
  each([&](const FieldPath& path) { all.push_back(path); });
  return all;
}

void FieldSet::insert(const FieldPath& path) {
  FieldSet* here = this;
  for (std::size_t i = 0; i < path.size(); ++i) {
    std::vector<Node>& all = here->own();
    const auto at =
        std::lower_bound(all.begin(), all.end(), path[i],
                         [](const Node& node, const PathElement& e) { return node.element < e; });
    Node& node =
        at != all.end() && at->element == path[i] ? *at : *all.insert(at, Node{path[i], false, {}});
    if (i + 1 == path.size()) node.member = true;
    here = &node.children;
  }
}

void FieldSet::add(PathElement element, bool member, FieldSet children) {
  if (!member && children.empty()) return;
  // Nearly always in order.
  std::vector<Node>& all = own();
  auto at = all.end();
  if (!all.empty() && !(all.back().element < element))
    at = std::lower_bound(all.begin(), all.end(), element,
                          [](const Node& node, const PathElement& e) { return node.element < e; });
  all.insert(at, Node{std::move(element), member, std::move(children)});
}

FieldSet FieldSet::united(const FieldSet& other) const {
  if (empty() || nodes_ == other.nodes_) return other;
  if (other.empty()) return *this;
  FieldSet out;
  auto a = nodes().begin();
  auto b = other.nodes().begin();
  const auto a_end = nodes().end(), b_end = other.nodes().end();
  while (a != a_end || b != b_end) {
    const int by = a == a_end ? 1 : b == b_end ? -1 : compare(a->element, b->element);
    if (by < 0) {
      out.append(*a++);
    } else if (by > 0) {
      out.append(*b++);
    } else {
      out.append({a->element, a->member || b->member, a->children.united(b->children)});
      ++a, ++b;
    }
  }
  return out;
}

FieldSet FieldSet::intersected(const FieldSet& other) const {
  FieldSet out;
  auto a = nodes().begin();
  auto b = other.nodes().begin();
  while (a != nodes().end() && b != other.nodes().end()) {
    const int by = compare(a->element, b->element);
    if (by < 0) {
      ++a;
    } else if (by > 0) {
      ++b;
    } else {
      out.add(a->element, a->member && b->member, a->children.intersected(b->children));
      ++a, ++b;
    }
  }
  return out;
}

FieldSet FieldSet::without(const FieldSet& other) const {
  if (other.empty()) return *this;
  FieldSet out;
  auto b = other.nodes().begin();
  for (const Node& node : nodes()) {
    while (b != other.nodes().end() && b->element < node.element) ++b;
    if (b == other.nodes().end() || !(b->element == node.element))
      out.append(node);
    else
      out.add(node.element, node.member && !b->member, node.children.without(b->children));
  }
  return out;
}

FieldSet FieldSet::without_trees(const FieldSet& other) const {
  if (other.empty()) return *this;
  FieldSet out;
  auto b = other.nodes().begin();
  for (const Node& node : nodes()) {
    while (b != other.nodes().end() && b->element < node.element) ++b;
    if (b == other.nodes().end() || !(b->element == node.element))
      out.append(node);
    else if (!b->member)
      out.add(node.element, node.member, node.children.without_trees(b->children));
  }
  return out;
}

bool FieldSet::operator==(const FieldSet& other) const {
  return nodes_ == other.nodes_ || nodes() == other.nodes();
}

}  // namespace keelson::codec
