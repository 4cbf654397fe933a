// apimachinery pkg/api/validation, pkg/apis/meta/v1/validation, pkg/util/validation.
#include "model/validation/common.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "codec/json.h"

namespace keelson::model {

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

void check_one_of(const Path& path, const Value& value,
                  std::initializer_list<std::string_view> words, FieldErrors& errors) {
  if (empty_text(value))
    errors.required(path);
  else
    check_supported(path, value, words, errors);
}

void check_supported(const Path& path, const Value& value,
                     std::initializer_list<std::string_view> words, FieldErrors& errors) {
  if (!is_one_of(value.as_string(), words))
    errors.not_supported(path, Value(value.as_string()), words);
}

void check_not_negative(const Path& path, const Value& number, FieldErrors& errors) {
  if (number.as_int() < 0) errors.invalid(path, number, kNegative);
}
void check_positive(const Path& path, const Value& number, FieldErrors& errors) {
  if (number.as_int() <= 0) errors.invalid(path, number.as_int(), kNotPositive);
}
void check_port(const Path& path, const Value& number, FieldErrors& errors) {
  errors.invalid_each(path, number.as_int(), port_number_messages(number.as_int()));
}
void check_immutable(const Path& path, const Value& now, const Value& before, FieldErrors& errors) {
  if (!(now == before)) errors.invalid(path, now, kImmutable);
}

void check_labels(const Path& path, const Value& labels, FieldErrors& errors) {
  for (const codec::Member& label : labels.members()) {
    errors.invalid_each(path, label.key(), label_key_messages(label.key()));
    errors.invalid_each(path, label.value, label_value_messages(label.value.as_string()));
  }
}

void check_annotations(const Path& path, const Value& annotations, FieldErrors& errors) {
  constexpr std::size_t size_max = 256 * 1024;
  std::size_t size = 0;
  for (const codec::Member& annotation : annotations.members()) {
    errors.invalid_each(path, annotation.key(), label_key_messages(to_lower(annotation.key())));
    size += annotation.key().size() + annotation.value.as_string().size();
  }
  if (size > size_max) errors.too_long(path, size_max);
}

void check_label_selector(const Path& path, const Value& selector, FieldErrors& errors,
                          bool lenient_values) {
  if (selector.is_null()) return;
  check_labels(path.child("matchLabels"), selector["matchLabels"], errors);
  const Path expressions = path.child("matchExpressions");
  for (std::size_t i = 0; i < selector["matchExpressions"].size(); ++i) {
    const Value& expression = selector["matchExpressions"][i];
    const Path at = expressions.index(i);
    const Path values = at.child("values");
    const std::string_view op = text_of(expression, "operator");
    if (op == "In" || op == "NotIn") {
      if (expression["values"].empty())
        errors.required(values, "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (op == "Exists" || op == "DoesNotExist") {
      if (!expression["values"].empty())
        errors.forbidden(values,
                         "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else {
      errors.invalid(at.child("operator"), op, "not a valid selector operator");
    }
    errors.invalid_each(at.child("key"), expression["key"],
                        label_key_messages(text_of(expression, "key")));
    if (lenient_values) continue;
    for (std::size_t v = 0; v < expression["values"].size(); ++v)
      errors.invalid_each(values.index(v), expression["values"][v],
                          label_value_messages(expression["values"][v].as_string()));
  }
}

std::string printed_selector(const Value& selector) {
  std::string out = "{";
  if (!selector["matchLabels"].empty())
    out += "\"matchLabels\":" + codec::to_json(selector["matchLabels"]);
  if (!selector["matchExpressions"].empty()) {
    if (out.size() > 1) out += ',';
    out += "\"matchExpressions\":[";
    bool first = true;
    for (const Value& e : selector["matchExpressions"].elements()) {
      out += first ? "{" : ",{";
      first = false;
      out +=
          "\"key\":" + codec::to_json(e["key"]) + ",\"operator\":" + codec::to_json(e["operator"]);
      if (!e["values"].empty()) out += ",\"values\":" + codec::to_json(e["values"]);
      out += '}';
    }
    out += ']';
  }
  return out + '}';
}

void check_name(const Path& path, std::string_view name, NameMessages messages,
                FieldErrors& errors) {
  errors.invalid_each(path, name, messages(name, false));
}

namespace {
// A prefix may end in a dash, as something follows it.
std::string unmasked(std::string_view name, bool prefix) {
  std::string text(name);
  if (prefix && text.size() > 1 && text.back() == '-') {
    text.resize(text.size() - 2);
    text += 'a';
  }
  return text;
}
}  // namespace

Messages subdomain_name(std::string_view name, bool prefix) {
  return dns1123_subdomain_messages(unmasked(name, prefix));
}
Messages label_name(std::string_view name, bool prefix) {
  return dns1123_label_messages(unmasked(name, prefix));
}
Messages label_1035_name(std::string_view name, bool prefix) {
  return dns1035_label_messages(unmasked(name, prefix));
}
Messages path_segment_name(std::string_view name, bool prefix) {
  if (!prefix) return path_segment_messages(name);
  Messages messages;
  for (const std::string_view part : {"/", "%"})
    if (name.find(part) != std::string_view::npos)
      messages.push_back("may not contain '" + std::string(part) + "'");
  return messages;
}

namespace {

std::string printed_owner(const Value& owner) {
  std::string out = "{";
  for (const char* key : {"apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"})
    if (owner.has(key))
      out +=
          (out.size() > 1 ? ",\"" : "\"") + std::string(key) + "\":" + codec::to_json(owner[key]);
  return out + '}';
}

void check_owner(const Path& path, const Value& owner, FieldErrors& errors) {
  if (group_version_of(text_of(owner, "apiVersion")).version.empty())
    errors.invalid(path.child("apiVersion"), owner["apiVersion"], "version must not be empty");
  for (const char* field : {"kind", "name", "uid"})
    if (empty_text(owner[field]))
      errors.invalid(path.child(field), owner[field], "must not be empty");
  if (text_of(owner, "apiVersion") == "v1" && text_of(owner, "kind") == "Event")
    errors.invalid_printed(path, printed_owner(owner),
                           "/v1, Kind=Event is disallowed from being an owner");
}

void check_owners(const Path& path, const Value& owners, FieldErrors& errors) {
  std::string controller;
  for (const Value& owner : owners.elements()) {
    check_owner(path, owner, errors);
    if (!owner["controller"].as_bool()) continue;
    const std::string name = owner["kind"].str() + '/' + owner["name"].str();
    if (controller.empty()) {
      controller = name;
      continue;
    }
    std::string printed;
    for (const Value& o : owners.elements())
      printed += (printed.empty() ? "[" : ",") + printed_owner(o);
    errors.invalid_printed(path, printed + ']',
                           "Only one reference can have Controller set to true. Found \"true\" in "
                           "references for " +
                               controller + " and " + name);
  }
}

void check_finalizers(const Path& path, const Value& finalizers, FieldErrors& errors) {
  bool orphan = false, foreground = false;
  for (const Value& finalizer : finalizers.elements()) {
    errors.invalid_each(path, finalizer, label_key_messages(finalizer.as_string()));
    orphan = orphan || finalizer.as_string() == "orphan";
    foreground = foreground || finalizer.as_string() == "foregroundDeletion";
  }
  if (orphan && foreground)
    errors.invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set");
}

void check_managed_fields(const Path& path, const Value& entries, FieldErrors& errors) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Value& entry = entries[i];
    const Path at = path.index(i);
    const std::string_view operation = text_of(entry, "operation");
    if (operation != "Apply" && operation != "Update")
      errors.invalid(at.child("operation"), operation, "must be `Apply` or `Update`");
    const std::string_view type = text_of(entry, "fieldsType");
    if (!type.empty() && type != "FieldsV1")
      errors.invalid(at.child("fieldsType"), type, "must be `FieldsV1`");
    if (text_of(entry, "manager").size() > 128) errors.too_long(at.child("manager"), 128);
    for (const unsigned char c : text_of(entry, "manager"))
      if (c < 0x20 || c == 0x7f)
        errors.invalid(at.child("manager"), entry["manager"],
                       "should only contain printable characters");
    if (text_of(entry, "subresource").size() > 256) errors.too_long(at.child("subresource"), 256);
  }
}

}  // namespace

void check_metadata(const Value& metadata, bool namespaced, NameMessages name, const Path& path,
                    FieldErrors& errors) {
  const std::string_view prefix = text_of(metadata, "generateName");
  if (!prefix.empty()) errors.invalid_each(path.child("generateName"), prefix, name(prefix, true));
  if (empty_text(metadata["name"]))
    errors.required(path.child("name"), "name or generateName is required");
  else
    check_name(path.child("name"), text_of(metadata, "name"), name, errors);
  const std::string_view ns = text_of(metadata, "namespace");
  if (namespaced) {
    if (ns.empty())
      errors.required(path.child("namespace"));
    else
      check_name(path.child("namespace"), ns, label_name, errors);
  } else if (!ns.empty()) {
    errors.forbidden(path.child("namespace"), "not allowed on this type");
  }
  check_not_negative(path.child("generation"), metadata["generation"], errors);
  check_labels(path.child("labels"), metadata["labels"], errors);
  check_annotations(path.child("annotations"), metadata["annotations"], errors);
  check_owners(path.child("ownerReferences"), metadata["ownerReferences"], errors);
  check_finalizers(path.child("finalizers"), metadata["finalizers"], errors);
  check_managed_fields(path.child("managedFields"), metadata["managedFields"], errors);
}

void check_metadata_update(const Value& now, const Value& before, const Path& path,
                           FieldErrors& errors) {
  if (!before["deletionTimestamp"].is_null()) {
    std::vector<std::string> fresh;
    for (const Value& f : now["finalizers"].elements()) {
      const auto& old = before["finalizers"].elements();
      if (std::find(old.begin(), old.end(), f) == old.end()) fresh.push_back(quote(f.as_string()));
    }
    std::sort(fresh.begin(), fresh.end());
    if (!fresh.empty())
      errors.forbidden(path.child("finalizers"),
                       "no new finalizers can be added if the object is being deleted, found new "
                       "finalizers []string{" +
                           join(fresh, ", ") + "}");
  }
  if (empty_text(now["resourceVersion"]))
    errors.invalid(path.child("resourceVersion"), "", "must be specified for an update");
  if (now["generation"].as_int() < before["generation"].as_int())
    errors.invalid(path.child("generation"), now["generation"].as_int(), "must not be decremented");
  for (const char* field : {"name", "namespace", "uid"})
    if (text_of(now, field) != text_of(before, field))
      errors.invalid(path.child(field), text_of(now, field), kImmutable);
  for (const char* field : {"creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"})
    check_immutable(path.child(field), now[field], before[field], errors);
  check_labels(path.child("labels"), now["labels"], errors);
  check_annotations(path.child("annotations"), now["annotations"], errors);
  check_owners(path.child("ownerReferences"), now["ownerReferences"], errors);
  check_managed_fields(path.child("managedFields"), now["managedFields"], errors);
}

namespace {
void check_finalizer_names(const Value& metadata, const Path& path, FieldErrors& errors) {
  const Path list = path.child("finalizers");
  for (std::size_t i = 0; i < metadata["finalizers"].size(); ++i) {
    const std::string_view name = metadata["finalizers"][i].as_string();
    if (name.find('/') == std::string_view::npos &&
        !is_one_of(name, {"kubernetes", "orphan", "foregroundDeletion"}))
      errors.invalid(list.index(i), name,
                     "name is neither a standard finalizer name nor is it fully qualified");
  }
}
}  // namespace

void check_kind_metadata(const Value& metadata, bool namespaced, NameMessages name,
                         const Path& path, FieldErrors& errors) {
  check_metadata(metadata, namespaced, name, path, errors);
  check_finalizer_names(metadata, path, errors);
}

void check_kind_metadata_update(const Value& now, const Value& before, const Path& path,
                                FieldErrors& errors) {
  check_metadata_update(now, before, path, errors);
  check_finalizer_names(now, path, errors);
}

void check_quantity_not_negative(const Path& path, const Value& quantity, FieldErrors& errors) {
  if (Quantity::of(quantity).nano() < 0) errors.invalid(path, quantity, kNegative);
}

bool is_percent(const Value& value) {
  return value.is_string() && percent_messages(value.as_string()).empty();
}

std::int64_t percent_or_int(const Value& value) {
  if (value.is_number()) return value.as_int();
  const std::string_view text = value.as_string();
  return parse_int(text.substr(0, text.empty() ? 0 : text.size() - 1)).value_or(0);
}

void check_port_number_or_name(const Path& path, const Value& port, FieldErrors& errors) {
  if (port.is_string())
    errors.invalid_each(path, port, port_name_messages(port.as_string()));
  else
    check_port(path, port, errors);
}

void check_positive_int_or_percent(const Path& path, const Value& value, FieldErrors& errors) {
  if (value.is_string())
    errors.invalid_each(path, value, percent_messages(value.as_string()));
  else
    check_not_negative(path, value, errors);
}

void check_at_most_hundred_percent(const Path& path, const Value& value, FieldErrors& errors) {
  if (is_percent(value) && percent_or_int(value) > 100)
    errors.invalid(path, value, "must not be greater than 100%");
}

namespace {

bool is_ipv4_dotted(std::string_view text, bool leading_zeros) {
  int parts = 0;
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    if (part.empty() || (part.size() > 3 && !leading_zeros)) return false;
    int n = 0;
    for (const char c : part) {
      if (c < '0' || c > '9') return false;
      n = std::min(n * 10 + (c - '0'), 1000);
    }
    if (n > 255 || (part.size() > 1 && part[0] == '0' && !leading_zeros)) return false;
    ++parts;
    if (dot == std::string_view::npos) return parts == 4;
    text.remove_prefix(dot + 1);
  }
}

}  // namespace

bool is_ipv4(std::string_view text) {
  return is_ipv4_dotted(text, false);
}

namespace {
bool is_ipv6(std::string_view text) {
  if (text.find(':') == std::string_view::npos) return false;
  int groups = 0;
  bool gap = false;
  if (text.substr(0, 2) == "::") {
    gap = true;
    text.remove_prefix(2);
    if (text.empty()) return true;
  } else if (text.front() == ':') {
    return false;
  }
  while (true) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && group.find('.') != std::string_view::npos)
      return is_ipv4(group) && (gap ? groups + 2 < 8 : groups + 2 == 8);
    if (group.empty() || group.size() > 4) return false;
    for (const char c : group)
      if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
        return false;
    ++groups;
    if (colon == std::string_view::npos) return gap ? groups < 8 : groups == 8;
    text.remove_prefix(colon + 1);
    if (!text.empty() && text.front() == ':') {
      if (gap) return false;
      gap = true;
      text.remove_prefix(1);
      if (text.empty()) return groups < 8;
    } else if (text.empty()) {
      return false;
    }
  }
}
}  // namespace

bool is_ip(std::string_view text) {
  return is_ipv4(text) || is_ipv6(text);
}

bool is_cidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view address = text.substr(0, slash), length = text.substr(slash + 1);
  if (!is_ip(address) || length.empty() || length.size() > 3 || length[0] == '+' ||
      length[0] == '-')
    return false;
  if (length.size() > 1 && length[0] == '0') return false;
  const auto bits = parse_int(length);
  return bits && *bits >= 0 && *bits <= (is_ipv4(address) ? 32 : 128);
}

namespace {
// ::ffff:a.b.c.d
bool is_mapped(std::string_view text) {
  const std::string lower = to_lower(text);
  const std::size_t last = lower.rfind(':');
  if (last == std::string::npos || !is_ipv6(text)) return false;
  if (lower.find('.') == std::string::npos)
    return lower.substr(0, 7) == "::ffff:" && split(lower, ':').size() == 5;
  const std::string head = lower.substr(0, last);
  return head == "::ffff" || head == "0:0:0:0:0:ffff";
}
}  // namespace

void check_ip(const Path& path, std::string_view text, FieldErrors& errors) {
  if (is_mapped(text))
    errors.invalid(path, text, "must not be an IPv4-mapped IPv6 address");
  else if (!is_ip(text) && is_ipv4_dotted(text, true))
    errors.invalid(path, text, "must not have leading 0s");
  else if (!is_ip(text))
    errors.invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
}

std::vector<std::uint16_t> ip_groups(std::string_view text) {
  std::vector<std::uint16_t> head, tail;
  if (is_ipv4_dotted(text, true)) {
    const std::vector<std::string> parts = split(text, '.');
    for (std::size_t i = 0; i < 4; i += 2)
      head.push_back(static_cast<std::uint16_t>(parse_int(parts[i]).value_or(0) * 256 +
                                                parse_int(parts[i + 1]).value_or(0)));
    return head;
  }
  if (!is_ipv6(text)) return {};
  std::string full(text);
  if (const std::size_t dot = full.find('.'); dot != std::string::npos) {
    const std::size_t colon = full.rfind(':');
    const auto low = ip_groups(std::string_view(full).substr(colon + 1));
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "%x:%x", low[0], low[1]);
    full = full.substr(0, colon + 1) + buffer;
  }
  const std::size_t gap = full.find("::");
  const auto read = [](const std::string& part, std::vector<std::uint16_t>& out) {
    if (part.empty()) return;
    for (const std::string& group : split(part, ':'))
      out.push_back(static_cast<std::uint16_t>(std::stoul(group, nullptr, 16)));
  };
  if (gap == std::string::npos) {
    read(full, head);
    return head;
  }
  read(full.substr(0, gap), head);
  read(full.substr(gap + 2), tail);
  head.resize(8 - tail.size(), 0);
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

namespace {
bool is_masked(std::string_view cidr) {
  const std::size_t slash = cidr.find('/');
  const auto groups = ip_groups(cidr.substr(0, slash));
  const auto bits = static_cast<std::size_t>(parse_int(cidr.substr(slash + 1)).value_or(0));
  for (std::size_t b = bits; b < groups.size() * 16; ++b)
    if ((groups[b / 16] >> (15 - b % 16) & 1) != 0) return false;
  return true;
}
}  // namespace

void check_cidr(const Path& path, std::string_view text, FieldErrors& errors) {
  const std::size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  if (is_cidr(text)) {
    if (is_mapped(address))
      errors.invalid(path, text, "must not have an IPv4-mapped IPv6 address");
    else if (!is_masked(text))
      errors.invalid(path, text, "must not have bits set beyond the prefix length");
    return;
  }
  const auto bits =
      slash == std::string_view::npos ? std::nullopt : parse_int(text.substr(slash + 1));
  const bool digits = bits && text[slash + 1] >= '0' && text[slash + 1] <= '9';
  const bool sloppy =
      digits && (is_ipv6(address) ? *bits <= 128 : is_ipv4_dotted(address, true) && *bits <= 32);
  if (sloppy)
    errors.invalid(path, text, "must not have leading 0s in IP or prefix length");
  else
    errors.invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
}

namespace {

// The address as Go writes it; text as it is if it is no IPv6 address.
std::string canonical_ip(std::string_view text) {
  const auto groups = ip_groups(text);
  if (groups.size() != 8) return std::string(text);
  std::size_t gap = 8, gap_size = 1;  // the first longest run of zeros, if of two or more
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t n = 0;
    while (i + n < 8 && groups[i + n] == 0) ++n;
    if (n > gap_size) {
      gap = i;
      gap_size = n;
    }
  }
  std::string out;
  char group[8];
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == gap) {
      out += "::";
      i += gap_size - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    std::snprintf(group, sizeof group, "%x", static_cast<unsigned>(groups[i]));
    out += group;
  }
  return out;
}

void check_canonical(const Path& path, std::string_view text, const std::string& canonical,
                     FieldErrors& errors) {
  if (text != canonical)
    errors.invalid(path, text, "must be in canonical form (\"" + canonical + "\")");
}

}  // namespace

void check_canonical_ip(const Path& path, std::string_view text, FieldErrors& errors) {
  const std::size_t before = errors.size();
  check_ip(path, text, errors);
  if (errors.size() == before) check_canonical(path, text, canonical_ip(text), errors);
}

void check_canonical_cidr(const Path& path, std::string_view text, FieldErrors& errors) {
  const std::size_t before = errors.size();
  check_cidr(path, text, errors);
  const std::size_t slash = text.find('/');
  if (errors.size() == before)
    check_canonical(path, text,
                    canonical_ip(text.substr(0, slash)) + std::string(text.substr(slash)), errors);
}

void check_qualified_name(const Path& path, std::string_view name, FieldErrors& errors) {
  errors.invalid_each(path, name, label_key_messages(name));
}

}  // namespace keelson::model
