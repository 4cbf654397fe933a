#include "registry/errors.h"

#include "base/text.h"
#include "codec/json.h"
#include "registry/registry.h"

namespace keelson::registry {

namespace {

struct ReasonRow {
  Reason reason;
  int code;
  const char* text;
};
constexpr ReasonRow kReasons[] = {
    {Reason::bad_request, 400, "BadRequest"},
    {Reason::unauthorized, 401, "Unauthorized"},
    {Reason::forbidden, 403, "Forbidden"},
    {Reason::not_found, 404, "NotFound"},
    {Reason::method_not_allowed, 405, "MethodNotAllowed"},
    {Reason::not_acceptable, 406, "NotAcceptable"},
    {Reason::already_exists, 409, "AlreadyExists"},
    {Reason::conflict, 409, "Conflict"},
    {Reason::gone, 410, "Gone"},
    {Reason::expired, 410, "Expired"},
    {Reason::request_entity_too_large, 413, "RequestEntityTooLarge"},
    {Reason::unsupported_media_type, 415, "UnsupportedMediaType"},
    {Reason::invalid, 422, "Invalid"},
    {Reason::too_many_requests, 429, "TooManyRequests"},
    {Reason::internal_error, 500, "InternalError"},
    {Reason::service_unavailable, 503, "ServiceUnavailable"},
    {Reason::server_timeout, 500, "ServerTimeout"},
    {Reason::timeout, 504, "Timeout"},
    {Reason::unknown, 500, ""},
};

const ReasonRow& row_of(Reason reason) {
  for (const ReasonRow& row : kReasons)
    if (row.reason == reason) return row;
  return kReasons[std::size(kReasons) - 1];
}

Error about(Reason reason, GroupName what, std::string_view name, std::string message) {
  Error error{reason, std::move(message)};
  error.group = what.group;
  error.kind = what.name;
  error.name = name;
  return error;
}

}  // namespace

std::string GroupName::text() const {
  std::string out(name);
  if (!group.empty()) out.append(".").append(group);
  return out;
}

Error not_found(GroupName resource, std::string_view name) {
  return about(Reason::not_found, resource, name,
               resource.text() + " " + quote(name) + " not found");
}
Error already_exists(GroupName resource, std::string_view name) {
  return about(Reason::already_exists, resource, name,
               resource.text() + " " + quote(name) + " already exists");
}
Error conflict(GroupName resource, std::string_view name, std::string_view why) {
  return about(Reason::conflict, resource, name,
               "Operation cannot be fulfilled on " + resource.text() + " " + quote(name) + ": " +
                   std::string(why));
}
Error conflict_modified(GroupName resource, std::string_view name) {
  return conflict(resource, name,
                  "the object has been modified; please apply your changes to the latest version "
                  "and try again");
}
Error forbidden(GroupName resource, std::string_view name, std::string_view why) {
  std::string text = resource.text();
  if (resource.name.empty())
    text = "forbidden: ";
  else
    text += (name.empty() ? std::string() : " " + quote(name)) + " is forbidden: ";
  return about(Reason::forbidden, resource, name, text + std::string(why));
}
Error bad_request(std::string message) {
  return {Reason::bad_request, std::move(message)};
}
Error internal_error(std::string why) {
  Error error{Reason::internal_error, "Internal error occurred: " + why};
  error.causes.push_back({"", "", std::move(why)});
  return error;
}
Error method_not_supported(GroupName resource, std::string_view verb) {
  return about(
      Reason::method_not_allowed, resource, "",
      std::string(verb) + " is not supported on resources of kind \"" + resource.text() + "\"");
}
Error invalid(GroupName kind, std::string_view name, std::vector<Cause> causes) {
  std::string message = kind.text() + " " + quote(name) + " is invalid";
  // Aggregated errors are named once each.
  std::vector<std::string> texts;
  for (const Cause& cause : causes) {
    std::string text = cause.field + ": " + cause.message;
    bool known = false;
    for (const std::string& other : texts) known = known || other == text;
    if (!known) texts.push_back(std::move(text));
  }
  if (texts.size() == 1) message += ": " + texts.front();
  if (texts.size() > 1) message += ": [" + join(texts, ", ") + "]";
  Error error = about(Reason::invalid, kind, name, std::move(message));
  error.causes = std::move(causes);
  return error;
}
Error expired(std::string message) {
  return {Reason::expired, std::move(message)};
}
Error too_large_revision(std::int64_t wanted, std::int64_t current) {
  Error error{Reason::timeout, "Timeout: Too large resource version: " + std::to_string(wanted) +
                                   ", current: " + std::to_string(current)};
  error.causes.push_back({"ResourceVersionTooLarge", "", "Too large resource version"});
  error.retry_after_seconds = 1;
  return error;
}
Error unknown(std::string message) {
  return {Reason::unknown, std::move(message)};
}

Cause cause_required(std::string field, std::string_view detail) {
  std::string message = "Required value";
  if (!detail.empty()) message.append(": ").append(detail);
  return {"FieldValueRequired", std::move(field), std::move(message)};
}
Cause cause_invalid_text(std::string field, std::string_view value_text, std::string_view detail) {
  return {"FieldValueInvalid", std::move(field),
          "Invalid value: " + std::string(value_text) + ": " + std::string(detail)};
}
Cause cause_invalid(std::string field, const codec::Value& value, std::string_view detail) {
  return cause_invalid_text(std::move(field),
                            value.is_string() ? quote(value.as_string()) : codec::to_json(value),
                            detail);
}
Cause cause_forbidden(std::string field, std::string_view detail) {
  std::string message = "Forbidden";
  if (!detail.empty()) message.append(": ").append(detail);
  return {"FieldValueForbidden", std::move(field), std::move(message)};
}
Cause cause_not_supported(std::string field, const codec::Value& value,
                          const std::vector<std::string>& supported) {
  std::vector<std::string> quoted;
  for (const std::string& one : supported) quoted.push_back(quote(one));
  return {"FieldValueNotSupported", std::move(field),
          "Unsupported value: " +
              (value.is_string() ? quote(value.as_string()) : codec::to_json(value)) +
              ": supported values: " + join(quoted, ", ")};
}
Cause cause_not_found(std::string field, const codec::Value& value) {
  return {"FieldValueNotFound", std::move(field),
          "Not found: " + (value.is_string() ? quote(value.as_string()) : codec::to_json(value))};
}
Cause cause_duplicate(std::string field, const codec::Value& value) {
  return {
      "FieldValueDuplicate", std::move(field),
      "Duplicate value: " + (value.is_string() ? quote(value.as_string()) : codec::to_json(value))};
}

int code_of(const Error& error) {
  return error.code ? error.code : row_of(error.reason).code;
}

Reason reason_named(std::string_view text) {
  for (const ReasonRow& row : kReasons)
    if (row.text == text) return row.reason;
  return Reason::unknown;
}

Value status_of(const Error& error) {
  Value status = Value::object({{"apiVersion", "v1"},
                                {"kind", "Status"},
                                {"metadata", Value::object()},
                                {"status", "Failure"},
                                {"message", error.message},
                                {"code", code_of(error)}});
  if (!error.continue_token.empty()) status.edit("metadata").set("continue", error.continue_token);
  const std::string_view reason = row_of(error.reason).text;
  if (!reason.empty()) status.set("reason", reason);
  Value details = Value::object();
  if (!error.name.empty()) details.set("name", error.name);
  if (!error.group.empty()) details.set("group", error.group);
  if (!error.kind.empty()) details.set("kind", error.kind);
  if (!error.uid.empty()) details.set("uid", error.uid);
  for (const Cause& cause : error.causes) {
    Value one = Value::object();
    if (!cause.type.empty()) one.set("reason", cause.type);
    if (!cause.message.empty()) one.set("message", cause.message);
    if (!cause.field.empty()) one.set("field", cause.field);
    details.edit("causes").push_back(std::move(one));
  }
  if (error.retry_after_seconds > 0) details.set("retryAfterSeconds", error.retry_after_seconds);
  if (error.details || !details.empty()) status.set("details", std::move(details));
  return status;
}

}  // namespace keelson::registry
