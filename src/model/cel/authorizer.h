// The authorizer that admission expressions may ask:
//   authorizer.group('apps').resource('deployments').namespace('a').check('create').allowed()
// Who is asked stands behind a function, so that nothing here knows how access is decided.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "codec/cel/datum.h"

namespace keelson::model {

struct AccessQuestion {
  codec::Value user;  // {username, uid, groups, extra}
  std::string verb;
  bool resource_request = true;
  std::string group, resource, subresource, space, name;  // `space`: the namespace
  std::string path;                                       // where it is no resource
  std::string field_selector, label_selector;
};
struct AccessAnswer {
  bool allowed = false;
  std::string reason;
  std::string error;
};
using AskAccess = std::function<AccessAnswer(const AccessQuestion&)>;

// The variables `authorizer` and `authorizer.requestResource`.
codec::cel::Datum cel_authorizer(const codec::Value& user, AskAccess ask);
codec::cel::Datum cel_request_resource(const codec::Value& user, AskAccess ask,
                                       std::string_view group, std::string_view resource,
                                       std::string_view subresource, std::string_view space,
                                       std::string_view name);
const codec::cel::TypePtr& cel_authorizer_type();
const codec::cel::TypePtr& cel_resource_check_type();

}  // namespace keelson::model
