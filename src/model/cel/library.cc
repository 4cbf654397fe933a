#include "model/cel/library.h"

namespace keelson::model {

namespace {

std::shared_ptr<codec::cel::Library> make_library() {
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
