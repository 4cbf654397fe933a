// semver(), isSemver() and what semantic versions can do. Source: blang/semver v4.
#include <charconv>
#include <vector>

#include "base/text.h"
#include "model/cel/library.h"

namespace keelson::model::cel {

namespace {

using codec::cel::Arguments;
using codec::cel::Datum;
using codec::cel::TypePtr;

struct Identifier {
  bool numeric = false;
  std::uint64_t number = 0;
  std::string text = {};
};

struct Version {
  std::uint64_t major = 0, minor = 0, patch = 0;
  std::vector<Identifier> prerelease = {};
  std::vector<std::string> build = {};
};

Error bad(std::string message) {
  return Error{.reason = Reason::invalid, .message = std::move(message)};
}

bool only_digits(std::string_view text) {
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}
bool only_letters(std::string_view text) {
  return text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789") ==
         std::string_view::npos;
}
bool leading_zeroes(std::string_view text) {
  return text.size() > 1 && text[0] == '0';
}

Result<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  const bool range = error == std::errc::result_out_of_range;
  return bad("strconv.ParseUint: parsing " + quote(text) + ": " +
             (range ? "value out of range" : "invalid syntax"));
}

Result<std::uint64_t> parse_part(std::string_view text, const char* lower, const char* upper) {
  if (!only_digits(text))
    return bad(std::string("Invalid character(s) found in ") + lower + " number " + quote(text));
  if (leading_zeroes(text))
    return bad(std::string(upper) + " number must not contain leading zeroes " + quote(text));
  return parse_number(text);
}

Result<Identifier> parse_identifier(const std::string& text) {
  if (text.empty()) return bad("Prerelease is empty");
  if (only_digits(text)) {
    if (leading_zeroes(text))
      return bad("Numeric PreRelease version must not contain leading zeroes " + quote(text));
    TRY(const std::uint64_t number, parse_number(text));
    return Identifier{true, number, {}};
  }
  if (!only_letters(text)) return bad("Invalid character(s) found in prerelease " + quote(text));
  return Identifier{false, 0, text};
}

Result<Version> parse_version(std::string_view text) {
  if (text.empty()) return bad("Version string empty");
  const std::size_t first = text.find('.');
  const std::size_t second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos) return bad("No Major.Minor.Patch elements found");
  Version version;
  TRY(version.major, parse_part(text.substr(0, first), "major", "Major"));
  TRY(version.minor, parse_part(text.substr(first + 1, second - first - 1), "minor", "Minor"));
  std::string_view rest = text.substr(second + 1);
  std::vector<std::string> prerelease;
  if (const std::size_t plus = rest.find('+'); plus != std::string_view::npos) {
    version.build = split(rest.substr(plus + 1), '.');
    rest = rest.substr(0, plus);
  }
  if (const std::size_t dash = rest.find('-'); dash != std::string_view::npos) {
    prerelease = split(rest.substr(dash + 1), '.');
    if (prerelease.empty()) prerelease.emplace_back();
    rest = rest.substr(0, dash);
  }
  TRY(version.patch, parse_part(rest, "patch", "Patch"));
  for (const std::string& part : prerelease) {
    TRY(Identifier identifier, parse_identifier(part));
    version.prerelease.push_back(std::move(identifier));
  }
  for (const std::string& part : version.build) {
    if (part.empty()) return bad("Build meta data is empty");
    if (!only_letters(part))
      return bad("Invalid character(s) found in build meta data " + quote(part));
  }
  return version;
}

// Tolerates a leading "v", leading zeroes and missing parts.
Result<Version> parse_tolerant(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  std::vector<std::string> parts;
  while (parts.size() < 2 && text.find('.') != std::string_view::npos) {
    parts.emplace_back(text.substr(0, text.find('.')));
    text.remove_prefix(text.find('.') + 1);
  }
  parts.emplace_back(text);
  for (std::string& part : parts) {
    if (part.size() <= 1) continue;
    std::string stripped = part.substr(std::min(part.find_first_not_of('0'), part.size()));
    if (stripped.empty() || stripped[0] < '0' || stripped[0] > '9') stripped.insert(0, 1, '0');
    part = stripped;
  }
  if (parts.size() < 3) {
    if (parts.back().find_first_of("+-") != std::string::npos)
      return bad("short version cannot contain PreRelease/Build meta data");
    while (parts.size() < 3) parts.emplace_back("0");
  }
  return parse_version(join(parts, "."));
}

int order(std::uint64_t a, std::uint64_t b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
int compare(const Identifier& a, const Identifier& b) {
  if (a.numeric != b.numeric) return a.numeric ? -1 : 1;
  if (a.numeric) return order(a.number, b.number);
  return a.text < b.text ? -1 : a.text > b.text ? 1 : 0;
}
int compare(const Version& a, const Version& b) {
  if (const int major = order(a.major, b.major)) return major;
  if (const int minor = order(a.minor, b.minor)) return minor;
  if (const int patch = order(a.patch, b.patch)) return patch;
  // A prerelease comes before its release.
  if (a.prerelease.empty() || b.prerelease.empty())
    return order(b.prerelease.size() > 0 ? 1 : 0, a.prerelease.size() > 0 ? 1 : 0);
  for (std::size_t i = 0; i < a.prerelease.size() && i < b.prerelease.size(); ++i)
    if (const int sign = compare(a.prerelease[i], b.prerelease[i])) return sign;
  return order(a.prerelease.size(), b.prerelease.size());
}

const TypePtr& version_type() {
  static const TypePtr type = codec::cel::object_type("kubernetes.Semver");
  return type;
}

class VersionNode final : public codec::cel::Opaque {
 public:
  explicit VersionNode(Version version) : value(std::move(version)) {}
  const TypePtr& type() const override { return version_type(); }
  bool equals(const Opaque& other) const override {
    return compare(value, static_cast<const VersionNode&>(other).value) == 0;
  }
  Version value;
};

const Version& version_of(const Datum& datum) {
  return static_cast<const VersionNode&>(datum.as_opaque()).value;
}
Result<Version> parse(Arguments arguments) {
  const bool tolerant = arguments.size() == 2 && arguments[1].as_bool();
  return tolerant ? parse_tolerant(arguments[0].text()) : parse_version(arguments[0].text());
}
Datum datum_of(Result<Version> version) {
  if (!version.ok()) return Datum::error(version.error().message);
  return Datum::opaque(std::make_shared<VersionNode>(*version));
}
Datum semver(Arguments arguments) {
  return datum_of(parse(arguments));
}
Datum is_semver(Arguments arguments) {
  return Datum::boolean(parse(arguments).ok());
}
template <std::uint64_t Version::*Part>
Datum part(Arguments arguments) {
  return Datum::integer(static_cast<std::int64_t>(version_of(arguments[0]).*Part));
}
int order_of(Arguments arguments) {
  return compare(version_of(arguments[0]), version_of(arguments[1]));
}

}  // namespace

Datum version_datum(std::string_view text) {
  return datum_of(parse_version(text));
}

void add_version_library(codec::cel::Library& library) {
  using namespace codec::cel;
  const TypePtr v = version_type();
  library.add("semver", "string_to_semver", {string_type()}, v, semver);
  library.add("semver", "string_bool_to_semver", {string_type(), bool_type()}, v, semver);
  library.add("isSemver", "is_semver_string", {string_type()}, bool_type(), is_semver);
  library.add("isSemver", "is_semver_string_bool", {string_type(), bool_type()}, bool_type(),
              is_semver);
  library.add_member("isGreaterThan", "semver_is_greater_than", {v, v}, bool_type(),
                     [](Arguments x) { return Datum::boolean(order_of(x) > 0); });
  library.add_member("isLessThan", "semver_is_less_than", {v, v}, bool_type(),
                     [](Arguments x) { return Datum::boolean(order_of(x) < 0); });
  library.add_member("compareTo", "semver_compare_to", {v, v}, int_type(),
                     [](Arguments x) { return Datum::integer(order_of(x)); });
  library.add_member("major", "semver_major", {v}, int_type(), part<&Version::major>);
  library.add_member("minor", "semver_minor", {v}, int_type(), part<&Version::minor>);
  library.add_member("patch", "semver_patch", {v}, int_type(), part<&Version::patch>);
}

}  // namespace keelson::model::cel
