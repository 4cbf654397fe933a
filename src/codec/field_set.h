// FieldSet: which fields of an object somebody owns, as structured-merge-diff keeps them and
// managedFields (FieldsV1) writes them:
//
//   {"f:metadata": {"f:labels": {".": {}, "f:app": {}}},
//    "f:spec": {"f:ports": {"k:{\"port\":80}": {"f:name": {}}}, "f:finalizers": {"v:\"a\"": {}}}}
//
// owns .metadata.labels, .metadata.labels.app, .spec.ports[port=80].name and
// .spec.finalizers[="a"]. Owning a field says nothing of those below it. Nodes are sorted, and a
// node without members below it does not exist. Copies share what neither changes; not for several
// threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::codec {

// How a part is found in what holds it. Sorted by kind, then by value.
struct PathElement {
  enum class Kind : std::uint8_t { field, key, value, index };
  Kind kind = Kind::field;
  Value value;  // the name; an object of key fields; a set's element; a number

  static PathElement field(std::string_view name) { return {Kind::field, Value(name)}; }
  std::string_view name() const { return value.as_string(); }
  // As in messages: ".spec", "[name=\"a\"]", "[=\"x\"]", "[3]".
  std::string text() const;
  // As in FieldsV1: "f:spec", "k:{\"name\":\"a\"}", "v:\"x\"", "i:3".
  std::string serialized() const;
};
int compare(const PathElement& a, const PathElement& b);
inline bool operator<(const PathElement& a, const PathElement& b) {
  return compare(a, b) < 0;
}
inline bool operator==(const PathElement& a, const PathElement& b) {
  return compare(a, b) == 0;
}

using FieldPath = std::vector<PathElement>;
std::string to_text(const FieldPath& path);
FieldPath field_path(std::initializer_list<std::string_view> names);

class FieldSet {
 public:
  struct Node;

  FieldSet() = default;
  FieldSet(std::initializer_list<FieldPath> paths);
  // Elements of a kind that is not known are left out. Error: bad_request.
  static Result<FieldSet> of_json(const Value& fields);
  Value to_json() const;

  bool empty() const { return nodes_ == nullptr; }
  const std::vector<Node>& nodes() const;
  bool has(const FieldPath& path) const;
  // Null if nothing below this element is in the set.
  const FieldSet* below(const PathElement& element) const;
  bool has_member(const PathElement& element) const;
  // All paths: the members of a level before what is below them.
  void each(const std::function<void(const FieldPath&)>& call) const;
  std::vector<FieldPath> paths() const;

  void insert(const FieldPath& path);
  // Adds one node, which must not be there yet; does nothing if it would be empty.
  void add(PathElement element, bool member, FieldSet children);

  FieldSet united(const FieldSet& other) const;
  FieldSet intersected(const FieldSet& other) const;
  // Without the members of the other set; what is below them stays.
  FieldSet without(const FieldSet& other) const;
  // Without the members of the other set and all that is below them.
  FieldSet without_trees(const FieldSet& other) const;
  bool operator==(const FieldSet& other) const;

 private:
  const Node* find(const PathElement& element) const;
  std::vector<Node>& own();                   // to change: nobody else's
  void append(Node node);                     // behind all others
  std::shared_ptr<std::vector<Node>> nodes_;  // null: none
};

struct FieldSet::Node {
  PathElement element;
  bool member = false;
  FieldSet children;
  bool operator==(const Node& other) const = default;
};

}  // namespace keelson::codec
