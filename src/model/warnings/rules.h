// The parts of which the warnings of a kind are put together.
#pragma once

#include "model/validation/common.h"
#include "model/warnings.h"

namespace keelson::model {

// `path` is null for a pod itself: only templates are warned of AppArmor annotations here, a pod's
// are dealt with before they are copied to its fields.
void warn_of_pod(const Path* path, const Value& pod, Warnings& warnings);
void warn_of_job_spec(const Path& path, const Value& spec, Warnings& warnings);
void warn_of_claim_spec(const Path& path, const Value& spec, Warnings& warnings);
void warn_of_node_selector_term(const Path& path, const Value& term, bool check_values,
                                Warnings& warnings);
// Why a node label should not be used any more; empty: it may be.
std::string_view node_label_deprecation(std::string_view key);
// A quantity of bytes that is no whole number.
void warn_of_fraction(const Path& path, const Value& resources, std::string_view key,
                      Warnings& warnings);

}  // namespace keelson::model
