// url(), isURL() and the parts of URLs.
#include "model/cel/library.h"
#include "model/cel/url.h"

namespace keelson::model::cel {

namespace {

using codec::cel::Arguments;
using codec::cel::Datum;
using codec::cel::TypePtr;

const TypePtr& url_type() {
  static const TypePtr type = codec::cel::object_type("kubernetes.URL");
  return type;
}

class UrlNode final : public codec::cel::Opaque {
 public:
  explicit UrlNode(Url url) : value(std::move(url)) {}
  const TypePtr& type() const override { return url_type(); }
  bool equals(const Opaque& other) const override {
    const Url& theirs = static_cast<const UrlNode&>(other).value;
    return value.text == theirs.text;
  }
  Url value;
};

const Url& url_of(const Datum& datum) {
  return static_cast<const UrlNode&>(datum.as_opaque()).value;
}

Datum url(Arguments arguments) {
  Result<Url> parsed = parse_request_uri(arguments[0].text());
  if (!parsed.ok())
    return Datum::error("URL parse error during conversion from string: " + parsed.error().message);
  // A fragment is no part of what follows it.
  Url whole = *parsed;
  if (const std::size_t hash = whole.text.find('#'); hash != std::string::npos) {
    Result<Url> without = parse_request_uri(whole.text.substr(0, hash));
    if (without.ok()) {
      const std::string text = whole.text;
      whole = *without;
      whole.text = text;
    }
  }
  return Datum::opaque(std::make_shared<UrlNode>(std::move(whole)));
}

Datum query(Arguments arguments) {
  std::vector<std::pair<Datum, Datum>> entries;
  for (const auto& [key, values] : url_of(arguments[0]).query()) {
    std::vector<Datum> texts;
    for (const std::string& value : values) texts.push_back(Datum::string(value));
    entries.emplace_back(Datum::string(key), Datum::list(std::move(texts)));
  }
  return Datum::map(std::move(entries));
}

}  // namespace

std::string request_uri_error(std::string_view text) {
  const Result<Url> parsed = parse_request_uri(text);
  return parsed.ok() ? std::string() : parsed.error().message;
}

void add_url_library(codec::cel::Library& library) {
  using namespace codec::cel;
  const TypePtr u = url_type();
  library.add("url", "string_to_url", {string_type()}, u, url);
  library.add("isURL", "is_url_string", {string_type()}, bool_type(),
              [](Arguments x) { return Datum::boolean(parse_request_uri(x[0].text()).ok()); });
  const auto part = [&](std::string_view name, std::string_view id, Implementation run) {
    library.add_member(name, id, {u}, string_type(), run);
  };
  part("getScheme", "url_get_scheme",
       [](Arguments x) { return Datum::string(url_of(x[0]).scheme); });
  part("getHost", "url_get_host", [](Arguments x) { return Datum::string(url_of(x[0]).host); });
  part("getHostname", "url_get_hostname",
       [](Arguments x) { return Datum::string(url_of(x[0]).hostname()); });
  part("getPort", "url_get_port", [](Arguments x) { return Datum::string(url_of(x[0]).port()); });
  part("getEscapedPath", "url_get_escaped_path",
       [](Arguments x) { return Datum::string(url_of(x[0]).escaped_path()); });
  library.add_member("getQuery", "url_get_query", {u},
                     map_of(string_type(), list_of(string_type())), query);
}

}  // namespace keelson::model::cel
