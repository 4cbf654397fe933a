// ip(), cidr() and what addresses and prefixes can do.
#include "base/text.h"
#include "model/cel/address.h"
#include "model/cel/library.h"

namespace keelson::model::cel {

namespace {

using codec::cel::Arguments;
using codec::cel::Datum;
using codec::cel::TypePtr;

const TypePtr& address_type() {
  static const TypePtr type = codec::cel::opaque_type("net.IP");
  return type;
}
const TypePtr& prefix_type() {
  static const TypePtr type = codec::cel::opaque_type("net.CIDR");
  return type;
}

class AddressNode final : public codec::cel::Opaque {
 public:
  explicit AddressNode(Address address) : value(std::move(address)) {}
  const TypePtr& type() const override { return address_type(); }
  bool equals(const Opaque& other) const override {
    return value == static_cast<const AddressNode&>(other).value;
  }
  std::int64_t size() const override { return value.bits() / 8; }
  Address value;
};

class PrefixNode final : public codec::cel::Opaque {
 public:
  explicit PrefixNode(Prefix prefix) : value(std::move(prefix)) {}
  const TypePtr& type() const override { return prefix_type(); }
  bool equals(const Opaque& other) const override {
    return value == static_cast<const PrefixNode&>(other).value;
  }
  std::int64_t size() const override { return value.address.bits() / 8; }
  Prefix value;
};

const Address& address_of(const Datum& datum) {
  return static_cast<const AddressNode&>(datum.as_opaque()).value;
}
const Prefix& prefix_of(const Datum& datum) {
  return static_cast<const PrefixNode&>(datum.as_opaque()).value;
}
Datum datum_of(Address address) {
  return Datum::opaque(std::make_shared<AddressNode>(std::move(address)));
}
Datum datum_of(Prefix prefix) {
  return Datum::opaque(std::make_shared<PrefixNode>(std::move(prefix)));
}

Error bad(std::string message) {
  return Error{.reason = Reason::invalid, .message = std::move(message)};
}

Result<Address> allowed_address(std::string_view text) {
  Result<Address> address = parse_address(text);
  if (!address.ok())
    return bad("IP Address " + quote(text) +
               " parse error during conversion from string: " + address.error().message);
  if (!address->zone.empty())
    return bad("IP address " + quote(text) + " with zone value is not allowed");
  if (address->is_v4_in_v6())
    return bad("IPv4-mapped IPv6 address " + quote(text) + " is not allowed");
  return address;
}

constexpr const char* kPrefixFault = "network address parse error during conversion from string: ";

Result<Prefix> allowed_prefix(std::string_view text) {
  Result<Prefix> prefix = parse_prefix(text);
  if (!prefix.ok()) return bad(kPrefixFault + prefix.error().message);
  if (prefix->address.is_v4_in_v6())
    return bad("IPv4-mapped IPv6 address " + quote(text) + " is not allowed");
  return prefix;
}

Datum ip(Arguments arguments) {
  Result<Address> address = allowed_address(arguments[0].text());
  return address.ok() ? datum_of(*address) : Datum::error(address.error().message);
}
Datum is_ip(Arguments arguments) {
  return Datum::boolean(allowed_address(arguments[0].text()).ok());
}
Datum is_canonical(Arguments arguments) {
  const Result<Address> address = allowed_address(arguments[0].text());
  if (!address.ok()) return Datum::error(address.error().message);
  return Datum::boolean(address->text() == arguments[0].text());
}
Datum family(Arguments arguments) {
  return Datum::integer(address_of(arguments[0]).v4 ? 4 : 6);
}
template <bool (Address::*Is)() const>
Datum is(Arguments arguments) {
  return Datum::boolean((address_of(arguments[0]).*Is)());
}

Datum cidr(Arguments arguments) {
  Result<Prefix> prefix = allowed_prefix(arguments[0].text());
  return prefix.ok() ? datum_of(*prefix) : Datum::error(kPrefixFault + prefix.error().message);
}
Datum is_cidr(Arguments arguments) {
  return Datum::boolean(allowed_prefix(arguments[0].text()).ok());
}
// A text that is no address is taken as an argument of the wrong type, as in the original.
Datum contains_ip(Arguments arguments) {
  const Prefix& prefix = prefix_of(arguments[0]);
  if (arguments[1].is_opaque()) return Datum::boolean(prefix.contains(address_of(arguments[1])));
  const Result<Address> address = allowed_address(arguments[1].text());
  if (!address.ok()) return codec::cel::no_such_overload();
  return Datum::boolean(prefix.contains(*address));
}
Datum contains_cidr(Arguments arguments) {
  const Prefix& prefix = prefix_of(arguments[0]);
  const auto within = [&](const Prefix& other) {
    return Datum::boolean(prefix.overlaps(other) && prefix.length <= other.length);
  };
  if (arguments[1].is_opaque()) return within(prefix_of(arguments[1]));
  const Result<Prefix> other = allowed_prefix(arguments[1].text());
  if (!other.ok()) return Datum::error(kPrefixFault + other.error().message);
  return within(*other);
}

}  // namespace

void add_address_library(codec::cel::Library& library) {
  using namespace codec::cel;
  const TypePtr a = address_type(), p = prefix_type();
  library.add_type("net.IP", a);
  library.add_type("net.CIDR", p);
  library.add("ip", "string_to_ip", {string_type()}, a, ip);
  library.add_member("family", "ip_family", {a}, int_type(), family);
  library.add("ip.isCanonical", "ip_is_canonical", {string_type()}, bool_type(), is_canonical);
  const auto test = [&](std::string_view name, std::string_view id, Implementation run) {
    library.add_member(name, id, {a}, bool_type(), run);
  };
  test("isUnspecified", "ip_is_unspecified", is<&Address::is_unspecified>);
  test("isLoopback", "ip_is_loopback", is<&Address::is_loopback>);
  test("isLinkLocalMulticast", "ip_is_link_local_multicast", is<&Address::is_link_local_multicast>);
  test("isLinkLocalUnicast", "ip_is_link_local_unicast", is<&Address::is_link_local_unicast>);
  test("isGlobalUnicast", "ip_is_global_unicast", is<&Address::is_global_unicast>);
  library.add("isIP", "is_ip", {string_type()}, bool_type(), is_ip);
  library.add("string", "ip_to_string", {a}, string_type(),
              [](Arguments x) { return Datum::string(address_of(x[0]).text()); });

  library.add("cidr", "string_to_cidr", {string_type()}, p, cidr);
  library.add_member("containsIP", "cidr_contains_ip_string", {p, string_type()}, bool_type(),
                     contains_ip);
  library.add_member("containsIP", "cidr_contains_ip_ip", {p, a}, bool_type(), contains_ip);
  library.add_member("containsCIDR", "cidr_contains_cidr_string", {p, string_type()}, bool_type(),
                     contains_cidr);
  library.add_member("containsCIDR", "cidr_contains_cidr", {p, p}, bool_type(), contains_cidr);
  library.add_member("ip", "cidr_ip", {p}, a,
                     [](Arguments x) { return datum_of(prefix_of(x[0]).address); });
  library.add_member("prefixLength", "cidr_prefix_length", {p}, int_type(),
                     [](Arguments x) { return Datum::integer(prefix_of(x[0]).length); });
  library.add_member("masked", "cidr_masked", {p}, p,
                     [](Arguments x) { return datum_of(prefix_of(x[0]).masked()); });
  library.add("isCIDR", "is_cidr", {string_type()}, bool_type(), is_cidr);
  library.add("string", "cidr_to_string", {p}, string_type(),
              [](Arguments x) { return Datum::string(prefix_of(x[0]).text()); });
}

}  // namespace keelson::model::cel
