// The three ways to patch an object other than server-side apply, with the original's surprises and
// in its words: JSON patch and merge patch as evanphx/json-patch v4 does them, strategic merge
// patch as apimachinery's strategicpatch. Pure; the object given is never changed.
//
// Parts that a patch did not touch share their nodes with the original (Value::same_node).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/json.h"
#include "codec/schema.h"
#include "codec/value.h"

namespace keelson::codec {

// RFC 6902, but: replace of a missing member adds it, indices may be negative, a path needs no
// leading slash, a null patch changes nothing. Errors: bad_request for what is no patch;
// request_entity_too_large above 10,000 operations; else one `invalid` that does not say why.
Result<Value> apply_json_patch(const Value& object, const Value& patch);
// What strict decoding finds in a patch that is decoded: `json patch unknown field "[0].extra"`,
// `json patch duplicate field "[0].op"`.
std::vector<std::string> json_patch_warnings(const JsonDocument& patch);

// Fields that stand twice in the values of a JSON patch's operations, as paths in the object that
// it results in: "metadata.labels.a".
std::vector<std::string> json_patch_duplicates(const JsonDocument& patch);

// RFC 7396, but nulls are dropped inside of new lists, too.
Result<Value> apply_merge_patch(const Value& object, const Value& patch);

// Drops nulls from objects, also within lists; null elements of lists stay.
Value without_nulls(const Value& value);

// `type` is that of the object. Errors: bad_request or invalid for what the original recognises,
// else `unknown` (HTTP 500 with only a message).
Result<Value> apply_strategic_patch(const Value& object, const Value& patch, const Type& type);

// The merge patch that turns `from` into `to`.
Value merge_patch_between(const Value& from, const Value& to);
// Whether the result of a strategic merge patch fits its type, as the original finds out before it
// decodes. The text: "cannot restore slice from map"; empty: it fits.
std::string conversion_problem(const Value& object, const Type& type);

// A patched object as the original quotes it in an error: the members of structures in the order of
// their type where the patch did not pass, sorted where it did. `type` null: sorted everywhere.
std::string patched_text(const Value& patched, const Value& original, const Type* type);

}  // namespace keelson::codec
