// The CEL environment of Kubernetes 1.36: the language and cel-go's extensions (codec/cel), and
// Kubernetes' own libraries of quantities, addresses, URLs, versions, named formats and the
// authorizer. Source: apiserver pkg/cel/environment/base.go and pkg/cel/library.
#pragma once

#include <memory>

#include "codec/cel/environment.h"

namespace keelson::model {

// Made once. For rules of custom resources, admission policies, match conditions and devices.
std::shared_ptr<const codec::cel::Library> cel_library();
// With jsonpatch.escapeKey(), for mutating admission policies.
std::shared_ptr<const codec::cel::Library> cel_mutation_library();

namespace cel {
void add_quantity_library(codec::cel::Library& library);
void add_address_library(codec::cel::Library& library);
void add_url_library(codec::cel::Library& library);
void add_version_library(codec::cel::Library& library);
void add_format_library(codec::cel::Library& library);
void add_authorizer_library(codec::cel::Library& library);
const codec::cel::TypePtr& quantity_type();
// A quantity as a datum, from its text; an error datum if it is none.
codec::cel::Datum quantity_datum(std::string_view text);
// A semantic version likewise.
codec::cel::Datum version_datum(std::string_view text);
// What is wrong with a URI as Go's url.ParseRequestURI says it; empty if nothing is.
std::string request_uri_error(std::string_view text);
}  // namespace cel

}  // namespace keelson::model
