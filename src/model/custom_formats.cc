#include "model/custom_formats.h"

#include <algorithm>

namespace keelson::model {
namespace {

using codec::Value;

// Without dashes, as they are compared.
constexpr std::string_view kTextFormats[] = {
    "bsonobjectid", "uri",      "email",    "hostname",    "ipv4",        "ipv6", "cidr",
    "mac",          "uuid",     "uuid3",    "uuid4",       "uuid5",       "isbn", "isbn10",
    "isbn13",       "ssn",      "hexcolor", "rgbcolor",    "creditcard",  "byte", "password",
    "date",         "duration", "datetime", "k8slongname", "k8sshortname"};

void collect(const Value& schema, std::vector<std::string>& out) {
  if (!schema.is_object()) return;
  const std::string_view format = schema["format"].as_string();
  if (!format.empty() && !is_recognised_format(schema["type"].as_string(), format))
    out.emplace_back(format);
  const Value& items = schema["items"];
  if (items.is_array())
    for (const Value& one : items.elements()) collect(one, out);
  else
    collect(items, out);
  for (std::string_view key : {"allOf", "anyOf", "oneOf"})
    for (const Value& one : schema[key].elements()) collect(one, out);
  collect(schema["not"], out);
  for (const codec::Member& one : schema["properties"].members()) collect(one.value, out);
  collect(schema["additionalProperties"], out);
}

}  // namespace

bool is_recognised_format(std::string_view type, std::string_view format) {
  if (type == "integer") return format == "int32" || format == "int64";
  if (type == "number") return format == "float" || format == "double";
  if (!type.empty() && type != "string") return false;
  std::string plain(format);
  plain.erase(std::remove(plain.begin(), plain.end(), '-'), plain.end());
  return std::find(std::begin(kTextFormats), std::end(kTextFormats), plain) !=
         std::end(kTextFormats);
}

std::vector<std::string> unrecognised_formats(const Value& spec) {
  std::vector<std::string> out;
  for (const Value& version : spec["versions"].elements())
    collect(version["schema"]["openAPIV3Schema"], out);
  return out;
}

}  // namespace keelson::model
