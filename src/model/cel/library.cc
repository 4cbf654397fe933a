#include "model/cel/library.h"

#include <algorithm>

#include "codec/cel/time.h"
#include "model/time_zone.h"

namespace keelson::model {

namespace {

// Timestamps reach further than an Instant; beyond it the rules of its ends hold.
std::optional<int> zone_minutes(std::string_view name, std::int64_t unix_seconds) {
  constexpr std::int64_t end = INT64_MAX / 1'000'000'000;
  const auto zone = TimeZone::find(name);
  if (!zone) return std::nullopt;
  const Instant when = Instant::unix_seconds(std::clamp(unix_seconds, -end, end));
  return static_cast<int>(zone->offset_at(when) / 60);
}

std::shared_ptr<codec::cel::Library> make_library() {
  codec::cel::install_time_zones(zone_minutes);
  auto library = codec::cel::make_base_library();
  cel::add_url_library(*library);
  cel::add_quantity_library(*library);
  cel::add_address_library(*library);
  cel::add_version_library(*library);
  cel::add_format_library(*library);
  cel::add_authorizer_library(*library);
  return library;
}

// "~" and "/" as a JSON pointer writes them.
codec::cel::Datum escape_key(codec::cel::Arguments arguments) {
  std::string out;
  for (const char c : arguments[0].text()) {
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out += c;
  }
  return codec::cel::Datum::string(out);
}

}  // namespace

std::shared_ptr<const codec::cel::Library> cel_library() {
  static const std::shared_ptr<const codec::cel::Library> library = make_library();
  return library;
}

std::shared_ptr<const codec::cel::Library> cel_mutation_library() {
  static const std::shared_ptr<const codec::cel::Library> library = [] {
    auto made = make_library();
    made->add("jsonpatch.escapeKey", "string_jsonpatch_escapeKey_string",
              {codec::cel::string_type()}, codec::cel::string_type(), escape_key);
    return made;
  }();
  return library;
}

}  // namespace keelson::model
