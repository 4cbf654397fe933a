// YAML text in and out as Kubernetes reads and writes it: YAML 1.1 scalars (yes, on and y are
// booleans, 010 is 8, a key n becomes "false"), JSON-compatible values only, and the wording of the
// original's errors (go-yaml v2 through sigs.k8s.io/yaml), because clients see them.
//
// The parser is libyaml, of which the original's is a port: texts and lines of errors agree.
// Limits: nesting 1,000 deep (the scanner is quadratic in it); aliases must not blow a document up.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::codec {

// Where a part of a document begins; lines and columns count from 1, 0 means unknown.
struct YamlPosition {
  int line = 0, column = 0;
  bool operator==(const YamlPosition&) const = default;
};

// The positions of a document, as a tree beside its value.
struct YamlPlace {
  std::string key;  // of a member; empty for the root and for elements
  YamlPosition at;  // of a member: where its key stands
  bool sequence = false;
  std::vector<YamlPlace> children;

  // The position of a field path as validation names it: "spec.containers[0].image",
  // "metadata.annotations[a.b/c]", "metadata.labels.a.b". What is not there has the position of the
  // nearest part above it that is.
  YamlPosition find(std::string_view path) const;
};

struct YamlDocument {
  Value value;  // null for an empty document
  // One text for each key that stood more than once (the last one won), as strict decoding reports
  // it: `line 7: key "k" already set in map`.
  std::vector<std::string> duplicates;
  YamlPlace places;  // only if asked for
};

enum class YamlPlaces : std::uint8_t { leave_out, record };

// The first document of a text; what follows is not looked at, as in the original. Error:
// bad_request, e.g. "yaml: line 6: did not find expected ',' or ']'", whose line is the original's
// (for some errors one less than the true one).
Result<YamlDocument> parse_yaml(std::string_view text, YamlPlaces places = YamlPlaces::leave_out);

// One document of a file. Each is parsed by itself, so that a damaged one costs no other.
struct YamlPart {
  YamlDocument document;  // with places; lines are those of the whole text
  struct Problem {
    YamlPosition at;      // the true one; of the first key where a value cannot be used
    std::string message;  // without position: "did not find expected ',' or ']'"
  };
  std::optional<Problem> problem = {};
};
// All documents of a file of manifests, split at lines that begin with "---"; empty ones are left
// out. JSON text is YAML too.
std::vector<YamlPart> parse_yaml_parts(std::string_view text);

// Block style, keys in the original's natural order (a2 before a10), long plain and quoted strings
// folded past 80 columns; ends in a newline. The same bytes as kubectl -o yaml.
std::string to_yaml(const Value& value);

}  // namespace keelson::codec
