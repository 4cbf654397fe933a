// Protobuf bytes without a schema, as recordings hold them: [[field, value]...]. A length-delimited
// value is text if printable, else a message if it parses, else base64; seconds near today are
// "<time>", short numbers in text "<digits>".
#pragma once

#include <string>
#include <string_view>

#include "app/golden/ordered_json.h"
#include "codec/value.h"

namespace keelson::app {

codec::Value read_wire(std::string_view bytes);
// The bytes of such a list: a number is a varint, a text or {"base64": ...} is bytes, a list a
// message.
std::string write_wire(const OrderedJson& fields);

}  // namespace keelson::app
