// Addresses and ranges of addresses as texts: what Kubernetes takes for one, how Go writes it, and
// what it says of others (apimachinery pkg/util/validation/ip.go).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/field_error.h"

namespace keelson::model {

bool is_ipv4(std::string_view text);
bool is_ip(std::string_view text);
bool is_cidr(std::string_view text);
// 2 groups of 16 bits of an IPv4 address, 8 of an IPv6 one; none if the text is neither.
std::vector<std::uint16_t> ip_groups(std::string_view text);
void check_ip(const Path& path, std::string_view text, FieldErrors& errors);
void check_cidr(const Path& path, std::string_view text, FieldErrors& errors);
// The same, and written as Go writes it.
void check_canonical_ip(const Path& path, std::string_view text, FieldErrors& errors);
void check_canonical_cidr(const Path& path, std::string_view text, FieldErrors& errors);

// What is not wrong but not well written either: leading zeros, mapped addresses, bits beyond the
// prefix, other forms than RFC 5952's. Nothing is said of texts that are no address at all.
void warn_of_ip(const Path& path, std::string_view text, std::vector<std::string>& warnings);
void warn_of_cidr(const Path& path, std::string_view text, std::vector<std::string>& warnings);

}  // namespace keelson::model
