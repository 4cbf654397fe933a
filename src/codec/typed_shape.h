// How a value is to be treated under its type: the inside of typed.h, shared by its walks.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "codec/field_set.h"
#include "codec/schema.h"

namespace keelson::codec {

// The form in which a value is walked. A free-form value takes the form that it has.
enum class Form : std::uint8_t { scalar, list, map };

// Free-form values: of built-in types they are owned as a whole, of custom resources in depth.
const Use& free_form();
const Use& free_form_atomic();

Form form_of(const Use& use, const Value& value);
bool is_free_form(const Use& use);
bool is_atomic(const Use& use, Form form);

// How the member of a map or structure is used; null: the structure has no such field.
const Use* member_use(const Use& use, std::string_view key);
// Whether the key is a named field of a structure (not the key of a map).
bool is_named_field(const Use& use, std::string_view key);
const Use& element_use(const Use& use);

// How an element of a set or keyed list is found. Error: why it cannot be.
Result<PathElement> element_of(const Use& list, const Value& element);

}  // namespace keelson::codec
