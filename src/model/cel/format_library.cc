// Named formats: format.dns1123Label().validate(text) ...
#include <re2/re2.h>

#include "base/text.h"
#include "codec/cel/time.h"
#include "model/cel/library.h"
#include "model/formats.h"

namespace keelson::model::cel {

namespace {

using codec::cel::Arguments;
using codec::cel::Datum;
using codec::cel::TypePtr;

const TypePtr& format_type() {
  static const TypePtr type = codec::cel::object_type("kubernetes.NamedFormat");
  return type;
}

class FormatNode final : public codec::cel::Opaque {
 public:
  FormatNode(std::string_view named, Messages (*check)(std::string_view), std::int64_t pattern_max)
      : name(named), validate(check), pattern_max_(pattern_max) {}
  const TypePtr& type() const override { return format_type(); }
  bool equals(const Opaque& other) const override {
    return name == static_cast<const FormatNode&>(other).name;
  }
  std::int64_t size() const override { return pattern_max_; }  // what validate() costs
  std::string_view name;
  Messages (*validate)(std::string_view text);

 private:
  std::int64_t pattern_max_;
};

// A prefix may end in a dash, because something follows it.
template <Messages (*Check)(std::string_view)>
Messages as_prefix(std::string_view text) {
  if (!text.ends_with('-')) return Check(text);
  std::string masked(text.substr(0, text.size() - 1));
  // The dash stands for a letter, unless another dash stands before it.
  return Check(masked.empty() ? std::string("a") : masked + "a");
}

Messages uri(std::string_view text) {
  const std::string error = request_uri_error(text);
  return error.empty() ? Messages{} : Messages{error};
}
Messages uuid(std::string_view text) {
  static const re2::RE2 pattern(
      "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$");
  if (re2::RE2::FullMatch({text.data(), text.size()}, pattern)) return {};
  return {"does not match the UUID format"};
}
Messages byte(std::string_view text) {
  return !text.empty() && from_base64(text) ? Messages{} : Messages{"invalid base64"};
}
Messages date(std::string_view text) {
  return codec::cel::parse_date(text) ? Messages{} : Messages{"invalid date"};
}
Messages datetime(std::string_view text) {
  static const re2::RE2 pattern(
      "^[0-9]{4}-[0-9]{2}-[0-9]{2}t([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?"
      "(z|([+-][0-9]{2}:[0-9]{2}))$");
  std::string hour, minute, second;
  const std::string lower = to_lower(text);
  const bool good = re2::RE2::FullMatch(lower, pattern, &hour, &minute, &second) && hour <= "23" &&
                    minute <= "59" && second <= "59" && codec::cel::parse_date(lower.substr(0, 10));
  return good ? Messages{} : Messages{"invalid datetime"};
}

const std::vector<std::pair<std::string_view, std::shared_ptr<const FormatNode>>>& formats() {
  static const auto all = [] {
    std::vector<std::pair<std::string_view, std::shared_ptr<const FormatNode>>> list;
    const auto put = [&](std::string_view function, std::string_view name,
                         Messages (*check)(std::string_view), std::int64_t pattern_max) {
      list.emplace_back(function, std::make_shared<FormatNode>(name, check, pattern_max));
    };
    put("dns1123Label", "DNS1123Label", dns1123_label_messages, 30);
    put("dns1123Subdomain", "DNS1123Subdomain", dns1123_subdomain_messages, 60);
    put("dns1035Label", "DNS1035Label", dns1035_label_messages, 30);
    put("qualifiedName", "QualifiedName", label_key_messages, 60);
    put("dns1123LabelPrefix", "DNS1123LabelPrefix", as_prefix<dns1123_label_messages>, 30);
    put("dns1123SubdomainPrefix", "DNS1123SubdomainPrefix", as_prefix<dns1123_subdomain_messages>,
        60);
    put("dns1035LabelPrefix", "DNS1035LabelPrefix", as_prefix<dns1035_label_messages>, 30);
    put("labelValue", "LabelValue", label_value_messages, 40);
    put("uri", "URI", uri, 1000);
    put("uuid", "uuid", uuid, 69);
    put("byte", "byte", byte, 84);
    put("date", "date", date, 71);
    put("datetime", "datetime", datetime, 71);
    return list;
  }();
  return all;
}

Datum validate(Arguments arguments) {
  const auto& format = static_cast<const FormatNode&>(arguments[0].as_opaque());
  const Messages messages = format.validate(arguments[1].text());
  if (messages.empty()) return Datum::optional_none();
  std::vector<Datum> texts;
  for (const std::string& message : messages) texts.push_back(Datum::string(message));
  return Datum::optional_of(Datum::list(std::move(texts)));
}

Datum named(Arguments arguments) {
  for (const auto& [function, format] : formats())
    if (function == arguments[0].text()) return Datum::optional_of(Datum::opaque(format));
  return Datum::optional_none();
}

// One function without arguments for each format.
template <std::size_t Index>
Datum constant(Arguments) {
  return Datum::opaque(formats()[Index].second);
}
template <std::size_t... Indexes>
void add_constants(codec::cel::Library& library, std::index_sequence<Indexes...>) {
  const auto add = [&](std::size_t index, codec::cel::Implementation run) {
    const std::string name = "format." + std::string(formats()[index].first);
    library.add(name, name, {}, format_type(), run);
  };
  (add(Indexes, constant<Indexes>), ...);
}

}  // namespace

void add_format_library(codec::cel::Library& library) {
  using namespace codec::cel;
  constexpr std::size_t kFormats = 13;
  add_constants(library, std::make_index_sequence<kFormats>());
  library.add_member("validate", "format-validate", {format_type(), string_type()},
                     optional_of(list_of(string_type())), validate);
  library.add("format.named", "format-named", {string_type()}, optional_of(format_type()), named);
}

}  // namespace keelson::model::cel
