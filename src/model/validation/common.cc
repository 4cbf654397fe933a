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
Messages declared_subdomain_name(std::string_view name, bool prefix) {
  if (prefix) return {};
  Messages messages = dns1123_subdomain_messages(name);
  for (std::string& message : messages)
    if (message.ends_with(" characters")) message.replace(message.size() - 10, 10, "bytes");
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
  const std::string_view api_version = text_of(owner, "apiVersion");
  const bool is_malformed = std::count(api_version.begin(), api_version.end(), '/') > 1;
  if (is_malformed || group_version_of(api_version).version.empty())
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

void check_template_metadata(const Path& path, const Value& metadata, FieldErrors& errors) {
  check_annotations(path.child("annotations"), metadata["annotations"], errors);
  check_labels(path.child("labels"), metadata["labels"], errors);
  for (const char* field :
       {"name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation",
        "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences",
        "finalizers", "managedFields"}) {
    const Value& value = metadata[field];
    if (value.is_null() || value == Value("")) continue;
    // The name is the struct's, with a small first letter.
    errors.forbidden(path.child(field == std::string_view("uid") ? "uID" : field), "cannot be set");
  }
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

void check_qualified_name(const Path& path, std::string_view name, FieldErrors& errors) {
  errors.invalid_each(path, name, label_key_messages(name));
}

}  // namespace keelson::model
