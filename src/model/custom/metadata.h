// metadata of custom objects and of whole objects embedded in them: read as ObjectMeta is, while
// everything around it follows the schema. Behaviour: apiextensions-apiserver
// pkg/apiserver/schema/objectmeta.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/value.h"
#include "model/field_error.h"

namespace keelson::model {

struct DecodedMetadata {
  codec::Value metadata;
  std::vector<std::string> unknown;  // paths below metadata
  std::string problem;               // why it cannot be read, in Go's words; empty: it can
};
DecodedMetadata decode_metadata(const codec::Value& metadata);

// Normalises apiVersion, kind and metadata of embedded objects, and collects fields that ObjectMeta
// does not have. The result is what cannot be read, as an error names it; with `lenient` such parts
// are dropped instead.
std::optional<std::string> coerce_embedded(const codec::Value& schema, codec::Value& value,
                                           bool lenient, std::vector<std::string>* unknown);

// Checks the embedded objects of a value at `at` (empty: of a whole object).
void check_embedded(const codec::Value& schema, const codec::Value& value, const std::string& at,
                    FieldErrors& errors);

}  // namespace keelson::model
