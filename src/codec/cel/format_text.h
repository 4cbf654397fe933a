// string.format(): the clauses %s %d %f %e %b %x %X %o with a precision, as cel-go has them in the
// locale en_US. The same reading serves evaluation and the check of constant format strings.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/cel/datum.h"

namespace keelson::codec::cel {

Datum format_text(std::string_view format, const List& arguments);

struct FormatFault {
  std::string message;
  std::int64_t argument = -1;  // the argument that does not fit; -1: the format itself
};
// Reads the format; `fits` says whether the argument can be printed by the clause, with the name of
// the type that cannot. Returns how many arguments it took.
Result<std::int64_t> check_format(
    std::string_view format, std::int64_t arguments,
    const std::function<bool(std::int64_t argument, char clause, std::string& bad_type)>& fits,
    FormatFault& fault);

}  // namespace keelson::codec::cel
