// What the rules of several kinds share. A rule reads an object in normal form (decoded and
// defaulted), appends to `errors`, and never changes anything. Order of errors is the original's.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>

#include "base/text.h"
#include "codec/value.h"
#include "model/field_error.h"
#include "model/formats.h"
#include "model/meta.h"
#include "model/quantity.h"
#include "model/validation/addresses.h"

namespace keelson::model {

constexpr std::string_view kNegative = "must be greater than or equal to 0";
constexpr std::string_view kNotPositive = "must be greater than zero";
constexpr std::string_view kImmutable = "field is immutable";

using NameMessages = Messages (*)(std::string_view name, bool prefix);

// What wants one of a few words: required if empty, else not_supported with the words as listed.
void check_one_of(const Path& path, const Value& value,
                  std::initializer_list<std::string_view> words, FieldErrors& errors);
// The same where empty is as unsupported as any other word.
void check_supported(const Path& path, const Value& value,
                     std::initializer_list<std::string_view> words, FieldErrors& errors);
bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words);

void check_not_negative(const Path& path, const Value& number, FieldErrors& errors);
void check_positive(const Path& path, const Value& number, FieldErrors& errors);
void check_port(const Path& path, const Value& number, FieldErrors& errors);
// Fails unless equal; a printed value where the original prints an internal struct.
void check_immutable(const Path& path, const Value& now, const Value& before, FieldErrors& errors);

void check_labels(const Path& path, const Value& labels, FieldErrors& errors);
void check_annotations(const Path& path, const Value& annotations, FieldErrors& errors);
// `lenient_values`: values that an older object already had may be malformed.
void check_label_selector(const Path& path, const Value& selector, FieldErrors& errors,
                          bool lenient_values = false);
// The selector as the original prints it: {"matchLabels":{...},"matchExpressions":[...]}.
std::string printed_selector(const Value& selector);

// One error for each message about the name.
void check_name(const Path& path, std::string_view name, NameMessages messages,
                FieldErrors& errors);
Messages subdomain_name(std::string_view name, bool prefix);   // most kinds
Messages label_name(std::string_view name, bool prefix);       // namespaces, services since 1.34
Messages label_1035_name(std::string_view name, bool prefix);  // services
Messages path_segment_name(std::string_view name, bool prefix);
// A subdomain, in the words of the rules that types declare; these leave generateName alone.
Messages declared_subdomain_name(std::string_view name, bool prefix);

void check_metadata(const Value& metadata, bool namespaced, NameMessages name, const Path& path,
                    FieldErrors& errors);
// The same with the core group's further rule on finalizers, which nearly all kinds use.
void check_kind_metadata(const Value& metadata, bool namespaced, NameMessages name,
                         const Path& path, FieldErrors& errors);
void check_kind_metadata_update(const Value& now, const Value& before, const Path& path,
                                FieldErrors& errors);
void check_metadata_update(const Value& now, const Value& before, const Path& path,
                           FieldErrors& errors);

// Metadata of objects that are made from a template: labels and annotations, nothing else.
void check_template_metadata(const Path& path, const Value& metadata, FieldErrors& errors);

// Quantities.
void check_quantity_not_negative(const Path& path, const Value& quantity, FieldErrors& errors);
// int-or-string helpers.
bool is_percent(const Value& value);
void check_port_number_or_name(const Path& path, const Value& port, FieldErrors& errors);
void check_positive_int_or_percent(const Path& path, const Value& value, FieldErrors& errors);
void check_at_most_hundred_percent(const Path& path, const Value& value, FieldErrors& errors);
std::int64_t percent_or_int(const Value& value);

// "example.com/path", as controllers are named.
void check_domain_prefixed_path(const Path& path, std::string_view text, FieldErrors& errors);

// "a resource name" as quotas, requests and limits want it: a qualified name; unprefixed ones from
// a known set.
void check_qualified_name(const Path& path, std::string_view name, FieldErrors& errors);

inline std::string_view text_of(const Value& object, std::string_view key) {
  return object[key].as_string();
}
inline bool empty_text(const Value& value) {
  return value.as_string().empty();
}

}  // namespace keelson::model
