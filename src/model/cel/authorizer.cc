#include "model/cel/authorizer.h"

#include "base/text.h"
#include "model/cel/library.h"
#include "model/formats.h"

namespace keelson::model {

namespace {

using codec::Value;
using codec::cel::Arguments;
using codec::cel::Datum;
using codec::cel::Opaque;
using codec::cel::TypePtr;

const TypePtr& path_check_type() {
  static const TypePtr type = codec::cel::object_type("kubernetes.authorization.PathCheck");
  return type;
}
const TypePtr& group_check_type() {
  static const TypePtr type = codec::cel::object_type("kubernetes.authorization.GroupCheck");
  return type;
}
const TypePtr& decision_type() {
  static const TypePtr type = codec::cel::object_type("kubernetes.authorization.Decision");
  return type;
}

// The authorizer, and the checks that are built from it step by step.
class Check final : public Opaque {
 public:
  Check(const TypePtr& type, AccessQuestion asked, AskAccess ask)
      : question(std::move(asked)), answer(std::move(ask)), type_(type) {}
  const TypePtr& type() const override { return type_; }
  AccessQuestion question;
  AskAccess answer;

 private:
  TypePtr type_;
};

class Decision final : public Opaque {
 public:
  explicit Decision(AccessAnswer given) : answer(std::move(given)) {}
  const TypePtr& type() const override { return decision_type(); }
  AccessAnswer answer;
};

const Check& check_of(const Datum& datum) {
  return static_cast<const Check&>(datum.as_opaque());
}
const AccessAnswer& answer_of(const Datum& datum) {
  return static_cast<const Decision&>(datum.as_opaque()).answer;
}
Datum make(const TypePtr& type, AccessQuestion question, const AskAccess& ask) {
  return Datum::opaque(std::make_shared<Check>(type, std::move(question), ask));
}

bool is_blank(std::string_view text) {
  return trim(text).empty();
}

Datum path(Arguments arguments) {
  const Check& from = check_of(arguments[0]);
  if (is_blank(arguments[1].text())) return Datum::error("path must not be empty");
  AccessQuestion question = from.question;
  question.resource_request = false;
  question.path = arguments[1].text();
  return make(path_check_type(), std::move(question), from.answer);
}
Datum group(Arguments arguments) {
  const Check& from = check_of(arguments[0]);
  AccessQuestion question = from.question;
  question.group = arguments[1].text();
  return make(group_check_type(), std::move(question), from.answer);
}
Datum service_account(Arguments arguments) {
  const Check& from = check_of(arguments[0]);
  const std::string space(arguments[1].text()), name(arguments[2].text());
  if (!dns1123_subdomain_messages(name).empty())
    return Datum::error("Invalid service account name");
  if (!dns1123_label_messages(space).empty())
    return Datum::error("Invalid service account namespace");
  AccessQuestion question;
  question.user = Value::object(
      {{"username", "system:serviceaccount:" + space + ":" + name},
       {"groups", Value::array({"system:serviceaccounts", "system:serviceaccounts:" + space})}});
  return make(cel_authorizer_type(), std::move(question), from.answer);
}
Datum resource(Arguments arguments) {
  const Check& from = check_of(arguments[0]);
  if (is_blank(arguments[1].text())) return Datum::error("resource must not be empty");
  AccessQuestion question = from.question;
  question.resource = arguments[1].text();
  return make(cel_resource_check_type(), std::move(question), from.answer);
}
template <std::string AccessQuestion::*Part>
Datum with(Arguments arguments) {
  const Check& from = check_of(arguments[0]);
  AccessQuestion question = from.question;
  question.*Part = arguments[1].text();
  return make(cel_resource_check_type(), std::move(question), from.answer);
}
Datum check(Arguments arguments) {
  const Check& from = check_of(arguments[0]);
  AccessQuestion question = from.question;
  question.verb = arguments[1].text();
  return Datum::opaque(std::make_shared<Decision>(from.answer(question)));
}

}  // namespace

const TypePtr& cel_authorizer_type() {
  static const TypePtr type = codec::cel::object_type("kubernetes.authorization.Authorizer");
  return type;
}
const TypePtr& cel_resource_check_type() {
  static const TypePtr type = codec::cel::object_type("kubernetes.authorization.ResourceCheck");
  return type;
}

Datum cel_authorizer(const Value& user, AskAccess ask) {
  AccessQuestion question;
  question.user = user;
  return make(cel_authorizer_type(), std::move(question), ask);
}

Datum cel_request_resource(const Value& user, AskAccess ask, std::string_view group_name,
                           std::string_view resource_name, std::string_view subresource,
                           std::string_view space, std::string_view name) {
  AccessQuestion question;
  question.user = user;
  question.group = group_name;
  question.resource = resource_name;
  question.subresource = subresource;
  question.space = space;
  question.name = name;
  return make(cel_resource_check_type(), std::move(question), ask);
}

void cel::add_authorizer_library(codec::cel::Library& library) {
  using namespace codec::cel;
  const TypePtr authorizer = cel_authorizer_type(), on_group = group_check_type(),
                on_resource = cel_resource_check_type(), text = string_type();
  library.add_member("path", "authorizer_path", {authorizer, text}, path_check_type(), path);
  library.add_member("group", "authorizer_group", {authorizer, text}, on_group, group);
  library.add_member("serviceAccount", "authorizer_serviceaccount", {authorizer, text, text},
                     authorizer, service_account);
  library.add_member("resource", "groupcheck_resource", {on_group, text}, on_resource, resource);
  library.add_member("subresource", "resourcecheck_subresource", {on_resource, text}, on_resource,
                     with<&AccessQuestion::subresource>);
  library.add_member("namespace", "resourcecheck_namespace", {on_resource, text}, on_resource,
                     with<&AccessQuestion::space>);
  library.add_member("name", "resourcecheck_name", {on_resource, text}, on_resource,
                     with<&AccessQuestion::name>);
  library.add_member("fieldSelector", "authorizer_fieldselector", {on_resource, text}, on_resource,
                     with<&AccessQuestion::field_selector>);
  library.add_member("labelSelector", "authorizer_labelselector", {on_resource, text}, on_resource,
                     with<&AccessQuestion::label_selector>);
  library.add_member("check", "pathcheck_check", {path_check_type(), text}, decision_type(), check);
  library.add_member("check", "resourcecheck_check", {on_resource, text}, decision_type(), check);
  const TypePtr decision = decision_type();
  library.add_member("errored", "decision_errored", {decision}, bool_type(),
                     [](Arguments x) { return Datum::boolean(!answer_of(x[0]).error.empty()); });
  library.add_member("error", "decision_error", {decision}, text,
                     [](Arguments x) { return Datum::string(answer_of(x[0]).error); });
  library.add_member("allowed", "decision_allowed", {decision}, bool_type(),
                     [](Arguments x) { return Datum::boolean(answer_of(x[0]).allowed); });
  library.add_member("reason", "decision_reason", {decision}, text,
                     [](Arguments x) { return Datum::string(answer_of(x[0]).reason); });
}

}  // namespace keelson::model
